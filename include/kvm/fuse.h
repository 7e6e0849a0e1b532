/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A FUSE server over a host directory. It knows requests and files, nothing of
 * guests or queues: virtio/fs.c feeds it chains, the tests feed it buffers and
 * /dev/fuse.
 */
#ifndef KVM_FUSE_H
#define KVM_FUSE_H

#include <kvm/iov.h>

struct keep;
struct opt_list;
struct fuse;
struct state;

/* How long the client caches. */
enum fuse_cache {
	FUSE_CACHE_AUTO,	/* a second; file contents until the next open, if they have changed */
	FUSE_CACHE_ALWAYS,	/* forever: the host does not change them */
	FUSE_CACHE_NONE,	/* nothing is cached */
};

struct fuse_options {
	const char *dir;	/* the shared directory */
	struct keep *keep;	/* or NULL: see host_new() */
	bool readonly;		/* enforced in the server */
	const struct opt_list *hide;	/* see host_hide(); NULL: nothing */
	enum fuse_cache cache;
	bool writeback;		/* the client may cache writes, and send them later */
	bool flat;		/* all mounts in it look like one: for a layer of an overlay */
	bool locks;		/* locks are taken on the host, not only among the client's processes */
};

#define FUSE_WRITE_MAX	(1U << 20)	/* bytes that one read or write may have */

/*
 * 0 or -errno; then *@err_out (if not NULL) is a static text saying what failed.
 * Raises the process's limit of open files: see host_new().
 */
int fuse_new(struct fuse **out, const struct fuse_options *opts, const char **err_out);
void fuse_free(struct fuse *f);

/*
 * Serve one request: read it from @in, write the reply to @out, which is advanced
 * by its length. Any number of threads may be in here at once, for different
 * requests. May block for as long as the host's file system does, and until it
 * gets a lock that a request waits for. Returns the length of the reply in bytes
 * (written from the start of @out), 0 if there is none to be sent, -ERESTART: see
 * fuse_suspend(), or -EPROTO if
 * the client broke the protocol so that no reply is possible (shorter than a
 * header, no room for an error).
 *
 * The first creation of a file on a thread gives that thread a file creation
 * mask and a working directory of its own (CLONE_FS).
 */
ssize_t fuse_serve(struct fuse *f, struct iov_iter *in, struct iov_iter *out);

/*
 * Interrupt every fuse_serve() that blocks, by HOST_SIGNAL: it replies EINTR. Any
 * thread. A thread that is just about to block may miss the signal: a caller who waits
 * for all of them to return calls this again.
 */
void fuse_interrupt(struct fuse *f);

/*
 * No fuse_serve() waits for a lock from now on (@on), also where one does already: it
 * returns -ERESTART, nothing has been done, and the request is to be served again later. As
 * with fuse_interrupt() a signal may be missed: the caller calls this again until all are back.
 */
void fuse_suspend(struct fuse *f, bool on);

/*
 * Write the session to @s, or read it into a server of the same directory that has none: nodes
 * by their names and identities, open files, locks. @name is what messages call the share. A file that is not there any more is named in
 * a warning; the client then finds it stale. No fuse_serve() is running. As state_value().
 */
int fuse_state(struct fuse *f, struct state *s, const char *name);

/*
 * Forget the session: all nodes and open files. No fuse_serve() is running. This may be a
 * process that was forked from that of fuse_new(). 0 or -errno.
 */
int fuse_reset(struct fuse *f);

#endif
