// SPDX-License-Identifier: GPL-2.0
/*
 * The little of a C library that the guest's PID 1 needs. The compiler itself
 * calls memcpy() and memset(); the empty asm keeps it from finding their loops
 * to be memcpy() and memset().
 */
#include <linux/mman.h>


#include "init.h"

void *memcpy(void *to, const void *from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	while (n--) {
		*t++ = *f++;
		asm("" : "+r"(t));
	}
	return to;
}

void *memset(void *to, int c, size_t n)
{
	unsigned char *t = to;

	while (n--) {
		*t++ = c;
		asm("" : "+r"(t));
	}
	return to;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

const char *str_after(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return NULL;
	return s;
}

long str_number(const char *s, const char **end)
{
	long n = 0;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++) {
		n = n * 10 + *s - '0';
		if (n > 0xffffffffL)
			return -EINVAL;
	}
	*end = s;
	return n;
}

void *mem_try(size_t n)
{
	long p = sys_call(__NR_mmap, 0, (long)n, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p < 0 && p > -4096 ? NULL : (void *)p;
}

void *mem_alloc(size_t n)
{
	void *p = mem_try(n);

	if (!p)
		fail("PID 1 has no memory: give the guest more (-m)");
	return p;
}

size_t str_vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
	char digits[24], *d;
	const char *s;
	size_t n = 0;
	unsigned long u;
	long v;

	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			if (n + 1 < size)
				buf[n++] = *fmt;
			continue;
		}
		fmt++;
		if (*fmt == 'l')
			fmt++;
		if (*fmt == 's') {
			s = va_arg(ap, const char *);
		} else {
			/* Only %ld and %lu are used: a long each. */
			v = va_arg(ap, long);
			u = *fmt == 'd' && v < 0 ? -(unsigned long)v : (unsigned long)v;
			d = digits + sizeof(digits);
			*--d = 0;
			do
				*--d = '0' + u % 10;
			while (u /= 10);
			if (*fmt == 'd' && v < 0)
				*--d = '-';
			s = d;
		}
		while (*s && n + 1 < size)
			buf[n++] = *s++;
	}
	buf[n] = 0;
	return n;
}

size_t str_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = str_vformat(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

const char *str_error(long err)
{
	static const struct { int err; const char *text; } texts[] = {
		{ EPERM, "Operation not permitted" },
		{ ENOENT, "No such file or directory" },
		{ EIO, "Input/output error" },
		{ ENXIO, "No such device or address" },
		{ E2BIG, "Argument list too long" },
		{ ENOEXEC, "Exec format error" },
		{ ENOMEM, "Cannot allocate memory" },
		{ EACCES, "Permission denied" },
		{ EBUSY, "Device or resource busy" },
		{ ENODEV, "No such device" },
		{ ENOTDIR, "Not a directory" },
		{ EISDIR, "Is a directory" },
		{ EINVAL, "Invalid argument" },
		{ ETXTBSY, "Text file busy" },
		{ ENOSPC, "No space left on device" },
		{ EROFS, "Read-only file system" },
		{ ENAMETOOLONG, "File name too long" },
		{ ENOSYS, "Function not implemented" },
		{ ELOOP, "Too many levels of symbolic links" },
		{ EPROTO, "Protocol error" },
		{ EOPNOTSUPP, "Operation not supported" },
		{ ETIMEDOUT, "Timed out" },
		{ EKEYREJECTED, "Key was rejected by service" },
	};
	static char other[24];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].err == -err)
			return texts[i].text;
	str_format(other, sizeof(other), "error %ld", -err);
	return other;
}

char *file_read(const char *path, size_t *len)
{
	size_t size = 16384, n = 0;
	char *buf = mem_alloc(size), *more;
	long fd, ret;

	fd = sys_open(path, O_RDONLY);
	if (fd < 0)
		return NULL;
	while ((ret = sys_read(fd, buf + n, size - n - 1)) > 0) {
		n += ret;
		if (size - n > 1)
			continue;
		more = mem_alloc(size * 2);
		memcpy(more, buf, n);
		sys_call(__NR_munmap, (long)buf, size, 0, 0, 0, 0);
		buf = more;
		size *= 2;
	}
	sys_close(fd);
	if (ret < 0)
		return NULL;
	buf[n] = 0;
	if (len)
		*len = n;
	return buf;
}

long file_line(const char *path, char *buf, size_t size)
{
	long n, fd = sys_open(path, O_RDONLY);

	if (fd < 0)
		return fd;
	n = sys_read(fd, buf, size - 1);
	sys_close(fd);
	if (n < 0)
		return n;
	if (n && buf[n - 1] == '\n')
		n--;
	buf[n] = 0;
	return 0;
}

u64 clock_ns(void)
{
	struct __kernel_timespec ts = { 0 };

	sys_call(__NR_clock_gettime, CLOCK_MONOTONIC, (long)&ts, 0, 0, 0, 0);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}
