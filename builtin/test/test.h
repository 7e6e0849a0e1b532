/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lkvm test: a list of tests (list.c) is loaded (plan.c, stanza.c, kselftest.c), put in order
 * (order.c), run in machines, which are processes of "lkvm run" (pool.c, job.c), judged
 * (verdict.c, ktap.c, splat.c), and reported (report.c, results.c, junit.c, kcidb.c, html.c). Main thread.
 */
#ifndef BUILTIN_TEST_H
#define BUILTIN_TEST_H

#include <regex.h>
#include <stdio.h>

#include <kvm/types.h>

/* How a test ended. */
enum test_word {
	TEST_PASS,
	TEST_FAIL,
	TEST_SKIP,
	TEST_TIMEOUT,
	TEST_PANIC,	/* its machine died */
	TEST_OOPS,	/* the kernel complained while it ran */
	TEST_ERROR,	/* lkvm could not run it */
	TEST_WORDS
};
extern const char *const test_words[TEST_WORDS + 1];

/* Strings in order, all owned; NULL behind the last, so that it is an argv. */
struct strings {
	char **item;
	unsigned int nr;
};
/* 0 or -ENOMEM. strings_addf() formats, strings_add() copies. */
int strings_add(struct strings *s, const char *text);
int strings_addf(struct strings *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strings_free(struct strings *s);

/* A result of a test's own, which it printed as KTAP. */
struct test_sub {
	char *name;		/* with those that it is nested in: "suite/case" */
	enum test_word word;	/* pass, fail or skip */
	unsigned int depth;
};

struct test {
	char *name;		/* unique */
	struct strings argv;	/* the command */
	struct strings options;	/* of "lkvm run", besides those of the command line */
	char *kernel;		/* for -k, or NULL */
	char *cwd;		/* or NULL: the user's */
	int timeout;		/* seconds, 0: that of --timeout */
	int status;		/* that is right */
	bool kunit;		/* its results are in the kernel's messages, as KTAP */
	bool skip_4;		/* the status 4 is a skip, as kselftest has it */
	struct strings expect, expect_err, reject;	/* extended regular expressions */
	char *skip;		/* it is not to be run, and why; or NULL */

	/* Its result */
	bool done;
	enum test_word word;
	int got;		/* the command's status, -1: none */
	u64 start, ms;		/* when it began, in ms since 1970, or 0; and how many it took */
	u64 before;		/* how many it took in an earlier run, or 0 */
	unsigned int turns;
	bool flaky;		/* it failed at first */
	char *text;		/* why, or NULL */
	char *dir;		/* of its logs, or NULL */
	struct test_sub *sub;
	unsigned int nr_sub;
};

struct tests {
	struct test *item;
	unsigned int nr;
};

/* A new one at the end, called @name or, if there is one, @name#2 and so on; NULL: no memory. */
struct test *tests_add(struct tests *t, const char *name);
void tests_free(struct tests *t);
/* A copy of number @index at the end, without its result, called @name; NULL: no memory. */
struct test *tests_copy(struct tests *t, unsigned int index, const char *name);
/* By @name, or NULL. */
struct test *tests_find(const struct tests *t, const char *name);
/* Its name without the kernel, which begins it where there are several. */
const char *test_name(const struct test *t);
/* Forget the result of a test. */
void test_clear(struct test *t);
/* Leave only those for which @keep is true. */
void tests_keep(struct tests *t, bool (*keep)(const struct test *t, const void *arg), const void *arg);

/* Loading: 0 or -errno with the message printed. */
int plan_load(struct tests *t, const char *path);	/* a file, a directory, or a program */
int plan_command(struct tests *t, const char *name, char **argv);
int plan_sh(struct tests *t, const char *line);		/* for sh -c */
int plan_kunit(struct tests *t, const char *glob);	/* of the suites, or "" */
int stanzas_load(struct tests *t, const char *path, char *text);	/* text is cut up */
int kselftest_load(struct tests *t, const char *dir, char *list);

/* Order */
void tests_shuffle(struct tests *t, u64 seed);
/* Is @name in shard @index (from 1) of @total? Of all shards it is in one. */
bool shard_has(const char *name, unsigned int index, unsigned int total);
/* "I/N", or "auto" by the environment: 0, or -EINVAL with the message printed. */
int shard_parse(const char *text, unsigned int *index, unsigned int *total);

/*
 * KTAP or TAP in @text, which is cut up: the results in t->sub, and what they come to.
 * False if it is none.
 */
bool ktap_read(struct test *t, char *text, enum test_word *word, char why[128]);

struct regex_list {
	regex_t *item;
	unsigned int nr;
};

/* A line of them behind "[   12.345678] " and "[ T123] ". */
const char *kmsg_text(const char *line);
/* The first complaint in the kernel's messages that @allow does not name: malloc()ed, or NULL. */
char *splat_find(const char *kmsg, const struct regex_list *allow);

/* 0, or -EINVAL with the message printed: what @whose and its @text are. */
int regexes_add(struct regex_list *l, const char *whose, const char *text);
bool regexes_match(const struct regex_list *l, const char *text);
void regexes_free(struct regex_list *l);

/* What a machine has left in its files. */
struct test_traces {
	int status;		/* of "lkvm run" */
	char *out, *err, *kmsg, *outcome;	/* may be empty; owned by the caller, and cut up */
};
/* Fill in the result of @t. */
void verdict(struct test *t, const struct test_traces *traces, const struct regex_list *allow);

/*
 * FRESH_AUTO: a clone where several tests share a machine's kernel and options and it can be
 * cloned, else a boot.
 */
enum fresh { FRESH_BOOT, FRESH_CLONE, FRESH_NONE, FRESH_AUTO };

struct pool_config {
	const char *lkvm;		/* the program */
	const struct strings *options;	/* of "lkvm run", from the command line */
	const struct regex_list *allow;	/* complaints of the kernel that are none */
	const char *logs;		/* a directory that is there */
	bool keep;			/* the logs are for the user */
	enum fresh fresh;
	unsigned int jobs;
	int timeout;
	unsigned int retry;		/* more turns for what fails */
	bool until_fail;		/* begin none after a failure */
	void (*done)(const struct test *t, void *obj);	/* called once for each */
	void *obj;
};
/* Run all that have no result. 0, -EINTR after a signal, or -errno with the message printed. */
int pool_run(struct tests *t, const struct pool_config *cfg);

/* GNU make's jobserver: more jobs than one need a token each. */
struct jobserver {
	int read_fd, write_fd;		/* -1: there is none */
	char tokens[256];		/* that were taken */
	unsigned int nr;
};
void jobserver_open(struct jobserver *j);
bool jobserver_take(struct jobserver *j);
void jobserver_give(struct jobserver *j);
void jobserver_close(struct jobserver *j);

/* Reporting */
void report_begin(FILE *f, unsigned int nr);
void report_test(FILE *f, const struct test *t, unsigned int n);
void report_end(FILE *f, const struct tests *t);
/* The exit status for all of them; what was a failure in @old (or NULL) already is none. */
int report_status(const struct tests *t, const struct tests *old);
void report_json(FILE *f, const struct tests *t);
void report_junit(FILE *f, const struct tests *t);
/* The build is @build, or, if that is NULL, "@origin:" and the kernel as the user named it. */
void report_kcidb(FILE *f, const struct tests *t, const char *origin, const char *build);
/* 0, or -EINVAL with the message printed. */
int kcidb_check(const char *origin, const char *build);
/* @old: of an earlier run, or NULL. 0 or -ENOMEM. */
int report_html(FILE *f, const struct tests *t, const struct tests *old);
/* "pass:2 fail:1 ..." */
void report_totals(FILE *f, const struct tests *t);
/* As text and as the value of an attribute of XML or HTML; what XML 1.0 cannot have becomes '?'. */
void xml_print(FILE *f, const char *text);
/* Is it a failure, of whatever kind? */
bool test_failed(const struct test *t);

/* Results that report_json() wrote, added to @t: 0 or -errno with the message printed. */
int results_load(struct tests *t, const char *path);

/* What became of @t since @old (or NULL): "fixed" and the like, or "". */
const char *baseline_word(const struct test *t, const struct test *old);
/* What is different from @old: printed as a table. The number of tests that were not failures before. */
unsigned int baseline_print(FILE *f, const struct tests *t, const struct tests *old);

/* JSON, as far as results need it. */
enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
struct json {
	enum json_kind kind;
	char *name;		/* in an object */
	char *text;		/* STRING */
	double number;		/* NUMBER, BOOL */
	struct json *child, *next;
};
/* Parse hostile text: NULL with what is wrong and where in @why. json_free() when done. */
struct json *json_parse(const char *text, size_t len, char why[128]);
void json_free(struct json *j);
const struct json *json_get(const struct json *object, const char *name);
/* Quoted. */
void json_print(FILE *f, const char *text);

#endif
