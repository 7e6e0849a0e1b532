// SPDX-License-Identifier: GPL-2.0
/*
 * Where the guest's clusters are: "Cluster mapping" and "Extended L2 Entries" of the
 * specification. Whatever an entry says is checked when it is used.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "qcow2.h"

int qcow2_l1_open(struct qcow2 *q, u64 off, u32 size, struct opt_err *err)
{
	int ret;

	q->l1 = malloc(max((size_t)size, (size_t)1) * sizeof(*q->l1));
	if (!q->l1)
		return disk_bad(err, -ENOMEM, "out of memory");
	ret = file_pread(q->fd, q->l1, size * sizeof(*q->l1), off);
	if (ret)
		return disk_bad(err, ret, "%s: its L1 table cannot be read; is the image cut short?", q->name);
	for (u32 i = 0; i < size; i++)
		q->l1[i] = be64toh(q->l1[i]);
	q->l1_low = size;
	return 0;
}

static u32 map_l1_index(const struct qcow2 *q, u64 off)
{
	return off >> (q->bits + q->l2_bits);
}

/* The entry of @off: *@p is NULL if there is no table. */
static int map_entry(struct qcow2 *q, u64 off, struct meta_page **page, u8 **p)
{
	u64 table = q->l1[map_l1_index(q, off)] & QCOW2_OFFSET;
	u64 index = off >> q->bits & ((1ULL << q->l2_bits) - 1);

	*p = NULL;
	if (!table)
		return 0;
	if (table % q->cluster || table >> q->bits >= q->end || !qcow2_may_write(q, table, q->cluster))
		return qcow2_is_corrupt(q, "an L2 table is at %#llx", (unsigned long long)table);
	return meta_get(&q->meta, table + index * q->entry, page, p);
}

/* Of one cluster, or of one subcluster, by its entry. */
static enum qcow2_kind map_kind(const struct qcow2 *q, u64 entry, u64 subs, u64 off)
{
	unsigned int sub = (off & (q->cluster - 1)) / q->sub;

	if (entry & QCOW2_COMPRESSED)
		return QCOW2_IS_COMPRESSED;
	if (q->extended)
		return subs >> sub & 1 ? QCOW2_IS_DATA : subs >> (sub + 32) & 1 ? QCOW2_IS_ZERO : QCOW2_IS_NOWHERE;
	if (entry & QCOW2_ZERO && q->head.version >= 3)
		return QCOW2_IS_ZERO;
	return entry & QCOW2_OFFSET || (entry & QCOW2_COPIED && q->data != q->file) ? QCOW2_IS_DATA : QCOW2_IS_NOWHERE;
}

/* May data be where this entry says? */
static int map_check(struct qcow2 *q, u64 entry, u64 subs, u64 off)
{
	u64 host = entry & QCOW2_OFFSET;

	if (entry & QCOW2_COMPRESSED) {
		u64 at;
		u32 len;

		qcow2_compressed_at(q, entry, &at, &len);
		if (q->data == q->file && at >> q->bits < q->end && at >= q->cluster)
			return 0;
		return qcow2_is_corrupt(q, "compressed data of %#llx is at %#llx", (unsigned long long)off, (unsigned long long)at);
	}
	if (q->extended && (subs & subs >> 32 & 0xffffffff))
		return qcow2_is_corrupt(q, "subclusters of %#llx are allocated and zeroes", (unsigned long long)off);
	if (q->data != q->file) {
		if (host == (off & ~(u64)(q->cluster - 1)))
			return 0;
	} else if (host && host % q->cluster == 0 && host >> q->bits < q->end && qcow2_may_write(q, host, q->cluster)) {
		return 0;
	}
	return qcow2_is_corrupt(q, "data of %#llx is at %#llx", (unsigned long long)off, (unsigned long long)host);
}

static void map_load(const struct qcow2 *q, const u8 *p, u64 *entry, u64 *subs)
{
	*entry = p ? qcow2_be64(p) : 0;
	*subs = p && q->extended ? qcow2_be64(p + 8) : 0;
}

int qcow2_map_get(struct qcow2 *q, u64 off, u64 len, struct qcow2_map *m)
{
	struct meta_page *page = NULL;
	u8 *p, *end;
	u64 entry, subs, at = off, more = off + len;
	int ret = map_entry(q, off, &page, &p);

	if (ret)
		return ret;
	map_load(q, p, &m->entry, &m->subs);
	m->kind = map_kind(q, m->entry, m->subs, off);
	m->host = (m->entry & QCOW2_OFFSET) + (off & (q->cluster - 1));
	if (m->kind == QCOW2_IS_DATA || m->kind == QCOW2_IS_COMPRESSED)
		ret = map_check(q, m->entry, m->subs, off);
	if (ret)
		return ret;
	m->own = m->kind == QCOW2_IS_DATA && m->entry & QCOW2_COPIED;
	if (!p) {	/* to where the next table begins */
		u64 covers = (u64)1 << (q->bits + q->l2_bits);

		m->len = min(len, covers - (off & (covers - 1)));
		return 0;
	}
	end = page->data + q->meta.page;
	for (;;) {
		at = (at & ~(u64)(q->sub - 1)) + q->sub;
		if (at >= more || m->kind == QCOW2_IS_COMPRESSED)
			break;
		if (!(at & (q->cluster - 1))) {
			p += q->entry;
			if (p == end)
				break;
		}
		map_load(q, p, &entry, &subs);
		if (map_kind(q, entry, subs, at) != m->kind)
			break;
		if (m->kind != QCOW2_IS_DATA)
			continue;
		if ((entry & QCOW2_OFFSET) + (at & (q->cluster - 1)) != m->host + (at - off) ||
		    !(entry & QCOW2_COPIED) != !m->own)
			break;
		ret = at & (q->cluster - 1) ? 0 : map_check(q, entry, subs, at);
		if (ret)
			return ret;
	}
	if (m->kind == QCOW2_IS_COMPRESSED)
		at = (off & ~(u64)(q->cluster - 1)) + q->cluster;
	m->len = min(len, at - off);
	return 0;
}

/* A new table in place of @from, or of none: a copy, or zeroes. */
static int map_new_table(struct qcow2 *q, u64 from, u64 *off)
{
	u64 first;
	u32 nr;
	bool fresh;
	u8 *buf = calloc(1, q->cluster);
	int ret = buf ? qcow2_alloc(q, 1, &first, &nr, &fresh) : -ENOMEM;

	if (ret) {
		free(buf);
		return ret;
	}
	*off = first << q->bits;
	meta_forget(&q->meta, *off, q->cluster);
	/* A table that others share was not changed since it is shared: the file has it. */
	ret = from ? file_pread(q->fd, buf, q->cluster, from) : 0;
	if (!ret)
		ret = file_pwrite(q->fd, buf, q->cluster, *off);
	free(buf);
	if (ret)
		qcow2_unalloc(q, first, 1);
	return ret;
}

int qcow2_map_prepare(struct qcow2 *q, u64 off)
{
	u32 index = map_l1_index(q, off);
	u64 old = q->l1[index] & QCOW2_OFFSET, table = 0;
	int ret;

	if (old && q->l1[index] & QCOW2_COPIED)
		return 0;
	ret = map_new_table(q, old, &table);
	if (!ret && old)
		ret = qcow2_free_later(q, old >> q->bits, 1);
	if (ret)
		return ret;
	q->l1[index] = table | QCOW2_COPIED;
	q->l1_low = min(q->l1_low, index);
	q->l1_high = max(q->l1_high, index + 1);
	return 0;
}

int qcow2_map_set(struct qcow2 *q, u64 off, u64 entry, u64 subs)
{
	struct meta_page *page;
	u8 *p;
	int ret = map_entry(q, off, &page, &p);

	if (!ret && !p)
		ret = -EIO;
	if (ret)
		return ret;
	*(u64 *)p = htobe64(entry);
	if (q->extended)
		*(u64 *)(p + 8) = htobe64(subs);
	meta_dirty(&q->meta, page, META_L2);
	return 0;
}
