// SPDX-License-Identifier: GPL-2.0
/*
 * Copy-on-write: a disk that is only read, and a sparse file without a name for what is
 * written. A bitmap says which blocks are in the file. Its bits are of logical blocks,
 * which are written as a whole, so nothing is ever copied from the one to the other. A
 * bit is set when the block is in the file, and none is ever cleared.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/kernel.h>

#include "disk.h"

#define WORD_BITS	64
/* A disk grows to this size, or does not. A byte of address space is a bit of the map. */
#define OVERLAY_GROWS	(4096 * GIB)

struct overlay {
	struct disk disk;
	struct disk *base, *top;
	u64 *map;		/* a bit a block; memory is touched as far as something was written */
	size_t map_len;
};

static struct overlay *overlay_of(struct disk *d)
{
	return container_of(d, struct overlay, disk);
}

static bool overlay_has(const struct overlay *o, u64 block)
{
	/* The base has nothing beyond its end. */
	if (block >= o->base->size / o->disk.block)
		return true;
	return __atomic_load_n(&o->map[block / WORD_BITS], __ATOMIC_ACQUIRE) >> block % WORD_BITS & 1;
}

static void overlay_set(struct overlay *o, u64 off, u64 len)
{
	u64 block = off / o->disk.block, end = (off + len) / o->disk.block;

	while (block < end) {
		u64 n = min(end - block, WORD_BITS - block % WORD_BITS);
		u64 bits = (n == WORD_BITS ? ~0ULL : (1ULL << n) - 1) << block % WORD_BITS;

		__atomic_fetch_or(&o->map[block / WORD_BITS], bits, __ATOMIC_RELEASE);
		block += n;
	}
}

static int overlay_read(struct disk *d, u64 off, struct iov_iter *data)
{
	struct overlay *o = overlay_of(d);

	while (iov_iter_count(data)) {
		u64 block = off / d->block, end = block + iov_iter_count(data) / d->block, next = block + 1;
		bool top = overlay_has(o, block);
		struct disk *from = top ? o->top : o->base;
		struct iov_iter part;
		int ret;

		while (next < end && overlay_has(o, next) == top)
			next++;
		if (!iov_iter_split(data, (next - block) * d->block, &part))
			return -EIO;
		ret = from->type->read(from, off, &part);
		if (ret)
			return ret;
		off = next * d->block;
	}
	return 0;
}

static int overlay_write(struct disk *d, u64 off, struct iov_iter *data)
{
	struct overlay *o = overlay_of(d);
	u64 len = iov_iter_count(data);
	int ret = o->top->type->write(o->top, off, data);

	if (!ret)
		overlay_set(o, off, len);
	return ret;
}

/*
 * A discarded block is in the file, as a hole: the base may have something else. Where the
 * file can have none, the block stays as it is: zeroes would take the room that the guest
 * wanted to give back, and the time to write them.
 */
static int overlay_discard(struct disk *d, u64 off, u64 len)
{
	struct overlay *o = overlay_of(d);
	int ret = o->top->type->discard(o->top, off, len);

	if (!ret)
		overlay_set(o, off, len);
	return ret;
}

static int overlay_zero(struct disk *d, u64 off, u64 len)
{
	struct overlay *o = overlay_of(d);
	int ret = o->top->type->zero(o->top, off, len);

	if (!ret)
		overlay_set(o, off, len);
	return ret;
}

static int overlay_flush(struct disk *d)
{
	return 0;
}

/* What is cut off is not seen again when the disk grows. */
static int overlay_resize(struct disk *d, u64 size, struct opt_err *err)
{
	struct overlay *o = overlay_of(d);
	u64 max = o->map_len * CHAR_BIT * d->block;
	int ret;

	if (size > max)
		return disk_bad(err, -EFBIG, "a disk with cow grows to at most %llu bytes", (unsigned long long)max);
	ret = o->top->type->resize(o->top, size, err);
	if (!ret && size < o->base->size)
		overlay_set(o, size, o->base->size - size);
	return ret;
}

static void overlay_free(struct disk *d)
{
	struct overlay *o = overlay_of(d);

	munmap(o->map, o->map_len);
	o->base->type->free(o->base);
	o->top->type->free(o->top);
	free(o);
}

/* State: which blocks were written, by words of the map, and their content */

struct overlay_word {
	u64 nr, bits;
};

/* The words of the map that are not 0: how many, and how many blocks they stand for. */
static size_t overlay_words(const struct overlay *o, struct overlay_word *word, u64 *blocks)
{
	size_t nr = 0, i, end = DIV_ROUND_UP(o->disk.size / o->disk.block, WORD_BITS);

	*blocks = 0;
	for (i = 0; i < end; i++) {
		if (!o->map[i])
			continue;
		if (word)
			word[nr] = (struct overlay_word){ i, o->map[i] };
		*blocks += __builtin_popcountll(o->map[i]);
		nr++;
	}
	return nr;
}

/* Move the blocks of @word from or to the file. 0 or -errno. */
static int overlay_blocks(struct overlay *o, const struct overlay_word *word, size_t nr, u8 *data, bool write)
{
	u32 size = o->disk.block;
	unsigned int bit;
	size_t i;
	int ret = 0;

	for (i = 0; i < nr; i++) {
		for (bit = 0; !ret && bit < WORD_BITS; bit++) {
			u64 off = (word[i].nr * WORD_BITS + bit) * size;
			struct iovec iov = { .iov_base = data, .iov_len = size };
			struct iov_iter iter;

			if (!(word[i].bits >> bit & 1))
				continue;
			iov_iter_init(&iter, &iov, 1);
			ret = write ? overlay_write(&o->disk, off, &iter) : o->top->type->read(o->top, off, &iter);
			data += size;
		}
	}
	return ret;
}

/* They are read from a file that nobody vouches for. */
static bool overlay_word_possible(const struct overlay *o, const struct overlay_word *word)
{
	u64 blocks = o->disk.size / o->disk.block, first = word->nr * WORD_BITS;

	if (!word->bits || word->nr >= DIV_ROUND_UP(blocks, WORD_BITS))
		return false;
	return blocks - first >= WORD_BITS || !(word->bits >> (blocks - first));
}

static int overlay_do_layer(struct overlay *o, struct state *s, struct overlay_word *word, size_t len, u8 *data)
{
	size_t nr, i, want = 0, have = DISK_LAYER_MAX;
	int ret;

	if (!state_reads(s)) {
		ret = overlay_blocks(o, word, len / sizeof(*word), data, false);
		if (ret)
			return state_refuse(s, "what was written cannot be read: %s", strerror(-ret));
		have = 0;
		for (i = 0; i < len / sizeof(*word); i++)
			have += (size_t)__builtin_popcountll(word[i].bits) * o->disk.block;
	}
	state_bytes(s, "map", word, &len, DISK_LAYER_MAX / o->disk.block * sizeof(*word));
	if (state_bytes(s, "blocks", data, &have, DISK_LAYER_MAX) || !state_reads(s))
		return state_status(s);
	nr = len / sizeof(*word);
	for (i = 0; i < nr; i++) {
		if (!overlay_word_possible(o, &word[i]))
			return state_refuse(s, "a block beyond the end of the disk");
		want += (size_t)__builtin_popcountll(word[i].bits) * o->disk.block;
	}
	if (len % sizeof(*word) || want != have)
		return state_refuse(s, "%zu bytes of blocks, %zu are expected", have, want);
	ret = overlay_blocks(o, word, nr, data, true);
	return ret ? state_refuse(s, "what was written cannot be stored: %s", strerror(-ret)) : 0;
}

static int overlay_image(struct disk *d, struct state *s)
{
	struct disk *base = overlay_of(d)->base;

	return base->type->image(base, s);
}

static int overlay_layer(struct disk *d, struct state *s)
{
	struct overlay *o = overlay_of(d);
	struct overlay_word *word;
	u64 blocks;
	size_t nr = overlay_words(o, NULL, &blocks);
	u8 *data;
	int ret;

	if (blocks * d->block > DISK_LAYER_MAX)
		return state_refuse(s, "more than %u MiB were written to the disk: that does not go into a state",
				    DISK_LAYER_MAX >> 20);
	if (state_reads(s)) {
		nr = DISK_LAYER_MAX / d->block;
		blocks = nr;
	}
	word = calloc(nr + 1, sizeof(*word));
	data = malloc(blocks * d->block + 1);
	if (!word || !data) {
		ret = state_refuse(s, "out of memory");
	} else {
		if (!state_reads(s))
			overlay_words(o, word, &blocks);
		state_begin(s, "layer");
		overlay_do_layer(o, s, word, state_reads(s) ? 0 : nr * sizeof(*word), data);
		ret = state_end(s);
	}
	free(data);
	free(word);
	return ret;
}

static const struct disk_type overlay_type = {
	.read = overlay_read, .write = overlay_write, .flush = overlay_flush,
	.discard = overlay_discard, .zero = overlay_zero, .free = overlay_free,
	.resize = overlay_resize, .image = overlay_image, .layer = overlay_layer,
};

int disk_overlay_open(struct disk **out, struct disk *base, const struct disk_options *opts, struct opt_err *err)
{
	u64 words = DIV_ROUND_UP(max(base->size, OVERLAY_GROWS) / base->block, WORD_BITS);
	struct overlay *o = calloc(1, sizeof(*o));
	int ret;

	if (!o)
		return disk_bad(err, -ENOMEM, "out of memory");
	o->map_len = words * sizeof(*o->map);
	o->map = mmap(NULL, o->map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (o->map == MAP_FAILED) {
		free(o);
		return disk_bad(err, -ENOMEM, "no memory for a map of %llu blocks",
				(unsigned long long)(base->size / base->block));
	}
	ret = disk_scratch_open(&o->top, base->size, opts, err);
	if (ret) {
		munmap(o->map, o->map_len);
		free(o);
		return ret;
	}
	o->base = base;
	o->disk = (struct disk){
		.type = &overlay_type, .size = base->size, .block = base->block, .scratch = true,
	};
	*out = &o->disk;
	return 0;
}
