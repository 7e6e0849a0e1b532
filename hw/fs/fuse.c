// SPDX-License-Identifier: GPL-2.0
/*
 * The FUSE server: one function per request, between <linux/fuse.h> (structures),
 * fuse_node.c (nodes) and host.c (files). Requests about open files are in fuse_io.c.
 * The protocol is that header and Linux's fs/fuse; comments tell how Linux treats a
 * reply where that matters. Runs on the threads that call fuse_serve().
 *
 * The client checks permissions (virtio 1.2, 5.11: as "default_permissions"). The
 * server acts as the user who runs lkvm. If that is root, new files get the owner that
 * the client names.
 *
 * A request is copied out of guest memory once, before it is checked. Data of reads
 * and writes move directly between guest memory and the file. Names never leave the
 * function that has decoded them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include <linux/kernel.h>

#include "fuse_session.h"

#define FUSE_MINOR_MIN	27	/* before that, no structure was as it is now */
#define FUSE_FOR_EVER	(24 * 60 * 60)
#define FUSE_INTERRUPT_ROUNDS 5	/* what does not react to that will not later either */
#define FUSE_BACKGROUND	64	/* requests of readahead and writeback at a time */

/* Constants that the oldest header that we build with lacks. */
#ifndef FUSE_DIRECT_IO_ALLOW_MMAP
#define FUSE_DIRECT_IO_ALLOW_MMAP	(1ULL << 36)
#endif

#if FUSE_KERNEL_MINOR_VERSION < 39
#define FUSE_STATX_OP	52
struct fuse_sx_time {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t reserved;
};

struct fuse_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare0;
	uint64_t ino, size, blocks, attributes_mask;
	struct fuse_sx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare2[14];
};

struct fuse_statx_in {
	uint32_t getattr_flags, reserved;
	uint64_t fh;
	uint32_t sx_flags, sx_mask;
};

struct fuse_statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec, flags;
	uint64_t spare[2];
	struct fuse_statx stat;
};
#else
#define FUSE_STATX_OP	FUSE_STATX
#endif

/* Decoding and encoding */

void *fuse_put(struct fuse_req *req, size_t len)
{
	void *p = req->outbuf + req->len;

	if (len > sizeof(req->outbuf) - req->len)
		return NULL;
	req->len += len;
	return memset(p, 0, len);
}

/* A string that ends in the request. */
static int fuse_get_str(struct fuse_req *req, const char **str)
{
	const char *end = memchr(req->p, '\0', req->left);

	if (!end)
		return -EINVAL;
	*str = req->p;
	req->left -= end + 1 - req->p;
	req->p = end + 1;
	return 0;
}

/* The name of a file: one component, and a proper one. */
static int fuse_get_name(struct fuse_req *req, const char **name)
{
	int ret = fuse_get_str(req, name);

	return ret ? ret : host_name_error(*name, strlen(*name));
}

struct host_cred fuse_cred(const struct fuse_req *req, u32 umask)
{
	return (struct host_cred){
		.uid = req->head.uid, .gid = req->head.gid, .umask = umask & 0777,
	};
}

/* As Linux packs 12 bits of major and 20 of minor. */
static u32 fuse_encode_dev(u32 major, u32 minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffU) << 12;
}

static void fuse_fill_attr(struct fuse *f, struct fuse_attr *a, const struct statx *stx)
{
	*a = (struct fuse_attr){
		.ino = fuse_ino(f, makedev(stx->stx_dev_major, stx->stx_dev_minor), stx->stx_ino),
		.size = stx->stx_size, .blocks = stx->stx_blocks,
		.atime = stx->stx_atime.tv_sec, .atimensec = stx->stx_atime.tv_nsec,
		.mtime = stx->stx_mtime.tv_sec, .mtimensec = stx->stx_mtime.tv_nsec,
		.ctime = stx->stx_ctime.tv_sec, .ctimensec = stx->stx_ctime.tv_nsec,
		.mode = stx->stx_mode, .nlink = stx->stx_nlink,
		.uid = stx->stx_uid, .gid = stx->stx_gid,
		.rdev = fuse_encode_dev(stx->stx_rdev_major, stx->stx_rdev_minor),
		.blksize = stx->stx_blksize,
	};
}

/*
 * For how long the client may go by these attributes. Writing takes set-user-ID and
 * set-group-ID away: we do that (FUSE_HANDLE_KILLPRIV_V2), and the client would run the
 * program by the mode that it remembers.
 */
static u64 fuse_attr_valid(struct fuse *f, const struct statx *stx)
{
	return !f->opts.readonly && S_ISREG(stx->stx_mode) && stx->stx_mode & (S_ISUID | S_ISGID) ?
		0 : f->timeout;
}

void fuse_fill_entry(struct fuse *f, struct fuse_entry_out *e, u64 id, const struct statx *stx,
		     u64 parent_dev)
{
	e->nodeid = id;
	e->entry_valid = f->timeout;
	e->attr_valid = fuse_attr_valid(f, stx);
	fuse_fill_attr(f, &e->attr, stx);
	if (S_ISDIR(stx->stx_mode) && f->flags & FUSE_SUBMOUNTS &&
	    makedev(stx->stx_dev_major, stx->stx_dev_minor) != parent_dev)
		e->attr.flags = FUSE_ATTR_SUBMOUNT;
}

int fuse_put_entry(struct fuse_req *req, u64 id, const struct statx *stx,
		   const struct fuse_node *parent)
{
	struct fuse_entry_out *e = fuse_put(req, sizeof(*e));

	fuse_fill_entry(req->fuse, e, id, stx, parent->dev);
	return 0;
}

static void fuse_put_attr(struct fuse_req *req, const struct statx *stx)
{
	struct fuse_attr_out *o = fuse_put(req, sizeof(*o));

	o->attr_valid = fuse_attr_valid(req->fuse, stx);
	fuse_fill_attr(req->fuse, &o->attr, stx);
}

/* The session */

static int fuse_init(struct fuse_req *req, const void *arg)
{
	struct fuse *f = req->fuse;
	const size_t fixed = offsetof(struct fuse_init_in, flags2);
	struct fuse_init_in in = { 0 };
	struct fuse_init_out *out;
	bool no_open;
	u64 flags;

	memcpy(&in, arg, fixed);
	if (in.flags & FUSE_INIT_EXT)
		memcpy((char *)&in + fixed, req->p, min(req->left, sizeof(in) - fixed));
	if (in.major < FUSE_KERNEL_VERSION ||
	    (in.major == FUSE_KERNEL_VERSION && in.minor < FUSE_MINOR_MIN))
		return -EPROTO;
	fuse_session_clear(f);
	out = fuse_put(req, sizeof(*out));
	out->major = FUSE_KERNEL_VERSION;
	out->minor = FUSE_KERNEL_MINOR_VERSION;
	if (in.major > FUSE_KERNEL_VERSION)
		return 0;		/* it will ask again, for what we know */

	flags = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DONT_MASK |
		FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_POSIX_ACL | FUSE_MAX_PAGES |
		FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | FUSE_INIT_EXT;
	if (!f->opts.flat)
		flags |= FUSE_SUBMOUNTS;
	if (f->opts.locks)
		flags |= FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS;
	if (f->opts.cache != FUSE_CACHE_NONE)
		flags |= FUSE_CACHE_SYMLINKS | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO;
	else
		flags |= FUSE_DIRECT_IO_ALLOW_MMAP;
	if (f->opts.cache != FUSE_CACHE_ALWAYS)
		flags |= FUSE_AUTO_INVAL_DATA;
	if (f->opts.writeback && !f->opts.readonly)
		flags |= FUSE_WRITEBACK_CACHE;
	/* The share does not change, so OPEN is not needed. An open that truncates sends SETATTR instead. */
	no_open = f->opts.readonly && f->opts.cache == FUSE_CACHE_ALWAYS && !f->opts.locks &&
		in.flags & FUSE_NO_OPEN_SUPPORT && in.flags & FUSE_NO_OPENDIR_SUPPORT;
	if (no_open)
		flags = (flags & ~(u64)FUSE_ATOMIC_O_TRUNC) | FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT;
	flags &= in.flags | (u64)in.flags2 << 32;
	if (f->opts.cache == FUSE_CACHE_NONE && !(flags & FUSE_DIRECT_IO_ALLOW_MMAP))
		log_limited(&f->log, LOG_INFO, "cache=none: the guest's kernel (Linux before 6.6) cannot "
			    "map files with MAP_SHARED (ENODEV); with cache=auto it can");

	pthread_mutex_lock(&f->share.lock);
	out->minor = min(in.minor, (u32)FUSE_KERNEL_MINOR_VERSION);
	f->flags = flags;
	f->no_open = no_open;
	__atomic_store_n(&f->minor, out->minor, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&f->share.lock);
	out->max_readahead = in.max_readahead;
	out->flags = flags;
	out->flags2 = flags >> 32;
	out->max_background = FUSE_BACKGROUND;
	out->congestion_threshold = FUSE_BACKGROUND * 3 / 4;
	out->max_write = flags & FUSE_MAX_PAGES ? FUSE_WRITE_MAX : 32 * 4096;
	out->max_pages = FUSE_WRITE_MAX / 4096;
	out->time_gran = 1;
	return 0;
}

static int fuse_destroy(struct fuse_req *req, const void *arg)
{
	fuse_session_clear(req->fuse);
	return 0;
}

static int fuse_interrupt_one(struct fuse_req *req, const void *arg)
{
	const struct fuse_interrupt_in *in = arg;

	share_req_cancel(&req->req, in->unique, FUSE_INTERRUPT_ROUNDS);
	return 0;
}

/* Nodes */

static int fuse_forget(struct fuse_req *req, const void *arg)
{
	const struct fuse_forget_in *in = arg;

	fuse_node_forget(req->fuse, req->head.nodeid, in->nlookup);
	return 0;
}

static int fuse_batch_forget(struct fuse_req *req, const void *arg)
{
	const struct fuse_batch_forget_in *in = arg;
	struct fuse_forget_one one;
	u32 i;

	for (i = 0; i < in->count && copy_from_iter(&one, sizeof(one), req->in) == sizeof(one); i++)
		fuse_node_forget(req->fuse, one.nodeid, one.nlookup);
	return 0;
}

/* Enter what has the name now, and reply with it. */
static int fuse_reply_name(struct fuse_req *req)
{
	struct statx stx;
	u64 id;
	int ret;

	ret = host_stat(req->hn, req->name, FUSE_NODE_STATX, &stx);
	if (!ret)
		ret = fuse_node_enter(req->fuse, req->node, req->name, &stx, NULL, &id);
	return ret ? ret : fuse_put_entry(req, id, &stx, req->node);
}

/* A negative lookup: node ID 0 lets the client cache the absence for entry_valid. */
static int fuse_lookup(struct fuse_req *req, const void *arg)
{
	struct fuse *f = req->fuse;
	int ret = fuse_reply_name(req);
	struct fuse_entry_out *e;

	if (ret == -ENOENT && f->timeout) {
		e = fuse_put(req, sizeof(*e));
		e->entry_valid = f->timeout;
		ret = 0;
	}
	return ret;
}

/* The attributes of a node, by an open file of it if the client names one. */
static int fuse_stat(struct fuse_req *req, u32 flags, u64 fh, struct statx *stx)
{
	struct fuse_file *file;
	struct host_node *hn;
	int ret;

	if (flags & FUSE_GETATTR_FH && fh && !fuse_file_get(req, fh, &file) &&
	    file->node == req->node) {
		ret = statx(file->file->fd, "", AT_EMPTY_PATH, FUSE_NODE_STATX, stx) ? -errno : 0;
	} else {
		ret = fuse_node_open(req->fuse, req->node, &hn, stx);
		if (!ret)
			host_node_put(hn);
	}
	if (!ret)
		fuse_node_seen(req->fuse, req->node, stx);
	return ret;
}

static int fuse_getattr(struct fuse_req *req, const void *arg)
{
	const struct fuse_getattr_in *in = arg;
	struct statx stx;
	int ret;

	ret = fuse_stat(req, in->getattr_flags, in->fh, &stx);
	if (!ret)
		fuse_put_attr(req, &stx);
	return ret;
}

static struct fuse_sx_time fuse_sx_time(const struct statx_timestamp *ts)
{
	return (struct fuse_sx_time){ .tv_sec = ts->tv_sec, .tv_nsec = ts->tv_nsec };
}

/* Whatever is asked for: it is all there. */
static int fuse_do_statx(struct fuse_req *req, const void *arg)
{
	const struct fuse_statx_in *in = arg;
	struct fuse_statx_out *out;
	struct statx stx;
	int ret;

	ret = fuse_stat(req, in->getattr_flags, in->fh, &stx);
	if (ret)
		return ret;
	out = fuse_put(req, sizeof(*out));
	out->attr_valid = fuse_attr_valid(req->fuse, &stx);
	out->stat = (struct fuse_statx){
		.mask = stx.stx_mask & (STATX_BASIC_STATS | STATX_BTIME),
		.blksize = stx.stx_blksize, .attributes = stx.stx_attributes,
		.nlink = stx.stx_nlink, .uid = stx.stx_uid, .gid = stx.stx_gid,
		.mode = stx.stx_mode, .size = stx.stx_size, .blocks = stx.stx_blocks,
		.ino = fuse_ino(req->fuse, makedev(stx.stx_dev_major, stx.stx_dev_minor),
				stx.stx_ino),
		.attributes_mask = stx.stx_attributes_mask,
		.atime = fuse_sx_time(&stx.stx_atime), .btime = fuse_sx_time(&stx.stx_btime),
		.ctime = fuse_sx_time(&stx.stx_ctime), .mtime = fuse_sx_time(&stx.stx_mtime),
		.rdev_major = stx.stx_rdev_major, .rdev_minor = stx.stx_rdev_minor,
		.dev_major = stx.stx_dev_major, .dev_minor = stx.stx_dev_minor,
	};
	return 0;
}

/* @set and @now are the bits of @valid for this time. False: not a time. */
static bool fuse_get_time(struct timespec *ts, u32 valid, u32 set, u32 now, u64 sec, u32 nsec)
{
	ts->tv_sec = sec;
	if (!(valid & set))
		ts->tv_nsec = UTIME_OMIT;
	else if (valid & now)
		ts->tv_nsec = UTIME_NOW;
	else if (nsec < 1000000000)
		ts->tv_nsec = nsec;
	else
		return false;
	return true;
}

static int fuse_setattr(struct fuse_req *req, const void *arg)
{
	const struct fuse_setattr_in *in = arg;
	const u32 valid = in->valid;
	struct host_attr attr = {
		.valid = (valid & FATTR_MODE ? HOST_SET_MODE : 0) |
			 (valid & FATTR_UID ? HOST_SET_UID : 0) |
			 (valid & FATTR_GID ? HOST_SET_GID : 0) |
			 (valid & FATTR_SIZE ? HOST_SET_SIZE : 0) |
			 (valid & (FATTR_ATIME | FATTR_MTIME) ? HOST_SET_TIMES : 0),
		.mode = in->mode, .uid = in->uid, .gid = in->gid, .size = in->size,
	};
	struct fuse_file *file = NULL;
	struct host_node *hn;
	struct statx stx;
	int ret;

	if (!fuse_get_time(&attr.times[0], valid, FATTR_ATIME, FATTR_ATIME_NOW,
			   in->atime, in->atimensec) ||
	    !fuse_get_time(&attr.times[1], valid, FATTR_MTIME, FATTR_MTIME_NOW,
			   in->mtime, in->mtimensec) ||
	    (valid & FATTR_UID && in->uid == HOST_ID_NONE) ||
	    (valid & FATTR_GID && in->gid == HOST_ID_NONE) ||
	    (valid & FATTR_SIZE && in->size > INT64_MAX))
		return -EINVAL;
	if (valid & FATTR_FH && in->fh && !fuse_file_get(req, in->fh, &file) && file->node != req->node)
		file = NULL;
	ret = fuse_node_open(req->fuse, req->node, &hn, &stx);
	if (ret)
		return ret;
	/* Clear the bits that an unprivileged write clears; a change of the mode sets them itself. */
	if (valid & FATTR_KILL_SUIDGID && valid & FATTR_SIZE && !(valid & FATTR_MODE)) {
		mode_t drop = S_ISUID | (stx.stx_mode & S_IXGRP ? S_ISGID : 0);

		if (stx.stx_mode & drop) {
			attr.valid |= HOST_SET_MODE;
			attr.mode = stx.stx_mode & ~drop;
		}
	}
	ret = host_setattr(hn, file ? file->file : NULL, &attr);
	if (!ret)
		ret = host_getattr(hn, FUSE_NODE_STATX, &stx);
	host_node_put(hn);
	if (ret)
		return ret;
	if (valid & (FATTR_SIZE | FATTR_MTIME))
		fuse_node_seen(req->fuse, req->node, &stx);
	fuse_put_attr(req, &stx);
	return 0;
}

static int fuse_readlink(struct fuse_req *req, const void *arg)
{
	ssize_t len = host_readlink(req->hn, (char *)req->outbuf, min(sizeof(req->outbuf), (size_t)PATH_MAX));

	if (len < 0)
		return len;
	req->len = len;
	return 0;
}

static int fuse_statfs(struct fuse_req *req, const void *arg)
{
	struct fuse_kstatfs *out;
	struct statfs st;
	int ret = host_statfs(req->hn, &st);

	if (ret)
		return ret;
	out = fuse_put(req, sizeof(*out));
	*out = (struct fuse_kstatfs){
		.blocks = st.f_blocks, .bfree = st.f_bfree, .bavail = st.f_bavail,
		.files = st.f_files, .ffree = st.f_ffree, .bsize = st.f_bsize,
		.namelen = st.f_namelen, .frsize = st.f_frsize,
	};
	return 0;
}

static int fuse_syncfs(struct fuse_req *req, const void *arg)
{
	return host_syncfs(req->fuse->share.host);
}

/* Names */

static int fuse_mknod(struct fuse_req *req, const void *arg)
{
	const struct fuse_mknod_in *in = arg;
	struct host_cred cred = fuse_cred(req, in->umask);
	u32 major = in->rdev >> 8 & 0xfff, minor = (in->rdev & 0xff) | (in->rdev >> 12 & 0xfff00);
	struct stat st;
	int ret = host_mknod(req->hn, req->name, in->mode, makedev(major, minor), &cred, &st);

	return ret ? ret : fuse_reply_name(req);
}

static int fuse_mkdir(struct fuse_req *req, const void *arg)
{
	const struct fuse_mkdir_in *in = arg;
	struct host_cred cred = fuse_cred(req, in->umask);
	struct stat st;
	int ret = host_mkdir(req->hn, req->name, in->mode, &cred, &st);

	return ret ? ret : fuse_reply_name(req);
}

static int fuse_symlink(struct fuse_req *req, const void *arg)
{
	struct host_cred cred = fuse_cred(req, 0);
	const char *target;
	struct stat st;
	int ret;

	ret = fuse_get_str(req, &target);
	if (!ret)
		ret = host_symlink(req->hn, req->name, target, &cred, &st);
	return ret ? ret : fuse_reply_name(req);
}

static int fuse_link(struct fuse_req *req, const void *arg)
{
	const struct fuse_link_in *in = arg;
	struct fuse *f = req->fuse;
	struct host_node *hn;
	struct fuse_node *node;
	int ret;

	node = fuse_node_get(f, in->oldnodeid);
	if (!node)
		return -ESTALE;
	ret = fuse_node_open(f, node, &hn, NULL);
	fuse_node_put(f, node);
	if (ret)
		return ret;
	ret = host_link(hn, req->hn, req->name);
	host_node_put(hn);
	return ret ? ret : fuse_reply_name(req);
}

/*
 * The node that is about to lose the name @name, opened while it can be found: a process
 * whose current directory is removed stays in it.
 */
static struct fuse_node *fuse_node_pin(struct fuse *f, struct host_node *dir, const char *name)
{
	struct fuse_node *node = fuse_node_find(f, dir, name);
	struct host_node *hn;

	if (node && !fuse_node_open(f, node, &hn, NULL))
		host_node_put(hn);
	return node;
}

static int fuse_remove(struct fuse_req *req, bool directory)
{
	struct fuse *f = req->fuse;
	struct fuse_node *node = f->opts.readonly ? NULL : fuse_node_pin(f, req->hn, req->name);
	int ret = host_unlink(req->hn, req->name, directory);

	if (node) {
		if (!ret)
			fuse_node_unname(f, node, req->node, req->name);
		fuse_node_put(f, node);
	}
	return ret;
}

static int fuse_unlink(struct fuse_req *req, const void *arg)
{
	return fuse_remove(req, false);
}

static int fuse_rmdir(struct fuse_req *req, const void *arg)
{
	return fuse_remove(req, true);
}

static int fuse_do_rename(struct fuse_req *req, u64 newid, u32 flags)
{
	struct fuse *f = req->fuse;
	struct fuse_node *newnode, *from = NULL, *to = NULL;
	const char *oldname = req->name, *newname;
	struct host_node *newdir;
	int ret;

	ret = fuse_get_name(req, &newname);
	if (ret)
		return ret;
	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	newnode = fuse_node_get(f, newid);
	if (!newnode)
		return -ESTALE;
	ret = fuse_node_open(f, newnode, &newdir, NULL);
	if (ret)
		goto put_new;
	if (!f->opts.readonly) {
		from = fuse_node_find(f, req->hn, oldname);
		to = fuse_node_pin(f, newdir, newname);
	}
	ret = host_rename(req->hn, oldname, newdir, newname, flags);
	if (!ret && from != to) {
		if (to && flags & RENAME_EXCHANGE)
			fuse_node_name(f, to, req->node, oldname);
		else if (to)
			fuse_node_unname(f, to, newnode, newname);
		if (from)
			fuse_node_name(f, from, newnode, newname);
	}
	if (from)
		fuse_node_put(f, from);
	if (to)
		fuse_node_put(f, to);
	host_node_put(newdir);
put_new:
	fuse_node_put(f, newnode);
	return ret;
}

static int fuse_rename(struct fuse_req *req, const void *arg)
{
	const struct fuse_rename_in *in = arg;

	return fuse_do_rename(req, in->newdir, 0);
}

static int fuse_rename2(struct fuse_req *req, const void *arg)
{
	const struct fuse_rename2_in *in = arg;

	return fuse_do_rename(req, in->newdir, in->flags);
}

/* Extended attributes */

static int fuse_setxattr(struct fuse_req *req, const void *arg)
{
	const struct fuse_setxattr_in *in = arg;
	struct fuse *f = req->fuse;
	struct host_attr attr = { .valid = HOST_SET_MODE };
	const char *name;
	struct host_node *hn;
	struct statx stx;
	u32 flags = 0;
	int ret;

	if (f->flags & FUSE_SETXATTR_EXT) {
		const size_t more = sizeof(*in) - FUSE_COMPAT_SETXATTR_IN_SIZE;

		if (req->left < more)
			return -EINVAL;
		flags = in->setxattr_flags;
		req->p += more;
		req->left -= more;
	}
	ret = fuse_get_str(req, &name);
	if (ret)
		return ret;
	if (!*name || in->size > req->left || in->flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (strlen(name) > XATTR_NAME_MAX)
		return -ERANGE;
	ret = fuse_node_open(f, req->node, &hn, &stx);
	if (ret)
		return ret;
	ret = host_setxattr(hn, name, req->p, in->size, in->flags);
	/* An ACL set by somebody who is not in the file's group. */
	if (!ret && flags & FUSE_SETXATTR_ACL_KILL_SGID && stx.stx_mode & S_ISGID &&
	    !host_getattr(hn, FUSE_NODE_STATX, &stx) && stx.stx_mode & S_ISGID) {
		attr.mode = stx.stx_mode & ~S_ISGID;
		ret = host_setattr(hn, NULL, &attr);
	}
	host_node_put(hn);
	return ret;
}

/* Of @size bytes, or with @size 0 only its length. */
static int fuse_reply_xattr(struct fuse_req *req, const char *name, u32 size)
{
	struct fuse_getxattr_out *out;
	ssize_t len;

	size = min(size, (u32)sizeof(req->buf));
	if (name)
		len = host_getxattr(req->hn, name, size ? req->buf : NULL, size);
	else
		len = host_listxattr(req->hn, size ? req->buf : NULL, size);
	if (len < 0)
		return len;
	if (!size) {
		out = fuse_put(req, sizeof(*out));
		out->size = len;
	} else if ((size_t)len > req->room) {
		return -ERANGE;
	} else {
		struct iov_iter data = *req->out;

		iov_iter_advance(&data, sizeof(struct fuse_out_header));
		req->data = copy_to_iter(req->buf, len, &data);
	}
	return 0;
}

static int fuse_getxattr(struct fuse_req *req, const void *arg)
{
	const struct fuse_getxattr_in *in = arg;
	const char *name;
	int ret = fuse_get_str(req, &name);

	if (ret)
		return ret;
	if (!*name || strlen(name) > XATTR_NAME_MAX)
		return *name ? -ERANGE : -EINVAL;
	return fuse_reply_xattr(req, name, in->size);
}

static int fuse_listxattr(struct fuse_req *req, const void *arg)
{
	const struct fuse_getxattr_in *in = arg;

	return fuse_reply_xattr(req, NULL, in->size);
}

static int fuse_removexattr(struct fuse_req *req, const void *arg)
{
	const char *name;
	int ret = fuse_get_str(req, &name);

	if (!ret && (!*name || strlen(name) > XATTR_NAME_MAX))
		ret = *name ? -ERANGE : -EINVAL;
	return ret ? ret : host_removexattr(req->hn, name);
}

/* The server */

#define FUSE_OP_SESSION	1	/* about no node */
#define FUSE_OP_SILENT	2	/* has no reply */
#define FUSE_OP_STREAM	4	/* what follows the fixed part stays where it is */
#define FUSE_OP_NAME	8	/* a name follows: req->name */
#define FUSE_OP_OPEN	16	/* the host's node is needed: req->hn */
#define FUSE_OP_CHILD	(FUSE_OP_NAME | FUSE_OP_OPEN)

struct fuse_op {
	int (*fn)(struct fuse_req *req, const void *arg);
	u16 size;		/* of the fixed part */
	u8 flags;
};

static const struct fuse_op fuse_ops[] = {
	[FUSE_LOOKUP] = { fuse_lookup, 0, FUSE_OP_CHILD },
	[FUSE_FORGET] = { fuse_forget, sizeof(struct fuse_forget_in),
			  FUSE_OP_SESSION | FUSE_OP_SILENT },
	[FUSE_GETATTR] = { fuse_getattr, sizeof(struct fuse_getattr_in), 0 },
	[FUSE_SETATTR] = { fuse_setattr, sizeof(struct fuse_setattr_in), 0 },
	[FUSE_READLINK] = { fuse_readlink, 0, FUSE_OP_OPEN },
	[FUSE_SYMLINK] = { fuse_symlink, 0, FUSE_OP_CHILD },
	[FUSE_MKNOD] = { fuse_mknod, sizeof(struct fuse_mknod_in), FUSE_OP_CHILD },
	[FUSE_MKDIR] = { fuse_mkdir, sizeof(struct fuse_mkdir_in), FUSE_OP_CHILD },
	[FUSE_UNLINK] = { fuse_unlink, 0, FUSE_OP_CHILD },
	[FUSE_RMDIR] = { fuse_rmdir, 0, FUSE_OP_CHILD },
	[FUSE_RENAME] = { fuse_rename, sizeof(struct fuse_rename_in), FUSE_OP_CHILD },
	[FUSE_LINK] = { fuse_link, sizeof(struct fuse_link_in), FUSE_OP_CHILD },
	[FUSE_OPEN] = { fuse_open, sizeof(struct fuse_open_in), 0 },
	[FUSE_READ] = { fuse_read, sizeof(struct fuse_read_in), 0 },
	[FUSE_WRITE] = { fuse_write, sizeof(struct fuse_write_in), FUSE_OP_STREAM },
	[FUSE_STATFS] = { fuse_statfs, 0, FUSE_OP_OPEN },
	[FUSE_RELEASE] = { fuse_release, sizeof(struct fuse_release_in), 0 },
	[FUSE_FSYNC] = { fuse_fsync, sizeof(struct fuse_fsync_in), 0 },
	[FUSE_SETXATTR] = { fuse_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, 0 },
	[FUSE_GETXATTR] = { fuse_getxattr, sizeof(struct fuse_getxattr_in), FUSE_OP_OPEN },
	[FUSE_LISTXATTR] = { fuse_listxattr, sizeof(struct fuse_getxattr_in), FUSE_OP_OPEN },
	[FUSE_REMOVEXATTR] = { fuse_removexattr, 0, FUSE_OP_OPEN },
	[FUSE_FLUSH] = { fuse_flush, sizeof(struct fuse_flush_in), 0 },
	[FUSE_INIT] = { fuse_init, offsetof(struct fuse_init_in, flags2), FUSE_OP_SESSION },
	[FUSE_OPENDIR] = { fuse_opendir, sizeof(struct fuse_open_in), 0 },
	[FUSE_READDIR] = { fuse_readdir, sizeof(struct fuse_read_in), 0 },
	[FUSE_RELEASEDIR] = { fuse_release, sizeof(struct fuse_release_in), 0 },
	[FUSE_FSYNCDIR] = { fuse_fsync, sizeof(struct fuse_fsync_in), 0 },
	[FUSE_GETLK] = { fuse_getlk, sizeof(struct fuse_lk_in), 0 },
	[FUSE_SETLK] = { fuse_setlk, sizeof(struct fuse_lk_in), 0 },
	[FUSE_SETLKW] = { fuse_setlk, sizeof(struct fuse_lk_in), 0 },
	[FUSE_CREATE] = { fuse_create, sizeof(struct fuse_create_in), FUSE_OP_CHILD },
	[FUSE_INTERRUPT] = { fuse_interrupt_one, sizeof(struct fuse_interrupt_in),
			     FUSE_OP_SESSION | FUSE_OP_SILENT },
	[FUSE_DESTROY] = { fuse_destroy, 0, FUSE_OP_SESSION },
	[FUSE_IOCTL] = { fuse_ioctl, sizeof(struct fuse_ioctl_in), 0 },
	[FUSE_BATCH_FORGET] = { fuse_batch_forget, sizeof(struct fuse_batch_forget_in),
				FUSE_OP_SESSION | FUSE_OP_SILENT | FUSE_OP_STREAM },
	[FUSE_FALLOCATE] = { fuse_fallocate, sizeof(struct fuse_fallocate_in), 0 },
	[FUSE_READDIRPLUS] = { fuse_readdirplus, sizeof(struct fuse_read_in), 0 },
	[FUSE_RENAME2] = { fuse_rename2, sizeof(struct fuse_rename2_in), FUSE_OP_CHILD },
	[FUSE_LSEEK] = { fuse_lseek, sizeof(struct fuse_lseek_in), 0 },
	[FUSE_COPY_FILE_RANGE] = { fuse_copy_file_range, sizeof(struct fuse_copy_file_range_in), 0 },
	[FUSE_SYNCFS] = { fuse_syncfs, 0, 0 },
	[FUSE_TMPFILE] = { fuse_tmpfile, sizeof(struct fuse_create_in), FUSE_OP_OPEN },
	[FUSE_STATX_OP] = { fuse_do_statx, sizeof(struct fuse_statx_in), 0 },
};

static int fuse_handle(struct fuse_req *req, const struct fuse_op *op)
{
	struct fuse *f = req->fuse;
	size_t len = req->head.len - sizeof(req->head);
	int ret;

	if (req->head.len < sizeof(req->head) || len > iov_iter_count(req->in))
		return -EINVAL;
	iov_iter_truncate(req->in, len);
	if (op->flags & FUSE_OP_STREAM)
		len = min(len, (size_t)op->size);
	if (len < op->size || len > sizeof(req->inbuf))
		return -EINVAL;
	copy_from_iter(req->inbuf, len, req->in);
	req->p = (const char *)req->inbuf + op->size;
	req->left = len - op->size;

	if (!__atomic_load_n(&f->minor, __ATOMIC_ACQUIRE) && req->head.opcode != FUSE_INIT)
		return -EIO;		/* no session yet */
	if (!(op->flags & FUSE_OP_SESSION)) {
		req->node = fuse_node_get(f, req->head.nodeid);
		if (!req->node)
			return -ESTALE;
	}
	ret = op->flags & FUSE_OP_NAME ? fuse_get_name(req, &req->name) : 0;
	if (!ret && op->flags & FUSE_OP_OPEN)
		ret = fuse_node_open(f, req->node, &req->hn, NULL);
	return ret ? ret : op->fn(req, req->inbuf);
}

static ssize_t fuse_reply(struct iov_iter *out, u64 unique, int err, const void *body,
			  size_t len, size_t data)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + len + data, .error = err, .unique = unique,
	};

	copy_to_iter(&head, sizeof(head), out);
	copy_to_iter(body, len, out);
	iov_iter_advance(out, data);
	return head.len;
}

ssize_t fuse_serve(struct fuse *f, struct iov_iter *in, struct iov_iter *out)
{
	const struct fuse_op *op = NULL;
	struct fuse_in_header head;
	struct fuse_req *req;
	ssize_t len;
	int ret;

	if (copy_from_iter(&head, sizeof(head), in) < sizeof(head))
		return -EPROTO;
	if (head.opcode < ARRAY_SIZE(fuse_ops) && fuse_ops[head.opcode].fn)
		op = &fuse_ops[head.opcode];
	if (!(op && op->flags & FUSE_OP_SILENT) &&
	    iov_iter_count(out) < sizeof(struct fuse_out_header))
		return -EPROTO;
	if (!op)
		return fuse_reply(out, head.unique, -ENOSYS, NULL, 0, 0);
	req = fuse_req_begin(f, &head);
	if (!req)
		return op->flags & FUSE_OP_SILENT ? 0 :
			fuse_reply(out, head.unique, -ENOMEM, NULL, 0, 0);
	req->in = in;
	req->out = out;
	req->room = iov_iter_count(out) - min(iov_iter_count(out), sizeof(struct fuse_out_header));
	ret = fuse_handle(req, op);
	if (!ret && req->len + req->data > req->room)
		ret = -EMSGSIZE;
	if (ret == -ERESTART)
		len = ret;
	else if (op->flags & FUSE_OP_SILENT)
		len = 0;
	else if (ret)
		len = fuse_reply(out, head.unique, ret, NULL, 0, 0);
	else
		len = fuse_reply(out, head.unique, 0, req->outbuf, req->len, req->data);
	fuse_req_end(req);
	return len;
}

static bool fuse_make_room(struct share *s)
{
	return fuse_evict(container_of(s, struct fuse, share));
}

int fuse_new(struct fuse **out, const struct fuse_options *opts, const char **err_out)
{
	static const u64 timeouts[] = {
		[FUSE_CACHE_AUTO] = 1, [FUSE_CACHE_ALWAYS] = FUSE_FOR_EVER, [FUSE_CACHE_NONE] = 0,
	};
	const char *err = "out of memory";
	struct fuse *f;
	int ret;

	f = calloc(1, sizeof(*f));
	ret = f ? share_init(&f->share, opts->keep, opts->dir, opts->readonly ? HOST_READONLY : 0,
			     sizeof(struct fuse_req), &err) : -ENOMEM;
	if (ret)
		goto fail;
	f->opts = *opts;
	f->opts.dir = NULL;		/* not ours to keep */
	f->opts.hide = NULL;
	f->timeout = timeouts[opts->cache];
	f->held_max = min(FUSE_HELD_MAX, host_fds_max(f->share.host) / 2);
	f->kept_max = min(FUSE_KEPT_MAX, host_fds_max(f->share.host) / 8);
	f->share.make_room = fuse_make_room;
	INIT_LIST_HEAD(&f->lru);
	INIT_LIST_HEAD(&f->kept);
	err = "hide= has to be the absolute path of something that is there";
	ret = host_hide(f->share.host, opts->keep, opts->hide);
	if (!ret) {
		err = "cannot look at the shared directory";
		ret = fuse_nodes_init(f);
	}
	if (!ret) {
		*out = f;
		return 0;
	}
	share_exit(&f->share);
fail:
	free(f);
	if (err_out)
		*err_out = err;
	return ret;
}

void fuse_interrupt(struct fuse *f)
{
	share_interrupt(&f->share);
}

void fuse_suspend(struct fuse *f, bool on)
{
	__atomic_store_n(&f->suspended, on, __ATOMIC_SEQ_CST);
	if (on)
		share_interrupt_waits(&f->share);
}

int fuse_reset(struct fuse *f)
{
	fuse_session_clear(f);
	return host_forked(f->share.host);
}

void fuse_free(struct fuse *f)
{
	fuse_session_clear(f);
	fuse_nodes_free(f);
	share_exit(&f->share);
	free(f);
}
