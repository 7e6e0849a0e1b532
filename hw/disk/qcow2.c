// SPDX-License-Identifier: GPL-2.0
/*
 * A qcow2 image as a disk. A request is cut into pieces that are mapped alike. Each
 * piece looks the tables up under the lock, and marks its range of the guest's disk, so
 * that the clusters in it stay what they are. Data then moves without the lock. What
 * changes the map has its range alone. The map refers to new clusters after their data
 * is written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/deflate.h>
#include <kvm/state.h>

#include "qcow2.h"

#define RUN_MAX		256		/* clusters that are allocated at a time */
#define WIPE_MAX	4096		/* clusters that are wiped at a time */
#define ALIGNED		4096		/* buffers, for O_DIRECT */

static struct qcow2 *qcow2_of(struct disk *d)
{
	return container_of(d, struct qcow2, disk);
}

static u64 floor_of(u64 off, u64 unit)
{
	return off & ~(unit - 1);
}

/* Ranges */

static bool range_is_free(const struct qcow2 *q, u64 start, u64 end, bool alone)
{
	struct qcow2_range *r;

	list_for_each_entry(r, &q->ranges, node)
		if (start < r->end && r->start < end && (alone || r->alone))
			return false;
	return true;
}

/* Wait for others and return true: what was looked up may have changed. */
static bool range_waits(struct qcow2 *q, u64 start, u64 end, bool alone)
{
	if (range_is_free(q, start, end, alone))
		return false;
	q->waiting++;
	pthread_cond_wait(&q->idle, &q->lock);
	q->waiting--;
	return true;
}

static void range_enter(struct qcow2 *q, struct qcow2_range *r, u64 start, u64 end, bool alone)
{
	*r = (struct qcow2_range){ .start = start, .end = end, .alone = alone };
	list_add(&r->node, &q->ranges);
}

static void range_leave(struct qcow2 *q, struct qcow2_range *r)
{
	list_del(&r->node);
	if (q->waiting)
		pthread_cond_broadcast(&q->idle);
}

/* Reading */

static int read_backing(struct qcow2 *q, u64 off, struct iov_iter *data)
{
	struct iov_iter part;
	u64 len = iov_iter_count(data);
	int ret = 0;

	if (q->backing && off < q->backing->size) {
		if (!iov_iter_split(data, min(len, q->backing->size - off), &part))
			return -EIO;
		ret = q->backing->type->read(q->backing, off, &part);
	}
	iov_iter_zero(iov_iter_count(data), data);
	return ret;
}

/* Small requests one after the other are for the same cluster. */
static bool read_unpacked(struct qcow2 *q, u64 entry, u64 off, struct iov_iter *data)
{
	bool there;

	pthread_mutex_lock(&q->unpacked_lock);
	there = q->unpacked_entry == entry;
	if (there)
		copy_to_iter(q->unpacked + (off & (q->cluster - 1)), iov_iter_count(data), data);
	pthread_mutex_unlock(&q->unpacked_lock);
	return there;
}

/* Returns what is to be freed. */
static u8 *keep_unpacked(struct qcow2 *q, u64 entry, u8 *plain)
{
	u8 *old;

	pthread_mutex_lock(&q->unpacked_lock);
	old = q->unpacked;
	q->unpacked = plain;
	q->unpacked_entry = entry;
	pthread_mutex_unlock(&q->unpacked_lock);
	return old;
}

static int read_compressed(struct qcow2 *q, const struct qcow2_map *m, u64 off, struct iov_iter *data)
{
	u8 *packed, *plain;
	ssize_t n = 0;
	u64 at;
	u32 len;
	int ret = 0;

	if (read_unpacked(q, m->entry, off, data))
		return 0;
	qcow2_compressed_at(q, m->entry, &at, &len);
	plain = malloc(q->cluster);
	packed = malloc(len);
	if (packed && plain)
		n = pread(q->fd, packed, len, at);
	if (!packed || !plain) {
		ret = -ENOMEM;
	} else if (n < 0) {
		ret = -errno;
	} else if (deflate_unpack(packed, n, plain, q->cluster) != (long)q->cluster) {
		ret = -EBADMSG;
	} else {
		copy_to_iter(plain + (off & (q->cluster - 1)), iov_iter_count(data), data);
		plain = keep_unpacked(q, m->entry, plain);
	}
	free(packed);
	free(plain);
	if (ret != -EBADMSG)
		return ret;
	pthread_mutex_lock(&q->lock);
	ret = qcow2_is_corrupt(q, "what is compressed at %#llx does not unpack", (unsigned long long)at);
	pthread_mutex_unlock(&q->lock);
	return ret;
}

static int read_piece(struct qcow2 *q, const struct qcow2_map *m, u64 off, struct iov_iter *data)
{
	switch (m->kind) {
	case QCOW2_IS_DATA:
		return q->data->type->read(q->data, m->host, data);
	case QCOW2_IS_COMPRESSED:
		return read_compressed(q, m, off, data);
	case QCOW2_IS_NOWHERE:
		return read_backing(q, off, data);
	case QCOW2_IS_ZERO:
		break;
	}
	iov_iter_zero(iov_iter_count(data), data);
	return 0;
}

/* @mine: the caller has the range already. */
static int read_all(struct qcow2 *q, u64 off, struct iov_iter *data, bool mine)
{
	int ret = 0;

	while (!ret && iov_iter_count(data)) {
		struct qcow2_range range;
		struct iov_iter part;
		struct qcow2_map m;

		pthread_mutex_lock(&q->lock);
		do
			ret = qcow2_map_get(q, off, iov_iter_count(data), &m);
		while (!ret && !mine && range_waits(q, off, off + m.len, false));
		if (!ret && !mine)
			range_enter(q, &range, off, off + m.len, false);
		pthread_mutex_unlock(&q->lock);
		if (ret)
			return ret;
		ret = iov_iter_split(data, m.len, &part) ? read_piece(q, &m, off, &part) : -EIO;
		off += m.len;
		if (mine)
			continue;
		pthread_mutex_lock(&q->lock);
		range_leave(q, &range);
		pthread_mutex_unlock(&q->lock);
	}
	return ret;
}

static int qcow2_read(struct disk *d, u64 off, struct iov_iter *data)
{
	return read_all(qcow2_of(d), off, data, false);
}

static int read_buffer(struct qcow2 *q, u64 off, void *buf, u64 len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct iov_iter data;

	iov_iter_init(&data, &iov, 1);
	return read_all(q, off, &data, true);
}

/* Writing */

static int write_buffer(struct qcow2 *q, u64 host, void *buf, u64 len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct iov_iter data;

	iov_iter_init(&data, &iov, 1);
	return len ? q->data->type->write(q->data, host, &data) : 0;
}

/* A piece that is not mapped for writing: [off, off + len) of the guest, whose first cluster becomes @host. */
struct fresh {
	struct qcow2_map old;		/* as it was at @off */
	u64 off, len, start;		/* @start: of the first cluster */
	u64 fill_start, fill_end;	/* what is written, with what was there around it */
	u64 host;
	u32 nr;				/* clusters */
	bool in_place;			/* @host is the cluster's already */
	bool zeroes;			/* what is there reads as zeroes, in the file too */
};

/* What is around the piece becomes data, too: of the whole cluster, or of subclusters if only these are copied. */
static void fresh_bounds(const struct qcow2 *q, struct fresh *f)
{
	bool whole = !f->in_place && (f->old.kind == QCOW2_IS_COMPRESSED || f->old.entry & QCOW2_OFFSET);
	u64 unit = whole ? q->cluster : q->sub, end = f->off + f->len;

	f->start = floor_of(f->off, q->cluster);
	f->fill_start = floor_of(f->off, unit);
	f->fill_end = floor_of(end + unit - 1, unit);
	f->nr = (floor_of(end + q->cluster - 1, q->cluster) - f->start) >> q->bits;
}

/* Under the lock: how much of @f->len is done at a time, and where it goes. */
static int fresh_plan(struct qcow2 *q, struct fresh *f)
{
	const struct qcow2_map *old = &f->old;
	u64 start = floor_of(f->off, q->cluster), first, most;
	bool one, fresh = false;
	int ret;

	f->in_place = old->entry & QCOW2_COPIED && !(old->entry & QCOW2_COMPRESSED);
	one = f->in_place || q->extended || q->data != q->file;
	most = start + (one ? 1 : RUN_MAX) * (u64)q->cluster - f->off;
	f->len = min(min(f->len, old->len), most);
	fresh_bounds(q, f);
	ret = qcow2_map_prepare(q, f->off);
	if (ret)
		return ret;
	if (q->data != q->file) {
		f->host = start;
	} else if (f->in_place) {
		f->host = old->entry & QCOW2_OFFSET;
		if (!f->host || f->host % q->cluster || f->host >> q->bits >= q->end || !qcow2_may_write(q, f->host, q->cluster))
			return qcow2_is_corrupt(q, "room for %#llx is at %#llx", (unsigned long long)start, (unsigned long long)f->host);
	} else {
		ret = qcow2_alloc(q, f->nr, &first, &f->nr, &fresh);
		if (ret)
			return ret;
		f->host = first << q->bits;
		f->len = min(f->len, start + f->nr * (u64)q->cluster - f->off);
		fresh_bounds(q, f);
	}
	f->zeroes = fresh && (old->kind == QCOW2_IS_ZERO ||
			      (old->kind == QCOW2_IS_NOWHERE && !(q->backing && f->fill_start < q->backing->size)));
	return 0;
}

/* One cluster with what is around the piece in it, by one write. */
static int fresh_write_merged(struct qcow2 *q, struct fresh *f, struct iov_iter *data)
{
	u64 head = f->off - f->fill_start, tail = f->fill_end - f->off - f->len;
	void *buf;
	int ret;

	if (posix_memalign(&buf, ALIGNED, f->fill_end - f->fill_start))
		return -ENOMEM;
	ret = head ? read_buffer(q, f->fill_start, buf, head) : 0;
	if (!ret && tail)
		ret = read_buffer(q, f->off + f->len, (u8 *)buf + head + f->len, tail);
	copy_from_iter((u8 *)buf + head, f->len, data);
	if (!ret)
		ret = write_buffer(q, f->host + (f->fill_start - f->start), buf, f->fill_end - f->fill_start);
	free(buf);
	return ret;
}

static int fresh_fill(struct qcow2 *q, struct fresh *f, u64 off, u64 len)
{
	void *buf;
	int ret;

	if (!len)
		return 0;
	if (posix_memalign(&buf, ALIGNED, len))
		return -ENOMEM;
	ret = read_buffer(q, off, buf, len);
	if (!ret)
		ret = write_buffer(q, f->host + (off - f->start), buf, len);
	free(buf);
	return ret;
}

static int fresh_write(struct qcow2 *q, struct fresh *f, struct iov_iter *data)
{
	u64 end = f->off + f->len;
	int ret = 0;

	if (!f->zeroes && f->fill_end - f->fill_start <= q->cluster && f->fill_end - f->fill_start != f->len)
		return fresh_write_merged(q, f, data);
	if (!f->zeroes)
		ret = fresh_fill(q, f, f->fill_start, f->off - f->fill_start);
	if (!ret && !f->zeroes)
		ret = fresh_fill(q, f, end, f->fill_end - end);
	return ret ? ret : q->data->type->write(q->data, f->host + (f->off - f->start), data);
}

/* What an entry referred to is free, once nothing refers to it. */
static int entry_drop(struct qcow2 *q, u64 entry)
{
	if (entry & QCOW2_COMPRESSED)
		return qcow2_free_compressed(q, entry);
	if (q->data == q->file && entry & QCOW2_OFFSET)
		return qcow2_free_later(q, (entry & QCOW2_OFFSET) >> q->bits, 1);
	return 0;
}

static u64 fresh_subs(const struct qcow2 *q, const struct fresh *f, u64 subs)
{
	u64 from = (f->fill_start - f->start) / q->sub, nr = (f->fill_end - f->fill_start) / q->sub, bits;

	if (!q->extended)
		return 0;
	bits = ((1ULL << nr) - 1) << from;
	return (subs | bits) & ~(bits << 32);
}

/* Under the lock: the map refers to what is written. */
static int fresh_map(struct qcow2 *q, struct fresh *f)
{
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < f->nr; i++) {
		u64 off = f->start + ((u64)i << q->bits), entry = (f->host + ((u64)i << q->bits)) | QCOW2_COPIED;
		struct qcow2_map old;

		ret = qcow2_map_get(q, off, q->cluster, &old);
		if (!ret)
			ret = qcow2_map_set(q, off, entry, fresh_subs(q, f, old.entry & QCOW2_COMPRESSED ? 0 : old.subs));
		if (!ret && !f->in_place)
			ret = entry_drop(q, old.entry);
	}
	return ret;
}

static int write_fresh(struct qcow2 *q, struct fresh *f, struct iov_iter *data, struct qcow2_range *range)
{
	int ret;

	range_enter(q, range, f->start, f->start + f->nr * (u64)q->cluster, true);
	pthread_mutex_unlock(&q->lock);
	ret = fresh_write(q, f, data);
	pthread_mutex_lock(&q->lock);
	if (!ret)
		ret = fresh_map(q, f);
	else if (!f->in_place && q->data == q->file)
		qcow2_unalloc(q, f->host >> q->bits, f->nr);
	range_leave(q, range);
	return ret;
}

/* Under the lock: what is at @off, when nobody is in the way of writing it. */
static int write_look(struct qcow2 *q, u64 off, u64 len, struct qcow2_map *m)
{
	u64 start, end;
	int ret;

	do {
		ret = qcow2_mark(q);
		if (!ret)
			ret = qcow2_map_get(q, off, len, m);
		if (ret)
			return ret;
		start = m->own ? off : floor_of(off, q->cluster);
		end = m->own ? off + m->len : floor_of(off + m->len + q->cluster - 1, q->cluster);
	} while (range_waits(q, start, end, !m->own));
	return 0;
}

static int write_piece(struct qcow2 *q, u64 off, struct iov_iter *data, u64 *done)
{
	struct qcow2_range range;
	struct fresh f = { .off = off, .len = iov_iter_count(data) };
	struct iov_iter part;
	int ret;

	pthread_mutex_lock(&q->lock);
	ret = write_look(q, off, f.len, &f.old);
	if (!ret && !f.old.own)
		ret = fresh_plan(q, &f);
	if (ret) {
		pthread_mutex_unlock(&q->lock);
		return ret;
	}
	*done = f.old.own ? f.old.len : f.len;
	if (!iov_iter_split(data, *done, &part)) {
		pthread_mutex_unlock(&q->lock);
		return -EIO;
	}
	if (f.old.own) {
		range_enter(q, &range, off, off + *done, false);
		pthread_mutex_unlock(&q->lock);
		ret = q->data->type->write(q->data, f.old.host, &part);
		pthread_mutex_lock(&q->lock);
		range_leave(q, &range);
	} else {
		ret = write_fresh(q, &f, &part, &range);
	}
	pthread_mutex_unlock(&q->lock);
	return ret;
}

static int commit_if_full(struct qcow2 *q)
{
	bool full;

	pthread_mutex_lock(&q->lock);
	full = qcow2_wants_commit(q);
	pthread_mutex_unlock(&q->lock);
	return full ? qcow2_commit(q) : 0;
}

static int qcow2_write(struct disk *d, u64 off, struct iov_iter *data)
{
	struct qcow2 *q = qcow2_of(d);
	u64 done = 0;
	int ret = 0;

	for (; !ret && iov_iter_count(data); off += done) {
		ret = commit_if_full(q);
		if (!ret)
			ret = write_piece(q, off, data, &done);
	}
	return ret;
}

/* Discards and zeroes */

/* Less than a cluster: zeroes are written, unless they are there. */
static int zero_part(struct qcow2 *q, u64 off, u64 len)
{
	struct iovec iov = { .iov_len = len };
	struct iov_iter data;
	struct qcow2_map m;
	bool there;
	int ret;

	pthread_mutex_lock(&q->lock);
	ret = qcow2_map_get(q, off, len, &m);
	there = !ret && m.len == len && !q->raw_data &&
		(m.kind == QCOW2_IS_ZERO || (m.kind == QCOW2_IS_NOWHERE && !(q->backing && off < q->backing->size)));
	pthread_mutex_unlock(&q->lock);
	if (ret || there)
		return ret;
	if (posix_memalign(&iov.iov_base, ALIGNED, len))
		return -ENOMEM;
	memset(iov.iov_base, 0, len);
	iov_iter_init(&data, &iov, 1);
	ret = qcow2_write(&q->disk, off, &data);
	free(iov.iov_base);
	return ret;
}

/* Under the lock, one cluster: *@by_hand, zeroes have to be written, as nothing else would hide what is behind. */
static int wipe_cluster(struct qcow2 *q, u64 off, bool *by_hand)
{
	bool behind = q->backing && off < q->backing->size;
	struct qcow2_map m;
	u64 entry = 0, subs = 0;
	int ret = qcow2_map_get(q, off, q->cluster, &m);

	*by_hand = behind && q->head.version < 3;
	if (ret || *by_hand)
		return ret;
	if (q->raw_data)
		return q->data->type->zero(q->data, off, q->cluster);
	if (behind && q->extended)
		subs = ~0ULL << 32;
	else if (behind)
		entry = QCOW2_ZERO;
	if (m.entry == entry && m.subs == subs)
		return 0;
	if (q->data != q->file) {
		ret = q->data->type->discard(q->data, off, q->cluster);
		if (ret && ret != -EOPNOTSUPP)
			return ret;
	}
	ret = qcow2_map_prepare(q, off);
	if (!ret)
		ret = qcow2_map_set(q, off, entry, subs);
	return ret ? ret : entry_drop(q, m.entry);
}

/* Whole clusters. *@done: bytes; *@by_hand: of the next cluster. */
static int wipe_piece(struct qcow2 *q, u64 off, u64 len, u64 *done, bool *by_hand)
{
	u64 most = min(len, (u64)WIPE_MAX << q->bits);
	int ret;

	*done = 0;
	*by_hand = false;
	pthread_mutex_lock(&q->lock);
	do
		ret = qcow2_mark(q);
	while (!ret && range_waits(q, off, off + most, true));
	while (!ret && *done < most && !*by_hand && !qcow2_wants_commit(q)) {
		struct qcow2_map m;

		/* Nothing is there, and nothing behind: as far as the table reaches. */
		if (!q->backing && !q->raw_data) {
			ret = qcow2_map_get(q, off + *done, most - *done, &m);
			if (!ret && m.kind == QCOW2_IS_NOWHERE && !m.entry) {
				*done += max(floor_of(m.len, q->cluster), (u64)q->cluster);
				continue;
			}
		}
		if (!ret)
			ret = wipe_cluster(q, off + *done, by_hand);
		if (!ret && !*by_hand)
			*done += q->cluster;
	}
	pthread_mutex_unlock(&q->lock);
	return ret;
}

static int qcow2_wipe(struct disk *d, u64 off, u64 len, bool discard)
{
	struct qcow2 *q = qcow2_of(d);
	u64 end = off + len, done;
	int ret = 0;

	for (; !ret && off < end; off += done) {
		bool whole = off % q->cluster == 0 && end - off >= q->cluster, by_hand = false;

		done = min(q->cluster - off % q->cluster, end - off);
		ret = commit_if_full(q);
		if (!ret && whole)
			ret = wipe_piece(q, off, floor_of(end - off, q->cluster), &done, &by_hand);
		if (!ret && by_hand && !done)
			done = q->cluster;
		else if (whole)
			continue;
		if (!ret && !discard)
			ret = zero_part(q, off, done);
	}
	return ret;
}

static int qcow2_discard(struct disk *d, u64 off, u64 len)
{
	return qcow2_wipe(d, off, len, true);
}

static int qcow2_zero(struct disk *d, u64 off, u64 len)
{
	return qcow2_wipe(d, off, len, false);
}

static int qcow2_flush(struct disk *d)
{
	return qcow2_commit(qcow2_of(d));
}

static int qcow2_map(struct disk *d, u64 off, u64 len, struct disk_extent *e)
{
	struct qcow2 *q = qcow2_of(d);
	struct qcow2_map m;
	int ret;

	pthread_mutex_lock(&q->lock);
	ret = qcow2_map_get(q, off, len, &m);
	pthread_mutex_unlock(&q->lock);
	if (ret)
		return ret;
	e->len = m.len;
	if (m.kind == QCOW2_IS_NOWHERE && q->backing && off < q->backing->size) {
		ret = disk_map(q->backing, off, min(m.len, q->backing->size - off), e);
		e->depth++;
		return ret;
	}
	e->zero = m.kind == QCOW2_IS_NOWHERE || m.kind == QCOW2_IS_ZERO;
	e->compressed = m.kind == QCOW2_IS_COMPRESSED;
	e->host = m.kind == QCOW2_IS_DATA ? (s64)m.host : -1;
	return 0;
}

/* The end */

/* All is in the file, and that is marked as closed. Nobody writes meanwhile. */
static int qcow2_clean(struct qcow2 *q)
{
	u64 incompatible = q->head.incompatible & ~QCOW2_DIRTY;
	int ret;

	q->closing = true;
	ret = qcow2_commit(q);
	/* What was freed by that commit has changed counts again. */
	if (!ret)
		ret = qcow2_commit(q);
	q->closing = false;
	if (!ret && !q->device && q->length > q->end << q->bits) {
		ret = ftruncate(q->fd, q->end << q->bits) ? -errno : 0;
		q->length = q->end << q->bits;
	}
	if (!ret && !q->corrupt && incompatible != q->head.incompatible)
		ret = qcow2_head_set(q->fd, QCOW2_AT_INCOMPATIBLE, q->head.incompatible = incompatible);
	q->marked = ret;
	return ret;
}

/* The state of a machine: the file is as it would be closed, and what is behind it is the same. */
static int qcow2_image(struct disk *d, struct state *s)
{
	struct qcow2 *q = qcow2_of(d);
	int ret = q->marked && !state_reads(s) ? qcow2_clean(q) : 0;

	if (ret)
		return state_refuse(s, "%s: %s", q->name, strerror(-ret));
	/* The file has grown since it was opened. */
	q->file->size = ALIGN(q->length, q->file->block);
	ret = q->file->type->image(q->file, s);
	if (ret || !q->backing)
		return ret;
	state_begin(s, "behind");
	q->backing->type->image(q->backing, s);
	return state_end(s);
}

void qcow2_free(struct disk *d)
{
	struct qcow2 *q = qcow2_of(d);
	int ret = q->marked ? qcow2_clean(q) : 0;

	if (ret)
		log_limited(&q->limit, LOG_ERROR, "%s: not all is written: %s", q->name, strerror(-ret));
	meta_close(&q->meta);
	free(q->l1);
	free(q->table);
	free(q->pending);
	free(q->unpacked);
	free(q->name);
	if (q->fd >= 0)
		close(q->fd);
	if (q->backing)
		q->backing->type->free(q->backing);
	if (q->data && q->data != q->file)
		q->data->type->free(q->data);
	if (q->file)
		q->file->type->free(q->file);
	pthread_mutex_destroy(&q->lock);
	pthread_mutex_destroy(&q->commit);
	pthread_mutex_destroy(&q->unpacked_lock);
	pthread_cond_destroy(&q->idle);
	free(q);
}

const struct disk_type qcow2_type = {
	.read = qcow2_read, .write = qcow2_write, .flush = qcow2_flush, .discard = qcow2_discard,
	.zero = qcow2_zero, .free = qcow2_free, .map = qcow2_map,
	.resize = qcow2_resize, .grows = true, .image = qcow2_image,
};
