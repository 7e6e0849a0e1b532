/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A 9P2000.L server over a host directory. It knows messages and files,
 * nothing of guests or queues: virtio/p9.c feeds it chains, the tests feed it
 * sockets.
 */
#ifndef KVM_P9_H
#define KVM_P9_H

#include <kvm/iov.h>

struct keep;
struct opt_list;
struct p9;
struct p9_req;
struct state;

struct p9_options {
	const char *dir;	/* the shared directory */
	struct keep *keep;	/* or NULL: see host_new() */
	bool readonly;		/* enforced in the server */
	const struct opt_list *hide;	/* see host_hide(); NULL: nothing */
	u32 msize_max;		/* largest message in bytes; 0: P9_MSIZE_MAX */
};

#define P9_MSIZE_MAX	(1U << 20)
#define P9_TAG_MAX	255	/* bytes of a mount tag: it is a config field and a mount source */

/*
 * 0 or -errno; then *@err_out (if not NULL) is a static text saying what failed.
 * Raises the process's limit of open files: see host_new().
 */
int p9_new(struct p9 **out, const struct p9_options *opts, const char **err_out);
void p9_free(struct p9 *p9);

/*
 * Serve one message: read it from @t, write the reply to @r, which is advanced
 * by its length. Any number of threads may be in here at once, for different
 * messages. May block for as long as the host's file system does. Returns the
 * length of the reply in bytes (written from the start of @r), 0 if there is
 * none to be sent (the message was flushed), or -EPROTO if the client broke the
 * protocol so that no reply is possible (shorter than a header, no room for an
 * error reply).
 *
 * A client may reuse a tag as soon as its flush is answered. So a flush waits until the
 * reply to the flushed message has been delivered: the caller then passes *@undelivered
 * to p9_delivered(). NULL: nothing waits.
 *
 * The first creation of a file on a thread gives that thread a file creation
 * mask and a working directory of its own (CLONE_FS): the mask is 0 from then on.
 */
ssize_t p9_serve(struct p9 *p9, struct iov_iter *t, struct iov_iter *r,
		 struct p9_req **undelivered);
void p9_delivered(struct p9_req *req);

/*
 * Interrupt every p9_serve() that blocks, by HOST_SIGNAL: it returns with EINTR. Any
 * thread. A thread that is just about to block may miss the signal: a caller who waits
 * for all of them to return calls this again. Some waits cannot be interrupted, for
 * example on a dead network mount.
 */
void p9_interrupt(struct p9 *p9);

/*
 * Write the session to @s, or read it into a server of the same directory that has none: fids by
 * their paths and identities, open files. @name is what messages call the share. A file that is
 * not there any more is named in a warning, and its fid is unknown then. A session with locks
 * is refused. No p9_serve() is running. As state_value().
 */
int p9_state(struct p9 *p9, struct state *s, const char *name);

/*
 * Forget the session: all fids clunked. No p9_serve() is running. This may be a process that was
 * forked from that of p9_new(). 0 or -errno.
 */
int p9_reset(struct p9 *p9);

#endif
