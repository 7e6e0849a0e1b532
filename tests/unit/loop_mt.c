// SPDX-License-Identifier: GPL-2.0
/* The event loop: descriptors, timers, work between threads, and being taken over. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <kvm/loop.h>

#include "tap.h"

static struct loop *loop;
static atomic_int calls;

static void kick(int fd)
{
	u64 one = 1;

	CHECK_EQ(write(fd, &one, 8), 8);
}

static void stop_on_read(struct watch *w, u32 events)
{
	u64 count;

	CHECK(events & EPOLLIN);
	CHECK_EQ(read(w->fd, &count, 8), 8);
	calls++;
	loop_stop(loop);
}

TEST(descriptor_calls_back)
{
	struct watch w = { .fd = eventfd(0, EFD_NONBLOCK), .fn = stop_on_read };

	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(loop_add(loop, &w, EPOLLIN), 0);
	kick(w.fd);
	loop_run(loop);
	CHECK_EQ(calls, 1);
	loop_del(loop, &w);
	close(w.fd);
	loop_free(loop);
}

static struct watch pair[2];

static void delete_other(struct watch *w, u32 events)
{
	calls++;
	loop_del(loop, &pair[0]);
	loop_del(loop, &pair[1]);
	loop_stop(loop);
}

TEST(deleted_watch_is_not_called_though_due)
{
	int i;

	CHECK_EQ(loop_new(&loop, NULL), 0);
	for (i = 0; i < 2; i++) {
		pair[i] = (struct watch) { .fd = eventfd(1, EFD_NONBLOCK), .fn = delete_other };
		CHECK_EQ(loop_add(loop, &pair[i], EPOLLIN), 0);
	}
	loop_run(loop);
	CHECK_EQ(calls, 1);
	for (i = 0; i < 2; i++)
		close(pair[i].fd);
	loop_free(loop);
}

static void count_and_silence(struct watch *w, u32 events)
{
	calls++;
	CHECK_EQ(loop_mod(loop, w, 0), 0);
}

static void stop_timer(struct timer *t)
{
	loop_stop(loop);
}

TEST(silent_watch_does_not_spin_on_hangup)
{
	struct watch w = { .fn = count_and_silence };
	struct timer t = { .fn = stop_timer };
	int fd[2];

	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(pipe(fd), 0);
	close(fd[1]);
	w.fd = fd[0];
	CHECK_EQ(loop_add(loop, &w, EPOLLIN), 0);
	loop_timer(loop, &t, loop_now() + 20 * 1000 * 1000);
	loop_run(loop);
	CHECK_EQ(calls, 1);
	CHECK_EQ(loop_mod(loop, &w, EPOLLIN), 0);
	loop_timer(loop, &t, loop_now() + 20 * 1000 * 1000);
	loop_run(loop);
	CHECK_EQ(calls, 2);
	loop_del(loop, &w);
	close(fd[0]);
	loop_free(loop);
}

static void regular_ready(struct watch *w, u32 events)
{
	if (++calls == 3)
		loop_del(loop, w);
	if (calls == 3)
		loop_stop(loop);
}

TEST(regular_file_is_always_ready)
{
	struct watch w = { .fd = open("/dev/null", O_RDONLY), .fn = regular_ready };

	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(loop_add(loop, &w, EPOLLIN), 0);
	loop_run(loop);
	CHECK_EQ(calls, 3);
	close(w.fd);
	loop_free(loop);
}

static int order[4], nr_order;
static struct timer timers[4];

static void timer_in_order(struct timer *t)
{
	order[nr_order++] = t - timers;
	if (t == &timers[3])
		loop_stop(loop);
}

TEST(timers_in_order_and_cancelled)
{
	u64 now = loop_now();
	int i;

	CHECK_EQ(loop_new(&loop, NULL), 0);
	for (i = 0; i < 4; i++)
		timers[i].fn = timer_in_order;
	loop_timer(loop, &timers[3], now + 9000000);
	loop_timer(loop, &timers[1], now + 2000000);
	loop_timer(loop, &timers[0], now + 1000000);
	loop_timer(loop, &timers[2], now + 3000000);
	loop_timer_cancel(loop, &timers[1]);
	loop_timer(loop, &timers[0], now + 5000000);	/* later than first said */
	loop_run(loop);
	CHECK_EQ(nr_order, 3);
	CHECK_EQ(order[0], 2);
	CHECK_EQ(order[1], 0);
	CHECK_EQ(order[2], 3);
	CHECK(loop_now() >= now + 9000000);
	loop_free(loop);
}

static void add_one(void *arg)
{
	calls++;
}

static struct work posted[100];

static void posted_fn(struct work *w)
{
	calls++;
	if (w == &posted[99])
		loop_stop(loop);
}

static void *post_all(void *arg)
{
	int i;

	for (i = 0; i < 100; i++) {
		posted[i].fn = posted_fn;
		loop_post(loop, &posted[i]);
	}
	return NULL;
}

TEST(posted_work_runs_here)
{
	pthread_t thread;

	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(pthread_create(&thread, NULL, post_all, NULL), 0);
	loop_run(loop);
	pthread_join(thread, NULL);
	CHECK_EQ(calls, 100);
	loop_free(loop);
}

TEST(call_returns_when_done)
{
	int i;

	CHECK_EQ(loop_new(&loop, NULL), 0);
	loop_call(loop, add_one, NULL);			/* nobody runs it: here */
	CHECK_EQ(calls, 1);
	CHECK_EQ(loop_thread_start(loop, "test"), 0);
	for (i = 0; i < 100; i++) {
		loop_call(loop, add_one, NULL);
		CHECK_EQ(calls, i + 2);
	}
	loop_thread_stop(loop);
	/* And again: a device is reset and started many times. */
	CHECK_EQ(loop_thread_start(loop, "test"), 0);
	loop_call(loop, add_one, NULL);
	loop_thread_stop(loop);
	CHECK_EQ(calls, 102);
	loop_free(loop);
}

/* Work for the end of the round. */

static struct work at_end, at_end_too;
static char trail[16];

static void note(char c)
{
	trail[strlen(trail)] = c;
}

static void defer_more(struct work *w)
{
	note('d');
	loop_defer(loop, &at_end_too);
}

static void defer_last(struct work *w)
{
	note('e');
}

static void defer_and_note(struct watch *w, u32 events)
{
	u64 count;

	CHECK_EQ(read(w->fd, &count, 8), 8);
	note('w');
	loop_defer(loop, &at_end);
	loop_defer(loop, &at_end);
	loop_stop(loop);
}

TEST(deferred_work_ends_the_round)
{
	struct watch w[3];
	int i;

	at_end.fn = defer_more;
	at_end_too.fn = defer_last;
	CHECK_EQ(loop_new(&loop, NULL), 0);
	for (i = 0; i < 3; i++) {
		w[i] = (struct watch) { .fd = eventfd(1, EFD_NONBLOCK), .fn = defer_and_note };
		CHECK_EQ(loop_add(loop, &w[i], EPOLLIN), 0);
	}
	/* Once for the three, also in the last round. */
	loop_run(loop);
	CHECK_STR(trail, "wwwde");
	kick(w[0].fd);
	loop_run(loop);
	CHECK_STR(trail, "wwwdewde");
	loop_free(loop);
}

/* Taking over: a callback blocks on a pipe; the loop goes on without it. */

static int block_fd[2];
static atomic_int late, deposed, reentered;
static struct work late_work;
static int late_event;

static void late_fn(struct work *w)
{
	late++;
	kick(late_event);
}

static void block_cb(struct watch *w, u32 events)
{
	u64 count;
	char c;

	if (read(w->fd, &count, 8) < 0) {
		/* The new thread starts with what was not finished. */
		reentered++;
		return;
	}
	CHECK(loop_block_ready(loop));
	loop_block_begin(loop);
	CHECK_EQ(read(block_fd[0], &c, 1), 1);
	if (loop_block_end(loop))
		return;
	deposed++;
	late_work.fn = late_fn;
	loop_post(loop, &late_work);
}

static void wait_event(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	u64 count;

	CHECK_EQ(poll(&pfd, 1, -1), 1);
	CHECK_EQ(read(fd, &count, 8), 8);
}

TEST(blocked_callback_is_taken_over)
{
	struct watch w = { .fd = eventfd(0, EFD_NONBLOCK), .fn = block_cb };
	int round;

	late_event = eventfd(0, 0);
	CHECK_EQ(pipe(block_fd), 0);
	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(loop_add(loop, &w, EPOLLIN), 0);
	CHECK_EQ(loop_thread_start(loop, "test"), 0);
	for (round = 1; round <= 3; round++) {
		kick(w.fd);
		/* Served though the loop's first thread sits in read(). */
		while (reentered < round)
			loop_call(loop, add_one, NULL);
		CHECK_EQ(late, round - 1);
		CHECK_EQ(write(block_fd[1], "x", 1), 1);
		wait_event(late_event);
		CHECK_EQ(deposed, round);
		CHECK_EQ(late, round);
	}
	loop_thread_stop(loop);
	loop_free(loop);
}

static void short_cb(struct watch *w, u32 events)
{
	u64 count;

	if (read(w->fd, &count, 8) < 0)
		return;
	CHECK(loop_block_ready(loop));
	loop_block_begin(loop);
	CHECK(loop_block_end(loop));
	calls++;
	kick(late_event);
}

static void defer_and_block(struct watch *w, u32 events)
{
	loop_defer(loop, &at_end);
	block_cb(w, events);
}

/* What is deferred does not wait for what blocks, nor gets lost with the thread. */
TEST(deferred_work_comes_before_what_blocks)
{
	struct watch w = { .fd = eventfd(0, EFD_NONBLOCK), .fn = defer_and_block };

	late_event = eventfd(0, 0);
	at_end.fn = late_fn;
	CHECK_EQ(pipe(block_fd), 0);
	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(loop_add(loop, &w, EPOLLIN), 0);
	CHECK_EQ(loop_thread_start(loop, "test"), 0);
	kick(w.fd);
	wait_event(late_event);
	/* The thread that takes the loop over defers it again. */
	wait_event(late_event);
	CHECK_EQ(reentered, 1);
	CHECK_EQ(write(block_fd[1], "x", 1), 1);
	loop_thread_stop(loop);
	loop_free(loop);
}

TEST(short_sections_keep_their_thread)
{
	struct watch w = { .fd = eventfd(0, EFD_NONBLOCK), .fn = short_cb };
	int i;

	late_event = eventfd(0, 0);
	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(loop_add(loop, &w, EPOLLIN), 0);
	CHECK_EQ(loop_thread_start(loop, "test"), 0);
	for (i = 0; i < 2000; i++) {
		kick(w.fd);
		wait_event(late_event);
	}
	CHECK_EQ(calls, 2000);
	loop_thread_stop(loop);
	loop_free(loop);
}

TEST(stop_waits_for_blocked_threads)
{
	struct watch w = { .fd = eventfd(0, EFD_NONBLOCK), .fn = block_cb };

	late_event = eventfd(0, 0);
	CHECK_EQ(pipe(block_fd), 0);
	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(loop_add(loop, &w, EPOLLIN), 0);
	CHECK_EQ(loop_thread_start(loop, "test"), 0);
	kick(w.fd);
	while (!reentered)
		loop_call(loop, add_one, NULL);
	CHECK_EQ(write(block_fd[1], "x", 1), 1);
	loop_thread_stop(loop);
	CHECK_EQ(deposed, 1);
	loop_free(loop);
}
