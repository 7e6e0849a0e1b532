// SPDX-License-Identifier: GPL-2.0
/*
 * The spawner waits for one request at a time and creates a thread for it. The
 * requesting thread waits for the answer, for as long as pthread_create() takes.
 */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include <kvm/threads.h>

/* The function of a new thread, which frees this. */
struct thread_entry {
	struct threads *threads;
	enum thread_kind kind;
	void *(*fn)(void *arg);
	void *arg;
};

struct thread_request {
	const pthread_attr_t *attr;
	pthread_t *out;
	struct thread_entry *entry;
	int ret;
	bool done;
};

struct threads {
	void (*begin)(void *obj, enum thread_kind kind);
	void *obj;
	bool sealed, stop;
	pthread_t spawner;
	pthread_mutex_t lock;
	pthread_cond_t wanted, answered;
	struct thread_request *request;		/* under lock, until it is done */
};

static void *thread_main(void *arg)
{
	struct thread_entry e = *(struct thread_entry *)arg;

	free(arg);
	if (e.threads->begin)
		e.threads->begin(e.threads->obj, e.kind);
	return e.fn(e.arg);
}

static void *threads_spawner(void *arg)
{
	struct threads *t = arg;

	prctl(PR_SET_NAME, "spawner");
	if (t->begin)
		t->begin(t->obj, THREAD_SPAWNER);
	pthread_mutex_lock(&t->lock);
	for (;;) {
		struct thread_request *r = t->request;

		if (t->stop)
			break;
		if (!r || r->done) {
			pthread_cond_wait(&t->wanted, &t->lock);
			continue;
		}
		r->ret = -pthread_create(r->out, r->attr, thread_main, r->entry);
		r->done = true;
		pthread_cond_broadcast(&t->answered);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

int threads_new(struct threads **out, void (*begin)(void *obj, enum thread_kind kind), void *obj)
{
	struct threads *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
#ifdef M_ARENA_MAX
	/* Threads hardly allocate, and a heap of its own would cost each four system calls. */
	mallopt(M_ARENA_MAX, 1);
#endif
	t->begin = begin;
	t->obj = obj;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wanted, NULL);
	pthread_cond_init(&t->answered, NULL);
	*out = t;
	return 0;
}

void threads_free(struct threads *t)
{
	if (t->sealed) {
		pthread_mutex_lock(&t->lock);
		t->stop = true;
		pthread_cond_signal(&t->wanted);
		pthread_mutex_unlock(&t->lock);
		pthread_join(t->spawner, NULL);
	}
	pthread_cond_destroy(&t->answered);
	pthread_cond_destroy(&t->wanted);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int threads_seal(struct threads *t)
{
	int ret = -pthread_create(&t->spawner, NULL, threads_spawner, t);

	t->sealed = !ret;
	return ret;
}

static int threads_ask(struct threads *t, struct thread_request *r)
{
	pthread_mutex_lock(&t->lock);
	/* Another one's request first. */
	while (t->request)
		pthread_cond_wait(&t->answered, &t->lock);
	t->request = r;
	pthread_cond_signal(&t->wanted);
	while (!r->done)
		pthread_cond_wait(&t->answered, &t->lock);
	t->request = NULL;
	pthread_cond_broadcast(&t->answered);
	pthread_mutex_unlock(&t->lock);
	return r->ret;
}

int thread_start(struct threads *t, enum thread_kind kind, const pthread_attr_t *attr,
		 pthread_t *out, void *(*fn)(void *arg), void *arg)
{
	struct thread_request r = { .attr = attr, .out = out };
	int ret;

	if (!t)
		return -pthread_create(out, attr, fn, arg);
	r.entry = malloc(sizeof(*r.entry));
	if (!r.entry)
		return -ENOMEM;
	*r.entry = (struct thread_entry) { t, kind, fn, arg };
	ret = t->sealed ? threads_ask(t, &r) : -pthread_create(out, attr, thread_main, r.entry);
	if (ret)
		free(r.entry);
	return ret;
}

const char *thread_kind_name(enum thread_kind kind)
{
	static const char *const name[THREAD_KINDS] = {
		[THREAD_MAIN] = "main",
		[THREAD_SPAWNER] = "spawner",
		[THREAD_VCPU] = "vCPU",
		[THREAD_DEVICE] = "device",
		[THREAD_FILES] = "files",
		[THREAD_DISK] = "disk",
		[THREAD_NET] = "network",
		[THREAD_DISPLAY] = "display",
		[THREAD_KEEPER] = "keeper",
		[THREAD_SERVER] = "server",
	};

	return name[kind];
}
