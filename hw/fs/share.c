// SPDX-License-Identifier: GPL-2.0
/*
 * Requests in progress and numbers of files, for both file servers: see share.h. Runs on the
 * threads that serve requests, under share->lock, which is held for a few instructions only.
 */
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <kvm/state.h>

#include "share.h"

int share_init(struct share *s, struct keep *keep, const char *dir, unsigned int flags, size_t req_size,
	       const char **err_out)
{
	int ret = host_new(&s->host, keep, dir, flags, err_out);

	if (ret)
		return ret;
	s->req_size = req_size;
	pthread_mutex_init(&s->lock, NULL);
	wait_init(&s->gone);
	INIT_LIST_HEAD(&s->reqs);
	INIT_LIST_HEAD(&s->idle);
	INIT_LIST_HEAD(&s->owners);
	INIT_LIST_HEAD(&s->waits);
	return 0;
}

void share_exit(struct share *s)
{
	struct share_req *req, *next;

	list_for_each_entry_safe(req, next, &s->idle, link)
		free(req);
	host_free(s->host);
	pthread_cond_destroy(&s->gone);
	pthread_mutex_destroy(&s->lock);
}

/* Requests */

struct share_req *share_req_begin(struct share *s, u64 id)
{
	struct share_req *req;

	pthread_mutex_lock(&s->lock);
	req = list_first_entry_or_null(&s->idle, struct share_req, link);
	if (req)
		list_del(&req->link);
	else
		req = malloc(s->req_size);
	if (req) {
		req->share = s;
		req->thread = pthread_self();
		req->id = id;
		req->interrupted = req->cancelled = req->answered = req->waits = false;
		list_add_tail(&req->link, &s->reqs);
	}
	pthread_mutex_unlock(&s->lock);
	return req;
}

void share_req_end(struct share_req *req)
{
	struct share *s = req->share;

	list_move(&req->link, &s->idle);
	if (s->waiters)
		pthread_cond_broadcast(&s->gone);
}

/* The thread of one that is answered is none of ours any more. */
static void share_req_signal(struct share_req *req)
{
	if (req->answered)
		return;
	__atomic_store_n(&req->interrupted, true, __ATOMIC_RELAXED);
	pthread_kill(req->thread, HOST_SIGNAL);
}

static bool share_reqs_signal(struct share *s, const struct share_req *than, u64 id)
{
	struct share_req *req;
	bool any = false;

	list_for_each_entry(req, &s->reqs, link) {
		if (req == than)
			break;
		if (id != SHARE_ALL && req->id != id)
			continue;
		req->cancelled = true;
		share_req_signal(req);
		any = true;
	}
	return any;
}

/* A signal that comes just before a system call is lost, so it is sent until it has worked. */
int share_req_cancel(struct share_req *req, u64 id, unsigned int rounds)
{
	struct share *s = req->share;
	struct timespec end;
	unsigned int i;
	int ret = 0;

	pthread_mutex_lock(&s->lock);
	for (i = 0; (!rounds || i < rounds) && share_reqs_signal(s, req, id); i++) {
		ret = share_req_interrupted(req) ? -EINTR : 0;
		if (ret)
			break;
		end = wait_deadline(SHARE_ROUND);
		s->waiters++;
		wait_until(&s->gone, &s->lock, &end);
		s->waiters--;
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}

void share_interrupt(struct share *s)
{
	struct share_req *req;

	pthread_mutex_lock(&s->lock);
	list_for_each_entry(req, &s->reqs, link)
		share_req_signal(req);
	pthread_cond_broadcast(&s->gone);
	pthread_mutex_unlock(&s->lock);
}

void share_interrupt_waits(struct share *s)
{
	struct share_req *req;

	pthread_mutex_lock(&s->lock);
	list_for_each_entry(req, &s->reqs, link)
		if (__atomic_load_n(&req->waits, __ATOMIC_RELAXED) && !req->answered)
			pthread_kill(req->thread, HOST_SIGNAL);
	pthread_mutex_unlock(&s->lock);
}

/* Devices */

static int share_dev_find(struct share *s, u64 dev, u16 high)
{
	u32 i, n = __atomic_load_n(&s->ndevs, __ATOMIC_ACQUIRE);

	for (i = 0; i < n; i++) {
		if (s->devs[i].dev == dev && s->devs[i].high == high)
			return i;
	}
	return -1;
}

int share_dev(struct share *s, u64 dev, u64 ino)
{
	u16 high = ino >> 48;
	int i = share_dev_find(s, dev, high);

	if (i >= 0)
		return i;
	pthread_mutex_lock(&s->lock);
	i = share_dev_find(s, dev, high);
	if (i < 0 && s->ndevs < SHARE_DEVS) {
		i = s->ndevs;
		s->devs[i] = (struct share_dev){ dev, high };
		__atomic_store_n(&s->ndevs, i + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&s->lock);
	return i;
}

/*
 * The lower 48 bits of the file's own, and above them the place of its device, which is 0 for
 * most files of the first one. When the places have run out, a mix of both, with the top bit
 * set; that two such mixes are the same is as likely as any accident.
 */
u64 share_ino(struct share *s, u64 dev, u64 ino)
{
	int i = share_dev(s, dev, ino);

	if (i >= 0)
		return (u64)i << 48 | (ino & ((1ULL << 48) - 1));
	ino += dev * 0x9e3779b97f4a7c15ULL;
	ino = (ino ^ ino >> 30) * 0xbf58476d1ce4e5b9ULL;
	ino = (ino ^ ino >> 27) * 0x94d049bb133111ebULL;
	return (ino ^ ino >> 31) | 1ULL << 63;
}

/* Files on a device of size 0 are generated on reading, except in memory; df omits such devices as well. */
static enum share_contents share_contents_of(const struct statfs *st)
{
	/* Network file systems, and what stands on others, can fail at a close. */
	static const u32 local[] = {
		EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
		TMPFS_MAGIC, RAMFS_MAGIC,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(local); i++)
		if ((u32)st->f_type == local[i])
			return SHARE_CONTENTS_LOCAL;
	return st->f_blocks ? SHARE_CONTENTS_STORED : SHARE_CONTENTS_MADE;
}

enum share_contents share_contents(struct share *s, struct host_node *node, u64 dev, u64 ino)
{
	enum share_contents c = SHARE_CONTENTS_UNKNOWN;
	int i = share_dev(s, dev, ino);
	struct statfs st;

	if (i >= 0)
		c = __atomic_load_n(&s->devs[i].contents, __ATOMIC_RELAXED);
	if (c == SHARE_CONTENTS_UNKNOWN) {
		c = host_statfs(node, &st) ? SHARE_CONTENTS_STORED : share_contents_of(&st);
		if (i >= 0)
			__atomic_store_n(&s->devs[i].contents, c, __ATOMIC_RELAXED);
	}
	return c;
}

int share_state(struct share *share, struct state *s)
{
	u64 dev[SHARE_DEVS][2];
	size_t len, i;

	for (i = 0; i < share->ndevs; i++) {
		dev[i][0] = share->devs[i].dev;
		dev[i][1] = share->devs[i].high;
	}
	len = share->ndevs * sizeof(dev[0]);
	if (state_bytes(s, "devices", dev, &len, sizeof(dev)) || !state_reads(s))
		return state_status(s);
	if (len % sizeof(dev[0]))
		return state_refuse(s, "half a device");
	share->ndevs = 0;
	for (i = 0; i < len / sizeof(dev[0]); i++)
		share->devs[share->ndevs++] = (struct share_dev) { .dev = dev[i][0], .high = dev[i][1] };
	return 0;
}
