/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a terminal can be: the host end of a serial port or of a console port.
 * Bytes in, bytes out, never blocking, never O_NONBLOCK on a file description
 * that lkvm shares with others. The process ignores SIGPIPE.
 */
#ifndef KVM_TTY_H
#define KVM_TTY_H

#include <sys/types.h>

#include <kvm/iov.h>
#include <kvm/loop.h>

struct keep;
struct tty;

/* Each may be NULL. They may call everything here; after tty_close() they just return. */
struct tty_ops {
	/* tty_read() may have something, or end of file. */
	void (*readable)(void *obj);
	/* tty_write() may take more, after it took less than all. */
	void (*writable)(void *obj);
	/* unix and pty: somebody is at the other side (again). That nobody is there any more is for tty_read() and tty_write() to say. */
	void (*connected)(void *obj);
};

/*
 * Open a terminal by its specification:
 *	null		nothing comes, everything is taken
 *	stdio		lkvm's own stdin and stdout
 *	fd:N, fd:IN:OUT	open descriptors, duplicated; either may be empty
 *	file:PATH	written to (created, appended to)
 *	pty		a new pseudo terminal: tty_announce()
 *	unix:PATH	a listening socket, one peer at a time
 * Callbacks come on @loop; NULL: nowhere, until tty_attach(). 0 or -errno with
 * the message printed.
 */
int tty_open(struct tty **out, const char *spec, struct loop *loop,
	     const struct tty_ops *ops, void *obj);
void tty_close(struct tty *t);

/*
 * The same for a device of a machine that may start again: tty_close() leaves the
 * terminal in @keep, and the next one of this @spec is that one, with its peer, what
 * that has sent meanwhile, and its end.
 */
int tty_open_kept(struct tty **out, struct keep *keep, const char *spec, struct loop *loop,
		  const struct tty_ops *ops, void *obj);

/* Say on stderr where the other end of @who, a pty, is: once, and nothing if it is no pty. */
void tty_announce(struct tty *t, const char *who);

/*
 * For an owner whose loop comes and goes: callbacks come on @loop from now on,
 * or nowhere. Nothing is lost meanwhile; tty_read() and tty_write() keep
 * working. On the loop's thread.
 */
void tty_attach(struct tty *t, struct loop *loop);
void tty_detach(struct tty *t);

/*
 * Move up to @len bytes: the bytes moved, or
 *	0	read: end of file. unix and pty say it once for each peer, and
 *		-EAGAIN until the next one comes; all others go on saying it
 *	-EAGAIN	nothing now; a callback will come
 *	-EPIPE	write: nobody is there to take it (unix and pty: at the moment)
 * A write may take less than all, then writable() comes. Where there is no way
 * in ("null", "file:", "fd::1") nothing ever comes; where there is no way out
 * everything is taken.
 */
ssize_t tty_read(struct tty *t, struct iov_iter *to, size_t len);
ssize_t tty_write(struct tty *t, struct iov_iter *from, size_t len);

/* Whether readable() callbacks are wanted (flow control). Off at first; silent after end of file. */
void tty_want_read(struct tty *t, bool want);

/* False while a unix or pty waits for somebody to come. */
bool tty_is_connected(const struct tty *t);
/* Whether it is of a kind that something can come from, or be written to. */
bool tty_has_input(const struct tty *t);
bool tty_has_output(const struct tty *t);

/* Rows and columns if it is a terminal that knows them: 0 or -ENOTTY. */
int tty_size(const struct tty *t, u16 *rows, u16 *cols);

#endif
