// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a 9P session: see p9_session.h. Runs on the threads that are in
 * p9_serve(), under share.lock, which is held for a few instructions only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "p9_session.h"

/* fids */

static struct p9_fid *p9_fid_find(struct p9 *p9, u32 id)
{
	struct rb_node *n = p9->fids.rb_node;

	while (n) {
		struct p9_fid *fid = rb_entry(n, struct p9_fid, node);

		if (id == fid->id)
			return fid;
		n = id < fid->id ? n->rb_left : n->rb_right;
	}
	return NULL;
}

int p9_fid_get(struct p9_req *req, u32 id, struct p9_fid **out)
{
	struct p9 *p9 = req->p9;
	struct p9_fid *fid;

	pthread_mutex_lock(&p9->share.lock);
	fid = p9_fid_find(p9, id);
	if (fid)
		fid->refs++;
	pthread_mutex_unlock(&p9->share.lock);
	if (!fid)
		return -EBADF;
	req->fids[req->nfids++] = fid;
	*out = fid;
	return 0;
}

struct p9_fid *p9_fid_new(struct p9_attach *attach, struct host_node *node)
{
	struct p9_fid *fid = calloc(1, sizeof(*fid));

	if (!fid)
		return NULL;
	fid->refs = 1;
	fid->gone = true;
	__atomic_add_fetch(&attach->refs, 1, __ATOMIC_RELAXED);
	fid->attach = attach;
	fid->file_node = host_node_get(node);
	return fid;
}

void p9_attach_put(struct p9_attach *attach)
{
	if (__atomic_sub_fetch(&attach->refs, 1, __ATOMIC_ACQ_REL))
		return;
	host_node_put(attach->root);
	free(attach);
}

static void p9_fid_free(struct p9 *p9, struct p9_fid *fid)
{
	if (fid->file)
		host_file_close(fid->file);
	if (fid->xattr) {
		__atomic_sub_fetch(&p9->xattr_bytes, fid->xattr->size, __ATOMIC_RELAXED);
		pthread_mutex_destroy(&fid->xattr->lock);
		free(fid->xattr);
	}
	host_node_put(fid->file_node);
	p9_attach_put(fid->attach);
	free(fid);
}

void p9_fid_put(struct p9 *p9, struct p9_fid *fid)
{
	bool last;

	pthread_mutex_lock(&p9->share.lock);
	last = !--fid->refs;
	pthread_mutex_unlock(&p9->share.lock);
	if (last)
		p9_fid_free(p9, fid);
}

bool p9_fid_used(struct p9 *p9, u32 id)
{
	bool used;

	pthread_mutex_lock(&p9->share.lock);
	used = p9_fid_find(p9, id);
	pthread_mutex_unlock(&p9->share.lock);
	return used;
}

/* Take it out of the table, whose reference is the caller's now. */
static void p9_fid_unlink(struct p9 *p9, struct p9_fid *fid, struct list_head *owners)
{
	rb_erase(&fid->node, &p9->fids);
	p9->nfids--;
	fid->gone = true;
	share_owners_take(&p9->share, fid, owners);
}

/* The table gets the reference. There is none of that number. */
static void p9_fid_insert(struct p9 *p9, u32 id, struct p9_fid *fid)
{
	struct rb_node **link = &p9->fids.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = id < rb_entry(parent, struct p9_fid, node)->id ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&fid->node, parent, link);
	rb_insert_color(&fid->node, &p9->fids);
	p9->nfids++;
	fid->id = id;
	fid->gone = false;
}

int p9_fid_load(struct p9 *p9, u32 id, struct p9_fid *fid)
{
	bool room;

	pthread_mutex_lock(&p9->share.lock);
	room = !p9_fid_find(p9, id) && p9->nfids < P9_FIDS_MAX;
	if (room)
		p9_fid_insert(p9, id, fid);
	pthread_mutex_unlock(&p9->share.lock);
	if (!room)
		p9_fid_put(p9, fid);
	return room ? 0 : -EINVAL;
}

int p9_fid_add(struct p9_req *req, u32 id, struct p9_fid *old, struct p9_fid *fid)
{
	struct p9 *p9 = req->p9;
	LIST_HEAD(owners);
	int ret = 0;

	pthread_mutex_lock(&p9->share.lock);
	if (p9_fid_find(p9, id) != old) {
		ret = -EBADF;		/* in use; or the old one was clunked meanwhile */
	} else if (p9->nfids == P9_FIDS_MAX) {
		ret = -EMFILE;
	} else {
		if (old) {
			p9_fid_unlink(p9, old, &owners);
		} else {
			fid->refs++;
			req->made = fid;
		}
		p9_fid_insert(p9, id, fid);
	}
	pthread_mutex_unlock(&p9->share.lock);
	share_owners_put(&p9->share, &owners);
	if (ret)
		p9_fid_put(p9, fid);
	else if (old)
		p9_fid_put(p9, old);
	return ret;
}

int p9_fid_remove(struct p9 *p9, u32 id, struct p9_fid **out)
{
	struct p9_fid *fid;
	LIST_HEAD(owners);

	pthread_mutex_lock(&p9->share.lock);
	fid = p9_fid_find(p9, id);
	if (fid)
		p9_fid_unlink(p9, fid, &owners);
	pthread_mutex_unlock(&p9->share.lock);
	share_owners_put(&p9->share, &owners);
	*out = fid;
	return fid ? 0 : -EBADF;
}

void p9_fids_clear(struct p9 *p9)
{
	struct p9_fid *fid;
	struct rb_node *n;

	for (;;) {
		pthread_mutex_lock(&p9->share.lock);
		n = p9->fids.rb_node;
		pthread_mutex_unlock(&p9->share.lock);
		if (!n)
			break;
		if (!p9_fid_remove(p9, rb_entry(n, struct p9_fid, node)->id, &fid))
			p9_fid_put(p9, fid);
	}
}

/* Messages */

struct p9_req *p9_req_begin(struct p9 *p9, u16 tag)
{
	struct share_req *base = share_req_begin(&p9->share, tag);
	struct p9_req *req = container_of(base, struct p9_req, req);

	if (!base)
		return NULL;
	req->p9 = p9;
	req->limit = __atomic_load_n(&p9->msize, __ATOMIC_RELAXED);
	req->made = NULL;
	req->nfids = 0;
	req->data = 0;
	return req;
}

/*
 * A client that has flushed a message takes it for never sent: the fid that it
 * made is unmade, lest the client find its number in use.
 */
bool p9_req_answer(struct p9_req *req)
{
	struct p9_fid *dead[ARRAY_SIZE(req->fids) + 1];
	struct p9 *p9 = req->p9;
	unsigned int i, n = 0;
	LIST_HEAD(owners);
	bool flushed;

	pthread_mutex_lock(&p9->share.lock);
	req->req.answered = true;
	flushed = req->req.cancelled;
	if (req->made) {
		if (flushed && !req->made->gone) {
			p9_fid_unlink(p9, req->made, &owners);
			req->made->refs--;
		}
		if (!--req->made->refs)
			dead[n++] = req->made;
	}
	for (i = 0; i < req->nfids; i++) {
		if (!--req->fids[i]->refs)
			dead[n++] = req->fids[i];
	}
	pthread_mutex_unlock(&p9->share.lock);
	share_owners_put(&p9->share, &owners);
	for (i = 0; i < n; i++)
		p9_fid_free(p9, dead[i]);
	return flushed;
}

void p9_delivered(struct p9_req *req)
{
	if (!req)
		return;
	pthread_mutex_lock(&req->p9->share.lock);
	share_req_end(&req->req);
	pthread_mutex_unlock(&req->p9->share.lock);
}

/* Extended attributes */

int p9_xattr_new(struct p9 *p9, struct p9_fid *fid, const char *name, u32 size)
{
	struct p9_xattr *x;

	if (__atomic_add_fetch(&p9->xattr_bytes, size, __ATOMIC_RELAXED) > P9_XATTRS_MAX)
		goto fail;
	x = calloc(1, sizeof(*x) + size);
	if (!x)
		goto fail;
	pthread_mutex_init(&x->lock, NULL);
	x->size = size;
	strcpy(x->name, name);
	fid->xattr = x;
	return 0;
fail:
	__atomic_sub_fetch(&p9->xattr_bytes, size, __ATOMIC_RELAXED);
	return -ENOMEM;
}

/* Numbers of files */

/*
 * The version is always the same, so that Linux, which takes it for a part of the
 * file's identity, has one inode and one page cache for it whatever happens to
 * it. 0 tells newer kernels not to cache: that is for files whose size says
 * nothing about what can be read.
 */
struct p9_qid p9_qid(struct p9 *p9, struct host_node *near, dev_t dev, u64 ino, mode_t type)
{
	return (struct p9_qid){
		.type = S_ISDIR(type) ? P9_QTDIR : S_ISLNK(type) ? P9_QTSYMLINK : P9_QTFILE,
		.version = share_contents(&p9->share, near, dev, ino) != SHARE_CONTENTS_MADE,
		.path = share_ino(&p9->share, dev, ino),
	};
}
