// SPDX-License-Identifier: GPL-2.0
/*
 * Results as KernelCI's database takes them: KCIDB's I/O schema 5.3 (kcidb_io/schema/v05_03.py
 * of kcidb-io). There are tests only: whoever made the build has reported it and its checkout.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <kvm/builtin.h>
#include <kvm/log.h>

#include "test.h"

#define KCIDB_MAJOR	5
#define KCIDB_MINOR	3
#define KCIDB_EXCERPT	4000	/* bytes; the schema allows 16384 characters */
#define KCIDB_PATH	1024

/* What the tests of one report have in common. */
struct kcidb {
	FILE *f;
	const char *origin, *build;
	u64 run;		/* random, so that no two runs of a test have the same ID */
	unsigned int nr;	/* of results so far */
};

int kcidb_check(const char *origin, const char *build)
{
	if (!*origin || strspn(origin, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(origin)) {
		pr_err("--kcidb-origin %s: the name of a CI system has only the characters a-z, 0-9 and _", origin);
		return -EINVAL;
	}
	if (build && (strncmp(build, origin, strlen(origin)) || build[strlen(origin)] != ':' ||
		      !build[strlen(origin) + 1])) {
		pr_err("--kcidb-build %s: a build's ID begins with its origin, as %s:%s", build, origin, build);
		return -EINVAL;
	}
	return 0;
}

/* Append @name to @path, behind a dot if there is something: "node.node", of [a-zA-Z0-9_-]. */
static void kcidb_path(char path[KCIDB_PATH], const char *name)
{
	size_t len = strlen(path);

	if (len && len < KCIDB_PATH - 1)
		path[len++] = '.';
	for (; *name && len < KCIDB_PATH - 1; name++) {
		bool node = isalnum((unsigned char)*name) || *name == '-';
		char c = node ? *name : *name == '.' || *name == '/' ? '.' : '_';

		if (c != '.' || (len && path[len - 1] != '.'))
			path[len++] = c;
	}
	while (len && path[len - 1] == '.')
		len--;
	path[len] = '\0';
}

/* At most KCIDB_EXCERPT bytes of @text, not cut within a character. */
static void kcidb_excerpt(FILE *f, const char *text)
{
	char part[KCIDB_EXCERPT + 1];
	size_t len = strnlen(text, KCIDB_EXCERPT);

	while (len == KCIDB_EXCERPT && len && (text[len] & 0xc0) == 0x80)
		len--;
	memcpy(part, text, len);
	part[len] = '\0';
	fputs(", \"log_excerpt\": ", f);
	json_print(f, part);
}

/* Seconds, and the time of day as RFC 3339 has it. */
static void kcidb_times(FILE *f, const struct test *t)
{
	time_t start = t->start / 1000;
	char text[32];
	struct tm tm;

	fprintf(f, ", \"duration\": %llu.%03llu", (unsigned long long)t->ms / 1000, (unsigned long long)t->ms % 1000);
	if (t->start && gmtime_r(&start, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		fprintf(f, ", \"start_time\": \"%s.%03llu+00:00\"", text, (unsigned long long)t->start % 1000);
}

/* A test, or its result @sub. */
static void kcidb_test(struct kcidb *k, const struct test *t, const struct test_sub *sub)
{
	static const char *const status[TEST_WORDS] = {
		[TEST_PASS] = "PASS", [TEST_FAIL] = "FAIL", [TEST_SKIP] = "SKIP", [TEST_TIMEOUT] = "FAIL",
		[TEST_PANIC] = "FAIL", [TEST_OOPS] = "FAIL", [TEST_ERROR] = "MISS",
	};
	char path[KCIDB_PATH] = "", build[KCIDB_PATH];

	kcidb_path(path, test_name(t));		/* The kernel is the build's, and no part of the path. */
	if (!*path)
		strcpy(path, "_");	/* "" is the root of the tree */
	if (sub)
		kcidb_path(path, sub->name);
	if (k->build)
		snprintf(build, sizeof(build), "%s", k->build);
	else
		snprintf(build, sizeof(build), "%s:%s", k->origin, t->kernel ?: "default");
	fprintf(k->f, "%s\n  { \"id\": \"%s:%016llx.%u\", \"origin\": \"%s\", \"build_id\": ", k->nr ? "," : "",
		k->origin, (unsigned long long)k->run, k->nr, k->origin);
	k->nr++;
	json_print(k->f, build);
	fputs(", \"path\": ", k->f);
	json_print(k->f, path);
	fprintf(k->f, ", \"status\": \"%s\", \"comment\": ", status[sub ? sub->word : t->word]);
	json_print(k->f, sub ? sub->name : t->name);
	if (!sub)
		kcidb_times(k->f, t);
	if (!sub && t->text)
		kcidb_excerpt(k->f, t->text);
	fprintf(k->f, ", \"environment\": { \"comment\": \"lkvm %s\" }, \"misc\": { \"lkvm\": { \"result\": \"%s\"", lkvm_version(),
		test_words[sub ? sub->word : t->word]);
	if (!sub)
		fprintf(k->f, ", \"turns\": %u, \"flaky\": %s", t->turns, t->flaky ? "true" : "false");
	fputs(" } } }", k->f);
}

void report_kcidb(FILE *f, const struct tests *t, const char *origin, const char *build)
{
	struct kcidb k = { .f = f, .origin = origin, .build = build };

	if (getrandom(&k.run, sizeof(k.run), 0) != sizeof(k.run))
		k.run = time(NULL);
	fprintf(f, "{ \"version\": { \"major\": %d, \"minor\": %d }, \"tests\": [", KCIDB_MAJOR, KCIDB_MINOR);
	for (unsigned int i = 0; i < t->nr; i++) {
		const struct test *test = &t->item[i];

		if (!test->done)
			continue;
		kcidb_test(&k, test, NULL);
		for (unsigned int s = 0; s < test->nr_sub; s++)
			kcidb_test(&k, test, &test->sub[s]);
	}
	fputs("\n] }\n", f);
}
