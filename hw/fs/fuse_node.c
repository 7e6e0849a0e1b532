// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a FUSE session: see fuse_session.h. Runs on the threads that are
 * in fuse_serve(), under fuse->lock, which is held for a few instructions only;
 * what has to be closed is closed after it.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <time.h>

#include <linux/kernel.h>

#include "fuse_session.h"

#define FUSE_HASH_MIN	1024
#define FUSE_DEPTH_MAX	4096	/* directories opened on the way to a file */
#define FUSE_RETRY_NS	WAIT_MS(10)
#define FUSE_RETRIES	5

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

static void *fuse_table_get(const struct fuse_table *t, u64 id)
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

/* Devices */

static int fuse_dev_find(struct fuse *f, u64 dev)
{
	u32 i, n = __atomic_load_n(&f->ndevs, __ATOMIC_ACQUIRE);

	for (i = 0; i < n; i++) {
		if (f->devs[i].dev == dev)
			return i;
	}
	return -1;
}

int fuse_dev_index(struct fuse *f, u64 dev)
{
	int i = fuse_dev_find(f, dev);

	if (i >= 0)
		return i;
	pthread_mutex_lock(&f->lock);
	i = fuse_dev_find(f, dev);
	if (i < 0 && f->ndevs < FUSE_DEVS) {
		i = f->ndevs;
		f->devs[i].dev = dev;
		__atomic_store_n(&f->ndevs, i + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&f->lock);
	return i;
}

/*
 * The lower 48 bits of the file's own, and the device above them. What does not fit
 * into that is mixed up: that two such mixes are the same is as likely as any
 * accident.
 */
u64 fuse_ino(struct fuse *f, u64 dev, u64 ino)
{
	int i;

	if (f->flags & FUSE_SUBMOUNTS || dev == f->root->dev)
		return ino;
	i = fuse_dev_index(f, dev);
	if (i >= 0 && !(ino >> 48))
		return (u64)i << 48 | ino;
	ino += dev * 0x9e3779b97f4a7c15ULL;
	ino = (ino ^ ino >> 30) * 0xbf58476d1ce4e5b9ULL;
	ino = (ino ^ ino >> 27) * 0x94d049bb133111ebULL;
	return (ino ^ ino >> 31) | 1ULL << 63;
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

/* What is kept open of @node, or NULL. */
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

/* Free @node if nobody needs it, and then those above it: no recursion. @dead collects. */
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

	pthread_mutex_lock(&f->lock);
	node = fuse_table_get(&f->nodes, id);
	if (node)
		node->refs++;
	pthread_mutex_unlock(&f->lock);
	return node;
}

void fuse_node_put(struct fuse *f, struct fuse_node *node)
{
	struct fuse_node *dead = NULL;

	pthread_mutex_lock(&f->lock);
	node->refs--;
	fuse_node_drop(f, node, &dead);
	pthread_mutex_unlock(&f->lock);
	fuse_nodes_bury(dead);
}

void fuse_node_forget(struct fuse *f, u64 id, u64 nlookup)
{
	struct fuse_node *node, *dead = NULL;
	struct fuse_file *kept = NULL;

	pthread_mutex_lock(&f->lock);
	node = fuse_table_get(&f->nodes, id);
	if (node && node != f->root) {
		node->nlookup -= min(node->nlookup, nlookup);
		if (!node->nlookup)
			kept = fuse_file_unkeep(f, fuse_node_kept(node));
		fuse_node_drop(f, node, &dead);
	}
	pthread_mutex_unlock(&f->lock);
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
	pthread_mutex_lock(&f->lock);
	fuse_node_see(node, stx);
	pthread_mutex_unlock(&f->lock);
}

void fuse_node_pass(struct fuse *f, struct fuse_node *node)
{
	pthread_mutex_lock(&f->lock);
	node->passed = true;
	pthread_mutex_unlock(&f->lock);
}

u64 fuse_node_size(struct fuse *f, const struct fuse_node *node)
{
	u64 size;

	pthread_mutex_lock(&f->lock);
	size = node->seen.size;
	pthread_mutex_unlock(&f->lock);
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

	pthread_mutex_lock(&f->lock);
	if (node != f->root)
		fuse_node_set_name(f, node, dir, name, &dead);
	pthread_mutex_unlock(&f->lock);
	fuse_nodes_bury(dead);
}

void fuse_node_unname(struct fuse *f, struct fuse_node *node, struct fuse_node *dir,
		      const char *name)
{
	struct fuse_node *dead = NULL;

	pthread_mutex_lock(&f->lock);
	if (node->parent == dir && node->name && !strcmp(node->name, name)) {
		free(node->name);
		node->name = NULL;
		node->parent = NULL;
		fuse_node_keep(f, node);
		dir->refs--;
		fuse_node_drop(f, dir, &dead);
	}
	pthread_mutex_unlock(&f->lock);
	fuse_nodes_bury(dead);
}

struct fuse_node *fuse_node_find(struct fuse *f, struct host_node *dir, const char *name)
{
	struct fuse_node *node;
	struct statx stx;

	if (host_stat(dir, name, FUSE_NODE_STATX, &stx))
		return NULL;
	pthread_mutex_lock(&f->lock);
	node = fuse_node_lookup(f, &stx);
	if (node && !fuse_node_is(node, &stx))
		node = NULL;
	if (node)
		node->refs++;
	pthread_mutex_unlock(&f->lock);
	return node;
}

static struct fuse_node *fuse_node_new(struct fuse *f, const struct statx *stx)
{
	struct fuse_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->id = fuse_table_add(&f->nodes, node);
	if (!node->id) {
		free(node);
		return NULL;
	}
	INIT_LIST_HEAD(&node->lru);
	INIT_LIST_HEAD(&node->files);
	node->dev = fuse_statx_dev(stx);
	node->ino = stx->stx_ino;
	node->mnt = fuse_statx_mnt(stx);
	node->btime = fuse_statx_btime(stx);
	node->type = stx->stx_mode & S_IFMT;
	if (f->nnodes++ >= f->hash_size)
		fuse_hash_grow(f);
	fuse_node_hash(f, node);
	return node;
}

int fuse_node_enter(struct fuse *f, struct fuse_node *parent, const char *name,
		    const struct statx *stx, struct fuse_node **out, u64 *id)
{
	struct fuse_node *node, *dead = NULL;
	int ret = 0;

	pthread_mutex_lock(&f->lock);
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
	pthread_mutex_unlock(&f->lock);
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

	pthread_mutex_lock(&f->lock);
	node = list_first_entry_or_null(&f->lru, struct fuse_node, lru);
	if (node) {
		fuse_node_keep(f, node);
		held = node->held;
		node->held = NULL;
	} else {
		kept = fuse_file_unkeep(f, list_first_entry_or_null(&f->kept, struct fuse_file, kept));
	}
	pthread_mutex_unlock(&f->lock);
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

	pthread_mutex_lock(&f->lock);
	if (!node->held) {
		node->held = host_node_get(hn);
		if (node->parent) {
			list_add_tail(&node->lru, &f->lru);
			many = ++f->held > f->held_max;
		}
	}
	pthread_mutex_unlock(&f->lock);
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
		pthread_mutex_lock(&f->lock);
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
		pthread_mutex_unlock(&f->lock);
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
	pthread_mutex_lock(&f->lock);
	file->id = fuse_table_add(&f->files, file);
	if (file->id) {
		fuse_file_of(file, node);
		*id = file->id;
	}
	pthread_mutex_unlock(&f->lock);
	if (file->id)
		return 0;
	host_file_close(hf);
	pthread_mutex_destroy(&file->lock);
	free(file);
	return -ENOMEM;
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

	pthread_mutex_lock(&f->lock);
	*out = fuse_file_find(f, node);
	pthread_mutex_unlock(&f->lock);
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
	pthread_mutex_lock(&f->lock);
	have = fuse_file_find(f, node);
	fuse_file_of(file, node);
	/* What has been forgotten meanwhile is only for this request. */
	if (!have && (node->nlookup || node == f->root)) {
		list_add_tail(&file->kept, &f->kept);
		file->refs++;
		if (++f->nkept > f->kept_max)
			old = fuse_file_unkeep(f, list_first_entry(&f->kept, struct fuse_file, kept));
	}
	pthread_mutex_unlock(&f->lock);
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
		pthread_mutex_lock(&f->lock);
		file = fuse_table_get(&f->files, id);
		if (file)
			file->refs++;
		pthread_mutex_unlock(&f->lock);
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

	pthread_mutex_lock(&f->lock);
	last = !--file->refs;
	if (last)
		list_del(&file->node_files);
	pthread_mutex_unlock(&f->lock);
	if (last)
		fuse_file_free(f, file);
}

static void fuse_owners_put(struct fuse *f, struct list_head *list)
{
	struct fuse_owner *o, *next;

	list_for_each_entry_safe(o, next, list, node) {
		INIT_LIST_HEAD(&o->node);
		fuse_owner_put(f, o, false, 0);
	}
}

int fuse_file_remove(struct fuse *f, u64 id)
{
	struct fuse_owner *o, *next;
	struct fuse_file *file;
	LIST_HEAD(owners);

	pthread_mutex_lock(&f->lock);
	file = fuse_table_get(&f->files, id);
	if (file) {
		fuse_table_del(&f->files, id);
		file->id = 0;
		list_for_each_entry_safe(o, next, &f->owners, node) {
			if (o->by == file) {
				list_move(&o->node, &owners);
				f->nowners--;
			}
		}
	}
	pthread_mutex_unlock(&f->lock);
	if (!file)
		return -EBADF;
	fuse_owners_put(f, &owners);
	fuse_file_put(f, file);
	return 0;
}

/* Lock owners */

static struct fuse_owner *fuse_owner_find(struct fuse *f, const struct fuse_node *node, u64 owner)
{
	struct fuse_owner *o;

	list_for_each_entry(o, &f->owners, node) {
		if (o->owner == owner && o->of == node)
			return o;
	}
	return NULL;
}

/*
 * POSIX locks are a process's, whichever of its open files they came by, so an
 * owner has an open file of its own for them. It ends with the file that it came
 * by at the latest; the client says earlier that a process has closed one.
 */
int fuse_owner_get(struct fuse *f, struct fuse_file *file, u64 owner, bool make,
		   struct fuse_owner **out)
{
	struct fuse_owner *o, *have;
	int ret;

	pthread_mutex_lock(&f->lock);
	*out = fuse_owner_find(f, file->node, owner);
	if (*out)
		(*out)->refs++;
	pthread_mutex_unlock(&f->lock);
	if (*out || !make)
		return 0;

	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	INIT_LIST_HEAD(&o->node);
	o->refs = 1;
	o->owner = owner;
	o->of = file->node;
	o->by = file;
	ret = fuse_retry(f, host_open(file->file->node, O_RDWR | O_NONBLOCK, &o->file));
	if (ret)
		ret = fuse_retry(f, host_open(file->file->node, file->file->flags | O_NONBLOCK,
					      &o->file));
	if (ret) {
		free(o);
		return ret;
	}
	pthread_mutex_lock(&f->lock);
	have = fuse_owner_find(f, file->node, owner);
	if (have) {
		have->refs++;
	} else if (!file->id || f->nowners == FUSE_OWNERS_MAX) {
		ret = file->id ? -ENOLCK : -EBADF;
	} else {
		list_add(&o->node, &f->owners);
		f->nowners++;
		o->refs++;
		have = o;
	}
	pthread_mutex_unlock(&f->lock);
	if (have != o)
		fuse_owner_put(f, o, false, 0);
	*out = have;
	return ret;
}

void fuse_owner_put(struct fuse *f, struct fuse_owner *o, bool idle, u32 changes)
{
	bool last;

	pthread_mutex_lock(&f->lock);
	if (idle && o->refs == 2 && o->changes == changes && !list_empty(&o->node)) {
		list_del_init(&o->node);
		f->nowners--;
		o->refs--;
	}
	last = !--o->refs;
	pthread_mutex_unlock(&f->lock);
	if (last) {
		host_file_close(o->file);
		free(o);
	}
}

void fuse_owner_drop(struct fuse *f, struct fuse_file *file, u64 owner)
{
	struct fuse_owner *o;

	pthread_mutex_lock(&f->lock);
	o = fuse_owner_find(f, file->node, owner);
	if (o) {
		list_del_init(&o->node);
		f->nowners--;
	}
	pthread_mutex_unlock(&f->lock);
	if (o)
		fuse_owner_put(f, o, false, 0);
}

u32 fuse_owner_other(struct fuse *f, struct fuse_file *file, const struct fuse_owner *owner)
{
	const struct fuse_owner *o;
	u32 pid = 0, n = 0;

	pthread_mutex_lock(&f->lock);
	list_for_each_entry(o, &f->owners, node) {
		if (o != owner && o->of == file->node) {
			pid = o->pid;
			n++;
		}
	}
	pthread_mutex_unlock(&f->lock);
	return n == 1 ? pid : 0;
}

/* The session */

int fuse_nodes_init(struct fuse *f)
{
	struct host_node *root = host_root(f->host);
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
	fuse_dev_index(f, f->root->dev);
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

		pthread_mutex_lock(&f->lock);
		while (i < f->files.used && !f->files.slot[i].obj)
			i++;
		if (i < f->files.used) {
			file = f->files.slot[i].obj;
			id = file->id;
		}
		pthread_mutex_unlock(&f->lock);
		if (!id)
			break;
		fuse_file_remove(f, id);
	}
	do {
		pthread_mutex_lock(&f->lock);
		kept = fuse_file_unkeep(f, list_first_entry_or_null(&f->kept, struct fuse_file, kept));
		pthread_mutex_unlock(&f->lock);
		if (kept)
			fuse_file_put(f, kept);
	} while (kept);
	pthread_mutex_lock(&f->lock);
	for (i = 1; i < f->nodes.used; i++) {
		node = f->nodes.slot[i].obj;
		if (node) {
			node->nlookup = 0;
			fuse_node_drop(f, node, &dead);
		}
	}
	__atomic_store_n(&f->minor, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&f->lock);
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
	struct fuse_req *req;

	pthread_mutex_lock(&f->lock);
	req = list_first_entry_or_null(&f->idle, struct fuse_req, link);
	if (req)
		list_del(&req->link);
	else
		req = malloc(sizeof(*req));
	if (req) {
		req->fuse = f;
		req->thread = pthread_self();
		req->interrupted = false;
		req->node = NULL;
		req->nfiles = 0;
		req->len = req->data = 0;
		req->head = *head;
		list_add_tail(&req->link, &f->reqs);
	}
	pthread_mutex_unlock(&f->lock);
	return req;
}

void fuse_req_end(struct fuse_req *req)
{
	struct fuse *f = req->fuse;
	struct fuse_node *node = req->node, *dead = NULL;
	struct fuse_file *last[ARRAY_SIZE(req->files)];
	unsigned int i, n = 0;

	pthread_mutex_lock(&f->lock);
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
	list_move(&req->link, &f->idle);
	if (f->waiters)
		pthread_cond_broadcast(&f->gone);
	pthread_mutex_unlock(&f->lock);
	fuse_nodes_bury(dead);
	for (i = 0; i < n; i++)
		fuse_file_free(f, last[i]);
}

static struct fuse_req *fuse_req_find(struct fuse *f, const struct fuse_req *not, u64 unique)
{
	struct fuse_req *req;

	list_for_each_entry(req, &f->reqs, link) {
		if (req != not && req->head.unique == unique)
			return req;
	}
	return NULL;
}

/*
 * A signal that comes just before a system call is lost, so it is sent a few
 * times. What does not react to that will not later either.
 */
void fuse_req_interrupt(struct fuse_req *req, u64 unique)
{
	struct fuse *f = req->fuse;
	struct fuse_req *old;
	struct timespec end;
	unsigned int i;

	pthread_mutex_lock(&f->lock);
	for (i = 0; i < FUSE_RETRIES && !fuse_req_interrupted(req); i++) {
		old = fuse_req_find(f, req, unique);
		if (!old)
			break;
		__atomic_store_n(&old->interrupted, true, __ATOMIC_RELAXED);
		pthread_kill(old->thread, HOST_SIGNAL);
		end = wait_deadline(FUSE_RETRY_NS);
		f->waiters++;
		wait_until(&f->gone, &f->lock, &end);
		f->waiters--;
	}
	pthread_mutex_unlock(&f->lock);
}

void fuse_interrupt(struct fuse *f)
{
	struct fuse_req *req;

	pthread_mutex_lock(&f->lock);
	list_for_each_entry(req, &f->reqs, link) {
		__atomic_store_n(&req->interrupted, true, __ATOMIC_RELAXED);
		pthread_kill(req->thread, HOST_SIGNAL);
	}
	pthread_cond_broadcast(&f->gone);
	pthread_mutex_unlock(&f->lock);
}
