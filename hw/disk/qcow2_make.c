// SPDX-License-Identifier: GPL-2.0
/*
 * A new qcow2 image: the header, the refcount table, its blocks, and an L1 table, one
 * behind the other. Nothing of the guest's is there yet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/image.h>

#include "qcow2.h"

struct layout {
	u32 cluster;
	unsigned int bits, order;
	u64 table, blocks, l1, l1_size;		/* clusters; entries */
	u64 all;				/* clusters of the file */
};

static int make_layout(struct layout *l, const struct image_create *c, struct opt_err *err)
{
	u64 per, l2;

	l->cluster = c->cluster ? c->cluster : 64 * KIB;
	l->bits = __builtin_ctz(l->cluster);
	l->order = __builtin_ctz(c->refcount_bits ? c->refcount_bits : 16);
	l2 = l->cluster / (c->extended ? 16 : 8);
	l->l1_size = DIV_ROUND_UP(DIV_ROUND_UP(c->size, l->cluster), l2);
	if (l->l1_size * 8 > QCOW2_L1_MAX)
		return disk_bad(err, -EFBIG, "%llu bytes are too many for clusters of %u bytes: larger clusters have room for more",
				(unsigned long long)c->size, l->cluster);
	l->l1 = DIV_ROUND_UP(l->l1_size * 8, l->cluster);
	per = (u64)l->cluster * 8 >> l->order;
	l->table = l->blocks = 1;
	for (l->all = 0; l->all != 1 + l->table + l->blocks + l->l1; ) {
		l->all = 1 + l->table + l->blocks + l->l1;
		l->blocks = DIV_ROUND_UP(l->all, per);
		l->table = DIV_ROUND_UP(l->blocks * 8, l->cluster);
	}
	return 0;
}

static void put(u8 *p, u64 val, unsigned int len)
{
	while (len--) {
		p[len] = val;
		val >>= 8;
	}
}

/* @at, and behind it a header extension. */
static size_t make_extension(u8 *buf, size_t room, size_t at, u32 type, const void *data, size_t len)
{
	if (at + 8 + ALIGN(len, 8) <= room) {
		put(buf + at, type, 4);
		put(buf + at + 4, len, 4);
		memcpy(buf + at + 8, data, len);
	}
	return at + 8 + ALIGN(len, 8);
}

static int make_header(u8 *buf, const struct layout *l, const struct image_create *c, struct opt_err *err)
{
	bool v3 = c->version != 2;
	const char *format = disk_formats[c->backing_format];
	size_t at = v3 ? 112 : QCOW2_V2_LENGTH, len = c->backing ? strlen(c->backing) : 0;

	put(buf, QCOW2_MAGIC, 4);
	put(buf + 4, v3 ? 3 : 2, 4);
	put(buf + 20, l->bits, 4);
	put(buf + 24, c->size, 8);
	put(buf + 36, l->l1_size, 4);
	put(buf + 40, (1 + l->table + l->blocks) << l->bits, 8);
	put(buf + 48, l->cluster, 8);
	put(buf + 56, l->table, 4);
	if (v3) {
		put(buf + 72, (c->data_file ? QCOW2_DATA_FILE : 0) | (c->extended ? QCOW2_EXTENDED : 0), 8);
		put(buf + 80, c->lazy ? QCOW2_LAZY : 0, 8);
		put(buf + 96, l->order, 4);
		put(buf + 100, 112, 4);
	}
	if (len)
		at = make_extension(buf, l->cluster, at, QCOW2_EXT_BACKING_FORMAT, format, strlen(format));
	if (c->data_file)
		at = make_extension(buf, l->cluster, at, QCOW2_EXT_DATA_FILE, c->data_file, strlen(c->data_file));
	at += 8;	/* the end of the extensions */
	if (at + len > l->cluster || len > QCOW2_NAME_MAX)
		return disk_bad(err, -ENAMETOOLONG, "the names do not fit into the header of a cluster of %u bytes", l->cluster);
	if (len) {
		memcpy(buf + at, c->backing, len);
		put(buf + 8, at, 8);
		put(buf + 16, len, 4);
	}
	return 0;
}

static int make_tables(int fd, const struct layout *l, u8 *buf)
{
	u64 per = (u64)l->cluster * 8 >> l->order;
	int ret = 0;

	for (u64 i = 0; !ret && i < l->blocks; i++) {
		u8 entry[8];

		put(entry, (1 + l->table + i) << l->bits, 8);
		ret = file_pwrite(fd, entry, sizeof(entry), l->cluster + i * 8);
		memset(buf, 0, l->cluster);
		for (u64 n = 0; n < per && i * per + n < l->all; n++) {
			u64 bit = n << l->order;

			if (l->order < 3)
				buf[bit / 8] |= 1 << bit % 8;
			else	/* big-endian: the last byte of the entry */
				buf[bit / 8 + (1U << (l->order - 3)) - 1] = 1;
		}
		if (!ret)
			ret = file_pwrite(fd, buf, l->cluster, (1 + l->table + i) << l->bits);
	}
	return ret;
}

/* On an empty file. The header is written last. */
int qcow2_make(int fd, const struct image_create *c, struct opt_err *err)
{
	struct layout l = { 0 };
	u8 *head = NULL, *buf = NULL;
	int ret = make_layout(&l, c, err);

	if (ret)
		return ret;
	head = calloc(1, l.cluster);
	buf = malloc(l.cluster);
	if (!head || !buf) {
		ret = disk_bad(err, -ENOMEM, "out of memory");
	} else {
		ret = make_header(head, &l, c, err);
		if (!ret) {
			ret = ftruncate(fd, l.all << l.bits) ? -errno : make_tables(fd, &l, buf);
			if (!ret)
				ret = file_pwrite(fd, head, l.cluster, 0);
			if (ret)
				disk_bad(err, ret, "%s: %s", c->file, strerror(-ret));
		}
	}
	free(head);
	free(buf);
	return ret;
}
