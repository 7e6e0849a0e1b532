// SPDX-License-Identifier: GPL-2.0
/*
 * The event loop: epoll for descriptors, a tree of timers for the timeout, an
 * eventfd for what other threads post. Its threads are in util/loop_threads.c.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

__thread struct loop *loop_self;

int loop_new(struct loop **out, pthread_mutex_t *lock)
{
	struct loop *l = calloc(1, sizeof(*l));
	struct epoll_event ev = { .events = EPOLLIN };

	if (!l)
		return -ENOMEM;
	l->lock = lock;
	l->timers = RB_ROOT;
	INIT_LIST_HEAD(&l->deferred);
	INIT_LIST_HEAD(&l->posted);
	pthread_mutex_init(&l->post_lock, NULL);
	pthread_mutex_init(&l->thread_lock, NULL);
	pthread_cond_init(&l->thread_gone, NULL);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epfd < 0 || l->wakefd < 0 ||
	    epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->wakefd, &ev) < 0) {
		int err = -errno;

		loop_free(l);
		return err;
	}
	*out = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (l->epfd >= 0)
		close(l->epfd);
	if (l->wakefd >= 0)
		close(l->wakefd);
	pthread_cond_destroy(&l->thread_gone);
	pthread_mutex_destroy(&l->thread_lock);
	pthread_mutex_destroy(&l->post_lock);
	free(l);
}

static void loop_wake(struct loop *l)
{
	u64 one = 1;

	/* A full counter has woken it already. */
	if (write(l->wakefd, &one, sizeof(one)) < 0)
		return;
}

static bool loop_is_self(const struct loop *l)
{
	return loop_self == l || !atomic_load(&l->running);
}

static void loop_lock(struct loop *l)
{
	if (l->lock)
		pthread_mutex_lock(l->lock);
}

static void loop_unlock(struct loop *l)
{
	if (l->lock)
		pthread_mutex_unlock(l->lock);
}

/* Watches */

int loop_add(struct loop *l, struct watch *w, u32 events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };
	int i;

	w->events = events;
	w->slot = 0;
	if (!epoll_ctl(l->epfd, EPOLL_CTL_ADD, w->fd, &ev))
		return 0;
	if (errno != EPERM)
		return -errno;
	for (i = 0; i < LOOP_ALWAYS_MAX; i++) {
		if (!l->always[i]) {
			l->always[i] = w;
			l->nr_always += events != 0;
			w->slot = i + 1;
			return 0;
		}
	}
	return -ENOSPC;
}

int loop_mod(struct loop *l, struct watch *w, u32 events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (w->events == events)
		return 0;
	if (w->slot)
		l->nr_always += (events != 0) - (w->events != 0);
	/*
	 * EPOLLHUP cannot be masked, so a silent watch is out of the set, not
	 * in it with no events: a hung up pipe would spin.
	 */
	else if (epoll_ctl(l->epfd, !events ? EPOLL_CTL_DEL :
			   !w->events ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, w->fd, &ev) < 0)
		return -errno;
	w->events = events;
	return 0;
}

void loop_del(struct loop *l, struct watch *w)
{
	int i;

	if (w->slot) {
		l->always[w->slot - 1] = NULL;
		l->nr_always -= w->events != 0;
		w->slot = 0;
	} else if (w->events) {
		epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	}
	w->events = 0;
	for (i = l->batch_pos; i < l->batch_nr; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].events = 0;
	if (l->current == w)
		l->current = NULL;
}

/* Timers */

u64 loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void loop_timer_cancel(struct loop *l, struct timer *t)
{
	if (t->due)
		rb_erase(&t->node, &l->timers);
	t->due = 0;
}

void loop_timer(struct loop *l, struct timer *t, u64 due)
{
	struct rb_node **link = &l->timers.rb_node, *parent = NULL;

	loop_timer_cancel(l, t);
	t->due = due ? due : 1;
	while (*link) {
		parent = *link;
		link = t->due < rb_entry(parent, struct timer, node)->due ?
			&parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&t->node, parent, link);
	rb_insert_color(&t->node, &l->timers);
}

/* Milliseconds until the first timer, rounded up; -1: none. */
static int loop_timeout(struct loop *l)
{
	struct rb_node *first = rb_first(&l->timers);
	u64 now, due;

	if (l->nr_always)
		return 0;
	if (!first)
		return -1;
	now = loop_now();
	due = rb_entry(first, struct timer, node)->due;
	if (due <= now)
		return 0;
	return min((due - now + 999999) / 1000000, (u64)INT32_MAX);
}

static void loop_run_timers(struct loop *l)
{
	struct rb_node *first;
	u64 now = 0;

	/* Those due at one reading of the clock, so that a timer which re-arms itself cannot hold the loop. */
	while ((first = rb_first(&l->timers))) {
		struct timer *t = rb_entry(first, struct timer, node);

		if (!now)
			now = loop_now();
		if (t->due > now)
			break;
		loop_timer_cancel(l, t);
		t->fn(t);
	}
}

/* Work from other threads */

void loop_post(struct loop *l, struct work *w)
{
	bool first;

	pthread_mutex_lock(&l->post_lock);
	first = list_empty(&l->posted);
	if (!w->node.next)
		list_add_tail(&w->node, &l->posted);
	pthread_mutex_unlock(&l->post_lock);
	if (first)
		loop_wake(l);
}

void loop_unpost(struct loop *l, struct work *w)
{
	pthread_mutex_lock(&l->post_lock);
	/* It may be on the list of loop_run_posted(), too. */
	if (w->node.next)
		list_del(&w->node);
	pthread_mutex_unlock(&l->post_lock);
}

/* The first of @todo, or NULL. */
static struct work *loop_take_posted(struct loop *l, struct list_head *todo)
{
	struct work *w;

	pthread_mutex_lock(&l->post_lock);
	w = list_first_entry_or_null(todo, struct work, node);
	if (w)
		list_del(&w->node);
	pthread_mutex_unlock(&l->post_lock);
	return w;
}

static void loop_run_posted(struct loop *l)
{
	struct list_head todo;
	struct work *w;
	u64 count;

	if (read(l->wakefd, &count, sizeof(count)) < 0)
		return;
	INIT_LIST_HEAD(&todo);
	pthread_mutex_lock(&l->post_lock);
	list_splice_init(&l->posted, &todo);
	pthread_mutex_unlock(&l->post_lock);
	while ((w = loop_take_posted(l, &todo)))
		w->fn(w);
}

struct loop_call {
	struct work work;
	void (*fn)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static void loop_call_work(struct work *w)
{
	struct loop_call *c = container_of(w, struct loop_call, work);

	c->fn(c->arg);
	pthread_mutex_lock(&c->lock);
	c->done = true;
	pthread_cond_signal(&c->cond);
	pthread_mutex_unlock(&c->lock);
}

void loop_call(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct loop_call c = {
		.work.fn = loop_call_work, .fn = fn, .arg = arg,
		.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER,
	};

	if (loop_is_self(l)) {
		fn(arg);
		return;
	}
	loop_post(l, &c.work);
	pthread_mutex_lock(&c.lock);
	while (!c.done)
		pthread_cond_wait(&c.cond, &c.lock);
	pthread_mutex_unlock(&c.lock);
}

/* Work of this thread, for the end of the round */

void loop_defer(struct loop *l, struct work *w)
{
	if (w->deferred)
		return;
	w->deferred = true;
	list_add_tail(&w->node, &l->deferred);
}

void loop_undefer(struct loop *l, struct work *w)
{
	if (w->deferred)
		list_del(&w->node);
	w->deferred = false;
}

/* Without the lock: the list is the loop's thread's alone. */
void loop_run_deferred(struct loop *l)
{
	if (list_empty(&l->deferred))
		return;
	loop_lock(l);
	while (!list_empty(&l->deferred)) {
		struct work *w = list_first_entry(&l->deferred, struct work, node);

		list_del(&w->node);
		w->deferred = false;
		w->fn(w);
	}
	loop_unlock(l);
}

/* Running */

bool loop_callback(struct loop *l, struct watch *w, u32 events)
{
	l->current = w;
	w->fn(w, events);
	if (loop_self != l)
		return false;
	l->current = NULL;
	return true;
}

static bool loop_once(struct loop *l)
{
	int n = epoll_wait(l->epfd, l->batch, LOOP_BATCH, loop_timeout(l)), i;
	bool posted = false;

	loop_lock(l);
	l->batch_nr = max(n, 0);
	for (l->batch_pos = 0; l->batch_pos < l->batch_nr; ) {
		struct epoll_event *ev = &l->batch[l->batch_pos++];

		if (!ev->data.ptr)
			posted = true;
		else if (ev->events && !loop_callback(l, ev->data.ptr, ev->events))
			goto taken;
	}
	l->batch_nr = 0;
	for (i = 0; l->nr_always && i < LOOP_ALWAYS_MAX; i++) {
		struct watch *w = l->always[i];

		if (w && w->events && !loop_callback(l, w, w->events))
			goto taken;
	}
	/* After the descriptors: what is posted may free what they belong to. */
	loop_run_timers(l);
	if (posted)
		loop_run_posted(l);
	loop_unlock(l);
	return true;
taken:
	/* Only loops without a machine lock block: there is nothing to unlock. */
	return false;
}

void loop_run(struct loop *l)
{
	struct loop *outer = loop_self;		/* this is one of its callbacks */

	loop_self = l;
	atomic_store(&l->running, true);
	for (;;) {
		/* Here, so that it also ends a round that another thread began. */
		loop_run_deferred(l);
		if (atomic_load(&l->stop))
			break;
		if (!loop_once(l))
			return;
	}
	atomic_store(&l->running, false);
	atomic_store(&l->stop, false);
	loop_self = outer;
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stop, true);
	loop_wake(l);
}
