// SPDX-License-Identifier: GPL-2.0
/*
 * A file server in a process of its own: it serves as the one in the machine's process does, and
 * its end is the device's and nobody else's. By 9p, whose messages are short.
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/confine.h>
#include <kvm/device.h>
#include <kvm/keep.h>
#include <kvm/state.h>

#include "driver.h"
#include "scratch.h"
#include "tap.h"

#define NUM	128
#define OUT(i)	(32 * MIB + (u64)(i) * 8192)
#define IN(i)	(OUT(i) + 4096)
#define CHUNK	1024		/* bytes of a write */

enum { TVERSION = 100, TATTACH = 104, TWALK = 110, TLOPEN = 12, TWRITE = 118, TLOCK = 52, RLERROR = 7 };
enum { ROOT = 1, FILE_ = 2 };	/* fids */

struct test {
	struct machine m;
	struct virtio_dev *dev;
	struct driver d;
	u32 slot;
	u8 in[4096];		/* the last reply */
};

/* Messages */

struct message {
	u8 data[4096];
	u32 len;
};

static void put(struct message *m, u64 val, unsigned int bytes)
{
	val = htole64(val);
	memcpy(m->data + m->len, &val, bytes);
	m->len += bytes;
}

static void put_text(struct message *m, const char *text)
{
	put(m, strlen(text), 2);
	memcpy(m->data + m->len, text, strlen(text));
	m->len += strlen(text);
}

static void begin(struct message *m, u8 type)
{
	m->len = 4;
	put(m, type, 1);
	put(m, 1, 2);
}

/* Give it to the device: the head of its chain. */
static u32 send_message(struct test *t, struct message *m)
{
	u32 i = t->slot++ % (NUM / 2), len = htole32(m->len);
	u16 head;

	memcpy(m->data, &len, 4);
	CHECK_EQ(mem_write(&t->m.vm.mem, OUT(i), m->data, m->len), 0);
	head = ring_add(&t->d.ring[0], OUT(i), m->len, IN(i), 4096);
	driver_kick(&t->d, 0);
	return (u32)head << 16 | i;
}

/* The type of the reply. */
static u8 call(struct test *t, struct message *m)
{
	u32 token = send_message(t, m), id, len;

	CHECK(driver_wait(&t->d, 0, &id, &len));
	CHECK_EQ(id, token >> 16);
	CHECK_EQ(mem_read(&t->m.vm.mem, IN(token & 0xffff), t->in, sizeof(t->in)), 0);
	return t->in[4];
}

static void session(struct test *t)
{
	struct message m;

	driver_start(&t->d, NUM);
	begin(&m, TVERSION);
	put(&m, 4096, 4);
	put_text(&m, "9P2000.L");
	CHECK_EQ(call(t, &m), TVERSION + 1);
	begin(&m, TATTACH);
	put(&m, ROOT, 4);
	put(&m, ~0U, 4);
	put_text(&m, "");
	put_text(&m, "");
	put(&m, 0, 4);
	CHECK_EQ(call(t, &m), TATTACH + 1);
}

/* Open the file @name as FILE_. */
static void open_file(struct test *t, const char *name)
{
	struct message m;

	begin(&m, TWALK);
	put(&m, ROOT, 4);
	put(&m, FILE_, 4);
	put(&m, 1, 2);
	put_text(&m, name);
	CHECK_EQ(call(t, &m), TWALK + 1);
	begin(&m, TLOPEN);
	put(&m, FILE_, 4);
	put(&m, O_RDWR, 4);
	CHECK_EQ(call(t, &m), TLOPEN + 1);
}

static u32 send_write(struct test *t, unsigned int chunk)
{
	struct message m;

	begin(&m, TWRITE);
	put(&m, FILE_, 4);
	put(&m, (u64)chunk * CHUNK, 8);
	put(&m, CHUNK, 4);
	memset(m.data + m.len, 'a' + chunk % 26, CHUNK);
	m.len += CHUNK;
	return send_message(t, &m);
}

static void write_chunk(struct test *t, unsigned int chunk)
{
	u32 id, len, token = send_write(t, chunk);

	CHECK(driver_wait(&t->d, 0, &id, &len));
	CHECK_EQ(id, token >> 16);
	CHECK_EQ(len, 11);
}

static bool chunk_is_there(unsigned int chunk)
{
	char data[CHUNK];
	int fd = open(scratch("f"), O_RDONLY);
	unsigned int i;

	CHECK_EQ(pread(fd, data, CHUNK, (off_t)chunk * CHUNK), CHUNK);
	close(fd);
	for (i = 0; i < CHUNK; i++)
		if (data[i] != 'a' + (char)(chunk % 26))
			return false;
	return true;
}

/* Processes */

/* A child of @parent, or 0. */
static pid_t child_of(pid_t parent)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (!found && (e = readdir(dir))) {
		char path[300], text[512] = "", *at;
		int fd, n;
		long ppid;

		if (atoi(e->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		fd = open(path, O_RDONLY);
		n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
		if (fd >= 0)
			close(fd);
		at = n > 0 ? strrchr(text, ')') : NULL;
		if (at && sscanf(at, ") %*c %ld", &ppid) == 1 && ppid == parent && strstr(text, "(virtio-9p0)"))
			found = atoi(e->d_name);
	}
	closedir(dir);
	return found;
}

static pid_t keeper(void)
{
	pid_t pid = child_of(getpid());

	CHECK(pid > 0);
	return pid;
}

static pid_t server(void)
{
	pid_t pid = child_of(keeper());

	CHECK(pid > 0);
	return pid;
}

static void test_new(struct test *t)
{
	char opts[256];

	memset(t, 0, sizeof(*t));
	scratch_file("f", "hello");
	snprintf(opts, sizeof(opts), "%s,tag=share", scratch_dir());
	machine_apart(&t->m);
	t->dev = machine_add(&t->m, "virtio-9p", opts);
	machine_run(&t->m);
	driver_probe(&t->d, &t->m, t->dev);
}

TEST(a_process_serves)
{
	struct test t;
	pid_t first;

	test_new(&t);
	CHECK(!child_of(keeper()));
	session(&t);
	open_file(&t, "f");
	write_chunk(&t, 0);
	CHECK(chunk_is_there(0));
	first = server();
	/* The next driver gets another one, which knows no fid. */
	driver_set_status(&t.d, 0);
	CHECK_EQ(driver_status(&t.d), 0);
	CHECK(!child_of(keeper()));
	session(&t);
	CHECK(server() != first);
	open_file(&t, "f");
	machine_free(&t.m);
}

/* Files whose writes are acknowledged when the server is killed have them. */
TEST(nothing_that_was_acknowledged_is_lost)
{
	bool acked[400] = { false };
	u32 token[400], id, len;
	unsigned int next = 0, round, i, n = 0;
	struct test t;

	test_new(&t);
	for (round = 0; round < 4; round++) {
		unsigned int first = next;

		session(&t);
		open_file(&t, "f");
		for (i = 0; i < 50; i++, next++) {
			token[next] = send_write(&t, next);
			/* In the middle of it, with some in flight. */
			if (i == 25 + round * 5)
				CHECK(!kill(server(), SIGKILL));
		}
		CHECK(driver_wait_broken(&t.d));
		while (ring_take(&t.d.ring[0], &id, &len))
			for (i = first; i < next; i++)
				if (token[i] >> 16 == id && len == 11)
					acked[i] = true;
		driver_set_status(&t.d, 0);
		CHECK_EQ(driver_status(&t.d), 0);
	}
	for (i = 0; i < next; i++) {
		CHECK(!acked[i] || chunk_is_there(i));
		n += acked[i];
	}
	tap_note("%u of %u acknowledged", n, next);
	session(&t);
	open_file(&t, "f");
	write_chunk(&t, 1);
	machine_free(&t.m);
}

TEST(without_its_keeper_the_device_stays_broken)
{
	struct test t;

	test_new(&t);
	session(&t);
	CHECK(!kill(keeper(), SIGKILL));
	CHECK(driver_wait_broken(&t.d));
	driver_set_status(&t.d, 0);
	CHECK_EQ(driver_status(&t.d), 0);
	driver_start(&t.d, NUM);
	CHECK(driver_wait_broken(&t.d));
	machine_free(&t.m);
}

TEST(a_server_that_stands_still_is_killed)
{
	struct test t;
	u64 end = loop_now() + 20ULL * 1000000000;

	test_new(&t);
	session(&t);
	CHECK(!kill(server(), SIGSTOP));
	driver_set_status(&t.d, 0);
	while (driver_status(&t.d) && loop_now() < end)
		sched_yield();
	CHECK_EQ(driver_status(&t.d), 0);
	CHECK(!child_of(keeper()));
	session(&t);
	open_file(&t, "f");
	machine_free(&t.m);
}

/* A hold waits until nothing is in flight, and requests then wait in the ring. */
TEST(a_hold_holds_the_process)
{
	struct test t;
	u32 id, len, token;

	test_new(&t);
	session(&t);
	open_file(&t, "f");
	pthread_mutex_lock(&t.m.vm.lock);
	CHECK_EQ(virtio_hold(t.dev), 0);
	pthread_mutex_unlock(&t.m.vm.lock);
	token = send_write(&t, 3);
	CHECK(!driver_irq(&t.d, 0, 20));
	pthread_mutex_lock(&t.m.vm.lock);
	virtio_release(t.dev);
	pthread_mutex_unlock(&t.m.vm.lock);
	CHECK(driver_wait(&t.d, 0, &id, &len));
	CHECK_EQ(id, token >> 16);
	CHECK(chunk_is_there(3));
	machine_free(&t.m);
}

/* Its driver breaks a rule of the ring: the server notices, the device is broken. */
TEST(a_bad_driver_breaks_the_device)
{
	struct test t;

	test_new(&t);
	session(&t);
	ring_desc(&t.d.ring[0], 100, 1ULL << 50, 16, 0, 0);
	ring_offer(&t.d.ring[0], 100);
	driver_kick(&t.d, 0);
	CHECK(driver_wait_broken(&t.d));
	driver_set_status(&t.d, 0);
	CHECK_EQ(driver_status(&t.d), 0);
	session(&t);
	open_file(&t, "f");
	machine_free(&t.m);
}

TEST(it_cannot_be_saved)
{
	struct state *s;
	struct test t;

	test_new(&t);
	session(&t);
	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	CHECK(vm_state(&t.m.vm, s) < 0);
	state_free(s);
	machine_free(&t.m);
}

/* The next start of the machine has other RAM and other doorbells, and the same keeper. */
TEST(a_machine_that_starts_again_has_the_same_keeper)
{
	struct keep *keep = keep_new();
	struct test t;
	char opts[256];
	pid_t first = 0;
	unsigned int i;

	scratch_file("f", "hello");
	snprintf(opts, sizeof(opts), "%s,tag=share", scratch_dir());
	for (i = 0; i < 3; i++) {
		memset(&t, 0, sizeof(t));
		machine_apart(&t.m);
		t.m.cfg.keep = keep;
		t.dev = machine_add(&t.m, "virtio-9p", opts);
		machine_run(&t.m);
		driver_probe(&t.d, &t.m, t.dev);
		CHECK(!first || first == keeper());
		first = keeper();
		session(&t);
		open_file(&t, "f");
		write_chunk(&t, i);
		CHECK(chunk_is_there(i));
		machine_free(&t.m);
	}
	keep_free(keep);
}

TEST(what_cannot_be_opened_is_said)
{
	struct machine m;

	machine_apart(&m);
	CHECK(device_add(&m.vm, "virtio-9p", "/nowhere/at/all,tag=a", NULL) < 0);
	CHECK(device_add(&m.vm, "virtio-9p", "/tmp", NULL) < 0);
	machine_free(&m);
}

static void violated(void)
{
	_exit(125);
}

/* The keeper and its server under their filters, with nothing but the share. */
TEST(it_is_confined)
{
	const struct confine_config cfg = { .mode = CONFINE_ON, .apart = true, .log_fd = -1, .end = violated };
	struct test t;
	char opts[256];
	unsigned int i;

	memset(&t, 0, sizeof(t));
	scratch_file("f", "hello");
	snprintf(opts, sizeof(opts), "%s,tag=share", scratch_dir());
	machine_apart(&t.m);
	CHECK_EQ(confine_new(&t.m.cfg.confine, &cfg), 0);
	t.m.cfg.spawner = confine_threads(t.m.cfg.confine);
	t.dev = machine_add(&t.m, "virtio-9p", opts);
	machine_run(&t.m);
	driver_probe(&t.d, &t.m, t.dev);
	for (i = 0; i < 2; i++) {
		session(&t);
		open_file(&t, "f");
		write_chunk(&t, i);
		CHECK(chunk_is_there(i));
		driver_set_status(&t.d, 0);
		CHECK_EQ(driver_status(&t.d), 0);
	}
	session(&t);
	CHECK(!kill(server(), SIGKILL));
	CHECK(driver_wait_broken(&t.d));
	driver_set_status(&t.d, 0);
	session(&t);
	machine_free(&t.m);
	confine_free(t.m.cfg.confine);
}
