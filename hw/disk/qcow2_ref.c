// SPDX-License-Identifier: GPL-2.0
/*
 * Which clusters of a qcow2 image are in use: "Host cluster management" of the
 * specification. A cluster that a table no longer refers to stays in use until that
 * table is stable and the cluster's hole is punched: see qcow2_commit.c. A refcount
 * block lies in the first cluster that it counts, since nothing else can be there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "qcow2.h"

#define REF_TABLE_GROWN	(8 * MIB)	/* bytes: what others read, too */
#define REF_STEP	(4 * MIB)	/* bytes that a file grows beyond what is needed */
#define ALLOC_LOOKED	4096		/* tables that an allocation is compared with */
#define REF_PENDING_MAX	4096		/* extents */
#define REF_CLUSTERS	(1ULL << 55)	/* bytes that the tables can refer to: bits 9 to 55 */

u64 qcow2_ref_max(const struct qcow2 *q)
{
	return q->head.ref_order == 6 ? ~0ULL : (1ULL << (1U << q->head.ref_order)) - 1;
}

int qcow2_ref_open(struct qcow2 *q, struct opt_err *err)
{
	size_t len = (size_t)q->head.table_clusters << q->bits;
	int ret;

	q->block_bits = q->bits + 3 - q->head.ref_order;
	q->table_len = len / sizeof(*q->table);
	q->table = malloc(len);
	if (!q->table)
		return disk_bad(err, -ENOMEM, "out of memory");
	ret = file_pread(q->fd, q->table, len, q->head.table_off);
	if (ret)
		return disk_bad(err, ret, "%s: its refcount table cannot be read; is the image cut short?", q->name);
	for (u32 i = 0; i < q->table_len; i++) {
		q->table[i] = be64toh(q->table[i]);
		if (q->table[i])
			q->table_used = i + 1;
	}
	q->table_low = q->table_len;
	return 0;
}

/* Where the block that counts @cluster is: 0 in *@off if there is none. */
static int ref_block(struct qcow2 *q, u64 cluster, u64 *off)
{
	u64 index = cluster >> q->block_bits;

	*off = index < q->table_len ? q->table[index] & ~511ULL : 0;
	if (*off % q->cluster || *off >> q->bits >= q->end)
		return qcow2_is_corrupt(q, "refcount block %llu is at %#llx", (unsigned long long)index,
					(unsigned long long)*off);
	return 0;
}

/* The bytes that count @cluster: NULL, none does. @shift: in a byte, where it is less than one. */
static int ref_place(struct qcow2 *q, u64 cluster, struct meta_page **page, u8 **p, unsigned int *shift)
{
	u64 in_block = cluster & ((1ULL << q->block_bits) - 1), bit = in_block << q->head.ref_order, off;
	int ret = ref_block(q, cluster, &off);

	*p = NULL;
	*shift = bit % 8;
	return ret || !off ? ret : meta_get(&q->meta, off + bit / 8, page, p);
}

static u64 ref_load(const u8 *p, unsigned int order, unsigned int shift)
{
	switch (order) {
	case 3:
		return *p;
	case 4:
		return be16toh(*(const u16 *)p);
	case 5:
		return be32toh(*(const u32 *)p);
	case 6:
		return qcow2_be64(p);
	}
	return *p >> shift & ((1U << (1U << order)) - 1);
}

static void ref_store(u8 *p, unsigned int order, unsigned int shift, u64 val)
{
	u8 mask;

	switch (order) {
	case 3:
		*p = val;
		return;
	case 4:
		*(u16 *)p = htobe16(val);
		return;
	case 5:
		*(u32 *)p = htobe32(val);
		return;
	case 6:
		*(u64 *)p = htobe64(val);
		return;
	}
	mask = ((1U << (1U << order)) - 1) << shift;
	*p = (*p & ~mask) | val << shift;
}

int qcow2_ref_get(struct qcow2 *q, u64 cluster, u64 *val)
{
	struct meta_page *page;
	unsigned int shift;
	u8 *p;
	int ret = ref_place(q, cluster, &page, &p, &shift);

	*val = !ret && p ? ref_load(p, q->head.ref_order, shift) : 0;
	return ret;
}

int qcow2_ref_set(struct qcow2 *q, u64 cluster, u64 val)
{
	struct meta_page *page;
	unsigned int shift;
	u8 *p;
	int ret = ref_place(q, cluster, &page, &p, &shift);

	if (ret)
		return ret;
	if (!p || val > qcow2_ref_max(q))
		return -ERANGE;
	ref_store(p, q->head.ref_order, shift, val);
	meta_dirty(&q->meta, page, META_REF);
	if (!val)
		q->hint = min(q->hint, cluster);
	return 0;
}

/* The first cluster of those from *@cluster on whose count is 0. */
static int ref_scan(struct qcow2 *q, u64 *cluster)
{
	for (;; ++*cluster) {
		struct meta_page *page;
		unsigned int shift, order = q->head.ref_order;
		u8 *p;
		int ret = ref_place(q, *cluster, &page, &p, &shift);

		if (ret || !p)
			return ret;
		/* To the end of the page without looking it up again. */
		for (u8 *end = page->data + q->meta.page; ; ++*cluster) {
			if (!ref_load(p, order, shift))
				return 0;
			shift += 1U << order;
			p += shift / 8;
			shift %= 8;
			if (p >= end)
				break;
		}
	}
}

/* Growing */

/* Make @clusters from @first on the file's, all zeroes. */
static int ref_extend(struct qcow2 *q, u64 first, u64 nr)
{
	if (first + nr > REF_CLUSTERS >> q->bits)
		return -EFBIG;
	if (first + nr <= q->end)
		return 0;
	if (q->device)
		return -ENOSPC;
	/* Nobody writes beyond q->end, so this never makes the file shorter. */
	if ((first + nr) << q->bits > q->length) {
		u64 length = ((first + nr) << q->bits) + REF_STEP;

		if (ftruncate(q->fd, length))
			return -errno;
		q->length = length;
	}
	q->end = first + nr;
	return 0;
}

/* Write a block at @off that counts its first @used clusters as used. */
static int ref_write_block(struct qcow2 *q, u64 off, u64 used)
{
	u8 *buf = calloc(1, q->cluster);
	int ret;

	if (!buf)
		return -ENOMEM;
	for (u64 i = 0; i < used; i++) {
		u64 bit = i << q->head.ref_order;

		ref_store(buf + bit / 8, q->head.ref_order, bit % 8, 1);
	}
	meta_forget(&q->meta, off, q->cluster);
	ret = file_pwrite(q->fd, buf, q->cluster, off);
	free(buf);
	return ret;
}

/* Let the header say where the table is: both fields are in one sector. */
static int ref_switch(struct qcow2 *q, u64 off, u32 clusters)
{
	u8 field[12];
	u64 be_off = htobe64(off);
	u32 be_clusters = htobe32(clusters);
	int ret;

	memcpy(field, &be_off, 8);
	memcpy(field + 8, &be_clusters, 4);
	if (fdatasync(q->fd))
		return -errno;
	ret = file_pwrite(q->fd, field, sizeof(field), 48);
	if (!ret && fdatasync(q->fd))
		ret = -errno;
	return ret;
}

static int ref_write_table(struct qcow2 *q, const u64 *table, u64 len, u64 off)
{
	u64 *be = malloc(len * sizeof(*be));
	int ret;

	if (!be)
		return -ENOMEM;
	for (u64 i = 0; i < len; i++)
		be[i] = htobe64(table[i]);
	ret = file_pwrite(q->fd, be, len * sizeof(*be), off);
	free(be);
	return ret;
}

/*
 * A longer table, beyond all that the old one counts and all that the file has: first
 * the blocks that count what is new there, then the table.
 */
static int ref_grow(struct qcow2 *q, u64 need)
{
	u64 per = 1ULL << q->block_bits, start = max((u64)q->table_len, DIV_ROUND_UP(q->end, per)), blocks = 1;
	u64 entries, clusters, first = start << q->block_bits, *table, old = q->head.table_off >> q->bits;
	u32 old_clusters = q->head.table_clusters;
	struct meta_batch refs;
	int ret;

	for (;; blocks++) {
		entries = max(max(need, start + blocks), (u64)q->table_len + q->table_len / 2);
		clusters = DIV_ROUND_UP(entries * sizeof(u64), q->cluster);
		if (blocks << q->block_bits >= blocks + clusters)
			break;
	}
	entries = (clusters << q->bits) / sizeof(u64);
	if (entries * sizeof(u64) > max(REF_TABLE_GROWN, (u64)q->table_len * 8))
		return -EFBIG;
	table = calloc(entries, sizeof(u64));
	ret = table ? ref_extend(q, first, blocks + clusters) : -ENOMEM;
	if (table)
		memcpy(table, q->table, q->table_len * sizeof(u64));
	for (u64 i = 0; !ret && i < blocks; i++) {
		u64 before = i << q->block_bits, used = blocks + clusters;

		table[start + i] = (first + i) << q->bits;
		ret = ref_write_block(q, table[start + i], min(used - before, per));
	}
	/* Blocks that the new table names are as they are in memory; a commit writes them again. */
	if (!ret)
		ret = meta_take(&q->meta, META_REF, &refs);
	if (!ret) {
		ret = meta_batch_write(&q->meta, &refs);
		meta_batch_done(&q->meta, &refs, META_REF, -EAGAIN);
	}
	if (!ret)
		ret = ref_write_table(q, table, entries, (first + blocks) << q->bits);
	if (!ret)
		ret = ref_switch(q, (first + blocks) << q->bits, clusters);
	if (ret) {
		free(table);
		return ret;
	}
	free(q->table);
	q->table = table;
	q->table_len = entries;
	q->table_used = start + blocks;
	q->table_low = entries;
	q->table_high = 0;
	q->head.table_off = (first + blocks) << q->bits;
	q->head.table_clusters = clusters;
	return qcow2_free_later(q, old, old_clusters);
}

/* Is any of these an L2 table or a refcount block? Not looked for in very large images. */
static bool alloc_is_table(const struct qcow2 *q, u64 first, u32 nr)
{
	u64 start = first << q->bits, end = (first + nr) << q->bits;

	if (q->head.l1_size + q->table_used > ALLOC_LOOKED)
		return false;
	for (u32 i = 0; i < q->head.l1_size; i++) {
		u64 off = q->l1[i] & QCOW2_OFFSET;

		if (off >= start && off < end)
			return true;
	}
	for (u32 i = 0; i < q->table_used; i++)
		if (q->table[i] >= start && q->table[i] < end)
			return true;
	return false;
}

/* Take the range of a refcount block into use. */
static int ref_new_block(struct qcow2 *q, u64 cluster)
{
	u64 index = cluster >> q->block_bits, first = index << q->block_bits;
	int ret;

	if (!index)
		return qcow2_is_corrupt(q, "the header's cluster is not counted");
	if (index >= q->table_len) {
		ret = ref_grow(q, index + 1);
		if (ret || q->table[index])
			return ret;
	}
	if (!qcow2_may_write(q, first << q->bits, q->cluster) || alloc_is_table(q, first, 1))
		return qcow2_is_corrupt(q, "cluster %llu is a table, and not counted", (unsigned long long)first);
	ret = ref_extend(q, first, 1);
	if (!ret)
		ret = ref_write_block(q, first << q->bits, 1);
	if (ret)
		return ret;
	q->table[index] = first << q->bits;
	q->table_used = max(q->table_used, (u32)index + 1);
	q->table_low = min(q->table_low, (u32)index);
	q->table_high = max(q->table_high, (u32)index + 1);
	return 0;
}

/* Allocation */

/* How many of @want clusters from @first on are free and counted by a block that is there. */
static int ref_row(struct qcow2 *q, u64 first, u32 want, u32 *nr)
{
	int ret = 0;

	for (*nr = 0; !ret && *nr < want; ++*nr) {
		u64 val, off;

		ret = ref_block(q, first + *nr, &off);
		if (ret || !off)
			break;
		ret = qcow2_ref_get(q, first + *nr, &val);
		if (ret || val)
			break;
	}
	return ret;
}

int qcow2_alloc(struct qcow2 *q, u32 want, u64 *first, u32 *nr, bool *fresh)
{
	int ret;

	for (;;) {
		*first = q->hint;
		ret = ref_scan(q, first);
		if (!ret)
			ret = ref_row(q, *first, want, nr);
		if (ret)
			return ret;
		q->hint = *first;
		if (*nr)
			break;
		ret = ref_new_block(q, *first);
		if (ret)
			return ret;
	}
	*fresh = *first >= q->end && !q->device;
	if (!*fresh && *first + *nr > q->end)
		*nr = max(q->end, *first + 1) - *first;
	if (!qcow2_may_write(q, *first << q->bits, (u64)*nr << q->bits) || alloc_is_table(q, *first, *nr))
		return qcow2_is_corrupt(q, "cluster %llu is a table, and not counted", (unsigned long long)*first);
	ret = q->prove ? q->prove(q, *first, *nr) : 0;
	if (!ret)
		ret = ref_extend(q, *first, *nr);
	for (u32 i = 0; !ret && i < *nr; i++)
		ret = qcow2_ref_set(q, *first + i, 1);
	if (!ret)
		q->hint = *first + *nr;
	return ret;
}

void qcow2_unalloc(struct qcow2 *q, u64 first, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		qcow2_ref_set(q, first + i, 0);
}

int qcow2_free_later(struct qcow2 *q, u64 first, u64 nr)
{
	struct qcow2_pending *last = q->nr_pending ? &q->pending[q->nr_pending - 1] : NULL;

	if (last && last->first + last->nr == first) {
		last->nr += nr;
		return 0;
	}
	if (q->nr_pending == q->max_pending) {
		unsigned int max = max(64U, q->max_pending * 2);
		struct qcow2_pending *more = reallocarray(q->pending, max, sizeof(*more));

		if (!more)
			return -ENOMEM;		/* they stay in use: a check finds them */
		q->pending = more;
		q->max_pending = max;
	}
	q->pending[q->nr_pending++] = (struct qcow2_pending){ .first = first, .nr = nr };
	return 0;
}

bool qcow2_wants_commit(const struct qcow2 *q)
{
	return meta_is_full(&q->meta) || q->nr_pending > REF_PENDING_MAX;
}

int qcow2_free_compressed(struct qcow2 *q, u64 entry)
{
	u64 off;
	u32 len;

	qcow2_compressed_at(q, entry, &off, &len);
	return qcow2_free_later(q, off >> q->bits, ((off + len - 1) >> q->bits) - (off >> q->bits) + 1);
}

/* All counts anew: blocks and a table behind all that there is. What is counted there is one each. */
int qcow2_ref_replace(struct qcow2 *q, u32 (*count)(const void *arg, u64 cluster), const void *arg)
{
	u64 first = q->end, per = 1ULL << q->block_bits, blocks = 1, clusters = 1, *table;
	u8 *buf;
	int ret;

	for (u64 need = 0; need != blocks + clusters; ) {
		need = blocks + clusters;
		blocks = DIV_ROUND_UP(first + need, per);
		clusters = DIV_ROUND_UP(blocks * sizeof(u64), q->cluster);
	}
	if ((clusters << q->bits) > QCOW2_TABLE_MAX)
		return -EFBIG;
	ret = ref_extend(q, first, blocks + clusters);
	table = calloc(1, clusters << q->bits);
	buf = malloc(q->cluster);
	if (!table || !buf)
		ret = -ENOMEM;
	for (u64 i = 0; !ret && i < blocks; i++) {
		memset(buf, 0, q->cluster);
		for (u64 n = 0; !ret && n < per; n++) {
			u64 cluster = (i << q->block_bits) + n, bit = n << q->head.ref_order;
			u64 val = cluster < first ? count(arg, cluster) : cluster < first + blocks + clusters;

			ret = val > qcow2_ref_max(q) ? -ERANGE : 0;
			ref_store(buf + bit / 8, q->head.ref_order, bit % 8, val);
		}
		table[i] = (first + i) << q->bits;
		if (!ret)
			ret = file_pwrite(q->fd, buf, q->cluster, table[i]);
	}
	free(buf);
	if (!ret)
		ret = ref_write_table(q, table, (clusters << q->bits) / 8, (first + blocks) << q->bits);
	if (!ret)
		ret = ref_switch(q, (first + blocks) << q->bits, clusters);
	if (ret) {
		free(table);
		return ret;
	}
	for (u32 i = 0; i < q->table_len; i++)
		meta_forget(&q->meta, q->table[i] & ~511ULL, q->cluster);
	free(q->table);
	q->table = table;
	q->table_len = q->table_low = (clusters << q->bits) / 8;
	q->table_used = blocks;
	q->table_high = 0;
	q->head.table_off = (first + blocks) << q->bits;
	q->head.table_clusters = clusters;
	return 0;
}
