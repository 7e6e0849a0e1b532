/* SPDX-License-Identifier: GPL-2.0 */
/* A FUSE client that calls the server in its own process, request by request. */
#ifndef FUSE_CLIENT_H
#define FUSE_CLIENT_H

#include <linux/fuse.h>

#include <kvm/fuse.h>

#define FC_BUF	(64U << 10)

struct fuse_client {
	struct fuse *f;
	u64 unique;
	u32 uid, gid, pid;
	size_t room;		/* for the reply */
	size_t len;		/* of the last reply's body */
	u8 in[FC_BUF] __attribute__((aligned(8)));
	u8 out[FC_BUF] __attribute__((aligned(8)));
};

/* With a session that offers all flags and the options of @opts; dir is a scratch directory. */
struct fuse_client *fc_new(const struct fuse_options *opts);
/* The same server for another thread. */
struct fuse_client *fc_share(const struct fuse_client *c);
void fc_free(struct fuse_client *c);

/* What fuse_serve() returns for @len bytes at c->in. */
ssize_t fc_raw(struct fuse_client *c, size_t len);

/*
 * A request of @arg followed by @data (which may be NULL); the error of the reply, whose
 * body is what fc_body() points at, c->len bytes.
 */
int fc_call(struct fuse_client *c, u32 op, u64 node, const void *arg, size_t arglen,
	    const void *data, size_t datalen);
static inline void *fc_body(struct fuse_client *c)
{
	return c->out + sizeof(struct fuse_out_header);
}

/* The error, or 0 and what was found. @name with its NUL goes over the wire. */
int fc_name(struct fuse_client *c, u32 op, u64 node, const char *name);
int fc_lookup(struct fuse_client *c, u64 node, const char *name, struct fuse_entry_out *e);
/* As that, for what has to be there: its node. */
u64 fc_node(struct fuse_client *c, const char *name);
void fc_forget(struct fuse_client *c, u64 node, u64 n);
int fc_open(struct fuse_client *c, u64 node, u32 flags, struct fuse_open_out *o);
int fc_opendir(struct fuse_client *c, u64 node, u64 *fh);
int fc_create(struct fuse_client *c, u64 node, const char *name, u32 flags, u32 mode,
	      struct fuse_entry_out *e, struct fuse_open_out *o);
int fc_release(struct fuse_client *c, u64 node, u64 fh);
int fc_getattr(struct fuse_client *c, u64 node, struct fuse_attr *a);
int fc_setattr(struct fuse_client *c, u64 node, const struct fuse_setattr_in *in);
/* Bytes read into the body, or the error. */
ssize_t fc_read(struct fuse_client *c, u64 fh, u64 off, u32 size);
ssize_t fc_write(struct fuse_client *c, u64 fh, u64 off, const char *s, u32 write_flags, u32 flags);
int fc_lock(struct fuse_client *c, u32 op, u64 fh, u64 owner, u32 type, u64 start, u64 end,
	    u32 lk_flags);

#endif
