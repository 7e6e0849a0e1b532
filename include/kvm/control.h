/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket of a machine: a unix stream socket, NAME.sock, in a
 * directory of the user's own. A client sends lines and reads lines:
 *
 *	info			a verb, and what it may need after a space
 *	state=running		zero or more values,
 *	ok			then "ok", or "error: TEXT"
 *
 * so that "socat - UNIX:PATH" is a debugger. A connection ends when the machine
 * ends. This is the protocol, both sides; the verbs are the caller's.
 *
 * A machine opens nothing by name while it runs (Documentation/confinement.rst). The
 * command that the user types opens a file with the user's rights, and sends the
 * descriptor with the line of the request (SCM_RIGHTS of unix(7)). A verb declares how
 * many it takes and of what kind. Those that nobody takes are closed. A client sends a
 * request with descriptors after the reply to the request before it.
 */
#ifndef KVM_CONTROL_H
#define KVM_CONTROL_H

#include <stdio.h>

#include <kvm/loop.h>
#include <kvm/opt.h>
#include <kvm/types.h>

#define CONTROL_LINE_MAX	4096	/* bytes of a request, with its LF */
#define CONTROL_REPLY_MAX	(64 * 1024)	/* bytes of a whole reply */
#define CONTROL_PEERS_MAX	128	/* connections at a time; more are refused */
#define CONTROL_FDS_MAX		16	/* descriptors of a request */

/* What a descriptor may be: one of these kinds, */
enum {
	CONTROL_FILE	= 1 << 0,
	CONTROL_BLOCK	= 1 << 1,
	CONTROL_CHAR	= 1 << 2,
	CONTROL_DIR	= 1 << 3,
	CONTROL_PIPE	= 1 << 4,
	CONTROL_SOCKET	= 1 << 5,
	CONTROL_KINDS	= (1 << 6) - 1,
	/* and open for each of these. */
	CONTROL_READ	= 1 << 6,
	CONTROL_WRITE	= 1 << 7,
};

/* How long a client waits for a reply: longer than any verb takes. */
#define CONTROL_PATIENCE_NS	(20ULL * 1000 * 1000 * 1000)

struct control;

/* The values of a reply, and the text of an error. Values that do not fit are left out. */
struct control_reply {
	char values[CONTROL_REPLY_MAX - 512];
	size_t len;
	struct opt_err err;
	/* private: descriptors of the request, -1: taken; see control_take() */
	int fd[CONTROL_FDS_MAX];
	unsigned int nr_fds;
	u32 later;		/* control_later() */
};

struct control_verb {
	const char *verb;		/* NULL: the end of the table */
	const char *help;		/* one line: the verb "help" lists them */
	/* @arg is what follows the verb, or "". 0, or -errno with reply->err filled in. On the loop. */
	int (*fn)(void *obj, const char *arg, struct control_reply *reply);
	u8 fd[CONTROL_FDS_MAX];		/* descriptors that it takes, CONTROL_* each; 0 ends them */
	u8 need;			/* at least so many of them come */
};

/* One more "key=value" line; a control character in the value becomes a dot. */
void control_value(struct control_reply *reply, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Refuse a request. Returns @err, for "return control_refuse(...)". */
int control_refuse(struct control_reply *reply, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * In a verb: descriptor @n of the request, close-on-exec, of the kind that the verb declares. It is
 * the verb's from now on; the others are closed when the verb returns. -1: the request has none there.
 */
int control_take(struct control_reply *reply, unsigned int n);

/*
 * In a verb: the reply comes later, by control_finish(). The verb returns 0, and what is in
 * @reply is dropped. Returns the number of the request, which is not 0. Until then the
 * client's other requests wait.
 */
u32 control_later(struct control *c, struct control_reply *reply);
/* On the loop. @why NULL: ok; or the text of an error. A client that has gone is no error. */
void control_finish(struct control *c, u32 id, const char *why);

/*
 * Make the socket of a machine called @name. It listens at once. Requests are served
 * while it is attached to a loop, and wait otherwise. The stale socket of a dead machine
 * of that name is removed; a live machine is -EADDRINUSE. @obj is for the verbs. 0, or -errno with @err filled in.
 */
int control_open(struct control **out, const char *name, void *obj, struct opt_err *err);
/* Remove the socket, then close all connections. NULL is nothing. */
void control_close(struct control *c);

/* Serve requests by @verbs, which stay the caller's. 0 or -errno. On the loop's thread, or before it runs. */
int control_attach(struct control *c, struct loop *loop, const struct control_verb *verbs);
void control_detach(struct control *c);

const char *control_path(const struct control *c);

/* The other side: a connection to the machine @name, or -errno (-ENOENT: there is none) with @err filled in. */
int control_connect(const char *name, struct opt_err *err);

/*
 * Send @line (without LF) and wait for the reply: its values in @values, one a
 * line. 0, or -errno with @err filled in: -EPROTO when the machine said "error".
 */
int control_request(int fd, const char *line, char *values, size_t len, struct opt_err *err);

/*
 * The two halves of it, for questions to many machines at a time. @nr descriptors go with
 * @line and stay the caller's. control_answer() waits until @deadline, by loop_now(): -ETIMEDOUT.
 */
void control_ask(int fd, const char *line, const int *fds, unsigned int nr);
int control_answer(int fd, u64 deadline, char *values, size_t len, struct opt_err *err);

/*
 * Wait until the machine is gone and its name is free, or for @ms milliseconds
 * (-1: as long as it takes); false: it is still there.
 */
bool control_wait(int fd, int ms);

/*
 * Call fn(obj, name) for each live machine, in no order. Sockets of dead ones are
 * removed. 0, or -errno with @err filled in. A missing directory means no machines.
 */
int control_each(void (*fn)(void *obj, const char *name), void *obj, struct opt_err *err);

#endif
