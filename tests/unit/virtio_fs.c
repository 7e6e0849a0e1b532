// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-fs against a driver: the configuration, requests by the ring, the queue
 * that must not wait, a reset in the middle of a request that blocks.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fuse.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/state.h>

#include "driver.h"
#include "scratch.h"
#include "tap.h"

#define NUM	256
#define OUT(q, i)	(32 * MIB + ((u64)(q) * NUM + (i)) * 8192)
#define IN(q, i)	(OUT(q, i) + 4096)
#define HIPRIO	0

struct test {
	struct machine m;
	struct virtio_dev *dev;
	struct driver d;
	u64 unique;
	u32 slot[4];		/* buffers used of a queue */
	/* the last reply */
	struct fuse_out_header head;
	u8 body[4096 - sizeof(struct fuse_out_header)] __attribute__((aligned(8)));
};

static u32 send_request(struct test *t, unsigned int q, u32 op, u64 node, const void *arg,
			u32 len, u32 room)
{
	struct fuse_in_header h = {
		.len = sizeof(h) + len, .opcode = op, .unique = ++t->unique, .nodeid = node,
	};
	struct ring *r = &t->d.ring[q];
	u32 i = t->slot[q]++ % (NUM / 2);
	u16 head;

	CHECK_EQ(mem_write(&t->m.vm.mem, OUT(q, i), &h, sizeof(h)), 0);
	CHECK_EQ(mem_write(&t->m.vm.mem, OUT(q, i) + sizeof(h), arg, len), 0);
	head = ring_add(r, OUT(q, i), h.len, IN(q, i), room);
	driver_kick(&t->d, q);
	return (u32)head << 16 | i;
}

static int reply(struct test *t, unsigned int q, u32 token)
{
	u32 id, len;

	CHECK(driver_wait(&t->d, q, &id, &len));
	CHECK_EQ(id, token >> 16);
	CHECK(len >= sizeof(t->head));
	CHECK_EQ(mem_read(&t->m.vm.mem, IN(q, token & 0xffff), &t->head, 4096), 0);
	CHECK_EQ(t->head.len, len);
	return t->head.error;
}

static int request(struct test *t, unsigned int q, u32 op, u64 node, const void *arg, u32 len)
{
	return reply(t, q, send_request(t, q, op, node, arg, len, 4096));
}

static void session(struct test *t)
{
	struct fuse_init_in in = { .major = 7, .minor = 38, .flags = 0x7fffffff };

	driver_start(&t->d, NUM);
	CHECK_EQ(request(t, 1, FUSE_INIT, 0, &in, sizeof(in)), 0);
}

static void test_new(struct test *t, const char *more)
{
	char opts[256];

	memset(t, 0, sizeof(*t));
	snprintf(opts, sizeof(opts), "%s,tag=share%s", scratch_dir(), more);
	machine_pci(&t->m);
	t->dev = machine_add(&t->m, "virtio-fs", opts);
	machine_run(&t->m);
	driver_probe(&t->d, &t->m, t->dev);
}

static u64 lookup(struct test *t, const char *name)
{
	CHECK_EQ(request(t, 1, FUSE_LOOKUP, FUSE_ROOT_ID, name, strlen(name) + 1), 0);
	return ((struct fuse_entry_out *)t->body)->nodeid;
}

static u64 open_file(struct test *t, u64 node)
{
	struct fuse_open_in in = { .flags = O_RDWR };

	CHECK_EQ(request(t, 1, FUSE_OPEN, node, &in, sizeof(in)), 0);
	return ((struct fuse_open_out *)t->body)->fh;
}

/* A file that is open here, which is returned, and there; @lk is for a lock on ten bytes of it. */
static int lock_new(struct test *t, const char *opts, u64 *node, struct fuse_lk_in *lk)
{
	int fd;

	scratch_file("f", "hello");
	fd = open(scratch("f"), O_RDWR);
	test_new(t, opts);
	session(t);
	*node = lookup(t, "f");
	*lk = (struct fuse_lk_in){ .owner = 1, .lk = { 0, 9, F_WRLCK, 1 } };
	lk->fh = open_file(t, *node);
	return fd;
}

TEST(configuration)
{
	struct test t;
	char tag[37] = "";
	unsigned int i;

	test_new(&t, ",queues=3");
	for (i = 0; i < 36; i++)
		tag[i] = driver_read(&t.d, t.d.config + i, 1);
	CHECK_STR(tag, "share");
	CHECK_EQ(driver_read(&t.d, t.d.config + 36, 4), 3);
	CHECK_EQ(t.dev->nr_vqs, 4);
	machine_free(&t.m);
}

/* By default who is on the host is kept out, where there is somebody. */
TEST(whose_the_locks_are)
{
	static const struct { const char *opts; bool host; } cases[] = {
		{ "", true }, { ",ro", true }, { ",cache=none", true }, { ",cache=always", false },
		{ ",locks=guest", false }, { ",locks=host,cache=always", true },
		{ ",locks=auto", true },
	};
	const u32 locks = FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS;
	unsigned int i;
	struct test t;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		test_new(&t, cases[i].opts);
		session(&t);
		CHECK_EQ(((struct fuse_init_out *)t.body)->flags & locks, cases[i].host ? locks : 0);
		machine_free(&t.m);
	}
}

TEST(what_the_options_must_say)
{
	static const char *const bad[] = {
		"/tmp", "tag=a", "/tmp,tag=", "/nowhere/at/all,tag=a", "/tmp,tag=a,ro,writeback",
		"/tmp,tag=1234567890123456789012345678901234567", "/tmp,tag=a,cache=some",
		"/tmp,tag=a,queues=0", "/tmp,tag=a,locks=some", "/tmp,tag=a,locks",
	};
	struct machine m;
	unsigned int i;

	machine_pci(&m);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(device_add(&m.vm, "virtio-fs", bad[i], NULL) < 0);
	CHECK_EQ(device_add(&m.vm, "virtio-fs",
			    "/tmp,tag=123456789012345678901234567890123456", NULL), 0);
	machine_free(&m);
}

TEST(requests_by_all_queues)
{
	struct fuse_getattr_in in = { 0 };
	struct test t;
	unsigned int q;
	u64 node;

	scratch_file("f", "hello");
	test_new(&t, ",queues=2");
	session(&t);
	node = lookup(&t, "f");
	for (q = 0; q < 3; q++) {
		CHECK_EQ(request(&t, q, FUSE_GETATTR, node, &in, sizeof(in)), 0);
		CHECK_EQ(((struct fuse_attr_out *)t.body)->attr.size, 5);
	}
	machine_free(&t.m);
}

/* FORGET has no reply, but its buffer comes back. */
TEST(forget_on_the_queue_for_it)
{
	struct fuse_forget_in in = { 1 };
	struct fuse_getattr_in attr = { 0 };
	struct test t;
	u32 id, len;
	u64 node;

	scratch_file("f", "hello");
	test_new(&t, "");
	session(&t);
	node = lookup(&t, "f");
	send_request(&t, HIPRIO, FUSE_FORGET, node, &in, sizeof(in), 0);
	CHECK(driver_wait(&t.d, HIPRIO, &id, &len));
	CHECK_EQ(len, 0);
	CHECK_EQ(request(&t, 1, FUSE_GETATTR, node, &attr, sizeof(attr)), -ESTALE);
	machine_free(&t.m);
}

/* A request waits for a lock: neither the other queue nor its own wait for it. */
TEST(nothing_waits_behind_a_request_that_blocks)
{
	struct fuse_forget_in forget = { 1 };
	struct fuse_interrupt_in intr;
	struct fuse_lk_in lk;
	struct test t;
	u32 wait, id, len;
	u64 node;
	int fd = lock_new(&t, ",locks=host", &node, &lk);

	CHECK(!flock(fd, LOCK_EX));
	lk.lk_flags = FUSE_LK_FLOCK;
	wait = send_request(&t, 1, FUSE_SETLKW, node, &lk, sizeof(lk), 4096);
	intr.unique = t.unique;
	send_request(&t, HIPRIO, FUSE_FORGET, 99, &forget, sizeof(forget), 0);
	CHECK(driver_wait(&t.d, HIPRIO, &id, &len));
	lookup(&t, "f");
	send_request(&t, HIPRIO, FUSE_INTERRUPT, 0, &intr, sizeof(intr), 0);
	CHECK_EQ(reply(&t, 1, wait), -EINTR);
	CHECK(driver_wait(&t.d, HIPRIO, &id, &len));
	/* And it is had when it is there to be had. */
	wait = send_request(&t, 1, FUSE_SETLKW, node, &lk, sizeof(lk), 4096);
	lookup(&t, "f");
	close(fd);
	CHECK_EQ(reply(&t, 1, wait), 0);
	machine_free(&t.m);
}

TEST(a_reset_gets_back_what_blocks)
{
	struct fuse_getattr_in attr = { 0 };
	struct flock fl = { .l_type = F_WRLCK };
	struct fuse_lk_in lk;
	struct test t;
	u64 node;
	int fd = lock_new(&t, ",locks=host", &node, &lk);

	CHECK(!fcntl(fd, F_OFD_SETLK, &fl));
	send_request(&t, 1, FUSE_SETLKW, node, &lk, sizeof(lk), 4096);
	lookup(&t, "f");
	driver_set_status(&t.d, 0);
	CHECK_EQ(driver_status(&t.d), 0);
	/* A session begins anew: what the last one had is not known. */
	session(&t);
	CHECK_EQ(request(&t, 1, FUSE_GETATTR, node, &attr, sizeof(attr)), -ESTALE);
	lookup(&t, "f");
	close(fd);
	machine_free(&t.m);
}

/*
 * However many wait, there is somebody left to serve the rest: those whom they wait
 * for, and a reset.
 */
TEST(more_locks_are_waited_for_than_there_are_threads)
{
	unsigned int i, got = 0, refused = 0;
	struct fuse_getattr_in attr = { 0 };
	u32 token[120], id, len, at;
	const unsigned int many = ARRAY_SIZE(token);
	struct fuse_lk_in lk;
	struct test t;
	u64 node;
	int fd = lock_new(&t, ",locks=host,queues=2", &node, &lk);

	CHECK(!flock(fd, LOCK_EX));
	lk.lk_flags = FUSE_LK_FLOCK;
	for (i = 0; i < many; i++) {
		token[i] = send_request(&t, 1, FUSE_SETLKW, node, &lk, sizeof(lk), 4096);
		CHECK_EQ(request(&t, 2, FUSE_GETATTR, node, &attr, sizeof(attr)), 0);
	}
	close(fd);
	for (i = 0; i < many; i++) {
		CHECK(driver_wait(&t.d, 1, &id, &len));
		for (at = 0; at < many && token[at] >> 16 != id; at++)
			;
		CHECK(at < many);
		CHECK_EQ(mem_read(&t.m.vm.mem, IN(1, token[at] & 0xffff), &t.head, 16), 0);
		CHECK(!t.head.error || t.head.error == -ENOLCK);
		got += !t.head.error;
		refused += !!t.head.error;
	}
	CHECK(got >= 16);
	CHECK(refused);
	/* Nor do those that wait for ever keep the device. */
	fd = open(scratch("f"), O_RDWR);
	lk.lk.type = F_UNLCK;
	CHECK_EQ(request(&t, 1, FUSE_SETLK, node, &lk, sizeof(lk)), 0);
	CHECK(!flock(fd, LOCK_EX));
	lk.lk.type = F_WRLCK;
	for (i = 0; i < many; i++)
		send_request(&t, 1, FUSE_SETLKW, node, &lk, sizeof(lk), 4096);
	driver_set_status(&t.d, 0);
	CHECK_EQ(driver_status(&t.d), 0);
	close(fd);
	machine_free(&t.m);
}

TEST(no_room_for_a_reply)
{
	struct fuse_getattr_in in = { 0 };
	struct test t;
	u32 id, len;

	test_new(&t, "");
	session(&t);
	send_request(&t, 1, FUSE_GETATTR, FUSE_ROOT_ID, &in, sizeof(in), 8);
	CHECK(driver_wait(&t.d, 1, &id, &len));
	CHECK_EQ(len, 0);
	CHECK_EQ(request(&t, 1, FUSE_GETATTR, FUSE_ROOT_ID, &in, sizeof(in)), 0);
	machine_free(&t.m);
}

/* State: saved, made anew in another machine with the same RAM, loaded, and it goes on. */

#define SAVED_RAM	(64 * MIB)

struct saved {
	u8 *ram, *data;
	size_t len;
};

static void save(struct test *t, struct saved *saved)
{
	const void *data;
	struct state *s;

	pthread_mutex_lock(&t->m.vm.lock);
	CHECK_EQ(devices_hold(&t->m.vm), 0);
	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	CHECK_EQ(vm_state(&t->m.vm, s), 0);
	CHECK_EQ(state_written(s, &data, &saved->len), 0);
	saved->data = malloc(saved->len);
	memcpy(saved->data, data, saved->len);
	state_free(s);
	saved->ram = malloc(SAVED_RAM);
	CHECK_EQ(mem_read(&t->m.vm.mem, 0, saved->ram, SAVED_RAM), 0);
	pthread_mutex_unlock(&t->m.vm.lock);
	machine_free(&t->m);
}

static int load(struct test *t, const char *more, const struct saved *saved)
{
	struct state *s = NULL;
	char opts[256];
	int ret;

	snprintf(opts, sizeof(opts), "%s,tag=share%s", scratch_dir(), more);
	machine_pci(&t->m);
	t->d.dev = t->dev = machine_add(&t->m, "virtio-fs", opts);
	CHECK_EQ(mem_write(&t->m.vm.mem, 0, saved->ram, SAVED_RAM), 0);
	ret = state_read(&s, saved->data, saved->len);
	if (!ret)
		ret = vm_state(&t->m.vm, s);
	state_free(s);
	return ret;
}

static void go_on(struct test *t)
{
	machine_run(&t->m);
	pthread_mutex_lock(&t->m.vm.lock);
	devices_release(&t->m.vm);
	pthread_mutex_unlock(&t->m.vm.lock);
}

static void saved_free(struct saved *saved)
{
	free(saved->data);
	free(saved->ram);
}

static u64 lookup_in(struct test *t, u64 dir, const char *name)
{
	CHECK_EQ(request(t, 1, FUSE_LOOKUP, dir, name, strlen(name) + 1), 0);
	return ((struct fuse_entry_out *)t->body)->nodeid;
}

static void read_is(struct test *t, u64 node, u64 fh, const char *text)
{
	struct fuse_read_in in = { .fh = fh, .size = 100 };

	CHECK_EQ(request(t, 1, FUSE_READ, node, &in, sizeof(in)), 0);
	CHECK_EQ(t->head.len - sizeof(t->head), strlen(text));
	CHECK_MEM(t->body, text, strlen(text));
}

TEST(a_session_goes_on)
{
	struct fuse_getattr_in attr = { 0 };
	struct fuse_forget_in forget = { 1 };
	struct fuse_lk_in lk, other;
	struct saved saved;
	struct flock fl;
	struct test t;
	u64 node, dir, deep, left;
	u32 wait, id, len;
	int fd, holder = lock_new(&t, ",locks=host", &node, &lk);

	CHECK(!mkdir(scratch("d"), 0755));
	scratch_file("d/deep", "water");
	scratch_file("forgotten", "");
	dir = lookup(&t, "d");
	deep = lookup_in(&t, dir, "deep");
	left = lookup(&t, "forgotten");
	/* A hole in the numbers, a lock that is held, and one that is waited for. */
	send_request(&t, HIPRIO, FUSE_FORGET, left, &forget, sizeof(forget), 0);
	CHECK(driver_wait(&t.d, HIPRIO, &id, &len));
	CHECK_EQ(request(&t, 1, FUSE_SETLK, node, &lk, sizeof(lk)), 0);
	other = lk;
	other.lk.start = 20;
	other.lk.end = 29;
	fl = (struct flock) { .l_type = F_WRLCK, .l_start = 20, .l_len = 10 };
	CHECK(!fcntl(holder, F_OFD_SETLK, &fl));
	wait = send_request(&t, 1, FUSE_SETLKW, node, &other, sizeof(other), 4096);
	lookup(&t, "f");
	save(&t, &saved);

	CHECK_EQ(load(&t, ",locks=host", &saved), 0);
	fl = (struct flock) { .l_type = F_WRLCK, .l_len = 10 };
	CHECK(fcntl(holder, F_OFD_SETLK, &fl) < 0);
	go_on(&t);
	read_is(&t, node, lk.fh, "hello");
	CHECK_EQ(request(&t, 1, FUSE_GETATTR, deep, &attr, sizeof(attr)), 0);
	CHECK_EQ(((struct fuse_attr_out *)t.body)->attr.size, 5);
	CHECK_EQ(lookup_in(&t, dir, "deep"), deep);
	CHECK_EQ(lookup(&t, "d"), dir);
	CHECK_EQ(request(&t, 1, FUSE_GETATTR, left, &attr, sizeof(attr)), -ESTALE);
	CHECK(lookup(&t, "forgotten") != dir);
	fl = (struct flock) { .l_type = F_UNLCK, .l_start = 20, .l_len = 10 };
	CHECK(!fcntl(holder, F_OFD_SETLK, &fl));
	CHECK_EQ(reply(&t, 1, wait), 0);
	fd = open(scratch("f"), O_RDWR);
	fl = (struct flock) { .l_type = F_WRLCK, .l_start = 25, .l_len = 1 };
	CHECK(fcntl(fd, F_OFD_SETLK, &fl) < 0);
	close(fd);
	close(holder);
	machine_free(&t.m);
	saved_free(&saved);
}

/* A hold without a save: what waited for a lock waits again. */
TEST(a_hold_takes_a_lock_s_waiter_back)
{
	struct fuse_lk_in lk;
	struct test t;
	u64 node;
	u32 wait;
	int i, fd = lock_new(&t, ",locks=host", &node, &lk);

	CHECK(!flock(fd, LOCK_EX));
	lk.lk_flags = FUSE_LK_FLOCK;
	wait = send_request(&t, 1, FUSE_SETLKW, node, &lk, sizeof(lk), 4096);
	lookup(&t, "f");
	for (i = 0; i < 3; i++) {
		pthread_mutex_lock(&t.m.vm.lock);
		CHECK_EQ(devices_hold(&t.m.vm), 0);
		devices_release(&t.m.vm);
		pthread_mutex_unlock(&t.m.vm.lock);
	}
	close(fd);
	CHECK_EQ(reply(&t, 1, wait), 0);
	machine_free(&t.m);
}

/* The host has removed and replaced files meanwhile: these are stale, and the rest goes on. */
TEST(files_that_are_gone)
{
	struct fuse_getattr_in attr = { 0 };
	struct saved saved;
	struct test t;
	u64 f, g, fh, dir, deep;

	scratch_file("f", "hello");
	scratch_file("g", "there");
	test_new(&t, "");
	session(&t);
	f = lookup(&t, "f");
	fh = open_file(&t, f);
	g = lookup(&t, "g");
	CHECK(!mkdir(scratch("d"), 0755));
	scratch_file("d/deep", "water");
	dir = lookup(&t, "d");
	deep = lookup_in(&t, dir, "deep");
	save(&t, &saved);
	CHECK(!unlink(scratch("f")));
	CHECK(!unlink(scratch("d/deep")));
	CHECK(!rmdir(scratch("d")));
	scratch_file("f", "another");
	CHECK_EQ(load(&t, "", &saved), 0);
	go_on(&t);
	CHECK_EQ(request(&t, 1, FUSE_GETATTR, f, &attr, sizeof(attr)), -ESTALE);
	CHECK_EQ(request(&t, 1, FUSE_GETATTR, dir, &attr, sizeof(attr)), -ESTALE);
	CHECK_EQ(request(&t, 1, FUSE_GETATTR, deep, &attr, sizeof(attr)), -ESTALE);
	CHECK_EQ(request(&t, 1, FUSE_GETATTR, g, &attr, sizeof(attr)), 0);
	attr = (struct fuse_getattr_in) { .getattr_flags = FUSE_GETATTR_FH, .fh = fh };
	CHECK_EQ(request(&t, 1, FUSE_GETATTR, f, &attr, sizeof(attr)), -ESTALE);
	CHECK(lookup(&t, "f") != f);
	machine_free(&t.m);
	saved_free(&saved);
}

TEST(a_lock_that_another_has_now)
{
	struct fuse_lk_in lk;
	struct saved saved;
	struct test t;
	u64 node;
	int fd = lock_new(&t, ",locks=host", &node, &lk);

	lk.lk_flags = FUSE_LK_FLOCK;
	CHECK_EQ(request(&t, 1, FUSE_SETLK, node, &lk, sizeof(lk)), 0);
	save(&t, &saved);
	CHECK(!flock(fd, LOCK_EX | LOCK_NB));
	CHECK_EQ(load(&t, ",locks=host", &saved), -EINVAL);
	machine_free(&t.m);
	close(fd);
	saved_free(&saved);
}

/* Whatever the bytes say: it is refused, or it goes on; a machine is freed again. */
TEST_TIMEOUT(a_session_of_any_kind, 60)
{
	struct fuse_getattr_in attr = { 0 };
	unsigned int i, bit, loaded = 0;
	struct saved saved;
	struct driver d;
	size_t from;
	__le32 len;
	struct fuse_lk_in lk;
	struct test t;
	u64 node, dir;
	int fd = lock_new(&t, ",locks=host", &node, &lk);

	CHECK(!mkdir(scratch("d"), 0755));
	scratch_file("d/deep", "water");
	dir = lookup(&t, "d");
	lookup_in(&t, dir, "deep");
	CHECK_EQ(request(&t, 1, FUSE_SETLK, node, &lk, sizeof(lk)), 0);
	save(&t, &saved);
	log_set_level(LOG_ERROR - 1);
	d = t.d;
	/* A section begins with its length and that of its name (util/state.c). */
	from = (u8 *)memmem(saved.data, saved.len, "\7session", 8) + 8 - saved.data;
	memcpy(&len, saved.data + from - 12, sizeof(len));
	for (i = 0; i < le32toh(len) / 5; i++) {
		size_t at = from + i * 5;

		bit = i * 7 % 8;
		saved.data[at] ^= 1 << bit;
		t.d = d;	/* as RAM, it is what it was */
		if (!load(&t, ",locks=host", &saved)) {
			loaded++;
			go_on(&t);
			request(&t, 1, FUSE_GETATTR, node, &attr, sizeof(attr));
		}
		machine_free(&t.m);
		saved.data[at] ^= 1 << bit;
	}
	printf("# %u of %u were loaded\n", loaded, i);
	close(fd);
	saved_free(&saved);
}
