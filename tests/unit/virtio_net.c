// SPDX-License-Identifier: GPL-2.0
// without: hw/net/net.o hw/net/wire.o
/*
 * virtio-net against a driver. The wire is the test's: what the card sends is kept, what
 * the card gets is what the test has put there.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <linux/kernel.h>
#include <kvm/net.h>
#include <kvm/opt.h>
#include <kvm/state.h>

#include "driver.h"
#include "tap.h"

#define NUM	64
#define OUT	(32 * MIB)	/* of the driver's frames and commands */
#define IN	(40 * MIB)	/* of its receive buffers */
#define ACK	(48 * MIB)
#define ALL	(~0ULL)
#define MQ	(1ULL << VIRTIO_NET_F_MQ)
#define MRG	(1ULL << VIRTIO_NET_F_MRG_RXBUF)
#define FRAMES	8

static const u8 own_mac[NET_MAC] = { 2, 0x15, 0x15, 0x15, 0x15, 0x15 }, all[NET_MAC] = { 255, 255, 255, 255, 255, 255 };

/* The wire */

struct wire_pair {
	struct loop *loop;
	struct work work;
	u8 frame[FRAMES][NET_FRAME_MAX];	/* for the guest */
	size_t len[FRAMES];
	unsigned int head, nr;
	size_t most;		/* said by net_pending(), or 0: the next frame's length */
	u8 sent[NET_FRAME_MAX];
	size_t sent_len;
	unsigned int nr_sent, attaches, detaches;
	bool full;
	int lost;		/* what net_receive() said last when it was an error */
};

struct net {
	const struct net_ops *ops;
	void *obj;
	u32 offloads;
	unsigned int active;
	bool out;
	unsigned int reused;
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct wire_pair pair[4];
};

static struct net wire;
static unsigned int wire_pairs;

static struct wire_pair *wire_pair(unsigned int i)
{
	CHECK(i < wire_pairs);
	return &wire.pair[i];
}

int net_bad(struct opt_err *err, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int net_bad(struct opt_err *err, int ret, const char *fmt, ...)
{
	return ret;
}

void net_link_set(struct net *n, bool up);
void net_link_set(struct net *n, bool up)
{
}

bool net_help(FILE *f, const char *spec)
{
	return false;
}

int net_check(const char *spec, struct opt_err *err)
{
	return 0;
}

int net_guest(struct net *n, const struct net_card *card, struct net_guest *out, struct opt_err *err)
{
	return 0;
}

const char *net_removes(const struct net *n)
{
	return NULL;
}

int net_open(struct net **out, const char *spec, struct net_card *card, const struct net_ops *ops, void *obj,
	     struct opt_err *err)
{
	memset(&wire, 0, sizeof(wire));
	pthread_mutex_init(&wire.lock, NULL);
	pthread_cond_init(&wire.change, NULL);
	wire.ops = ops;
	wire.obj = obj;
	wire.active = 1;
	card->pairs = wire_pairs;
	card->mtu = 1500;
	*out = &wire;
	return 0;
}

void net_close(struct net *n)
{
}

void net_reuse(struct net *n, struct net_card *card, const struct net_ops *ops, void *obj)
{
	n->ops = ops;
	n->obj = obj;
	n->reused++;
	card->pairs = wire_pairs;
	card->mtu = 1500;
}

const char *net_reads(const struct net *n, unsigned int i)
{
	return NULL;
}

bool net_connects(const struct net *n)
{
	return false;
}

int net_attach(struct net *n, unsigned int pair, struct loop *loop)
{
	struct wire_pair *p = wire_pair(pair);

	p->loop = loop;
	p->attaches++;
	return 0;
}

void net_detach(struct net *n, unsigned int pair)
{
	struct wire_pair *p = wire_pair(pair);

	CHECK(p->loop);
	loop_unpost(p->loop, &p->work);
	p->loop = NULL;
	p->detaches++;
}

void net_set_pairs(struct net *n, unsigned int nr)
{
	n->active = nr;
}

u32 net_offloads(const struct net *n)
{
	return NET_OFF_CSUM | NET_OFF_TSO4 | NET_OFF_TSO6;
}

void net_set_offloads(struct net *n, u32 offloads)
{
	n->offloads = offloads;
}

bool net_link(const struct net *n)
{
	return !n->out;
}

void net_plug(struct net *n, bool in)
{
	n->out = !in;
	n->ops->link(n->obj);
}

const char *net_mode(const struct net *n)
{
	return "test";
}

int net_forward(struct net *n, const char *text, int fd, struct opt_err *err)
{
	return 0;
}

int net_unforward(struct net *n, const char *text, struct opt_err *err)
{
	return 0;
}

bool net_forward_text(struct net *n, unsigned int i, char *out, size_t size)
{
	return false;
}

size_t net_pending(struct net *n, unsigned int pair)
{
	struct wire_pair *p = wire_pair(pair);
	size_t len;

	pthread_mutex_lock(&n->lock);
	len = !p->nr ? 0 : p->most ? p->most : p->len[p->head];
	pthread_mutex_unlock(&n->lock);
	return len;
}

ssize_t net_receive(struct net *n, unsigned int pair, struct iov_iter *in)
{
	struct wire_pair *p = wire_pair(pair);
	ssize_t len;

	pthread_mutex_lock(&n->lock);
	len = p->nr ? (ssize_t)p->len[p->head] : -EAGAIN;
	if (len > 0 && copy_to_iter(p->frame[p->head], len, in) < (size_t)len)
		p->lost = len = -EMSGSIZE;
	if (len != -EAGAIN) {
		p->head = (p->head + 1) % FRAMES;
		p->nr--;
		pthread_cond_broadcast(&n->change);
	}
	pthread_mutex_unlock(&n->lock);
	return len;
}

int net_send(struct net *n, unsigned int pair, struct iov_iter *out)
{
	struct wire_pair *p = wire_pair(pair);
	int ret = 0;

	pthread_mutex_lock(&n->lock);
	if (p->full) {
		ret = -EAGAIN;
	} else {
		p->sent_len = copy_from_iter(p->sent, sizeof(p->sent), out);
		p->nr_sent++;
		ret = p->sent_len < sizeof(struct net_hdr) + 14 ? -EINVAL : 0;
	}
	pthread_mutex_unlock(&n->lock);
	return ret;
}

static void wire_readable(struct work *w)
{
	unsigned int i = container_of(w, struct wire_pair, work) - wire.pair;

	wire.ops->readable(wire.obj, i);
}

static void wire_writable(void *arg)
{
	wire.ops->writable(wire.obj, *(unsigned int *)arg);
}

/* A frame of @len bytes with its header, to @dst. */
static void wire_put_vlan(unsigned int pair, const u8 *dst, size_t len, u8 fill, u32 tag)
{
	struct wire_pair *p = wire_pair(pair);
	u8 *f;

	pthread_mutex_lock(&wire.lock);
	CHECK(p->nr < FRAMES);
	f = p->frame[(p->head + p->nr) % FRAMES];
	memset(f, fill, len);
	memset(f, 0, sizeof(struct net_hdr));
	memcpy(f + sizeof(struct net_hdr), dst, NET_MAC);
	tag = htobe32(tag);
	memcpy(f + sizeof(struct net_hdr) + 2 * NET_MAC, &tag, 4);
	p->len[(p->head + p->nr++) % FRAMES] = len;
	pthread_mutex_unlock(&wire.lock);
	p->work.fn = wire_readable;
	if (p->loop)
		loop_post(p->loop, &p->work);
}

static void wire_put(unsigned int pair, const u8 *dst, size_t len, u8 fill)
{
	wire_put_vlan(pair, dst, len, fill, 0x08004500);
}

/* Wait until the card has taken all frames of the wire. */
static void wire_taken(unsigned int pair)
{
	pthread_mutex_lock(&wire.lock);
	while (wire_pair(pair)->nr)
		pthread_cond_wait(&wire.change, &wire.lock);
	pthread_mutex_unlock(&wire.lock);
}

/* The driver */

struct test {
	struct machine m;
	struct virtio_dev *dev;
	struct driver d;
	unsigned int control;
};

static void test_new(struct test *t, unsigned int pairs, u64 features)
{
	unsigned int q, nr;

	wire_pairs = pairs;
	memset(t, 0, sizeof(*t));
	machine_pci(&t->m);
	t->dev = machine_add(&t->m, "virtio-net", "net=test");
	machine_run(&t->m);
	driver_probe(&t->d, &t->m, t->dev);
	driver_features(&t->d, features);
	t->control = t->d.features & MQ ? 2 * pairs : 2;
	nr = t->control + 1;
	for (q = 0; q < nr; q++)
		driver_queue(&t->d, q, NUM);
	driver_ok(&t->d);
}

static void test_end(struct test *t)
{
	machine_free(&t->m);
}

static u64 config(struct test *t, u32 off, unsigned int len)
{
	return driver_read(&t->d, t->d.config + off, len);
}
#define CONFIG(t, field) \
	config(t, offsetof(struct virtio_net_config, field), sizeof(((struct virtio_net_config *)0)->field))

/* A receive buffer of @len bytes: the @n'th. */
static void buffer(struct test *t, unsigned int pair, unsigned int n, u32 len)
{
	ring_add(&t->d.ring[2 * pair], 0, 0, IN + pair * MIB + n * 16 * KIB, len);
	driver_kick(&t->d, 2 * pair);
}

static u8 command(struct test *t, u8 class, u8 cmd, const void *data, u32 len)
{
	u8 head[2] = { class, cmd }, ack = 0xaa;
	const struct mem *mem = &t->m.vm.mem;

	CHECK_EQ(mem_write(mem, OUT, head, 2), 0);
	CHECK_EQ(mem_write(mem, OUT + 2, data, len), 0);
	CHECK_EQ(mem_write(mem, ACK, &ack, 1), 0);
	ring_add(&t->d.ring[t->control], OUT, 2 + len, ACK, 1);
	driver_kick(&t->d, t->control);
	CHECK(driver_wait(&t->d, t->control, NULL, NULL));
	CHECK_EQ(mem_read(mem, ACK, &ack, 1), 0);
	return ack;
}

static u8 command_byte(struct test *t, u8 class, u8 cmd, u8 byte)
{
	return command(t, class, cmd, &byte, 1);
}

/* Does a frame to @dst reach the driver? There have to be buffers. */
static bool reaches_tagged(struct test *t, const u8 *dst, u32 tag)
{
	u8 marker[NET_MAC];
	u32 len;

	/* A second one that surely does says when the first is done. */
	memcpy(marker, all, NET_MAC);
	wire_put_vlan(0, dst, 60, 1, tag);
	wire_put(0, marker, 61, 2);
	buffer(t, 0, 0, 2048);
	buffer(t, 0, 1, 2048);
	CHECK(driver_wait(&t->d, 0, NULL, &len));
	if (len == 61) {
		/* A buffer is left: a frame for it. */
		wire_put(0, marker, 62, 2);
		CHECK(driver_wait(&t->d, 0, NULL, &len));
		CHECK_EQ(len, 62);
		return false;
	}
	CHECK_EQ(len, 60);
	CHECK(driver_wait(&t->d, 0, NULL, &len));
	CHECK_EQ(len, 61);
	return true;
}

static bool reaches(struct test *t, const u8 *dst)
{
	return reaches_tagged(t, dst, 0x08004500);
}

static bool reaches_vlan(struct test *t, u16 id)
{
	return reaches_tagged(t, own_mac, 0x81000000 | id);
}

TEST(configuration)
{
	struct test t;

	test_new(&t, 1, ALL);
	CHECK(!(t.d.features & MQ));
	CHECK_EQ(CONFIG(&t, mtu), 1500);
	CHECK_EQ(CONFIG(&t, status), VIRTIO_NET_S_LINK_UP);
	CHECK_EQ(CONFIG(&t, max_virtqueue_pairs), 1);
	CHECK_EQ(CONFIG(&t, mac), 0x151515151502);
	CHECK_EQ(wire.offloads, NET_OFF_CSUM | NET_OFF_TSO4 | NET_OFF_TSO6);
	test_end(&t);
	test_new(&t, 4, ALL);
	CHECK(t.d.features & MQ);
	CHECK_EQ(CONFIG(&t, max_virtqueue_pairs), 4);
	test_end(&t);
}

TEST(frames_go_both_ways)
{
	struct test t;
	u8 frame[100];
	u32 len;

	test_new(&t, 1, ALL);
	/* 5.1.6.4.1: buffers that come after the frame. */
	wire_put(0, own_mac, 90, 7);
	buffer(&t, 0, 0, 2048);
	CHECK(driver_wait(&t.d, 0, NULL, &len));
	CHECK_EQ(len, 90);
	CHECK_EQ(mem_read(&t.m.vm.mem, IN, frame, 90), 0);
	CHECK_EQ(frame[10], 1);		/* num_buffers */
	CHECK_EQ(frame[89], 7);
	memset(frame, 9, sizeof(frame));
	CHECK_EQ(mem_write(&t.m.vm.mem, OUT, frame, sizeof(frame)), 0);
	ring_add(&t.d.ring[1], OUT, sizeof(frame), 0, 0);
	driver_kick(&t.d, 1);
	CHECK(driver_wait(&t.d, 1, NULL, NULL));
	CHECK_EQ(wire.pair[0].sent_len, sizeof(frame));
	CHECK_MEM(wire.pair[0].sent, frame, sizeof(frame));
	test_end(&t);
}

TEST(a_frame_takes_several_buffers)
{
	struct test t;
	u8 buffers;
	u32 len;

	test_new(&t, 1, ALL);
	wire_put(0, own_mac, 3000, 7);
	for (unsigned int i = 0; i < 4; i++)
		buffer(&t, 0, i, 1024);
	CHECK(driver_wait(&t.d, 0, NULL, &len));
	CHECK_EQ(len, 1024);
	CHECK(driver_wait(&t.d, 0, NULL, &len));
	CHECK_EQ(len, 1024);
	CHECK(driver_wait(&t.d, 0, NULL, &len));
	CHECK_EQ(len, 3000 - 2048);
	CHECK_EQ(mem_read(&t.m.vm.mem, IN + 10, &buffers, 1), 0);
	CHECK_EQ(buffers, 3);
	test_end(&t);
}

/* Whatever the driver has in all is too little for the longest frame that might come. */
TEST(a_small_ring_does_not_stall)
{
	struct test t;
	u32 len;

	test_new(&t, 1, ALL);
	wire.pair[0].most = NET_FRAME_MAX;
	for (unsigned int i = 0; i < 8; i++)
		buffer(&t, 0, i, 1024);
	wire_put(0, own_mac, 5000, 7);	/* it fits */
	CHECK(driver_wait(&t.d, 0, NULL, &len));
	for (unsigned int i = 0; i < 4; i++)
		CHECK(driver_wait(&t.d, 0, NULL, &len));
	CHECK_EQ(len, 5000 - 4096);
	/* Three are left, and the driver has five: it waits for more. */
	wire_put(0, own_mac, 5000, 7);
	CHECK(!driver_irq(&t.d, 0, 0));
	for (unsigned int i = 0; i < 5; i++)
		buffer(&t, 0, i, 1024);
	for (unsigned int i = 0; i < 5; i++)
		CHECK(driver_wait(&t.d, 0, NULL, &len));
	/* One that does not fit is lost, and the next one comes. */
	for (unsigned int i = 0; i < 5; i++)
		buffer(&t, 0, i, 1024);
	wire_put(0, own_mac, 9000, 7);
	wire_put(0, own_mac, 500, 7);
	CHECK(driver_wait(&t.d, 0, NULL, &len));
	CHECK_EQ(len, 500);
	CHECK_EQ(wire.pair[0].lost, -EMSGSIZE);
	test_end(&t);
}

TEST(one_buffer_has_to_do_without_merging)
{
	struct test t;
	u32 len;

	test_new(&t, 1, ALL & ~MRG);
	for (unsigned int i = 0; i < 4; i++)
		buffer(&t, 0, i, 1024);
	wire_put(0, own_mac, 2000, 7);
	wire_put(0, own_mac, 1000, 7);
	CHECK(driver_wait(&t.d, 0, NULL, &len));
	CHECK_EQ(len, 1000);
	CHECK_EQ(wire.pair[0].lost, -EMSGSIZE);
	test_end(&t);
}

/* Frames without a header, chains that are the wrong way round: dropped, and the queue goes on. */
TEST(evil_frames_end_nothing)
{
	struct test t;
	u32 len;

	test_new(&t, 1, ALL);
	for (u32 n = 1; n < 30; n++) {
		ring_add(&t.d.ring[1], OUT, n, 0, 0);
		driver_kick(&t.d, 1);
		CHECK(driver_wait(&t.d, 1, NULL, &len));
		CHECK_EQ(len, 0);
	}
	/* To be read, where it is to be written. */
	ring_add(&t.d.ring[1], 0, 0, IN, 100);
	driver_kick(&t.d, 1);
	CHECK(driver_wait(&t.d, 1, NULL, &len));
	/* And the other way round: no room is no frame, but the next buffer has it. */
	ring_add(&t.d.ring[0], OUT, 1000, 0, 0);
	driver_kick(&t.d, 0);
	buffer(&t, 0, 1, 5);
	buffer(&t, 0, 2, 2000);
	wire_put(0, own_mac, 100, 7);
	wire_taken(0);
	CHECK(!(driver_status(&t.d) & VIRTIO_CONFIG_S_NEEDS_RESET));
	test_end(&t);
}

TEST(a_full_wire_is_waited_for)
{
	struct test t;
	unsigned int pair = 0;

	test_new(&t, 1, ALL);
	wire.pair[0].full = true;
	ring_add(&t.d.ring[1], OUT, 100, 0, 0);
	ring_add(&t.d.ring[1], OUT, 101, 0, 0);
	driver_kick(&t.d, 1);
	/* The control queue is served by the same loop, after it. */
	CHECK_EQ(command_byte(&t, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1), VIRTIO_NET_OK);
	CHECK_EQ(wire.pair[0].nr_sent, 0);
	wire.pair[0].full = false;
	loop_call(wire.pair[0].loop, wire_writable, &pair);
	CHECK(driver_wait(&t.d, 1, NULL, NULL));
	CHECK(driver_wait(&t.d, 1, NULL, NULL));
	CHECK_EQ(wire.pair[0].nr_sent, 2);
	CHECK_EQ(wire.pair[0].sent_len, 101);
	test_end(&t);
}

TEST(filter_of_addresses)
{
	static const u8 other[NET_MAC] = { 2, 1, 2, 3, 4, 5 }, group[NET_MAC] = { 1, 0, 0x5e, 1, 2, 3 };
	u8 table[4 + 6 + 4 + 6] = { 1 };
	struct test t;

	test_new(&t, 1, ALL);
	CHECK(reaches(&t, own_mac));
	CHECK(!reaches(&t, other));
	CHECK(!reaches(&t, group));
	CHECK_EQ(command_byte(&t, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 1), VIRTIO_NET_OK);
	CHECK(reaches(&t, group));
	CHECK(!reaches(&t, other));
	CHECK_EQ(command_byte(&t, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 0), VIRTIO_NET_OK);
	CHECK_EQ(command_byte(&t, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1), VIRTIO_NET_OK);
	CHECK(reaches(&t, other));
	CHECK_EQ(command_byte(&t, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), VIRTIO_NET_OK);
	memcpy(table + 4, other, NET_MAC);
	table[10] = 1;
	memcpy(table + 14, group, NET_MAC);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof(table)), VIRTIO_NET_OK);
	CHECK(reaches(&t, other));
	CHECK(reaches(&t, group));
	/* A table that is cut off, and entries that are not there. */
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, 9), VIRTIO_NET_ERR);
	memset(table, 0xff, 4);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof(table)), VIRTIO_NET_ERR);
	CHECK_EQ(command_byte(&t, VIRTIO_NET_CTRL_RX, 6, 1), VIRTIO_NET_ERR);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_RX, 0, table, 0), VIRTIO_NET_ERR);
	CHECK_EQ(command_byte(&t, 77, 0, 1), VIRTIO_NET_ERR);
	test_end(&t);
}

/* 5.1.6.5.2: the address that the driver sets is in the configuration; a reset brings the old one back. */
TEST(the_driver_sets_the_address)
{
	static const u8 other[NET_MAC] = { 2, 1, 2, 3, 4, 5 }, group[NET_MAC] = { 1, 0, 0x5e, 1, 2, 3 };
	struct test t;

	test_new(&t, 1, ALL);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, group, NET_MAC), VIRTIO_NET_ERR);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, other, 5), VIRTIO_NET_ERR);
	CHECK_EQ(CONFIG(&t, mac), 0x151515151502);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, other, NET_MAC), VIRTIO_NET_OK);
	CHECK_EQ(CONFIG(&t, mac), 0x050403020102);
	CHECK(reaches(&t, other));
	CHECK(!reaches(&t, own_mac));
	driver_set_status(&t.d, 0);
	CHECK_EQ(CONFIG(&t, mac), 0x151515151502);
	test_end(&t);
}

TEST(filter_of_vlans)
{
	__le16 id = htole16(5), bad = htole16(4096);
	struct test t;

	test_new(&t, 1, ALL);
	CHECK(!reaches_vlan(&t, 5));
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &id, 2), VIRTIO_NET_OK);
	CHECK(reaches_vlan(&t, 5));
	CHECK(!reaches_vlan(&t, 6));
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, &id, 2), VIRTIO_NET_OK);
	CHECK(!reaches_vlan(&t, 5));
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &bad, 2), VIRTIO_NET_ERR);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_VLAN, 2, &id, 2), VIRTIO_NET_ERR);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &id, 1), VIRTIO_NET_ERR);
	test_end(&t);
}

TEST(offloads_are_switched)
{
	__le64 some = htole64(1ULL << VIRTIO_NET_F_GUEST_CSUM), bad = htole64(1ULL << VIRTIO_NET_F_GUEST_UFO);
	struct test t;

	test_new(&t, 1, ALL);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &some, 8), VIRTIO_NET_OK);
	CHECK_EQ(wire.offloads, NET_OFF_CSUM);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &bad, 8), VIRTIO_NET_ERR);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &some, 7), VIRTIO_NET_ERR);
	CHECK_EQ(wire.offloads, NET_OFF_CSUM);
	test_end(&t);
}

/* 5.1.6.5.4: a card that was plugged in again asks the driver to say where it is. */
TEST(link_and_announcement)
{
	struct test t;
	u32 len;

	test_new(&t, 2, ALL);
	buffer(&t, 0, 0, 2048);
	net_plug(&wire, false);
	CHECK_EQ(CONFIG(&t, status), 0);
	/* What is sent meanwhile is lost; what comes stays where it is. */
	ring_add(&t.d.ring[1], OUT, 100, 0, 0);
	driver_kick(&t.d, 1);
	CHECK(driver_wait(&t.d, 1, NULL, NULL));
	CHECK_EQ(wire.pair[0].nr_sent, 0);
	wire_put(0, own_mac, 60, 1);
	net_plug(&wire, true);
	CHECK_EQ(CONFIG(&t, status), VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	CHECK(driver_wait(&t.d, 0, NULL, &len));
	CHECK_EQ(len, 60);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, "", 0), VIRTIO_NET_OK);
	CHECK_EQ(CONFIG(&t, status), VIRTIO_NET_S_LINK_UP);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_ANNOUNCE, 1, "", 0), VIRTIO_NET_ERR);
	test_end(&t);
}

TEST(several_pairs)
{
	__le16 four = htole16(4), one = htole16(1), five = htole16(5), none = 0;
	struct test t;
	u32 len;

	test_new(&t, 4, ALL);
	for (unsigned int i = 0; i < 4; i++) {
		CHECK(wire.pair[i].loop);
		for (unsigned int j = 0; j < i; j++)
			CHECK(wire.pair[i].loop != wire.pair[j].loop);
		buffer(&t, i, 0, 2048);
	}
	/* 5.1.6.5.5: only the first until the driver says so. */
	CHECK_EQ(wire.active, 1);
	wire_put(2, own_mac, 70, 1);
	CHECK(!driver_irq(&t.d, 4, 0));
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &five, 2), VIRTIO_NET_ERR);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &none, 2), VIRTIO_NET_ERR);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MQ, 1, &four, 2), VIRTIO_NET_ERR);
	CHECK_EQ(wire.pair[2].nr, 1);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &four, 2), VIRTIO_NET_OK);
	CHECK_EQ(wire.active, 4);
	driver_kick(&t.d, 4);
	CHECK(driver_wait(&t.d, 4, NULL, &len));
	CHECK_EQ(len, 70);
	for (unsigned int i = 0; i < 4; i++) {
		ring_add(&t.d.ring[2 * i + 1], OUT, 100 + i, 0, 0);
		driver_kick(&t.d, 2 * i + 1);
		CHECK(driver_wait(&t.d, 2 * i + 1, NULL, NULL));
		CHECK_EQ(wire.pair[i].sent_len, 100 + i);
	}
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &one, 2), VIRTIO_NET_OK);
	CHECK_EQ(wire.active, 1);
	wire_put(3, own_mac, 70, 1);
	loop_call(wire.pair[3].loop, (void (*)(void *))wire_readable, &wire.pair[3].work);
	CHECK_EQ(wire.pair[3].nr, 1);
	test_end(&t);
}

/* 5.1.2: a driver that knows no pairs has its control queue behind the first. */
TEST(control_queue_of_a_simple_driver)
{
	__le16 four = htole16(4);
	struct test t;

	test_new(&t, 4, ALL & ~MQ);
	CHECK(!wire.pair[1].loop);
	CHECK_EQ(command_byte(&t, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1), VIRTIO_NET_OK);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &four, 2), VIRTIO_NET_ERR);
	CHECK(reaches(&t, own_mac));
	test_end(&t);
}

/* Resets while frames come, and the driver once more each time. */
TEST(reset_in_the_middle)
{
	struct test t;

	test_new(&t, 2, ALL);
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < 4; i++)
			buffer(&t, 0, i, 2048);
		wire_put(0, own_mac, 60, 1);
		ring_add(&t.d.ring[1], OUT, 100, 0, 0);
		driver_kick(&t.d, 1);
		driver_set_status(&t.d, 0);
		CHECK_EQ(wire.pair[0].attaches, round + 1);
		CHECK_EQ(wire.pair[0].detaches, round + 1);
		CHECK_EQ(wire.pair[1].detaches, round + 1);
		wire.pair[0].nr = 0;
		driver_features(&t.d, ALL);
		for (unsigned int q = 0; q < 5; q++)
			driver_queue(&t.d, q, NUM);
		driver_ok(&t.d);
	}
	CHECK(reaches(&t, own_mac));
	test_end(&t);
}

/* Saved, and loaded into a card that was made anew: what the driver has set holds. */
TEST(a_card_goes_on)
{
	static const u8 other[NET_MAC] = { 2, 1, 2, 3, 4, 5 }, group[NET_MAC] = { 1, 0, 0x5e, 1, 2, 3 };
	__le16 four = htole16(4);
	const void *data;
	struct state *s;
	struct test t;
	void *saved, *ram = malloc(64 * MIB);
	size_t len;

	test_new(&t, 4, ALL);
	CHECK_EQ(command_byte(&t, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 1), VIRTIO_NET_OK);
	CHECK_EQ(command(&t, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &four, 2), VIRTIO_NET_OK);
	pthread_mutex_lock(&t.m.vm.lock);
	CHECK_EQ(devices_hold(&t.m.vm), 0);
	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	CHECK_EQ(vm_state(&t.m.vm, s), 0);
	CHECK_EQ(state_written(s, &data, &len), 0);
	saved = malloc(len);
	memcpy(saved, data, len);
	state_free(s);
	CHECK_EQ(mem_read(&t.m.vm.mem, 0, ram, 64 * MIB), 0);
	pthread_mutex_unlock(&t.m.vm.lock);
	machine_free(&t.m);

	machine_pci(&t.m);
	t.d.dev = t.dev = machine_add(&t.m, "virtio-net", "net=test");
	CHECK_EQ(mem_write(&t.m.vm.mem, 0, ram, 64 * MIB), 0);
	CHECK_EQ(state_read(&s, saved, len), 0);
	CHECK_EQ(vm_state(&t.m.vm, s), 0);
	state_free(s);
	machine_run(&t.m);
	pthread_mutex_lock(&t.m.vm.lock);
	devices_release(&t.m.vm);
	pthread_mutex_unlock(&t.m.vm.lock);
	CHECK_EQ(wire.active, 4);
	CHECK(reaches(&t, group));
	CHECK(!reaches(&t, other));
	free(saved);
	free(ram);
	test_end(&t);
}
