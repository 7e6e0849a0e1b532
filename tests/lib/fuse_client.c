// SPDX-License-Identifier: GPL-2.0
/* A FUSE client in the server's process: see fuse_client.h. */
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "fuse_client.h"
#include "scratch.h"
#include "tap.h"

struct fuse_client *fc_new(const struct fuse_options *opts)
{
	struct fuse_init_in init = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = 65536, .flags = 0x7fffffff, .flags2 = ~0U,
	};
	struct fuse_options o = { 0 };
	struct fuse_client *c = calloc(1, sizeof(*c));
	const char *err = NULL;
	int ret;

	CHECK(c);
	if (opts)
		o = *opts;
	if (!o.dir)
		o.dir = scratch_dir();
	ret = fuse_new(&c->f, &o, &err);
	if (ret)
		tap_fail(__FILE__, __LINE__, "fuse_new %s: %s: %s", o.dir, err, strerror(-ret));
	c->room = FC_BUF;
	CHECK_EQ(fc_call(c, FUSE_INIT, 0, &init, sizeof(init), NULL, 0), 0);
	return c;
}

struct fuse_client *fc_share(const struct fuse_client *c)
{
	struct fuse_client *other = calloc(1, sizeof(*other));

	CHECK(other);
	other->f = c->f;
	other->room = FC_BUF;
	other->unique = c->unique + 1000000;
	return other;
}

void fc_free(struct fuse_client *c)
{
	fuse_free(c->f);
	free(c);
}

ssize_t fc_raw(struct fuse_client *c, size_t len)
{
	/* In pieces, as a guest's buffers may come. */
	struct iovec iv[2] = { { c->in, min(len, (size_t)13) }, { c->in + 13, len > 13 ? len - 13 : 0 } };
	struct iovec ov[2] = { { c->out, min(c->room, (size_t)7) },
			       { c->out + 7, c->room > 7 ? c->room - 7 : 0 } };
	struct iov_iter in, out;

	iov_iter_init(&in, iv, 2);
	iov_iter_init(&out, ov, 2);
	return fuse_serve(c->f, &in, &out);
}

int fc_call(struct fuse_client *c, u32 op, u64 node, const void *arg, size_t arglen,
	    const void *data, size_t datalen)
{
	struct fuse_in_header h = {
		.len = sizeof(h) + arglen + datalen, .opcode = op, .unique = ++c->unique,
		.nodeid = node, .uid = c->uid, .gid = c->gid, .pid = c->pid,
	};
	struct fuse_out_header *o = (void *)c->out;
	ssize_t n;

	CHECK(h.len <= FC_BUF);
	memcpy(c->in, &h, sizeof(h));
	if (arglen)
		memcpy(c->in + sizeof(h), arg, arglen);
	if (datalen)
		memcpy(c->in + sizeof(h) + arglen, data, datalen);
	memset(c->out, 0xee, sizeof(*o));
	n = fc_raw(c, h.len);
	c->len = 0;
	if (!n)
		return 0;
	CHECK(n >= (ssize_t)sizeof(*o));
	CHECK_EQ(o->len, n);
	CHECK_EQ(o->unique, c->unique);
	CHECK(!o->error || n == sizeof(*o));
	c->len = n - sizeof(*o);
	return o->error;
}

int fc_name(struct fuse_client *c, u32 op, u64 node, const char *name)
{
	return fc_call(c, op, node, NULL, 0, name, strlen(name) + 1);
}

int fc_lookup(struct fuse_client *c, u64 node, const char *name, struct fuse_entry_out *e)
{
	int ret = fc_name(c, FUSE_LOOKUP, node, name);

	if (!ret) {
		CHECK_EQ(c->len, sizeof(*e));
		memcpy(e, fc_body(c), sizeof(*e));
	}
	return ret;
}

u64 fc_node(struct fuse_client *c, const char *name)
{
	struct fuse_entry_out e;
	int ret = fc_lookup(c, FUSE_ROOT_ID, name, &e);

	if (ret || !e.nodeid)
		tap_fail(__FILE__, __LINE__, "lookup %s: %d", name, ret);
	return e.nodeid;
}

void fc_forget(struct fuse_client *c, u64 node, u64 n)
{
	struct fuse_forget_in in = { n };

	CHECK_EQ(fc_call(c, FUSE_FORGET, node, &in, sizeof(in), NULL, 0), 0);
}

int fc_open(struct fuse_client *c, u64 node, u32 flags, struct fuse_open_out *o)
{
	struct fuse_open_in in = { .flags = flags };
	int ret = fc_call(c, FUSE_OPEN, node, &in, sizeof(in), NULL, 0);

	if (!ret)
		memcpy(o, fc_body(c), sizeof(*o));
	return ret;
}

int fc_opendir(struct fuse_client *c, u64 node, u64 *fh)
{
	struct fuse_open_in in = { 0 };
	int ret = fc_call(c, FUSE_OPENDIR, node, &in, sizeof(in), NULL, 0);

	if (!ret)
		*fh = ((struct fuse_open_out *)fc_body(c))->fh;
	return ret;
}

int fc_create(struct fuse_client *c, u64 node, const char *name, u32 flags, u32 mode,
	      struct fuse_entry_out *e, struct fuse_open_out *o)
{
	struct fuse_create_in in = { .flags = flags, .mode = mode };
	int ret = fc_call(c, FUSE_CREATE, node, &in, sizeof(in), name, strlen(name) + 1);

	if (!ret) {
		CHECK_EQ(c->len, sizeof(*e) + sizeof(*o));
		memcpy(e, fc_body(c), sizeof(*e));
		memcpy(o, (u8 *)fc_body(c) + sizeof(*e), sizeof(*o));
	}
	return ret;
}

int fc_release(struct fuse_client *c, u64 node, u64 fh)
{
	struct fuse_release_in in = { .fh = fh };

	return fc_call(c, FUSE_RELEASE, node, &in, sizeof(in), NULL, 0);
}

int fc_getattr(struct fuse_client *c, u64 node, struct fuse_attr *a)
{
	struct fuse_getattr_in in = { 0 };
	int ret = fc_call(c, FUSE_GETATTR, node, &in, sizeof(in), NULL, 0);

	if (!ret)
		*a = ((struct fuse_attr_out *)fc_body(c))->attr;
	return ret;
}

int fc_setattr(struct fuse_client *c, u64 node, const struct fuse_setattr_in *in)
{
	return fc_call(c, FUSE_SETATTR, node, in, sizeof(*in), NULL, 0);
}

ssize_t fc_read(struct fuse_client *c, u64 fh, u64 off, u32 size)
{
	struct fuse_read_in in = { .fh = fh, .offset = off, .size = size };
	int ret = fc_call(c, FUSE_READ, FUSE_ROOT_ID, &in, sizeof(in), NULL, 0);

	return ret ? ret : (ssize_t)c->len;
}

ssize_t fc_write(struct fuse_client *c, u64 fh, u64 off, const char *s, u32 write_flags, u32 flags)
{
	struct fuse_write_in in = {
		.fh = fh, .offset = off, .size = strlen(s), .write_flags = write_flags, .flags = flags,
	};
	int ret = fc_call(c, FUSE_WRITE, FUSE_ROOT_ID, &in, sizeof(in), s, strlen(s));

	return ret ? ret : (ssize_t)((struct fuse_write_out *)fc_body(c))->size;
}

int fc_lock(struct fuse_client *c, u32 op, u64 fh, u64 owner, u32 type, u64 start, u64 end,
	    u32 lk_flags)
{
	struct fuse_lk_in in = {
		.fh = fh, .owner = owner, .lk = { start, end, type, 42 }, .lk_flags = lk_flags,
	};

	return fc_call(c, op, FUSE_ROOT_ID, &in, sizeof(in), NULL, 0);
}
