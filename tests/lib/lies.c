// SPDX-License-Identifier: GPL-2.0
/* See lies.h. A program's own definition of a function comes before the C library's. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/host.h>

#include "lies.h"

struct lies lies;

static long (*lies_real)(long nr, ...);

static long lies_call(const char *call, long nr, long a, long b, long c, long d, long e, long f)
{
	int err = lies.fail ? lies.fail(call) : 0;

	if (err) {
		errno = err;
		return -1;
	}
	if (!lies_real)
		*(void **)&lies_real = dlsym(RTLD_NEXT, "syscall");
	return lies_real(nr, a, b, c, d, e, f);
}

static ssize_t lies_told(const char *call, void *buf, size_t len, ssize_t ret)
{
	return lies.tell && ret >= 0 ? lies.tell(call, buf, len, ret) : ret;
}

#define CALL(name, nr, a, b, c, d, e)	\
	lies_call(name, nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

/* Names */

static const char *lies_name(const char *name)
{
	return lies.name ? lies.name(name) : name;
}

long syscall(long nr, ...)
{
	long a[6];
	va_list ap;
	size_t i;

	va_start(ap, nr);
	for (i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_openat2)
		a[1] = (long)lies_name((const char *)a[1]);
	return lies_call(nr == SYS_openat2 ? "openat2" : "syscall", nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int openat(int dir, const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return CALL("openat", SYS_openat, dir, name, flags, mode, 0);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	return CALL("mkdirat", SYS_mkdirat, dir, name, mode, 0, 0);
}

int mknodat(int dir, const char *name, mode_t mode, dev_t dev)
{
	return CALL("mknodat", SYS_mknodat, dir, name, mode, (u32)dev, 0);
}

int symlinkat(const char *target, int dir, const char *name)
{
	return CALL("symlinkat", SYS_symlinkat, target, dir, name, 0, 0);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
	return CALL("linkat", SYS_linkat, from, old, to, new, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
	return CALL("unlinkat", SYS_unlinkat, dir, name, flags, 0, 0);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned int flags)
{
	return CALL("renameat2", SYS_renameat2, from, old, to, new, flags);
}

ssize_t readlinkat(int dir, const char *name, char *buf, size_t len)
{
	return lies_told("readlinkat", buf, len, CALL("readlinkat", SYS_readlinkat, dir, name, buf, len, 0));
}

ssize_t getdents64(int fd, void *buf, size_t len)
{
	return lies_told("getdents64", buf, len, CALL("getdents64", SYS_getdents64, fd, buf, len, 0, 0));
}

/* Attributes */

int statx(int dir, const char *name, int flags, unsigned int mask, struct statx *stx)
{
	return lies_told("statx", stx, sizeof(*stx), CALL("statx", SYS_statx, dir, lies_name(name), flags, mask, stx));
}

int fstatat(int dir, const char *name, struct stat *st, int flags)
{
	return lies_told("fstatat", st, sizeof(*st), CALL("fstatat", SYS_newfstatat, dir, name, st, flags, 0));
}

int fstat(int fd, struct stat *st)
{
	return lies_told("fstat", st, sizeof(*st), CALL("fstat", SYS_newfstatat, fd, "", st, AT_EMPTY_PATH, 0));
}

int fstatfs(int fd, struct statfs *st)
{
	return lies_told("fstatfs", st, sizeof(*st), CALL("fstatfs", SYS_fstatfs, fd, st, 0, 0, 0));
}

int fchownat(int dir, const char *name, uid_t uid, gid_t gid, int flags)
{
	return CALL("fchownat", SYS_fchownat, dir, name, uid, gid, flags);
}

int fchmod(int fd, mode_t mode)
{
	return CALL("fchmod", SYS_fchmod, fd, mode, 0, 0, 0);
}

int fchmodat(int dir, const char *name, mode_t mode, int flags)
{
	return CALL("fchmodat", SYS_fchmodat, dir, name, mode, 0, 0);
}

int utimensat(int dir, const char *name, const struct timespec times[2], int flags)
{
	return CALL("utimensat", SYS_utimensat, dir, name, times, flags, 0);
}

int ftruncate(int fd, off_t size)
{
	return CALL("ftruncate", SYS_ftruncate, fd, size, 0, 0, 0);
}

ssize_t getxattr(const char *path, const char *name, void *buf, size_t len)
{
	return lies_told("getxattr", buf, len, CALL("getxattr", SYS_getxattr, path, name, buf, len, 0));
}

ssize_t fgetxattr(int fd, const char *name, void *buf, size_t len)
{
	return lies_told("fgetxattr", buf, len, CALL("fgetxattr", SYS_fgetxattr, fd, name, buf, len, 0));
}

ssize_t listxattr(const char *path, char *buf, size_t len)
{
	return lies_told("listxattr", buf, len, CALL("listxattr", SYS_listxattr, path, buf, len, 0, 0));
}

int setxattr(const char *path, const char *name, const void *buf, size_t len, int flags)
{
	return CALL("setxattr", SYS_setxattr, path, name, buf, len, flags);
}

int removexattr(const char *path, const char *name)
{
	return CALL("removexattr", SYS_removexattr, path, name, 0, 0, 0);
}

/* Data */

ssize_t preadv2(int fd, const struct iovec *iov, int nr, off_t off, int flags)
{
	return lies_told("preadv2", iov->iov_base, iov->iov_len,
			 lies_call("preadv2", SYS_preadv2, fd, (long)iov, nr, off, 0, flags));
}

ssize_t pwritev2(int fd, const struct iovec *iov, int nr, off_t off, int flags)
{
	return lies_told("pwritev2", NULL, 0,
			 lies_call("pwritev2", SYS_pwritev2, fd, (long)iov, nr, off, 0, flags));
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	return CALL("fallocate", SYS_fallocate, fd, mode, off, len, 0);
}

ssize_t copy_file_range(int from, off64_t *off, int to, off64_t *to_off, size_t len, unsigned int flags)
{
	return lies_told("copy_file_range", NULL, 0,
			 lies_call("copy_file_range", SYS_copy_file_range, from, (long)off, to,
				   (long)to_off, len, flags));
}

off_t lseek(int fd, off_t off, int whence)
{
	return CALL("lseek", SYS_lseek, fd, off, whence, 0, 0);
}

int fsync(int fd)
{
	return CALL("fsync", SYS_fsync, fd, 0, 0, 0, 0);
}

int fdatasync(int fd)
{
	return CALL("fdatasync", SYS_fdatasync, fd, 0, 0, 0, 0);
}

int flock(int fd, int op)
{
	return CALL("flock", SYS_flock, fd, op, 0, 0, 0);
}

/* What may be said */

size_t lies_dirent(void *buf, size_t len, u64 ino, u64 cookie, u8 type, const char *name)
{
	size_t n = offsetof(struct host_dirent, name) + strlen(name) + 1, reclen = ALIGN(n, 8);
	struct host_dirent *de = buf;

	if (reclen > len)
		return 0;
	memset(buf, 0, reclen);
	*de = (struct host_dirent){ .ino = ino, .cookie = cookie, .reclen = reclen, .type = type };
	strcpy(de->name, name);
	return reclen;
}

static u8 (*lies_next)(void);

static u64 lies_number(void)
{
	static const u64 numbers[] = {
		0, 1, 2, 4095, 4096, 65535, 65536, 1ULL << 31, 1ULL << 32, 1ULL << 48,
		INT64_MAX, 1ULL << 63, ~0ULL,
	};

	return numbers[lies_next() % ARRAY_SIZE(numbers)];
}

static int lies_fail_by_bytes(const char *call)
{
	static const u8 errors[] = {
		EIO, EINTR, ESTALE, ENOENT, EACCES, EPERM, EMFILE, ENOMEM, ENOSPC, EROFS, EAGAIN,
		ENOTDIR, ELOOP, EINVAL, ENOSYS, EDEADLK, EOVERFLOW, ENAMETOOLONG, ERANGE, ENODATA,
	};
	u8 c = lies_next();

	return c < 240 ? 0 : errors[lies_next() % ARRAY_SIZE(errors)];
}

static ssize_t lies_dirents_by_bytes(u8 *buf, size_t len)
{
	static const u16 lengths[] = { 1, 2, 254, 255, 256, 258, 671, 761, 1022, 1023, 1024, 4095 };
	static const char *const names[] = { "", ".", "..", "a/b", "/", "file", "dir", "\n" };
	unsigned int count = lies_next() % 64, n;
	char name[PATH_MAX];
	size_t used = 0, one;

	while (count--) {
		if (lies_next() & 1) {
			strcpy(name, names[lies_next() % ARRAY_SIZE(names)]);
		} else {
			n = lengths[lies_next() % ARRAY_SIZE(lengths)];
			memset(name, lies_next() | 1, n);
			name[n] = '\0';
		}
		one = lies_dirent(buf + used, len - used, lies_number(), lies_number(), lies_next(), name);
		if (!one)
			break;
		used += one;
	}
	return used;
}

static void lies_statx_by_bytes(struct statx *stx)
{
	u8 c = lies_next();

	stx->stx_mode = c & 1 ? lies_next() << 8 | lies_next() : stx->stx_mode;
	stx->stx_ino = c & 2 ? lies_number() : stx->stx_ino;
	stx->stx_size = c & 4 ? lies_number() : stx->stx_size;
	stx->stx_mtime.tv_sec = c & 8 ? (s64)lies_number() : stx->stx_mtime.tv_sec;
	stx->stx_mask = c & 16 ? lies_number() : stx->stx_mask;
	stx->stx_dev_minor = c & 32 ? lies_next() : stx->stx_dev_minor;
	stx->stx_nlink = c & 64 ? lies_number() : stx->stx_nlink;
	stx->stx_btime.tv_sec = c & 128 ? (s64)lies_number() : stx->stx_btime.tv_sec;
}

static ssize_t lies_tell_by_bytes(const char *call, void *buf, size_t len, ssize_t ret)
{
	size_t n;

	if (lies_next() < 224)
		return ret;
	if (!strcmp(call, "getdents64"))
		return lies_dirents_by_bytes(buf, len);
	if (!strcmp(call, "statx")) {
		lies_statx_by_bytes(buf);
		return ret;
	}
	if (strstr(call, "stat")) {
		for (n = lies_next() % 16; n; n--)
			((u8 *)buf)[lies_next() % len] = lies_next();
		return ret;
	}
	/* Less than was asked for; of what asks for a length first, something else. */
	if (!buf || !strcmp(call, "preadv2"))
		return ret ? lies_next() % ret : 0;
	if (!len)
		return lies_number() % (XATTR_SIZE_MAX + 1);
	n = lies_number() % (len + 1);
	memset(buf, lies_next(), n);
	return n;
}

/* Names that only other file systems have are those of two files here. */
static const char *lies_name_by_bytes(const char *name)
{
	return strlen(name) <= NAME_MAX ? name : strlen(name) & 1 ? "file" : "dir";
}

void lies_by_bytes(u8 (*next)(void))
{
	lies_next = next;
	lies.name = next ? lies_name_by_bytes : NULL;
	lies.fail = next ? lies_fail_by_bytes : NULL;
	lies.tell = next ? lies_tell_by_bytes : NULL;
}
