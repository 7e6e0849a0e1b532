// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-fs with a busy driver, for TSan: several requests under way on two queues,
 * FORGETs on the third, and some that wait for a lock for longer than the device's
 * thread may, so that its loop changes hands all the time. Every reply is the one that
 * was asked for and is all that is written, when it is said to be there: what is behind
 * it, and what the driver has taken back, stays as it is.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include <linux/fuse.h>

#include <kvm/device.h>

#include "driver.h"
#include "scratch.h"
#include "tap.h"

#define QUEUES		2		/* of requests: 1 and 2 */
#define SLOTS		6
#define REQUESTS	1500
#define FILES		5
#define SIZE		9000
#define ROOM		8192
#define CANARY		0xa5
#define AT(q, slot)	(16 * MIB + ((u64)(q) * SLOTS + (slot)) * 4 * ROOM)

static struct machine machine;
static struct driver driver;
static atomic_uint fence;		/* that TSan knows */
static atomic_bool ending;

struct slot {
	u64 unique, seen;		/* seen: a sum of the reply that was taken last */
	u32 op, file, off, size, len;
	bool busy;
};

struct load {
	unsigned int q;
	u32 seed, left, under_way;
	u64 unique, node[FILES], fh[FILES];
	struct slot slot[SLOTS];
	u16 forgotten;
};

static u8 pattern(u32 file, u64 off)
{
	return file * 31 + off * 7 + (off >> 8);
}

static u32 load_random(struct load *l, u32 n)
{
	l->seed = l->seed * 1103515245 + 12345;
	return (l->seed >> 16) % n;
}

static void ring_kick(unsigned int q, u16 old)
{
	struct ring *r = &driver.ring[q];
	u64 one = 1;

	fence++;
	if (vring_need_event(ring_avail_event(r), r->avail_idx, old))
		CHECK_EQ(write(driver.dev->vq[q].kick_fd, &one, 8), 8);
}

static u64 sum(const u8 *p, size_t n)
{
	u64 s = 1;

	while (n--)
		s = s * 31 + *p++;
	return s;
}

static void ask(struct load *l, unsigned int i, u32 op, u64 node, const void *arg, u32 len)
{
	struct ring *r = &driver.ring[l->q];
	struct slot *s = &l->slot[i];
	struct fuse_in_header h = {
		.len = sizeof(h) + len, .opcode = op, .nodeid = node,
		.unique = ++l->unique << 8 | l->q,
	};
	u64 at = AT(l->q, i);
	u16 old = r->avail_idx;
	u8 canary[ROOM], now[ROOM];

	/* What was taken has not been written to since. */
	if (s->seen) {
		CHECK_EQ(mem_read(&machine.vm.mem, at + ROOM, now, ROOM), 0);
		CHECK_EQ(sum(now, ROOM), s->seen);
	}
	memset(canary, CANARY, ROOM);
	CHECK_EQ(mem_write(&machine.vm.mem, at + ROOM, canary, ROOM), 0);
	CHECK_EQ(mem_write(&machine.vm.mem, at, &h, sizeof(h)), 0);
	CHECK_EQ(mem_write(&machine.vm.mem, at + sizeof(h), arg, len), 0);
	s->op = op;
	s->unique = h.unique;
	s->busy = true;
	l->under_way++;
	ring_desc(r, 2 * i, at, h.len, VRING_DESC_F_NEXT, 2 * i + 1);
	ring_desc(r, 2 * i + 1, at + ROOM, ROOM, VRING_DESC_F_WRITE, 0);
	ring_offer(r, 2 * i);
	ring_kick(l->q, old);
}

static void ask_something(struct load *l, unsigned int i)
{
	struct slot *s = &l->slot[i];
	struct fuse_getattr_in ga = { 0 };
	struct fuse_read_in rd = { 0 };
	struct fuse_lk_in lk = { .owner = l->q, .lk = { 0, 9, F_WRLCK, 1 }, .lk_flags = FUSE_LK_FLOCK };
	char name[4];

	l->left--;
	s->file = load_random(l, FILES);
	switch (load_random(l, 8)) {
	case 0:
	case 1:
		snprintf(name, sizeof(name), "f%u", s->file);
		ask(l, i, FUSE_LOOKUP, FUSE_ROOT_ID, name, 3);
		break;
	case 2:
		ask(l, i, FUSE_GETATTR, l->node[s->file], &ga, sizeof(ga));
		break;
	case 3:		/* this queue's file is locked by somebody else now and then */
		s->file = l->q - 1;
		lk.fh = l->fh[s->file];
		if (load_random(l, 4)) {
			lk.lk.type = F_UNLCK;
			ask(l, i, FUSE_SETLK, l->node[s->file], &lk, sizeof(lk));
		} else {
			ask(l, i, FUSE_SETLKW, l->node[s->file], &lk, sizeof(lk));
		}
		break;
	default:
		s->off = rd.offset = load_random(l, SIZE);
		s->size = rd.size = 1 + load_random(l, ROOM - sizeof(struct fuse_out_header));
		rd.fh = l->fh[s->file];
		ask(l, i, FUSE_READ, l->node[s->file], &rd, sizeof(rd));
	}
}

/* On the queue that two threads share. */
static pthread_mutex_t hiprio = PTHREAD_MUTEX_INITIALIZER;

static void forget(u64 node)
{
	struct { struct fuse_in_header h; struct fuse_forget_in in; } req = {
		{ .len = sizeof(req), .opcode = FUSE_FORGET, .nodeid = node }, { 1 },
	};
	struct ring *r = &driver.ring[0];
	u16 old, head;

	pthread_mutex_lock(&hiprio);
	while ((u16)(r->avail_idx - r->used_idx) == r->num) {
		ring_set_used_event(r, r->used_idx);
		fence++;
		if (!ring_take(r, NULL, NULL))
			CHECK(driver_irq(&driver, 0, -1));
	}
	while (ring_take(r, NULL, NULL))
		;
	old = r->avail_idx;
	head = old % r->num;
	/* Served in order, so the slot is free: what blocks is on other queues. */
	CHECK_EQ(mem_write(&machine.vm.mem, 15 * MIB + head * 64, &req, sizeof(req)), 0);
	ring_desc(r, head, 15 * MIB + head * 64, sizeof(req), 0, 0);
	ring_offer(r, head);
	ring_kick(0, old);
	pthread_mutex_unlock(&hiprio);
}

static void answered(struct load *l, u32 id, u32 len)
{
	unsigned int i = id / 2;
	struct slot *s = &l->slot[i];
	u8 reply[ROOM] __attribute__((aligned(8)));
	const struct fuse_out_header *h = (void *)reply;
	const u8 *body = reply + sizeof(*h);
	u32 n;

	CHECK(id % 2 == 0 && i < SLOTS && s->busy);
	CHECK_EQ(mem_read(&machine.vm.mem, AT(l->q, i) + ROOM, reply, ROOM), 0);
	s->seen = sum(reply, ROOM);
	CHECK_EQ(h->unique, s->unique);
	CHECK_EQ(h->len, len);
	for (n = len; n < ROOM; n++)
		CHECK_EQ(reply[n], CANARY);
	CHECK_EQ(h->error, 0);
	switch (s->op) {
	case FUSE_LOOKUP:
		CHECK_EQ(((const struct fuse_entry_out *)body)->nodeid, l->node[s->file]);
		forget(l->node[s->file]);
		break;
	case FUSE_GETATTR:
		CHECK_EQ(((const struct fuse_attr_out *)body)->attr.size, SIZE);
		break;
	case FUSE_READ:
		CHECK_EQ(len - sizeof(*h), s->size < SIZE - s->off ? s->size : SIZE - s->off);
		for (n = 0; n < len - sizeof(*h); n++)
			CHECK_EQ(body[n], pattern(s->file, s->off + n));
		break;
	}
	s->busy = false;
	l->under_way--;
}

static void wait_answer(struct load *l)
{
	struct ring *r = &driver.ring[l->q];
	u32 id, len;

	ring_set_used_event(r, r->used_idx);
	fence++;
	while (!ring_take(r, &id, &len))
		CHECK(driver_irq(&driver, l->q, -1));
	do {
		answered(l, id, len);
	} while (ring_take(r, &id, &len));
}

static void *load_run(void *arg)
{
	struct load *l = arg;
	unsigned int i;

	while (l->left || l->under_way) {
		for (i = 0; i < SLOTS && l->left; i++)
			if (!l->slot[i].busy)
				ask_something(l, i);
		wait_answer(l);
	}
	return NULL;
}

/* Somebody on the host has the files locked for 10 ms of 15. */
static void *lock_run(void *arg)
{
	int fd[QUEUES], i;
	char name[4];

	for (i = 0; i < QUEUES; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		fd[i] = open(scratch(name), O_RDONLY);
	}
	while (!ending) {
		for (i = 0; i < QUEUES; i++)
			flock(fd[i], LOCK_EX | LOCK_NB);
		poll(NULL, 0, 10);
		for (i = 0; i < QUEUES; i++)
			flock(fd[i], LOCK_UN);
		poll(NULL, 0, 5);
	}
	for (i = 0; i < QUEUES; i++)
		close(fd[i]);
	return NULL;
}

static void one(struct load *l, u32 op, u64 node, const void *arg, u32 len, void *body, u32 size)
{
	u32 id, used;

	ask(l, 0, op, node, arg, len);
	CHECK(driver_wait(&driver, l->q, &id, &used));
	CHECK_EQ(mem_read(&machine.vm.mem, AT(l->q, 0) + ROOM + sizeof(struct fuse_out_header), body, size), 0);
	l->slot[0] = (struct slot){ 0 };
	l->under_way = 0;
}

TEST_TIMEOUT(a_busy_driver, 100)
{
	struct fuse_init_in init = { .major = 7, .minor = 36, .flags = 0x7fffffff };
	struct load load[QUEUES] = { { .q = 1, .seed = 1 }, { .q = 2, .seed = 2 } };
	struct fuse_open_in in = { .flags = O_RDWR };
	struct fuse_init_out out;
	struct fuse_entry_out e;
	struct fuse_open_out o;
	pthread_t thread[QUEUES], locker;
	char opts[256], content[SIZE], name[4];
	unsigned int i, k;
	int fd;

	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		fd = open(scratch(name), O_WRONLY | O_CREAT, 0644);
		for (k = 0; k < SIZE; k++)
			content[k] = pattern(i, k);
		CHECK_EQ(write(fd, content, SIZE), SIZE);
		close(fd);
	}
	snprintf(opts, sizeof(opts), "%s,tag=share,locks=host,queues=%d", scratch_dir(), QUEUES);
	machine_pci(&machine);
	driver_probe(&driver, &machine, machine_add(&machine, "virtio-fs", opts));
	machine_run(&machine);
	driver_start(&driver, 16);
	one(&load[0], FUSE_INIT, 0, &init, sizeof(init), &out, sizeof(out));
	for (k = 0; k < QUEUES; k++) {
		load[k].left = REQUESTS;
		for (i = 0; i < FILES; i++) {
			snprintf(name, sizeof(name), "f%u", i);
			one(&load[k], FUSE_LOOKUP, FUSE_ROOT_ID, name, 3, &e, sizeof(e));
			load[k].node[i] = e.nodeid;
			one(&load[k], FUSE_OPEN, e.nodeid, &in, sizeof(in), &o, sizeof(o));
			load[k].fh[i] = o.fh;
		}
	}
	CHECK_EQ(pthread_create(&locker, NULL, lock_run, NULL), 0);
	for (k = 0; k < QUEUES; k++)
		CHECK_EQ(pthread_create(&thread[k], NULL, load_run, &load[k]), 0);
	for (k = 0; k < QUEUES; k++)
		pthread_join(thread[k], NULL);
	ending = true;
	pthread_join(locker, NULL);
	machine_free(&machine);
}
