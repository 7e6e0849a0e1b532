// SPDX-License-Identifier: GPL-2.0
/* Threads made by whoever wants one, and by the spawner. */
#include <errno.h>
#include <stdatomic.h>

#include <kvm/threads.h>
#include <kvm/types.h>

#include "tap.h"

static atomic_int begun[THREAD_KINDS];
static pthread_t spawner;

static void begin(void *obj, enum thread_kind kind)
{
	CHECK(obj == begun);
	if (kind == THREAD_SPAWNER)
		spawner = pthread_self();
	begun[kind]++;
}

static void *count(void *arg)
{
	atomic_int *n = arg;

	CHECK(!pthread_equal(pthread_self(), spawner));
	CHECK(begun[THREAD_DISK] > 0);
	(*n)++;
	return NULL;
}

static void start_some(struct threads *t, unsigned int n)
{
	atomic_int ran = 0;
	pthread_t thread[8];

	for (unsigned int i = 0; i < n; i++)
		CHECK_EQ(thread_start(t, THREAD_DISK, NULL, &thread[i], count, &ran), 0);
	for (unsigned int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(ran, n);
}

TEST(threads_begin_with_their_kind)
{
	struct threads *t;

	CHECK_EQ(threads_new(&t, begin, begun), 0);
	start_some(t, 3);
	CHECK_EQ(begun[THREAD_DISK], 3);
	CHECK_EQ(threads_seal(t), 0);
	start_some(t, 8);
	CHECK_EQ(begun[THREAD_DISK], 11);
	CHECK_EQ(begun[THREAD_SPAWNER], 1);
	threads_free(t);
}

static void *start_many(void *arg)
{
	for (int i = 0; i < 50; i++)
		start_some(arg, 2);
	return NULL;
}

TEST(several_ask_at_once)
{
	pthread_t asker[4];
	struct threads *t;

	CHECK_EQ(threads_new(&t, begin, begun), 0);
	CHECK_EQ(threads_seal(t), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&asker[i], NULL, start_many, t), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(asker[i], NULL);
	CHECK_EQ(begun[THREAD_DISK], 400);
	threads_free(t);
}

static void *nothing(void *arg)
{
	return arg;
}

TEST(without_a_machine_nothing_is_in_between)
{
	pthread_t thread;
	int x;
	void *ret;

	CHECK_EQ(thread_start(NULL, THREAD_NET, NULL, &thread, nothing, &x), 0);
	CHECK_EQ(pthread_join(thread, &ret), 0);
	CHECK(ret == &x);
}

/* What cannot be created is an error for who asked, and the spawner goes on. */
TEST(failure_comes_back)
{
	pthread_attr_t attr;
	pthread_t thread;
	struct threads *t;

	CHECK_EQ(threads_new(&t, NULL, NULL), 0);
	CHECK_EQ(threads_seal(t), 0);
	pthread_attr_init(&attr);
	CHECK(!pthread_attr_setstacksize(&attr, 1ULL << 50));
	CHECK(thread_start(t, THREAD_NET, &attr, &thread, nothing, NULL) < 0);
	CHECK_EQ(thread_start(t, THREAD_NET, NULL, &thread, nothing, NULL), 0);
	pthread_join(thread, NULL);
	threads_free(t);
}
