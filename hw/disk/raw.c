// SPDX-License-Identifier: GPL-2.0
/*
 * Raw images: a file or a block device, byte for byte; and files without a name. All
 * by preadv2(2) and pwritev2(2) between the guest's buffers and the file. With O_DIRECT
 * what is not aligned as the file wants it goes through a buffer.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "disk.h"

/* Bytes that go through a buffer at a time; zeroes that are written at a time. */
#define RAW_BOUNCE	MIB
#define RAW_ZEROES	(64 * KIB)
/* Where a file system does not say what O_DIRECT wants of memory: a page does for all. */
#define RAW_MEM_ALIGN	4096

struct raw {
	struct disk disk;
	int fd;
	bool device;		/* a block device */
	u32 mem_align;		/* of buffers in memory, 0: any */
	u32 len_align;		/* of each buffer's length, with mem_align */
	u64 end;		/* bytes of the file when it was opened or resized */
};

static struct raw *raw_of(struct disk *d)
{
	return container_of(d, struct raw, disk);
}

/* I/O */

static bool raw_is_aligned(const struct raw *r, const struct iov_iter *data)
{
	size_t left = data->count, off = data->off;
	unsigned int i;

	for (i = 0; r->mem_align && left && i < data->nr; i++, off = 0) {
		size_t len = min(data->iov[i].iov_len - off, left);

		if (((uintptr_t)data->iov[i].iov_base + off) % r->mem_align || len % r->len_align)
			return false;
		left -= len;
	}
	return true;
}

/*
 * What is beyond the end of the file, in its last block, reads as zeroes. It is not asked
 * for: O_DIRECT does not take an offset within a block.
 */
static int raw_read_plain(struct raw *r, u64 off, struct iov_iter *data)
{
	u64 end = __atomic_load_n(&r->end, __ATOMIC_RELAXED);

	while (iov_iter_count(data)) {
		ssize_t n = iov_iter_read(data, r->fd, iov_iter_count(data), off, 0);

		if (n < 0)
			return n;
		off += n;
		if (off >= end && off % r->disk.block)
			off += iov_iter_zero(r->disk.block - off % r->disk.block, data);
		else if (!n && off < end)
			return -EIO;		/* somebody has made it shorter */
		else if (!n)
			off += iov_iter_zero(iov_iter_count(data), data);
	}
	return 0;
}

static int raw_write_plain(struct raw *r, u64 off, struct iov_iter *data)
{
	while (iov_iter_count(data)) {
		ssize_t n = iov_iter_write(data, r->fd, iov_iter_count(data), off, 0);

		if (n <= 0)
			return n ? n : -EIO;
		off += n;
	}
	return 0;
}

/* Through a buffer, in whole blocks. */
static int raw_bounce(struct raw *r, u64 off, struct iov_iter *data, bool write)
{
	size_t len = min(iov_iter_count(data), RAW_BOUNCE);
	struct iovec iov;
	int ret = 0;

	/* What a disk wants may be less than a pointer's alignment, which posix_memalign(3) refuses. */
	if (posix_memalign(&iov.iov_base, max(r->mem_align, (u32)RAW_MEM_ALIGN), len))
		return -ENOMEM;
	while (!ret && iov_iter_count(data)) {
		struct iov_iter buffer;

		iov.iov_len = min(iov_iter_count(data), len);
		iov_iter_init(&buffer, &iov, 1);
		if (write) {
			copy_from_iter(iov.iov_base, iov.iov_len, data);
			ret = raw_write_plain(r, off, &buffer);
		} else {
			ret = raw_read_plain(r, off, &buffer);
			if (!ret)
				copy_to_iter(iov.iov_base, iov.iov_len, data);
		}
		off += iov.iov_len;
	}
	free(iov.iov_base);
	return ret;
}

static int raw_read(struct disk *d, u64 off, struct iov_iter *data)
{
	struct raw *r = raw_of(d);

	return raw_is_aligned(r, data) ? raw_read_plain(r, off, data) : raw_bounce(r, off, data, false);
}

static int raw_write(struct disk *d, u64 off, struct iov_iter *data)
{
	struct raw *r = raw_of(d);

	return raw_is_aligned(r, data) ? raw_write_plain(r, off, data) : raw_bounce(r, off, data, true);
}

static int raw_flush(struct disk *d)
{
	return fdatasync(raw_of(d)->fd) ? -errno : 0;
}

static int raw_fallocate(struct raw *r, int mode, u64 off, u64 len)
{
	int ret;

	do
		ret = fallocate(r->fd, mode | FALLOC_FL_KEEP_SIZE, off, len);
	while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

static int raw_discard(struct disk *d, u64 off, u64 len)
{
	return raw_fallocate(raw_of(d), FALLOC_FL_PUNCH_HOLE, off, len);
}

static int raw_write_zeroes(struct raw *r, u64 off, u64 len)
{
	void *zeroes;
	int ret = 0;

	if (posix_memalign(&zeroes, RAW_MEM_ALIGN, RAW_ZEROES))
		return -ENOMEM;
	memset(zeroes, 0, RAW_ZEROES);
	while (!ret && len) {
		struct iovec iov = { .iov_base = zeroes, .iov_len = min(len, (u64)RAW_ZEROES) };
		struct iov_iter data;

		iov_iter_init(&data, &iov, 1);
		ret = raw_write_plain(r, off, &data);
		off += iov.iov_len;
		len -= iov.iov_len;
	}
	free(zeroes);
	return ret;
}

/* A hole in a file is zeroes; a device has its own way to write them. */
static int raw_zero(struct disk *d, u64 off, u64 len)
{
	struct raw *r = raw_of(d);
	int ret = raw_fallocate(r, r->device ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE, off, len);

	return ret == -EOPNOTSUPP ? raw_write_zeroes(r, off, len) : ret;
}

static int raw_resize(struct disk *d, u64 size, struct opt_err *err)
{
	struct raw *r = raw_of(d);
	off_t end;

	if (r->device) {
		end = lseek(r->fd, 0, SEEK_END);
		if (end < 0 || (u64)end < size)
			return disk_bad(err, -ENOSPC, "the block device has %lld bytes", (long long)end);
	} else if (ftruncate(r->fd, size)) {
		return disk_bad(err, -errno, "%llu bytes: %s", (unsigned long long)size, strerror(errno));
	}
	__atomic_store_n(&r->end, size, __ATOMIC_RELAXED);
	return 0;
}

static void raw_free(struct disk *d)
{
	close(raw_of(d)->fd);
	free(raw_of(d));
}

/* Its content is the user's, and stays where it is: it has to be the same when it is read again. */
static int raw_image(struct disk *d, struct state *s)
{
	struct raw *r = raw_of(d);
	u64 size = d->size, was = size;
	s64 sec, nsec, then, then_nsec;
	struct stat st;

	if (fstat(r->fd, &st))
		return state_refuse(s, "the image: %s", strerror(errno));
	if (d->scratch && st.st_blocks && !state_reads(s))
		return state_refuse(s, "an empty disk that nobody keeps was written: its content does not go into a state");
	sec = then = r->device || d->scratch ? 0 : st.st_mtim.tv_sec;
	nsec = then_nsec = r->device || d->scratch ? 0 : st.st_mtim.tv_nsec;
	state_value(s, "size", &was, sizeof(was));
	state_value(s, "changed", &then, sizeof(then));
	if (state_value(s, "changed_nsec", &then_nsec, sizeof(then_nsec)))
		return state_status(s);
	if (was != size)
		return state_refuse(s, "the image had %llu bytes, it has %llu", (unsigned long long)was, (unsigned long long)size);
	return then != sec || then_nsec != nsec ? state_refuse(s, "the image has changed since") : 0;
}

/* Holes, and what is beyond the end, are zeroes. Where the file system does not know holes all is data. */
static int raw_map(struct disk *d, u64 off, u64 len, struct disk_extent *e)
{
	int fd = raw_of(d)->fd;
	off_t data = lseek(fd, off, SEEK_DATA), hole;

	e->zero = (data < 0 && errno == ENXIO) || data > (off_t)off;
	if (e->zero) {
		e->len = data < 0 ? len : min(len, (u64)data - off);
		return 0;
	}
	hole = data < 0 ? -1 : lseek(fd, off, SEEK_HOLE);
	e->len = hole < 0 ? len : min(len, (u64)hole - off);
	e->host = off;
	return 0;
}

static const struct disk_type raw_type = {
	.read = raw_read, .write = raw_write, .flush = raw_flush, .discard = raw_discard,
	.zero = raw_zero, .free = raw_free, .map = raw_map, .resize = raw_resize, .image = raw_image,
};

/* Opening */

/* What O_DIRECT wants of offsets and of memory: statx(2), STATX_DIOALIGN, since Linux 6.1. */
static void raw_direct_align(int fd, bool device, u32 *offset, u32 *mem)
{
	int sector;

	*offset = DISK_BLOCK_MIN;
	*mem = RAW_MEM_ALIGN;
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) && (stx.stx_mask & STATX_DIOALIGN) &&
	    stx.stx_dio_offset_align && stx.stx_dio_mem_align) {
		*offset = stx.stx_dio_offset_align;
		*mem = stx.stx_dio_mem_align;
		return;
	}
#endif
	if (device && !ioctl(fd, BLKSSZGET, &sector) && sector > 0)
		*offset = sector;
}

/* Takes @fd, which is closed after an error. */
static int raw_new(struct disk **out, int fd, const struct disk_options *opts, struct opt_err *err)
{
	struct raw *r = calloc(1, sizeof(*r));
	off_t end = lseek(fd, 0, SEEK_END);
	struct stat st;
	int ret = 0;

	if (!r || end < 0 || fstat(fd, &st))
		ret = disk_bad(err, r ? -errno : -ENOMEM, "%s: %s", opts->file, strerror(r ? errno : ENOMEM));
	else if (!end)
		ret = disk_bad(err, -EINVAL, "%s is empty: truncate -s 1G %s makes it a disk", opts->file, opts->file);
	if (!ret && opts->direct)
		raw_direct_align(fd, S_ISBLK(st.st_mode), &r->len_align, &r->mem_align);
	if (!ret && r->len_align > opts->block)
		ret = disk_bad(err, -EINVAL, "%s: direct needs blocks of %u bytes there: block=%u, or without direct",
			       opts->file, r->len_align, r->len_align);
	if (ret) {
		free(r);
		close(fd);
		return ret;
	}
	r->fd = fd;
	r->device = S_ISBLK(st.st_mode);
	r->end = end;
	r->disk = (struct disk){
		.type = &raw_type, .size = ALIGN((u64)end, opts->block), .block = opts->block,
		.ro = opts->ro || opts->cow,
	};
	*out = &r->disk;
	return 0;
}

/* Writers want it for themselves, readers share it. */
static int raw_lock(int fd, const struct disk_options *opts, struct opt_err *err)
{
	bool reads = opts->ro || opts->cow;
	struct flock lock = { .l_type = reads ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return disk_bad(err, -EBUSY, "%s: another disk or machine %s it%s", opts->file,
				reads ? "writes" : "uses", reads ? "" : "; ro and cow share it with those that only read it");
	if (errno == ENOLCK || errno == EOPNOTSUPP || errno == EINVAL)
		return 0;	/* a file system without locks */
	return disk_bad(err, -errno, "%s: lock: %s", opts->file, strerror(errno));
}

/* A raw image may be anything, but hardly ever is it meant to be an image of another kind. */
static int raw_magic(int fd, const struct disk_options *opts, struct opt_err *err)
{
	if (opts->format != DISK_FORMAT_RAW && disk_begins_as_qcow2(fd))
		return disk_bad(err, -EINVAL, "%s begins as a qcow2 image: format=qcow2 takes it for one, format=raw as it is",
				opts->file);
	return 0;
}

static int raw_kind(const struct disk_options *opts, bool *device, struct opt_err *err)
{
	struct stat st;

	/* Who sends a descriptor has looked. */
	*device = false;
	if (opts->opener && opts->opener->sent)
		return 0;
	if (stat(opts->file, &st))
		return disk_bad(err, -errno, "%s: %s%s", opts->file, strerror(errno),
				errno == ENOENT ? "; new:SIZE is an empty disk" : "");
	if (S_ISDIR(st.st_mode))
		return disk_bad(err, -EISDIR, "%s is a directory: --root takes one as the root", opts->file);
	*device = S_ISBLK(st.st_mode);
	if (!*device && !S_ISREG(st.st_mode))
		return disk_bad(err, -EINVAL, "%s is neither a file nor a block device", opts->file);
	return 0;
}

static int raw_open_file(struct disk **out, const struct disk_options *opts, struct opt_err *err)
{
	bool reads = opts->ro || opts->cow, device = false;
	int flags = O_CLOEXEC | O_NOCTTY | (reads ? O_RDONLY : O_RDWR) | (opts->direct ? O_DIRECT : 0);
	int fd, ret = raw_kind(opts, &device, err);

	if (ret)
		return ret;
	/* Not one that the host has mounted, or that is part of another: open(2), O_EXCL. */
	fd = disk_open_file(opts, opts->file, flags | (device && !reads ? O_EXCL : 0));
	if (fd < 0 && errno == EINVAL && opts->direct)
		return disk_bad(err, -EINVAL, "%s: its file system has no direct I/O", opts->file);
	if (fd < 0 && errno == EBUSY)
		return disk_bad(err, -EBUSY, "%s: the host uses it itself; is it mounted?", opts->file);
	if (fd < 0)
		return disk_bad(err, -errno, "%s: %s%s", opts->file, strerror(errno), !reads &&
				(errno == EACCES || errno == EROFS || errno == EPERM) ? "; ro and cow do not write it" : "");
	ret = raw_lock(fd, opts, err);
	if (!ret)
		ret = raw_magic(fd, opts, err);
	if (!ret)
		return raw_new(out, fd, opts, err);
	close(fd);
	return ret;
}

int disk_raw_fd(const struct disk *d, bool *device)
{
	const struct raw *r = container_of(d, const struct raw, disk);

	*device = r->device;
	return r->fd;
}

int disk_scratch_open(struct disk **out, u64 size, const struct disk_options *as, struct opt_err *err)
{
	const char *env = getenv("TMPDIR"), *dir = env && *env ? env : "/var/tmp";
	struct disk_options opts = { .file = dir, .block = as->block, .direct = as->direct };
	int fd;
	int ret;

	fd = disk_open_file(as, dir, O_TMPFILE | O_RDWR | O_CLOEXEC | (as->direct ? O_DIRECT : 0));
	if (fd < 0 && errno == EINVAL && as->direct)
		return disk_bad(err, -EINVAL, "%s: its file system has no direct I/O; TMPDIR names another", dir);
	if (fd < 0)
		return disk_bad(err, -errno, "a temporary file in %s: %s; TMPDIR names another directory", dir, strerror(errno));
	if (ftruncate(fd, size)) {
		ret = disk_bad(err, -errno, "a file of %llu bytes in %s: %s", (unsigned long long)size, dir, strerror(errno));
		close(fd);
		return ret;
	}
	ret = raw_new(out, fd, &opts, err);
	if (!ret)
		(*out)->scratch = true;
	return ret;
}

int disk_raw_open(struct disk **out, const struct disk_options *opts, struct opt_err *err)
{
	u64 size;

	if (strncmp(opts->file, "new:", 4))
		return raw_open_file(out, opts, err);
	if (opt_size(opts->file + 4, MIB, &size) || !size || size > INT64_MAX || size % opts->block)
		return disk_bad(err, -EINVAL, "%s: a size is a multiple of the block of %u bytes, as in new:10G", opts->file,
				opts->block);
	return disk_scratch_open(out, size, opts, err);
}
