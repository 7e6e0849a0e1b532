// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-console against a driver that does what Linux does, and against one
 * that does not: bytes in order and complete both ways, ports that open and
 * close, flow control, resets in the middle.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ring.h>

#include <kvm/console.h>
#include <kvm/device.h>

#include "driver.h"
#include "tap.h"

#define NUM	8		/* descriptors of each ring */
#define BUF	4096
/* Buffers of queue q, descriptor i. */
#define AT(q, i)	(32 * MIB + ((u64)(q) * NUM + (i)) * BUF)

enum { CONTROL_RX = 2, CONTROL_TX = 3 };

struct test {
	struct machine m;
	struct virtio_dev *dev;
	struct driver d;
};


static void test_new(struct test *t, const char *fmt, int a, int b)
{
	char opts[128];

	signal(SIGPIPE, SIG_IGN);
	snprintf(opts, sizeof(opts), fmt, a, b);
	machine_pci(&t->m);
	t->dev = machine_add(&t->m, "virtio-console", opts);
	machine_run(&t->m);
	driver_probe(&t->d, &t->m, t->dev);
}

/* A ring_init()ed ring's descriptor i always uses the buffer i. */
static void give(struct test *t, unsigned int q, u32 len)
{
	struct ring *r = &t->d.ring[q];

	ring_add(r, 0, 0, AT(q, r->next % NUM), len);
	driver_kick(&t->d, q);
}

static void put(struct test *t, unsigned int q, const void *data, u32 len)
{
	struct ring *r = &t->d.ring[q];
	u64 at = AT(q, r->next % NUM);

	CHECK_EQ(mem_write(&t->m.vm.mem, at, data, len), 0);
	ring_add(r, at, len, 0, 0);
	driver_kick(&t->d, q);
}

/* The next buffer that comes back on @q, its first bytes in @buf; its length. */
static u32 take(struct test *t, unsigned int q, void *buf, u32 max)
{
	u32 id = 0, len = 0;

	CHECK(driver_wait(&t->d, q, &id, &len));
	CHECK(len <= BUF);
	if (buf)
		CHECK_EQ(mem_read(&t->m.vm.mem, AT(q, id), buf, len < max ? len : max), 0);
	return len;
}

static void say(struct test *t, u32 id, u16 event, u16 value)
{
	struct virtio_console_control msg = {
		.id = htole32(id), .event = htole16(event), .value = htole16(value),
	};

	put(t, CONTROL_TX, &msg, sizeof(msg));
	take(t, CONTROL_TX, NULL, 0);
}

struct message {
	struct virtio_console_control c;
	char more[64];
} __attribute__((packed));

static u32 hear(struct test *t, u32 id, u16 event, u16 value, struct message *msg)
{
	struct message mine = { 0 };
	u32 len = take(t, CONTROL_RX, &mine, sizeof(mine) - 1);

	CHECK(len >= sizeof(mine.c));
	CHECK_EQ(le32toh(mine.c.id), id);
	CHECK_EQ(le16toh(mine.c.event), event);
	CHECK_EQ(le16toh(mine.c.value), value);
	if (msg)
		*msg = mine;
	give(t, CONTROL_RX, BUF);
	return len;
}

static void hear_nothing(struct test *t)
{
	CHECK(!ring_take(&t->d.ring[CONTROL_RX], NULL, NULL));
}

static void test_start(struct test *t)
{
	driver_start(&t->d, NUM);
	if (t->d.features & (1ULL << VIRTIO_CONSOLE_F_MULTIPORT))
		for (int i = 0; i < NUM; i++)
			give(t, CONTROL_RX, BUF);
}

/* Up to where a Linux guest's program has port 1 open. */
static void port_up(struct test *t, u32 port, bool host_open)
{
	struct message msg;

	say(t, VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	hear(t, port, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	say(t, port, VIRTIO_CONSOLE_PORT_READY, 1);
	CHECK_EQ(hear(t, port, VIRTIO_CONSOLE_PORT_NAME, 1, &msg), sizeof(msg.c) + 4);
	CHECK_MEM(msg.more, "name", 4);
	if (host_open)
		hear(t, port, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	say(t, port, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

static void expect(int fd, const char *data, size_t len)
{
	static char buf[1 << 20];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t done = 0;

	while (done < len) {
		ssize_t n;

		CHECK(poll(&p, 1, -1) == 1);
		n = read(fd, buf + done, len - done);
		CHECK(n > 0);
		done += n;
	}
	CHECK_MEM(buf, data, len);
}

static void test_free(struct test *t)
{
	machine_free(&t->m);
}

TEST(a_console_alone_needs_no_control_queues)
{
	struct test t;
	char buf[8];
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	test_new(&t, "console=fd:%d", s[0], 0);
	CHECK_EQ(t.dev->nr_vqs, 2);
	test_start(&t);
	CHECK(!(t.d.features & (1ULL << VIRTIO_CONSOLE_F_MULTIPORT)));
	put(&t, 1, "hello", 5);
	expect(s[1], "hello", 5);
	CHECK_EQ(take(&t, 1, NULL, 0), 0);
	CHECK_EQ(write(s[1], "typed", 5), 5);
	give(&t, 0, BUF);
	CHECK_EQ(take(&t, 0, buf, 8), 5);
	CHECK_MEM(buf, "typed", 5);
	test_free(&t);
}

TEST(ports_are_added_named_and_opened)
{
	struct test t;
	struct message msg;
	int s[2], p[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK(!pipe(p));
	test_new(&t, "console=null,port=org.a:fd:%d,port=b:fd::%d", s[0], p[1]);
	CHECK_EQ(t.dev->nr_vqs, 8);
	test_start(&t);
	CHECK_EQ(driver_read(&t.d, t.d.config + offsetof(struct virtio_console_config, max_nr_ports), 4), 3);
	hear_nothing(&t);
	say(&t, VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	hear(&t, 0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	hear(&t, 1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	hear(&t, 2, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	say(&t, 0, VIRTIO_CONSOLE_PORT_READY, 1);
	hear(&t, 0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, NULL);
	hear(&t, 0, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	say(&t, 0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	say(&t, 1, VIRTIO_CONSOLE_PORT_READY, 1);
	CHECK_EQ(hear(&t, 1, VIRTIO_CONSOLE_PORT_NAME, 1, &msg), sizeof(msg.c) + 5);
	CHECK_STR(msg.more, "org.a");
	hear(&t, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	say(&t, 2, VIRTIO_CONSOLE_PORT_READY, 1);
	hear(&t, 2, VIRTIO_CONSOLE_PORT_NAME, 1, &msg);
	CHECK_STR(msg.more, "b");
	hear(&t, 2, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	test_free(&t);
}

TEST(input_waits_until_the_guest_has_opened_the_port)
{
	struct test t;
	char buf[16];
	int p[2];

	CHECK(!pipe(p));
	test_new(&t, "port=name:fd:%d:", p[0], 0);
	CHECK_EQ(write(p[1], "early", 5), 5);
	test_start(&t);
	give(&t, 4, BUF);
	say(&t, VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	hear(&t, 1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	say(&t, 1, VIRTIO_CONSOLE_PORT_READY, 1);
	hear(&t, 1, VIRTIO_CONSOLE_PORT_NAME, 1, NULL);
	hear(&t, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	CHECK(!ring_take(&t.d.ring[4], NULL, NULL));
	say(&t, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK_EQ(take(&t, 4, buf, 16), 5);
	CHECK_MEM(buf, "early", 5);
	/* Closed again: what comes now waits for the next open. */
	say(&t, 1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	give(&t, 4, BUF);
	CHECK_EQ(write(p[1], "later", 5), 5);
	say(&t, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	CHECK_EQ(take(&t, 4, buf, 16), 5);
	CHECK_MEM(buf, "later", 5);
	test_free(&t);
}

TEST(end_of_file_comes_after_the_last_byte)
{
	struct test t;
	char buf[16];
	int p[2];

	CHECK(!pipe(p));
	test_new(&t, "port=name:fd:%d:", p[0], 0);
	CHECK_EQ(write(p[1], "0123456789", 10), 10);
	close(p[1]);
	test_start(&t);
	port_up(&t, 1, true);
	/* Small buffers, one at a time: nothing is said before they have all of it. */
	for (int i = 0; i < 3; i++) {
		give(&t, 4, 4);
		CHECK_EQ(take(&t, 4, buf, 4), i < 2 ? 4 : 2);
		CHECK_MEM(buf, "0123456789" + 4 * i, i < 2 ? 4 : 2);
		if (i < 2)
			hear_nothing(&t);
	}
	give(&t, 4, 4);
	hear(&t, 1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL);
	/* An empty buffer would be an end of file of its own. */
	CHECK(!ring_take(&t.d.ring[4], NULL, NULL));
	test_free(&t);
}

TEST(output_stays_in_order_over_a_slow_reader)
{
	static char data[64 * BUF];
	struct test t;
	int p[2], sent = 0, done = 0;

	CHECK(!pipe(p));
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 13 + (i >> 8);
	test_new(&t, "port=name:fd::%d", p[1], 0);
	test_start(&t);
	port_up(&t, 1, true);
	for (; sent < NUM; sent++)
		put(&t, 5, data + sent * BUF, BUF);
	while (done < 64) {
		expect(p[0], data + done * BUF, BUF);
		CHECK_EQ(take(&t, 5, NULL, 0), 0);
		done++;
		if (sent < 64) {
			put(&t, 5, data + sent * BUF, BUF);
			sent++;
		}
	}
	test_free(&t);
}

TEST(a_reader_that_has_gone_closes_the_port)
{
	struct test t;
	int p[2];

	CHECK(!pipe(p));
	test_new(&t, "port=name:fd::%d", p[1], 0);
	close(p[1]);
	test_start(&t);
	port_up(&t, 1, true);
	put(&t, 5, "x", 1);
	expect(p[0], "x", 1);
	take(&t, 5, NULL, 0);
	close(p[0]);
	for (int i = 0; i < 20; i++) {
		put(&t, 5, "y", 1);
		take(&t, 5, NULL, 0);	/* dropped, not stuck */
	}
	hear(&t, 1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL);
	hear_nothing(&t);
	test_free(&t);
}

TEST(a_reader_that_goes_while_the_pipe_is_full)
{
	static char data[BUF];
	struct test t;
	int p[2];

	CHECK(!pipe(p));
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	test_new(&t, "port=name:fd::%d", p[1], 0);
	close(p[1]);
	test_start(&t);
	port_up(&t, 1, true);
	put(&t, 5, data, BUF);
	take(&t, 5, NULL, 0);
	put(&t, 5, data, BUF);
	put(&t, 5, data, BUF);
	close(p[0]);
	take(&t, 5, NULL, 0);
	take(&t, 5, NULL, 0);
	hear(&t, 1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL);
	test_free(&t);
}

struct drain {
	struct work work;
	struct test *t;
	int done[2];
};

static void drained(struct work *w)
{
	struct drain *d = container_of(w, struct drain, work);

	CHECK_EQ(write(d->done[1], "d", 1), 1);
}

static void drain_ask(struct drain *d)
{
	pthread_mutex_lock(&d->t->m.vm.lock);
	d->work = (struct work) { .fn = drained };
	console_drain(&d->t->dev->dev, d->t->m.vm.loop, &d->work);
	pthread_mutex_unlock(&d->t->m.vm.lock);
}

TEST(drain_waits_for_the_reader)
{
	static char data[3 * BUF];
	struct test t;
	struct drain d = { .t = &t };
	int p[2];

	CHECK(!pipe(p) && !pipe2(d.done, O_NONBLOCK));
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	test_new(&t, "port=name:fd::%d", p[1], 0);
	close(p[1]);
	/* Before there is a driver there is nothing to wait for. */
	drain_ask(&d);
	expect(d.done[0], "d", 1);
	test_start(&t);
	port_up(&t, 1, true);
	drain_ask(&d);
	expect(d.done[0], "d", 1);
	for (int i = 0; i < 3; i++)
		put(&t, 5, data, BUF);
	drain_ask(&d);
	take(&t, 5, NULL, 0);
	CHECK(read(d.done[0], data, 1) < 0);
	/* The pipe has room for one. */
	expect(p[0], data, BUF);
	take(&t, 5, NULL, 0);
	CHECK(read(d.done[0], data, 1) < 0);
	expect(p[0], data, BUF);
	expect(d.done[0], "d", 1);
	expect(p[0], data, BUF);
	/* One that is cut short by a reset has its answer too. */
	take(&t, 5, NULL, 0);
	for (int i = 0; i < 3; i++)
		put(&t, 5, data, BUF);
	take(&t, 5, NULL, 0);
	drain_ask(&d);
	CHECK(read(d.done[0], data, 1) < 0);
	driver_set_status(&t.d, 0);
	expect(d.done[0], "d", 1);
	test_free(&t);
}

TEST(a_reset_loses_no_input_and_starts_anew)
{
	struct test t;
	char buf[16];
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	test_new(&t, "port=name:fd:%d", s[0], 0);
	for (int round = 0; round < 3; round++) {
		test_start(&t);
		CHECK_EQ(write(s[1], "abc", 3), 3);
		port_up(&t, 1, true);
		give(&t, 4, BUF);
		CHECK_EQ(take(&t, 4, buf, 16), 3);
		CHECK_MEM(buf, "abc", 3);
		/* Held buffers, both ways, at the time of the reset. */
		give(&t, 4, BUF);
		put(&t, 5, "out", 3);
		expect(s[1], "out", 3);
		driver_set_status(&t.d, 0);
		CHECK_EQ(driver_status(&t.d), 0);
	}
	test_free(&t);
}

TEST(a_reset_while_output_is_stuck)
{
	static char data[BUF];
	struct test t;
	int p[2];

	CHECK(!pipe(p));
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	test_new(&t, "port=name:fd::%d", p[1], 0);
	for (int round = 0; round < 2; round++) {
		test_start(&t);
		port_up(&t, 1, true);
		for (int i = 0; i < 4; i++)
			put(&t, 5, data, BUF);
		driver_set_status(&t.d, 0);
		CHECK_EQ(driver_status(&t.d), 0);
	}
	test_free(&t);
}

TEST(control_messages_wait_for_buffers)
{
	struct test t;

	test_new(&t, "console=null,port=name:null", 0, 0);
	driver_start(&t.d, NUM);
	/* A guest that talks and never listens: nothing piles up. */
	for (int i = 0; i < 1000; i++) {
		say(&t, VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
		say(&t, 1, VIRTIO_CONSOLE_PORT_READY, 1);
	}
	for (int i = 0; i < NUM; i++)
		give(&t, CONTROL_RX, BUF);
	hear(&t, 0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	hear(&t, 1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	hear(&t, 1, VIRTIO_CONSOLE_PORT_NAME, 1, NULL);
	hear(&t, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	hear_nothing(&t);
	test_free(&t);
}

TEST(nonsense_on_the_control_queue_is_ignored)
{
	struct test t;
	u32 junk[2] = { 0xffffffff, 0xffffffff };
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	test_new(&t, "port=name:fd:%d", s[0], 0);
	test_start(&t);
	for (u32 event = 1; event < 20; event++)
		for (u32 id = 2; id < 40; id++)
			say(&t, id, event, 1);
	/* Port 0 is not there: no console was asked for. */
	for (u32 event = 1; event < 20; event++)
		say(&t, 0, event, 1);
	put(&t, CONTROL_TX, junk, 3);
	take(&t, CONTROL_TX, NULL, 0);
	put(&t, CONTROL_TX, junk, 8);
	take(&t, CONTROL_TX, NULL, 0);
	give(&t, CONTROL_TX, 8);	/* a buffer of the wrong direction */
	CHECK_EQ(take(&t, CONTROL_TX, NULL, 0), 0);
	put(&t, 1, "nobody", 6);
	take(&t, 1, NULL, 0);
	hear_nothing(&t);
	/* It works as ever. */
	port_up(&t, 1, true);
	put(&t, 5, "x", 1);
	expect(s[1], "x", 1);
	test_free(&t);
}

TEST(a_receive_buffer_without_room_is_no_end_of_file)
{
	struct test t;
	char buf[8];
	int p[2];

	CHECK(!pipe(p));
	test_new(&t, "port=name:fd:%d:", p[0], 0);
	test_start(&t);
	put(&t, 4, "readable only", 13);
	port_up(&t, 1, true);
	CHECK_EQ(take(&t, 4, NULL, 0), 0);
	give(&t, 4, BUF);
	CHECK_EQ(write(p[1], "abc", 3), 3);
	CHECK_EQ(take(&t, 4, buf, 8), 3);
	hear_nothing(&t);
	test_free(&t);
}

TEST(a_tiny_control_buffer_gets_what_fits)
{
	struct test t;
	u32 id = 0;

	test_new(&t, "port=name:null", 0, 0);
	driver_start(&t.d, NUM);
	give(&t, CONTROL_RX, 4);
	say(&t, VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	CHECK_EQ(take(&t, CONTROL_RX, &id, 4), 4);
	CHECK_EQ(le32toh(id), 1);
	test_free(&t);
}

TEST(resize_is_told)
{
	struct test t;
	struct message msg;

	test_new(&t, "console=null,port=name:null", 0, 0);
	pthread_mutex_lock(&t.m.vm.lock);
	console_resize(&t.dev->dev, 50, 132);
	pthread_mutex_unlock(&t.m.vm.lock);
	test_start(&t);
	CHECK_EQ(driver_read(&t.d, t.d.config, 2), 132);
	CHECK_EQ(driver_read(&t.d, t.d.config + 2, 2), 50);
	say(&t, 0, VIRTIO_CONSOLE_PORT_READY, 1);
	hear(&t, 0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, NULL);
	CHECK_EQ(hear(&t, 0, VIRTIO_CONSOLE_RESIZE, 1, &msg), sizeof(msg.c) + 4);
	CHECK_MEM(msg.more, "\x84\0\x32\0", 4);
	hear(&t, 0, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	pthread_mutex_lock(&t.m.vm.lock);
	console_resize(&t.dev->dev, 24, 80);
	pthread_mutex_unlock(&t.m.vm.lock);
	hear(&t, 0, VIRTIO_CONSOLE_RESIZE, 1, &msg);
	CHECK_MEM(msg.more, "\x50\0\x18\0", 4);
	CHECK_EQ(driver_read(&t.d, t.d.config, 2), 80);
	test_free(&t);
}

TEST(emergency_write_at_any_time)
{
	struct test t;
	u64 emerg;
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	test_new(&t, "console=fd:%d", s[0], 0);
	emerg = t.d.config + offsetof(struct virtio_console_config, emerg_wr);
	driver_write(&t.d, emerg, 4, 'a');
	expect(s[1], "a", 1);
	test_start(&t);
	driver_write(&t.d, emerg, 4, 'b');
	driver_write(&t.d, emerg, 1, 'c');
	expect(s[1], "bc", 2);
	driver_set_status(&t.d, 0);
	driver_write(&t.d, emerg, 4, 'd');
	expect(s[1], "d", 1);
	test_free(&t);
}

TEST(wrong_suboptions_are_refused)
{
	static const char *const wrong[] = {
		"", "port=name", "port=:null", "console=what", "port=a:null,port=a:null", "port=a:fd:999",
		"port=0123456789012345678901234567890123456789012345678901234567890123456789:null",
	};

	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct test t;
		struct device *dev;

		machine_pci(&t.m);
		if (device_add(&t.m.vm, "virtio-console", wrong[i], &dev) >= 0)
			tap_fail(__FILE__, __LINE__, "\"%s\" was taken", wrong[i]);
		machine_free(&t.m);
	}
}
