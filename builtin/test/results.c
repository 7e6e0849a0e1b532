// SPDX-License-Identifier: GPL-2.0
/* Results in a file: written as JSON, read again, and compared. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/builtin.h>
#include <kvm/file.h>
#include <kvm/log.h>

#include "test.h"

#define RESULTS_VERSION	1

static void json_member(FILE *f, const char *name, const char *text)
{
	fprintf(f, ", \"%s\": ", name);
	json_print(f, text);
}

void report_json(FILE *f, const struct tests *t)
{
	const char *sep = "";

	fprintf(f, "{ \"version\": %d, \"lkvm\": ", RESULTS_VERSION);
	json_print(f, lkvm_version());
	fputs(", \"tests\": [", f);
	for (unsigned int i = 0; i < t->nr; i++) {
		const struct test *test = &t->item[i];

		if (!test->done)
			continue;
		fprintf(f, "%s\n  { \"name\": ", sep);
		sep = ",";
		json_print(f, test->name);
		json_member(f, "result", test_words[test->word]);
		if (test->got >= 0)
			fprintf(f, ", \"status\": %d", test->got);
		fprintf(f, ", \"start\": %llu, \"ms\": %llu, \"turns\": %u", (unsigned long long)test->start,
			(unsigned long long)test->ms, test->turns);
		if (test->flaky)
			fputs(", \"flaky\": true", f);
		if (test->kernel)
			json_member(f, "kernel", test->kernel);
		if (test->text)
			json_member(f, "text", test->text);
		if (test->dir)
			json_member(f, "logs", test->dir);
		for (unsigned int s = 0; s < test->nr_sub; s++) {
			fprintf(f, "%s\n    { \"name\": ", s ? "," : ", \"subtests\": [");
			json_print(f, test->sub[s].name);
			json_member(f, "result", test_words[test->sub[s].word]);
			fputs(" }", f);
		}
		fputs(test->nr_sub ? "] }" : " }", f);
	}
	fputs("\n] }\n", f);
}

static const char *json_text(const struct json *object, const char *name)
{
	const struct json *j = json_get(object, name);

	return j && j->kind == JSON_STRING ? j->text : NULL;
}

static double json_range(const struct json *object, const char *name, double max)
{
	const struct json *j = json_get(object, name);

	return j && j->kind == JSON_NUMBER && j->number >= 0 && j->number <= max ? j->number : 0;
}

/* The index of @text in test_words, or -1. */
static int results_word(const char *text)
{
	for (int w = 0; text && w < TEST_WORDS; w++)
		if (!strcmp(text, test_words[w]))
			return w;
	return -1;
}

static int results_subs(struct test *t, const struct json *subs)
{
	unsigned int n = 0;

	if (!subs || subs->kind != JSON_ARRAY)
		return 0;
	for (const struct json *j = subs->child; j; j = j->next)
		n++;
	t->sub = calloc(n + 1, sizeof(*t->sub));
	if (!t->sub)
		return -ENOMEM;
	for (const struct json *j = subs->child; j; j = j->next) {
		const char *name = json_text(j, "name");
		int word = results_word(json_text(j, "result"));

		if (!name || word < 0)
			return -EINVAL;
		t->sub[t->nr_sub].name = strdup(name);
		if (!t->sub[t->nr_sub].name)
			return -ENOMEM;
		t->sub[t->nr_sub++].word = word;
	}
	return 0;
}

static int results_test(struct tests *t, const struct json *j)
{
	const char *name = json_text(j, "name"), *text = json_text(j, "text");
	const char *kernel = json_text(j, "kernel"), *dir = json_text(j, "logs");
	const struct json *flaky = json_get(j, "flaky");
	int word = results_word(json_text(j, "result"));
	struct test *test;

	if (!name || word < 0)
		return -EINVAL;
	test = tests_add(t, name);
	if (!test)
		return -ENOMEM;
	test->word = word;
	test->done = true;
	test->got = json_get(j, "status") ? json_range(j, "status", 255) : -1;
	test->ms = json_range(j, "ms", 1e15);
	test->start = json_range(j, "start", 1e15);
	test->turns = json_range(j, "turns", 1e9);
	test->flaky = flaky && flaky->number;
	test->text = text ? strdup(text) : NULL;
	test->kernel = kernel ? strdup(kernel) : NULL;
	test->dir = dir ? strdup(dir) : NULL;
	return results_subs(test, json_get(j, "subtests"));
}

int results_load(struct tests *t, const char *path)
{
	const struct json *list, *version;
	char why[128], *text;
	struct json *j;
	size_t len;
	int ret = file_read(path, &text, &len);

	if (ret) {
		pr_err("%s: %s", path, strerror(-ret));
		return ret;
	}
	j = json_parse(text, len, why);
	free(text);
	if (!j) {
		pr_err("%s: %s", path, why);
		return -EINVAL;
	}
	list = json_get(j, "tests");
	version = json_get(j, "version");
	if (!list || list->kind != JSON_ARRAY || !version || version->number != RESULTS_VERSION) {
		pr_err("%s: these are no results as 'lkvm test --json' writes them, in version %d", path, RESULTS_VERSION);
		ret = -EINVAL;
	}
	for (const struct json *test = ret ? NULL : list->child; test && !ret; test = test->next) {
		ret = results_test(t, test);
		if (ret)
			pr_err("%s: a test without a name or a result: %s", path, strerror(-ret));
	}
	json_free(j);
	return ret;
}

/* What became of a test, from one run to the next. */
enum change { CHANGE_NEW_FAILURE, CHANGE_FIXED, CHANGE_STILL, CHANGE_GONE, CHANGE_NEW, CHANGES };

static const char *const change_words[CHANGES + 1] = {
	[CHANGE_NEW_FAILURE] = "new failure", [CHANGE_FIXED] = "fixed", [CHANGE_STILL] = "still failing",
	[CHANGE_GONE] = "gone", [CHANGE_NEW] = "new", [CHANGES] = "",
};

static void baseline_line(FILE *f, enum change c, const struct test *t, const struct test *old)
{
	fprintf(f, "# %-14s %-8s %-8s %s\n", change_words[c], old ? test_words[old->word] : "-",
		t ? test_words[t->word] : "-", t ? t->name : old->name);
}

static enum change baseline_change(const struct test *t, const struct test *old)
{
	if (!t)
		return CHANGE_GONE;
	if (test_failed(t))
		return old && test_failed(old) ? CHANGE_STILL : CHANGE_NEW_FAILURE;
	return !old ? CHANGE_NEW : test_failed(old) ? CHANGE_FIXED : CHANGES;
}

const char *baseline_word(const struct test *t, const struct test *old)
{
	return change_words[baseline_change(t, old)];
}

unsigned int baseline_print(FILE *f, const struct tests *t, const struct tests *old)
{
	unsigned int nr = 0;

	fprintf(f, "# %-14s %-8s %-8s %s\n", "change", "before", "now", "test");
	for (enum change c = 0; c < CHANGES; c++) {
		for (unsigned int i = 0; c != CHANGE_GONE && i < t->nr; i++) {
			const struct test *was = tests_find(old, t->item[i].name);

			if (!t->item[i].done || baseline_change(&t->item[i], was) != c)
				continue;
			baseline_line(f, c, &t->item[i], was);
			nr += c == CHANGE_NEW_FAILURE;
		}
		for (unsigned int i = 0; c == CHANGE_GONE && i < old->nr; i++)
			if (!tests_find(t, old->item[i].name))
				baseline_line(f, c, NULL, &old->item[i]);
	}
	return nr;
}
