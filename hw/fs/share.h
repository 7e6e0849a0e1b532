/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code that both file servers use: requests in progress and their interruption, inode
 * numbers, owners of locks. The state of a server begins with a struct share, its
 * requests begin with a struct share_req. Only hw/fs sees this.
 */
#ifndef HW_FS_SHARE_H
#define HW_FS_SHARE_H

#include <errno.h>
#include <pthread.h>

#include <linux/list.h>
#include <kvm/host.h>
#include <kvm/wait.h>

#define SHARE_OWNERS_MAX	1024		/* processes that hold locks, for each file */
#define SHARE_RANGES_MAX	(1U << 14)	/* locks of theirs that deadlocks are looked for among */
#define SHARE_DEVS		256

/* A request being served, and the memory for it: one per thread in a server. */
struct share_req {
	struct list_head link;		/* share->reqs or share->idle */
	struct share *share;
	pthread_t thread;
	u64 id;				/* by which the client means it */
	bool interrupted;		/* atomic */
	bool cancelled;			/* by the client; share->lock */
	bool answered;			/* its thread is through with it; share->lock */
	bool waits;			/* atomic; for a lock, and nothing else is lost if it is interrupted */
};

/* Properties of the files on a device. */
enum share_contents {
	SHARE_CONTENTS_UNKNOWN,
	SHARE_CONTENTS_MADE,		/* made up while they are read, as those of /proc and /sys */
	SHARE_CONTENTS_STORED,
	SHARE_CONTENTS_LOCAL,		/* ...by what has nothing more to say when they are closed */
};

/* The files of a device whose inode numbers have the same upper 16 bits. */
struct share_dev {
	u64 dev;
	u16 high;
	enum share_contents contents;	/* atomic */
};

struct share {
	struct host *host;
	size_t req_size;
	bool (*make_room)(struct share *s);	/* close something; NULL: there is nothing */

	pthread_mutex_t lock;		/* everything below, and the server's; never held over file work */
	pthread_cond_t gone;		/* a request has ended that another waits for */
	unsigned int waiters;
	struct list_head reqs;		/* in order of arrival */
	struct list_head idle;
	struct list_head owners;
	struct list_head waits;		/* for locks */
	u32 nowners, nranges;
	u32 ndevs;			/* grows only; read without the lock */
	struct share_dev devs[SHARE_DEVS];
};

/* @flags are HOST_*; requests have @req_size bytes. On failure *@err_out as of host_new(). */
int share_init(struct share *s, struct keep *keep, const char *dir, unsigned int flags, size_t req_size,
	       const char **err_out);
void share_exit(struct share *s);	/* no request is in progress, no owner left */

/* Requests. NULL: no memory. */
struct share_req *share_req_begin(struct share *s, u64 id);
void share_req_end(struct share_req *req);	/* share->lock is held */

static inline bool share_req_interrupted(const struct share_req *req)
{
	return __atomic_load_n(&req->interrupted, __ATOMIC_RELAXED);
}

/*
 * Interrupt the older requests @id, or all (SHARE_ALL), and wait until they have ended, at
 * most SHARE_ROUND times @rounds (0: as long as it takes). Only older ones are waited for, so
 * no two wait for each other. -EINTR if this one is itself interrupted.
 */
int share_req_cancel(struct share_req *req, u64 id, unsigned int rounds);
#define SHARE_ALL	(~0ULL)
#define SHARE_ROUND	WAIT_MS(10)

/* Interrupt all. Those that are just about to block do not notice. */
void share_interrupt(struct share *s);
/* The same for those that wait for a lock. */
void share_interrupt_waits(struct share *s);

/*
 * Devices: the place in share->devs, -1 if there are too many; a number that no other file of
 * the tree has; and the contents, where @node is any file of the same file system.
 */
int share_dev(struct share *s, u64 dev, u64 ino);
u64 share_ino(struct share *s, u64 dev, u64 ino);
enum share_contents share_contents(struct share *s, struct host_node *node, u64 dev, u64 ino);

struct share_range {
	struct list_head link;		/* share_owner->ranges: they do not overlap */
	short type;
	s64 start, end;			/* the last byte */
};

struct state;
/* Write or read which device has which place in the inode numbers that the client knows. As state_value(). */
int share_state(struct share *share, struct state *s);

/*
 * A process of the client that holds locks on a file. POSIX locks are a process's,
 * whichever of its open files they came by, so it has an open file of its own for them.
 */
struct share_owner {
	struct list_head node;		/* share->owners; share->lock, like the rest */
	struct list_head ranges;	/* its locks, as far as they are known */
	bool untracked;			/* they are not */
	u32 refs, changes;
	u64 id;
	u32 pid;			/* atomic; what the client says */
	short whole;			/* atomic; for the server */
	const void *by;			/* by what it came: its locks end with it */
	struct host_file *file;
	char client[];			/* whose process, or "" */
};

struct share_owner_key {
	u64 id;
	const char *client;
	struct host_file *file;		/* to be locked */
	struct host_node *node;		/* the same file */
	const void *by;
	const bool *gone;		/* under share->lock: @by has no more locks */
};

/* A reference; NULL if there is none and none is to be made. */
int share_owner_get(struct share *s, const struct share_owner_key *key, bool make,
		    struct share_owner **out);
/* @idle: it has let go of all locks, unless it has taken others since @changes. */
void share_owner_put(struct share *s, struct share_owner *o, bool idle, u32 changes);
/* The owners that came by @by, for share_owners_put(). share->lock is held. */
void share_owners_take(struct share *s, const void *by, struct list_head *list);
void share_owners_put(struct share *s, struct list_head *list);
/* All locks of @id on the file. */
void share_owner_drop(struct share *s, struct host_node *node, u64 id);
/* The process that is probably meant by a lock of this file that is not @o's; or 0. */
u32 share_owner_other(struct share *s, struct host_node *node, const struct share_owner *o);

/*
 * Set or release the lock, of F_OFD_SETLK; -EAGAIN if another one is in the way, or @wait for
 * it: then -EDEADLK if those who hold it wait, one for the other, for this process.
 */
int share_lock(struct share *s, struct share_owner *o, struct flock *lock, bool wait);

#endif
