// SPDX-License-Identifier: GPL-2.0
/*
 * Byte streams over scattered memory: see include/kvm/iov.h. Only this file,
 * hw/memory.c and kvm/access.h turn guest pointers into plain ones. They are only used
 * for copying, here or in the kernel (util/iov_io.c).
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>

#include <linux/kernel.h>

#include "iov.h"

void iov_iter_init(struct iov_iter *i, const struct iovec *iov, unsigned int nr)
{
	unsigned int n;

	i->iov = iov;
	i->nr = nr;
	i->off = 0;
	i->count = 0;
	for (n = 0; n < nr; n++)
		i->count += iov[n].iov_len;
}

void iov_set_guest(struct iovec *iov, void __guest *p, size_t len)
{
	iov->iov_base = (__force void *)p;
	iov->iov_len = len;
}

/* The contiguous piece at the front, at most @len bytes; its length, 0 at the end. */
static size_t iov_iter_piece(struct iov_iter *i, size_t len, char **p)
{
	len = min(len, i->count);
	if (!len)
		return 0;
	while (i->off == i->iov->iov_len) {
		i->iov++;
		i->nr--;
		i->off = 0;
	}
	*p = (char *)i->iov->iov_base + i->off;
	return min(len, i->iov->iov_len - i->off);
}

static void iov_iter_used(struct iov_iter *i, size_t n)
{
	i->off += n;
	i->count -= n;
}

size_t iov_iter_advance(struct iov_iter *i, size_t n)
{
	size_t done = 0, len;
	char *p;

	while ((len = iov_iter_piece(i, n - done, &p))) {
		iov_iter_used(i, len);
		done += len;
	}
	return done;
}

bool iov_iter_split(struct iov_iter *i, size_t n, struct iov_iter *head)
{
	if (i->count < n)
		return false;
	*head = *i;
	iov_iter_truncate(head, n);
	iov_iter_advance(i, n);
	return true;
}

bool iov_iter_split_tail(struct iov_iter *i, size_t n, struct iov_iter *tail)
{
	if (i->count < n)
		return false;
	*tail = *i;
	iov_iter_advance(tail, i->count - n);
	iov_iter_truncate(i, i->count - n);
	return true;
}

size_t copy_from_iter(void *dst, size_t len, struct iov_iter *i)
{
	size_t done = 0, n;
	char *p;

	while ((n = iov_iter_piece(i, len - done, &p))) {
		memcpy((char *)dst + done, p, n);
		iov_iter_used(i, n);
		done += n;
	}
	return done;
}

size_t copy_to_iter(const void *src, size_t len, struct iov_iter *i)
{
	size_t done = 0, n;
	char *p;

	while ((n = iov_iter_piece(i, len - done, &p))) {
		memcpy(p, (const char *)src + done, n);
		iov_iter_used(i, n);
		done += n;
	}
	return done;
}

size_t iov_iter_zero(size_t len, struct iov_iter *i)
{
	size_t done = 0, n;
	char *p;

	while ((n = iov_iter_piece(i, len - done, &p))) {
		memset(p, 0, n);
		iov_iter_used(i, n);
		done += n;
	}
	return done;
}

int iov_iter_batch(struct iov_iter i, size_t len, struct iovec *iov, int max)
{
	int nr = 0;
	size_t n;
	char *p;

	len = min(len, (size_t)SSIZE_MAX);
	while (nr < max && (n = iov_iter_piece(&i, len, &p))) {
		iov[nr].iov_base = p;
		iov[nr++].iov_len = n;
		iov_iter_used(&i, n);
		len -= n;
	}
	return nr;
}

ssize_t iov_iter_getrandom(struct iov_iter *i, size_t len)
{
	ssize_t done = 0, n;
	size_t piece;
	char *p;

	/* Requests of up to 256 bytes are neither short nor interrupted: getrandom(2). */
	while ((piece = iov_iter_piece(i, min(len - done, (size_t)256), &p))) {
		n = getrandom(p, piece, 0);
		if (n < 0)
			return done ? done : -errno;
		iov_iter_used(i, n);
		done += n;
	}
	return done;
}
