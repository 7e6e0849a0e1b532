// SPDX-License-Identifier: GPL-2.0
/*
 * The threads of a loop, and sections that may block.
 *
 * Taking over. A thread that enters a section that may block stores BUSY with
 * a sequence number in loop->state. It leaves the section by a compare-and-swap back to
 * IDLE. A standby thread looks at the word every few milliseconds while there is
 * work. If it finds the same section twice, it swaps BUSY for TAKEN. From then on it is
 * the loop's thread, and begins with the callback that the first thread has not
 * finished. The thread whose swap fails knows that it has lost the loop. So a loop has one thread at
 * any time, a short section costs two atomic operations, and a long one delays other
 * callbacks by two looks at most.
 */
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define LOOP_BLOCKED_MAX 128		/* threads that have lost the loop and not come back */
#define STANDBY_LOOK_NS	(4 * 1000 * 1000)
#define STANDBY_IDLE	250		/* looks without work until it sleeps */

enum { BLOCK_IDLE, BLOCK_BUSY, BLOCK_TAKEN, BLOCK_MASK = 3, BLOCK_SEQ = 4 };

/* loop->state as this thread set it when it entered its section. */
static __thread u64 loop_section;

static int loop_spawn(struct loop *l, void *(*fn)(void *))
{
	pthread_t thread;
	int ret;

	pthread_mutex_lock(&l->thread_lock);
	ret = thread_start(l->threads, l->kind, NULL, &thread, fn, l);
	if (!ret) {
		pthread_detach(thread);
		l->nr_threads++;
	}
	pthread_mutex_unlock(&l->thread_lock);
	return ret;
}

/* The last thing that a thread does with its loop. */
static void *loop_thread_end(struct loop *l)
{
	pthread_mutex_lock(&l->thread_lock);
	l->nr_threads--;
	pthread_cond_signal(&l->thread_gone);
	pthread_mutex_unlock(&l->thread_lock);
	return NULL;
}

static void *loop_thread(void *arg)
{
	struct loop *l = arg;

	prctl(PR_SET_NAME, l->name);
	loop_run(l);
	return loop_thread_end(l);
}

void loop_set_threads(struct loop *l, struct threads *threads, enum thread_kind kind)
{
	l->threads = threads;
	l->kind = kind;
}

int loop_thread_start(struct loop *l, const char *name)
{
	int ret;

	strncpy(l->name, name, sizeof(l->name) - 1);
	atomic_store(&l->running, true);
	ret = loop_spawn(l, loop_thread);
	if (ret)
		atomic_store(&l->running, false);
	return ret;
}

static void loop_futex_wait(_Atomic u32 *word, u32 val, u64 ns)
{
	struct timespec ts = { .tv_nsec = ns };

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, ns ? &ts : NULL, NULL, 0);
}

static void loop_standby_wake(struct loop *l)
{
	if (!atomic_exchange(&l->standby_awake, 1))
		syscall(SYS_futex, &l->standby_awake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void loop_thread_stop(struct loop *l)
{
	loop_stop(l);
	loop_standby_wake(l);
	pthread_mutex_lock(&l->thread_lock);
	while (l->nr_threads)
		pthread_cond_wait(&l->thread_gone, &l->thread_lock);
	pthread_mutex_unlock(&l->thread_lock);
	atomic_store(&l->stop, false);
	atomic_store(&l->running, false);
	atomic_store(&l->standby, false);
}

static void loop_standby_take(struct loop *l)
{
	struct watch *w = l->current;

	atomic_store(&l->standby, false);
	atomic_fetch_add(&l->state, BLOCK_SEQ - BLOCK_TAKEN);	/* a new number, IDLE */
	loop_self = l;
	l->batch_nr = 0;
	/* Level-triggered events come again; the one that was being served has been read. */
	if (w && !loop_callback(l, w, w->events))
		return;
	loop_run(l);
}

static void *loop_standby(void *arg)
{
	struct loop *l = arg;
	u64 state, last = 0;
	unsigned int idle = 0;

	prctl(PR_SET_NAME, l->name);
	while (atomic_load(&l->running) && !atomic_load(&l->stop)) {
		state = atomic_load(&l->state);
		if (state != last) {
			last = state;
			idle = 0;
		} else if ((state & BLOCK_MASK) == BLOCK_BUSY) {
			atomic_fetch_add(&l->blocked, 1);
			if (atomic_compare_exchange_strong(&l->state, &state,
							   (state & ~(u64)BLOCK_MASK) | BLOCK_TAKEN)) {
				loop_standby_take(l);
				return loop_thread_end(l);
			}
			atomic_fetch_sub(&l->blocked, 1);
		} else if (++idle == STANDBY_IDLE) {
			idle = 0;
			atomic_store(&l->standby_awake, 0);
			/*
			 * A thread that came just now did not see the 0 and
			 * does not wake us: it brought work, or the end, and the
			 * loop's thread may have cleared l->stop already.
			 */
			if (atomic_load(&l->state) == last && !atomic_load(&l->stop) &&
			    atomic_load(&l->running))
				loop_futex_wait(&l->standby_awake, 0, 0);
			atomic_store(&l->standby_awake, 1);
			continue;
		}
		loop_futex_wait(&l->standby_awake, 1, STANDBY_LOOK_NS);
	}
	return loop_thread_end(l);
}

bool loop_block_ready(struct loop *l)
{
	if (atomic_load(&l->standby))
		return true;
	if (atomic_load(&l->blocked) >= LOOP_BLOCKED_MAX)
		return false;
	atomic_store(&l->standby_awake, 1);
	atomic_store(&l->standby, true);
	if (!loop_spawn(l, loop_standby))
		return true;
	atomic_store(&l->standby, false);
	return !atomic_load(&l->blocked);	/* then go on alone */
}

void loop_block_begin(struct loop *l)
{
	/* The section may take longer than a round should. */
	loop_run_deferred(l);
	loop_section = atomic_fetch_add(&l->state, BLOCK_SEQ + BLOCK_BUSY) +
		BLOCK_SEQ + BLOCK_BUSY;
	loop_standby_wake(l);
}

bool loop_block_end(struct loop *l)
{
	u64 busy = loop_section;

	if (atomic_compare_exchange_strong(&l->state, &busy, busy - BLOCK_BUSY))
		return true;
	atomic_fetch_sub(&l->blocked, 1);
	loop_self = NULL;
	return false;
}
