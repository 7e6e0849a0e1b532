// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a FUSE session (kvm/state.h): what the client knows by numbers. A node is
 * written with its parent's number and its name there, an open file with its node's. Parents
 * come first, so a state has no circles, and each file is looked up once in a directory that
 * is open. A file is the same if its inode number, kind and time of birth are. Device and
 * mount numbers may be others. No request is in progress.
 */
#include <linux/limits.h>
#include <stdlib.h>
#include <sys/file.h>

#include <linux/kernel.h>
#include <kvm/state.h>

#include "fuse_session.h"

#define STATE_NODES_BYTES	(192U << 20)
#define STATE_FILES_BYTES	(FUSE_FILES_MAX * sizeof(struct state_file))
#define STATE_LOCKS_BYTES	(8U << 20)
#define STATE_SAID		4	/* files that are named, of those that are gone */

struct state_node {
	u64 id, parent;			/* parent 0: no name is known */
	u64 nlookup;
	u64 dev, ino, mnt, btime;
	s64 mtime;
	u64 size;
	u32 mtime_nsec;
	u32 type;
	u16 name;			/* bytes that follow, and zeroes up to a multiple of 8 */
	u8 stale, passed;
	u32 zero;
};

struct state_file {
	u64 id, node;
	u32 flags;
	s16 whole;
	u8 cached, written;
};

/* An owner of locks; its ranges follow. */
struct state_owner {
	u64 id, file;
	u32 pid, ranges;
};

struct state_range {
	s64 start, end;
	s64 type;
};

struct state_buffer {
	u8 *data;
	size_t len, size;
};

/* Zeroed room for @len bytes, or NULL. */
static void *buffer_add(struct state_buffer *b, size_t len)
{
	if (len > b->size - b->len) {
		size_t size = max(2 * b->size, b->len + len + 4096);
		u8 *grown = realloc(b->data, size);

		if (!grown)
			return NULL;
		b->data = grown;
		b->size = size;
	}
	b->len += len;
	return memset(b->data + b->len - len, 0, len);
}

/* The next @len bytes of what is read, from *@at on, or NULL. */
static const void *buffer_next(const struct state_buffer *b, size_t *at, size_t len)
{
	if (len > b->len - *at)
		return NULL;
	*at += len;
	return b->data + *at - len;
}

/* Write @b, or fill it in with at most @max bytes. */
static int buffer_state(struct state_buffer *b, struct state *s, const char *name, size_t max)
{
	if (!state_reads(s))
		return state_bytes(s, name, b->data, &b->len, max);
	b->data = malloc(max + 1);
	b->len = 0;
	if (!b->data)
		return state_refuse(s, "out of memory");
	return state_bytes(s, name, b->data, &b->len, max);
}

/* Messages: the path as the client knows it. */
static void state_path(const struct fuse_node *node, char *path, size_t size)
{
	size_t at = size - 1, len;

	path[at] = '\0';
	for (; node && node->name; node = node->parent) {
		len = strlen(node->name);
		if (len + 1 > at)
			break;
		at -= len;
		memcpy(path + at, node->name, len);
		path[--at] = '/';
	}
	memmove(path, path + at, size - at);
}

static void state_gone(struct fuse *f, u32 *gone, const struct fuse_node *parent, const char *name, const char *what)
{
	char path[512];

	if ((*gone)++ >= STATE_SAID)
		return;
	state_path(parent, path, sizeof(path));
	pr_warn("share %s: %s/%s, %s, is gone or another file now", f->state_name, path, name, what);
}

/* Nodes */

static int node_write(const struct fuse_node *node, struct state_buffer *b)
{
	size_t len = node->name && node->parent ? strlen(node->name) : 0;
	struct state_node *n = buffer_add(b, sizeof(*n) + ALIGN(len, (size_t)8));

	if (!n)
		return -ENOMEM;
	*n = (struct state_node) {
		.id = node->id, .parent = len ? node->parent->id : 0, .nlookup = node->nlookup,
		.dev = node->dev, .ino = node->ino, .mnt = node->mnt, .btime = node->btime,
		.mtime = node->seen.mtime, .mtime_nsec = node->seen.mtime_nsec, .size = node->seen.size,
		.type = node->type, .name = len, .stale = node->stale, .passed = node->passed,
	};
	memcpy(n + 1, node->name ? node->name : "", len);
	return 0;
}

/* @node and those above it that were not written: the highest first. */
static int node_write_from(struct fuse_node *node, u8 *done, struct state_buffer *b)
{
	struct fuse_node *at;
	int ret = 0;

	while (!ret && !done[(u32)node->id - 1]) {
		for (at = node; at->parent && !done[(u32)at->parent->id - 1]; at = at->parent)
			;
		ret = node_write(at, b);
		done[(u32)at->id - 1] = 1;
	}
	return ret;
}

static int nodes_write(struct fuse *f, struct state_buffer *b)
{
	u8 *done = calloc(f->nodes.used + 1, 1);
	int ret = done ? 0 : -ENOMEM;
	u32 i;

	for (i = 0; !ret && i < f->nodes.used; i++)
		if (f->nodes.slot[i].obj && !done[i])
			ret = node_write_from(f->nodes.slot[i].obj, done, b);
	free(done);
	return ret;
}

/* The file that has the name now; -ESTALE: it is another. */
static int node_find(struct fuse *f, struct fuse_node *parent, const char *name, const struct state_node *n,
		     struct fuse_identity *is)
{
	struct host_node *dir;
	struct statx stx;
	int ret = parent->stale ? -ESTALE : fuse_node_open(f, parent, &dir, NULL);

	if (ret)
		return ret;
	ret = host_stat(dir, name, FUSE_NODE_STATX, &stx);
	host_node_put(dir);
	if (ret)
		return ret;
	fuse_identify(is, &stx);
	return is->ino == n->ino && is->type == n->type && (is->btime == n->btime || !is->btime || !n->btime) ? 0 : -ESTALE;
}

static int node_read(struct fuse *f, struct state *s, const struct state_node *n, const char *name, u32 *gone)
{
	struct fuse_node *parent = n->parent ? fuse_table_get(&f->nodes, n->parent) : NULL, *node;
	struct fuse_identity is = { n->dev, n->ino, n->mnt, n->btime, n->type };
	bool stale = true;
	int ret;

	if ((n->parent && (!parent || !S_ISDIR(parent->type) || host_name_error(name, n->name))) || n->stale > 1 ||
	    n->passed > 1 || (n->type & ~S_IFMT))
		return state_refuse(s, "an impossible node");
	if (parent && !n->stale) {
		stale = node_find(f, parent, name, n, &is);
		if (stale && !parent->stale)
			state_gone(f, gone, parent, name, "which the guest knows");
	}
	/* By two names: one node has the other's place. */
	ret = fuse_node_put_id(f, n->id, &is, stale, &node);
	if (ret == -EINVAL && !stale)
		ret = fuse_node_put_id(f, n->id, &is, true, &node);
	if (ret)
		return state_refuse(s, ret == -ENOMEM ? "out of memory" : "two nodes with one number");
	node->nlookup = n->nlookup;
	node->passed = n->passed;
	node->seen = (struct fuse_stamp) { n->mtime, n->mtime_nsec, n->size };
	/* Nothing is found below a stale one, and a chain of those may have any length. */
	if (parent && !node->stale)
		fuse_node_name(f, node, parent, name);
	return 0;
}

static int nodes_read(struct fuse *f, struct state *s, const struct state_buffer *b, u32 *gone)
{
	char name[HOST_NAME_BYTES + 1];
	struct state_node n;
	const void *p;
	size_t at = 0;

	while (!state_status(s) && at < b->len) {
		p = buffer_next(b, &at, sizeof(n));
		if (p)
			memcpy(&n, p, sizeof(n));
		p = p && n.name <= HOST_NAME_BYTES ? buffer_next(b, &at, ALIGN((size_t)n.name, (size_t)8)) : NULL;
		if (!p)
			return state_refuse(s, "half a node");
		memcpy(name, p, n.name);
		name[n.name] = '\0';
		if (n.id != f->root->id)
			node_read(f, s, &n, name, gone);
		else if (n.ino != f->root->ino || (n.btime && f->root->btime && n.btime != f->root->btime))
			state_refuse(s, "the shared directory is another one now");
	}
	return state_status(s);
}

/* Open files */

static int files_write(struct fuse *f, struct state_buffer *b)
{
	u32 i;

	for (i = 0; i < f->files.used; i++) {
		const struct fuse_file *file = f->files.slot[i].obj;
		struct state_file *n = file ? buffer_add(b, sizeof(*n)) : NULL;

		if (file && !n)
			return -ENOMEM;
		if (file)
			*n = (struct state_file) {
				.id = file->id, .node = file->node->id, .flags = file->file->flags, .whole = file->whole,
				.cached = file->cached, .written = file->written,
			};
	}
	return 0;
}

/* 0, or -errno: the file cannot be opened as it was. */
static int file_open(struct fuse *f, struct fuse_node *node, u32 flags, struct host_file **out)
{
	struct host_node *hn;
	int ret = fuse_node_open(f, node, &hn, NULL);

	if (ret)
		return ret;
	ret = fuse_retry(f, host_open(hn, flags | (S_ISDIR(hn->type) ? 0 : O_NONBLOCK), out));
	host_node_put(hn);
	return ret;
}

static int file_read(struct fuse *f, struct state *s, const struct state_file *n, u32 *gone)
{
	struct fuse_node *node = fuse_table_get(&f->nodes, n->node);
	struct fuse_file *file;
	struct host_file *hf;
	int ret;

	if (!node || n->flags & ~(u32)(O_ACCMODE | O_APPEND) || n->cached > 1 || n->written > 1 ||
	    (n->whole != F_UNLCK && n->whole != F_RDLCK && n->whole != F_WRLCK))
		return state_refuse(s, "an impossible open file");
	if (f->opts.readonly && (n->flags & O_ACCMODE) != O_RDONLY)
		return state_refuse(s, "a file is open for writing, and the share is read-only now");
	ret = file_open(f, node, n->flags, &hf);
	if (ret) {
		/* To the guest its number means nothing any more: EBADF. One that is stale was named before. */
		if (!node->stale)
			state_gone(f, gone, node->parent, node->name ? node->name : "(removed)", "which the guest has open");
		return 0;
	}
	if (fuse_file_put_id(f, n->id, node, hf, &file))
		return state_refuse(s, "two open files with one number");
	file->cached = n->cached;
	file->written = n->written;
	file->whole = n->whole;
	if (n->whole != F_UNLCK && flock(hf->fd, (n->whole == F_RDLCK ? LOCK_SH : LOCK_EX) | LOCK_NB))
		return state_refuse(s, "the guest has a lock on %s, which another process has now",
				    node->name ? node->name : "a file");
	return 0;
}

static int files_read(struct fuse *f, struct state *s, const struct state_buffer *b, u32 *gone)
{
	struct state_file n;
	const void *p;
	size_t at = 0;

	while (!state_status(s) && at < b->len) {
		p = buffer_next(b, &at, sizeof(n));
		if (!p)
			return state_refuse(s, "half an open file");
		memcpy(&n, p, sizeof(n));
		file_read(f, s, &n, gone);
	}
	return state_status(s);
}

/* Locks: of processes; those by flock(2) are the open files' */

static int locks_write(struct fuse *f, struct state *s, struct state_buffer *b)
{
	const struct share_owner *o;
	const struct share_range *r;

	list_for_each_entry(o, &f->share.owners, node) {
		struct state_owner *n = buffer_add(b, sizeof(*n));
		size_t at = b->len;
		u32 ranges = 0;

		if (n && o->untracked)
			return state_refuse(s, "the guest has more locks than lkvm keeps track of");
		if (n)
			*n = (struct state_owner) { .id = o->id, .file = ((const struct fuse_file *)o->by)->id, .pid = o->pid };
		list_for_each_entry(r, &o->ranges, link) {
			struct state_range *nr = n ? buffer_add(b, sizeof(*nr)) : NULL;

			if (!nr)
				return state_refuse(s, "out of memory");
			*nr = (struct state_range) { r->start, r->end, r->type };
			ranges++;
		}
		if (!n)
			return state_refuse(s, "out of memory");
		((struct state_owner *)(b->data + at))[-1].ranges = ranges;
	}
	return 0;
}

static int range_read(struct fuse *f, struct state *s, struct share_owner *o, const struct state_range *r)
{
	struct flock lock = {
		.l_type = r->type, .l_whence = SEEK_SET, .l_start = r->start,
		.l_len = r->end == INT64_MAX ? 0 : r->end - r->start + 1,
	};

	if ((r->type != F_RDLCK && r->type != F_WRLCK) || r->start < 0 || r->end < r->start)
		return state_refuse(s, "an impossible lock");
	return share_lock(&f->share, o, &lock, false) ?
		state_refuse(s, "the guest has a lock on a file, which another process has now") : 0;
}

static int owner_read(struct fuse *f, struct state *s, const struct state_owner *n, const struct state_buffer *b, size_t *at)
{
	struct fuse_file *file = fuse_table_get(&f->files, n->file);
	struct share_owner *o = NULL;
	struct state_range r;
	const void *p;
	u32 i;

	if (file) {
		const struct share_owner_key key = {
			.id = n->id, .client = "", .file = file->file, .node = file->file->node,
			.by = file, .gone = &file->gone,
		};

		if (share_owner_get(&f->share, &key, true, &o))
			return state_refuse(s, "the files that the guest has locked cannot be opened");
		o->pid = n->pid;
	}
	/* Without the file its locks are gone, too. */
	for (i = 0; !state_status(s) && i < n->ranges; i++) {
		p = buffer_next(b, at, sizeof(r));
		if (!p) {
			state_refuse(s, "half a lock");
			break;
		}
		memcpy(&r, p, sizeof(r));
		if (o)
			range_read(f, s, o, &r);
	}
	if (o)
		share_owner_put(&f->share, o, false, 0);
	return state_status(s);
}

static int locks_read(struct fuse *f, struct state *s, const struct state_buffer *b)
{
	struct state_owner n;
	const void *p;
	size_t at = 0;

	while (!state_status(s) && at < b->len) {
		p = buffer_next(b, &at, sizeof(n));
		if (!p)
			return state_refuse(s, "half an owner of locks");
		memcpy(&n, p, sizeof(n));
		if (n.ranges && !f->opts.locks)
			return state_refuse(s, "the guest has locks, and the share has none now");
		owner_read(f, s, &n, b, &at);
	}
	return state_status(s);
}

/* All of it */

static const struct state_field session_fields[] = {
	STATE(struct fuse, minor),
	STATE(struct fuse, flags),
	STATE(struct fuse, no_open),
	STATE_END
};

static int session_write(struct fuse *f, struct state *s, struct state_buffer b[3])
{
	if (nodes_write(f, &b[0]) || files_write(f, &b[1]))
		return state_refuse(s, "out of memory");
	return locks_write(f, s, &b[2]);
}

static int session_read(struct fuse *f, struct state *s, const struct state_buffer b[3])
{
	u32 gone = 0;

	if (f->flags & FUSE_WRITEBACK_CACHE && (!f->opts.writeback || f->opts.readonly))
		return state_refuse(s, "the guest caches writes, which the share does not allow now");
	nodes_read(f, s, &b[0], &gone);
	fuse_table_fill(&f->nodes);
	if (!state_status(s))
		files_read(f, s, &b[1], &gone);
	fuse_table_fill(&f->files);
	if (!state_status(s))
		locks_read(f, s, &b[2]);
	if (gone > STATE_SAID)
		pr_warn("share %s: %u more files that the guest knows are gone", f->state_name, gone - STATE_SAID);
	return state_status(s);
}

int fuse_state(struct fuse *f, struct state *s, const char *name)
{
	struct state_buffer b[3] = { { NULL } };
	unsigned int i;

	f->state_name = name;

	state_fields(s, session_fields, f);
	share_state(&f->share, s);
	if (!state_status(s) && !state_reads(s))
		session_write(f, s, b);
	buffer_state(&b[0], s, "nodes", STATE_NODES_BYTES);
	buffer_state(&b[1], s, "files", STATE_FILES_BYTES);
	buffer_state(&b[2], s, "locks", STATE_LOCKS_BYTES);
	if (!state_status(s) && state_reads(s))
		session_read(f, s, b);
	for (i = 0; i < ARRAY_SIZE(b); i++)
		free(b[i].data);
	return state_status(s);
}
