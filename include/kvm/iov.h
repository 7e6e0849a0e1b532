/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Byte streams over scattered memory, with the kernel's names. Every function
 * is bounded by what is left in the iterator, advances it, and returns the
 * number of bytes moved. An iterator over guest memory reads bytes that can
 * change at any time: copy once, check the copy.
 */
#ifndef KVM_IOV_H
#define KVM_IOV_H

#include <sys/types.h>
#include <sys/uio.h>

#include <kvm/types.h>

struct iov_iter {
	const struct iovec *iov;	/* the current segment; not owned */
	unsigned int nr;		/* segments left, the current one included */
	size_t off;			/* bytes of the current segment already used */
	size_t count;			/* bytes left */
};

/* @iov must outlive the iterator; its lengths must not sum to over SIZE_MAX. */
void iov_iter_init(struct iov_iter *i, const struct iovec *iov, unsigned int nr);

/* Make @iov stand for @len bytes of guest memory at @p. */
void iov_set_guest(struct iovec *iov, void __guest *p, size_t len);

static inline size_t iov_iter_count(const struct iov_iter *i)
{
	return i->count;
}

/* Leave at most @count bytes. */
static inline void iov_iter_truncate(struct iov_iter *i, size_t count)
{
	if (i->count > count)
		i->count = count;
}

/* Skip up to @n bytes; returns how many were skipped. */
size_t iov_iter_advance(struct iov_iter *i, size_t n);

/* Cut the first @n bytes off @i into @head; false, and nothing done, if @i is shorter. */
bool iov_iter_split(struct iov_iter *i, size_t n, struct iov_iter *head);

/* Cut the last @n bytes off @i into @tail; false, and nothing done, if @i is shorter. */
bool iov_iter_split_tail(struct iov_iter *i, size_t n, struct iov_iter *tail);

size_t copy_from_iter(void *dst, size_t len, struct iov_iter *i);
size_t copy_to_iter(const void *src, size_t len, struct iov_iter *i);
size_t iov_iter_zero(size_t len, struct iov_iter *i);

/*
 * Move up to @len bytes between @i and a file: 0 at end of file, else the
 * bytes moved (a short count is possible as with the system call), or -errno.
 * @off is a file offset, or -1 for the file's own position. @flags are RWF_*.
 */
ssize_t iov_iter_read(struct iov_iter *i, int fd, size_t len, off_t off, int flags);
ssize_t iov_iter_write(struct iov_iter *i, int fd, size_t len, off_t off, int flags);

/*
 * Move one packet between all of @i and a file that keeps packets apart (a tap, a
 * datagram socket): one system call, the bytes moved or -errno. -EMSGSIZE, and
 * nothing done: @i has more segments than a system call takes. A packet that is
 * longer than @i is cut.
 */
ssize_t iov_iter_read_packet(struct iov_iter *i, int fd);
ssize_t iov_iter_write_packet(struct iov_iter *i, int fd);

/*
 * The same between up to @len bytes of @i and a socket, with whatever else @msg says
 * (an address, ancillary data); its iov is filled in here. @flags are MSG_*. -EMSGSIZE as
 * above.
 */
struct msghdr;
ssize_t iov_iter_recvmsg(struct iov_iter *i, int fd, size_t len, struct msghdr *msg, int flags);
ssize_t iov_iter_sendmsg(struct iov_iter *i, int fd, size_t len, struct msghdr *msg, int flags);

/* Fill up to @len bytes from getrandom(2); the bytes filled, or -errno. */
ssize_t iov_iter_getrandom(struct iov_iter *i, size_t len);

#endif
