// SPDX-License-Identifier: GPL-2.0
/*
 * A log of all that is written to a disk (log_format.h). A write is recorded when it is
 * complete, and a flush when it begins. So every write that stands before a flush in the
 * log was complete when the flush began, and is on stable storage after it.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>

#include "disk.h"
#include "log_format.h"

struct log_disk {
	struct disk disk;
	int fd;
	pthread_mutex_t lock;
	u64 pos, nr;		/* where the next entry goes; entries */
	bool failed;
};

static int log_put(struct log_disk *l, const void *buf, size_t len, u64 off)
{
	ssize_t n = pwrite(l->fd, buf, len, off);

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -ENOSPC;
}

static int log_head(struct log_disk *l)
{
	struct log_header head = {
		.magic = htole64(LOG_MAGIC), .version = htole64(LOG_VERSION), .nr_entries = htole64(l->nr),
		.sector_size = htole32(l->disk.block),
	};

	return log_put(l, &head, sizeof(head), 0);
}

/* Data behind the entry; NULL: zeroes, which a hole in the file is. */
static int log_data(struct log_disk *l, u64 off, u64 len, struct iov_iter *data)
{
	while (data && len) {
		ssize_t n = iov_iter_write(data, l->fd, len, off, 0);

		if (n <= 0)
			return n ? n : -ENOSPC;
		off += n;
		len -= n;
	}
	return 0;
}

/* An entry with its text or data. The number in the header counts it last: what it counts is whole. */
static int log_add(struct log_disk *l, const struct log_entry *e, const char *text, u64 data_len,
		   struct iov_iter *data)
{
	u32 sector = l->disk.block;
	u64 end;
	int ret = -EIO;

	pthread_mutex_lock(&l->lock);
	if (!l->failed) {
		end = l->pos + sector + data_len;
		ret = log_put(l, e, sizeof(*e), l->pos);
		if (!ret && text)
			ret = log_put(l, text, strlen(text), l->pos + sizeof(*e));
		if (!ret)
			ret = log_data(l, l->pos + sector, data_len, data);
		/* The last sector of an entry is there as a whole. */
		if (!ret && (text || !data))
			ret = ftruncate(l->fd, end) ? -errno : 0;
		l->nr += !ret;
		if (!ret)
			ret = log_head(l);
		if (!ret)
			l->pos = end;
		else
			pr_warn("the log of a disk ends after %llu entries: %s", (unsigned long long)l->nr, strerror(-ret));
		l->failed = ret;
	}
	pthread_mutex_unlock(&l->lock);
	return ret;
}

static void log_request(struct log_disk *l, const struct disk_req *req, u64 flags, struct iov_iter *data)
{
	u32 sector = l->disk.block;
	bool has_data = req->op == DISK_WRITE || req->op == DISK_ZERO;
	struct log_entry e = {
		.sector = htole64(req->op == DISK_FLUSH ? 0 : req->off / sector),
		.nr_sectors = htole64(req->op == DISK_FLUSH ? 0 : req->len / sector),
		.flags = htole64(flags | (req->durable ? LOG_FUA : 0)),
	};

	log_add(l, &e, NULL, has_data ? req->len : 0, data);
}

static int log_serve(struct disk *d, const struct disk_req *req)
{
	struct log_disk *l = container_of(d, struct log_disk, disk);
	struct iov_iter data;
	int ret;

	if (req->op == DISK_READ)
		return disk_serve(d->below, req);
	if (req->op == DISK_FLUSH) {
		log_request(l, req, LOG_FLUSH, NULL);
		return disk_serve(d->below, req);
	}
	if (req->op == DISK_WRITE)
		data = *req->data;
	ret = disk_serve(d->below, req);
	if (!ret)
		log_request(l, req, req->op == DISK_DISCARD ? LOG_DISCARD : 0, req->op == DISK_WRITE ? &data : NULL);
	return ret;
}

static int log_mark(struct disk *d, const char *text)
{
	struct log_disk *l = container_of(d, struct log_disk, disk);
	struct log_entry e = { .flags = htole64(LOG_MARK), .data_len = htole64(strlen(text)) };

	return sizeof(e) + strlen(text) < d->block ? log_add(l, &e, text, 0, NULL) : -E2BIG;
}

static void log_free(struct disk *d)
{
	struct log_disk *l = container_of(d, struct log_disk, disk);

	if (l->fd >= 0)
		close(l->fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static const struct disk_type log_type = { .serve = log_serve, .mark = log_mark, .free = log_free };

static int log_create(struct log_disk *l, const struct disk_options *opts, struct opt_err *err)
{
	struct stat st;
	int ret;

	l->fd = disk_open_file(opts, opts->log, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY);
	if (l->fd < 0)
		return disk_bad(err, -errno, "keep-log=%s: %s", opts->log, strerror(errno));
	if (fstat(l->fd, &st) || !S_ISREG(st.st_mode))
		return disk_bad(err, -EINVAL, "keep-log=%s is no regular file", opts->log);
	l->pos = l->disk.block;
	/* Not by O_TRUNC: nothing is lost before it is known to be a file. */
	ret = ftruncate(l->fd, 0) || ftruncate(l->fd, l->pos) ? -errno : log_head(l);
	return ret ? disk_bad(err, ret, "keep-log=%s: %s", opts->log, strerror(-ret)) : 0;
}

int disk_log_open(struct disk **d, const struct disk_options *opts, struct opt_err *err)
{
	struct log_disk *l = disk_layer(sizeof(*l), &log_type, *d);
	int ret;

	if (!l)
		return disk_bad(err, -ENOMEM, "out of memory");
	l->fd = -1;
	pthread_mutex_init(&l->lock, NULL);
	ret = log_create(l, opts, err);
	if (ret)
		log_free(&l->disk);
	else
		*d = &l->disk;
	return ret;
}
