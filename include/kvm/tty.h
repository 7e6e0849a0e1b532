/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A terminal: the host end of a serial port or of a console port. It reads and writes
 * bytes and never blocks. It never sets O_NONBLOCK on a file description that lkvm
 * shares with other processes. The process ignores SIGPIPE.
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
	/* unix and pty: a peer has connected (again). tty_read() and tty_write() report that it has gone. */
	void (*connected)(void *obj);
};

/*
 * Open a terminal by its specification:
 *	null		no input; accepts all output
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
 * terminal in @keep, and the next tty_open_kept() of this @spec takes it from there, with
 * its peer and the bytes that the peer has sent meanwhile.
 */
int tty_open_kept(struct tty **out, struct keep *keep, const char *spec, struct loop *loop,
		  const struct tty_ops *ops, void *obj);

/* Print on stderr the name of the other end of @who, a pty: once; nothing if it is no pty. */
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
 *	0	read: end of file. unix and pty return it once for each peer, then
 *		-EAGAIN until the next one connects; all others go on returning it
 *	-EAGAIN	nothing now; a callback will come
 *	-EPIPE	write: there is no peer (unix and pty: at the moment)
 * A write may take less than all, then writable() is called. A terminal without an
 * input ("null", "file:", "fd::1") never has any; one without an output accepts
 * everything.
 */
ssize_t tty_read(struct tty *t, struct iov_iter *to, size_t len);
ssize_t tty_write(struct tty *t, struct iov_iter *from, size_t len);

/* Whether readable() callbacks are wanted (flow control). Off at first; silent after end of file. */
void tty_want_read(struct tty *t, bool want);

/* False while a unix or pty waits for a peer. */
bool tty_is_connected(const struct tty *t);
/* Whether its kind has an input, or an output. */
bool tty_has_input(const struct tty *t);
bool tty_has_output(const struct tty *t);

/* Rows and columns if it is a terminal that knows them: 0 or -ENOTTY. */
int tty_size(const struct tty *t, u16 *rows, u16 *cols);

#endif
