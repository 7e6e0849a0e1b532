// SPDX-License-Identifier: GPL-2.0
/*
 * The 9P2000.L server: one function per message, between p9_wire.h (bytes),
 * p9_session.c (fids) and host.c (files). Messages about open files are in p9_io.c.
 * Specification: diod's protocol.md for 9P2000.L, Plan 9's section 5 for the messages
 * that it inherits. Comments tell where Linux's v9fs differs. Runs on the threads that
 * call p9_serve().
 *
 * A message is copied out of guest memory once, before it is checked. Data of reads
 * and writes move directly between guest memory and the file. Names never leave the
 * function that has decoded them.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include <linux/kernel.h>

#include "p9_session.h"

/* The name of a file: one component, and a proper one. */
void p9_get_name(struct p9_in *in, char name[NAME_MAX + 1])
{
	p9_get_str(in, name, NAME_MAX + 1);
	if (!in->err)
		in->err = host_name_error(name, strlen(name));
}

/* A fid that stands for a file, rather than for an extended attribute. */
int p9_get_file(struct p9_req *req, u32 id, struct p9_fid **out)
{
	int ret;

	if (req->in.err)
		return req->in.err;
	ret = p9_fid_get(req, id, out);
	return ret ? ret : (*out)->xattr ? -EBADF : 0;
}

struct p9_qid p9_node_qid(struct p9_req *req, struct host_node *node)
{
	return p9_qid(req->p9, node, node->dev, node->ino, node->type);
}

void p9_put_node(struct p9_req *req, struct host_node *node)
{
	struct p9_qid qid = p9_node_qid(req, node);

	p9_put_qid(&req->out, &qid);
}

static void p9_put_made(struct p9_req *req, struct p9_fid *dir, const struct stat *st)
{
	struct p9_qid qid = p9_qid(req->p9, dir->file_node, st->st_dev, st->st_ino,
				   st->st_mode);

	p9_put_qid(&req->out, &qid);
}

struct host_cred p9_cred(struct p9_fid *fid, gid_t gid)
{
	return (struct host_cred){ .uid = fid->attach->uid, .gid = gid };
}

/* Session */

static int p9_version(struct p9_req *req)
{
	u32 msize = p9_get_u32(&req->in);
	struct p9 *p9 = req->p9;
	char version[32];
	bool known;
	int ret;

	p9_get_str(&req->in, version, sizeof(version));
	if (req->in.err == -ENAMETOOLONG)
		req->in.err = 0;
	if (req->in.err)
		return req->in.err;
	if (msize < P9_MSIZE_MIN)
		return -EINVAL;
	ret = share_req_cancel(&req->req, SHARE_ALL, 0);
	if (ret)
		return ret;
	p9_fids_clear(p9);
	known = !strcmp(version, "9P2000.L");
	msize = min(msize, p9->msize_max);
	__atomic_store_n(&p9->msize, known ? msize : 0, __ATOMIC_RELAXED);
	p9_put_u32(&req->out, msize);
	if (known)
		p9_put_str(&req->out, "9P2000.L", 8);
	else
		p9_put_str(&req->out, "unknown", 7);
	return 0;
}

/* No authentication is required; by this error diod's clients understand it. */
static int p9_auth(struct p9_req *req)
{
	return -ENOENT;
}

/* From the root by the components of @path, none of which may lead up. */
static int p9_attach_walk(struct host_node *node, char *path, struct host_node **out)
{
	struct host_node *next;
	char *name, *save;
	int ret;

	for (name = strtok_r(path, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		if (!strcmp(name, "."))
			continue;
		ret = host_name_error(name, strlen(name));
		if (!ret)
			ret = host_lookup(node, name, 0, &next, NULL);
		host_node_put(node);
		if (ret)
			return ret;
		node = next;
	}
	if (!S_ISDIR(node->type)) {
		host_node_put(node);
		return -ENOTDIR;
	}
	*out = node;
	return 0;
}

static int p9_attach(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), afid = p9_get_u32(&req->in), uid;
	struct p9_attach *attach;
	char uname[256], aname[PATH_MAX];
	struct p9_fid *fid;
	int ret;

	p9_get_str(&req->in, uname, sizeof(uname));
	p9_get_str(&req->in, aname, sizeof(aname));
	uid = p9_get_u32(&req->in);
	if (req->in.err)
		return req->in.err;
	if (afid != P9_NOFID)
		return -EBADF;
	if (id == P9_NOFID || p9_fid_used(req->p9, id))
		return -EBADF;
	attach = calloc(1, sizeof(*attach));
	if (!attach)
		return -ENOMEM;
	ret = p9_attach_walk(host_root(req->p9->share.host), aname, &attach->root);
	if (ret) {
		free(attach);
		return ret;
	}
	attach->refs = 1;
	attach->uid = uid == P9_NONUNAME ? HOST_ID_NONE : uid;
	fid = p9_fid_new(attach, attach->root);
	p9_put_node(req, attach->root);
	p9_attach_put(attach);
	return fid ? p9_fid_add(req, id, NULL, fid) : -ENOMEM;
}

static int p9_flush(struct p9_req *req)
{
	u16 tag = p9_get_u16(&req->in);

	return req->in.err ? req->in.err : share_req_cancel(&req->req, tag, 0);
}

/* One step of a walk: to the file @name, or as far up as the attached root. */
static int p9_walk_step(struct p9_fid *fid, struct host_node *node, const char *name,
			struct host_node **out)
{
	int ret = host_name_error(name, strlen(name));

	if (!strcmp(name, ".."))
		return host_parent(node, fid->attach->root, out);
	if (!strcmp(name, ".") && S_ISDIR(node->type)) {
		*out = host_node_get(node);	/* diodls asks for it */
		return 0;
	}
	return ret ? ret : host_lookup(node, name, 0, out, NULL);
}

/*
 * walk(5): with no names the fid is cloned. If it fails at the first name that is
 * an error; later, the reply has the qids so far, and newfid is not made.
 */
static int p9_walk(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), newid = p9_get_u32(&req->in);
	u16 n = p9_get_u16(&req->in), i;
	struct host_node *node, *next;
	struct p9_fid *fid, *newfid;
	char name[NAME_MAX + 1];
	struct p9_in names;
	int ret;

	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	if (n > P9_WALK_MAX || newid == P9_NOFID)
		return -EINVAL;
	if (newid == id ? !!p9_fid_file(fid) : p9_fid_used(req->p9, newid))
		return -EBADF;
	/* All of the message has to be right before any of it is done. */
	names = req->in;
	for (i = 0; i < n; i++)
		p9_get_str(&req->in, name, sizeof(name));
	if (req->in.err)
		return req->in.err;

	node = host_node_get(fid->file_node);
	p9_put_u16(&req->out, n);
	for (i = 0; i < n; i++) {
		p9_get_str(&names, name, sizeof(name));
		ret = p9_walk_step(fid, node, name, &next);
		if (ret)
			break;
		host_node_put(node);
		node = next;
		p9_put_node(req, node);
	}
	if (i < n) {
		host_node_put(node);
		if (!i)
			return ret;
		req->out.len = 0;
		p9_put_u16(&req->out, i);
		req->out.len += i * P9_QID;	/* they are there already */
		return 0;
	}
	newfid = p9_fid_new(fid->attach, node);
	host_node_put(node);
	return newfid ? p9_fid_add(req, newid, newid == id ? fid : NULL, newfid) : -ENOMEM;
}

static int p9_clunk(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in);
	struct p9_fid *fid;
	int ret;

	if (req->in.err)
		return req->in.err;
	ret = p9_fid_remove(req->p9, id, &fid);
	if (ret)
		return ret;
	if (fid->xattr && fid->xattr->write)
		ret = p9_xattr_commit(fid);
	p9_fid_put(req->p9, fid);
	return ret;
}

/* remove(5): the fid is clunked even if the file is not removed. */
static int p9_remove(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in);
	struct p9_fid *fid;
	int ret;

	if (req->in.err)
		return req->in.err;
	ret = p9_fid_remove(req->p9, id, &fid);
	if (ret)
		return ret;
	ret = fid->xattr ? -EBADF : host_node_unlink(fid->file_node);
	p9_fid_put(req->p9, fid);
	return ret;
}

/* Attributes */

static int p9_statfs(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in);
	struct p9_fid *fid;
	struct statfs st;
	int ret;

	ret = p9_get_file(req, id, &fid);
	if (!ret)
		ret = host_statfs(fid->file_node, &st);
	if (ret)
		return ret;
	p9_put_u32(&req->out, st.f_type);
	p9_put_u32(&req->out, st.f_bsize);
	p9_put_u64(&req->out, st.f_blocks);
	p9_put_u64(&req->out, st.f_bfree);
	p9_put_u64(&req->out, st.f_bavail);
	p9_put_u64(&req->out, st.f_files);
	p9_put_u64(&req->out, st.f_ffree);
	p9_put_u64(&req->out, (u32)st.f_fsid.__val[0] | (u64)st.f_fsid.__val[1] << 32);
	p9_put_u32(&req->out, st.f_namelen);
	return 0;
}

static void p9_put_time(struct p9_out *out, const struct statx_timestamp *ts)
{
	p9_put_u64(out, ts->tv_sec);
	p9_put_u64(out, ts->tv_nsec);
}

static int p9_getattr(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in);
	u64 mask = p9_get_u64(&req->in), valid = P9_GETATTR_BASIC;
	struct p9_fid *fid;
	struct statx st;
	int ret;

	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	ret = host_getattr(fid->file_node, STATX_BASIC_STATS |
			   (mask & P9_GETATTR_BTIME ? STATX_BTIME : 0), &st);
	if (ret)
		return ret;
	if (mask & P9_GETATTR_BTIME && st.stx_mask & STATX_BTIME)
		valid |= P9_GETATTR_BTIME;
	else
		memset(&st.stx_btime, 0, sizeof(st.stx_btime));
	p9_put_u64(&req->out, valid);
	p9_put_node(req, fid->file_node);
	p9_put_u32(&req->out, st.stx_mode);
	p9_put_u32(&req->out, st.stx_uid);
	p9_put_u32(&req->out, st.stx_gid);
	p9_put_u64(&req->out, st.stx_nlink);
	/* As Linux packs 12 bits of major and 20 of minor. */
	p9_put_u64(&req->out, (st.stx_rdev_minor & 0xff) | (u64)st.stx_rdev_major << 8 |
		   (u64)(st.stx_rdev_minor & ~0xffU) << 12);
	p9_put_u64(&req->out, st.stx_size);
	p9_put_u64(&req->out, st.stx_blksize);
	p9_put_u64(&req->out, st.stx_blocks);
	p9_put_time(&req->out, &st.stx_atime);
	p9_put_time(&req->out, &st.stx_mtime);
	p9_put_time(&req->out, &st.stx_ctime);
	p9_put_time(&req->out, &st.stx_btime);
	p9_put_u64(&req->out, 0);	/* gen */
	p9_put_u64(&req->out, 0);	/* data_version */
	return 0;
}

/* @set and @now are the bits of @valid for this time. False: not a time. */
static bool p9_get_time(struct p9_in *in, u32 valid, u32 now, u32 set, struct timespec *ts)
{
	u64 sec = p9_get_u64(in), nsec = p9_get_u64(in);

	ts->tv_sec = sec;
	if (!(valid & now))
		ts->tv_nsec = UTIME_OMIT;
	else if (!(valid & set))
		ts->tv_nsec = UTIME_NOW;
	else if (nsec < 1000000000)
		ts->tv_nsec = nsec;
	else
		return false;
	return true;
}

static int p9_setattr(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), valid = p9_get_u32(&req->in);
	struct host_attr attr = { 0 };
	struct p9_fid *fid;
	bool times;
	u64 size;
	int ret;

	attr.mode = p9_get_u32(&req->in);
	attr.uid = p9_get_u32(&req->in);
	attr.gid = p9_get_u32(&req->in);
	size = p9_get_u64(&req->in);
	times = p9_get_time(&req->in, valid, P9_SETATTR_ATIME, P9_SETATTR_ATIME_SET,
			    &attr.times[0]);
	times &= p9_get_time(&req->in, valid, P9_SETATTR_MTIME, P9_SETATTR_MTIME_SET,
			     &attr.times[1]);
	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	if (!times || valid & ~P9_SETATTR_ALL ||
	    (valid & P9_SETATTR_UID && attr.uid == HOST_ID_NONE) ||
	    (valid & P9_SETATTR_GID && attr.gid == HOST_ID_NONE) ||
	    (valid & P9_SETATTR_SIZE && size > INT64_MAX))
		return -EINVAL;
	attr.size = size;
	/* P9_SETATTR_CTIME needs nothing: every change sets it. */
	attr.valid = (valid & P9_SETATTR_MODE ? HOST_SET_MODE : 0) |
		     (valid & P9_SETATTR_UID ? HOST_SET_UID : 0) |
		     (valid & P9_SETATTR_GID ? HOST_SET_GID : 0) |
		     (valid & P9_SETATTR_SIZE ? HOST_SET_SIZE : 0) |
		     (valid & (P9_SETATTR_ATIME | P9_SETATTR_MTIME) ? HOST_SET_TIMES : 0);
	return host_setattr(fid->file_node, p9_fid_file(fid), &attr);
}

static int p9_readlink(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in);
	struct p9_fid *fid;
	ssize_t len;
	int ret;

	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	len = host_readlink(fid->file_node, (char *)req->buf, PATH_MAX);
	if (len < 0)
		return len;
	p9_put_str(&req->out, (const char *)req->buf, len);
	return 0;
}

/* Names */

static int p9_symlink(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), gid;
	char name[NAME_MAX + 1], target[PATH_MAX];
	struct host_cred cred;
	struct p9_fid *dir;
	struct stat st;
	int ret;

	p9_get_name(&req->in, name);
	p9_get_str(&req->in, target, sizeof(target));
	gid = p9_get_u32(&req->in);
	ret = p9_get_file(req, id, &dir);
	if (ret)
		return ret;
	cred = p9_cred(dir, gid);
	ret = host_symlink(dir->file_node, name, target, &cred, &st);
	if (!ret)
		p9_put_made(req, dir, &st);
	return ret;
}

static int p9_mknod(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), mode, major, minor, gid;
	char name[NAME_MAX + 1];
	struct host_cred cred;
	struct p9_fid *dir;
	struct stat st;
	int ret;

	p9_get_name(&req->in, name);
	mode = p9_get_u32(&req->in);
	major = p9_get_u32(&req->in);
	minor = p9_get_u32(&req->in);
	gid = p9_get_u32(&req->in);
	ret = p9_get_file(req, id, &dir);
	if (ret)
		return ret;
	cred = p9_cred(dir, gid);
	ret = host_mknod(dir->file_node, name, mode, makedev(major, minor), &cred, &st);
	if (!ret)
		p9_put_made(req, dir, &st);
	return ret;
}

static int p9_mkdir(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), mode, gid;
	char name[NAME_MAX + 1];
	struct host_cred cred;
	struct p9_fid *dir;
	struct stat st;
	int ret;

	p9_get_name(&req->in, name);
	mode = p9_get_u32(&req->in);
	gid = p9_get_u32(&req->in);
	ret = p9_get_file(req, id, &dir);
	if (ret)
		return ret;
	cred = p9_cred(dir, gid);
	ret = host_mkdir(dir->file_node, name, mode, &cred, &st);
	if (!ret)
		p9_put_made(req, dir, &st);
	return ret;
}

static int p9_link(struct p9_req *req)
{
	u32 dirid = p9_get_u32(&req->in), id = p9_get_u32(&req->in);
	char name[NAME_MAX + 1];
	struct p9_fid *dir, *fid;
	int ret;

	p9_get_name(&req->in, name);
	ret = p9_get_file(req, dirid, &dir);
	if (!ret)
		ret = p9_get_file(req, id, &fid);
	return ret ? ret : host_link(fid->file_node, dir->file_node, name);
}

static int p9_rename(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), dirid = p9_get_u32(&req->in);
	char name[NAME_MAX + 1];
	struct p9_fid *fid, *dir;
	int ret;

	p9_get_name(&req->in, name);
	ret = p9_get_file(req, id, &fid);
	if (!ret)
		ret = p9_get_file(req, dirid, &dir);
	return ret ? ret : host_node_rename(fid->file_node, dir->file_node, name);
}

static int p9_renameat(struct p9_req *req)
{
	u32 oldid = p9_get_u32(&req->in), newid;
	char oldname[NAME_MAX + 1], newname[NAME_MAX + 1];
	struct p9_fid *olddir, *newdir;
	int ret;

	p9_get_name(&req->in, oldname);
	newid = p9_get_u32(&req->in);
	p9_get_name(&req->in, newname);
	ret = p9_get_file(req, oldid, &olddir);
	if (!ret)
		ret = p9_get_file(req, newid, &newdir);
	if (ret)
		return ret;
	return host_rename(olddir->file_node, oldname, newdir->file_node, newname, 0);
}

static int p9_unlinkat(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), flags;
	char name[NAME_MAX + 1];
	struct p9_fid *dir;
	int ret;

	p9_get_name(&req->in, name);
	flags = p9_get_u32(&req->in);
	ret = p9_get_file(req, id, &dir);
	if (ret)
		return ret;
	if (flags & ~P9_AT_REMOVEDIR)
		return -EINVAL;
	return host_unlink(dir->file_node, name, flags & P9_AT_REMOVEDIR);
}

/* The server */

/* By half the message's type: T-messages are even. */
static int (*const p9_ops[P9_TYPES / 2])(struct p9_req *req) = {
	[P9_TSTATFS / 2] = p9_statfs,
	[P9_TLOPEN / 2] = p9_lopen,
	[P9_TLCREATE / 2] = p9_lcreate,
	[P9_TSYMLINK / 2] = p9_symlink,
	[P9_TMKNOD / 2] = p9_mknod,
	[P9_TRENAME / 2] = p9_rename,
	[P9_TREADLINK / 2] = p9_readlink,
	[P9_TGETATTR / 2] = p9_getattr,
	[P9_TSETATTR / 2] = p9_setattr,
	[P9_TXATTRWALK / 2] = p9_xattrwalk,
	[P9_TXATTRCREATE / 2] = p9_xattrcreate,
	[P9_TREADDIR / 2] = p9_readdir,
	[P9_TFSYNC / 2] = p9_fsync,
	[P9_TLOCK / 2] = p9_lock,
	[P9_TGETLOCK / 2] = p9_getlock,
	[P9_TLINK / 2] = p9_link,
	[P9_TMKDIR / 2] = p9_mkdir,
	[P9_TRENAMEAT / 2] = p9_renameat,
	[P9_TUNLINKAT / 2] = p9_unlinkat,
	[P9_TVERSION / 2] = p9_version,
	[P9_TAUTH / 2] = p9_auth,
	[P9_TATTACH / 2] = p9_attach,
	[P9_TFLUSH / 2] = p9_flush,
	[P9_TWALK / 2] = p9_walk,
	[P9_TREAD / 2] = p9_read,
	[P9_TWRITE / 2] = p9_write,
	[P9_TCLUNK / 2] = p9_clunk,
	[P9_TREMOVE / 2] = p9_remove,
};

/* Write the header and what follows it at the start of @r; the reply's length. */
static ssize_t p9_reply(struct iov_iter *r, u8 type, u16 tag, const void *body, size_t len,
			u32 data)
{
	struct p9_header head = {
		htole32(P9_HEADER + len + data), type, htole16(tag),
	};

	copy_to_iter(&head, sizeof(head), r);
	copy_to_iter(body, len, r);
	iov_iter_advance(r, data);
	return P9_HEADER + len + data;
}

static ssize_t p9_reply_error(struct iov_iter *r, u16 tag, int err)
{
	__le32 code = htole32(-err);

	return p9_reply(r, P9_RLERROR, tag, &code, sizeof(code), 0);
}

static int p9_handle(struct p9_req *req, u8 type, u32 size)
{
	int (*fn)(struct p9_req *) = type < P9_TYPES && !(type & 1) ? p9_ops[type / 2] : NULL;
	size_t room = iov_iter_count(req->r), len;

	if (!fn)
		return -EOPNOTSUPP;
	if (type == P9_TVERSION)
		req->limit = P9_MSIZE_MIN;
	else if (!req->limit)
		return -EPROTO;		/* no session yet */
	else if (size > req->limit)
		return -EMSGSIZE;
	req->limit = min((size_t)req->limit, room);

	size -= P9_HEADER;
	if (size > iov_iter_count(req->t))
		return -EBADMSG;
	/*
	 * Linux before 4.20 does not count the data in the size of a write, if it
	 * has not copied them.
	 */
	if (type == P9_TWRITE)
		len = P9_WRITE_HEADER - P9_HEADER;
	else
		len = size;
	if (len > sizeof(req->inbuf))
		return -EMSGSIZE;
	req->in = (struct p9_in){ .p = req->inbuf };
	req->in.left = copy_from_iter(req->inbuf, len, req->t);
	req->out = (struct p9_out){ .p = req->outbuf, .size = sizeof(req->outbuf) };
	return fn(req);
}

ssize_t p9_serve(struct p9 *p9, struct iov_iter *t, struct iov_iter *r,
		 struct p9_req **undelivered)
{
	struct p9_header head;
	struct p9_req *req;
	ssize_t len;
	u32 limit;
	u16 tag;
	int ret;

	*undelivered = NULL;
	if (iov_iter_count(r) < P9_ERROR_SIZE ||
	    copy_from_iter(&head, sizeof(head), t) < sizeof(head) ||
	    le32toh(head.size) < sizeof(head))
		return -EPROTO;
	tag = le16toh(head.tag);
	req = p9_req_begin(p9, tag);
	if (!req)
		return p9_reply_error(r, tag, -ENOMEM);
	req->t = t;
	req->r = r;
	ret = p9_handle(req, head.type, le32toh(head.size));
	limit = req->limit;
	if (!ret)
		ret = req->out.err;
	if (!ret && P9_HEADER + req->out.len + req->data > limit)
		ret = -EMSGSIZE;
	if (ret)
		len = p9_reply_error(r, tag, ret);
	else
		len = p9_reply(r, head.type + 1, tag, req->out.p, req->out.len, req->data);
	*undelivered = req;
	return p9_req_answer(req) ? 0 : len;
}

int p9_new(struct p9 **out, const struct p9_options *opts, const char **err_out)
{
	const char *err = "out of memory";
	struct p9 *p9;
	int ret;

	p9 = calloc(1, sizeof(*p9));
	ret = p9 ? share_init(&p9->share, opts->keep, opts->dir,
			      HOST_PARENTS | (opts->readonly ? HOST_READONLY : 0),
			      sizeof(struct p9_req), &err) : -ENOMEM;
	if (!ret) {
		err = "hide= has to be the absolute path of something that is there";
		ret = host_hide(p9->share.host, opts->keep, opts->hide);
		if (ret)
			share_exit(&p9->share);
	}
	if (ret) {
		free(p9);
		if (err_out)
			*err_out = err;
		return ret;
	}
	p9->msize_max = opts->msize_max ? min(opts->msize_max, P9_MSIZE_MAX) : P9_MSIZE_MAX;
	p9->msize_max = max(p9->msize_max, (u32)P9_MSIZE_MIN);
	p9->fids = RB_ROOT;
	*out = p9;
	return 0;
}

void p9_interrupt(struct p9 *p9)
{
	share_interrupt(&p9->share);
}

int p9_reset(struct p9 *p9)
{
	p9_fids_clear(p9);
	p9->msize = 0;
	return host_forked(p9->share.host);
}

void p9_free(struct p9 *p9)
{
	p9_reset(p9);
	share_exit(&p9->share);
	free(p9);
}
