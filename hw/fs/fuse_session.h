/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A FUSE session: nodes, open files, requests in progress, lock owners. Only the three
 * fuse*.c files see this.
 */
#ifndef HW_FS_FUSE_SESSION_H
#define HW_FS_FUSE_SESSION_H

#include <errno.h>
#include <linux/fuse.h>
#include <linux/limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/list.h>
#include <kvm/fuse.h>
#include <kvm/host.h>
#include <kvm/log.h>

#include "share.h"

#define FUSE_NODES_MAX	(1U << 22)	/* about 220 bytes each, with name and tables */
#define FUSE_FILES_MAX	(1U << 20)	/* open ones that a state may have */
#define FUSE_HELD_MAX	(1U << 14)	/* nodes that are kept open: host.c makes room for as many */
#define FUSE_KEPT_MAX	1024U		/* files that are open without the client having opened them */
#define FUSE_WAITERS_MAX 112		/* of them waiting: each has a thread, and there is an end to those */
#define FUSE_XATTR_MAX	(64U << 10)	/* XATTR_SIZE_MAX of Linux */
#define FUSE_REFUSED	64		/* opens that are being done again */
#define FUSE_DIR_BUF	(32U << 10)	/* read ahead of a directory... */
#define FUSE_DIR_BUFS	128		/* ...for as many at a time */

/* A file's identity, and the attributes that change with its contents. */
#define FUSE_NODE_STATX	(STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)

/* Numbered objects; a number is not used again soon. Zero-initialised. */
struct fuse_slot {
	void *obj;
	u32 gen;
	u32 next;		/* in the list of free ones: index + 1 */
};

struct fuse_table {
	struct fuse_slot *slot;
	u32 size, used, free;
};

struct fuse_stamp {		/* of the contents */
	s64 mtime;
	u32 mtime_nsec;
	u64 size;
};

/*
 * A file that the client knows. It is found by (dev, ino, mount) and opened
 * (O_PATH) when something is to be done with it, by the name that it was last
 * looked up by: what is then found there has to be the same file. Directories
 * and what else was opened stay so until there are too many; what the client
 * removes stays open until it is forgotten, or there would be no way back.
 */
struct fuse_node {
	struct fuse_node *next;		/* of the same hash; or of those to be freed */
	struct fuse_node *parent;	/* a reference; NULL: the root, or no name known */
	char *name;			/* in parent */
	struct host_node *held;		/* NULL: not open */
	struct list_head lru;		/* fuse->lru: held, can be found again */
	struct list_head files;		/* fuse_file->node_files */
	u64 id;
	u64 nlookup;			/* the client's references */
	u64 dev, ino, mnt;
	u64 btime;			/* ns, 0: not known */
	struct fuse_stamp seen;		/* what the client's cache goes by */
	u32 refs;			/* of children, open files, requests */
	mode_t type;			/* S_IFMT bits */
	bool stale;			/* its number on the device belongs to another file now */
	bool passed;			/* written past the client's page cache */
};

/*
 * An open file. On a share that does not change the client sends no OPEN (no_open). A
 * file that it reads then stays open, without an ID, until there are too many or its
 * node is forgotten.
 */
struct fuse_file {
	u64 id;				/* 0: it has none, or not any more */
	u32 refs;			/* share.lock */
	bool gone;			/* share.lock: closed by the client */
	struct list_head kept;		/* fuse->kept */
	struct list_head node_files;
	struct fuse_node *node;		/* a reference */
	struct host_file *file;
	bool cached;			/* the client has a page cache of it */
	bool written;			/* atomic: since the client was told what it is like */
	short whole;			/* atomic: the lock by flock(2), F_UNLCK: none */
	pthread_mutex_t lock;		/* entries; held over file work, before all others */
	struct fuse_entries *entries;	/* read ahead; NULL: none */
};

/* Entries read from a directory that the client has not requested yet. */
struct fuse_entries {
	u64 cookie;			/* of what is at @at */
	u32 at, len;
	u8 buf[FUSE_DIR_BUF] __attribute__((aligned(8)));
};

/* A request being served, and the memory for it: one per thread in fuse_serve(). */
struct fuse_req {
	struct share_req req;		/* by head.unique */
	struct fuse *fuse;
	struct fuse_in_header head;
	struct fuse_node *node;		/* of head.nodeid; a reference */
	struct host_node *hn;		/* the same opened, of FUSE_OP_OPEN; a reference */
	const char *name;		/* of FUSE_OP_NAME: a proper one, in inbuf */
	struct fuse_file *files[2];	/* references */
	unsigned int nfiles;

	struct iov_iter *in, *out;
	const char *p;			/* what follows the fixed part of the request */
	size_t left;
	size_t room;			/* bytes that the reply may have, without the header */
	size_t len;			/* of the reply in outbuf... */
	size_t data;			/* ...and bytes behind that, already in @out */

	u8 outbuf[8 << 10] __attribute__((aligned(8)));
	u8 inbuf[FUSE_XATTR_MAX + 1024] __attribute__((aligned(8)));
	u8 buf[FUSE_XATTR_MAX] __attribute__((aligned(8)));
};

/* An open that was refused with ESTALE, as the client's cached size was old: it is retried. */
struct fuse_refused {
	u64 node;
	u32 pid;		/* a thread of the client */
};

/* share.lock is for all but the first group; it is never held over file work. */
struct fuse {
	struct share share;
	struct fuse_options opts;
	u64 timeout;			/* seconds that names and attributes are good for */
	u32 held_max;
	struct log_limit log;

	u32 minor;			/* of the protocol; 0: no session */
	u64 flags;			/* FUSE_* of INIT */
	struct fuse_table nodes, files;
	u32 nnodes;
	struct fuse_node **hash;
	u32 hash_size;			/* a power of two */
	struct fuse_node *root;
	struct list_head lru;		/* oldest first */
	u32 held;			/* nodes in it */
	bool no_open;			/* of this session */
	struct list_head kept;		/* fuse_file, oldest first */
	u32 nkept, kept_max;
	u32 nwaiters;			/* atomic */
	const char *state_name;		/* while its state is read: for messages */
	bool suspended;			/* atomic: nothing waits for a lock, see fuse_suspend() */
	u32 dir_bufs;			/* atomic */
	struct fuse_refused refused[FUSE_REFUSED];
	u32 next_refused;		/* where the next is entered */
};

/* fuse_node.c */

/* For fuse_state.c, without requests in progress: an object with its number, which nobody has. 0, -EINVAL, -ENOMEM. */
int fuse_table_put(struct fuse_table *t, u64 id, u32 max, void *obj);
void *fuse_table_get(const struct fuse_table *t, u64 id);
/* Afterwards: the numbers between are free. */
void fuse_table_fill(struct fuse_table *t);

/* What tells a file from others. */
struct fuse_identity {
	u64 dev, ino, mnt, btime;
	mode_t type;
};
void fuse_identify(struct fuse_identity *id, const struct statx *stx);
/* A node with a number, without a name. 0, -EINVAL: there is one of that number or file; -ENOMEM. */
int fuse_node_put_id(struct fuse *f, u64 id, const struct fuse_identity *is, bool stale, struct fuse_node **out);
/* An open file with a number. Takes @file over, also on failure. */
int fuse_file_put_id(struct fuse *f, u64 id, struct fuse_node *node, struct host_file *file,
		     struct fuse_file **out);

int fuse_nodes_init(struct fuse *f);

/*
 * The inode number of a file for the client. It is unique if the client sees the whole
 * share as one device.
 */
u64 fuse_ino(struct fuse *f, u64 dev, u64 ino);
void fuse_nodes_free(struct fuse *f);		/* after fuse_session_clear() */
/* All that the client holds; the root stays. */
void fuse_session_clear(struct fuse *f);

struct fuse_node *fuse_node_get(struct fuse *f, u64 id);
void fuse_node_put(struct fuse *f, struct fuse_node *node);
void fuse_node_forget(struct fuse *f, u64 id, u64 nlookup);

/*
 * The node of what @stx (of FUSE_NODE_STATX) was found as @name in @parent (NULL: it
 * has no name), for the client: one more lookup of it. *@out, if not NULL, is a
 * reference. -ENOMEM, -ENFILE.
 */
int fuse_node_enter(struct fuse *f, struct fuse_node *parent, const char *name,
		    const struct statx *stx, struct fuse_node **out, u64 *id);
/* The node of @name, if there is one. */
struct fuse_node *fuse_node_find(struct fuse *f, struct host_node *dir, const char *name);
/* @node has got the name @name; NULL: has lost it, if it was known by that. */
void fuse_node_name(struct fuse *f, struct fuse_node *node, struct fuse_node *dir,
		    const char *name);
void fuse_node_unname(struct fuse *f, struct fuse_node *node, struct fuse_node *dir,
		      const char *name);

/*
 * The host's node, opened if it is not; *@stx, if not NULL, are its attributes.
 * -ESTALE if it cannot be found any more.
 */
int fuse_node_open(struct fuse *f, struct fuse_node *node, struct host_node **out,
		   struct statx *stx);
/* Close what has not been used for long; false if there is nothing. */
bool fuse_evict(struct fuse *f);
/* -EMFILE: make room, and do it again. */
#define fuse_retry(f, expr) ({						\
	int ret_;							\
	do {								\
		ret_ = (expr);						\
	} while (ret_ == -EMFILE && fuse_evict(f));			\
	ret_;								\
})

/* Record @stx as known to the client, by a reply or by its own write. */
void fuse_node_seen(struct fuse *f, struct fuse_node *node, const struct statx *stx);
/* The client wrote past its page cache: the next open drops the cache. */
void fuse_node_pass(struct fuse *f, struct fuse_node *node);
u64 fuse_node_size(struct fuse *f, const struct fuse_node *node);

/* Takes @file over, also on failure. */
int fuse_file_add(struct fuse *f, struct fuse_node *node, struct host_file *file, bool cached,
		  u64 *id);
/*
 * The file @id; or with 0, where files are not opened, that of req->node. Put when the
 * request ends.
 */
int fuse_file_get(struct fuse_req *req, u64 id, struct fuse_file **out);
/* As at its closing, with all the locks that came by it. */
int fuse_file_remove(struct fuse *f, u64 id);

struct fuse_req *fuse_req_begin(struct fuse *f, const struct fuse_in_header *head);
void fuse_req_end(struct fuse_req *req);
/* Helpers of the requests: fuse.c. */

void *fuse_put(struct fuse_req *req, size_t len);	/* zeroed; NULL: no room, and the reply says so */
int fuse_put_entry(struct fuse_req *req, u64 id, const struct statx *stx,
		   const struct fuse_node *parent);
void fuse_fill_entry(struct fuse *f, struct fuse_entry_out *e, u64 id, const struct statx *stx,
		     u64 parent_dev);
struct host_cred fuse_cred(const struct fuse_req *req, u32 umask);

/* The requests of fuse_io.c. @arg is the fixed part. */
int fuse_open(struct fuse_req *req, const void *arg);
int fuse_create(struct fuse_req *req, const void *arg);
int fuse_tmpfile(struct fuse_req *req, const void *arg);
int fuse_release(struct fuse_req *req, const void *arg);
int fuse_flush(struct fuse_req *req, const void *arg);
int fuse_read(struct fuse_req *req, const void *arg);
int fuse_write(struct fuse_req *req, const void *arg);
int fuse_fsync(struct fuse_req *req, const void *arg);
int fuse_opendir(struct fuse_req *req, const void *arg);
int fuse_readdir(struct fuse_req *req, const void *arg);
int fuse_readdirplus(struct fuse_req *req, const void *arg);
int fuse_getlk(struct fuse_req *req, const void *arg);
int fuse_setlk(struct fuse_req *req, const void *arg);
int fuse_fallocate(struct fuse_req *req, const void *arg);
int fuse_lseek(struct fuse_req *req, const void *arg);
int fuse_copy_file_range(struct fuse_req *req, const void *arg);
int fuse_ioctl(struct fuse_req *req, const void *arg);

#endif
