// SPDX-License-Identifier: GPL-2.0
/* Results as KTAP version 1, and the exit status that they come to. */
#include <ctype.h>
#include <string.h>

#include <kvm/builtin.h>

#include "test.h"

bool test_failed(const struct test *t)
{
	return t->word != TEST_PASS && t->word != TEST_SKIP;
}

/* In a name # begins a directive, and a line ends at its end. */
static void report_name(FILE *f, const char *name)
{
	for (; *name; name++) {
		if (*name == '#' || *name == '\\')
			putc('\\', f);
		putc(iscntrl((unsigned char)*name) ? ' ' : *name, f);
	}
}

static void report_subs(FILE *f, const struct test *t)
{
	if (!t->nr_sub)
		return;
	fprintf(f, "  KTAP version 1\n  1..%u\n", t->nr_sub);
	for (unsigned int i = 0; i < t->nr_sub; i++) {
		fprintf(f, "  %s %u ", t->sub[i].word == TEST_FAIL ? "not ok" : "ok", i + 1);
		report_name(f, t->sub[i].name);
		fputs(t->sub[i].word == TEST_SKIP ? " # SKIP\n" : "\n", f);
	}
}

void report_begin(FILE *f, unsigned int nr)
{
	fprintf(f, "KTAP version 1\n1..%u\n", nr);
}

void report_test(FILE *f, const struct test *t, unsigned int n)
{
	report_subs(f, t);
	fprintf(f, "%s %u ", test_failed(t) ? "not ok" : "ok", n);
	report_name(f, t->name);
	if (t->word == TEST_SKIP)
		fprintf(f, " # SKIP %s", t->text ? t->text : "");
	else if (t->word == TEST_TIMEOUT)
		fprintf(f, " # TIMEOUT %s", t->text ? t->text : "");
	else if (test_failed(t))
		fprintf(f, " # %s%s%s", test_words[t->word], t->text ? ": " : "", t->text ? t->text : "");
	else
		fprintf(f, " # %.1f s", t->ms / 1000.0);
	if (t->flaky)
		fprintf(f, ", flaky: it passed in turn %u", t->turns);
	putc('\n', f);
	fflush(f);
}

static void report_count(const struct tests *t, unsigned int count[TEST_WORDS])
{
	memset(count, 0, TEST_WORDS * sizeof(*count));
	for (unsigned int i = 0; i < t->nr; i++)
		if (t->item[i].done)
			count[t->item[i].word]++;
}

void report_totals(FILE *f, const struct tests *t)
{
	unsigned int count[TEST_WORDS], known = 0, flaky = 0;

	report_count(t, count);
	for (int w = 0; w < TEST_WORDS; w++) {
		fprintf(f, "%s%s:%u", w ? " " : "", test_words[w], count[w]);
		known += count[w];
	}
	for (unsigned int i = 0; i < t->nr; i++)
		flaky += t->item[i].done && t->item[i].flaky;
	if (flaky)
		fprintf(f, " (flaky:%u)", flaky);
	if (known < t->nr)
		fprintf(f, ", not run:%u", t->nr - known);
}

void report_end(FILE *f, const struct tests *t)
{
	fputs("# Totals: ", f);
	report_totals(f, t);
	putc('\n', f);
}

int report_status(const struct tests *t, const struct tests *old)
{
	unsigned int count[TEST_WORDS] = { 0 }, all = 0;

	for (unsigned int i = 0; i < t->nr; i++) {
		const struct test *test = &t->item[i], *was = old ? tests_find(old, test->name) : NULL;

		if (!test->done)
			continue;
		all++;
		count[test_failed(test) && was && test_failed(was) ? TEST_PASS : test->word]++;
	}
	if (all == count[TEST_PASS] + count[TEST_SKIP])
		return 0;
	if (all == count[TEST_PANIC] + count[TEST_OOPS])
		return STATUS_PANIC;
	if (all == count[TEST_TIMEOUT])
		return STATUS_TIMEOUT;
	/* A machine error says nothing about the kernel: "git bisect run" skips it. */
	return all == count[TEST_PASS] + count[TEST_SKIP] + count[TEST_ERROR] ? STATUS_FAILED : 1;
}
