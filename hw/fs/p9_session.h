/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A 9P session: fids, messages in progress, lock owners and inode numbers. Only the
 * p9*.c files see this.
 */
#ifndef HW_FS_P9_SESSION_H
#define HW_FS_P9_SESSION_H

#include <linux/limits.h>
#include <pthread.h>

#include <linux/list.h>
#include <linux/rbtree.h>
#include <kvm/host.h>
#include <kvm/p9.h>

#include "p9_wire.h"
#include "share.h"

#define P9_FIDS_MAX	(1U << 20)
#define P9_XATTR_MAX	(64U << 10)	/* XATTR_SIZE_MAX of Linux */
#define P9_XATTRS_MAX	(16U << 20)	/* bytes of values that fids hold */

/* One Tattach: the tree it sees, and for whom it creates. Shared by its fids. */
struct p9_attach {
	u32 refs;
	u32 uid;
	struct host_node *root;
};

/* A value (or the list of names) that is being read or written through a fid. */
struct p9_xattr {
	pthread_mutex_t lock;	/* done, data */
	bool write;
	int flags;		/* XATTR_CREATE, XATTR_REPLACE */
	u32 size, done;
	char name[XATTR_NAME_MAX + 1];
	u8 data[];
};

/*
 * A fid never changes, except that it is opened once. An operation that makes it refer
 * to another file (a walk to itself, a creation) replaces it by a new one. So a message
 * that still uses the old one keeps its file. It lives as long as the table or a message
 * refers to it.
 */
struct p9_fid {
	struct rb_node node;		/* p9->fids */
	u32 id;
	u32 refs;			/* share.lock */
	bool gone;			/* share.lock: not in the table any more */
	struct p9_attach *attach;
	struct host_node *file_node;
	struct host_file *file;		/* NULL until opened; p9_fid_file() */
	struct p9_xattr *xattr;		/* then it is nothing else */
};

static inline struct host_file *p9_fid_file(struct p9_fid *fid)
{
	return __atomic_load_n(&fid->file, __ATOMIC_ACQUIRE);
}

/* A message being served, and the memory for it: one per thread in p9_serve(). */
struct p9_req {
	struct share_req req;		/* by its tag */
	struct p9 *p9;
	u32 limit;			/* bytes that the reply may have */
	struct p9_fid *made;		/* put into the table by this message; a reference */
	struct p9_fid *fids[2];		/* used by this message; references */
	unsigned int nfids;

	struct iov_iter *t, *r;
	struct p9_in in;
	struct p9_out out;		/* of the reply, what follows the header... */
	u32 data;			/* ...and bytes behind that, already in @r */

	u8 inbuf[8 << 10];
	u8 outbuf[8 << 10];
	u8 buf[P9_XATTR_MAX] __attribute__((aligned(8)));
};

/* share.lock is for all that is not atomic; it is never held over file work. */
struct p9 {
	struct share share;
	u32 msize_max;
	u32 msize;			/* atomic; 0: no session */
	struct rb_root fids;
	u32 nfids;
	u32 xattr_bytes;		/* atomic */
};

/* Messages. p9_req_answer() is true if the reply must not be sent; p9_delivered() ends one. */
struct p9_req *p9_req_begin(struct p9 *p9, u16 tag);
bool p9_req_answer(struct p9_req *req);

/* fids. p9_fid_get() puts the fid when the message ends. */
int p9_fid_get(struct p9_req *req, u32 id, struct p9_fid **out);
struct p9_fid *p9_fid_new(struct p9_attach *attach, struct host_node *node);
void p9_fid_put(struct p9 *p9, struct p9_fid *fid);
bool p9_fid_used(struct p9 *p9, u32 id);
/* Enter @fid as @id, in the place of @old if there is one. Takes @fid over, also on failure. */
int p9_fid_add(struct p9_req *req, u32 id, struct p9_fid *old, struct p9_fid *fid);
/* For p9_state.c: enter @fid, whose reference is the table's then; -EINVAL: it is in use, or there are too many. */
int p9_fid_load(struct p9 *p9, u32 id, struct p9_fid *fid);
/* Take it out of the table; the table's reference is the caller's now. */
int p9_fid_remove(struct p9 *p9, u32 id, struct p9_fid **out);
void p9_fids_clear(struct p9 *p9);

void p9_attach_put(struct p9_attach *attach);

int p9_xattr_new(struct p9 *p9, struct p9_fid *fid, const char *name, u32 size);

/* The qid of a file on @dev; @near is any node there. */
struct p9_qid p9_qid(struct p9 *p9, struct host_node *near, dev_t dev, u64 ino, mode_t type);

/* Decoding and encoding what messages have in common. p9_get_file() puts the fid as above. */
void p9_get_name(struct p9_in *in, char name[NAME_MAX + 1]);
int p9_get_file(struct p9_req *req, u32 id, struct p9_fid **out);
struct p9_qid p9_node_qid(struct p9_req *req, struct host_node *node);
void p9_put_node(struct p9_req *req, struct host_node *node);
struct host_cred p9_cred(struct p9_fid *fid, gid_t gid);

/* The messages in p9_io.c. */
int p9_lopen(struct p9_req *req);
int p9_lcreate(struct p9_req *req);
int p9_read(struct p9_req *req);
int p9_write(struct p9_req *req);
int p9_readdir(struct p9_req *req);
int p9_fsync(struct p9_req *req);
int p9_lock(struct p9_req *req);
int p9_getlock(struct p9_req *req);
int p9_xattrwalk(struct p9_req *req);
int p9_xattrcreate(struct p9_req *req);
/* Set what was written through @fid: it is being clunked. */
int p9_xattr_commit(struct p9_fid *fid);

#endif
