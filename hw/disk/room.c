// SPDX-License-Identifier: GPL-2.0
/*
 * A layer over an image for a host that runs out of room: a request that fails for this
 * reason waits until the user has made room, and is served again.
 */
#include <errno.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <kvm/wait.h>

#include "disk.h"

struct room {
	struct disk disk;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	u64 cancels, retries;
	void (*full)(void *arg);
	void *arg;
};

/* -EINTR: it was cancelled; -ENOSPC: there is nobody any more who could make room. */
static int room_wait(struct room *r)
{
	u64 cancels, retries;
	int ret;

	pthread_mutex_lock(&r->lock);
	cancels = r->cancels;
	retries = r->retries;
	if (r->full)
		r->full(r->arg);
	while (r->full && r->cancels == cancels && r->retries == retries)
		pthread_cond_wait(&r->changed, &r->lock);
	ret = r->cancels != cancels ? -EINTR : r->full ? 0 : -ENOSPC;
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static int room_serve(struct disk *d, const struct disk_req *req)
{
	struct room *r = container_of(d, struct room, disk);
	struct disk_req again = *req;
	struct iov_iter data;
	int ret;

	if (req->op == DISK_READ)
		return disk_serve(d->below, req);
	do {
		if (req->data) {
			data = *req->data;
			again.data = &data;
		}
		ret = disk_serve(d->below, &again);
		if (ret != -ENOSPC && ret != -EDQUOT)
			return ret;
		ret = room_wait(r);
	} while (!ret);
	return ret;
}

static void room_wake(struct room *r, u64 *count)
{
	pthread_mutex_lock(&r->lock);
	++*count;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static void room_cancel(struct disk *d)
{
	struct room *r = container_of(d, struct room, disk);

	room_wake(r, &r->cancels);
}

static void room_free(struct disk *d)
{
	struct room *r = container_of(d, struct room, disk);

	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static const struct disk_type room_type = {
	.serve = room_serve, .cancel = room_cancel, .free = room_free,
};

int disk_room_open(struct disk **d, struct opt_err *err)
{
	struct room *r = disk_layer(sizeof(*r), &room_type, *d);

	if (!r)
		return disk_bad(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&r->lock, NULL);
	wait_init(&r->changed);
	*d = &r->disk;
	return 0;
}

static struct room *room_of(struct disk *d)
{
	while (d && d->type != &room_type)
		d = d->below;
	return d ? container_of(d, struct room, disk) : NULL;
}

void disk_when_full(struct disk *d, void (*full)(void *arg), void *arg)
{
	struct room *r = room_of(d);

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->full = full;
	r->arg = arg;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

void disk_retry(struct disk *d)
{
	struct room *r = room_of(d);

	if (r)
		room_wake(r, &r->retries);
}
