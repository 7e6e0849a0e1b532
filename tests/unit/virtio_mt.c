// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio core with its threads, through PCI registers: status and features
 * as the specification orders them, requests, resets at any moment, and requests
 * that block in the host.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "driver.h"
#include "tap.h"

#define BUF	(8 * MIB)

static struct machine machine;
static struct driver driver;

/* A device whose requests begin with what is to be done with them. */
enum { ECHO, BLOCK, KEEP, FAIL, LATE, PILE, STUCK };

struct test_dev {
	struct virtio_dev vdev;
	int gate[2];			/* BLOCK waits for a byte here */
	int blocked;			/* eventfd: one is in there */
	pthread_mutex_t lock;		/* thread: not to be signalled once it may have ended */
	pthread_t thread;
	struct vq_req *kept;
	struct vq_req *pile[256];	/* of PILE, kept until piece() */
	unsigned int nr_pile;
	atomic_int starts, stops, delivered;
	int gone;			/* delivered() writes here, if it is not 0 */
};

static struct test_dev *test_dev(struct virtio_dev *vdev)
{
	return container_of(vdev, struct test_dev, vdev);
}

static void test_signal(int sig)
{
}

static int test_init(struct virtio_dev *vdev)
{
	struct test_dev *d = test_dev(vdev);
	struct sigaction sa = { .sa_handler = test_signal };

	sigaction(SIGRTMIN + 1, &sa, NULL);
	pthread_mutex_init(&d->lock, NULL);
	CHECK_EQ(pipe(d->gate), 0);
	d->blocked = eventfd(0, 0);
	return 0;
}

static void set_thread(struct test_dev *d, pthread_t thread)
{
	pthread_mutex_lock(&d->lock);
	d->thread = thread;
	pthread_mutex_unlock(&d->lock);
}

static int test_request(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	struct test_dev *d = test_dev(vdev);
	u64 one = 1;
	u8 what = 0xff, late[2];
	char c = 'E';

	copy_from_iter(&what, 1, &req->out);
	switch (what) {
	case BLOCK:
		set_thread(d, pthread_self());
		CHECK_EQ(write(d->blocked, &one, 8), 8);
		if (read(d->gate[0], &c, 1) < 0)
			c = 'I';
		set_thread(d, 0);
		copy_to_iter(&c, 1, &req->in);
		return 0;
	case STUCK:		/* as BLOCK, whatever interrupts it */
		CHECK_EQ(write(d->blocked, &one, 8), 8);
		while (read(d->gate[0], &c, 1) < 0)
			;
		copy_to_iter(&c, 1, &req->in);
		return 0;
	case LATE:		/* after some milliseconds, with a number */
		copy_from_iter(late, 2, &req->out);
		poll(NULL, 0, late[0]);
		copy_to_iter(&late[1], 1, &req->in);
		return 0;
	case KEEP:
		d->kept = req;
		return VIRTIO_PENDING;
	case PILE:
		d->pile[d->nr_pile++] = req;
		return VIRTIO_PENDING;
	case FAIL:
		return -EIO;
	default:
		copy_to_iter("echo", 4, &req->in);
		return 0;
	}
}

static void test_delivered(struct virtio_dev *vdev, struct vq_req *req)
{
	struct test_dev *d = test_dev(vdev);

	d->delivered++;
	if (d->gone)
		CHECK_EQ(write(d->gone, "", 1), 1);
}

static int test_start(struct virtio_dev *vdev)
{
	test_dev(vdev)->starts++;
	return 0;
}

static void test_stop(struct virtio_dev *vdev)
{
	struct test_dev *d = test_dev(vdev);

	d->stops++;
	if (d->kept)
		vq_done(d->kept->vq, d->kept);
	d->kept = NULL;
	pthread_mutex_lock(&d->lock);
	if (d->thread)
		pthread_kill(d->thread, SIGRTMIN + 1);
	pthread_mutex_unlock(&d->lock);
}

static const struct vq_ops test_queue = {
	.name = "test", .depth = 256, .blocking = true,
	.request = test_request, .delivered = test_delivered,
};

static const struct vq_ops *test_queues(const struct virtio_dev *vdev, unsigned int q)
{
	return &test_queue;
}

static const struct virtio_ops test_ops = {
	.id = 42, .queues = 2, .queue = test_queues, .features = 1ULL << 5, .config_size = 6,
	.init = test_init, .start = test_start, .stop = test_stop,
};

DEVICE_TYPE(test_type) = {
	.name = "virtio-test", .help = "for this test", .size = sizeof(struct test_dev),
	.init = virtio_init, .ops = &test_ops,
};

/* The same on five queues and three loops: queues 0, 3 and 4 share the first. */
static const struct vq_ops loops_queue = {
	.name = "test", .depth = 128, .request = test_request, .delivered = test_delivered,
};

static const struct vq_ops *loops_queues(const struct virtio_dev *vdev, unsigned int q)
{
	return &loops_queue;
}

static unsigned int loops_of(const struct virtio_dev *vdev, unsigned int q)
{
	return q == 4 ? 0 : q % vdev->nr_loops;
}

static int loops_init(struct virtio_dev *vdev)
{
	vdev->nr_vqs = 5;
	vdev->nr_loops = 3;
	return test_init(vdev);
}

static const struct virtio_ops loops_ops = {
	.id = 43, .queue = loops_queues, .loop_of = loops_of,
	.init = loops_init, .start = test_start, .stop = test_stop,
};

DEVICE_TYPE(loops_type) = {
	.name = "virtio-loops", .help = "for this test", .size = sizeof(struct test_dev),
	.init = virtio_init, .ops = &loops_ops,
};

/* A queue that is served by somebody else, and one that is not. */
struct lent_dev {
	struct virtio_dev vdev;
	struct vq_ring out;
	atomic_int stops, moves;
};

static int lent_start(struct virtio_dev *vdev, struct vq *vq)
{
	vq_export(vq, &container_of(vdev, struct lent_dev, vdev)->out);
	return 0;
}

static void lent_stop(struct virtio_dev *vdev, struct vq *vq)
{
	container_of(vdev, struct lent_dev, vdev)->stops++;
}

static void lent_moved(struct virtio_dev *vdev, struct vq *vq)
{
	container_of(vdev, struct lent_dev, vdev)->moves++;
}

static int lent_request(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	copy_to_iter("own", 3, &req->in);
	return 0;
}

static const struct vq_ops lent_queues[] = {
	{ .name = "lent", .depth = 64, .start = lent_start, .stop = lent_stop, .irq_moved = lent_moved },
	{ .name = "own", .depth = 64, .request = lent_request },
};

static const struct virtio_ops lent_ops = { .id = 44, .queues = 2, .vq = lent_queues };

DEVICE_TYPE(lent_type) = {
	.name = "virtio-lent", .help = "for this test", .size = sizeof(struct lent_dev),
	.init = virtio_init, .ops = &lent_ops,
};

static struct test_dev *setup_type(const char *type)
{
	struct virtio_dev *vdev;

	machine_pci(&machine);
	log_set_level(LOG_ERROR);
	vdev = machine_add(&machine, type, NULL);
	machine_run(&machine);
	driver_probe(&driver, &machine, vdev);
	return test_dev(vdev);
}

static struct test_dev *setup(void)
{
	return setup_type("virtio-test");
}

static void wait_event(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	u64 count;

	CHECK_EQ(poll(&pfd, 1, -1), 1);
	CHECK_EQ(read(fd, &count, 8), 8);
}

/* Queue @q: a request of kind @what, its answer at BUF + 0x100 * (1 + its head). */
static u16 ask(unsigned int q, u8 what)
{
	struct ring *r = &driver.ring[q];
	u64 at = BUF + 0x10000 * q + 0x100 * (r->next % r->num);
	u16 head;

	CHECK_EQ(mem_write(&machine.vm.mem, at, &what, 1), 0);
	head = ring_add(r, at, 1, at + 0x80, 16);
	driver_kick(&driver, q);
	return head;
}

static void check_answer(unsigned int q, const char *text)
{
	char buf[16] = "";
	u32 id, len;

	CHECK(driver_wait(&driver, q, &id, &len));
	CHECK_EQ(len, strlen(text));
	CHECK_EQ(mem_read(&machine.vm.mem, BUF + 0x10000 * q + 0x100 * id + 0x80, buf, len), 0);
	CHECK_STR(buf, text);
}

static void nothing(void *arg)
{
}

TEST(requests_on_both_queues)
{
	struct test_dev *d = setup();
	int i;

	driver_start(&driver, 8);
	CHECK_EQ(d->starts, 1);
	for (i = 0; i < 100; i++) {
		ask(i % 2, ECHO);
		check_answer(i % 2, "echo");
	}
	machine_free(&machine);
}

TEST(buffers_from_before_driver_ok_are_served)
{
	setup();
	driver_features(&driver, ~0ULL);
	driver_queue(&driver, 0, 8);
	driver_queue(&driver, 1, 8);
	ask(0, ECHO);
	driver_ok(&driver);
	check_answer(0, "echo");
	machine_free(&machine);
}

TEST(features_that_were_not_offered_are_refused)
{
	u64 common;

	setup();
	driver_features(&driver, 1ULL << 5);
	common = driver.common;
	driver_set_status(&driver, 0);
	driver_set_status(&driver, 3);
	driver_write(&driver, common + 8, 4, 0);	/* driver_feature_select */
	driver_write(&driver, common + 12, 4, 1 << 6);
	driver_write(&driver, common + 8, 4, 1);
	driver_write(&driver, common + 12, 4, 1);
	driver_set_status(&driver, 11);
	CHECK(!(driver_status(&driver) & VIRTIO_CONFIG_S_FEATURES_OK));
	/* Without VERSION_1: a driver from before the specification. */
	driver_set_status(&driver, 0);
	driver_set_status(&driver, 3);
	driver_set_status(&driver, 11);
	CHECK(!(driver_status(&driver) & VIRTIO_CONFIG_S_FEATURES_OK));
	/* And it does not start. */
	driver_set_status(&driver, 15);
	CHECK_EQ(test_dev(driver.dev)->starts, 0);
	machine_free(&machine);
}

TEST(registers_are_latched)
{
	u64 common;

	setup();
	driver_start(&driver, 8);
	common = driver.common;
	/* R7: a running queue does not move, grow or stop. */
	driver_write(&driver, common + 22, 2, 0);		/* queue_select */
	driver_write(&driver, common + 24, 2, 16);		/* queue_size */
	driver_write(&driver, common + 28, 2, 0);		/* queue_enable */
	driver_write(&driver, common + 32, 4, 16 * MIB);	/* queue_desc */
	driver_write(&driver, common + 40, 4, 17 * MIB);	/* queue_driver */
	driver_write(&driver, common + 48, 4, 18 * MIB);	/* queue_device */
	CHECK_EQ(driver_read(&driver, common + 24, 2), 8);
	CHECK_EQ(driver_read(&driver, common + 28, 2), 1);
	CHECK_EQ(driver_read(&driver, common + 32, 4), driver.ring[0].desc);
	ask(0, ECHO);
	check_answer(0, "echo");
	machine_free(&machine);
}

TEST(reset_and_start_again)
{
	struct test_dev *d = setup();
	int i;

	for (i = 1; i <= 20; i++) {
		driver_start(&driver, 8);
		ask(0, ECHO);
		check_answer(0, "echo");
		driver_set_status(&driver, 0);
		CHECK_EQ(driver_status(&driver), 0);
		CHECK_EQ(d->starts, i);
	}
	machine_free(&machine);
}

TEST(a_blocked_request_delays_nobody)
{
	struct test_dev *d = setup();
	int i;

	driver_start(&driver, 16);
	ask(0, BLOCK);
	wait_event(d->blocked);
	for (i = 0; i < 10; i++) {
		ask(i % 2, ECHO);
		check_answer(i % 2, "echo");
	}
	CHECK_EQ(write(d->gate[1], "g", 1), 1);
	check_answer(0, "g");
	CHECK_EQ(d->delivered, 11);
	machine_free(&machine);
}

TEST(several_blocked_requests)
{
	struct test_dev *d = setup();
	int i;

	driver_start(&driver, 16);
	for (i = 0; i < 5; i++) {
		ask(i % 2, BLOCK);
		wait_event(d->blocked);
	}
	ask(1, ECHO);
	check_answer(1, "echo");
	CHECK_EQ(write(d->gate[1], "ggggg", 5), 5);
	for (i = 0; i < 5; i++)
		check_answer(i % 2, "g");
	machine_free(&machine);
}

/* There is an end to the threads, but the last one does not block: a reset would wait for it. */
TEST(more_blocked_requests_than_threads)
{
	static const char gate[200] = { [0 ... 199] = 'g' };
	struct test_dev *d = setup();
	unsigned int i;
	u64 blocked;

	driver_start(&driver, 256);
	for (i = 0; i < sizeof(gate); i++) {
		ask(i % 2, BLOCK);
		loop_call(d->vdev.loop[0], nothing, NULL);
	}
	CHECK_EQ(read(d->blocked, &blocked, 8), 8);
	CHECK(blocked > 16 && blocked < sizeof(gate));
	CHECK_EQ(write(d->gate[1], gate, sizeof(gate)), (ssize_t)sizeof(gate));
	for (i = 0; i < sizeof(gate); i++)
		check_answer(i % 2, "g");
	ask(1, ECHO);
	check_answer(1, "echo");
	machine_free(&machine);
}

TEST(reset_interrupts_what_blocks)
{
	struct test_dev *d = setup();

	driver_start(&driver, 8);
	ask(0, BLOCK);
	wait_event(d->blocked);
	driver_set_status(&driver, 0);
	CHECK_EQ(driver_status(&driver), 0);
	CHECK(d->stops >= 1);
	CHECK_EQ(d->delivered, 1);
	driver_start(&driver, 8);
	ask(0, ECHO);
	check_answer(0, "echo");
	machine_free(&machine);
}

/* A host that is slow: the driver sees no status of 0 before its memory is its own. */
TEST(a_reset_waits_for_a_host_that_is_slow)
{
	struct test_dev *d = setup();

	driver_start(&driver, 8);
	ask(0, STUCK);
	wait_event(d->blocked);
	log_set_level(-1);
	driver_set_status(&driver, 0);
	CHECK(driver_status(&driver));
	driver_set_status(&driver, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	CHECK(!driver.dev->started);
	CHECK_EQ(d->delivered, 0);
	CHECK_EQ(write(d->gate[1], "g", 1), 1);
	while (driver_status(&driver))
		;
	CHECK_EQ(d->delivered, 1);
	CHECK_EQ(machine.vm.end, VM_RUNNING);
	driver_start(&driver, 8);
	ask(0, ECHO);
	check_answer(0, "echo");
	machine_free(&machine);
}

TEST(the_end_of_the_machine_interrupts_too)
{
	struct test_dev *d = setup();

	driver_start(&driver, 8);
	ask(0, BLOCK);
	wait_event(d->blocked);
	machine_free(&machine);
}

TEST(a_kept_request_is_given_back_by_stop)
{
	struct test_dev *d = setup();

	driver_start(&driver, 8);
	ask(0, KEEP);
	ask(0, ECHO);
	check_answer(0, "echo");
	driver_set_status(&driver, 0);
	CHECK(!d->kept);
	machine_free(&machine);
}

TEST(a_failed_request_is_completed)
{
	setup();
	driver_start(&driver, 8);
	ask(0, FAIL);
	check_answer(0, "");
	machine_free(&machine);
}

TEST(a_broken_driver_breaks_its_device_only)
{
	struct virtio_dev *rng;
	struct driver other;
	u32 len;

	machine_pci(&machine);
	log_set_level(LOG_ERROR);
	driver_probe(&driver, &machine, machine_add(&machine, "virtio-test", NULL));
	rng = machine_add(&machine, "virtio-rng", NULL);
	machine_run(&machine);
	driver_probe(&other, &machine, rng);
	other.rings = 32 * MIB;
	driver_start(&driver, 8);
	ring_offer(&driver.ring[0], 99);
	driver_kick(&driver, 0);
	CHECK(driver_wait_broken(&driver));
	/* Silence: its other queue too. */
	ask(1, ECHO);
	CHECK(!driver_irq(&driver, 1, 50));

	driver_start(&other, 8);
	ring_add(&other.ring[0], 0, 0, BUF, 64);
	driver_kick(&other, 0);
	CHECK(driver_wait(&other, 0, NULL, &len));
	CHECK_EQ(len, 64);

	driver_set_status(&driver, 0);
	driver_start(&driver, 8);
	ask(0, ECHO);
	check_answer(0, "echo");
	machine_free(&machine);
}

TEST(a_queue_in_no_memory_breaks_the_device)
{
	setup();
	driver_features(&driver, ~0ULL);
	driver_queue(&driver, 0, 8);
	driver_write(&driver, driver.common + 22, 2, 1);	/* queue_select */
	driver_write(&driver, driver.common + 36, 4, 0xffffffff);	/* queue_desc, high */
	driver_write(&driver, driver.common + 28, 2, 1);	/* queue_enable */
	driver_ok(&driver);
	CHECK(driver_wait_broken(&driver));
	driver_set_status(&driver, 0);
	driver_start(&driver, 8);
	ask(0, ECHO);
	check_answer(0, "echo");
	machine_free(&machine);
}

TEST(a_flood_of_requests_leaves_room_for_a_reset)
{
	int i;

	setup();
	driver_start(&driver, 16);
	for (i = 0; i < 5000; i++) {
		ask(0, ECHO);
		ring_take(&driver.ring[0], NULL, NULL);
		if (i % 8 == 7)
			while (driver.ring[0].used_idx != driver.ring[0].avail_idx)
				CHECK(driver_wait(&driver, 0, NULL, NULL));
	}
	driver_set_status(&driver, 0);
	CHECK_EQ(driver_status(&driver), 0);
	machine_free(&machine);
}

/*
 * A driver that does as Linux does, for each of two queues on a thread of its own:
 * it kicks only if the device wants to be, sleeps until it is interrupted, and has
 * several requests under way. Many of these take longer than the device's thread may,
 * so its loop changes hands all the time. No kick, interrupt, or request is lost, and
 * each answer is in its own place.
 */
#define LOAD_SLOTS	6
#define LOAD_REQUESTS	600

/* A fence that TSan knows. */
static atomic_uint load_fence;

struct load {
	unsigned int q;
	u32 seed, left, under_way;
	u32 late;			/* up to so many milliseconds less one, for half of the requests */
	u8 number[LOAD_SLOTS];
	bool busy[LOAD_SLOTS];
};

static u64 load_at(const struct load *l, unsigned int slot)
{
	return BUF + 0x10000 * l->q + 0x100 * slot;
}

static void load_ask(struct load *l, unsigned int slot)
{
	struct ring *r = &driver.ring[l->q];
	u64 at = load_at(l, slot), one = 1;
	u8 request[3] = { LATE, 0, ++l->number[slot] };
	u16 old = r->avail_idx;

	l->seed = l->seed * 1103515245 + 12345;
	if (l->seed >> 16 & 1)
		request[1] = (l->seed >> 17) % l->late;
	CHECK_EQ(mem_write(&machine.vm.mem, at, request, sizeof(request)), 0);
	ring_desc(r, 2 * slot, at, sizeof(request), VRING_DESC_F_NEXT, 2 * slot + 1);
	ring_desc(r, 2 * slot + 1, at + 0x80, 16, VRING_DESC_F_WRITE, 0);
	ring_offer(r, 2 * slot);
	l->busy[slot] = true;
	l->under_way++;
	l->left--;
	load_fence++;
	if (vring_need_event(ring_avail_event(r), r->avail_idx, old))
		CHECK_EQ(write(driver.dev->vq[l->q].kick_fd, &one, 8), 8);
}

static void load_answer(struct load *l, u32 id, u32 len)
{
	unsigned int slot = id / 2;
	u8 number;

	CHECK(id % 2 == 0 && slot < LOAD_SLOTS && l->busy[slot]);
	CHECK_EQ(len, 1);
	CHECK_EQ(mem_read(&machine.vm.mem, load_at(l, slot) + 0x80, &number, 1), 0);
	CHECK_EQ(number, l->number[slot]);
	l->busy[slot] = false;
	l->under_way--;
}

static void *load_run(void *arg)
{
	struct load *l = arg;
	struct ring *r = &driver.ring[l->q];
	unsigned int slot;
	u32 id, len;

	while (l->left || l->under_way) {
		for (slot = 0; slot < LOAD_SLOTS && l->left; slot++)
			if (!l->busy[slot])
				load_ask(l, slot);
		ring_set_used_event(r, r->used_idx);
		load_fence++;
		while (!ring_take(r, &id, &len))
			CHECK(driver_irq(&driver, l->q, -1));
		do {
			load_answer(l, id, len);
		} while (ring_take(r, &id, &len));
	}
	return NULL;
}

static void load_queues(unsigned int n, u32 requests, u32 late)
{
	struct load load[5];
	pthread_t thread[5];
	unsigned int q;

	for (q = 0; q < n; q++) {
		load[q] = (struct load) { .q = q, .seed = q + 1, .left = requests, .late = late };
		CHECK_EQ(pthread_create(&thread[q], NULL, load_run, &load[q]), 0);
	}
	for (q = 0; q < n; q++)
		pthread_join(thread[q], NULL);
}

TEST_TIMEOUT(nothing_is_lost_while_threads_change, 60)
{
	setup();
	driver_start(&driver, 16);
	load_queues(2, LOAD_REQUESTS, 14);
	machine_free(&machine);
}

/* Several loops */

TEST(a_queue_waits_for_those_of_its_own_loop_only)
{
	struct test_dev *d = setup_type("virtio-loops");
	int i;

	driver_start(&driver, 16);
	ask(0, BLOCK);
	wait_event(d->blocked);
	for (i = 0; i < 10; i++) {
		ask(1 + i % 2, ECHO);
		check_answer(1 + i % 2, "echo");
	}
	ask(3, ECHO);
	ask(4, ECHO);
	ask(1, ECHO);
	check_answer(1, "echo");
	CHECK(!ring_take(&driver.ring[3], NULL, NULL));
	CHECK(!ring_take(&driver.ring[4], NULL, NULL));
	CHECK_EQ(write(d->gate[1], "g", 1), 1);
	check_answer(0, "g");
	check_answer(3, "echo");
	check_answer(4, "echo");
	machine_free(&machine);
}

TEST(a_driver_uses_some_of_the_queues)
{
	struct test_dev *d = setup_type("virtio-loops");

	driver_features(&driver, ~0ULL);
	driver_queue(&driver, 2, 8);
	driver_ok(&driver);
	ask(2, ECHO);
	check_answer(2, "echo");
	CHECK_EQ(d->starts, 1);
	driver_set_status(&driver, 0);
	driver_start(&driver, 8);
	ask(1, ECHO);
	check_answer(1, "echo");
	machine_free(&machine);
}

TEST_TIMEOUT(several_loops_under_load, 60)
{
	setup_type("virtio-loops");
	driver_start(&driver, 16);
	load_queues(5, LOAD_REQUESTS, 2);
	machine_free(&machine);
}

static void *break_queue(void *arg)
{
	unsigned int q = (struct ring *)arg - driver.ring;
	u64 one = 1;

	ring_offer(arg, 99);
	CHECK_EQ(write(driver.dev->vq[q].kick_fd, &one, 8), 8);
	return NULL;
}

/* The device breaks once, whoever comes first, and a reset makes it whole. */
TEST(queues_that_break_at_the_same_time)
{
	pthread_t thread[3];
	int i, round;

	setup_type("virtio-loops");
	for (round = 0; round < 20; round++) {
		driver_start(&driver, 8);
		for (i = 0; i < 3; i++)
			CHECK_EQ(pthread_create(&thread[i], NULL, break_queue, &driver.ring[i]), 0);
		for (i = 0; i < 3; i++)
			pthread_join(thread[i], NULL);
		CHECK(driver_wait_broken(&driver));
		driver_set_status(&driver, 0);
		CHECK_EQ(driver_status(&driver), 0);
	}
	driver_start(&driver, 8);
	ask(0, ECHO);
	check_answer(0, "echo");
	machine_free(&machine);
}

/* What a round of the loop has completed is one interrupt, if the driver wants one for each. */
TEST(a_round_is_one_interrupt)
{
	struct test_dev *d = setup_type("virtio-loops");
	struct pollfd pfd = { .events = POLLIN };
	u64 count = 0;
	int i;

	driver_features(&driver, ~(1ULL << VIRTIO_RING_F_EVENT_IDX));
	driver_queue(&driver, 0, 16);
	driver_ok(&driver);
	loop_call(d->vdev.loop[0], nothing, NULL);
	for (i = 0; i < 5; i++)
		ring_add(&driver.ring[0], BUF, 1, BUF + 0x100, 16);
	driver_kick(&driver, 0);
	pfd.fd = irq_fd(d->vdev.vq[0].irq);
	CHECK_EQ(poll(&pfd, 1, -1), 1);
	for (i = 0; i < 5; i++)
		CHECK(ring_take(&driver.ring[0], NULL, NULL));
	loop_call(d->vdev.loop[0], nothing, NULL);
	CHECK_EQ(read(pfd.fd, &count, 8), 8);
	CHECK_EQ(count, 1);
	machine_free(&machine);
}

/* Another owner */

TEST(a_queue_may_be_served_by_somebody_else)
{
	struct lent_dev *d;
	u32 id, len;

	setup_type("virtio-lent");
	d = container_of(driver.dev, struct lent_dev, vdev);
	driver_start(&driver, 16);
	CHECK_EQ(d->out.num, 16);
	CHECK_EQ(d->out.desc, driver.ring[0].desc);
	CHECK_EQ(d->out.call_fd, irq_fd(d->vdev.vq[0].irq));
	/* Its doorbell is not heard here, that of the other queue is. */
	ring_add(&driver.ring[0], BUF, 1, BUF + 0x100, 16);
	driver_kick(&driver, 0);
	ring_add(&driver.ring[1], BUF, 1, BUF + 0x100, 16);
	driver_kick(&driver, 1);
	CHECK(driver_wait(&driver, 1, &id, &len));
	CHECK_EQ(len, 3);
	CHECK(!ring_take(&driver.ring[0], NULL, NULL));
	wait_event(d->out.kick_fd);
	/* The interrupt goes to another vector, then to none. */
	CHECK_EQ(d->moves, 0);
	driver_write(&driver, driver.common + 22, 2, 0);	/* queue_select */
	driver_write(&driver, driver.common + 26, 2, 2);	/* queue_msix_vector */
	CHECK_EQ(d->moves, 1);
	driver_write(&driver, driver.common + 26, 2, 2);
	CHECK_EQ(d->moves, 1);
	driver_write(&driver, driver.common + 26, 2, 0xffff);
	CHECK_EQ(d->moves, 2);
	driver_set_status(&driver, 0);
	CHECK_EQ(d->stops, 1);
	machine_free(&machine);
}

/* Its thread has memory of the device and of the machine, so both outlive the machine. */
TEST(a_request_that_never_comes_back)
{
	struct test_dev *d = setup();
	int gone[2], gate = d->gate[1];
	char c;

	log_set_level(-1);
	driver_start(&driver, 8);
	ask(0, STUCK);
	wait_event(d->blocked);
	/* Written by the thread at its end. */
	CHECK_EQ(pipe(gone), 0);
	d->gone = gone[1];
	vm_end(&machine.vm, VM_RESET, 0);
	machine_free(&machine);
	CHECK(machine.vm.abandoned);
	CHECK_EQ(write(gate, "g", 1), 1);
	CHECK_EQ(read(gone[0], &c, 1), 1);
}

/* Holds */

static void *hold_run(void *arg)
{
	int *ret = arg;

	pthread_mutex_lock(&machine.vm.lock);
	*ret = virtio_hold(driver.dev);
	pthread_mutex_unlock(&machine.vm.lock);
	return NULL;
}

TEST(a_hold_waits_and_interrupts_nothing)
{
	struct test_dev *d = setup();
	pthread_t thread;
	int ret = 1;

	driver_start(&driver, 16);
	ask(0, BLOCK);
	wait_event(d->blocked);
	CHECK_EQ(pthread_create(&thread, NULL, hold_run, &ret), 0);
	CHECK_EQ(write(d->gate[1], "g", 1), 1);
	pthread_join(thread, NULL);
	CHECK_EQ(ret, 0);
	/* It is published, though nobody waited for the end of a round. */
	CHECK(ring_take(&driver.ring[0], NULL, NULL));
	CHECK_EQ(d->stops, 0);
	ask(0, ECHO);
	ask(1, ECHO);
	loop_call(d->vdev.loop[0], nothing, NULL);
	loop_call(d->vdev.loop[0], nothing, NULL);
	CHECK(!ring_take(&driver.ring[0], NULL, NULL));
	pthread_mutex_lock(&machine.vm.lock);
	virtio_release(driver.dev);
	pthread_mutex_unlock(&machine.vm.lock);
	check_answer(0, "echo");
	check_answer(1, "echo");
	machine_free(&machine);
}

TEST(a_hold_gives_up_and_the_device_goes_on)
{
	struct test_dev *d = setup();
	pthread_t thread;
	int ret = 1;

	driver_start(&driver, 16);
	ask(0, BLOCK);
	wait_event(d->blocked);
	CHECK_EQ(pthread_create(&thread, NULL, hold_run, &ret), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(ret, -ETIMEDOUT);
	ask(1, ECHO);
	check_answer(1, "echo");
	CHECK_EQ(write(d->gate[1], "g", 1), 1);
	check_answer(0, "g");
	machine_free(&machine);
}

/* The last of the pile comes back; on the loop's thread. */
static void piece(void *arg)
{
	struct test_dev *d = arg;
	struct vq_req *req = d->pile[--d->nr_pile];

	vq_done(req->vq, req);
}

static void *pieces_run(void *arg)
{
	struct test_dev *d = arg;
	int i;

	/* Each in a round of its own. */
	for (i = 0; i < 200; i++) {
		loop_call(d->vdev.loop[0], piece, d);
		loop_call(d->vdev.loop[0], nothing, NULL);
	}
	return NULL;
}

static void pile_height(void *height)
{
	*(unsigned int *)height = test_dev(driver.dev)->nr_pile;
}

static struct test_dev *pile_up(void)
{
	struct test_dev *d = setup();
	unsigned int height;
	int i;

	driver_start(&driver, 256);
	for (i = 0; i < 100; i++) {
		ask(0, PILE);
		ask(1, PILE);
	}
	while (loop_call(d->vdev.loop[0], pile_height, &height), height < 200)
		;
	return d;
}

/* How many come back one after the other is no matter, but how long it takes. */
TEST(a_hold_waits_for_many_requests)
{
	struct test_dev *d = pile_up();
	pthread_t thread;
	int ret = 1;

	CHECK_EQ(pthread_create(&thread, NULL, pieces_run, d), 0);
	hold_run(&ret);
	CHECK_EQ(ret, 0);
	pthread_join(thread, NULL);
	machine_free(&machine);
}

TEST(a_reset_waits_for_many_requests)
{
	struct test_dev *d = pile_up();
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, pieces_run, d), 0);
	driver_set_status(&driver, 0);
	CHECK(!driver.dev->abandoned);
	CHECK_EQ(machine.vm.end, VM_RUNNING);
	pthread_join(thread, NULL);
	machine_free(&machine);
}

TEST_TIMEOUT(holds_under_load, 60)
{
	struct load load[5];
	pthread_t thread[5];
	unsigned int q;
	int i, ret;

	setup_type("virtio-loops");
	driver_start(&driver, 16);
	for (q = 0; q < 5; q++) {
		load[q] = (struct load) { .q = q, .seed = q + 1, .left = LOAD_REQUESTS / 2, .late = 2 };
		CHECK_EQ(pthread_create(&thread[q], NULL, load_run, &load[q]), 0);
	}
	for (i = 0; i < 50; i++) {
		hold_run(&ret);
		CHECK_EQ(ret, 0);
		for (q = 0; q < 5; q++)
			CHECK_EQ(driver.dev->vq[q].inflight, 0);
		pthread_mutex_lock(&machine.vm.lock);
		virtio_release(driver.dev);
		pthread_mutex_unlock(&machine.vm.lock);
	}
	for (q = 0; q < 5; q++)
		pthread_join(thread[q], NULL);
	machine_free(&machine);
}
