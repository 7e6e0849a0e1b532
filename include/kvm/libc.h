/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What glibc declares and other C libraries do not, as musl 1.2.3: included before all else where
 * config/test-statx.c does not compile. By system calls, with the same results.
 */
#ifndef KVM_LIBC_H
#define KVM_LIBC_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/falloc.h>
#include <linux/types.h>

#ifndef EM_LOONGARCH
#define EM_LOONGARCH	258
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE	1
#define RENAME_EXCHANGE		2
#define RENAME_WHITEOUT		4
#endif

/* <linux/stat.h> defines what <sys/stat.h> has as well. */
#define STATX_TYPE		0x0001U
#define STATX_MODE		0x0002U
#define STATX_NLINK		0x0004U
#define STATX_UID		0x0008U
#define STATX_GID		0x0010U
#define STATX_ATIME		0x0020U
#define STATX_MTIME		0x0040U
#define STATX_CTIME		0x0080U
#define STATX_INO		0x0100U
#define STATX_SIZE		0x0200U
#define STATX_BLOCKS		0x0400U
#define STATX_BASIC_STATS	0x07ffU
#define STATX_BTIME		0x0800U
#define STATX_MNT_ID		0x1000U

struct statx_timestamp {
	__s64 tv_sec;
	__u32 tv_nsec;
	__s32 reserved;
};

struct statx {
	__u32 stx_mask, stx_blksize;
	__u64 stx_attributes;
	__u32 stx_nlink, stx_uid, stx_gid;
	__u16 stx_mode, stx_pad;
	__u64 stx_ino, stx_size, stx_blocks, stx_attributes_mask;
	struct statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
	__u32 stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
	__u64 stx_mnt_id;
	__u64 stx_more[13];
};

static inline int statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *stx)
{
	return syscall(SYS_statx, dirfd, path, flags, mask, stx);
}

static inline int renameat2(int olddir, const char *old, int newdir, const char *new, unsigned int flags)
{
	return syscall(SYS_renameat2, olddir, old, newdir, new, flags);
}

/* The kernel takes the offset in two halves; on 64 bits the second is not looked at. */
static inline ssize_t preadv2(int fd, const struct iovec *iov, int nr, off_t off, int flags)
{
	return syscall(SYS_preadv2, fd, iov, nr, off, 0L, flags);
}

static inline ssize_t pwritev2(int fd, const struct iovec *iov, int nr, off_t off, int flags)
{
	return syscall(SYS_pwritev2, fd, iov, nr, off, 0L, flags);
}

/* musl cannot start a thread on a CPU. */
static inline int pthread_attr_setaffinity_np(pthread_attr_t *attr, size_t size, const cpu_set_t *set)
{
	return ENOTSUP;
}

#endif
