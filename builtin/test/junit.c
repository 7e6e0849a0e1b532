// SPDX-License-Identifier: GPL-2.0
/* Results as JUnit's XML, as Jenkins and GitLab read it. */
#include <stdio.h>

#include "test.h"

void xml_print(FILE *f, const char *text)
{
	for (; *text; text++) {
		unsigned char c = *text;

		switch (c) {
		case '<': fputs("&lt;", f); break;
		case '>': fputs("&gt;", f); break;
		case '&': fputs("&amp;", f); break;
		case '"': fputs("&quot;", f); break;
		case '\n': fputs("&#10;", f); break;
		case '\t': fputs("&#9;", f); break;
		default: putc(c < 0x20 || c >= 0x7f ? '?' : c, f);
		}
	}
}

static void junit_case(FILE *f, const char *class, const char *name, enum test_word word, u64 ms,
		       const char *text)
{
	static const char *const tag[TEST_WORDS] = {
		[TEST_FAIL] = "failure", [TEST_SKIP] = "skipped", [TEST_TIMEOUT] = "failure",
		[TEST_PANIC] = "failure", [TEST_OOPS] = "failure", [TEST_ERROR] = "error",
	};

	fputs("    <testcase classname=\"", f);
	xml_print(f, class);
	fputs("\" name=\"", f);
	xml_print(f, name);
	fprintf(f, "\" time=\"%llu.%03llu\"", (unsigned long long)ms / 1000, (unsigned long long)ms % 1000);
	if (!tag[word]) {
		fputs("/>\n", f);
		return;
	}
	fprintf(f, ">\n      <%s message=\"", tag[word]);
	xml_print(f, text ? text : test_words[word]);
	if (word == TEST_SKIP)
		fputs("\"/>\n", f);
	else
		fprintf(f, "\" type=\"%s\"/>\n", test_words[word]);
	fputs("    </testcase>\n", f);
}

void report_junit(FILE *f, const struct tests *t)
{
	unsigned int all = 0, failed = 0, errors = 0, skipped = 0;
	u64 ms = 0;

	for (unsigned int i = 0; i < t->nr; i++) {
		const struct test *test = &t->item[i];

		if (!test->done)
			continue;
		all += 1 + test->nr_sub;
		errors += test->word == TEST_ERROR;
		skipped += test->word == TEST_SKIP;
		failed += test_failed(test) && test->word != TEST_ERROR;
		for (unsigned int s = 0; s < test->nr_sub; s++) {
			failed += test->sub[s].word == TEST_FAIL;
			skipped += test->sub[s].word == TEST_SKIP;
		}
		ms += test->ms;
	}
	fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"lkvm test\" tests=\"%u\" "
		"failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"%llu.%03llu\">\n",
		all, failed, errors, skipped, (unsigned long long)ms / 1000, (unsigned long long)ms % 1000);
	for (unsigned int i = 0; i < t->nr; i++) {
		const struct test *test = &t->item[i];

		for (unsigned int s = 0; test->done && s < test->nr_sub; s++)
			junit_case(f, test->name, test->sub[s].name, test->sub[s].word, 0, NULL);
		if (test->done)
			junit_case(f, "lkvm", test->name, test->word, test->ms, test->text);
	}
	fputs("  </testsuite>\n</testsuites>\n", f);
}
