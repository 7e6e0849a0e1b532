// SPDX-License-Identifier: GPL-2.0
/* A qcow2 image that grows: its L1 table may move, and the header says where it is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "qcow2.h"

/* @clusters in a row at the end of the file, where only a new refcount block may be in the way. */
static int resize_alloc(struct qcow2 *q, u32 clusters, u64 *first)
{
	u64 hint = q->hint;
	u32 nr = 0;
	bool fresh;
	int ret = 0;

	for (int tries = 0; !ret && nr < clusters && tries < 3; tries++) {
		if (nr)
			qcow2_unalloc(q, *first, nr);
		q->hint = q->end;
		ret = qcow2_alloc(q, clusters, first, &nr, &fresh);
	}
	q->hint = min(hint, q->hint);
	if (!ret && nr < clusters) {
		qcow2_unalloc(q, *first, nr);
		ret = -EFBIG;
	}
	return ret;
}

/* Size, number and place of L1 entries are in one sector of the header. */
static int resize_header(struct qcow2 *q, u64 size, u32 entries, u64 off)
{
	u8 field[24] = { 0 };
	u64 be_size = htobe64(size), be_off = htobe64(off);
	u32 be_entries = htobe32(entries);
	int ret;

	memcpy(field, &be_size, 8);
	memcpy(field + 12, &be_entries, 4);
	memcpy(field + 16, &be_off, 8);
	if (fdatasync(q->fd))
		return -errno;
	ret = file_pwrite(q->fd, field, sizeof(field), 24);
	if (!ret && fdatasync(q->fd))
		ret = -errno;
	return ret;
}

static u64 resize_entries(const struct qcow2 *q, u64 size)
{
	return max((u64)q->head.l1_size, DIV_ROUND_UP(size, 1ULL << (q->bits + q->l2_bits)));
}

/* The place of a longer L1 table: *@nr clusters, 0: it stays where it is. A commit counts them before it is named. */
static int resize_place(struct qcow2 *q, u64 size, u64 *first, u32 *nr)
{
	u64 entries = resize_entries(q, size);
	u32 clusters = DIV_ROUND_UP(entries * 8, q->cluster);
	int ret;

	*nr = 0;
	if (entries * 8 > QCOW2_L1_MAX)
		return -EFBIG;
	pthread_mutex_lock(&q->lock);
	ret = qcow2_mark(q);
	if (!ret && clusters > DIV_ROUND_UP(q->head.l1_size * 8ULL, q->cluster)) {
		ret = resize_alloc(q, clusters, first);
		*nr = ret ? 0 : clusters;
	}
	pthread_mutex_unlock(&q->lock);
	return ret;
}

/* With the lock, while no commit runs and nothing of the L1 table waits for one. */
static int resize_tables(struct qcow2 *q, u64 size, u64 first, u32 nr)
{
	u32 old = q->head.l1_size, entries = resize_entries(q, size);
	u32 before = DIV_ROUND_UP(old * 8ULL, q->cluster), clusters = nr ? nr : before;
	u64 off = nr ? first << q->bits : q->head.l1_off, *l1, *be;
	int ret = 0;

	l1 = calloc(entries, sizeof(*l1));
	be = calloc(1, (u64)clusters << q->bits);
	if (!l1 || !be)
		ret = -ENOMEM;
	for (u32 i = 0; !ret && i < old; i++)
		be[i] = htobe64(l1[i] = q->l1[i]);
	if (!ret)
		ret = file_pwrite(q->fd, be, (u64)clusters << q->bits, off);
	if (!ret)
		ret = resize_header(q, size, entries, off);
	free(be);
	if (ret) {
		free(l1);
		return ret;
	}
	if (nr)
		qcow2_free_later(q, q->head.l1_off >> q->bits, before);
	free(q->l1);
	q->l1 = l1;
	q->l1_low = entries;
	q->l1_high = 0;
	q->head.l1_size = entries;
	q->head.l1_off = off;
	q->head.size = size;
	return 0;
}

int qcow2_resize(struct disk *d, u64 size, struct opt_err *err)
{
	struct qcow2 *q = container_of(d, struct qcow2, disk);
	u64 first = 0;
	u32 nr = 0;
	int ret;

	if (size < q->head.size)
		return disk_bad(err, -ENOTSUP, "a qcow2 image does not become smaller than its %llu bytes", (unsigned long long)q->head.size);
	if (q->backing && q->backing->size > q->head.size)
		return disk_bad(err, -ENOTSUP, "the image behind it is larger, and would be seen");
	if (q->data != q->file) {
		ret = q->data->type->resize(q->data, size, err);
		if (ret)
			return ret;
	}
	ret = resize_place(q, size, &first, &nr);
	if (ret)
		return disk_bad(err, ret, "%s: %s", q->name, strerror(-ret));
	for (;;) {
		ret = qcow2_commit(q);
		pthread_mutex_lock(&q->commit);
		pthread_mutex_lock(&q->lock);
		if (ret || q->corrupt || q->l1_low >= q->l1_high)
			break;
		pthread_mutex_unlock(&q->lock);
		pthread_mutex_unlock(&q->commit);
	}
	if (!ret)
		ret = q->corrupt ? -EIO : resize_tables(q, size, first, nr);
	pthread_mutex_unlock(&q->lock);
	pthread_mutex_unlock(&q->commit);
	if (!ret)
		ret = qcow2_commit(q);
	return ret ? disk_bad(err, ret, "%s: %s", q->name, strerror(-ret)) : 0;
}
