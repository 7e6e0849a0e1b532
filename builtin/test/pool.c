// SPDX-License-Identifier: GPL-2.0
/*
 * The machines that run at a time: started while there is room, a test to run and a token
 * of make's, judged when their process ends. A loop on the main thread.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/template.h>

#include "job.h"

#define POOL_GRACE	30	/* seconds that "lkvm run" has to end after its --timeout */
#define SECOND		1000000000ULL

struct pool {
	struct tests *tests;
	const struct pool_config *cfg;
	struct loop *loop;
	struct list_head jobs, templates;
	unsigned int running;
	unsigned int *queue, head, tail;	/* indices of tests; a ring with room for all of them */
	struct jobserver make;
	struct watch make_watch, signal_watch;
	bool waits_for_make;
	bool stopping;				/* begin nothing more */
	int signals;				/* that came */
	int ret;
};

static void pool_fill(struct pool *p);

static void pool_queue(struct pool *p, unsigned int index)
{
	p->queue[p->tail++ % p->tests->nr] = index;
}

static unsigned int pool_first(const struct pool *p)
{
	return p->queue[p->head % p->tests->nr];
}

static void job_free(struct job *job)
{
	list_del(&job->node);
	loop_timer_cancel(job->pool->loop, &job->timer);
	if (job->pidfd >= 0) {
		loop_del(job->pool->loop, &job->watch);
		close(job->pidfd);
	}
	if (job->token)
		jobserver_give(&job->pool->make);
	free(job->script);
	free(job->test);
	free(job);
}

/* Its result is known: give it another turn, or hand it over. */
static void pool_result(struct pool *p, unsigned int index)
{
	struct test *t = &p->tests->item[index];

	t->turns++;
	if (test_failed(t) && t->turns <= p->cfg->retry && !p->stopping) {
		test_clear(t);
		pool_queue(p, index);
		return;
	}
	t->flaky = !test_failed(t) && t->turns > 1;
	if (test_failed(t) && p->cfg->until_fail)
		p->stopping = true;
	p->cfg->done(t, p->cfg->obj);
}

/* What cannot be cloned is booted for each test. */
static void template_booted(struct job *job, int wstatus)
{
	struct job_template *t = job->template;
	char *why;

	t->state = WIFEXITED(wstatus) && !WEXITSTATUS(wstatus) ? JOB_READY : JOB_FAILED;
	if (t->state == JOB_FAILED && !job->pool->signals) {
		why = job_last_words(job);
		pr_warn("the guest cannot be cloned, so a machine is booted for each test: %s",
			why && !strncmp(why, "lkvm: ", 6) ? why + 6 : why && *why ? why : "it did not boot");
		free(why);
	}
}

static void pool_ended(struct watch *w, u32 events)
{
	struct job *job = container_of(w, struct job, watch);
	struct pool *p = job->pool;
	int wstatus = 0;

	(void)events;
	while (waitpid(job->pid, &wstatus, 0) < 0 && errno == EINTR)
		;
	if (job->boots)
		template_booted(job, wstatus);
	else if (!p->signals)
		job_judge(job, p->cfg, p->tests, wstatus);
	for (unsigned int i = 0; i < job->nr && !p->signals; i++) {
		if (p->tests->item[job->test[i]].done)
			pool_result(p, job->test[i]);
		else
			pool_queue(p, job->test[i]);
	}
	p->running--;
	job_free(job);
	pool_fill(p);
}

static void pool_late(struct timer *t)
{
	struct job *job = container_of(t, struct job, timer);

	job->killed = true;
	kill(-job->pid, SIGKILL);
}

/* Tests for one machine from the queue, which is not empty. NULL: no memory. */
static struct job *job_new(struct pool *p, struct job_template *template)
{
	struct job *job = calloc(1, sizeof(*job));
	struct test *item = p->tests->item;

	if (!job)
		return NULL;
	job->test = calloc(p->tail - p->head, sizeof(*job->test));
	if (!job->test) {
		free(job);
		return NULL;
	}
	job->pool = p;
	job->pidfd = -1;
	do {
		job->test[job->nr++] = pool_first(p);
		p->head++;
	} while (p->cfg->fresh == FRESH_NONE && p->head != p->tail &&
		 job_same_machine(&item[pool_first(p)], &item[job->test[0]]));
	job->dir = item[job->test[0]].dir;
	job->template = template;
	job->watch.fn = pool_ended;
	job->timer.fn = pool_late;
	INIT_LIST_HEAD(&job->node);
	return job;
}

/* A machine that becomes a template. */
static struct job *job_new_boot(struct pool *p, struct job_template *t)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	*job = (struct job) {
		.pool = p, .pidfd = -1, .dir = t->dir, .template = t, .boots = true, .watch.fn = pool_ended,
		.timer.fn = pool_late,
	};
	INIT_LIST_HEAD(&job->node);
	t->state = JOB_BOOTS;
	return job;
}

static void template_close(struct job_template *t)
{
	list_del(&t->node);
	template_free(t->template);
	if (t->dir)
		job_dir_remove(t->dir);
	free(t->dir);
	free(t);
}

/* Is a template worth its boot? For one test it is not. KUnit's tests run while the kernel boots. */
static bool pool_clones(const struct pool *p)
{
	const struct test *item = p->tests->item, *first = &item[pool_first(p)];
	struct job_template *t;

	if (first->kunit || (p->cfg->fresh != FRESH_CLONE && p->cfg->fresh != FRESH_AUTO))
		return false;
	if (p->cfg->fresh == FRESH_CLONE)
		return true;
	list_for_each_entry(t, &p->templates, node)
		if (job_same_machine(first, &item[t->test]))
			return true;
	for (unsigned int at = p->head + 1; at != p->tail; at++)
		if (job_same_machine(first, &item[p->queue[at % p->tests->nr]]))
			return true;
	return false;
}

/* The template of the next test's machine, new or not, in *@out; NULL: none. 0 or -ENOMEM, also without files. */
static int pool_template(struct pool *p, struct job_template **out)
{
	unsigned int index = pool_first(p);
	struct job_template *t;

	*out = NULL;
	if (!pool_clones(p))
		return 0;
	list_for_each_entry(t, &p->templates, node) {
		if (job_same_machine(&p->tests->item[index], &p->tests->item[t->test])) {
			*out = t;
			return 0;
		}
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->test = index;
	list_add_tail(&t->node, &p->templates);
	if (asprintf(&t->dir, "%s/template.%u", p->cfg->logs, index) < 0)
		t->dir = NULL;
	if (t->dir && !template_new(&t->template) && (!mkdir(t->dir, 0777) || errno == EEXIST)) {
		*out = t;
		return 0;
	}
	template_close(t);
	return -ENOMEM;
}

/* One more machine. */
static int pool_start(struct pool *p, struct job_template *template)
{
	struct job *job = template && template->state == JOB_NEW ? job_new_boot(p, template) :
		job_new(p, template && template->state == JOB_READY ? template : NULL);
	int ret;

	if (!job)
		return -ENOMEM;
	job->token = p->running && p->make.read_fd >= 0;
	ret = job_start(job, p->cfg, p->tests);
	if (!ret) {
		job->pidfd = syscall(SYS_pidfd_open, job->pid, 0);
		job->watch.fd = job->pidfd;
		ret = job->pidfd < 0 ? -errno : loop_add(p->loop, &job->watch, EPOLLIN);
		if (ret)
			kill(job->pid, SIGKILL);
	}
	if (ret) {
		if (job->pidfd >= 0)
			close(job->pidfd);
		job->pidfd = -1;
		job_free(job);
		return ret;
	}
	list_add_tail(&job->node, &p->jobs);
	loop_timer(p->loop, &job->timer,
		   loop_now() + (job_seconds(job, p->cfg, p->tests) + POOL_GRACE) * SECOND);
	p->running++;
	return 0;
}

/* Have it called again when make has a token, if there is none now. */
static bool pool_may_start(struct pool *p)
{
	bool have = !p->running || p->make.read_fd < 0 || jobserver_take(&p->make);

	if (p->make.read_fd >= 0 && have == p->waits_for_make) {
		p->waits_for_make = !have;
		loop_mod(p->loop, &p->make_watch, have ? 0 : EPOLLIN);
	}
	return have;
}

static void pool_fill(struct pool *p)
{
	while (!p->stopping && p->head != p->tail && p->running < p->cfg->jobs) {
		struct job_template *template;
		int ret = pool_template(p, &template);

		if (template && template->state == JOB_BOOTS)
			break;
		if (!ret && !pool_may_start(p))
			break;
		ret = ret ?: pool_start(p, template);
		if (ret) {
			p->ret = ret;
			p->stopping = true;
		}
	}
	if (!p->running && (p->stopping || p->head == p->tail))
		loop_stop(p->loop);
}

static void pool_token(struct watch *w, u32 events)
{
	struct pool *p = container_of(w, struct pool, make_watch);

	(void)events;
	pool_fill(p);
	if (p->waits_for_make && (p->stopping || p->head == p->tail)) {
		p->waits_for_make = false;
		loop_mod(p->loop, &p->make_watch, 0);
	}
}

/* The first one asks the guests to end, the second does not. */
static void pool_signal(struct watch *w, u32 events)
{
	struct pool *p = container_of(w, struct pool, signal_watch);
	struct signalfd_siginfo info;
	struct job *job;

	(void)events;
	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	p->stopping = true;
	p->ret = -EINTR;
	list_for_each_entry(job, &p->jobs, node)
		kill(-job->pid, p->signals ? SIGKILL : SIGTERM);
	p->signals++;
	pool_fill(p);
}

static int pool_open(struct pool *p)
{
	sigset_t set;
	int ret = loop_new(&p->loop, NULL);

	if (ret)
		return ret;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p->signal_watch = (struct watch){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .fn = pool_signal };
	if (p->signal_watch.fd < 0)
		return -errno;
	ret = loop_add(p->loop, &p->signal_watch, EPOLLIN);
	jobserver_open(&p->make);
	p->make_watch = (struct watch){ .fd = p->make.read_fd, .fn = pool_token };
	if (!ret && p->make.read_fd >= 0)
		ret = loop_add(p->loop, &p->make_watch, 0);
	p->queue = calloc(p->tests->nr + 1, sizeof(*p->queue));
	return ret ?: p->queue ? 0 : -ENOMEM;
}

static void pool_close(struct pool *p)
{
	while (!list_empty(&p->templates))
		template_close(list_first_entry(&p->templates, struct job_template, node));
	jobserver_close(&p->make);
	if (p->signal_watch.fd >= 0)
		close(p->signal_watch.fd);
	if (p->loop)
		loop_free(p->loop);
	free(p->queue);
}

int pool_run(struct tests *t, const struct pool_config *cfg)
{
	struct pool p = { .tests = t, .cfg = cfg, .signal_watch.fd = -1, .make = { .read_fd = -1, .write_fd = -1 } };
	int ret;

	INIT_LIST_HEAD(&p.jobs);
	INIT_LIST_HEAD(&p.templates);
	ret = pool_open(&p);
	if (ret) {
		pr_err("the machines: %s", strerror(-ret));
		pool_close(&p);
		return ret;
	}
	for (unsigned int i = 0; i < t->nr; i++) {
		if (t->item[i].done)
			continue;
		if (!t->item[i].skip) {
			pool_queue(&p, i);
			continue;
		}
		t->item[i].done = true;
		t->item[i].word = TEST_SKIP;
		t->item[i].text = strdup(t->item[i].skip);
		cfg->done(&t->item[i], cfg->obj);
	}
	if (p.tail) {
		pool_fill(&p);
		loop_run(p.loop);
	}
	pool_close(&p);
	return p.ret;
}
