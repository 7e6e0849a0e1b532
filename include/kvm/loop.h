/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An event loop: file descriptors, timers and work from other threads, all
 * called on the one thread that runs the loop. Watches, timers and work items
 * are embedded in their owners; nothing is allocated after loop_new().
 *
 * Unless it says otherwise a function may only be called on the loop's own
 * thread, or before any thread runs the loop.
 */
#ifndef KVM_LOOP_H
#define KVM_LOOP_H

#include <pthread.h>
#include <sys/epoll.h>

#include <linux/list.h>
#include <linux/rbtree.h>
#include <kvm/threads.h>
#include <kvm/types.h>

struct loop;

/* 0 or -errno. @lock, if not NULL, is held around every callback. */
int loop_new(struct loop **out, pthread_mutex_t *lock);
void loop_free(struct loop *l);		/* no thread runs it any more */

/* Run callbacks on this thread until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);		/* any thread, also from a callback */

/* Threads of @l have @kind, and @threads starts them (NULL, the default: pthread_create()). */
void loop_set_threads(struct loop *l, struct threads *threads, enum thread_kind kind);

/* Run the loop on a thread of its own, named @name (15 bytes show). */
int loop_thread_start(struct loop *l, const char *name);
/* Stop it and wait until it has ended. Not from the loop's own thread. */
void loop_thread_stop(struct loop *l);

struct watch {
	int fd;			/* not owned */
	u32 events;		/* EPOLLIN, EPOLLOUT, EPOLLET...: set by loop_add() */
	void (*fn)(struct watch *w, u32 events);
	/* private */
	u32 slot;
};

/*
 * Call w->fn when w->fd has one of @events (EPOLLERR and EPOLLHUP always).
 * A file that epoll cannot wait for (a regular file) counts as always ready.
 * 0 or -errno. loop_mod() changes the events; 0 keeps the watch and is silent.
 * After loop_del() the callback is not called again, even if it was due.
 */
int loop_add(struct loop *l, struct watch *w, u32 events);
int loop_mod(struct loop *l, struct watch *w, u32 events);
void loop_del(struct loop *l, struct watch *w);

struct timer {
	struct rb_node node;
	u64 due;		/* CLOCK_MONOTONIC, ns; 0: not armed */
	void (*fn)(struct timer *t);
};

/* Monotonic now in ns. Any thread. */
u64 loop_now(void);
/* (Re-)arm @t for the absolute time @due in ns; once. */
void loop_timer(struct loop *l, struct timer *t, u64 due);
void loop_timer_cancel(struct loop *l, struct timer *t);

/* One item is for loop_post() or for loop_defer(), not for both. Zeroed at first, but for @fn. */
struct work {
	struct list_head node;
	bool deferred;
	void (*fn)(struct work *w);
};

/* Have w->fn called soon on the loop's thread, once if it is queued already. Any thread. */
void loop_post(struct loop *l, struct work *w);
/* Take @w out of the queue: w->fn is not called any more. */
void loop_unpost(struct loop *l, struct work *w);

/*
 * Have w->fn called once, after the callbacks of this round: before the loop waits
 * again, and before a section that may block. For work that serves many callbacks at
 * once: one system call, one interrupt. Nothing happens if @w is deferred already. w->fn
 * may not block; it may defer other work, which is called in the same round.
 */
void loop_defer(struct loop *l, struct work *w);
/* Take @w off: w->fn is not called any more. */
void loop_undefer(struct loop *l, struct work *w);

/* Call fn(arg) on the loop's thread and return when it has returned. Any thread. */
void loop_call(struct loop *l, void (*fn)(void *arg), void *arg);

/*
 * A callback marks a section that may block for long (file work on a dead network
 * mount). If the section lasts more than some milliseconds, another thread takes the
 * loop over and serves everything else. loop_block_end() is false then: the caller may
 * touch nothing that belongs to the loop, hands its result in by loop_post(), and
 * returns; its thread ends.
 * Before a section, loop_block_ready() tells whether another thread is left for that.
 * If it is false, too many are blocked, and the caller must not begin the section. There
 * is room again when one of them has handed its result in.
 * Only on loops started by loop_thread_start().
 */
bool loop_block_ready(struct loop *l);
void loop_block_begin(struct loop *l);
bool loop_block_end(struct loop *l);

#endif
