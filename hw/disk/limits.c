// SPDX-License-Identifier: GPL-2.0
/*
 * Limits of requests and bytes a second: two token buckets. A bucket is the time at which
 * it will be full; a request moves that time on by its cost, and waits while it is more
 * than a burst ahead. So requests of any size pass, and the rate holds over time.
 */
#include <errno.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <kvm/loop.h>
#include <kvm/wait.h>

#include "disk.h"

#define LIMITS_BURST	WAIT_MS(100)

struct bucket {
	u64 rate;		/* a second; 0: no limit */
	u64 full;		/* ns, by loop_now() */
};

struct limits {
	struct disk disk;
	pthread_mutex_t lock;
	pthread_cond_t cancelled;
	u64 cancels;
	struct bucket requests, bytes;
};

/* Takes @n tokens: when they are there. */
static u64 bucket_take(struct bucket *b, u64 n, u64 now)
{
	if (!b->rate)
		return now;
	b->full = max(b->full, now) + (u64)((__uint128_t)n * WAIT_S(1) / b->rate);
	return b->full - min(b->full, LIMITS_BURST);
}

static int limits_wait(struct limits *l, u64 len)
{
	u64 now = loop_now(), due, cancels;
	struct timespec end;
	int ret = 0;

	pthread_mutex_lock(&l->lock);
	due = max(bucket_take(&l->requests, 1, now), bucket_take(&l->bytes, len, now));
	cancels = l->cancels;
	if (due > now) {
		end = wait_deadline(due - now);
		while (!ret && l->cancels == cancels)
			ret = wait_until(&l->cancelled, &l->lock, &end);
		ret = l->cancels == cancels ? 0 : -EINTR;
	}
	pthread_mutex_unlock(&l->lock);
	return ret;
}

static int limits_serve(struct disk *d, const struct disk_req *req)
{
	struct limits *l = container_of(d, struct limits, disk);
	bool moves = req->op == DISK_READ || req->op == DISK_WRITE;
	int ret = limits_wait(l, moves ? req->len : 0);

	return ret ? ret : disk_serve(d->below, req);
}

static void limits_cancel(struct disk *d)
{
	struct limits *l = container_of(d, struct limits, disk);

	pthread_mutex_lock(&l->lock);
	l->cancels++;
	pthread_cond_broadcast(&l->cancelled);
	pthread_mutex_unlock(&l->lock);
}

static void limits_free(struct disk *d)
{
	struct limits *l = container_of(d, struct limits, disk);

	pthread_cond_destroy(&l->cancelled);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static const struct disk_type limits_type = {
	.serve = limits_serve, .cancel = limits_cancel, .free = limits_free,
};

int disk_limits_open(struct disk **d, u64 iops, u64 bps, struct opt_err *err)
{
	struct limits *l = disk_layer(sizeof(*l), &limits_type, *d);

	if (!l)
		return disk_bad(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&l->lock, NULL);
	wait_init(&l->cancelled);
	l->requests.rate = iops;
	l->bytes.rate = bps;
	*d = &l->disk;
	return 0;
}
