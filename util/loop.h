/* SPDX-License-Identifier: GPL-2.0 */
/* Between util/loop.c, which runs a loop, and util/loop_threads.c, which has its threads. */
#ifndef UTIL_LOOP_H
#define UTIL_LOOP_H

#include <stdatomic.h>

#include <kvm/loop.h>

#define LOOP_BATCH	32
#define LOOP_ALWAYS_MAX	16

struct loop {
	int epfd, wakefd;
	pthread_mutex_t *lock;
	struct rb_root timers;

	/* The batch in progress, so that loop_del() can take a watch out of it. */
	struct epoll_event batch[LOOP_BATCH];
	int batch_pos, batch_nr;
	struct watch *current;
	/* Descriptors that epoll refuses because they are always ready. */
	struct watch *always[LOOP_ALWAYS_MAX];
	int nr_always;			/* with events wanted */

	struct list_head deferred;

	pthread_mutex_t post_lock;
	struct list_head posted;

	atomic_bool stop;
	atomic_bool running;

	/* Its threads: loop_threads.c. */
	struct threads *threads;
	enum thread_kind kind;
	char name[16];
	pthread_mutex_t thread_lock;
	pthread_cond_t thread_gone;
	unsigned int nr_threads;	/* under thread_lock */
	_Atomic u64 state;		/* sequence number and BLOCK_* */
	atomic_bool standby;		/* there is one */
	_Atomic u32 standby_awake;	/* futex */
	atomic_uint blocked;		/* threads; nr_threads has those too that are about to end */
};

/* The loop that this thread runs; NULL once another thread has taken it. */
extern __thread struct loop *loop_self;

/* Call w->fn, as the watch of this moment. False: another thread has taken the loop over. */
bool loop_callback(struct loop *l, struct watch *w, u32 events);
/* The end of a round. */
void loop_run_deferred(struct loop *l);

#endif
