// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a 9P session: see p9_session.h. Runs on the threads that are in
 * p9_serve(), under p9->lock, which is held for a few instructions only.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <time.h>

#include "p9_session.h"

#define P9_RETRY_NS	WAIT_MS(10)

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

	pthread_mutex_lock(&p9->lock);
	fid = p9_fid_find(p9, id);
	if (fid)
		fid->refs++;
	pthread_mutex_unlock(&p9->lock);
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

	pthread_mutex_lock(&p9->lock);
	last = !--fid->refs;
	pthread_mutex_unlock(&p9->lock);
	if (last)
		p9_fid_free(p9, fid);
}

bool p9_fid_used(struct p9 *p9, u32 id)
{
	bool used;

	pthread_mutex_lock(&p9->lock);
	used = p9_fid_find(p9, id);
	pthread_mutex_unlock(&p9->lock);
	return used;
}

/* Owners of locks that end with @fid, or all (NULL), collected in @list. */
static void p9_owners_drop(struct p9 *p9, const struct p9_fid *fid, struct list_head *list)
{
	struct p9_owner *o, *next;

	list_for_each_entry_safe(o, next, &p9->owners, node) {
		if (fid && o->fid != fid)
			continue;
		list_move(&o->node, list);
		p9->nowners--;
	}
}

static void p9_owners_put(struct p9 *p9, struct list_head *list)
{
	struct p9_owner *o, *next;

	list_for_each_entry_safe(o, next, list, node) {
		INIT_LIST_HEAD(&o->node);
		p9_owner_put(p9, o, false, 0);
	}
}

/* Take it out of the table, whose reference is the caller's now. */
static void p9_fid_unlink(struct p9 *p9, struct p9_fid *fid, struct list_head *owners)
{
	rb_erase(&fid->node, &p9->fids);
	p9->nfids--;
	fid->gone = true;
	p9_owners_drop(p9, fid, owners);
}

int p9_fid_add(struct p9_req *req, u32 id, struct p9_fid *old, struct p9_fid *fid)
{
	struct rb_node **link, *parent = NULL;
	struct p9 *p9 = req->p9;
	LIST_HEAD(owners);
	int ret = 0;

	pthread_mutex_lock(&p9->lock);
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
		link = &p9->fids.rb_node;
		while (*link) {
			parent = *link;
			link = id < rb_entry(parent, struct p9_fid, node)->id ?
				&parent->rb_left : &parent->rb_right;
		}
		rb_link_node(&fid->node, parent, link);
		rb_insert_color(&fid->node, &p9->fids);
		p9->nfids++;
		fid->id = id;
		fid->gone = false;
	}
	pthread_mutex_unlock(&p9->lock);
	p9_owners_put(p9, &owners);
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

	pthread_mutex_lock(&p9->lock);
	fid = p9_fid_find(p9, id);
	if (fid)
		p9_fid_unlink(p9, fid, &owners);
	pthread_mutex_unlock(&p9->lock);
	p9_owners_put(p9, &owners);
	*out = fid;
	return fid ? 0 : -EBADF;
}

void p9_fids_clear(struct p9 *p9)
{
	struct p9_fid *fid;
	struct rb_node *n;

	for (;;) {
		pthread_mutex_lock(&p9->lock);
		n = p9->fids.rb_node;
		pthread_mutex_unlock(&p9->lock);
		if (!n)
			break;
		if (!p9_fid_remove(p9, rb_entry(n, struct p9_fid, node)->id, &fid))
			p9_fid_put(p9, fid);
	}
}

/* Messages */

struct p9_req *p9_req_begin(struct p9 *p9, u16 tag)
{
	struct p9_req *req;

	pthread_mutex_lock(&p9->lock);
	req = list_first_entry_or_null(&p9->idle, struct p9_req, node);
	if (req)
		list_del(&req->node);
	else
		req = malloc(sizeof(*req));
	if (req) {
		req->p9 = p9;
		req->thread = pthread_self();
		req->seq = p9->seq++;
		req->tag = tag;
		req->flushed = req->interrupted = req->answered = false;
		req->limit = p9->msize;
		req->made = NULL;
		req->nfids = 0;
		req->data = 0;
		list_add_tail(&req->node, &p9->reqs);
	}
	pthread_mutex_unlock(&p9->lock);
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

	pthread_mutex_lock(&p9->lock);
	req->answered = true;
	flushed = req->flushed;
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
	pthread_mutex_unlock(&p9->lock);
	p9_owners_put(p9, &owners);
	for (i = 0; i < n; i++)
		p9_fid_free(p9, dead[i]);
	return flushed;
}

void p9_delivered(struct p9_req *req)
{
	struct p9 *p9;

	if (!req)
		return;
	p9 = req->p9;
	pthread_mutex_lock(&p9->lock);
	list_move(&req->node, &p9->idle);
	if (p9->waiters)
		pthread_cond_broadcast(&p9->gone);
	pthread_mutex_unlock(&p9->lock);
}

static void p9_wait(struct p9 *p9)
{
	struct timespec end = wait_deadline(P9_RETRY_NS);

	p9->waiters++;
	wait_until(&p9->gone, &p9->lock, &end);
	p9->waiters--;
}

/*
 * A signal that comes just before a system call is lost, so it is sent until it
 * has worked. Only older messages are waited for: no two wait for each other.
 */
int p9_req_flush(struct p9_req *req, int tag)
{
	struct p9 *p9 = req->p9;
	struct p9_req *old;
	int ret = 0;

	pthread_mutex_lock(&p9->lock);
	for (;;) {
		bool busy = false;

		list_for_each_entry(old, &p9->reqs, node) {
			if (old == req)
				break;
			if (tag >= 0 && old->tag != tag)
				continue;
			/* The thread of an answered one is none of ours any more. */
			if (!old->answered) {
				old->flushed = true;
				pthread_kill(old->thread, HOST_SIGNAL);
			}
			busy = true;
		}
		if (!busy)
			break;
		ret = req->flushed || req->interrupted ? -EINTR : 0;
		if (ret)
			break;
		p9_wait(p9);
	}
	pthread_mutex_unlock(&p9->lock);
	return ret;
}

void p9_interrupt(struct p9 *p9)
{
	struct p9_req *req;

	pthread_mutex_lock(&p9->lock);
	list_for_each_entry(req, &p9->reqs, node) {
		if (req->answered)
			continue;
		req->interrupted = true;
		pthread_kill(req->thread, HOST_SIGNAL);
	}
	pthread_cond_broadcast(&p9->gone);
	pthread_mutex_unlock(&p9->lock);
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

/* Locks */

static struct p9_owner *p9_owner_find(struct p9 *p9, struct p9_fid *fid, u32 proc_id,
				      const char *client)
{
	struct p9_owner *o;

	list_for_each_entry(o, &p9->owners, node) {
		if (o->proc_id == proc_id && o->file->node->ino == fid->file_node->ino &&
		    o->file->node->dev == fid->file_node->dev && !strcmp(o->client, client)) {
			o->refs++;
			return o;
		}
	}
	return NULL;
}

/*
 * The protocol's locks are a process's, as those of fcntl(F_SETLK) are: a child
 * that closes what it inherited must not undo the locks of its parent, which
 * uses the same fid. So an owner has an open file of its own for them.
 */
int p9_owner_get(struct p9_req *req, struct p9_fid *fid, u32 proc_id, const char *client,
		 bool make, struct p9_owner **out)
{
	struct p9 *p9 = req->p9;
	struct p9_owner *o, *have;
	int ret;

	pthread_mutex_lock(&p9->lock);
	*out = p9_owner_find(p9, fid, proc_id, client);
	pthread_mutex_unlock(&p9->lock);
	if (*out || !make)
		return 0;

	o = calloc(1, sizeof(*o) + strlen(client) + 1);
	if (!o)
		return -ENOMEM;
	INIT_LIST_HEAD(&o->node);
	o->refs = 2;
	o->fid = fid;
	o->whole = F_UNLCK;
	o->proc_id = proc_id;
	strcpy(o->client, client);
	ret = host_open(fid->file_node, O_RDWR | O_NONBLOCK, &o->file);
	if (ret)
		ret = host_open(fid->file_node, p9_fid_file(fid)->flags | O_NONBLOCK, &o->file);
	if (ret) {
		free(o);
		return ret;
	}
	pthread_mutex_lock(&p9->lock);
	have = p9_owner_find(p9, fid, proc_id, client);
	if (have) {
		o->refs = 1;
	} else if (fid->gone || p9->nowners == P9_OWNERS_MAX) {
		ret = fid->gone ? -EBADF : -ENOLCK;
		o->refs = 1;
	} else {
		list_add(&o->node, &p9->owners);
		p9->nowners++;
		have = o;
	}
	pthread_mutex_unlock(&p9->lock);
	if (have != o)
		p9_owner_put(p9, o, false, 0);
	*out = have;
	return ret;
}

void p9_owner_put(struct p9 *p9, struct p9_owner *o, bool idle, u32 changes)
{
	bool last;

	pthread_mutex_lock(&p9->lock);
	if (idle && o->refs == 2 && o->changes == changes && !list_empty(&o->node)) {
		list_del_init(&o->node);
		p9->nowners--;
		o->refs--;
	}
	last = !--o->refs;
	pthread_mutex_unlock(&p9->lock);
	if (last) {
		host_file_close(o->file);
		free(o);
	}
}

u32 p9_owner_other(struct p9 *p9, struct p9_fid *fid, const struct p9_owner *owner)
{
	const struct p9_owner *o;
	u32 proc_id = 0, n = 0;

	pthread_mutex_lock(&p9->lock);
	list_for_each_entry(o, &p9->owners, node) {
		if (o != owner && o->file->node->ino == fid->file_node->ino &&
		    o->file->node->dev == fid->file_node->dev) {
			proc_id = o->proc_id;
			n++;
		}
	}
	pthread_mutex_unlock(&p9->lock);
	return n == 1 ? proc_id : 0;
}

/* Numbers of files */

static int p9_dev_find(struct p9 *p9, dev_t dev, u16 high)
{
	u32 i, n = __atomic_load_n(&p9->ndevs, __ATOMIC_ACQUIRE);

	for (i = 0; i < n; i++) {
		if (p9->devs[i].dev == dev && p9->devs[i].high == high)
			return i;
	}
	return -1;
}

static int p9_dev_add(struct p9 *p9, struct host_node *near, dev_t dev, u16 high)
{
	struct statfs st;
	bool synthetic;
	int i;

	/* What takes no space on its device is made up: df leaves it out as well. */
	synthetic = !host_statfs(near, &st) && !st.f_blocks;
	pthread_mutex_lock(&p9->lock);
	i = p9_dev_find(p9, dev, high);
	if (i < 0 && p9->ndevs < P9_DEVS) {
		i = p9->ndevs;
		p9->devs[i] = (struct p9_dev){ dev, high, synthetic };
		__atomic_store_n(&p9->ndevs, i + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&p9->lock);
	return i;
}

/*
 * The path of a qid is unique in the whole tree, which may span devices: the
 * lower 48 bits of the inode number, and above them the number of the pair
 * (device, upper 16 bits), which is 0 for most files of the root's device. When
 * these numbers have run out, a mix of both, with the top bit set; that two such
 * mixes are the same is as likely as any accident.
 *
 * The version is always the same, so that Linux, which takes it for a part of the
 * file's identity, has one inode and one page cache for it whatever happens to
 * it. 0 tells newer kernels not to cache: that is for files whose size says
 * nothing about what can be read.
 */
struct p9_qid p9_qid(struct p9 *p9, struct host_node *near, dev_t dev, u64 ino, mode_t type)
{
	struct p9_qid qid = { .version = 1 };
	u64 mix;
	int i;

	qid.type = S_ISDIR(type) ? P9_QTDIR : S_ISLNK(type) ? P9_QTSYMLINK : P9_QTFILE;
	i = p9_dev_find(p9, dev, ino >> 48);
	if (i < 0)
		i = p9_dev_add(p9, near, dev, ino >> 48);
	if (i >= 0) {
		qid.path = (u64)i << 48 | (ino & ((1ULL << 48) - 1));
		qid.version = !p9->devs[i].synthetic;
		return qid;
	}
	mix = ino + dev * 0x9e3779b97f4a7c15ULL;
	mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9ULL;
	mix = (mix ^ mix >> 27) * 0x94d049bb133111ebULL;
	qid.path = (mix ^ mix >> 31) | 1ULL << 63;
	return qid;
}
