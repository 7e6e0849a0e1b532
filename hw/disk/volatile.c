// SPDX-License-Identifier: GPL-2.0
/*
 * A volatile write cache, as disks have: a write is done when it is here, and it is on
 * the disk below after a flush, or when the cache is full. A power cut leaves a part of
 * what is here (cut.h).
 *
 * A slot has one physical block as one write made it. Slots are a ring in the order of
 * the writes: number n is in slot n % nr_slots. A hash has the latest slot of each
 * block, and each slot names the one that the block had before. One lock is held for
 * all of a request: this is for tests of file systems, not for speed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/wait.h>

#include "cut.h"
#include "disk.h"

/* Zeroing more than this at a time is as if the cache had been written back at once. */
#define VOLATILE_ZEROES	MIB
#define VOLATILE_SLOTS	64	/* at least */

struct slot {
	u64 block;		/* of the disk, in units */
	u64 write;		/* which write made it */
	u64 older;		/* the slot's number that the block had before, 0: none */
	u64 next;		/* in the chain of its hash, 0: the end */
	bool dead;		/* a later write went past the cache */
};

struct volatile_disk {
	struct disk disk;
	u32 unit;		/* bytes of a physical block */
	pthread_mutex_t lock;
	u64 nr;			/* slots */
	u64 head, tail;		/* numbers of the next slot and of the oldest; from 1 on */
	u64 write;		/* number of the next write */
	struct slot *slot;	/* [nr] */
	u64 *hash;		/* [nr]: the number of the latest slot of a block */
	u8 *data;		/* [nr][unit] */
	bool cut;		/* the power has failed */
};

static struct volatile_disk *volatile_of(struct disk *d)
{
	return container_of(d, struct volatile_disk, disk);
}

static struct slot *volatile_slot(const struct volatile_disk *v, u64 nr)
{
	return &v->slot[nr % v->nr];
}

static u8 *volatile_data(const struct volatile_disk *v, u64 nr)
{
	return v->data + nr % v->nr * v->unit;
}

static u64 *volatile_bucket(const struct volatile_disk *v, u64 block)
{
	return &v->hash[block * 0x9e3779b97f4a7c15ULL % v->nr];
}

/* The number of the block's latest slot, or 0. */
static u64 volatile_find(const struct volatile_disk *v, u64 block)
{
	u64 nr = v->head == v->tail ? 0 : *volatile_bucket(v, block);

	while (nr && volatile_slot(v, nr)->block != block)
		nr = volatile_slot(v, nr)->next;
	return nr;
}

static void volatile_unhash(struct volatile_disk *v, u64 nr)
{
	u64 *link = volatile_bucket(v, volatile_slot(v, nr)->block);

	while (*link != nr)
		link = &volatile_slot(v, *link)->next;
	*link = volatile_slot(v, nr)->next;
}

/* Bytes of a block: the last one of the disk may be shorter. */
static u64 volatile_len(const struct volatile_disk *v, u64 block)
{
	return min((u64)v->unit, disk_size(&v->disk) - min(disk_size(&v->disk), block * v->unit));
}

static int volatile_below(struct volatile_disk *v, enum disk_op op, u64 off, void *buf, u64 len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct iov_iter data;
	struct disk_req req = { .op = op, .off = off, .len = len, .data = &data };

	iov_iter_init(&data, &iov, 1);
	return len ? disk_serve(v->disk.below, &req) : 0;
}

static int volatile_write_slot(struct volatile_disk *v, u64 nr)
{
	u64 block = volatile_slot(v, nr)->block;

	return volatile_below(v, DISK_WRITE, block * v->unit, volatile_data(v, nr), volatile_len(v, block));
}

static bool volatile_is_latest(const struct volatile_disk *v, u64 nr)
{
	const struct slot *s = volatile_slot(v, nr);

	return !s->dead && volatile_find(v, s->block) == nr;
}

/* Make room for a slot: the oldest content goes to the disk, which any disk may do at any time. */
static int volatile_evict(struct volatile_disk *v)
{
	if (volatile_is_latest(v, v->tail)) {
		int ret = volatile_write_slot(v, v->tail);

		if (ret)
			return ret;
		volatile_unhash(v, v->tail);
	}
	v->tail++;
	return 0;
}

/* Forget what is cached of the block: the disk below has it, or gets something newer. */
static void volatile_drop(struct volatile_disk *v, u64 nr)
{
	volatile_unhash(v, nr);
	for (; nr >= v->tail; nr = volatile_slot(v, nr)->older)
		volatile_slot(v, nr)->dead = true;
}

/* All of what is here goes to the disk below, in the order in which it came. */
static int volatile_write_back(struct volatile_disk *v)
{
	u64 nr = v->tail, run, size = disk_size(&v->disk);
	int ret = 0;

	for (; !ret && nr < v->head; nr = run) {
		u64 block = volatile_slot(v, nr)->block;

		run = nr + 1;
		if (!volatile_is_latest(v, nr))
			continue;
		/* Neighbours in the ring, in memory and on the disk. */
		while (run < v->head && run % v->nr && volatile_is_latest(v, run) &&
		       volatile_slot(v, run)->block == block + (run - nr))
			run++;
		if (block * v->unit < size)
			ret = volatile_below(v, DISK_WRITE, block * v->unit, volatile_data(v, nr),
					     min((run - nr) * v->unit, size - block * v->unit));
	}
	if (ret)
		return ret;
	for (nr = v->tail; nr < v->head; nr++)
		*volatile_bucket(v, volatile_slot(v, nr)->block) = 0;
	v->tail = v->head;
	return 0;
}

/* What is cached of a range is superseded by what goes past the cache. */
static int volatile_supersede(struct volatile_disk *v, u64 off, u64 len)
{
	u64 first = off / v->unit, end = DIV_ROUND_UP(off + len, v->unit), nr, block;
	int ret;

	for (nr = v->tail; nr < v->head; nr++) {
		block = volatile_slot(v, nr)->block;
		if (block < first || block >= end || !volatile_is_latest(v, nr))
			continue;
		/* The rest of a block that is not all superseded. */
		if (block * v->unit < off || block * v->unit + volatile_len(v, block) > off + len) {
			ret = volatile_write_slot(v, nr);
			if (ret)
				return ret;
		}
		volatile_drop(v, nr);
	}
	return 0;
}

/* The content of a block as a reader sees it. */
static int volatile_content(struct volatile_disk *v, u64 block, u8 *to)
{
	u64 nr = volatile_find(v, block);

	if (!nr)
		return volatile_below(v, DISK_READ, block * v->unit, to, volatile_len(v, block));
	memcpy(to, volatile_data(v, nr), v->unit);
	return 0;
}

/* @len bytes at @off within one block; @data NULL: zeroes. */
static int volatile_put(struct volatile_disk *v, u64 off, u64 len, struct iov_iter *data)
{
	u64 block = off / v->unit, nr, older;
	struct slot *s;
	u8 *to;
	int ret = v->head - v->tail == v->nr ? volatile_evict(v) : 0;

	if (ret)
		return ret;
	nr = v->head;
	to = volatile_data(v, nr);
	if (len < volatile_len(v, block)) {
		ret = volatile_content(v, block, to);
		if (ret)
			return ret;
	}
	if (data)
		copy_from_iter(to + off % v->unit, len, data);
	else
		memset(to + off % v->unit, 0, len);
	older = volatile_find(v, block);
	if (older)
		volatile_unhash(v, older);
	s = volatile_slot(v, nr);
	*s = (struct slot){
		.block = block, .write = v->write, .older = older, .next = *volatile_bucket(v, block),
	};
	*volatile_bucket(v, block) = nr;
	v->head++;
	return 0;
}

static int volatile_write(struct volatile_disk *v, const struct disk_req *req)
{
	u64 off = req->off, end = req->off + req->len, next;
	int ret = 0;

	for (; !ret && off < end; off = next) {
		next = min((off / v->unit + 1) * v->unit, end);
		ret = volatile_put(v, off, next - off, req->op == DISK_WRITE ? req->data : NULL);
	}
	v->write++;
	return ret;
}

static int volatile_read(struct volatile_disk *v, const struct disk_req *req)
{
	u64 off = req->off, end = req->off + req->len, next;

	for (; off < end; off = next) {
		u64 nr = volatile_find(v, off / v->unit);
		struct iov_iter part;
		struct disk_req below = { .op = DISK_READ, .off = off, .data = &part };
		int ret;

		next = min((off / v->unit + 1) * v->unit, end);
		if (nr) {
			copy_to_iter(volatile_data(v, nr) + off % v->unit, next - off, req->data);
			continue;
		}
		while (next < end && !volatile_find(v, next / v->unit))
			next = min(next + v->unit, end);
		below.len = next - off;
		if (!iov_iter_split(req->data, below.len, &part))
			return -EIO;
		ret = disk_serve(v->disk.below, &below);
		if (ret)
			return ret;
	}
	return 0;
}

static int volatile_past(struct volatile_disk *v, const struct disk_req *req)
{
	int ret = volatile_supersede(v, req->off, req->len);

	return ret ? ret : disk_serve(v->disk.below, req);
}

static int volatile_do(struct volatile_disk *v, const struct disk_req *req)
{
	int ret;

	switch (req->op) {
	case DISK_READ:
		return v->head == v->tail ? disk_serve(v->disk.below, req) : volatile_read(v, req);
	case DISK_FLUSH:
		ret = volatile_write_back(v);
		return ret ? ret : disk_serve(v->disk.below, req);
	case DISK_WRITE:
		return req->durable ? volatile_past(v, req) : volatile_write(v, req);
	case DISK_ZERO:
		return req->durable || req->len > VOLATILE_ZEROES ? volatile_past(v, req) : volatile_write(v, req);
	case DISK_DISCARD:
		return volatile_past(v, req);
	}
	return -EIO;
}

static int volatile_serve(struct disk *d, const struct disk_req *req)
{
	struct volatile_disk *v = volatile_of(d);
	int ret;

	pthread_mutex_lock(&v->lock);
	ret = v->cut ? -EIO : volatile_do(v, req);
	pthread_mutex_unlock(&v->lock);
	return ret;
}

/* Slots of one write: counts what became of it, and returns the number of the next write's first. */
static int volatile_cut_write(struct volatile_disk *v, const struct cut *c, u64 *nr, struct disk_cut *cut)
{
	u64 write = volatile_slot(v, *nr)->write, all = 0, kept = 0;
	int ret = 0;

	for (; !ret && *nr < v->head && volatile_slot(v, *nr)->write == write; ++*nr) {
		if (volatile_slot(v, *nr)->dead)
			continue;
		all++;
		if (!cut_keeps(c, write, volatile_slot(v, *nr)->block))
			continue;
		kept++;
		ret = volatile_write_slot(v, *nr);
	}
	cut->kept += all && kept == all;
	cut->lost += all && !kept;
	cut->torn += kept && kept < all;
	return ret;
}

static int volatile_cut(struct disk *d, u64 seed, struct disk_cut *cut)
{
	struct volatile_disk *v = volatile_of(d);
	static const struct disk_req flush = { .op = DISK_FLUSH };
	struct cut c;
	u64 nr;
	int ret = 0;

	pthread_mutex_lock(&v->lock);
	nr = v->cut ? v->head : v->tail;
	cut_init(&c, seed, nr < v->head ? volatile_slot(v, nr)->write : v->write, v->write);
	while (!ret && nr < v->head)
		ret = volatile_cut_write(v, &c, &nr, cut);
	v->cut = true;
	if (!ret)
		ret = disk_serve(d->below, &flush);
	pthread_mutex_unlock(&v->lock);
	return ret;
}

/* A machine that ends otherwise writes its disks' caches back. */
static void volatile_free(struct disk *d)
{
	struct volatile_disk *v = volatile_of(d);
	int ret = v->data && !v->cut ? volatile_write_back(v) : 0;

	if (ret)
		pr_warn("a disk: what its volatile cache had is lost: %s", strerror(-ret));
	if (v->data)
		munmap(v->data, v->nr * v->unit);
	if (v->slot)
		munmap(v->slot, v->nr * sizeof(*v->slot));
	if (v->hash)
		munmap(v->hash, v->nr * sizeof(*v->hash));
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static const struct disk_type volatile_type = {
	.serve = volatile_serve, .cut = volatile_cut, .free = volatile_free,
};

static void *volatile_map(u64 len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int disk_volatile_open(struct disk **d, u64 cache, u32 physical, struct opt_err *err)
{
	struct volatile_disk *v = disk_layer(sizeof(*v), &volatile_type, *d);

	if (!v)
		return disk_bad(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&v->lock, NULL);
	v->unit = physical;
	v->nr = max(cache / physical, (u64)VOLATILE_SLOTS);
	v->head = v->tail = v->write = 1;
	v->slot = volatile_map(v->nr * sizeof(*v->slot));
	v->hash = volatile_map(v->nr * sizeof(*v->hash));
	v->data = volatile_map(v->nr * v->unit);
	if (!v->slot || !v->hash || !v->data) {
		volatile_free(&v->disk);
		return disk_bad(err, -ENOMEM, "no memory for a write cache of %llu bytes", (unsigned long long)cache);
	}
	*d = &v->disk;
	return 0;
}
