// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a 9P session (kvm/state.h): the fids that the client knows, each with the
 * path of its file and of the tree that it was attached to. A file is the same if its inode
 * number, kind and time of birth are. On the thread that serves requests, none of which is in progress.
 */
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/state.h>

#include "p9_session.h"

#define STATE_FIDS_BYTES	(64U << 20)
#define STATE_SAID		4	/* files that are named, of those that are gone */

struct state_fid {
	u64 ino, btime;			/* ns, 0: not known */
	u32 id, uid, type;
	u32 flags;			/* of the open file */
	u16 root, path;			/* bytes of both paths, which follow */
	u8 opened, zero[3];
};

struct state_fids {
	struct p9 *p9;
	struct state *s;
	const char *name;
	u8 *data;
	size_t len, size;
	u32 gone;
};

static void fid_gone(struct state_fids *f, const char *path)
{
	if (f->gone++ < STATE_SAID)
		pr_warn("share %s: /%s, which the guest uses, is gone or another file now", f->name, path);
}

static u64 fid_btime(struct host_node *node)
{
	struct statx stx;

	if (host_getattr(node, STATX_BTIME, &stx) || !(stx.stx_mask & STATX_BTIME))
		return 0;
	return stx.stx_btime.tv_sec * 1000000000ULL + stx.stx_btime.tv_nsec;
}

static bool fid_is(const struct state_fid *n, struct host_node *node)
{
	u64 btime = fid_btime(node);

	return node->ino == n->ino && node->type == n->type && (btime == n->btime || !btime || !n->btime);
}

/* Writing */

static int fid_append(struct state_fids *f, const struct state_fid *n, const char *root, const char *path)
{
	size_t len = sizeof(*n) + n->root + n->path;
	u8 *at, *grown;

	if (len > f->size - f->len) {
		grown = realloc(f->data, 2 * f->size + len);
		if (!grown)
			return -ENOMEM;
		f->data = grown;
		f->size = 2 * f->size + len;
	}
	at = f->data + f->len;
	memcpy(at, n, sizeof(*n));
	memcpy(at + sizeof(*n), root, n->root);
	memcpy(at + sizeof(*n) + n->root, path, n->path);
	f->len += len;
	return 0;
}

static int fid_write(struct state_fids *f, struct p9_fid *fid)
{
	struct host_file *file = p9_fid_file(fid);
	char root[PATH_MAX], path[PATH_MAX];
	struct state_fid n = {
		.ino = fid->file_node->ino, .id = fid->id, .uid = fid->attach->uid, .type = fid->file_node->type,
		.btime = fid_btime(fid->file_node), .opened = file != NULL, .flags = file ? file->flags : 0,
	};

	if (fid->xattr)
		return state_refuse(f->s, "the guest is about to read or write an extended attribute: once more is enough");
	if (host_path(fid->attach->root, root) || host_path(fid->file_node, path)) {
		fid_gone(f, "(a removed file)");
		return 0;
	}
	n.root = strlen(root);
	n.path = strlen(path);
	return fid_append(f, &n, root, path) ? state_refuse(f->s, "out of memory") : 0;
}

static void fids_write(struct state_fids *f)
{
	struct rb_node *node;

	if (f->p9->share.nowners)
		state_refuse(f->s, "the guest has locks on files, of which a 9p share keeps no record");
	for (node = rb_first(&f->p9->fids); !state_status(f->s) && node; node = rb_next(node))
		fid_write(f, rb_entry(node, struct p9_fid, node));
}

/* Reading */

static struct p9_attach *fid_attach(struct p9 *p9, u32 uid, const char *root)
{
	struct p9_attach *attach = calloc(1, sizeof(*attach));

	if (!attach)
		return NULL;
	attach->refs = 1;
	attach->uid = uid;
	if (!host_walk(p9->share.host, root, &attach->root) && S_ISDIR(attach->root->type))
		return attach;
	if (attach->root)
		host_node_put(attach->root);
	free(attach);
	return NULL;
}

/* @path goes on from @root's. The node's parents are then those that a client has walked by. */
static int fid_find(struct p9_attach *attach, const char *root, const char *path, struct host_node **out)
{
	size_t len = strlen(root);

	if (strncmp(path, root, len) || (len && path[len] && path[len] != '/'))
		return -ESTALE;
	return host_walk_from(attach->root, path + len + (len && path[len] == '/'), out);
}

static void fid_make(struct state_fids *f, const struct state_fid *n, struct p9_attach *attach, struct host_node *node,
		     const char *path)
{
	struct p9_fid *fid = p9_fid_new(attach, node);

	if (!fid) {
		state_refuse(f->s, "out of memory");
		return;
	}
	if (n->opened && host_open(node, n->flags | (S_ISDIR(node->type) ? 0 : O_NONBLOCK), &fid->file)) {
		fid->file = NULL;
		fid_gone(f, path);
		p9_fid_put(f->p9, fid);
		return;
	}
	if (p9_fid_load(f->p9, n->id, fid))
		state_refuse(f->s, "two fids with one number");
}

static void fid_read(struct state_fids *f, const struct state_fid *n, const char *root, const char *path)
{
	struct p9_attach *attach;
	struct host_node *node;

	if (n->opened > 1 || n->flags & ~(u32)(O_ACCMODE | O_APPEND)) {
		state_refuse(f->s, "an impossible fid");
		return;
	}
	attach = fid_attach(f->p9, n->uid, root);
	if (attach && !fid_find(attach, root, path, &node)) {
		if (fid_is(n, node))
			fid_make(f, n, attach, node, path);
		else
			fid_gone(f, path);
		host_node_put(node);
	} else {
		fid_gone(f, path);
	}
	if (attach)
		p9_attach_put(attach);
}

static void fids_read(struct state_fids *f)
{
	char root[PATH_MAX], path[PATH_MAX];
	struct state_fid n;
	size_t at = 0;

	while (!state_status(f->s) && at < f->len) {
		if (sizeof(n) > f->len - at) {
			state_refuse(f->s, "half a fid");
			return;
		}
		memcpy(&n, f->data + at, sizeof(n));
		at += sizeof(n);
		if (n.root >= PATH_MAX || n.path >= PATH_MAX || (size_t)n.root + n.path > f->len - at) {
			state_refuse(f->s, "half a path");
			return;
		}
		memcpy(root, f->data + at, n.root);
		root[n.root] = '\0';
		memcpy(path, f->data + at + n.root, n.path);
		path[n.path] = '\0';
		at += n.root + n.path;
		fid_read(f, &n, root, path);
	}
	if (f->gone > STATE_SAID)
		pr_warn("share %s: %u more files that the guest uses are gone", f->name, f->gone - STATE_SAID);
}

int p9_state(struct p9 *p9, struct state *s, const char *name)
{
	struct state_fids f = { .p9 = p9, .s = s, .name = name };
	u32 msize = p9->msize;

	share_state(&p9->share, s);
	state_value(s, "msize", &msize, sizeof(msize));
	if (!state_status(s) && state_reads(s)) {
		if (msize > p9->msize_max || (msize && msize < P9_MSIZE_MIN))
			return state_refuse(s, "messages of %u bytes", msize);
		p9->msize = msize;
		f.data = malloc(STATE_FIDS_BYTES);
		if (!f.data)
			return state_refuse(s, "out of memory");
	} else if (!state_status(s)) {
		fids_write(&f);
	}
	state_bytes(s, "fids", f.data, &f.len, STATE_FIDS_BYTES);
	if (!state_status(s) && state_reads(s))
		fids_read(&f);
	free(f.data);
	return state_status(s);
}
