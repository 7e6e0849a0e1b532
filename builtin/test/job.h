/* SPDX-License-Identifier: GPL-2.0 */
/* A machine for one test, or for several one after the other (--fresh none). */
#ifndef TEST_JOB_H
#define TEST_JOB_H

#include <sys/types.h>

#include <kvm/loop.h>

#include "test.h"

struct pool;

struct template;

/* A guest that was booted for the tests of one kernel and the same options. */
struct job_template {
	struct list_head node;
	struct template *template;
	unsigned int test;		/* one of them */
	enum { JOB_NEW, JOB_BOOTS, JOB_READY, JOB_FAILED } state;
	char *dir;			/* of the files of its boot */
};

struct job {
	struct list_head node;
	struct pool *pool;
	unsigned int *test, nr;		/* indices of pool->tests */
	char *dir;			/* of its files, that of the first test's */
	char mark[64];			/* begins the lines between the tests of one machine */
	char *script;			/* which runs them */
	struct job_template *template;	/* it is a clone of it; or NULL */
	bool boots;			/* no test: @template */
	bool token;			/* of the jobserver's */
	bool killed;			/* its time was over, and "lkvm run" had not ended */
	u64 began;
	pid_t pid;
	int pidfd;
	struct watch watch;		/* of the pidfd */
	struct timer timer;
};

/* The seconds that its guest may take. */
unsigned int job_seconds(const struct job *job, const struct pool_config *cfg, const struct tests *t);

/* Its process: 0 or -errno with the message printed. */
int job_start(struct job *job, const struct pool_config *cfg, const struct tests *t);

/*
 * The process has ended with wait(2)'s @wstatus: fill in the results. Those tests that it
 * did not come to have none afterwards; at least one has one.
 */
void job_judge(struct job *job, const struct pool_config *cfg, struct tests *t, int wstatus);

/* The last line of its stderr: malloc()ed, or NULL. */
char *job_last_words(const struct job *job);

/* Can both be tests of one machine? */
bool job_same_machine(const struct test *a, const struct test *b);

/* A directory for the logs of each: t->dir. 0 or -errno with the message printed. */
int job_dirs(struct tests *t, const char *logs);
/* Remove it and what is in it. */
void job_dir_remove(const char *dir);

#endif
