// SPDX-License-Identifier: GPL-2.0
/*
 * The states that a log stands for: see kvm/replay.h. A sector is in the first of three
 * layers that has it: what was written to this state; the entries since the last flush that
 * this state has; all entries before that flush. Otherwise it is the image's. A layer is a
 * word for each sector, where its data are in the log. The last layer only grows while one
 * goes on in the log; the other two are emptied for the next state, by a list of what they have.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/file.h>
#include <kvm/replay.h>

#include "cut.h"
#include "disk.h"
#include "log_format.h"

#define REPLAY_FLAGS	(LOG_FLUSH | LOG_FUA | LOG_DISCARD | LOG_MARK | LOG_METADATA)
#define REPLAY_KEY	"replay"
/* Words of a layer: where the sector is in the log, or these. */
#define SECTOR_NONE	0
#define SECTOR_ZERO	1	/* of the log, the first sector is the header */
#define SECTOR_OWN	2	/* in r->own */

struct replay_entry {
	u64 sector, nr;
	u64 data;		/* offset in the log, of the text too */
	u32 flags;
	u32 text;		/* bytes */
};

struct layer {
	u64 *map;		/* [sectors] */
	u64 *list;		/* [sectors]: those that are not SECTOR_NONE; NULL: not kept */
	u64 nr;
};

struct replay {
	struct disk *image;
	int fd;			/* the log */
	u32 sector;
	u64 sectors;
	struct replay_entry *entry;
	u64 nr;
	u64 applied;		/* entries in the layer `durable` */
	struct layer durable, recent, written;
	u8 *own;		/* what was written to this state, where it is on the disk */
	u64 own_nr;		/* sectors, since it was last given back */
};

/* The log */

/* Entry @n at @off of a log of @end bytes; *@next is where the next one is. */
static int replay_entry(struct replay *r, u64 n, u64 off, u64 end, u64 *next, struct opt_err *err)
{
	struct replay_entry *to = &r->entry[n];
	struct log_entry e;
	u64 len = 0;
	int ret = off > end || end - off < sizeof(e) ? -EINVAL : file_pread(r->fd, &e, sizeof(e), off);

	if (ret)
		return disk_bad(err, -EINVAL, "the log ends before entry %llu of %llu", (unsigned long long)n,
				(unsigned long long)r->nr);
	*to = (struct replay_entry){
		.sector = le64toh(e.sector), .nr = le64toh(e.nr_sectors), .flags = le64toh(e.flags),
	};
	if (le64toh(e.flags) & ~(u64)REPLAY_FLAGS)
		return disk_bad(err, -EINVAL, "entry %llu of the log has unknown flags 0x%llx", (unsigned long long)n,
				(unsigned long long)le64toh(e.flags));
	if (to->flags & LOG_MARK) {
		to->nr = 0;
		to->text = min(le64toh(e.data_len), (u64)r->sector - sizeof(e));
		to->data = off + sizeof(e);
	} else {
		if (to->sector > r->sectors || to->nr > r->sectors - to->sector)
			return disk_bad(err, -EINVAL, "entry %llu of the log is beyond the end of the image",
					(unsigned long long)n);
		to->data = off + r->sector;
		len = to->flags & LOG_DISCARD ? 0 : to->nr * r->sector;
	}
	*next = off + r->sector + len;
	if (*next > end && (len || to->text > end - to->data))
		return disk_bad(err, -EINVAL, "the log ends within entry %llu of %llu", (unsigned long long)n,
				(unsigned long long)r->nr);
	return 0;
}

static int replay_index(struct replay *r, u64 end, struct opt_err *err)
{
	u64 off = r->sector;
	int ret = 0;

	r->entry = calloc(r->nr + 1, sizeof(*r->entry));
	if (!r->entry)
		return disk_bad(err, -ENOMEM, "out of memory");
	for (u64 n = 0; !ret && n < r->nr; n++)
		ret = replay_entry(r, n, off, end, &off, err);
	return ret;
}

static int replay_log(struct replay *r, const char *path, struct opt_err *err)
{
	struct log_header head;
	struct stat st;

	r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (r->fd < 0 || fstat(r->fd, &st))
		return disk_bad(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(head) || file_pread(r->fd, &head, sizeof(head), 0) ||
	    le64toh(head.magic) != LOG_MAGIC)
		return disk_bad(err, -EINVAL, "%s is no log of a disk: keep-log=FILE of a disk makes one", path);
	if (le64toh(head.version) != LOG_VERSION)
		return disk_bad(err, -EINVAL, "%s: version %llu of the log is unknown", path,
				(unsigned long long)le64toh(head.version));
	r->sector = le32toh(head.sector_size);
	r->nr = le64toh(head.nr_entries);
	if (r->sector < DISK_BLOCK_MIN || r->sector > DISK_BLOCK_MAX || r->sector & (r->sector - 1))
		return disk_bad(err, -EINVAL, "%s: sectors of %u bytes are unknown", path, r->sector);
	/* Each has a sector at least, the last one a part of it. */
	if (r->nr > (u64)st.st_size / r->sector)
		return disk_bad(err, -EINVAL, "%s: it ends before the last of its %llu entries", path,
				(unsigned long long)r->nr);
	return 0;
}

/* Layers */

static void *replay_map(u64 len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool layer_new(struct layer *l, u64 sectors, bool list)
{
	l->map = replay_map(sectors * sizeof(*l->map));
	l->list = list ? replay_map(sectors * sizeof(*l->list)) : NULL;
	return l->map && (l->list || !list);
}

static void layer_free(struct layer *l, u64 sectors)
{
	if (l->map)
		munmap(l->map, sectors * sizeof(*l->map));
	if (l->list)
		munmap(l->list, sectors * sizeof(*l->list));
}

static void layer_set(struct layer *l, u64 sector, u64 word)
{
	if (l->list && !l->map[sector])
		l->list[l->nr++] = sector;
	l->map[sector] = word;
}

static void layer_clear(struct layer *l)
{
	while (l->nr)
		l->map[l->list[--l->nr]] = SECTOR_NONE;
}

static u64 replay_word(const struct replay *r, u64 sector)
{
	if (r->written.map[sector])
		return r->written.map[sector];
	return r->recent.map[sector] ? r->recent.map[sector] : r->durable.map[sector];
}

/* Memory that many writes took is given back; a little is kept for the next state. */
static void replay_empty(struct replay *r)
{
	layer_clear(&r->recent);
	layer_clear(&r->written);
	if (r->own_nr * r->sector > 64 * MIB) {
		madvise(r->own, r->sectors * r->sector, MADV_DONTNEED);
		r->own_nr = 0;
	}
}

/* States */

/* Sector @i of entry @e, as a word. */
static u64 replay_entry_word(const struct replay *r, const struct replay_entry *e, u64 i)
{
	return e->flags & LOG_DISCARD ? SECTOR_ZERO : e->data + i * r->sector;
}

static void replay_apply(struct replay *r, const struct replay_entry *e)
{
	for (u64 i = 0; i < e->nr; i++)
		layer_set(&r->durable, e->sector + i, replay_entry_word(r, e, i));
}

int replay_at(struct replay *r, u64 n)
{
	replay_empty(r);
	if (n < r->applied) {
		if (madvise(r->durable.map, r->sectors * sizeof(*r->durable.map), MADV_DONTNEED))
			return -errno;
		r->applied = 0;
	}
	for (; r->applied < min(n, r->nr); r->applied++)
		replay_apply(r, &r->entry[r->applied]);
	return 0;
}

int replay_cut(struct replay *r, u64 from, u64 to, u64 seed)
{
	u64 state = seed, at;
	struct cut cut;
	int ret = replay_at(r, from);

	if (ret)
		return ret;
	/* When the power failed: what came later was not even begun. Half of the cuts come late. */
	at = seed && cut_random(&state) & 1 && to > from ? from + 1 + cut_random(&state) % (to - from) : to;
	cut_init(&cut, seed, from, at);
	for (u64 n = from; n < at; n++) {
		const struct replay_entry *e = &r->entry[n];

		for (u64 i = 0; i < e->nr; i++)
			if (e->flags & LOG_FUA || cut_keeps(&cut, n, e->sector + i))
				layer_set(&r->recent, e->sector + i, replay_entry_word(r, e, i));
	}
	return 0;
}

/* Reading and writing */

static int replay_read_image(struct replay *r, u64 off, void *buf, u64 len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct iov_iter data;
	struct disk_req req = { .op = DISK_READ, .off = off, .len = len, .data = &data };

	iov_iter_init(&data, &iov, 1);
	return disk_serve(r->image, &req);
}

/* Whole sectors that are in one place. */
static int replay_read_run(struct replay *r, u64 sector, u64 nr, u64 word, void *buf)
{
	u64 len = nr * r->sector;

	switch (word) {
	case SECTOR_NONE:
		return replay_read_image(r, sector * r->sector, buf, len);
	case SECTOR_ZERO:
		memset(buf, 0, len);
		return 0;
	case SECTOR_OWN:
		memcpy(buf, r->own + sector * r->sector, len);
		return 0;
	default:
		return file_pread(r->fd, buf, len, word);
	}
}

static int replay_read_sectors(struct replay *r, u64 sector, u64 nr, u8 *buf)
{
	u64 end = sector + nr, next;
	int ret = 0;

	for (; !ret && sector < end; sector = next) {
		u64 word = replay_word(r, sector);

		for (next = sector + 1; next < end; next++)
			if (replay_word(r, next) != (word > SECTOR_OWN ? word + (next - sector) * r->sector : word))
				break;
		ret = replay_read_run(r, sector, next - sector, word, buf);
		buf += (next - sector) * r->sector;
	}
	return ret;
}

static bool replay_within(const struct replay *r, u64 off, u64 len)
{
	return off <= replay_size(r) && len <= replay_size(r) - off;
}

int replay_read(struct replay *r, u64 off, void *buf, u64 len)
{
	u64 sector = off / r->sector, nr;
	u32 skip = off % r->sector;
	u8 one[DISK_BLOCK_MAX], *to = buf;
	int ret = replay_within(r, off, len) ? 0 : -EINVAL;

	for (; !ret && len; sector += nr) {
		u64 n;

		if (skip || len < r->sector) {
			nr = 1;
			n = min(len, (u64)r->sector - skip);
			ret = replay_read_sectors(r, sector, 1, one);
			memcpy(to, one + skip, n);
		} else {
			nr = len / r->sector;
			n = nr * r->sector;
			ret = replay_read_sectors(r, sector, nr, to);
		}
		skip = 0;
		to += n;
		len -= n;
	}
	return ret;
}

/* @buf NULL: zeroes. */
int replay_write(struct replay *r, u64 off, const void *buf, u64 len)
{
	const u8 *from = buf;
	int ret = replay_within(r, off, len) ? 0 : -EINVAL;

	while (!ret && len) {
		u64 sector = off / r->sector, skip = off % r->sector, n = min(len, r->sector - skip);

		if (n < r->sector && r->written.map[sector] != SECTOR_OWN)
			ret = replay_read_sectors(r, sector, 1, r->own + sector * r->sector);
		if (ret)
			break;
		if (from)
			memcpy(r->own + off, from, n);
		else
			memset(r->own + off, 0, n);
		layer_set(&r->written, sector, SECTOR_OWN);
		r->own_nr++;
		from += from ? n : 0;
		off += n;
		len -= n;
	}
	return ret;
}

int replay_zero(struct replay *r, u64 off, u64 len)
{
	u64 head = min(len, ALIGN(off, (u64)r->sector) - off), tail, s;
	int ret = replay_within(r, off, len) ? replay_write(r, off, NULL, head) : -EINVAL;

	if (ret)
		return ret;
	off += head;
	len -= head;
	tail = len % r->sector;
	for (s = off / r->sector; s < (off + len) / r->sector; s++)
		layer_set(&r->written, s, SECTOR_ZERO);
	return replay_write(r, off + len - tail, NULL, tail);
}

/* What there is */

u64 replay_size(const struct replay *r)
{
	return r->sectors * r->sector;
}

u32 replay_sector(const struct replay *r)
{
	return r->sector;
}

u64 replay_entries(const struct replay *r)
{
	return r->nr;
}

u64 replay_flush(const struct replay *r, u64 from)
{
	while (from < r->nr && !(r->entry[from].flags & LOG_FLUSH))
		from++;
	return from;
}

char *replay_text(const struct replay *r, u64 n)
{
	const struct replay_entry *e = &r->entry[n];
	char *text = n < r->nr && e->flags & LOG_MARK ? calloc(1, e->text + 1) : NULL;

	if (text && file_pread(r->fd, text, e->text, e->data)) {
		free(text);
		return NULL;
	}
	return text;
}

u64 replay_mark(const struct replay *r, const char *text, u64 from)
{
	for (; from < r->nr; from++) {
		char *mark = replay_text(r, from);
		bool same = mark && !strcmp(mark, text);

		free(mark);
		if (same)
			break;
	}
	return from;
}

bool replay_writes(const struct replay *r, u64 from, u64 to)
{
	while (from < min(to, r->nr) && !r->entry[from].nr)
		from++;
	return from < min(to, r->nr);
}

/* Creation */

void replay_close(struct replay *r)
{
	layer_free(&r->durable, r->sectors);
	layer_free(&r->recent, r->sectors);
	layer_free(&r->written, r->sectors);
	if (r->own)
		munmap(r->own, r->sectors * r->sector);
	if (r->image)
		disk_close(r->image, NULL, REPLAY_KEY);
	if (r->fd >= 0)
		close(r->fd);
	free(r->entry);
	free(r);
}

static int replay_image(struct replay *r, const char *image, int format, struct opt_err *err)
{
	struct disk_options opts = { .file = image, .ro = true, .format = format, .block = r->sector };
	int ret = disk_open(&r->image, &opts, NULL, REPLAY_KEY, err);

	if (ret)
		return ret;
	r->sectors = disk_size(r->image) / r->sector;
	if (!layer_new(&r->durable, r->sectors, false) || !layer_new(&r->recent, r->sectors, true) ||
	    !layer_new(&r->written, r->sectors, true))
		return disk_bad(err, -ENOMEM, "no memory for a map of %llu sectors", (unsigned long long)r->sectors);
	r->own = replay_map(r->sectors * r->sector);
	return r->own ? 0 : disk_bad(err, -ENOMEM, "no address space for a disk of %llu bytes",
				     (unsigned long long)replay_size(r));
}

int replay_open(struct replay **out, const char *log, const char *image, int format, struct opt_err *err)
{
	struct replay *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return disk_bad(err, -ENOMEM, "out of memory");
	r->fd = -1;
	ret = replay_log(r, log, err);
	if (!ret)
		ret = replay_image(r, image, format, err);
	if (!ret)
		ret = replay_index(r, lseek(r->fd, 0, SEEK_END), err);
	if (ret)
		replay_close(r);
	else
		*out = r;
	return ret;
}
