// SPDX-License-Identifier: GPL-2.0
/*
 * Byte streams over scattered memory: see include/kvm/iov.h. Only this file,
 * hw/memory.c and kvm/access.h turn guest pointers into plain ones. They are only used
 * for copying, here or in the kernel.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <linux/kernel.h>
#include <kvm/iov.h>

/* Segments handed to one system call; the rest goes with the next. */
#define IOV_BATCH	256

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

/* Fill @iov from a copy of the iterator: at most @len bytes in @max segments. */
static int iov_iter_batch(struct iov_iter i, size_t len, struct iovec *iov, int max)
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

static ssize_t iov_iter_io(struct iov_iter *i, int fd, size_t len, off_t off, int flags,
			   ssize_t (*fn)(int, const struct iovec *, int, off_t, int))
{
	struct iovec iov[IOV_BATCH];
	ssize_t done = 0;

	len = min(len, i->count);
	while (len) {
		int nr = iov_iter_batch(*i, len, iov, IOV_BATCH), s;
		size_t want = 0;
		ssize_t n;

		for (s = 0; s < nr; s++)
			want += iov[s].iov_len;
		n = fn(fd, iov, nr, off < 0 ? -1 : off + done, flags);
		if (n < 0)
			return done ? done : -errno;
		iov_iter_advance(i, n);
		done += n;
		len -= n;
		/* A stream has said that it is ready once: a second call could block. */
		if ((size_t)n < want || off < 0)
			break;
	}
	return done;
}

/*
 * preadv2() with offset -1 uses the file's own position, but not every kind of
 * file knows it; plain readv() is the same without flags.
 */
static ssize_t iov_readv(int fd, const struct iovec *iov, int nr, off_t off, int flags)
{
	if (off < 0 && !flags)
		return readv(fd, iov, nr);
	return preadv2(fd, iov, nr, off, flags);
}

static ssize_t iov_writev(int fd, const struct iovec *iov, int nr, off_t off, int flags)
{
	if (off < 0 && !flags)
		return writev(fd, iov, nr);
	return pwritev2(fd, iov, nr, off, flags);
}

ssize_t iov_iter_read(struct iov_iter *i, int fd, size_t len, off_t off, int flags)
{
	return iov_iter_io(i, fd, len, off, flags, iov_readv);
}

ssize_t iov_iter_write(struct iov_iter *i, int fd, size_t len, off_t off, int flags)
{
	return iov_iter_io(i, fd, len, off, flags, iov_writev);
}

static ssize_t iov_iter_packet(struct iov_iter *i, int fd,
			       ssize_t (*fn)(int, const struct iovec *, int))
{
	struct iovec iov[IOV_MAX];
	int nr = iov_iter_batch(*i, i->count, iov, IOV_MAX), s;
	size_t len = 0;
	ssize_t n;

	for (s = 0; s < nr; s++)
		len += iov[s].iov_len;
	if (len < i->count)
		return -EMSGSIZE;
	n = fn(fd, iov, nr);
	if (n < 0)
		return -errno;
	iov_iter_advance(i, n);
	return n;
}

ssize_t iov_iter_read_packet(struct iov_iter *i, int fd)
{
	return iov_iter_packet(i, fd, readv);
}

ssize_t iov_iter_write_packet(struct iov_iter *i, int fd)
{
	return iov_iter_packet(i, fd, writev);
}

static ssize_t iov_iter_msg(struct iov_iter *i, int fd, size_t len, struct msghdr *msg, int flags, bool send)
{
	struct iovec iov[IOV_MAX];
	int nr = iov_iter_batch(*i, min(len, i->count), iov, IOV_MAX), s;
	size_t want = min(len, i->count);
	ssize_t n;

	for (s = 0; s < nr; s++)
		want -= iov[s].iov_len;
	if (want)
		return -EMSGSIZE;
	msg->msg_iov = iov;
	msg->msg_iovlen = nr;
	n = send ? sendmsg(fd, msg, flags) : recvmsg(fd, msg, flags);
	if (n < 0)
		return -errno;
	/* With MSG_TRUNC the length of a datagram that was cut. */
	iov_iter_advance(i, n);
	return n;
}

ssize_t iov_iter_recvmsg(struct iov_iter *i, int fd, size_t len, struct msghdr *msg, int flags)
{
	return iov_iter_msg(i, fd, len, msg, flags, false);
}

ssize_t iov_iter_sendmsg(struct iov_iter *i, int fd, size_t len, struct msghdr *msg, int flags)
{
	return iov_iter_msg(i, fd, len, msg, flags, true);
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
