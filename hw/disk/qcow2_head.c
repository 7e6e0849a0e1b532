// SPDX-License-Identifier: GPL-2.0
/* The header of a qcow2 image: "Header", "Header extensions" of the specification. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "qcow2.h"

#define HEAD_READ	(64 * KIB)	/* and so much of that is looked at */

static u32 be32(const u8 *p)
{
	u32 val;

	memcpy(&val, p, sizeof(val));
	return be32toh(val);
}

static u64 be64(const u8 *p)
{
	u64 val;

	memcpy(&val, p, sizeof(val));
	return be64toh(val);
}

static void head_string(char *to, size_t room, const u8 *from, size_t len)
{
	len = min(len, room - 1);
	memcpy(to, from, len);
	to[len] = '\0';
}

/* "Feature name table": what the lowest incompatible bit that is not known is called. */
static void head_feature_names(struct qcow2_head *h, const u8 *p, u32 len)
{
	u64 unknown = h->incompatible & ~QCOW2_KNOWN;

	for (; len >= 48 && unknown; p += 48, len -= 48)
		if (p[0] == 0 && p[1] < 64 && (1ULL << p[1]) == (unknown & -unknown))
			head_string(h->unknown, sizeof(h->unknown), p + 2, 46);
}

static int head_extension(struct qcow2_head *h, u32 type, const u8 *p, u32 len, const char *file, struct opt_err *err)
{
	switch (type) {
	case QCOW2_EXT_BACKING_FORMAT:
		if (len >= sizeof(h->backing_format))
			return disk_bad(err, -EINVAL, "%s: the name of its backing file's format has %u bytes, at most 15 are sound",
					file, len);
		head_string(h->backing_format, sizeof(h->backing_format), p, len);
		break;
	case QCOW2_EXT_DATA_FILE:
		if (len > QCOW2_NAME_MAX)
			return disk_bad(err, -EINVAL, "%s: the name of its data file has %u bytes, at most 1023 are sound", file, len);
		head_string(h->data_file, sizeof(h->data_file), p, len);
		break;
	case QCOW2_EXT_FEATURES:
		head_feature_names(h, p, len);
		break;
	case QCOW2_EXT_BITMAPS:
		if (len < 24)
			break;
		h->nr_bitmaps = be32(p);
		h->bitmaps_len = be64(p + 8);
		h->bitmaps_off = be64(p + 16);
		break;
	}
	return 0;
}

/* Between the header and the end of its cluster, or the backing file's name in it. */
static int head_extensions(struct qcow2_head *h, const u8 *p, size_t len, const char *file, struct opt_err *err)
{
	size_t off = h->length;

	while (off + 8 <= len) {
		u32 type = be32(p + off), n = be32(p + off + 4);
		int ret;

		if (!type)
			return 0;
		off += 8;
		if (n > len - off)
			return disk_bad(err, -EINVAL, "%s: a header extension is longer than the header's cluster", file);
		ret = head_extension(h, type, p + off, n, file, err);
		if (ret)
			return ret;
		off += ALIGN(n, 8U);
	}
	return 0;
}

static int head_features(const struct qcow2_head *h, const char *file, struct opt_err *err)
{
	u64 unknown = h->incompatible & ~QCOW2_KNOWN;

	if (unknown)
		return disk_bad(err, -ENOTSUP, "%s needs the feature \"%s\" (incompatible bit %d), which lkvm does not know", file,
				*h->unknown ? h->unknown : "without a name", __builtin_ctzll(unknown));
	if (h->crypt)
		return disk_bad(err, -ENOTSUP, "%s is encrypted, which lkvm does not do; \"qemu-img convert\" makes a plain copy", file);
	if (h->incompatible & QCOW2_COMPRESSION || h->compression)
		return disk_bad(err, -ENOTSUP, "%s is compressed by %s, lkvm reads zlib's only; \"qemu-img convert\" unpacks it", file,
				h->compression == 1 ? "zstd" : "something unknown");
	if (h->autoclear & QCOW2_RAW_DATA && (!(h->incompatible & QCOW2_DATA_FILE) || *h->backing))
		return disk_bad(err, -EINVAL, "%s has a raw data file and %s: only one of them is sound", file,
				*h->backing ? "a backing file" : "no data file");
	if (h->incompatible & QCOW2_DATA_FILE && h->nr_snapshots)
		return disk_bad(err, -EINVAL, "%s has a data file and snapshots: only one of them is sound", file);
	return 0;
}

static int head_numbers(const struct qcow2_head *h, const char *file, struct opt_err *err)
{
	u32 cluster = 1U << h->bits;
	unsigned int l2_bits = h->bits - (h->incompatible & QCOW2_EXTENDED ? 4 : 3);
	u64 covered = (u64)h->l1_size << (l2_bits + h->bits);

	if (h->incompatible & QCOW2_EXTENDED && h->bits < 14)
		return disk_bad(err, -EINVAL, "%s has extended L2 entries and clusters of %u bytes, at least 16 KiB are sound", file,
				cluster);
	if (h->ref_order > 6)
		return disk_bad(err, -EINVAL, "%s has reference counts of 2^%u bits, at most 2^6 are sound", file, h->ref_order);
	if (h->size > INT64_MAX || !h->size || h->size % DISK_BLOCK_MIN)
		return disk_bad(err, -EINVAL, "%s has %llu bytes: a disk has a multiple of 512", file, (unsigned long long)h->size);
	if ((u64)h->l1_size * 8 > QCOW2_L1_MAX || h->l1_off % cluster || !h->l1_off || h->l1_off > INT64_MAX - QCOW2_L1_MAX)
		return disk_bad(err, -EINVAL, "%s: its L1 table of %u entries at %#llx is not sound", file, h->l1_size,
				(unsigned long long)h->l1_off);
	if (covered < h->size)
		return disk_bad(err, -EINVAL, "%s: its L1 table of %u entries is too small for %llu bytes", file, h->l1_size,
				(unsigned long long)h->size);
	if (!h->table_clusters || (u64)h->table_clusters * cluster > QCOW2_TABLE_MAX || h->table_off % cluster ||
	    !h->table_off || h->table_off > INT64_MAX - QCOW2_TABLE_MAX)
		return disk_bad(err, -EINVAL, "%s: its refcount table of %u clusters at %#llx is not sound", file,
				h->table_clusters, (unsigned long long)h->table_off);
	if (h->nr_snapshots > QCOW2_SNAPSHOTS_MAX || h->snapshots_off % cluster || h->snapshots_off > INT64_MAX)
		return disk_bad(err, -EINVAL, "%s: its table of %u snapshots at %#llx is not sound", file, h->nr_snapshots,
				(unsigned long long)h->snapshots_off);
	return 0;
}

static int head_parse(struct qcow2_head *h, const u8 *p, size_t len, const char *file, struct opt_err *err)
{
	u64 backing = be64(p + 8);
	u32 backing_len = be32(p + 16);
	int ret;

	h->bits = be32(p + 20);
	if (h->bits < QCOW2_BITS_MIN || h->bits > QCOW2_BITS_MAX)
		return disk_bad(err, -EINVAL, "%s has clusters of 2^%u bytes, 2^9 to 2^21 are sound", file, h->bits);
	h->size = be64(p + 24);
	h->crypt = be32(p + 32);
	h->l1_size = be32(p + 36);
	h->l1_off = be64(p + 40);
	h->table_off = be64(p + 48);
	h->table_clusters = be32(p + 56);
	h->nr_snapshots = be32(p + 60);
	h->snapshots_off = be64(p + 64);
	h->ref_order = 4;
	h->length = QCOW2_V2_LENGTH;
	if (h->version >= 3) {
		h->incompatible = be64(p + 72);
		h->compatible = be64(p + 80);
		h->autoclear = be64(p + 88);
		h->ref_order = be32(p + 96);
		h->length = be32(p + 100);
		if (h->length < QCOW2_V3_LENGTH || h->length % 8 || h->length > 1U << h->bits)
			return disk_bad(err, -EINVAL, "%s has a header of %u bytes, which is not sound", file, h->length);
		h->compression = h->length > 104 ? p[104] : 0;
	}
	len = min(len, (size_t)1 << h->bits);
	if (backing) {
		if (backing_len > QCOW2_NAME_MAX || !backing_len || backing > len || backing_len > len - backing)
			return disk_bad(err, -EINVAL, "%s: the name of its backing file is not in the header's cluster", file);
		head_string(h->backing, sizeof(h->backing), p + backing, backing_len);
		len = min(len, (size_t)max(backing, (u64)h->length));
	}
	ret = head_extensions(h, p, len, file, err);
	if (!ret)
		ret = head_features(h, file, err);
	return ret ? ret : head_numbers(h, file, err);
}

int qcow2_head_read(struct qcow2_head *h, int fd, const char *file, struct opt_err *err)
{
	static const size_t most = HEAD_READ;
	u8 buf[HEAD_READ] = { 0 };
	size_t len = 0;
	ssize_t n = 1;

	memset(h, 0, sizeof(*h));
	while (len < most && n) {
		n = pread(fd, buf + len, most - len, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return disk_bad(err, -errno, "%s: %s", file, strerror(errno));
		len += n;
	}
	if (len < QCOW2_V2_LENGTH || be32(buf) != QCOW2_MAGIC)
		return disk_bad(err, -EINVAL, "%s is no qcow2 image; format=raw takes it as it is", file);
	h->version = be32(buf + 4);
	if (h->version != 2 && h->version != 3)
		return disk_bad(err, -ENOTSUP, "%s is a qcow2 image of version %u, lkvm knows 2 and 3", file, h->version);
	return head_parse(h, buf, len, file, err);
}

int qcow2_head_set(int fd, unsigned int offset, u64 features)
{
	u64 val = htobe64(features);
	int ret = file_pwrite(fd, &val, sizeof(val), offset);

	if (!ret && fdatasync(fd))
		ret = -errno;
	return ret;
}

/* What the header says about places */

static bool head_overlaps(u64 off, u64 len, u64 start, u64 bytes)
{
	return off < start + bytes && start < off + len;
}

bool qcow2_may_write(const struct qcow2 *q, u64 off, u64 len)
{
	const struct qcow2_head *h = &q->head;

	len = len ? len : 1;
	return off >= q->cluster && !head_overlaps(off, len, h->l1_off, (u64)h->l1_size * 8) &&
	       !head_overlaps(off, len, h->table_off, (u64)h->table_clusters << q->bits) &&
	       !(h->nr_snapshots && head_overlaps(off, len, h->snapshots_off, q->cluster));
}

void qcow2_compressed_at(const struct qcow2 *q, u64 entry, u64 *off, u32 *len)
{
	unsigned int bits = 62 - (q->bits - 8);
	u64 sectors;

	*off = entry & ((1ULL << bits) - 1);
	sectors = (entry >> bits & ((1ULL << (q->bits - 8)) - 1)) + 1;
	*len = sectors * 512 - (*off & 511);
}

int qcow2_is_corrupt(struct qcow2 *q, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_limited(&q->limit, LOG_ERROR, "%s is corrupt: %s; see 'lkvm disk check'", q->name, text);
	if (!q->corrupt && !q->disk.ro && q->head.version >= 3)
		qcow2_head_set(q->fd, QCOW2_AT_INCOMPATIBLE, q->head.incompatible |= QCOW2_CORRUPT);
	q->corrupt = true;
	return -EIO;
}

int qcow2_mark(struct qcow2 *q)
{
	struct qcow2_head *h = &q->head;
	int ret = 0;

	if (q->corrupt)
		return -EIO;
	if (q->marked)
		return 0;
	if (h->autoclear & ~QCOW2_RAW_DATA) {
		h->autoclear &= QCOW2_RAW_DATA;
		ret = qcow2_head_set(q->fd, QCOW2_AT_AUTOCLEAR, h->autoclear);
	}
	if (!ret && h->compatible & QCOW2_LAZY && !(h->incompatible & QCOW2_DIRTY))
		ret = qcow2_head_set(q->fd, QCOW2_AT_INCOMPATIBLE, h->incompatible |= QCOW2_DIRTY);
	q->marked = !ret;
	return ret;
}
