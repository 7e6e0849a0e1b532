// SPDX-License-Identifier: GPL-2.0
/*
 * Results as a page for a browser, without scripts and resources from elsewhere: a row for each
 * test, a column for each kernel, and what has changed since an earlier run.
 */
#include <errno.h>
#include <stdlib.h>
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

struct html_page {
	FILE *f;
	const struct tests *t, *old;	/* old: of an earlier run, or NULL */
	unsigned int *column, columns;	/* the first test of each kernel */
};

static bool html_same_kernel(const struct test *a, const struct test *b)
{
	return !strcmp(a->kernel ?: "", b->kernel ?: "");
}

/* The columns: one for each kernel, in the order of the tests. False: no memory. */
static bool html_columns(struct html_page *p)
{
	const struct test *item = p->t->item;
	unsigned int i, k;

	p->column = calloc(p->t->nr + 1, sizeof(*p->column));
	for (i = 0; p->column && i < p->t->nr; i++) {
		for (k = 0; k < p->columns && !html_same_kernel(&item[p->column[k]], &item[i]); k++)
			;
		if (item[i].done && k == p->columns)
			p->column[p->columns++] = i;
	}
	return p->column;
}

/* Is it the first of its name among those that ended? */
static bool html_first(const struct tests *t, unsigned int index)
{
	for (unsigned int i = 0; i < index; i++)
		if (t->item[i].done && !strcmp(test_name(&t->item[i]), test_name(&t->item[index])))
			return false;
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

static void html_row(const struct html_page *p, unsigned int row)
{
	fputs("<tr><td>", p->f);
	xml_print(p->f, test_name(&p->t->item[row]));
	fputs("</td>", p->f);
	for (unsigned int k = 0; k < p->columns; k++) {
		const struct test *test = html_cell(p->t, row, p->column[k]), *was;

		html_result(p->f, test);
		if (!p->old)
			continue;
		was = test ? tests_find(p->old, test->name) : NULL;
		fprintf(p->f, "<td class=\"%s\">%s</td><td>%s</td>", was ? test_words[was->word] : "skip",
			was ? test_words[was->word] : "-", test ? baseline_word(test, was) : "");
	}
	fputs("</tr>\n", p->f);
}

static void html_table(const struct html_page *p)
{
	fputs("<table>\n<tr><th>test</th>", p->f);
	for (unsigned int k = 0; k < p->columns; k++) {
		fputs("<th>", p->f);
		xml_print(p->f, p->t->item[p->column[k]].kernel ?: "result");
		fputs(p->old ? "</th><th>before</th><th>change</th>" : "</th>", p->f);
	}
	fputs("</tr>\n", p->f);
	for (unsigned int i = 0; i < p->t->nr; i++)
		if (p->t->item[i].done && html_first(p->t, i))
			html_row(p, i);
	fputs("</table>\n", p->f);
}

static void html_gone(const struct html_page *p)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < p->old->nr; i++) {
		if (tests_find(p->t, p->old->item[i].name))
			continue;
		fputs(n++ ? ", " : "<p>Gone: ", p->f);
		xml_print(p->f, p->old->item[i].name);
	}
	if (n)
		fputs("</p>\n", p->f);
}

int report_html(FILE *f, const struct tests *t, const struct tests *old)
{
	struct html_page p = { .f = f, .t = t, .old = old };

	if (!html_columns(&p))
		return -ENOMEM;
	fprintf(f, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>lkvm test</title>\n"
		"<style>\n%s</style>\n</head>\n<body>\n<h1>lkvm test</h1>\n<p>", html_style);
	report_totals(f, t);
	fputs(". lkvm ", f);
	xml_print(f, lkvm_version());
	fputs("</p>\n", f);
	html_table(&p);
	if (old)
		html_gone(&p);
	fputs("</body>\n</html>\n", f);
	free(p.column);
	return 0;
}
