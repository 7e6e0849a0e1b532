// SPDX-License-Identifier: GPL-2.0
/*
 * The 9P2000.L messages about open files: opening, data, directories, locks, and
 * extended attributes, which the protocol reads and writes like files. Runs on the
 * threads that call p9_serve(); the rest of the server is in p9.c.
 *
 * Data go between guest memory and the file directly.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/file.h>

#include <linux/kernel.h>

#include "p9_session.h"

/*
 * The client's flags for open(2). Direct I/O is not passed on: the guest's
 * buffers are not ours to align. Appending is the server's work (two machines may
 * do it to one file) if the file is open for writing only. Opened for both it
 * may be that Linux, from 6.3 until 6.18, writes back its page cache through the
 * fid, at offsets that it means, and has left the flag in.
 */
static int p9_open_flags(u32 flags)
{
	static const struct { u32 p9; int host; } map[] = {
		{ P9_O_EXCL, O_EXCL }, { P9_O_TRUNC, O_TRUNC },
		{ P9_O_NONBLOCK, O_NONBLOCK }, { P9_O_DSYNC, O_DSYNC },
		{ P9_O_SYNC, O_SYNC }, { P9_O_DIRECTORY, O_DIRECTORY },
		{ P9_O_NOATIME, O_NOATIME },
	};
	int host = flags & P9_O_ACCMODE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(map); i++) {
		if ((flags & map[i].p9) == map[i].p9)
			host |= map[i].host;
	}
	if (flags & P9_O_APPEND && host & O_WRONLY)
		host |= O_APPEND;
	return host;
}

static void p9_put_opened(struct p9_req *req, struct host_node *node)
{
	p9_put_node(req, node);
	p9_put_u32(&req->out, 0);	/* iounit: as much as a message holds */
}

int p9_lopen(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), flags = p9_get_u32(&req->in);
	struct host_file *file, *none = NULL;
	struct p9_fid *fid;
	int ret, host = p9_open_flags(flags);

	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	if (p9_fid_file(fid))
		return -EBADF;
	if (host & O_DIRECTORY && !S_ISDIR(fid->file_node->type))
		return -ENOTDIR;
	ret = host_open(fid->file_node, host, &file);
	if (ret)
		return ret;
	if (!__atomic_compare_exchange_n(&fid->file, &none, file, false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
		host_file_close(file);
		return -EBADF;
	}
	p9_put_opened(req, fid->file_node);
	return 0;
}

/* fid stands for the directory before, and for the open file afterwards. */
int p9_lcreate(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), flags, mode, gid;
	struct p9_fid *dir, *fid;
	struct host_file *file;
	char name[NAME_MAX + 1];
	struct host_cred cred;
	int ret;

	p9_get_name(&req->in, name);
	flags = p9_get_u32(&req->in);
	mode = p9_get_u32(&req->in);
	gid = p9_get_u32(&req->in);
	ret = p9_get_file(req, id, &dir);
	if (ret)
		return ret;
	if (p9_fid_file(dir))
		return -EBADF;
	cred = p9_cred(dir, gid);
	ret = host_create(dir->file_node, name, p9_open_flags(flags), mode, &cred, &file);
	if (ret)
		return ret;
	fid = p9_fid_new(dir->attach, file->node);
	if (!fid) {
		host_file_close(file);
		return -ENOMEM;
	}
	fid->file = file;
	p9_put_opened(req, file->node);
	return p9_fid_add(req, id, dir, fid);
}

static u32 p9_data_room(struct p9_req *req, u32 count)
{
	return min(count, (u32)(req->limit - P9_DATA_HEADER));
}

/* The place of the reply's data: behind the header, which is written last. */
static struct iov_iter p9_data_iter(struct p9_req *req)
{
	struct iov_iter data = *req->r;

	iov_iter_advance(&data, P9_DATA_HEADER);
	return data;
}

int p9_read(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), count;
	u64 off = p9_get_u64(&req->in);
	struct host_file *file;
	struct iov_iter data;
	struct p9_fid *fid;
	ssize_t n;
	int ret;

	count = p9_get_u32(&req->in);
	if (req->in.err)
		return req->in.err;
	ret = p9_fid_get(req, id, &fid);
	if (ret)
		return ret;
	count = p9_data_room(req, count);
	data = p9_data_iter(req);
	file = p9_fid_file(fid);
	if (fid->xattr) {
		const struct p9_xattr *x = fid->xattr;

		if (x->write)
			return -EBADF;
		n = 0;
		if (off < x->size)
			n = copy_to_iter(x->data + off, min((u64)count, x->size - off), &data);
	} else if (!file) {
		return -EBADF;
	} else if (off > INT64_MAX) {
		return -EINVAL;
	} else {
		n = iov_iter_read(&data, file->fd, count, off, 0);
		if (n < 0)
			return n;
	}
	p9_put_u32(&req->out, n);
	req->data = n;
	return 0;
}

static int p9_xattr_write(struct p9_req *req, struct p9_xattr *x, u64 off, u32 count)
{
	int ret = 0;

	if (!x->write)
		return -EBADF;
	pthread_mutex_lock(&x->lock);
	if (off > x->done)
		ret = -EINVAL;		/* a hole */
	else if (count > x->size - off)
		ret = -ENOSPC;
	else
		x->done = max(x->done, (u32)(off + copy_from_iter(x->data + off, count, req->t)));
	pthread_mutex_unlock(&x->lock);
	return ret;
}

int p9_write(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), count;
	u64 off = p9_get_u64(&req->in);
	struct host_file *file;
	struct p9_fid *fid;
	ssize_t n;
	int ret;

	count = p9_get_u32(&req->in);
	if (req->in.err)
		return req->in.err;
	if (count > iov_iter_count(req->t))
		return -EBADMSG;
	ret = p9_fid_get(req, id, &fid);
	if (ret)
		return ret;
	file = p9_fid_file(fid);
	if (fid->xattr) {
		n = p9_xattr_write(req, fid->xattr, off, count);
		if (!n)
			n = count;
	} else if (!file) {
		n = -EBADF;
	} else if (off > INT64_MAX) {
		n = -EINVAL;
	} else {
		n = host_file_modify(file, fid->attach->uid);
		if (!n)
			n = iov_iter_write(req->t, file->fd, count, off, 0);
	}
	if (n < 0)
		return n;
	p9_put_u32(&req->out, n);
	return 0;
}

/* One entry, converted; its length, 0 if there is no room. */
static u32 p9_put_dirent(struct p9_req *req, struct p9_fid *fid,
			 const struct host_dirent *de, u32 room)
{
	struct host_node *dir = fid->file_node;
	size_t len = strlen(de->name);
	struct p9_qid qid;

	if (P9_DIRENT + len > room)
		return 0;
	/* Above the root there is nothing. */
	if (dir == fid->attach->root && !strcmp(de->name, ".."))
		qid = p9_node_qid(req, dir);
	else
		qid = p9_qid(req->p9, dir, dir->dev, de->ino, DTTOIF(de->type));
	p9_put_qid(&req->out, &qid);
	p9_put_u64(&req->out, de->cookie);
	p9_put_u8(&req->out, de->type);
	p9_put_str(&req->out, de->name, len);
	return P9_DIRENT + len;
}

/*
 * The offset of an entry is the host's cookie for what follows it. The qids are
 * made of what the directory says, which for a mount point is what it hides: so
 * does readdir(3).
 */
int p9_readdir(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), count, used = 0, len;
	const size_t least = ALIGN(sizeof(struct host_dirent) + NAME_MAX + 1, 8);
	u64 cookie = p9_get_u64(&req->in);
	struct iov_iter data;
	struct p9_fid *fid;
	int ret;

	count = p9_get_u32(&req->in);
	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	if (!p9_fid_file(fid))
		return -EBADF;
	count = p9_data_room(req, count);
	data = p9_data_iter(req);
	for (;;) {
		size_t want = min((size_t)count - used, sizeof(req->buf));
		const struct host_dirent *de;
		ssize_t n, at;

		if (want < least && used)
			break;
		n = host_readdir(p9_fid_file(fid), cookie, NAME_MAX, req->buf, max(want, least));
		if (n == -EINVAL && !used)	/* a long name that is left out, for one */
			n = host_readdir(p9_fid_file(fid), cookie, NAME_MAX, req->buf,
					 sizeof(req->buf));
		if (n < 0 && !used)
			return n;
		if (n <= 0)
			break;
		for (at = 0; at < n; at += de->reclen) {
			de = (const void *)(req->buf + at);
			len = p9_put_dirent(req, fid, de, count - used);
			if (!len)
				break;
			used += len;
			cookie = de->cookie;
			if (req->out.size - req->out.len < P9_DIRENT + NAME_MAX) {
				copy_to_iter(req->out.p, req->out.len, &data);
				req->out.len = 0;
			}
		}
		copy_to_iter(req->out.p, req->out.len, &data);
		req->out.len = 0;
		if (!used)
			return -EINVAL;		/* no room for one: getdents(2) */
		/* Full; or so short that it was the last. If not, the client asks again. */
		if (at < n || (size_t)n < want / 2)
			break;
	}
	p9_put_u32(&req->out, used);
	req->data = used;
	return 0;
}

int p9_fsync(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), datasync = p9_get_u32(&req->in);
	struct p9_fid *fid;
	int ret;

	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	return p9_fid_file(fid) ? host_fsync(p9_fid_file(fid), datasync) : -EBADF;
}

/* Locks */

static int p9_get_lock(struct p9_in *in, u8 type, struct flock *lock, u32 *proc_id,
		       char client[256])
{
	static const short types[] = {
		[P9_LOCK_RDLCK] = F_RDLCK, [P9_LOCK_WRLCK] = F_WRLCK, [P9_LOCK_UNLCK] = F_UNLCK,
	};
	u64 start = p9_get_u64(in), len = p9_get_u64(in);

	*proc_id = p9_get_u32(in);
	p9_get_str(in, client, 256);
	if (in->err)
		return in->err;
	if (type >= ARRAY_SIZE(types))
		return -EINVAL;
	if (start > INT64_MAX || len > INT64_MAX)
		return -EOVERFLOW;
	*lock = (struct flock){
		.l_type = types[type], .l_whence = SEEK_SET, .l_start = start, .l_len = len,
	};
	return 0;
}

static int p9_flock(struct host_file *file, short type)
{
	int op = type == F_RDLCK ? LOCK_SH : type == F_WRLCK ? LOCK_EX : LOCK_UN;

	/* A file system without such locks: the lock excludes no process. */
	return flock(file->fd, op | LOCK_NB) && errno == EWOULDBLOCK ? -EAGAIN : 0;
}

/*
 * A lock of all of a file may come from flock(2): the protocol does not tell. On the host
 * the two kinds do not see each other, so it is taken as both, or as none of them.
 */
static int p9_set_lock(struct share_owner *owner, struct flock *lock)
{
	short before = __atomic_load_n(&owner->whole, __ATOMIC_RELAXED);
	int ret;

	if (lock->l_start || lock->l_len)
		return host_lock(owner->file, lock);
	ret = p9_flock(owner->file, lock->l_type);
	if (!ret)
		ret = host_lock(owner->file, lock);
	if (!ret)
		__atomic_store_n(&owner->whole, lock->l_type, __ATOMIC_RELAXED);
	else		/* also what an exchange that fails has let go of */
		p9_flock(owner->file, before);
	return ret;
}

/*
 * The protocol's locks are a process's: a child that closes what it inherited must not
 * undo the locks of its parent, which uses the same fid.
 */
static int p9_owner_get(struct p9_req *req, struct p9_fid *fid, u32 proc_id, const char *client,
			bool make, struct share_owner **out)
{
	const struct share_owner_key key = {
		.id = proc_id, .client = client, .file = p9_fid_file(fid), .node = fid->file_node,
		.by = fid, .gone = &fid->gone,
	};
	int ret = share_owner_get(&req->p9->share, &key, make, out);

	if (!ret && *out)
		__atomic_store_n(&(*out)->pid, proc_id, __ATOMIC_RELAXED);
	return ret;
}

/* Never waits: a client that wants to wait gets P9_LOCK_BLOCKED, and asks again. */
int p9_lock(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), changes, proc_id;
	u8 type = p9_get_u8(&req->in), status;
	struct share_owner *owner;
	struct p9_fid *fid;
	struct flock lock;
	char client[256];
	bool unlock, all;
	int ret;

	p9_get_u32(&req->in);	/* flags: P9_LOCK_FLAGS_BLOCK changes nothing */
	ret = p9_get_lock(&req->in, type, &lock, &proc_id, client);
	if (ret)
		return ret;
	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	if (!p9_fid_file(fid))
		return -EBADF;
	unlock = type == P9_LOCK_UNLCK;
	all = unlock && !lock.l_start && !lock.l_len;
	ret = p9_owner_get(req, fid, proc_id, client, !unlock, &owner);
	if (!ret && owner) {
		changes = __atomic_add_fetch(&owner->changes, !unlock, __ATOMIC_RELAXED);
		ret = p9_set_lock(owner, &lock);
		share_owner_put(&req->p9->share, owner, all, changes);
	}
	if (!ret)
		status = P9_LOCK_SUCCESS;
	else if (ret == -EAGAIN || ret == -EACCES)
		status = P9_LOCK_BLOCKED;
	else if (ret == -ENOLCK)
		status = P9_LOCK_ERROR;
	else
		return ret;
	p9_put_u8(&req->out, status);
	return 0;
}

int p9_getlock(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), proc_id;
	u8 type = p9_get_u8(&req->in);
	struct share_owner *owner;
	struct p9_fid *fid;
	struct flock lock;
	char client[256];
	int ret;

	ret = p9_get_lock(&req->in, type, &lock, &proc_id, client);
	if (ret)
		return ret;
	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	if (!p9_fid_file(fid))
		return -EBADF;
	if (type == P9_LOCK_UNLCK)
		return -EINVAL;
	ret = p9_owner_get(req, fid, proc_id, client, false, &owner);
	if (ret)
		return ret;
	ret = host_getlock(owner ? owner->file : p9_fid_file(fid), &lock);
	if (!ret && lock.l_type != F_UNLCK) {
		/* Those of the guest have no process here. */
		proc_id = lock.l_pid > 0 ? (u32)lock.l_pid :
					   share_owner_other(&req->p9->share, fid->file_node, owner);
	}
	if (owner)
		share_owner_put(&req->p9->share, owner, false, 0);
	if (ret)
		return ret;
	p9_put_u8(&req->out, lock.l_type == F_RDLCK ? P9_LOCK_RDLCK :
			     lock.l_type == F_WRLCK ? P9_LOCK_WRLCK : P9_LOCK_UNLCK);
	p9_put_u64(&req->out, lock.l_start);
	p9_put_u64(&req->out, lock.l_len);
	p9_put_u32(&req->out, proc_id);
	p9_put_str(&req->out, client, strlen(client));
	return 0;
}

/* Extended attributes */

/* newfid holds the value from now on, or without a name the list of names. */
int p9_xattrwalk(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), newid = p9_get_u32(&req->in);
	struct p9_fid *fid, *newfid;
	char name[XATTR_NAME_MAX + 1];
	ssize_t len;
	int ret;

	p9_get_str(&req->in, name, sizeof(name));
	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	if (newid == P9_NOFID || p9_fid_used(req->p9, newid))
		return -EBADF;
	if (name[0])
		len = host_getxattr(fid->file_node, name, req->buf, sizeof(req->buf));
	else
		len = host_listxattr(fid->file_node, req->buf, sizeof(req->buf));
	if (len < 0)
		return len;
	newfid = p9_fid_new(fid->attach, fid->file_node);
	if (!newfid)
		return -ENOMEM;
	ret = p9_xattr_new(req->p9, newfid, name, len);
	if (ret) {
		p9_fid_put(req->p9, newfid);
		return ret;
	}
	memcpy(newfid->xattr->data, req->buf, len);
	newfid->xattr->done = len;
	p9_put_u64(&req->out, len);
	return p9_fid_add(req, newid, NULL, newfid);
}

/* fid takes the value by writes, and sets it when it is clunked. */
int p9_xattrcreate(struct p9_req *req)
{
	u32 id = p9_get_u32(&req->in), flags;
	struct p9_fid *fid, *newfid;
	char name[XATTR_NAME_MAX + 1];
	u64 size;
	int ret;

	p9_get_str(&req->in, name, sizeof(name));
	size = p9_get_u64(&req->in);
	flags = p9_get_u32(&req->in);
	ret = p9_get_file(req, id, &fid);
	if (ret)
		return ret;
	if (!name[0] || flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (size > P9_XATTR_MAX)
		return -E2BIG;
	if (p9_fid_file(fid))
		return -EBADF;
	newfid = p9_fid_new(fid->attach, fid->file_node);
	if (!newfid)
		return -ENOMEM;
	ret = p9_xattr_new(req->p9, newfid, name, size);
	if (ret) {
		p9_fid_put(req->p9, newfid);
		return ret;
	}
	newfid->xattr->write = true;
	newfid->xattr->flags = flags;
	return p9_fid_add(req, id, fid, newfid);
}

/*
 * Set the extended attribute to the value that was written. Linux removes one by
 * replacing it with no value. So replacing a value by an empty one removes it, too: all
 * servers accept that.
 */
int p9_xattr_commit(struct p9_fid *fid)
{
	struct p9_xattr *x = fid->xattr;
	int ret;

	pthread_mutex_lock(&x->lock);
	if (x->done != x->size)
		ret = -EIO;
	else if (!x->size && x->flags & XATTR_REPLACE)
		ret = host_removexattr(fid->file_node, x->name);
	else
		ret = host_setxattr(fid->file_node, x->name, x->data, x->size, x->flags);
	pthread_mutex_unlock(&x->lock);
	return ret;
}
