/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a terminal can be: the host end of a serial port or of a console port.
 * Bytes in, bytes out, never blocking, never O_NONBLOCK on a file description
 * that lkvm shares with others.
 */
#ifndef KVM_TTY_H
#define KVM_TTY_H

#include <sys/types.h>

#include <kvm/iov.h>
#include <kvm/loop.h>

struct tty;

struct tty_ops {
	/* tty_read() may have something, or end of file. */
	void (*readable)(void *obj);
	/* tty_write() may take more, after it took less than all. */
	void (*writable)(void *obj);
	/* The other side has gone (reader of the pipe, peer of the socket) or has come (again). */
	void (*connected)(void *obj, bool connected);
};

/*
 * Open a terminal by its specification:
 *	null		nothing comes, everything is taken
 *	stdio		lkvm's own stdin and stdout
 *	fd:N, fd:IN:OUT	open descriptors, duplicated; either may be empty
 *	file:PATH	written to (created, appended to)
 *	pty		a new pseudo terminal; its name is said on stderr
 *	unix:PATH	a listening socket, one peer at a time
 * Callbacks come on @loop. 0 or -errno with the message printed.
 */
int tty_open(struct tty **out, const char *spec, struct loop *loop,
	     const struct tty_ops *ops, void *obj);
void tty_close(struct tty *t);

/* Bytes moved; 0: end of file (read); -EAGAIN: nothing now, a callback will come; -EPIPE: the other side has gone. */
ssize_t tty_read(struct tty *t, struct iov_iter *to, size_t len);
ssize_t tty_write(struct tty *t, struct iov_iter *from, size_t len);

/* Whether readable() callbacks are wanted (flow control). Off at first. */
void tty_want_read(struct tty *t, bool want);

/* Rows and columns if it is a terminal: 0 or -ENOTTY. */
int tty_size(struct tty *t, u16 *rows, u16 *cols);

#endif
