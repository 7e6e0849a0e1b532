// SPDX-License-Identifier: GPL-2.0
/*
 * The event loop: epoll for descriptors, a tree of timers for the timeout, an
 * eventfd for what other threads post.
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
#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <kvm/loop.h>

#define LOOP_BATCH	32
#define LOOP_ALWAYS_MAX	16
#define LOOP_BLOCKED_MAX 128		/* threads that have lost the loop and not come back */
#define STANDBY_LOOK_NS	(4 * 1000 * 1000)
#define STANDBY_IDLE	250		/* looks without work until it sleeps */

enum { BLOCK_IDLE, BLOCK_BUSY, BLOCK_TAKEN, BLOCK_MASK = 3, BLOCK_SEQ = 4 };

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

	/* Threads started by loop_thread_start(). */
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
static __thread struct loop *loop_self;
/* loop->state as this thread set it when it entered its section. */
static __thread u64 loop_section;

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
static void loop_run_deferred(struct loop *l)
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

/* False: another thread has taken the loop over. */
static bool loop_callback(struct loop *l, struct watch *w, u32 events)
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

/* Threads */

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
