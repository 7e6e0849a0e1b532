// SPDX-License-Identifier: GPL-2.0
/*
 * The virtqueue's rules, each by name: what a good driver gets, and that a bad
 * one breaks its own device and nothing else. One thread, no transport.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "driver.h"
#include "tap.h"

#define NUM	8
#define RING	(1 * MIB)
#define BUF	(2 * MIB)
#define TABLE	(3 * MIB)

static struct machine machine;
static struct virtio_dev dev;
static struct vq vq;
static struct ring ring;
static struct irq irq;
static int config_irqs;

static void count_config_irq(struct virtio_dev *d)
{
	config_irqs++;
}

static int start(u64 features)
{
	int ret;

	machine_init(&machine);
	log_set_level(LOG_ERROR);
	strcpy(dev.dev.name, "test");
	pthread_mutex_init(&dev.config_lock, NULL);
	dev.config_irq = count_config_irq;
	CHECK_EQ(irq_msg_init(&irq, machine.vm.irqs, &machine.vm.undo, 0), 0);
	vq = (struct vq) {
		.dev = &dev, .size_max = 256, .size = NUM, .enabled = true, .irq = &irq,
		.loop = machine.vm.loop, .kick_fd = eventfd(0, EFD_NONBLOCK),
	};
	ring_init(&ring, &machine.vm.mem, RING, NUM);
	vq.desc_gpa = ring.desc;
	vq.avail_gpa = ring.avail;
	vq.used_gpa = ring.used;
	ret = vq_start(&vq, &machine.vm.mem, features);
	return ret;
}

static void stop(void)
{
	vq_stop(&vq);
	machine_free(&machine);
}

#define INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)

static bool interrupted(void)
{
	struct pollfd pfd = { .fd = irq_fd(&irq), .events = POLLIN };
	u64 count;

	return poll(&pfd, 1, 0) == 1 && read(pfd.fd, &count, 8) == 8;
}

/* The next request is refused and the device needs a reset. */
static void check_broken(void)
{
	u16 used = vq.used_idx;

	CHECK(!vq_next(&vq));
	CHECK(dev.broken);
	CHECK_EQ(config_irqs, 1);
	/* Silence: nothing more is taken, nothing is completed, one message. */
	CHECK(!vq_next(&vq));
	CHECK(!vq_pending(&vq));
	CHECK_EQ(vq.used_idx, used);
	CHECK_EQ(config_irqs, 1);
	stop();
}

TEST(chain_is_two_streams)
{
	struct vq_req *req;
	char text[16] = "";
	u32 id, len;

	CHECK_EQ(start(0), 0);
	CHECK_EQ(mem_write(&machine.vm.mem, BUF, "hello", 5), 0);
	CHECK_EQ(mem_write(&machine.vm.mem, BUF + 100, " world", 6), 0);
	ring_desc(&ring, 3, BUF, 5, VRING_DESC_F_NEXT, 5);
	ring_desc(&ring, 5, BUF + 100, 6, VRING_DESC_F_NEXT, 1);
	ring_desc(&ring, 1, BUF + 200, 3, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 0);
	ring_desc(&ring, 0, BUF + 300, 100, VRING_DESC_F_WRITE, 0);
	ring_offer(&ring, 3);
	req = vq_next(&vq);
	CHECK(req);
	CHECK_EQ(iov_iter_count(&req->out), 11);
	CHECK_EQ(iov_iter_count(&req->in), 103);
	CHECK_EQ(copy_from_iter(text, sizeof(text), &req->out), 11);
	CHECK_STR(text, "hello world");
	CHECK_EQ(copy_to_iter("abcdef", 6, &req->in), 6);
	vq_done(&vq, req);
	CHECK(!ring_take(&ring, &id, &len));	/* not yet published */
	vq_flush(&vq);
	CHECK(ring_take(&ring, &id, &len));
	CHECK_EQ(id, 3);
	CHECK_EQ(len, 6);			/* what was copied, not what there was room for */
	CHECK_EQ(mem_read(&machine.vm.mem, BUF + 300, text, 3), 0);
	CHECK_MEM(text, "def", 3);
	CHECK(!vq_next(&vq));
	stop();
}

TEST(empty_descriptors_are_legal)
{
	struct vq_req *req;

	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 0, ~0ULL, 0, VRING_DESC_F_NEXT, 1);
	ring_desc(&ring, 1, BUF, 4, VRING_DESC_F_WRITE, 0);
	ring_offer(&ring, 0);
	req = vq_next(&vq);
	CHECK(req);
	CHECK_EQ(iov_iter_count(&req->out), 0);
	CHECK_EQ(iov_iter_count(&req->in), 4);
	vq_done(&vq, req);
	stop();
}

TEST(indirect_chain)
{
	struct vq_req *req;
	u32 id;
	int i;

	CHECK_EQ(start(INDIRECT), 0);
	for (i = 0; i < NUM; i++)
		ring_desc_at(&machine.vm.mem, TABLE, i, BUF + i * 4096, 512,
			     (i < NUM - 1 ? VRING_DESC_F_NEXT : 0) |
			     (i > 2 ? VRING_DESC_F_WRITE : 0), i + 1);
	/* 2.7.5.3.2: the device ignores WRITE on the one that refers to the table. */
	ring_desc(&ring, 6, TABLE, NUM * 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0);
	ring_offer(&ring, 6);
	req = vq_next(&vq);
	CHECK(req);
	CHECK_EQ(iov_iter_count(&req->out), 3 * 512);
	CHECK_EQ(iov_iter_count(&req->in), 5 * 512);
	vq_done(&vq, req);
	vq_flush(&vq);
	CHECK(ring_take(&ring, &id, NULL));
	CHECK_EQ(id, 6);
	stop();
}

TEST(indirect_after_direct)
{
	struct vq_req *req;

	CHECK_EQ(start(INDIRECT), 0);
	ring_desc_at(&machine.vm.mem, TABLE, 0, BUF, 8, VRING_DESC_F_WRITE, 0);
	ring_desc(&ring, 0, BUF + 100, 4, VRING_DESC_F_NEXT, 1);
	ring_desc(&ring, 1, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&ring, 0);
	req = vq_next(&vq);
	CHECK(req);
	CHECK_EQ(iov_iter_count(&req->out), 4);
	CHECK_EQ(iov_iter_count(&req->in), 8);
	vq_done(&vq, req);
	stop();
}

/* Start again with @num descriptors. */
static void restart(u16 num, u64 features)
{
	vq_stop(&vq);
	vq.size_max = vq.size = num;
	ring_init(&ring, &machine.vm.mem, RING, num);
	vq.desc_gpa = ring.desc, vq.avail_gpa = ring.avail, vq.used_gpa = ring.used;
	CHECK_EQ(vq_start(&vq, &machine.vm.mem, features), 0);
}

/* A table of @n descriptors: the first says how many bytes, so that requests can be told apart. */
static void offer_table(u16 head, u16 n)
{
	u64 table = TABLE + head * 64 * KIB;
	int i;

	for (i = 0; i < n; i++)
		ring_desc_at(&machine.vm.mem, table, i, BUF, i ? 1 : 100 + head,
			     i < n - 1 ? VRING_DESC_F_NEXT : 0, i + 1);
	ring_desc(&ring, head, table, n * 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&ring, head);
}

static bool kicked(void)
{
	u64 count;

	return read(vq.kick_fd, &count, 8) == 8;
}

TEST(a_chain_may_be_as_long_as_the_queue)
{
	u16 num[] = { 8, 32, 1024 };
	struct vq_req *req;
	unsigned int i;

	CHECK_EQ(start(0), 0);
	for (i = 0; i < ARRAY_SIZE(num); i++) {
		restart(num[i], INDIRECT);
		offer_table(3, num[i]);
		req = vq_next(&vq);
		CHECK(req);
		CHECK_EQ(iov_iter_count(&req->out), 103 + num[i] - 1);
		vq_done(&vq, req);
	}
	stop();
}

/*
 * The segments of a few long requests have room, not those of 1024: that would be 16 MiB
 * for each queue. The driver does not notice but for the time that it takes.
 */
TEST(a_long_request_waits_until_another_is_done)
{
	struct vq_req *req[200];
	u32 id, done = 0;
	int n, i;

	CHECK_EQ(start(0), 0);
	restart(1024, INDIRECT);
	CHECK(vq.nr_long * vq.num * sizeof(struct iovec) <= MIB);
	for (i = 0; i < 200; i++)
		offer_table(i, 17);
	for (n = 0; (req[n] = vq_next(&vq)); n++)
		CHECK_EQ(iov_iter_count(&req[n]->out), 100 + n + 16);
	CHECK(n >= 16 && n < 200);
	CHECK(!dev.broken);
	CHECK(!kicked());
	/* As what is done is published, what waits is served. */
	for (i = 0; i < 200; i++) {
		vq_done(&vq, req[i]);
		vq_flush(&vq);
		CHECK(ring_take(&ring, &id, NULL));
		CHECK_EQ(id, i);
		done++;
		if (n == 200)
			continue;
		CHECK(kicked());
		req[n] = vq_next(&vq);
		CHECK(req[n]);
		CHECK_EQ(iov_iter_count(&req[n]->out), 100 + n + 16);
		n++;
		CHECK(!vq_next(&vq));
	}
	CHECK_EQ(done, 200);
	CHECK(!kicked());
	stop();
}

TEST(an_untaken_request_comes_again)
{
	struct vq_req *req, *second;
	u32 id;

	CHECK_EQ(start(INDIRECT), 0);
	ring_add(&ring, BUF, 16, 0, 0);
	ring_add(&ring, BUF, 32, 0, 0);
	req = vq_next(&vq);
	second = vq_next(&vq);
	CHECK_EQ(iov_iter_count(&second->out), 32);
	iov_iter_advance(&second->out, 10);
	vq_untake(&vq, second);
	CHECK(vq_pending(&vq));
	second = vq_next(&vq);
	CHECK_EQ(iov_iter_count(&second->out), 32);
	CHECK(!vq_next(&vq));
	vq_untake(&vq, second);
	vq_untake(&vq, req);
	req = vq_next(&vq);
	CHECK_EQ(iov_iter_count(&req->out), 16);
	vq_done(&vq, req);
	vq_done(&vq, vq_next(&vq));
	vq_flush(&vq);
	CHECK(ring_take(&ring, &id, NULL));
	CHECK(ring_take(&ring, &id, NULL));
	CHECK(!ring_take(&ring, &id, NULL));
	CHECK_EQ(vq.inflight, 0);
	stop();
}

/* Another owner gets what it needs to go on, and the descriptors of both sides. */
TEST(a_queue_is_handed_out)
{
	struct vq_ring out;

	CHECK_EQ(start(0), 0);
	vq_export(&vq, &out);
	CHECK_EQ(out.num, NUM);
	CHECK_EQ(out.avail_idx, 0);
	CHECK_EQ(out.desc, ring.desc);
	CHECK_EQ(out.avail, ring.avail);
	CHECK_EQ(out.used, ring.used);
	CHECK_EQ(out.kick_fd, vq.kick_fd);
	CHECK_EQ(out.call_fd, irq_fd(&irq));
	vq.irq = NULL;
	vq_export(&vq, &out);
	CHECK_EQ(out.call_fd, -1);
	stop();
}

TEST(indices_wrap)
{
	u32 id, i;

	CHECK_EQ(start(EVENT_IDX), 0);
	for (i = 0; i < 70000; i++) {
		struct vq_req *req;
		u16 head = ring_add(&ring, BUF, 16, 0, 0);

		ring_set_used_event(&ring, ring.used_idx);
		req = vq_next(&vq);
		CHECK(req);
		vq_done(&vq, req);
		vq_flush(&vq);
		CHECK(interrupted());
		CHECK(ring_take(&ring, &id, NULL));
		CHECK_EQ(id, head);
	}
	stop();
}

TEST(completion_out_of_order)
{
	struct vq_req *a, *b;
	u32 id;

	CHECK_EQ(start(0), 0);
	ring_add(&ring, BUF, 16, 0, 0);
	ring_add(&ring, BUF, 16, 0, 0);
	a = vq_next(&vq);
	b = vq_next(&vq);
	CHECK(a && b && a != b);
	vq_done(&vq, b);
	vq_done(&vq, a);
	vq_flush(&vq);
	CHECK(ring_take(&ring, &id, NULL));
	CHECK_EQ(id, 1);
	CHECK(ring_take(&ring, &id, NULL));
	CHECK_EQ(id, 0);
	stop();
}

static void one(void)
{
	struct vq_req *req;

	ring_add(&ring, BUF, 16, 0, 0);
	req = vq_next(&vq);
	CHECK(req);
	vq_done(&vq, req);
	vq_flush(&vq);
	CHECK(ring_take(&ring, NULL, NULL));
}

TEST(interrupt_unless_flag)
{
	CHECK_EQ(start(0), 0);
	one();
	CHECK(interrupted());
	ring_set_avail_flags(&ring, VRING_AVAIL_F_NO_INTERRUPT);
	one();
	CHECK(!interrupted());
	stop();
}

TEST(interrupt_by_event_index)
{
	CHECK_EQ(start(EVENT_IDX), 0);
	/* The flag means nothing with event indexes: 2.7.7.1. */
	ring_set_avail_flags(&ring, VRING_AVAIL_F_NO_INTERRUPT);
	ring_set_used_event(&ring, 2);
	one();
	one();
	CHECK(!interrupted());
	one();
	CHECK(interrupted());
	one();
	CHECK(!interrupted());
	stop();
}

TEST(one_interrupt_for_a_batch)
{
	struct vq_req *req;
	u64 count;
	int i;

	CHECK_EQ(start(0), 0);
	for (i = 0; i < 5; i++)
		ring_add(&ring, BUF, 16, 0, 0);
	while ((req = vq_next(&vq)))
		vq_done(&vq, req);
	vq_flush(&vq);
	vq_flush(&vq);
	CHECK_EQ(read(irq_fd(&irq), &count, 8), 8);
	CHECK_EQ(count, 1);
	stop();
}

TEST(kicks_are_off_while_serving)
{
	struct vq_req *req;

	CHECK_EQ(start(0), 0);
	CHECK(!vq_next(&vq));
	CHECK_EQ(ring_used_flags(&ring), 0);
	ring_add(&ring, BUF, 16, 0, 0);
	req = vq_next(&vq);
	CHECK_EQ(ring_used_flags(&ring), VRING_USED_F_NO_NOTIFY);
	vq_done(&vq, req);
	CHECK(!vq_next(&vq));
	CHECK_EQ(ring_used_flags(&ring), 0);
	stop();
}

TEST(kick_wanted_by_event_index)
{
	struct vq_req *req;

	CHECK_EQ(start(EVENT_IDX), 0);
	ring_add(&ring, BUF, 16, 0, 0);
	ring_add(&ring, BUF, 16, 0, 0);
	while ((req = vq_next(&vq)))
		vq_done(&vq, req);
	CHECK_EQ(ring_avail_event(&ring), 2);
	CHECK_EQ(ring_used_flags(&ring), 0);
	stop();
}

TEST(head_out_of_range)
{
	CHECK_EQ(start(0), 0);
	ring_offer(&ring, NUM);
	check_broken();
}

TEST(next_out_of_range)
{
	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 0, BUF, 4, VRING_DESC_F_NEXT, NUM);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(next_out_of_range_in_table)
{
	CHECK_EQ(start(INDIRECT), 0);
	/* In range of the queue, not of the table. */
	ring_desc_at(&machine.vm.mem, TABLE, 0, BUF, 8, VRING_DESC_F_NEXT, 2);
	ring_desc(&ring, 0, TABLE, 32, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(chain_that_is_a_circle)
{
	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 0, BUF, 4, VRING_DESC_F_NEXT, 1);
	ring_desc(&ring, 1, BUF, 4, VRING_DESC_F_NEXT, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(circle_of_empty_descriptors)
{
	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 0, BUF, 0, VRING_DESC_F_NEXT, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(readable_after_writable)
{
	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 0, BUF, 4, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	ring_desc(&ring, 1, BUF, 4, 0, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(buffer_outside_of_memory)
{
	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 0, MACHINE_RAM, 4, 0, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(buffer_over_the_end_of_memory)
{
	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 0, MACHINE_RAM - 3, 4, 0, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(buffer_that_wraps)
{
	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 0, ~0ULL - 1, 16, VRING_DESC_F_WRITE, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(chain_of_more_than_4_gib)
{
	int i;

	CHECK_EQ(start(INDIRECT), 0);
	/* Each buffer is the whole of memory: legal alone, the sum is not. */
	restart(256, 0);
	for (i = 0; i < 65; i++)
		ring_desc(&ring, i, 0, MACHINE_RAM, i < 64 ? VRING_DESC_F_NEXT : 0, i + 1);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(indirect_without_the_feature)
{
	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(indirect_with_next)
{
	CHECK_EQ(start(INDIRECT), 0);
	ring_desc(&ring, 0, TABLE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(indirect_within_indirect)
{
	CHECK_EQ(start(INDIRECT), 0);
	ring_desc_at(&machine.vm.mem, TABLE, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_desc(&ring, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(indirect_of_odd_length)
{
	CHECK_EQ(start(INDIRECT), 0);
	ring_desc(&ring, 0, TABLE, 24, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(indirect_of_no_length)
{
	CHECK_EQ(start(INDIRECT), 0);
	ring_desc(&ring, 0, TABLE, 0, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(indirect_longer_than_the_queue)
{
	CHECK_EQ(start(INDIRECT), 0);
	ring_desc(&ring, 0, TABLE, (NUM + 1) * 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(indirect_outside_of_memory)
{
	CHECK_EQ(start(INDIRECT), 0);
	ring_desc(&ring, 0, MACHINE_RAM - 8, 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&ring, 0);
	check_broken();
}

TEST(head_in_flight_twice)
{
	struct vq_req *req;

	CHECK_EQ(start(0), 0);
	ring_add(&ring, BUF, 16, 0, 0);
	req = vq_next(&vq);
	CHECK(req);
	ring_offer(&ring, 0);
	CHECK(!vq_next(&vq));
	CHECK(dev.broken);
	/* The first one may still be given back: it goes nowhere. */
	vq_done(&vq, req);
	CHECK_EQ(vq.inflight, 0);
	stop();
}

TEST(available_index_beyond_the_ring)
{
	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 0, BUF, 4, 0, 0);
	ring.avail_idx = NUM;
	ring_offer(&ring, 0);
	check_broken();
}

TEST(start_refuses_impossible_queues)
{
	const struct mem *mem = &machine.vm.mem;

	CHECK_EQ(start(0), 0);
	vq_stop(&vq);
	vq.size = 0;
	CHECK_EQ(vq_start(&vq, mem, 0), -EINVAL);
	vq.size = 7;
	CHECK_EQ(vq_start(&vq, mem, 0), -EINVAL);
	vq.size = 512;				/* more than size_max */
	CHECK_EQ(vq_start(&vq, mem, 0), -EINVAL);
	vq.size = NUM;
	vq.desc_gpa = RING + 8;
	CHECK_EQ(vq_start(&vq, mem, 0), -EINVAL);
	vq.desc_gpa = MACHINE_RAM - 16;		/* runs over the end */
	CHECK_EQ(vq_start(&vq, mem, 0), -EINVAL);
	vq.desc_gpa = RING;
	vq.avail_gpa = RING + 1;
	CHECK_EQ(vq_start(&vq, mem, 0), -EINVAL);
	vq.avail_gpa = ring.avail;
	vq.used_gpa = ring.used + 2;
	CHECK_EQ(vq_start(&vq, mem, 0), -EINVAL);
	vq.used_gpa = ~0ULL - 3;
	CHECK_EQ(vq_start(&vq, mem, 0), -EINVAL);
	vq.used_gpa = ring.used;
	CHECK_EQ(vq_start(&vq, mem, 0), 0);
	stop();
}

/* Other memory at the same place, or none. */
static void swap_memory(bool back)
{
	struct mem_region r = { .gpa = 0, .len = MACHINE_RAM, .use = MEM_RAM, .fd = -1 };
	static u8 was[4 * MIB];

	CHECK_EQ(mem_read(&machine.vm.mem, 0, was, sizeof(was)), 0);
	CHECK_EQ(mem_remove(&machine.vm.mem, &machine.vm.ram, 0), 0);
	if (back) {
		/* So that the old place is not the new one. */
		CHECK(mmap(NULL, MACHINE_RAM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
		CHECK_EQ(mem_insert(&machine.vm.mem, &machine.vm.ram, &r), 0);
		CHECK_EQ(mem_write(&machine.vm.mem, 0, was, sizeof(was)), 0);
	}
	mem_reclaim(&machine.vm.mem);
}

TEST(a_ring_and_requests_are_mapped_anew)
{
	struct vq_req *req;
	char text[8] = "";
	u32 id, len;

	CHECK_EQ(start(EVENT_IDX), 0);
	ring_desc(&ring, 2, BUF, 3, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 3);
	ring_desc(&ring, 3, BUF + 4096, 3, VRING_DESC_F_WRITE, 0);
	ring_offer(&ring, 2);
	req = vq_next(&vq);
	CHECK_EQ(copy_to_iter("abcd", 4, &req->in), 4);
	swap_memory(true);
	CHECK(!vq_map_again(&vq));
	CHECK_EQ(copy_to_iter("efgh", 4, &req->in), 2);
	vq_done(&vq, req);
	vq_flush(&vq);
	CHECK(ring_take(&ring, &id, &len));
	CHECK_EQ(id, 2);
	CHECK_EQ(len, 6);
	CHECK_EQ(mem_read(&machine.vm.mem, BUF, text, 3), 0);
	CHECK_EQ(mem_read(&machine.vm.mem, BUF + 4096, text + 3, 3), 0);
	CHECK_STR(text, "abcdef");
	ring_offer(&ring, 2);
	CHECK(vq_next(&vq));
	stop();
}

TEST(a_ring_whose_memory_is_gone)
{
	struct vq_req *req;

	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 2, MACHINE_HIGH, 8, VRING_DESC_F_WRITE, 0);
	ring_offer(&ring, 2);
	req = vq_next(&vq);
	CHECK(req);
	swap_memory(false);
	CHECK(vq_map_again(&vq));
	virtio_break(&dev, "test");
	CHECK_EQ(copy_to_iter("abcd", 4, &req->in), 0);
	vq_done(&vq, req);
	vq_flush(&vq);
	CHECK(!vq_next(&vq));
	stop();
}

/* The driver has made the chain shorter while the device has it. */
TEST(a_request_that_has_changed_meanwhile)
{
	struct vq_req *req;

	CHECK_EQ(start(0), 0);
	ring_desc(&ring, 2, BUF, 8, VRING_DESC_F_WRITE, 0);
	ring_offer(&ring, 2);
	req = vq_next(&vq);
	CHECK_EQ(copy_to_iter("abcd", 4, &req->in), 4);
	ring_desc(&ring, 2, BUF, 2, VRING_DESC_F_WRITE, 0);
	CHECK(vq_map_again(&vq));
	CHECK_EQ(copy_to_iter("efgh", 4, &req->in), 0);
	stop();
}
