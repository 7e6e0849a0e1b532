// SPDX-License-Identifier: GPL-2.0
/*
 * KTAP version 1 (Documentation/dev-tools/ktap.rst of the kernel) and TAP 13, as tests
 * print them: results may be nested, by their indentation, and come before the result of
 * what they are in. Other lines are not looked at. The text is the guest's: anything.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "test.h"

#define KTAP_DEPTH	16
#define KTAP_RESULTS	20000
#define KTAP_NAME	200	/* bytes; of nested ones KTAP_PATH */
#define KTAP_PATH	1000

struct ktap {
	struct test *test;
	unsigned int indent[KTAP_DEPTH];	/* of each depth, in columns */
	unsigned int depth;
	bool on;				/* a version or plan line has come */
	bool memory;				/* there was none left, or too many results */
	long planned, seen, failed, skipped;	/* at depth 0; planned -1: no plan */
	bool bailed;
};

/* The depth of a line that is indented by so much. */
static unsigned int ktap_depth(struct ktap *k, unsigned int indent)
{
	while (k->depth && indent < k->indent[k->depth])
		k->depth--;
	if (indent > k->indent[k->depth] && k->depth + 1 < KTAP_DEPTH)
		k->indent[++k->depth] = indent;
	return k->depth;
}

/* Those that came before, deeper, and belong to nothing yet, are in @name. */
static void ktap_nest(struct ktap *k, const char *name, unsigned int depth)
{
	struct test *t = k->test;

	for (unsigned int i = t->nr_sub; i-- && t->sub[i].depth > depth; ) {
		char *full;

		if (strlen(name) + strlen(t->sub[i].name) >= KTAP_PATH) {
			t->sub[i].depth = depth;
			continue;
		}
		if (asprintf(&full, "%s/%s", name, t->sub[i].name) < 0) {
			k->memory = true;
			return;
		}
		free(t->sub[i].name);
		t->sub[i].name = full;
		t->sub[i].depth = depth;
	}
}

static void ktap_add(struct ktap *k, const char *name, enum test_word word, unsigned int depth)
{
	struct test *t = k->test;
	unsigned int n = t->nr_sub;

	if (n >= KTAP_RESULTS) {
		k->memory = true;
		return;
	}
	/* Doubled when it is full: at powers of two. */
	if (!(n & (n - 1))) {
		struct test_sub *sub = reallocarray(t->sub, n ? 2 * n : 1, sizeof(*sub));

		if (!sub) {
			k->memory = true;
			return;
		}
		t->sub = sub;
	}
	t->sub[n] = (struct test_sub){ .name = strndup(name, KTAP_NAME), .word = word, .depth = depth };
	if (t->sub[n].name)
		t->nr_sub++;
	else
		k->memory = true;
}

/* @p is behind "ok" or "not ok". */
static void ktap_result(struct ktap *k, char *p, bool ok, unsigned int depth)
{
	enum test_word word = ok ? TEST_PASS : TEST_FAIL;
	char unnamed[32], *directive, *end;

	p += strspn(p, " \t");
	snprintf(unnamed, sizeof(unnamed), "%.*s", (int)strspn(p, "0123456789"), p);
	p += strspn(p, "0123456789");
	p += strspn(p, " \t");
	if (*p == '-' && isspace((unsigned char)p[1]))
		p += 1 + strspn(p + 1, " \t");
	directive = strchr(p, '#');
	if (directive) {
		*directive++ = '\0';
		directive += strspn(directive, " \t");
		if (!strncasecmp(directive, "SKIP", 4))
			word = TEST_SKIP;
		else if (!strncasecmp(directive, "TODO", 4) || !strncasecmp(directive, "XFAIL", 5))
			word = TEST_PASS;	/* known: it decides nothing */
	}
	for (end = p + strlen(p); end > p && isspace((unsigned char)end[-1]); )
		*--end = '\0';
	if (!*p)
		p = *unnamed ? unnamed : strcpy(unnamed, "-");
	p[strnlen(p, KTAP_NAME)] = '\0';
	ktap_nest(k, p, depth);
	ktap_add(k, p, word, depth);
	if (depth)
		return;
	k->seen++;
	k->failed += word == TEST_FAIL;
	k->skipped += word == TEST_SKIP;
}

static void ktap_line(struct ktap *k, char *line)
{
	unsigned int indent;
	char *p, *end;
	long n;

	if (k->test->kunit)
		line += kmsg_text(line) - line;
	indent = strspn(line, " ");
	p = line + indent;
	p[strcspn(p, "\r")] = '\0';
	if (!strncmp(p, "KTAP version ", 13) || !strncmp(p, "TAP version ", 12)) {
		if (!k->on)
			k->indent[0] = indent;
		k->on = true;
		ktap_depth(k, indent);
	} else if (!strncmp(p, "1..", 3) && isdigit((unsigned char)p[3])) {
		n = strtol(p + 3, &end, 10);
		if (k->on && !ktap_depth(k, indent) && k->planned < 0)
			k->planned = n;
	} else if (k->on && !strncmp(p, "Bail out!", 9)) {
		k->bailed = true;
	} else if (k->on && (!strcmp(p, "ok") || !strncmp(p, "ok ", 3))) {
		ktap_result(k, p + 2, true, ktap_depth(k, indent));
	} else if (k->on && (!strcmp(p, "not ok") || !strncmp(p, "not ok ", 7))) {
		ktap_result(k, p + 6, false, ktap_depth(k, indent));
	}
}

bool ktap_read(struct test *t, char *text, enum test_word *word, char why[128])
{
	struct ktap k = { .test = t, .planned = -1 };
	char *line;

	while ((line = strsep(&text, "\n")))
		ktap_line(&k, line);
	*word = TEST_FAIL;
	if (!k.on)
		return false;
	if (k.bailed)
		snprintf(why, 128, "it bailed out");
	else if (k.memory)
		snprintf(why, 128, "too many results");
	else if (k.failed)
		snprintf(why, 128, "%ld of %ld results are failures", k.failed, k.seen);
	else if (k.planned >= 0 && k.seen != k.planned)
		snprintf(why, 128, "%ld results, %ld were planned", k.seen, k.planned);
	else if (!k.seen && k.planned)
		snprintf(why, 128, "no results");
	else
		*word = k.skipped == k.seen ? TEST_SKIP : TEST_PASS;
	if (*word == TEST_SKIP)
		snprintf(why, 128, "all of its results are skips");
	return true;
}
