// SPDX-License-Identifier: GPL-2.0
/* Image files: see kvm/image.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/image.h>

#include "qcow2.h"

/* What is read of it: the image, and all behind it. */
static int image_read(struct disk **d, const struct disk_options *opts, struct opt_err *err)
{
	return opts->format == DISK_FORMAT_QCOW2 ? disk_qcow2_open(d, opts, err) : disk_raw_open(d, opts, err);
}

static enum disk_format image_format(const char *file, enum disk_format format)
{
	if (format != DISK_FORMAT_AUTO)
		return format;
	return disk_is_named_qcow2(file) ? DISK_FORMAT_QCOW2 : DISK_FORMAT_RAW;
}

/* Creation */

static bool image_is_power(u64 val, u64 low, u64 high)
{
	return !val || (val >= low && val <= high && !(val & (val - 1)));
}

static int image_create_check(const struct image_create *c, struct opt_err *err)
{
	bool raw = image_format(c->file, c->format) == DISK_FORMAT_RAW;

	if (raw && (c->cluster || c->refcount_bits || c->version || c->lazy || c->extended || c->backing || c->data_file))
		return disk_bad(err, -EINVAL, "%s is to be raw: it has neither clusters nor other files; --format qcow2 has", c->file);
	if (!image_is_power(c->cluster, 512, 2 * MIB))
		return disk_bad(err, -EINVAL, "a cluster has a power of two of bytes, from 512 to 2M");
	if (!image_is_power(c->refcount_bits, 1, 64))
		return disk_bad(err, -EINVAL, "a reference count has a power of two of bits, from 1 to 64");
	if (c->version == 2 && (c->lazy || c->extended || c->data_file || (c->refcount_bits && c->refcount_bits != 16)))
		return disk_bad(err, -EINVAL, "version 2 has reference counts of 16 bits that are not lazy, no subclusters and no data file");
	if (c->extended && c->cluster && c->cluster < 16 * KIB)
		return disk_bad(err, -EINVAL, "clusters with subclusters have 16K at least");
	if (c->data_file && (c->backing || strlen(c->data_file) > QCOW2_NAME_MAX))
		return disk_bad(err, -EINVAL, "a data file and a backing file: lkvm makes images with one of them");
	return 0;
}

/* What it is to be on: there, and of a known format. Its size is the default. */
static int image_create_backing(struct image_create *c, struct opt_err *err)
{
	const char *slash = strrchr(c->file, '/');
	int dir = *c->backing != '/' && slash ? slash - c->file + 1 : 0, ret;
	struct disk_options opts = { .ro = true, .block = DISK_BLOCK_MIN, .anywhere = true };
	struct disk *d;
	char *path;

	if (asprintf(&path, "%.*s%s", dir, c->file, c->backing) < 0)
		return disk_bad(err, -ENOMEM, "out of memory");
	opts.file = path;
	/* A raw file that begins as qcow2 is refused unless its format was said. */
	opts.format = c->backing_format;
	c->backing_format = image_format(path, c->backing_format);
	if (c->backing_format == DISK_FORMAT_QCOW2)
		opts.format = DISK_FORMAT_QCOW2;
	ret = image_read(&d, &opts, err);
	free(path);
	if (ret)
		return ret;
	if (!c->size)
		c->size = d->size;
	d->type->free(d);
	return 0;
}

static int image_create_file(const char *file, struct opt_err *err)
{
	int fd = open(file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);

	return fd >= 0 ? fd : disk_bad(err, -errno, "%s: %s", file, strerror(errno));
}

static int image_create_raw(const char *file, u64 size, struct opt_err *err)
{
	int fd = image_create_file(file, err), ret = fd;

	if (fd < 0)
		return ret;
	ret = ftruncate(fd, size) ? -errno : 0;
	close(fd);
	if (!ret)
		return 0;
	unlink(file);
	return disk_bad(err, ret, "%s: %llu bytes: %s", file, (unsigned long long)size, strerror(-ret));
}

static int image_create_qcow2(const struct image_create *c, struct opt_err *err)
{
	const char *slash = strrchr(c->file, '/');
	char *data = NULL;
	int ret = 0, fd = image_create_file(c->file, err);

	if (fd < 0)
		return fd;
	if (c->data_file && asprintf(&data, "%.*s%s", *c->data_file != '/' && slash ? (int)(slash - c->file + 1) : 0, c->file,
				     c->data_file) < 0)
		ret = disk_bad(err, -ENOMEM, "out of memory");
	if (!ret && data)
		ret = image_create_raw(data, c->size, err);
	if (!ret) {
		ret = qcow2_make(fd, c, err);
		if (ret && data)
			unlink(data);
	}
	if (ret)
		unlink(c->file);
	free(data);
	close(fd);
	return ret;
}

int image_create(const struct image_create *create, struct opt_err *err)
{
	struct image_create c = *create;
	int ret = image_create_check(&c, err);

	if (!ret && c.backing)
		ret = image_create_backing(&c, err);
	if (ret)
		return ret;
	if (!c.size || c.size % DISK_BLOCK_MIN || c.size > INT64_MAX)
		return disk_bad(err, -EINVAL, "a disk has a multiple of %d bytes, as in 10G", DISK_BLOCK_MIN);
	if (image_format(c.file, c.format) == DISK_FORMAT_RAW)
		return image_create_raw(c.file, c.size, err);
	return image_create_qcow2(&c, err);
}

/* Description */

static int image_info_qcow2(struct image_info *info, struct qcow2 *q, struct opt_err *err)
{
	const struct qcow2_head *h = &q->head;
	u64 len;

	info->size = h->size;
	info->version = h->version;
	info->cluster = q->cluster;
	info->refcount_bits = 1U << h->ref_order;
	info->lazy = h->compatible & QCOW2_LAZY;
	info->extended = q->extended;
	info->dirty = h->incompatible & QCOW2_DIRTY;
	info->corrupt = h->incompatible & QCOW2_CORRUPT;
	memcpy(info->backing, h->backing, sizeof(info->backing));
	memcpy(info->backing_format, h->backing_format, sizeof(info->backing_format));
	if (h->incompatible & QCOW2_DATA_FILE)
		memcpy(info->data_file, h->data_file, sizeof(info->data_file));
	info->nr_snapshots = h->nr_snapshots;
	if (qcow2_snapshots(q, &info->snapshot, &len))
		return disk_bad(err, -EINVAL, "%s: its table of snapshots is not sound", q->name);
	return 0;
}

int image_info(struct image_info *info, const char *file, enum disk_format format, struct opt_err *err)
{
	struct disk_options opts = { .file = file, .ro = true, .format = format, .block = DISK_BLOCK_MIN };
	struct qcow2 *q;
	struct disk *d;
	struct stat st;
	int ret;

	*info = (struct image_info){ .format = image_format(file, format) };
	if (info->format == DISK_FORMAT_QCOW2) {
		ret = qcow2_open_image(&q, &opts, err);
		if (ret)
			return ret;
		d = &q->disk;
		ret = image_info_qcow2(info, q, err);
	} else {
		ret = image_read(&d, &opts, err);
		if (ret)
			return ret;
		info->size = d->size;
	}
	if (!stat(file, &st))
		info->used = st.st_blocks * 512;
	d->type->free(d);
	return ret;
}

/* Checks */

int image_check(const char *file, enum disk_format format, struct image_check *check, struct opt_err *err)
{
	struct disk_options opts = { .file = file, .ro = !check->repair, .block = DISK_BLOCK_MIN };
	u64 clean = 0;
	struct qcow2 *q;
	int ret;

	if (image_format(file, format) == DISK_FORMAT_RAW)
		return disk_bad(err, -EINVAL, "%s is raw by its name, and there is nothing to check in one; --format says it otherwise", file);
	ret = qcow2_open_image(&q, &opts, err);
	if (ret)
		return ret;
	if (opts.ro)
		ret = qcow2_ref_open(q, err);
	if (!ret) {
		ret = qcow2_check(q, check);
		if (ret)
			disk_bad(err, ret, "%s: %s", file, strerror(-ret));
	}
	if (!ret && check->repair && check->errors + check->leaks <= check->fixed)
		clean = QCOW2_DIRTY | QCOW2_CORRUPT;
	if (q->head.incompatible & clean) {
		ret = qcow2_head_set(q->fd, QCOW2_AT_INCOMPATIBLE, q->head.incompatible & ~clean);
		if (ret)
			disk_bad(err, ret, "%s: %s", file, strerror(-ret));
	}
	qcow2_free(&q->disk);
	return ret;
}
