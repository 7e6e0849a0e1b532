// SPDX-License-Identifier: GPL-2.0
/*
 * Results as a page for a browser, without scripts and resources from elsewhere: a row for each
 * test, a column for each kernel, and what has changed since an earlier run.
 */
#include <string.h>

#include <kvm/builtin.h>

#include "test.h"

static const char html_style[] =
	"body { font: 14px sans-serif; margin: 2em }\n"
	"table { border-collapse: collapse }\n"
	"th, td { border: 1px solid #bbb; padding: 3px 8px; text-align: left; vertical-align: top }\n"
	".pass { background: #dfd } .skip { background: #eee } .error { background: #ffd }\n"
	".fail, .timeout, .panic, .oops { background: #fcc }\n"
	".text { color: #555; white-space: pre-wrap; max-width: 50em }\n";

static bool html_same_kernel(const struct test *a, const struct test *b)
{
	return !strcmp(a->kernel ?: "", b->kernel ?: "");
}

/* Is it the first of its name (@kernel: of its kernel) among those that ended? */
static bool html_first(const struct tests *t, unsigned int index, bool kernel)
{
	for (unsigned int i = 0; i < index; i++) {
		const struct test *a = &t->item[i], *b = &t->item[index];

		if (a->done && (kernel ? html_same_kernel(a, b) : !strcmp(test_name(a), test_name(b))))
			return false;
	}
	return true;
}

static void html_result(FILE *f, const struct test *t)
{
	if (!t) {
		fputs("<td></td>", f);
		return;
	}
	fprintf(f, "<td class=\"%s\">%s%s, %.1f s", test_words[t->word], test_words[t->word],
		t->flaky ? ", flaky" : "", t->ms / 1000.0);
	if (t->text) {
		fputs("<div class=\"text\">", f);
		xml_print(f, t->text);
		fputs("</div>", f);
	}
	for (unsigned int s = 0; s < t->nr_sub; s++) {
		if (t->sub[s].word == TEST_PASS)
			continue;
		fprintf(f, "<div class=\"text\">%s: ", test_words[t->sub[s].word]);
		xml_print(f, t->sub[s].name);
		fputs("</div>", f);
	}
	if (t->dir) {
		fputs("<div class=\"text\">logs: ", f);
		xml_print(f, t->dir);
		fputs("</div>", f);
	}
	fputs("</td>", f);
}

/* The result of the test called as number @row is, on the kernel of number @column. */
static const struct test *html_cell(const struct tests *t, unsigned int row, unsigned int column)
{
	for (unsigned int i = row; i < t->nr; i++) {
		const struct test *test = &t->item[i];

		if (test->done && html_same_kernel(test, &t->item[column]) &&
		    !strcmp(test_name(test), test_name(&t->item[row])))
			return test;
	}
	return NULL;
}

static void html_row(FILE *f, const struct tests *t, unsigned int row, const struct tests *old)
{
	fputs("<tr><td>", f);
	xml_print(f, test_name(&t->item[row]));
	fputs("</td>", f);
	for (unsigned int k = 0; k < t->nr; k++) {
		const struct test *test, *was;

		if (!t->item[k].done || !html_first(t, k, true))
			continue;
		test = html_cell(t, row, k);
		html_result(f, test);
		if (!old)
			continue;
		was = test ? tests_find(old, test->name) : NULL;
		fprintf(f, "<td class=\"%s\">%s</td><td>%s</td>", was ? test_words[was->word] : "skip",
			was ? test_words[was->word] : "-", test ? baseline_word(test, was) : "");
	}
	fputs("</tr>\n", f);
}

static void html_head(FILE *f, const struct tests *t, const struct tests *old)
{
	fputs("<table>\n<tr><th>test</th>", f);
	for (unsigned int k = 0; k < t->nr; k++) {
		if (!t->item[k].done || !html_first(t, k, true))
			continue;
		fputs("<th>", f);
		xml_print(f, t->item[k].kernel ?: "result");
		fputs(old ? "</th><th>before</th><th>change</th>" : "</th>", f);
	}
	fputs("</tr>\n", f);
}

void report_html(FILE *f, const struct tests *t, const struct tests *old)
{
	fprintf(f, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>lkvm test</title>\n"
		"<style>\n%s</style>\n</head>\n<body>\n<h1>lkvm test</h1>\n<p>", html_style);
	report_totals(f, t);
	fputs(". lkvm ", f);
	xml_print(f, lkvm_version());
	fputs("</p>\n", f);
	html_head(f, t, old);
	for (unsigned int i = 0; i < t->nr; i++)
		if (t->item[i].done && html_first(t, i, false))
			html_row(f, t, i, old);
	fputs("</table>\n", f);
	for (unsigned int i = 0, n = 0; old && i < old->nr; i++) {
		if (tests_find(t, old->item[i].name))
			continue;
		fputs(n++ ? ", " : "<p>Gone: ", f);
		xml_print(f, old->item[i].name);
	}
	fputs(old ? "</p>\n</body>\n</html>\n" : "</body>\n</html>\n", f);
}
