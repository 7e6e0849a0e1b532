// SPDX-License-Identifier: GPL-2.0
/*
 * Byte streams to and from descriptors: files, packets and messages. A short transfer
 * leaves the iterator behind what was transferred. See include/kvm/iov.h.
 */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <linux/kernel.h>

#include "iov.h"

/* Segments handed to one system call; the rest goes with the next. */
#define IOV_BATCH	256

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
