// SPDX-License-Identifier: GPL-2.0
/* Deadlines. */
#include <errno.h>

#include <kvm/wait.h>

#include "tap.h"

static u64 ns(struct timespec ts)
{
	return ts.tv_sec * WAIT_S(1) + ts.tv_nsec;
}

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ns(ts);
}

TEST(a_deadline_is_a_time)
{
	static const u64 waits[] = { 0, 1, WAIT_MS(999), WAIT_S(1) - 1, WAIT_S(1), WAIT_S(5) + 999999999 };
	unsigned int i;

	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		u64 before = now();
		struct timespec end = wait_deadline(waits[i]);

		CHECK(end.tv_nsec >= 0 && end.tv_nsec < 1000000000);
		CHECK(ns(end) >= before + waits[i]);
		CHECK(ns(end) <= now() + waits[i]);
	}
}

TEST(a_wait_ends_when_its_time_is_over)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct timespec end = wait_deadline(WAIT_MS(1));
	pthread_cond_t cond;
	int ret;

	wait_init(&cond);
	pthread_mutex_lock(&lock);
	while (!(ret = wait_until(&cond, &lock, &end)))
		;
	pthread_mutex_unlock(&lock);
	CHECK_EQ(ret, -ETIMEDOUT);
	CHECK(now() >= ns(end));
	pthread_cond_destroy(&cond);
}
