// SPDX-License-Identifier: GPL-2.0
/*
 * The result of a test, by what its machine has left: how the guest ended ("lkvm run
 * --outcome"), what the kernel complained about, and the command's status and output.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "test.h"

#define STATUS_SKIP	4	/* KSFT_SKIP of tools/testing/selftests/kselftest.h */

static void __attribute__((format(printf, 3, 4)))
verdict_say(struct test *t, enum test_word word, const char *fmt, ...)
{
	va_list ap;

	t->word = word;
	free(t->text);
	va_start(ap, fmt);
	if (vasprintf(&t->text, fmt, ap) < 0)
		t->text = NULL;
	va_end(ap);
	/* It becomes part of a line, and the guest may have written it. */
	for (char *p = t->text; p && *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
}

/* Does a line of @text, which stays as it is, match? */
static bool verdict_match(const regex_t *re, char *text)
{
	bool match = false;

	while (!match && *text) {
		char *end = text + strcspn(text, "\n"), c = *end;

		*end = '\0';
		match = !regexec(re, text, 0, NULL, 0);
		*end = c;
		text = end + (c == '\n');
	}
	return match;
}

/* The first of @list that @text has (@has) or has not. */
static const char *verdict_regex(const struct strings *list, char *text, bool has)
{
	for (unsigned int i = 0; i < list->nr; i++) {
		regex_t re;
		bool match;

		if (regcomp(&re, list->item[i], REG_EXTENDED | REG_NOSUB | REG_NEWLINE))
			continue;
		match = verdict_match(&re, text);
		regfree(&re);
		if (match == has)
			return list->item[i];
	}
	return NULL;
}

/* The command ended by itself. */
static void verdict_command(struct test *t, const struct test_traces *tr)
{
	const char *re;
	enum test_word word;
	char why[128] = "";

	re = verdict_regex(&t->expect, tr->out, false);
	if (re) {
		verdict_say(t, TEST_FAIL, "stdout lacks /%s/", re);
		return;
	}
	re = verdict_regex(&t->expect_err, tr->err, false);
	if (re) {
		verdict_say(t, TEST_FAIL, "stderr lacks /%s/", re);
		return;
	}
	re = verdict_regex(&t->reject, tr->out, true);
	if (!re)
		re = verdict_regex(&t->reject, tr->err, true);
	if (re) {
		verdict_say(t, TEST_FAIL, "there is /%s/", re);
		return;
	}
	if (t->skip_4 && t->got == STATUS_SKIP && t->status != STATUS_SKIP) {
		verdict_say(t, TEST_SKIP, "status 4");
		return;
	}
	if (t->kunit && !ktap_read(t, tr->kmsg, &word, why)) {
		verdict_say(t, TEST_FAIL, "no results of KUnit in the kernel's messages: it needs CONFIG_KUNIT and suites that are built in");
		return;
	}
	if ((t->kunit || ktap_read(t, tr->out, &word, why)) && word != TEST_PASS && t->got == t->status) {
		verdict_say(t, word, "%s", why);
		return;
	}
	t->word = TEST_PASS;
	if (t->got != t->status)
		verdict_say(t, TEST_FAIL, "status %d%s%s", t->got, *why ? ", " : "", why);
}

/* The last line of @text that says something. */
static const char *last_line(char *text)
{
	char *end = text + strlen(text), *line;

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	return !strncmp(line, "lkvm: ", 6) ? line + 6 : line;
}

void verdict(struct test *t, const struct test_traces *tr, const struct regex_list *allow)
{
	char *text = strchr(tr->outcome, '\n'), *splat = splat_find(tr->kmsg, allow);
	char word[16] = "";
	int status = -1;

	t->done = true;
	sscanf(tr->outcome, "%15s %d", word, &status);
	text = text ? text + 1 : tr->outcome + strlen(tr->outcome);
	text[strcspn(text, "\n")] = '\0';
	t->got = strcmp(word, "exit") ? -1 : status;
	if (!strcmp(word, "panic"))
		verdict_say(t, TEST_PANIC, "%s", text);
	else if (splat)
		verdict_say(t, TEST_OOPS, "%s", splat);
	else if (!strcmp(word, "timeout"))
		verdict_say(t, TEST_TIMEOUT, "%s", "no end within its time");
	else if (!strcmp(word, "gone"))
		verdict_say(t, TEST_PANIC, "%s", text);
	else if (t->got >= 0)
		verdict_command(t, tr);
	else
		verdict_say(t, TEST_ERROR, "%s", *text ? text : *tr->err ? last_line(tr->err) : "lkvm died");
	free(splat);
}
