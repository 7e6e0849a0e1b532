// SPDX-License-Identifier: GPL-2.0
/*
 * All references of a qcow2 image, counted anew, against its reference counts; and
 * repair: counts become what was counted. Nothing that the guest wrote is thrown away.
 * The image is open, and nobody uses it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/image.h>

#include "qcow2.h"

#define CHUNK		65536		/* clusters whose counts are allocated at a time */
#define CHUNKS_MAX	(1U << 26)	/* a sparse file may pretend to be of any length */
#define SAID_MAX	50		/* complaints that are told one by one */

struct chunk {
	u32 count[CHUNK];
	u16 seen[CHUNK];		/* the last L1 table by which it was reached */
};

/* Enough for a bitmap of a pebibyte, and read in a second: a sparse file may pretend any number. */
#define CHECK_BITMAP_ENTRIES	(1U << 20)

struct check {
	struct qcow2 *q;
	struct image_check *out;
	struct chunk **chunk;
	u64 nr;				/* chunks */
	u16 walk;			/* L1 tables so far */
	u32 bitmap_entries;		/* of all tables of bitmaps so far */
	bool rebuild;			/* the blocks themselves are not sound */
	unsigned int said;
	u64 *l2;			/* a table, as it is in the file */
};

static void check_say(struct check *c, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (!c->out->say || c->said++ > SAID_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->out->say(c->out->arg, c->said > SAID_MAX ? "and more" : text);
}

static struct chunk *check_chunk(struct check *c, u64 cluster)
{
	struct chunk **p = &c->chunk[cluster / CHUNK];

	if (!*p)
		*p = calloc(1, sizeof(**p));
	return *p;
}

static u32 check_count(const struct check *c, u64 cluster)
{
	const struct chunk *chunk = cluster / CHUNK < c->nr ? c->chunk[cluster / CHUNK] : NULL;

	return chunk ? chunk->count[cluster % CHUNK] : 0;
}

/* One reference more for all clusters of [off, off + len): 0, 1 if that is nowhere, -ENOMEM. */
static int check_add(struct check *c, u64 off, u64 len, const char *what)
{
	u64 first = off >> c->q->bits, last = (off + len - 1) >> c->q->bits;

	if (!len)
		return 0;
	if (off + len < off || last >= c->q->end) {
		check_say(c, "%s at %#llx is beyond the end of the file", what, (unsigned long long)off);
		c->out->errors++;
		return 1;
	}
	for (u64 i = first; i <= last; i++) {
		struct chunk *chunk = check_chunk(c, i);

		if (!chunk)
			return -ENOMEM;
		if (chunk->count[i % CHUNK] < ~0U)
			chunk->count[i % CHUNK]++;
	}
	return 0;
}

static int check_aligned(struct check *c, u64 off, u64 len, const char *what)
{
	if (off % c->q->cluster == 0 && off)
		return check_add(c, off, len, what);
	check_say(c, "%s is at %#llx", what, (unsigned long long)off);
	c->out->errors++;
	return 1;
}

/* A table that is read: all of it is in the file. The last cluster of data need not be. */
static int check_table(struct check *c, u64 off, u64 len, const char *what)
{
	int ret = check_aligned(c, off, len, what);

	if (ret || off + len <= c->q->length)
		return ret;
	check_say(c, "%s at %#llx is cut short by the end of the file", what, (unsigned long long)off);
	c->out->errors++;
	return 1;
}

static int check_entry(struct check *c, u64 entry, u64 at)
{
	struct qcow2 *q = c->q;
	u64 off;
	u32 len;
	int ret;

	if (entry & QCOW2_COMPRESSED) {
		if (q->data != q->file) {
			check_say(c, "there is a compressed cluster at %#llx, and a data file", (unsigned long long)at);
			c->out->errors++;
			return 0;
		}
		qcow2_compressed_at(q, entry, &off, &len);
		len = min((u64)len, off < q->end << q->bits ? (q->end << q->bits) - off : 1);
		ret = check_add(c, off, len, "a compressed cluster");
	} else if (q->data != q->file) {
		return 0;
	} else {
		off = entry & QCOW2_OFFSET;
		if (!off)
			return 0;
		ret = check_aligned(c, off, q->cluster, "a cluster of data");
	}
	return ret < 0 ? ret : 0;
}

static int check_l2(struct check *c, u64 table, u64 at)
{
	struct qcow2 *q = c->q;
	int ret = file_pread(q->fd, c->l2, q->cluster, table);

	for (u32 i = 0; !ret && i < q->cluster / q->entry; i++)
		ret = check_entry(c, be64toh(c->l2[i * (q->entry / 8)]), at + ((u64)i << q->bits));
	return ret;
}

static int check_l1(struct check *c, const u64 *l1, u32 size)
{
	struct qcow2 *q = c->q;

	c->walk++;
	for (u32 i = 0; i < size; i++) {
		u64 table = l1[i] & QCOW2_OFFSET, at = (u64)i << (q->bits + q->l2_bits);
		struct chunk *chunk;
		int ret;

		if (!table)
			continue;
		ret = check_table(c, table, q->cluster, "an L2 table");
		if (ret < 0)
			return ret;
		if (ret)
			continue;
		chunk = check_chunk(c, table >> q->bits);
		if (chunk->seen[(table >> q->bits) % CHUNK] == c->walk) {
			check_say(c, "the L2 table at %#llx is there twice", (unsigned long long)table);
			c->out->errors++;
			continue;
		}
		chunk->seen[(table >> q->bits) % CHUNK] = c->walk;
		ret = check_l2(c, table, at);
		if (ret)
			return ret;
	}
	return 0;
}

static int check_snapshot_l1(struct check *c, const struct image_snapshot *s)
{
	size_t len = s->l1_size * sizeof(u64);
	u64 *l1;
	int ret = check_table(c, s->l1_off, len, "the L1 table of a snapshot");

	if (ret)
		return ret < 0 ? ret : 0;
	l1 = malloc(len + 1);
	ret = l1 ? file_pread(c->q->fd, l1, len, s->l1_off) : -ENOMEM;
	for (u32 i = 0; !ret && i < s->l1_size; i++)
		l1[i] = be64toh(l1[i]);
	if (!ret)
		ret = check_l1(c, l1, s->l1_size);
	free(l1);
	return ret;
}

static int check_snapshots(struct check *c)
{
	struct image_snapshot *s;
	u64 len;
	u32 nr = c->q->head.nr_snapshots;
	int ret = qcow2_snapshots(c->q, &s, &len);

	if (ret == -EINVAL || ret == -EIO) {
		check_say(c, "the table of snapshots is not sound");
		c->out->errors++;
		return 0;
	}
	if (!ret && nr)
		ret = check_aligned(c, c->q->head.snapshots_off, len, "the table of snapshots");
	for (u32 i = 0; ret >= 0 && i < nr; i++)
		ret = check_snapshot_l1(c, &s[i]);
	free(s);
	return ret < 0 ? ret : 0;
}

/* "Bitmap table" */
static int check_bitmap(struct check *c, u64 table, u32 size)
{
	int ret = check_table(c, table, size * 8ULL, "the table of a bitmap");

	for (u32 i = 0; !ret && i < size; i++) {
		u64 entry;

		ret = file_pread(c->q->fd, &entry, sizeof(entry), table + i * 8ULL);
		entry = be64toh(entry) & QCOW2_OFFSET;
		if (!ret && entry)
			ret = check_aligned(c, entry, c->q->cluster, "data of a bitmap");
	}
	return ret < 0 ? ret : 0;
}

/* "Bitmap directory": bitmaps that are up to date are somebody's. */
static int check_bitmaps(struct check *c)
{
	const struct qcow2_head *h = &c->q->head;
	u64 off = h->bitmaps_off, end = off + h->bitmaps_len;
	int ret = 0;

	c->bitmap_entries = 0;
	if (!(h->autoclear & QCOW2_BITMAPS) || !h->nr_bitmaps)
		return 0;
	if (end < off || h->bitmaps_len > 64 * MIB) {
		check_say(c, "the directory of bitmaps is not sound");
		c->out->errors++;
		return 0;
	}
	ret = check_table(c, off, h->bitmaps_len, "the directory of bitmaps");
	for (u32 i = 0; !ret && i < h->nr_bitmaps && off + 24 <= end; i++) {
		u8 e[24];
		u32 size, extra;
		u16 name;
		u64 table;

		ret = file_pread(c->q->fd, e, sizeof(e), off);
		if (ret)
			break;
		memcpy(&table, e, 8);
		memcpy(&size, e + 8, 4);
		memcpy(&name, e + 18, 2);
		memcpy(&extra, e + 20, 4);
		if (be32toh(size) > CHECK_BITMAP_ENTRIES - c->bitmap_entries) {
			check_say(c, "the tables of the bitmaps have more than %u entries", CHECK_BITMAP_ENTRIES);
			c->out->errors++;
			break;
		}
		c->bitmap_entries += be32toh(size);
		ret = check_bitmap(c, be64toh(table), be32toh(size));
		off += ALIGN(24ULL + be16toh(name) + be32toh(extra), 8);
	}
	return ret < 0 ? ret : 0;
}

static int check_tables(struct check *c, bool refs)
{
	struct qcow2 *q = c->q;
	int ret = check_add(c, 0, q->cluster, "the header");

	if (!ret && refs)
		ret = check_add(c, q->head.table_off, (u64)q->head.table_clusters << q->bits, "the refcount table");
	for (u32 i = 0; refs && ret >= 0 && i < q->table_len; i++) {
		if (!q->table[i])
			continue;
		ret = check_table(c, q->table[i], q->cluster, "a refcount block");
		if (ret > 0) {
			c->rebuild = true;
			q->table[i] = 0;	/* for the rest of the check: nothing is counted there */
		}
	}
	if (ret < 0)
		return ret;
	ret = q->head.l1_size ? check_add(c, q->head.l1_off, q->head.l1_size * 8ULL, "the L1 table") : 0;
	return ret < 0 ? ret : 0;
}

/* Bit 63 says that the count is one: of the L2 tables, and of what they refer to. */
static int check_copied_l2(struct check *c, u64 table, u64 at)
{
	struct qcow2 *q = c->q;
	int ret = 0;

	for (u32 i = 0; !ret && i < q->cluster / q->entry; i++) {
		struct meta_page *page;
		u8 *p;
		u64 entry, off, want;

		ret = meta_get(&q->meta, table + i * q->entry, &page, &p);
		if (ret)
			break;
		entry = qcow2_be64(p);
		off = entry & QCOW2_OFFSET;
		want = q->data != q->file ? entry & QCOW2_COPIED : check_count(c, off >> q->bits) == 1 ? QCOW2_COPIED : 0;
		if (entry & QCOW2_COMPRESSED)
			want = 0;
		else if (!off && q->data == q->file)
			continue;
		if ((entry & QCOW2_COPIED) == want)
			continue;
		check_say(c, "the entry of %#llx is wrong about its count", (unsigned long long)(at + ((u64)i << q->bits)));
		c->out->errors++;
		if (!c->out->repair)
			continue;
		*(u64 *)p = htobe64((entry & ~QCOW2_COPIED) | want);
		meta_dirty(&q->meta, page, META_L2);
		c->out->fixed++;
		if (meta_is_full(&q->meta))
			ret = qcow2_commit(q);
	}
	return ret;
}

static int check_copied(struct check *c)
{
	struct qcow2 *q = c->q;
	int ret = 0;

	c->walk++;
	for (u32 i = 0; !ret && i < q->head.l1_size; i++) {
		u64 table = q->l1[i] & QCOW2_OFFSET, want;
		struct chunk *chunk;

		if (!table || table % q->cluster || table + q->cluster > q->length)
			continue;
		chunk = check_chunk(c, table >> q->bits);
		if (!chunk)
			return -ENOMEM;
		if (chunk->seen[(table >> q->bits) % CHUNK] == c->walk)
			continue;
		chunk->seen[(table >> q->bits) % CHUNK] = c->walk;
		want = chunk->count[(table >> q->bits) % CHUNK] == 1 ? QCOW2_COPIED : 0;
		if ((q->l1[i] & QCOW2_COPIED) != want) {
			check_say(c, "the L1 entry of the table at %#llx is wrong about its count", (unsigned long long)table);
			c->out->errors++;
			if (c->out->repair) {
				q->l1[i] = table | want;
				q->l1_low = min(q->l1_low, i);
				q->l1_high = max(q->l1_high, i + 1);
				c->out->fixed++;
			}
		}
		ret = check_copied_l2(c, table, (u64)i << (q->bits + q->l2_bits));
	}
	return ret;
}

/* One cluster: its count in the image against what was counted. */
static int check_compare_one(struct check *c, u64 cluster)
{
	u64 have, want = check_count(c, cluster);
	int ret = qcow2_ref_get(c->q, cluster, &have);

	if (ret == -EIO)
		return ret;
	if (have == want)
		return 0;
	if (have > want)
		c->out->leaks++;
	else
		c->out->errors++;
	check_say(c, "cluster %llu is counted %llu times, referred to %llu times", (unsigned long long)cluster,
		  (unsigned long long)have, (unsigned long long)want);
	if (!c->out->repair || c->rebuild)
		return 0;
	ret = qcow2_ref_set(c->q, cluster, want);
	if (ret == -ERANGE) {
		c->rebuild = true;	/* no block counts it */
		return 0;
	}
	c->out->fixed += !ret;
	if (!ret && meta_is_full(&c->q->meta))
		ret = qcow2_commit(c->q);
	return ret;
}

/* After the walk: a block that is something else, too, is not written. */
static void check_blocks(struct check *c)
{
	const struct qcow2 *q = c->q;

	for (u32 i = 0; i < q->table_used; i++) {
		if (!q->table[i] || check_count(c, q->table[i] >> q->bits) <= 1)
			continue;
		check_say(c, "a refcount block is something else, too, at %#llx", (unsigned long long)q->table[i]);
		c->out->errors++;
		c->rebuild = true;
	}
}

static int check_compare(struct check *c)
{
	struct qcow2 *q = c->q;
	u64 per = 1ULL << q->block_bits;
	int ret = 0;

	for (u64 at = 0; !ret && at < q->end; at++) {
		u64 index = at >> q->block_bits;

		/* Neither counted nor referred to: on to what may be. */
		if ((index >= q->table_len || !q->table[index]) && !c->chunk[at / CHUNK]) {
			at |= min((u64)CHUNK, per) - 1;
			continue;
		}
		ret = check_compare_one(c, at);
	}
	return ret;
}

static u32 check_count_of(const void *arg, u64 cluster)
{
	return check_count(arg, cluster);
}

static void check_forget(struct check *c)
{
	for (u64 i = 0; i < c->nr; i++) {
		free(c->chunk[i]);
		c->chunk[i] = NULL;
	}
}

/* All but the counts themselves, where they are replaced. */
static int check_walk(struct check *c, bool tables)
{
	struct qcow2 *q = c->q;
	int ret = check_tables(c, tables);

	if (!ret)
		ret = check_l1(c, q->l1, q->head.l1_size);
	if (!ret)
		ret = check_snapshots(c);
	return ret ? ret : check_bitmaps(c);
}

/* Blocks that are not sound, or missing: new ones, and a new table, behind all that there is. */
static int check_rebuild(struct check *c)
{
	struct image_check quiet = { .repair = true }, *out = c->out;
	int ret;

	check_forget(c);
	c->out = &quiet;
	ret = check_walk(c, false);
	c->out = out;
	if (!ret)
		ret = qcow2_ref_replace(c->q, check_count_of, c);
	if (!ret)
		out->fixed++;
	return ret;
}

static int check_all(struct check *c)
{
	struct qcow2 *q = c->q;
	bool repair = c->out->repair;
	int ret = check_walk(c, true);

	if (!ret) {
		check_blocks(c);
		ret = check_compare(c);
	}
	if (!ret && c->rebuild && repair)
		ret = check_rebuild(c);
	if (!ret)
		ret = check_copied(c);
	if (ret || !repair)
		return ret;
	q->closing = true;
	ret = qcow2_commit(q);
	q->closing = false;
	return ret;
}

int qcow2_check(struct qcow2 *q, struct image_check *out)
{
	struct check c = { .q = q, .out = out, .nr = q->end / CHUNK + 1 };
	int ret;

	out->errors = out->leaks = out->fixed = 0;
	if (c.nr > CHUNKS_MAX)
		return -EFBIG;
	c.chunk = calloc(c.nr, sizeof(*c.chunk));
	c.l2 = malloc(q->cluster);
	ret = c.chunk && c.l2 ? check_all(&c) : -ENOMEM;
	if (c.chunk)
		check_forget(&c);
	free(c.chunk);
	free(c.l2);
	return ret;
}

/* Proof of an allocation */

static bool prove_l2(struct qcow2 *q, const u64 *l2, u64 off, u64 end)
{
	for (u32 i = 0; i < q->cluster / 8; i += q->entry / 8) {
		u64 entry = be64toh(l2[i]), at = entry & QCOW2_OFFSET;
		u32 len = q->cluster;

		if (entry & QCOW2_COMPRESSED)
			qcow2_compressed_at(q, entry, &at, &len);
		if (at && at < end && off < at + len)
			return false;
	}
	return true;
}

/* One L2 table, as it is in the file and as it is in memory. */
static int prove_table(struct qcow2 *q, u64 table, u64 *l2, u64 off, u64 end)
{
	int ret = file_pread(q->fd, l2, q->cluster, table);

	if (!ret && !prove_l2(q, l2, off, end))
		return -EEXIST;
	for (u32 i = 0; !ret && i < q->cluster; i += q->meta.page) {
		struct meta_page *page;
		u8 *p;

		ret = meta_get(&q->meta, table + i, &page, &p);
		if (!ret)
			memcpy((u8 *)l2 + i, p, q->meta.page);
	}
	return ret || prove_l2(q, l2, off, end) ? ret : -EEXIST;
}

int qcow2_prove(struct qcow2 *q, u64 first, u32 nr)
{
	u64 off = first << q->bits, end = off + ((u64)nr << q->bits), *l2 = q->data == q->file ? malloc(q->cluster) : NULL;
	int ret = l2 || q->data != q->file ? 0 : -ENOMEM;

	if (!ret && !qcow2_may_write(q, off, end - off))
		ret = -EEXIST;
	for (u32 i = 0; !ret && i < nr; i++) {
		u64 val;

		ret = qcow2_ref_get(q, first + i, &val);
		if (!ret && val)
			ret = -EEXIST;
	}
	for (u32 i = 0; !ret && i < q->table_len; i++)
		if (q->table[i] && q->table[i] < end && off < q->table[i] + q->cluster)
			ret = -EEXIST;
	for (unsigned int i = 0; !ret && i < q->nr_pending; i++)
		if (first < q->pending[i].first + q->pending[i].nr && q->pending[i].first < first + nr)
			ret = -EEXIST;
	for (u32 i = 0; !ret && i < q->head.l1_size; i++) {
		u64 table = q->l1[i] & QCOW2_OFFSET;

		if (!table)
			continue;
		if (table < end && off < table + q->cluster)
			ret = -EEXIST;
		else if (l2)
			ret = prove_table(q, table, l2, off, end);
	}
	free(l2);
	return ret == -EEXIST ? qcow2_is_corrupt(q, "cluster %llu is free, and in use", (unsigned long long)first) : ret;
}
