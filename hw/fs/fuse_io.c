// SPDX-License-Identifier: GPL-2.0
/*
 * The FUSE requests about open files: opening, data, directories, locks. Runs on
 * the threads that call fuse_serve(); the rest of the server is in fuse.c.
 *
 * Data go between guest memory and the file directly.
 *
 * When the client opens a file, its cached data is dropped if the file has changed: if
 * its modification time or size is another than the client last got. So close-to-open
 * consistency costs one statx(). The client also caches the size for a second, which
 * would break it: see fuse_open_fresh().
 */
#include <dirent.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "fuse_session.h"

#ifndef FOPEN_NOFLUSH		/* 7.35 */
#define FOPEN_NOFLUSH	(1 << 5)
#endif

/* Opening */

/*
 * The client's flags for open(2), of the same architecture as ours. Direct I/O is
 * not passed on: the guest's buffers are not ours to align. Appending is said with
 * each write, and so is synchronous writing, by FSYNC. With a writeback cache the
 * client reads what it writes parts of.
 */
static int fuse_open_flags(struct fuse *f, u32 flags)
{
	int host = flags & (O_ACCMODE | O_TRUNC | O_NOATIME | O_EXCL);

	if (f->flags & FUSE_WRITEBACK_CACHE && (host & O_ACCMODE) == O_WRONLY)
		host = (host & ~O_ACCMODE) | O_RDWR;
	return host | O_NONBLOCK;
}

/*
 * Have writes by such an open file to bypass the client's page cache? Linux splits a cached
 * write at the end of a page, and appends at the end of the file that it knows. Another
 * process that appends could write between the two parts.
 */
static bool fuse_appends(struct fuse *f, u32 how)
{
	return (how & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND) &&
	       f->opts.cache == FUSE_CACHE_AUTO && !(f->flags & FUSE_WRITEBACK_CACHE);
}

static u32 fuse_open_reply_flags(struct fuse *f, struct host_node *hn, u32 how, bool same)
{
	enum share_contents contents = share_contents(&f->share, hn, hn->dev, hn->ino);
	u32 flags = 0;

	if (f->opts.cache == FUSE_CACHE_NONE || contents == SHARE_CONTENTS_MADE)
		flags |= FOPEN_DIRECT_IO;
	else if (same || f->opts.cache == FUSE_CACHE_ALWAYS)
		flags |= FOPEN_KEEP_CACHE;
	if (fuse_appends(f, how))
		flags |= FOPEN_DIRECT_IO;
	/*
	 * FLUSH reports errors of earlier writes, and ends POSIX locks when a process closes
	 * the file. Locks of a file that is only read end with the open file, perhaps a little
	 * later: that saves a request for every file that is read.
	 */
	if (f->opts.readonly || (how & O_ACCMODE) == O_RDONLY ||
	    (contents == SHARE_CONTENTS_LOCAL && !f->opts.locks))
		flags |= FOPEN_NOFLUSH;
	return flags;
}

/* Was the open of @node by this thread refused just now? It is not refused twice. */
static bool fuse_open_again(struct fuse_req *req)
{
	struct fuse *f = req->fuse;
	unsigned int i;

	for (i = 0; i < FUSE_REFUSED; i++) {
		if (f->refused[i].node == req->node->id && f->refused[i].pid == req->head.pid) {
			f->refused[i].node = 0;
			return true;
		}
	}
	return false;
}

/*
 * If the file changed since the client cached it, the client may trust an old size.
 * The open fails with ESTALE then: Linux asks us by a lookup (LOOKUP_REVAL) and
 * retries. The second open succeeds in any case: the file may have changed again, and
 * an open without a path, as through /proc/self/fd, makes no lookup. A read-only
 * share never fails so: it may be a layer of an overlay, which does not retry.
 */
static int fuse_open_fresh(struct fuse_req *req, u32 flags, const struct statx *stx, bool *same)
{
	struct fuse_node *node = req->node;
	struct fuse *f = req->fuse;
	struct fuse_refused *r;
	int ret = 0;

	pthread_mutex_lock(&f->share.lock);
	*same = node->seen.mtime == stx->stx_mtime.tv_sec &&
		node->seen.mtime_nsec == stx->stx_mtime.tv_nsec &&
		node->seen.size == stx->stx_size;
	if (!fuse_open_again(req) && !*same && f->opts.cache == FUSE_CACHE_AUTO &&
	    !f->opts.readonly && !(f->flags & FUSE_WRITEBACK_CACHE) && !(flags & O_TRUNC)) {
		r = &f->refused[f->next_refused++ % FUSE_REFUSED];
		*r = (struct fuse_refused){ node->id, req->head.pid };
		ret = -ESTALE;
	} else if (node->passed) {
		*same = node->passed = false;
	}
	pthread_mutex_unlock(&f->share.lock);
	return ret;
}

/* Takes @file over. */
static int fuse_put_opened(struct fuse_req *req, struct fuse_node *node,
			   struct host_file *file, u32 flags)
{
	struct fuse_open_out *out;
	u64 id;
	int ret;

	ret = fuse_file_add(req->fuse, node, file, !(flags & FOPEN_DIRECT_IO), &id);
	if (ret)
		return ret;
	out = fuse_put(req, sizeof(*out));
	out->fh = id;
	out->open_flags = flags;
	return 0;
}

int fuse_open(struct fuse_req *req, const void *arg)
{
	const struct fuse_open_in *in = arg;
	struct fuse *f = req->fuse;
	int flags = fuse_open_flags(f, in->flags), ret;
	struct host_file *file;
	struct host_node *hn;
	struct statx stx;
	u32 reply = 0;
	bool same;

	if (f->no_open)
		return -ENOSYS;
	ret = fuse_node_open(f, req->node, &hn, &stx);
	if (ret)
		return ret;
	ret = S_ISDIR(hn->type) ? -EISDIR : 0;
	if (!ret)
		ret = fuse_open_fresh(req, in->flags, &stx, &same);
	if (!ret)
		ret = fuse_retry(f, host_open(hn, flags, &file));
	if (ret == -EACCES && (flags & O_ACCMODE) == O_RDWR && (in->flags & O_ACCMODE) == O_WRONLY)
		ret = fuse_retry(f, host_open(hn, (flags & ~O_ACCMODE) | O_WRONLY, &file));
	/* A file that may only be appended to (chattr +a), which a writeback cache cannot do. */
	if (ret == -EPERM && in->flags & O_APPEND && !(f->flags & FUSE_WRITEBACK_CACHE))
		ret = fuse_retry(f, host_open(hn, flags | O_APPEND, &file));
	if (!ret)
		reply = fuse_open_reply_flags(f, hn, in->flags, same);
	host_node_put(hn);
	if (ret)
		return ret;
	/* The client truncates its own cache with us. */
	if (flags & O_TRUNC && !statx(file->fd, "", AT_EMPTY_PATH, FUSE_NODE_STATX, &stx))
		fuse_node_seen(f, req->node, &stx);
#ifdef FUSE_OPEN_KILL_SUIDGID	/* 7.33 */
	if (flags & O_TRUNC && in->open_flags & FUSE_OPEN_KILL_SUIDGID)
		host_file_kill_priv(file);
#endif
	return fuse_put_opened(req, req->node, file, reply);
}

/* @how: the client's flags for open(2). */
static int fuse_put_created(struct fuse_req *req, const char *name, struct host_file *file, u32 how)
{
	struct fuse *f = req->fuse;
	struct fuse_node *node;
	struct statx stx;
	u64 id;
	int ret;

	ret = statx(file->fd, "", AT_EMPTY_PATH, FUSE_NODE_STATX, &stx) ? -errno : 0;
	if (!ret)
		ret = fuse_node_enter(f, name ? req->node : NULL, name, &stx, &node, &id);
	if (ret) {
		host_file_close(file);
		return ret;
	}
	fuse_put_entry(req, id, &stx, req->node);
	ret = fuse_put_opened(req, node, file,
			      fuse_open_reply_flags(f, file->node, how, false));
	fuse_node_put(f, node);
	if (ret)
		fuse_node_forget(f, id, 1);
	return ret;
}

int fuse_create(struct fuse_req *req, const void *arg)
{
	const struct fuse_create_in *in = arg;
	struct host_cred cred = fuse_cred(req, in->umask);
	struct fuse *f = req->fuse;
	struct host_file *file;
	int ret;

	ret = fuse_retry(f, host_create(req->hn, req->name, fuse_open_flags(f, in->flags), in->mode,
					&cred, &file));
	if (ret)
		return ret;
#ifdef FUSE_OPEN_KILL_SUIDGID
	if (in->flags & O_TRUNC && in->open_flags & FUSE_OPEN_KILL_SUIDGID)
		host_file_kill_priv(file);
#endif
	return fuse_put_created(req, req->name, file, in->flags);
}

int fuse_tmpfile(struct fuse_req *req, const void *arg)
{
	const struct fuse_create_in *in = arg;
	struct host_cred cred = fuse_cred(req, in->umask);
	struct fuse *f = req->fuse;
	struct host_file *file;
	int ret;

	ret = fuse_retry(f, host_create(req->hn, NULL, fuse_open_flags(f, in->flags), in->mode,
					&cred, &file));
	return ret ? ret : fuse_put_created(req, NULL, file, in->flags);
}

/*
 * The client wrote by @file: record the file's present state as known to the client, and
 * whether the data bypassed its page cache. True if it wrote.
 */
static bool fuse_file_settle(struct fuse *f, struct fuse_file *file)
{
	struct statx stx;

	if (!__atomic_exchange_n(&file->written, false, __ATOMIC_RELAXED))
		return false;
	if (!statx(file->file->fd, "", AT_EMPTY_PATH, FUSE_NODE_STATX, &stx))
		fuse_node_seen(f, file->node, &stx);
	if (!file->cached)
		fuse_node_pass(f, file->node);
	return true;
}

int fuse_release(struct fuse_req *req, const void *arg)
{
	const struct fuse_release_in *in = arg;
	struct fuse_file *file;

	if (!fuse_file_get(req, in->fh, &file))
		fuse_file_settle(req->fuse, file);
	return fuse_file_remove(req->fuse, in->fh);
}

/*
 * A process closes the file: its POSIX locks go. The host may want to say that it could
 * not store what was written, as network file systems do when a file is closed.
 */
int fuse_flush(struct fuse_req *req, const void *arg)
{
	const struct fuse_flush_in *in = arg;
	struct fuse_file *file;
	int ret, fd;

	if (req->fuse->no_open)
		return -ENOSYS;
	ret = fuse_file_get(req, in->fh, &file);
	if (ret)
		return ret;
	share_owner_drop(&req->fuse->share, file->file->node, in->lock_owner);
	if (!fuse_file_settle(req->fuse, file))
		return 0;
	fd = fcntl(file->file->fd, F_DUPFD_CLOEXEC, 0);
	return fd >= 0 && close(fd) ? -errno : 0;
}

/* Data */

/* The place of the reply's data: behind the header, which is written last. */
static struct iov_iter fuse_data_iter(struct fuse_req *req)
{
	struct iov_iter data = *req->out;

	iov_iter_advance(&data, sizeof(struct fuse_out_header));
	return data;
}

/*
 * To a client with a page cache, less than it has asked for says that the file ends there,
 * whatever size it knew. The host may have stopped for another reason, an error too: that
 * is what the next read says.
 */
static ssize_t fuse_read_rest(struct fuse *f, struct fuse_file *file, struct iov_iter *data,
			      size_t len, off_t off)
{
	u64 end = fuse_node_size(f, file->node);
	size_t done = 0;
	ssize_t n = 1;

	while (n > 0 && done < len && off + done != end) {
		n = iov_iter_read(data, file->file->fd, len - done, off + done, 0);
		done += max(n, (ssize_t)0);
	}
	return n < 0 ? n : (ssize_t)done;
}

int fuse_read(struct fuse_req *req, const void *arg)
{
	const struct fuse_read_in *in = arg;
	size_t len = min((size_t)in->size, req->room);
	struct iov_iter data = fuse_data_iter(req);
	struct fuse_file *file;
	ssize_t n, more = 0;
	int ret;

	ret = fuse_file_get(req, in->fh, &file);
	if (ret)
		return ret;
	if (in->offset > INT64_MAX)
		return -EINVAL;
	n = iov_iter_read(&data, file->file->fd, len, in->offset, 0);
	if (n > 0 && (size_t)n < len && file->cached)
		more = fuse_read_rest(req->fuse, file, &data, len - n, in->offset + n);
	if (n < 0 || more < 0)
		return min(n, more);
	req->data = n + more;
	return 0;
}

/*
 * The host decides where an append goes, as two machines may append. Data that the
 * client's page cache writes back goes to its own offset.
 */
int fuse_write(struct fuse_req *req, const void *arg)
{
	const struct fuse_write_in *in = arg;
	bool cached = in->write_flags & FUSE_WRITE_CACHE;
	struct fuse_write_out *out;
	struct fuse_file *file;
	ssize_t n;
	int ret;

	if (req->fuse->opts.readonly)
		return -EROFS;
	ret = fuse_file_get(req, in->fh, &file);
	if (ret)
		return ret;
	if (in->size > iov_iter_count(req->in) || in->offset > INT64_MAX)
		return -EINVAL;
	if (file->file->flags & O_APPEND && (cached || !(in->flags & O_APPEND)))
		return -EPERM;
	if (in->write_flags & FUSE_WRITE_KILL_PRIV) {
		ret = host_file_kill_priv(file->file);
		if (ret)
			return ret;
	}
	__atomic_store_n(&file->written, true, __ATOMIC_RELAXED);
	n = iov_iter_write(req->in, file->file->fd, in->size, in->offset,
			   in->flags & O_APPEND && !cached ? RWF_APPEND : 0);
	if (n < 0)
		return n;
	out = fuse_put(req, sizeof(*out));
	out->size = n;
	return 0;
}

int fuse_fsync(struct fuse_req *req, const void *arg)
{
	const struct fuse_fsync_in *in = arg;
	struct fuse_file *file;
	int ret;

	ret = fuse_file_get(req, in->fh, &file);
	return ret ? ret : host_fsync(file->file, in->fsync_flags & FUSE_FSYNC_FDATASYNC);
}

int fuse_fallocate(struct fuse_req *req, const void *arg)
{
	const struct fuse_fallocate_in *in = arg;
	struct fuse_file *file;
	int ret;

	if (req->fuse->opts.readonly)
		return -EROFS;
	ret = fuse_file_get(req, in->fh, &file);
	if (ret)
		return ret;
	if (in->offset > INT64_MAX || in->length > INT64_MAX)
		return -EINVAL;
	ret = host_file_modify(file->file, req->head.uid);
	if (ret)
		return ret;
	__atomic_store_n(&file->written, true, __ATOMIC_RELAXED);
	return fallocate(file->file->fd, in->mode, in->offset, in->length) ? -errno : 0;
}

int fuse_lseek(struct fuse_req *req, const void *arg)
{
	const struct fuse_lseek_in *in = arg;
	struct fuse_lseek_out *out;
	struct fuse_file *file;
	off_t off;
	int ret;

	ret = fuse_file_get(req, in->fh, &file);
	if (ret)
		return ret;
	/* The position is the client's; only these two ask the file. */
	if ((in->whence != SEEK_DATA && in->whence != SEEK_HOLE) || S_ISDIR(file->node->type))
		return -EINVAL;
	off = lseek(file->file->fd, in->offset, in->whence);
	if (off < 0)
		return -errno;
	out = fuse_put(req, sizeof(*out));
	out->offset = off;
	return 0;
}

int fuse_copy_file_range(struct fuse_req *req, const void *arg)
{
	const struct fuse_copy_file_range_in *in = arg;
	struct fuse_file *from, *to;
	struct fuse_write_out *out;
	off_t off_in = in->off_in, off_out = in->off_out;
	ssize_t n;
	int ret;

	if (req->fuse->opts.readonly)
		return -EROFS;
	ret = fuse_file_get(req, in->fh_in, &from);
	if (!ret)
		ret = fuse_file_get(req, in->fh_out, &to);
	if (ret)
		return ret;
	if (in->flags || off_in < 0 || off_out < 0)
		return -EINVAL;
	ret = host_file_modify(to->file, req->head.uid);
	if (ret)
		return ret;
	__atomic_store_n(&to->written, true, __ATOMIC_RELAXED);
	/* The reply has 32 bits for the length. */
	n = copy_file_range(from->file->fd, &off_in, to->file->fd, &off_out,
			    min(in->len, (uint64_t)1 << 30), 0);
	if (n < 0)
		return -errno;
	out = fuse_put(req, sizeof(*out));
	out->size = n;
	return 0;
}

/* Those that a file system answers itself, and that do nothing but to the file. */
int fuse_ioctl(struct fuse_req *req, const void *arg)
{
	const struct fuse_ioctl_in *in = arg;
	union {
		long flags;
		struct fsxattr attr;
	} data = { 0 };
	struct fuse_ioctl_out *out;
	struct fuse_file *file;
	bool change;
	size_t len;
	void *p;
	int ret;

	ret = fuse_file_get(req, in->fh, &file);
	/*
	 * The client has opened what we may not. As if it had no such flags: an
	 * overlay that copies the file takes no other answer.
	 */
	if (ret == -EACCES && req->fuse->no_open)
		ret = -ENOTTY;
	if (ret)
		return ret;
	switch (in->cmd) {
	case FS_IOC_GETFLAGS:
	case FS_IOC_SETFLAGS:
		len = sizeof(int);
		change = in->cmd == FS_IOC_SETFLAGS;
		break;
	case FS_IOC_FSGETXATTR:
	case FS_IOC_FSSETXATTR:
		len = sizeof(data.attr);
		change = in->cmd == FS_IOC_FSSETXATTR;
		break;
	default:
		return -ENOTTY;
	}
	if (change && req->fuse->opts.readonly)
		return -EROFS;
	if (change ? in->in_size < len || req->left < len : in->out_size < len)
		return -EINVAL;
	if (change)
		memcpy(&data, req->p, len);
	if (ioctl(file->file->fd, in->cmd, &data) < 0)
		return -errno;
	out = fuse_put(req, sizeof(*out));
	out->result = 0;
	if (!change) {
		p = fuse_put(req, len);
		memcpy(p, &data, len);
	}
	return 0;
}

/* Directories */

int fuse_opendir(struct fuse_req *req, const void *arg)
{
	struct fuse *f = req->fuse;
	struct host_file *file;
	struct host_node *hn;
	int ret;

	if (f->no_open)
		return -ENOSYS;
	ret = fuse_node_open(f, req->node, &hn, NULL);
	if (ret)
		return ret;
	ret = S_ISDIR(hn->type) ? fuse_retry(f, host_open(hn, O_RDONLY, &file)) : -ENOTDIR;
	host_node_put(hn);
	if (ret)
		return ret;
	return fuse_put_opened(req, req->node, file, f->opts.cache == FUSE_CACHE_ALWAYS ?
			       FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR : 0);
}

/* One entry at @p (of outbuf, zeroed); its length, 0 if there is no room. */
static size_t fuse_put_dirent(struct fuse_req *req, struct fuse_file *dir,
			      const struct host_dirent *de, bool plus, size_t room)
{
	size_t namelen = strlen(de->name), head = plus ? sizeof(struct fuse_entry_out) : 0;
	size_t len = head + FUSE_REC_ALIGN(FUSE_NAME_OFFSET + namelen);
	struct fuse *f = req->fuse;
	struct fuse_entry_out *e;
	struct fuse_dirent *d;
	struct statx stx;
	bool dots;
	u8 *p;
	u64 id;

	if (len > room)
		return 0;
	p = fuse_put(req, len);
	e = (void *)p;
	d = (void *)(p + head);
	dots = de->name[0] == '.' && (!de->name[1] || (de->name[1] == '.' && !de->name[2]));
	/* Above the root there is nothing. */
	d->ino = fuse_ino(f, dir->node->dev, dots && de->name[1] && dir->node == f->root ?
					     f->root->ino : de->ino);
	d->off = de->cookie;
	d->namelen = namelen;
	d->type = de->type;
	memcpy(d->name, de->name, namelen);
	/* An entry without a node is a name only: what is gone already, for example. */
	if (plus && !dots && !host_stat(dir->file->node, de->name, FUSE_NODE_STATX, &stx) &&
	    !fuse_node_enter(f, dir->node, de->name, &stx, NULL, &id))
		fuse_fill_entry(f, e, id, &stx, dir->node->dev);
	return len;
}

/*
 * The next entry at @cookie, read in advance as the client asks for a page at a
 * time; NULL at the end. The caller holds the file's lock.
 */
static int fuse_next_dirent(struct fuse_file *file, struct fuse_entries *b, u64 cookie,
			    const struct host_dirent **out)
{
	ssize_t n;

	if (b->at == b->len || b->cookie != cookie) {
		n = host_readdir(file->file, cookie, HOST_NAME_BYTES, b->buf, sizeof(b->buf));
		b->at = b->len = 0;
		if (n < 0)
			return n;
		b->len = n;
		b->cookie = cookie;
	}
	*out = b->at < b->len ? (const void *)(b->buf + b->at) : NULL;
	return 0;
}

/* Reading ahead is for some directories at a time; others do without, at more cost. */
static struct fuse_entries *fuse_entries_get(struct fuse_req *req, struct fuse_file *file)
{
	struct fuse *f = req->fuse;
	struct fuse_entries *b;

	_Static_assert(sizeof(*b) <= sizeof(req->buf), "entries of a request");
	if (file->entries)
		return file->entries;
	if (__atomic_add_fetch(&f->dir_bufs, 1, __ATOMIC_RELAXED) <= FUSE_DIR_BUFS) {
		file->entries = malloc(sizeof(*b));
		if (file->entries) {
			file->entries->at = file->entries->len = 0;
			return file->entries;
		}
	}
	__atomic_sub_fetch(&f->dir_bufs, 1, __ATOMIC_RELAXED);
	b = (void *)req->buf;
	b->at = b->len = 0;
	return b;
}

static void fuse_entries_end(struct fuse *f, struct fuse_file *file)
{
	if (!file->entries)
		return;
	free(file->entries);
	file->entries = NULL;
	__atomic_sub_fetch(&f->dir_bufs, 1, __ATOMIC_RELAXED);
}

static int fuse_do_readdir(struct fuse_req *req, const struct fuse_read_in *in, bool plus)
{
	struct iov_iter data = fuse_data_iter(req);
	size_t room = min((size_t)in->size, req->room), used = 0, len;
	const size_t most = FUSE_DIRENT_ALIGN(sizeof(struct fuse_direntplus) + HOST_NAME_BYTES);
	const struct host_dirent *de = NULL;
	struct fuse_entries *b;
	struct fuse_file *file;
	u64 cookie = in->offset;
	int ret;

	ret = fuse_file_get(req, in->fh, &file);
	if (ret)
		return ret;
	if (!S_ISDIR(file->node->type))
		return -ENOTDIR;
	pthread_mutex_lock(&file->lock);
	b = fuse_entries_get(req, file);
	if (!cookie)
		b->len = b->at;		/* rewound: as it is now */
	for (;;) {
		ret = fuse_next_dirent(file, b, cookie, &de);
		if (ret || !de)
			break;
		len = fuse_put_dirent(req, file, de, plus, room - used);
		if (!len)
			break;
		used += len;
		cookie = b->cookie = de->cookie;
		b->at += de->reclen;
		if (sizeof(req->outbuf) - req->len < most) {
			copy_to_iter(req->outbuf, req->len, &data);
			req->len = 0;
		}
	}
	if (!ret && !de)
		fuse_entries_end(req->fuse, file);
	pthread_mutex_unlock(&file->lock);
	if (!used && ret)
		return ret;
	if (!used && de)
		return -EINVAL;		/* no room for one: getdents(2) */
	copy_to_iter(req->outbuf, req->len, &data);
	req->len = 0;
	req->data = used;
	return 0;
}

int fuse_readdir(struct fuse_req *req, const void *arg)
{
	return fuse_do_readdir(req, arg, false);
}

int fuse_readdirplus(struct fuse_req *req, const void *arg)
{
	return fuse_do_readdir(req, arg, true);
}

/* Locks */

static int fuse_get_lock(const struct fuse_file_lock *in, struct flock *lock)
{
	if ((in->type != F_RDLCK && in->type != F_WRLCK && in->type != F_UNLCK) || in->end < in->start)
		return -EINVAL;
	if (in->start > INT64_MAX)
		return -EOVERFLOW;
	*lock = (struct flock){
		.l_type = in->type, .l_whence = SEEK_SET, .l_start = in->start,
		.l_len = in->end >= INT64_MAX ? 0 : in->end - in->start + 1,
	};
	return 0;
}

/* flock(2): the lock belongs to the open file, the client's and so ours. */
static int fuse_try_flock(struct fuse_file *file, const struct flock *lock, bool wait)
{
	int op = lock->l_type == F_RDLCK ? LOCK_SH : lock->l_type == F_WRLCK ? LOCK_EX : LOCK_UN;

	if (flock(file->file->fd, op | (wait ? 0 : LOCK_NB)))
		return -errno;
	__atomic_store_n(&file->whole, lock->l_type, __ATOMIC_RELAXED);
	return 0;
}

/* @owner NULL: by flock(2). */
static int fuse_try_lock(struct fuse_req *req, struct fuse_file *file, struct share_owner *owner,
			 struct flock *lock, bool wait)
{
	return owner ? share_lock(&req->fuse->share, owner, lock, wait) :
		       fuse_try_flock(file, lock, wait);
}

static int fuse_lock(struct fuse_req *req, struct fuse_file *file, struct share_owner *owner,
		     struct flock *lock)
{
	struct fuse *f = req->fuse;
	bool may;
	int ret;

	if (req->head.opcode != FUSE_SETLKW || lock->l_type == F_UNLCK)
		return fuse_try_lock(req, file, owner, lock, false);
	if (share_req_interrupted(&req->req))
		return -EINTR;
	/* Then it is suspended, or fuse_suspend() sees that this waits. */
	__atomic_store_n(&req->req.waits, true, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&f->suspended, __ATOMIC_SEQ_CST)) {
		ret = fuse_try_lock(req, file, owner, lock, false);
		return ret == -EAGAIN ? -ERESTART : ret;
	}
	may = __atomic_add_fetch(&f->nwaiters, 1, __ATOMIC_RELAXED) <= FUSE_WAITERS_MAX;
	ret = fuse_try_lock(req, file, owner, lock, may);
	__atomic_sub_fetch(&f->nwaiters, 1, __ATOMIC_RELAXED);
	if (ret == -EINTR && !share_req_interrupted(&req->req) && __atomic_load_n(&f->suspended, __ATOMIC_RELAXED))
		return -ERESTART;
	return !may && ret == -EAGAIN ? -ENOLCK : ret;
}

static int fuse_owner_get(struct fuse_req *req, struct fuse_file *file, u64 id, bool make,
			  struct share_owner **out)
{
	const struct share_owner_key key = {
		.id = id, .client = "", .file = file->file, .node = file->file->node,
		.by = file, .gone = &file->gone,
	};

	return share_owner_get(&req->fuse->share, &key, make, out);
}

int fuse_setlk(struct fuse_req *req, const void *arg)
{
	const struct fuse_lk_in *in = arg;
	bool unlock = in->lk.type == F_UNLCK, all;
	struct fuse *f = req->fuse;
	struct share_owner *owner;
	struct fuse_file *file;
	struct flock lock;
	u32 changes;
	int ret;

	if (!f->opts.locks)
		return -ENOSYS;
	ret = fuse_get_lock(&in->lk, &lock);
	if (!ret)
		ret = fuse_file_get(req, in->fh, &file);
	if (ret)
		return ret;
	if (in->lk_flags & FUSE_LK_FLOCK)
		return fuse_lock(req, file, NULL, &lock);
	ret = fuse_owner_get(req, file, in->owner, !unlock, &owner);
	if (ret || !owner)
		return ret;
	all = unlock && !lock.l_start && !lock.l_len;
	changes = __atomic_add_fetch(&owner->changes, !unlock, __ATOMIC_RELAXED);
	__atomic_store_n(&owner->pid, in->lk.pid, __ATOMIC_RELAXED);
	ret = fuse_lock(req, file, owner, &lock);
	share_owner_put(&f->share, owner, all, changes);
	return ret;
}

int fuse_getlk(struct fuse_req *req, const void *arg)
{
	const struct fuse_lk_in *in = arg;
	struct fuse *f = req->fuse;
	struct share_owner *owner;
	struct fuse_lk_out *out;
	struct fuse_file *file;
	struct flock lock;
	int ret;

	if (!f->opts.locks)
		return -ENOSYS;
	ret = fuse_get_lock(&in->lk, &lock);
	if (!ret)
		ret = fuse_file_get(req, in->fh, &file);
	if (ret)
		return ret;
	if (lock.l_type == F_UNLCK)
		return -EINVAL;
	ret = fuse_owner_get(req, file, in->owner, false, &owner);
	if (ret)
		return ret;
	ret = host_getlock(owner ? owner->file : file->file, &lock);
	if (!ret) {
		out = fuse_put(req, sizeof(*out));
		out->lk.type = lock.l_type;
		if (lock.l_type != F_UNLCK) {
			out->lk.start = lock.l_start;
			out->lk.end = lock.l_len ? lock.l_start + lock.l_len - 1 : INT64_MAX;
			/* Those of the client have no process here. */
			out->lk.pid = lock.l_pid > 0 ? (u32)lock.l_pid :
				share_owner_other(&f->share, file->file->node, owner);
		}
	}
	if (owner)
		share_owner_put(&f->share, owner, false, 0);
	return ret;
}
