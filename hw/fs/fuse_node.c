// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a FUSE session: see fuse_session.h. Runs on the threads that are
 * in fuse_serve(), under share.lock, which is held for a few instructions only.
 * Descriptors are closed after the lock is released.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <time.h>

#include <linux/kernel.h>

#include "fuse_session.h"

#define FUSE_HASH_MIN	1024
#define FUSE_DEPTH_MAX	4096	/* directories opened on the way to a file */

/* Numbered objects */

/* The number, or 0: no memory. */
static u64 fuse_table_add(struct fuse_table *t, void *obj)
{
	struct fuse_slot *s;
	u32 i;

	if (t->free) {
		i = t->free - 1;
		t->free = t->slot[i].next;
	} else {
		if (t->used == t->size) {
			u32 size = max(t->size * 2, 64U);

			s = realloc(t->slot, size * sizeof(*s));
			if (!s)
				return 0;
			t->slot = s;
			t->size = size;
		}
		i = t->used++;
		t->slot[i].gen = 0;
	}
	s = &t->slot[i];
	s->obj = obj;
	return (u64)s->gen << 32 | (i + 1);
}

void *fuse_table_get(const struct fuse_table *t, u64 id)
{
	u32 i = (u32)id - 1;

	return i < t->used && t->slot[i].gen == id >> 32 ? t->slot[i].obj : NULL;
}

static void fuse_table_del(struct fuse_table *t, u64 id)
{
	u32 i = (u32)id - 1;

	t->slot[i].obj = NULL;
	t->slot[i].gen++;
	t->slot[i].next = t->free;
	t->free = i + 1;
}

int fuse_table_put(struct fuse_table *t, u64 id, u32 max, void *obj)
{
	u32 i = (u32)id - 1, size;
	struct fuse_slot *s;

	if (i >= max)
		return -EINVAL;
	if (i >= t->size) {
		size = max(t->size, 64U);
		while (size <= i)
			size *= 2;
		s = realloc(t->slot, size * sizeof(*s));
		if (!s)
			return -ENOMEM;
		t->slot = s;
		t->size = size;
	}
	for (; t->used <= i; t->used++)
		t->slot[t->used] = (struct fuse_slot){ .obj = NULL };
	s = &t->slot[i];
	if (s->obj)
		return -EINVAL;
	*s = (struct fuse_slot){ .obj = obj, .gen = id >> 32 };
	return 0;
}

void fuse_table_fill(struct fuse_table *t)
{
	u32 i;

	t->free = 0;
	for (i = t->used; i--; ) {
		if (t->slot[i].obj)
			continue;
		t->slot[i].next = t->free;
		t->free = i + 1;
	}
}

/* Numbers of files */

u64 fuse_ino(struct fuse *f, u64 dev, u64 ino)
{
	if (f->flags & FUSE_SUBMOUNTS || dev == f->root->dev)
		return ino;
	return share_ino(&f->share, dev, ino);
}

/* Nodes: by identity */

static u64 fuse_statx_dev(const struct statx *stx)
{
	return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

static u64 fuse_statx_btime(const struct statx *stx)
{
	if (!(stx->stx_mask & STATX_BTIME))
		return 0;
	return stx->stx_btime.tv_sec * 1000000000ULL + stx->stx_btime.tv_nsec;
}

/* Before Linux 5.8 the mount is not told: 0 for all. */
static u64 fuse_statx_mnt(const struct statx *stx)
{
	return stx->stx_mask & STATX_MNT_ID ? stx->stx_mnt_id : 0;
}

static struct fuse_node **fuse_hash(struct fuse *f, u64 dev, u64 ino, u64 mnt)
{
	u64 h = (ino + dev * 0x9e3779b97f4a7c15ULL + mnt) * 0xbf58476d1ce4e5b9ULL;

	return &f->hash[(h ^ h >> 32) & (f->hash_size - 1)];
}

static void fuse_node_hash(struct fuse *f, struct fuse_node *node)
{
	struct fuse_node **head = fuse_hash(f, node->dev, node->ino, node->mnt);

	node->next = *head;
	*head = node;
}

static void fuse_node_unhash(struct fuse *f, struct fuse_node *node)
{
	struct fuse_node **p = fuse_hash(f, node->dev, node->ino, node->mnt);

	while (*p != node)
		p = &(*p)->next;
	*p = node->next;
}

static void fuse_hash_grow(struct fuse *f)
{
	struct fuse_node **old = f->hash, *node, *next;
	u32 i, old_size = f->hash_size;
	struct fuse_node **hash = calloc(old_size * 2, sizeof(*hash));

	if (!hash)
		return;		/* slower, but right */
	f->hash = hash;
	f->hash_size = old_size * 2;
	for (i = 0; i < old_size; i++) {
		for (node = old[i]; node; node = next) {
			next = node->next;
			fuse_node_hash(f, node);
		}
	}
	free(old);
}

/*
 * Is it still the file that @node stands for? Once a file is gone its number may
 * be given to another one; not while we have it open. The time of birth tells them
 * apart, where the file system keeps one.
 */
static bool fuse_node_is(const struct fuse_node *node, const struct statx *stx)
{
	u64 btime = fuse_statx_btime(stx);

	return node->dev == fuse_statx_dev(stx) && node->ino == stx->stx_ino &&
	       node->mnt == fuse_statx_mnt(stx) && node->type == (stx->stx_mode & S_IFMT) &&
	       (node->btime == btime || !btime || !node->btime);
}

static struct fuse_node *fuse_node_lookup(struct fuse *f, const struct statx *stx)
{
	struct fuse_node *node;

	node = *fuse_hash(f, fuse_statx_dev(stx), stx->stx_ino, fuse_statx_mnt(stx));
	for (; node; node = node->next) {
		if (node->dev == fuse_statx_dev(stx) && node->ino == stx->stx_ino &&
		    node->mnt == fuse_statx_mnt(stx))
			return node;
	}
	return NULL;
}

/* Nodes: their lives */

static void fuse_file_put(struct fuse *f, struct fuse_file *file);

/* The kept open file of @node, or NULL. */
static struct fuse_file *fuse_node_kept(struct fuse_node *node)
{
	struct fuse_file *file = list_first_entry_or_null(&node->files, struct fuse_file, node_files);

	return file && !list_empty(&file->kept) ? file : NULL;
}

/* @file, which may be NULL, is not to be kept: the reference is the caller's to put. */
static struct fuse_file *fuse_file_unkeep(struct fuse *f, struct fuse_file *file)
{
	if (file) {
		list_del_init(&file->kept);
		f->nkept--;
	}
	return file;
}

/* Take it off the list of those that may be closed. */
static void fuse_node_keep(struct fuse *f, struct fuse_node *node)
{
	if (!list_empty(&node->lru)) {
		list_del_init(&node->lru);
		f->held--;
	}
}

/* Free @node if it is unused, and then those above it: no recursion. @dead collects them. */
static void fuse_node_drop(struct fuse *f, struct fuse_node *node, struct fuse_node **dead)
{
	while (node && !node->nlookup && !node->refs) {
		struct fuse_node *parent = node->parent;

		if (!node->stale)
			fuse_node_unhash(f, node);
		fuse_node_keep(f, node);
		fuse_table_del(&f->nodes, node->id);
		f->nnodes--;
		node->next = *dead;
		*dead = node;
		if (parent)
			parent->refs--;
		node = parent;
	}
}

static void fuse_nodes_bury(struct fuse_node *dead)
{
	struct fuse_node *next;

	for (; dead; dead = next) {
		next = dead->next;
		if (dead->held)
			host_node_put(dead->held);
		free(dead->name);
		free(dead);
	}
}

struct fuse_node *fuse_node_get(struct fuse *f, u64 id)
{
	struct fuse_node *node;

	pthread_mutex_lock(&f->share.lock);
	node = fuse_table_get(&f->nodes, id);
	if (node)
		node->refs++;
	pthread_mutex_unlock(&f->share.lock);
	return node;
}

void fuse_node_put(struct fuse *f, struct fuse_node *node)
{
	struct fuse_node *dead = NULL;

	pthread_mutex_lock(&f->share.lock);
	node->refs--;
	fuse_node_drop(f, node, &dead);
	pthread_mutex_unlock(&f->share.lock);
	fuse_nodes_bury(dead);
}

void fuse_node_forget(struct fuse *f, u64 id, u64 nlookup)
{
	struct fuse_node *node, *dead = NULL;
	struct fuse_file *kept = NULL;

	pthread_mutex_lock(&f->share.lock);
	node = fuse_table_get(&f->nodes, id);
	if (node && node != f->root) {
		node->nlookup -= min(node->nlookup, nlookup);
		if (!node->nlookup)
			kept = fuse_file_unkeep(f, fuse_node_kept(node));
		fuse_node_drop(f, node, &dead);
	}
	pthread_mutex_unlock(&f->share.lock);
	fuse_nodes_bury(dead);
	if (kept)
		fuse_file_put(f, kept);
}

static void fuse_node_see(struct fuse_node *node, const struct statx *stx)
{
	node->seen = (struct fuse_stamp){
		.mtime = stx->stx_mtime.tv_sec,
		.mtime_nsec = stx->stx_mtime.tv_nsec,
		.size = stx->stx_size,
	};
}

void fuse_node_seen(struct fuse *f, struct fuse_node *node, const struct statx *stx)
{
	pthread_mutex_lock(&f->share.lock);
	fuse_node_see(node, stx);
	pthread_mutex_unlock(&f->share.lock);
}

void fuse_node_pass(struct fuse *f, struct fuse_node *node)
{
	pthread_mutex_lock(&f->share.lock);
	node->passed = true;
	pthread_mutex_unlock(&f->share.lock);
}

u64 fuse_node_size(struct fuse *f, const struct fuse_node *node)
{
	u64 size;

	pthread_mutex_lock(&f->share.lock);
	size = node->seen.size;
	pthread_mutex_unlock(&f->share.lock);
	return size;
}

/* Nodes: by name */

static void fuse_node_set_name(struct fuse *f, struct fuse_node *node,
			       struct fuse_node *dir, const char *name,
			       struct fuse_node **dead)
{
	struct fuse_node *old = node->parent, *up;
	char *copy;

	if (old == dir && node->name && !strcmp(node->name, name))
		return;
	/* By renames on the host two directories can each be found in the other. */
	for (up = dir; up && S_ISDIR(node->type); up = up->parent) {
		if (up == node)
			return;
	}
	copy = strdup(name);
	if (!copy)
		return;		/* the old name is as good as any that is out of date */
	free(node->name);
	node->name = copy;
	node->parent = dir;
	dir->refs++;
	if (node->held && list_empty(&node->lru)) {
		list_add_tail(&node->lru, &f->lru);
		f->held++;
	}
	if (old) {
		old->refs--;
		fuse_node_drop(f, old, dead);
	}
}

void fuse_node_name(struct fuse *f, struct fuse_node *node, struct fuse_node *dir,
		    const char *name)
{
	struct fuse_node *dead = NULL;

	pthread_mutex_lock(&f->share.lock);
	if (node != f->root)
		fuse_node_set_name(f, node, dir, name, &dead);
	pthread_mutex_unlock(&f->share.lock);
	fuse_nodes_bury(dead);
}

void fuse_node_unname(struct fuse *f, struct fuse_node *node, struct fuse_node *dir,
		      const char *name)
{
	struct fuse_node *dead = NULL;

	pthread_mutex_lock(&f->share.lock);
	if (node->parent == dir && node->name && !strcmp(node->name, name)) {
		free(node->name);
		node->name = NULL;
		node->parent = NULL;
		fuse_node_keep(f, node);
		dir->refs--;
		fuse_node_drop(f, dir, &dead);
	}
	pthread_mutex_unlock(&f->share.lock);
	fuse_nodes_bury(dead);
}

struct fuse_node *fuse_node_find(struct fuse *f, struct host_node *dir, const char *name)
{
	struct fuse_node *node;
	struct statx stx;

	if (host_stat(dir, name, FUSE_NODE_STATX, &stx))
		return NULL;
	pthread_mutex_lock(&f->share.lock);
	node = fuse_node_lookup(f, &stx);
	if (node && !fuse_node_is(node, &stx))
		node = NULL;
	if (node)
		node->refs++;
	pthread_mutex_unlock(&f->share.lock);
	return node;
}

void fuse_identify(struct fuse_identity *id, const struct statx *stx)
{
	*id = (struct fuse_identity) {
		.dev = fuse_statx_dev(stx), .ino = stx->stx_ino, .mnt = fuse_statx_mnt(stx),
		.btime = fuse_statx_btime(stx), .type = stx->stx_mode & S_IFMT,
	};
}

/* Its number is given, and so nobody has found it yet. */
static void fuse_node_set_up(struct fuse *f, struct fuse_node *node, const struct fuse_identity *is)
{
	INIT_LIST_HEAD(&node->lru);
	INIT_LIST_HEAD(&node->files);
	node->dev = is->dev;
	node->ino = is->ino;
	node->mnt = is->mnt;
	node->btime = is->btime;
	node->type = is->type;
	if (f->nnodes++ >= f->hash_size)
		fuse_hash_grow(f);
	if (!node->stale)
		fuse_node_hash(f, node);
}

static struct fuse_node *fuse_node_new(struct fuse *f, const struct statx *stx)
{
	struct fuse_node *node = calloc(1, sizeof(*node));
	struct fuse_identity is;

	if (!node)
		return NULL;
	node->id = fuse_table_add(&f->nodes, node);
	if (!node->id) {
		free(node);
		return NULL;
	}
	fuse_identify(&is, stx);
	fuse_node_set_up(f, node, &is);
	return node;
}

int fuse_node_put_id(struct fuse *f, u64 id, const struct fuse_identity *is, bool stale, struct fuse_node **out)
{
	struct fuse_node *node, *other = *fuse_hash(f, is->dev, is->ino, is->mnt);
	int ret;

	for (; !stale && other; other = other->next)
		if (other->dev == is->dev && other->ino == is->ino && other->mnt == is->mnt)
			return -EINVAL;
	node = calloc(1, sizeof(*node));
	ret = node ? fuse_table_put(&f->nodes, id, FUSE_NODES_MAX, node) : -ENOMEM;
	if (ret) {
		free(node);
		return ret;
	}
	node->id = id;
	node->stale = stale;
	fuse_node_set_up(f, node, is);
	*out = node;
	return 0;
}

int fuse_node_enter(struct fuse *f, struct fuse_node *parent, const char *name,
		    const struct statx *stx, struct fuse_node **out, u64 *id)
{
	struct fuse_node *node, *dead = NULL;
	int ret = 0;

	pthread_mutex_lock(&f->share.lock);
	node = fuse_node_lookup(f, stx);
	if (node && !fuse_node_is(node, stx)) {
		fuse_node_unhash(f, node);
		node->stale = true;
		node = NULL;
	}
	if (node == f->root) {
		ret = -ELOOP;		/* a mount of the tree in itself, before Linux 5.8 */
	} else if (!node) {
		if (f->nnodes >= FUSE_NODES_MAX)
			ret = -ENFILE;
		else if (!(node = fuse_node_new(f, stx)))
			ret = -ENOMEM;
	}
	if (!ret) {
		if (parent)
			fuse_node_set_name(f, node, parent, name, &dead);
		fuse_node_see(node, stx);
		node->nlookup++;
		*id = node->id;
		if (out) {
			node->refs++;
			*out = node;
		}
	}
	pthread_mutex_unlock(&f->share.lock);
	fuse_nodes_bury(dead);
	return ret;
}

/* Nodes: opening them */

/* A reference to what is open of @node, or NULL. */
static struct host_node *fuse_node_held(struct fuse *f, struct fuse_node *node)
{
	if (node->held) {
		if (!list_empty(&node->lru))
			list_move_tail(&node->lru, &f->lru);
		return host_node_get(node->held);
	}
	if (!list_empty(&node->files))
		return host_node_get(list_first_entry(&node->files, struct fuse_file,
						      node_files)->file->node);
	return NULL;
}

bool fuse_evict(struct fuse *f)
{
	struct host_node *held = NULL;
	struct fuse_file *kept = NULL;
	struct fuse_node *node;

	pthread_mutex_lock(&f->share.lock);
	node = list_first_entry_or_null(&f->lru, struct fuse_node, lru);
	if (node) {
		fuse_node_keep(f, node);
		held = node->held;
		node->held = NULL;
	} else {
		kept = fuse_file_unkeep(f, list_first_entry_or_null(&f->kept, struct fuse_file, kept));
	}
	pthread_mutex_unlock(&f->share.lock);
	if (held)
		host_node_put(held);
	if (kept)
		fuse_file_put(f, kept);
	return held || kept;
}

/* @node has been opened: keep it so. True if there are too many now. */
static bool fuse_node_hold(struct fuse *f, struct fuse_node *node, struct host_node *hn)
{
	bool many = false;

	pthread_mutex_lock(&f->share.lock);
	if (!node->held) {
		node->held = host_node_get(hn);
		if (node->parent) {
			list_add_tail(&node->lru, &f->lru);
			many = ++f->held > f->held_max;
		}
	}
	pthread_mutex_unlock(&f->share.lock);
	return many;
}

int fuse_node_open(struct fuse *f, struct fuse_node *node, struct host_node **out,
		   struct statx *stx)
{
	unsigned int tries;

	for (tries = 0; tries < FUSE_DEPTH_MAX; tries++) {
		struct host_node *dir = NULL, *hn;
		struct fuse_node *n = node;
		char name[HOST_NAME_BYTES + 1];
		struct statx st;
		int ret;

		/* From the file upwards to what is open; @n is to be opened in that. */
		pthread_mutex_lock(&f->share.lock);
		hn = fuse_node_held(f, node);
		while (!hn && n->parent && !n->stale) {
			dir = fuse_node_held(f, n->parent);
			if (dir)
				break;
			n = n->parent;
		}
		if (dir) {
			strcpy(name, n->name);
			n->refs++;
		}
		pthread_mutex_unlock(&f->share.lock);
		if (hn) {
			ret = stx ? host_getattr(hn, FUSE_NODE_STATX, stx) : 0;
			if (ret)
				host_node_put(hn);
			else
				*out = hn;
			return ret;
		}
		if (!dir)
			return -ESTALE;

		ret = fuse_retry(f, host_lookup(dir, name, FUSE_NODE_STATX, &hn, &st));
		host_node_put(dir);
		if (!ret && !fuse_node_is(n, &st)) {
			host_node_put(hn);
			ret = -ESTALE;
		}
		if (!ret && fuse_node_hold(f, n, hn))
			fuse_evict(f);
		fuse_node_put(f, n);
		if (ret)
			return ret == -ENOENT || ret == -ENOTDIR ? -ESTALE : ret;
		if (n == node) {
			if (stx)
				*stx = st;
			*out = hn;
			return 0;
		}
		host_node_put(hn);
	}
	return -ESTALE;
}

/* Open files */

static void fuse_file_free(struct fuse *f, struct fuse_file *file)
{
	host_file_close(file->file);
	if (file->entries)
		__atomic_sub_fetch(&f->dir_bufs, 1, __ATOMIC_RELAXED);
	free(file->entries);
	pthread_mutex_destroy(&file->lock);
	fuse_node_put(f, file->node);
	free(file);
}

/* One reference, which is the caller's. Takes @hf over, also on failure. */
static struct fuse_file *fuse_file_new(struct host_file *hf)
{
	struct fuse_file *file = calloc(1, sizeof(*file));

	if (!file) {
		host_file_close(hf);
		return NULL;
	}
	file->refs = 1;
	file->file = hf;
	file->whole = F_UNLCK;
	INIT_LIST_HEAD(&file->kept);
	pthread_mutex_init(&file->lock, NULL);
	return file;
}

static void fuse_file_of(struct fuse_file *file, struct fuse_node *node)
{
	file->node = node;
	node->refs++;
	list_add(&file->node_files, &node->files);
}

int fuse_file_add(struct fuse *f, struct fuse_node *node, struct host_file *hf, bool cached,
		  u64 *id)
{
	struct fuse_file *file = fuse_file_new(hf);

	if (!file)
		return -ENOMEM;
	file->cached = cached;
	pthread_mutex_lock(&f->share.lock);
	file->id = fuse_table_add(&f->files, file);
	if (file->id) {
		fuse_file_of(file, node);
		*id = file->id;
	}
	pthread_mutex_unlock(&f->share.lock);
	if (file->id)
		return 0;
	host_file_close(hf);
	pthread_mutex_destroy(&file->lock);
	free(file);
	return -ENOMEM;
}

int fuse_file_put_id(struct fuse *f, u64 id, struct fuse_node *node, struct host_file *hf,
		     struct fuse_file **out)
{
	struct fuse_file *file = fuse_file_new(hf);
	int ret = file ? fuse_table_put(&f->files, id, FUSE_FILES_MAX, file) : -ENOMEM;

	if (!ret) {
		file->id = id;
		fuse_file_of(file, node);
		*out = file;
		return 0;
	}
	if (file) {
		host_file_close(hf);
		pthread_mutex_destroy(&file->lock);
		free(file);
	}
	return ret;
}

/* Those of a session without opening: all of them are kept, until they are not. */
static struct fuse_file *fuse_file_find(struct fuse *f, struct fuse_node *node)
{
	struct fuse_file *file = fuse_node_kept(node);

	if (file) {
		list_move_tail(&file->kept, &f->kept);
		file->refs++;
	}
	return file;
}

/* A reference to what is, or is now, kept open of @node. */
static int fuse_file_keep(struct fuse *f, struct fuse_node *node, struct fuse_file **out)
{
	struct fuse_file *file, *have, *old = NULL;
	struct host_file *hf;
	struct host_node *hn;
	int ret;

	pthread_mutex_lock(&f->share.lock);
	*out = fuse_file_find(f, node);
	pthread_mutex_unlock(&f->share.lock);
	if (*out)
		return 0;
	ret = fuse_node_open(f, node, &hn, NULL);
	if (ret)
		return ret;
	ret = fuse_retry(f, host_open(hn, O_RDONLY | (S_ISDIR(hn->type) ? 0 : O_NONBLOCK), &hf));
	host_node_put(hn);
	if (ret)
		return ret;
	file = fuse_file_new(hf);
	if (!file)
		return -ENOMEM;
	file->cached = true;
	pthread_mutex_lock(&f->share.lock);
	have = fuse_file_find(f, node);
	fuse_file_of(file, node);
	/* A node that was forgotten meanwhile is only for this request. */
	if (!have && (node->nlookup || node == f->root)) {
		list_add_tail(&file->kept, &f->kept);
		file->refs++;
		if (++f->nkept > f->kept_max)
			old = fuse_file_unkeep(f, list_first_entry(&f->kept, struct fuse_file, kept));
	}
	pthread_mutex_unlock(&f->share.lock);
	if (old)
		fuse_file_put(f, old);
	if (have)
		fuse_file_put(f, file);
	*out = have ? have : file;
	return 0;
}

int fuse_file_get(struct fuse_req *req, u64 id, struct fuse_file **out)
{
	struct fuse *f = req->fuse;
	struct fuse_file *file = NULL;
	int ret = -EBADF;

	if (!id && f->no_open) {
		ret = fuse_file_keep(f, req->node, &file);
	} else {
		pthread_mutex_lock(&f->share.lock);
		file = fuse_table_get(&f->files, id);
		if (file)
			file->refs++;
		pthread_mutex_unlock(&f->share.lock);
	}
	if (!file)
		return ret;
	req->files[req->nfiles++] = file;
	*out = file;
	return 0;
}

static void fuse_file_put(struct fuse *f, struct fuse_file *file)
{
	bool last;

	pthread_mutex_lock(&f->share.lock);
	last = !--file->refs;
	if (last)
		list_del(&file->node_files);
	pthread_mutex_unlock(&f->share.lock);
	if (last)
		fuse_file_free(f, file);
}

int fuse_file_remove(struct fuse *f, u64 id)
{
	struct fuse_file *file;
	LIST_HEAD(owners);

	pthread_mutex_lock(&f->share.lock);
	file = fuse_table_get(&f->files, id);
	if (file) {
		fuse_table_del(&f->files, id);
		file->id = 0;
		file->gone = true;
		share_owners_take(&f->share, file, &owners);
	}
	pthread_mutex_unlock(&f->share.lock);
	if (!file)
		return -EBADF;
	share_owners_put(&f->share, &owners);
	fuse_file_put(f, file);
	return 0;
}

/* The session */

int fuse_nodes_init(struct fuse *f)
{
	struct host_node *root = host_root(f->share.host);
	struct statx stx;
	int ret;

	f->hash_size = FUSE_HASH_MIN;
	f->hash = calloc(f->hash_size, sizeof(*f->hash));
	ret = f->hash ? host_getattr(root, FUSE_NODE_STATX, &stx) : -ENOMEM;
	if (!ret) {
		f->root = fuse_node_new(f, &stx);
		ret = f->root ? 0 : -ENOMEM;
	}
	if (ret) {
		host_node_put(root);
		free(f->nodes.slot);
		free(f->hash);
		return ret;
	}
	f->root->refs = 1;
	f->root->held = root;
	share_dev(&f->share, f->root->dev, f->root->ino);
	return 0;
}

/* Files first: they and their locks hold nodes. */
void fuse_session_clear(struct fuse *f)
{
	struct fuse_node *node, *dead = NULL;
	struct fuse_file *kept;
	u32 i;

	for (i = 0;; i++) {
		struct fuse_file *file;
		u64 id = 0;

		pthread_mutex_lock(&f->share.lock);
		while (i < f->files.used && !f->files.slot[i].obj)
			i++;
		if (i < f->files.used) {
			file = f->files.slot[i].obj;
			id = file->id;
		}
		pthread_mutex_unlock(&f->share.lock);
		if (!id)
			break;
		fuse_file_remove(f, id);
	}
	do {
		pthread_mutex_lock(&f->share.lock);
		kept = fuse_file_unkeep(f, list_first_entry_or_null(&f->kept, struct fuse_file, kept));
		pthread_mutex_unlock(&f->share.lock);
		if (kept)
			fuse_file_put(f, kept);
	} while (kept);
	pthread_mutex_lock(&f->share.lock);
	for (i = 1; i < f->nodes.used; i++) {
		node = f->nodes.slot[i].obj;
		if (node) {
			node->nlookup = 0;
			fuse_node_drop(f, node, &dead);
		}
	}
	__atomic_store_n(&f->minor, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&f->share.lock);
	fuse_nodes_bury(dead);
}

void fuse_nodes_free(struct fuse *f)
{
	struct fuse_node *dead = NULL;

	f->root->refs = 0;
	fuse_node_drop(f, f->root, &dead);
	fuse_nodes_bury(dead);
	free(f->nodes.slot);
	free(f->files.slot);
	free(f->hash);
}

/* Requests */

struct fuse_req *fuse_req_begin(struct fuse *f, const struct fuse_in_header *head)
{
	struct share_req *base = share_req_begin(&f->share, head->unique);
	struct fuse_req *req = container_of(base, struct fuse_req, req);

	if (!base)
		return NULL;
	req->fuse = f;
	req->node = NULL;
	req->hn = NULL;
	req->nfiles = 0;
	req->len = req->data = 0;
	req->head = *head;
	return req;
}

void fuse_req_end(struct fuse_req *req)
{
	struct fuse *f = req->fuse;
	struct fuse_node *node = req->node, *dead = NULL;
	struct fuse_file *last[ARRAY_SIZE(req->files)];
	unsigned int i, n = 0;

	if (req->hn)
		host_node_put(req->hn);
	pthread_mutex_lock(&f->share.lock);
	for (i = 0; i < req->nfiles; i++) {
		if (!--req->files[i]->refs) {
			list_del(&req->files[i]->node_files);
			last[n++] = req->files[i];
		}
	}
	if (node) {
		node->refs--;
		fuse_node_drop(f, node, &dead);
	}
	share_req_end(&req->req);
	pthread_mutex_unlock(&f->share.lock);
	fuse_nodes_bury(dead);
	for (i = 0; i < n; i++)
		fuse_file_free(f, last[i]);
}
