// SPDX-License-Identifier: GPL-2.0
/* Lists of strings and of tests. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/log.h>

#include "test.h"

const char *const test_words[TEST_WORDS + 1] = {
	"pass", "fail", "skip", "timeout", "panic", "oops", "error", NULL
};

static int strings_take(struct strings *s, char *text)
{
	char **item = text ? reallocarray(s->item, s->nr + 2, sizeof(*item)) : NULL;

	if (!item) {
		free(text);
		return -ENOMEM;
	}
	item[s->nr++] = text;
	item[s->nr] = NULL;
	s->item = item;
	return 0;
}

int strings_add(struct strings *s, const char *text)
{
	return strings_take(s, strdup(text));
}

int strings_addf(struct strings *s, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return strings_take(s, text);
}

void strings_free(struct strings *s)
{
	for (unsigned int i = 0; i < s->nr; i++)
		free(s->item[i]);
	free(s->item);
	*s = (struct strings){ NULL, 0 };
}

struct test *tests_find(const struct tests *t, const char *name)
{
	for (unsigned int i = 0; i < t->nr; i++)
		if (!strcmp(t->item[i].name, name))
			return &t->item[i];
	return NULL;
}

struct test *tests_add(struct tests *t, const char *name)
{
	struct test *item = reallocarray(t->item, t->nr + 1, sizeof(*item));
	char *own = strdup(name);

	if (item)
		t->item = item;
	for (unsigned int n = 2; own && tests_find(t, own); n++) {
		free(own);
		if (asprintf(&own, "%s#%u", name, n) < 0)
			own = NULL;
	}
	if (!item || !own) {
		free(own);
		pr_err("out of memory");
		return NULL;
	}
	item += t->nr++;
	*item = (struct test){ .name = own, .got = -1 };
	return item;
}

static int strings_copy(struct strings *to, const struct strings *from)
{
	for (unsigned int i = 0; i < from->nr; i++)
		if (strings_add(to, from->item[i]))
			return -ENOMEM;
	return 0;
}

struct test *tests_copy(struct tests *t, unsigned int index, const char *name)
{
	struct test *to = tests_add(t, name), *from = &t->item[index];

	if (!to)
		return NULL;
	to->kernel = from->kernel ? strdup(from->kernel) : NULL;
	to->cwd = from->cwd ? strdup(from->cwd) : NULL;
	to->skip = from->skip ? strdup(from->skip) : NULL;
	to->timeout = from->timeout;
	to->status = from->status;
	to->skip_4 = from->skip_4;
	to->kunit = from->kunit;
	if (strings_copy(&to->argv, &from->argv) || strings_copy(&to->options, &from->options) ||
	    strings_copy(&to->expect, &from->expect) || strings_copy(&to->expect_err, &from->expect_err) ||
	    strings_copy(&to->reject, &from->reject))
		return NULL;
	return to;
}

const char *test_name(const struct test *t)
{
	size_t len = t->kernel ? strlen(t->kernel) : 0;

	return len && !strncmp(t->name, t->kernel, len) && !strncmp(t->name + len, ": ", 2) ? t->name + len + 2 : t->name;
}

void test_clear(struct test *t)
{
	for (unsigned int i = 0; i < t->nr_sub; i++)
		free(t->sub[i].name);
	free(t->sub);
	free(t->text);
	t->sub = NULL;
	t->text = NULL;
	t->nr_sub = 0;
	t->done = false;
	t->got = -1;
}

static void test_free(struct test *t)
{
	test_clear(t);
	strings_free(&t->argv);
	strings_free(&t->options);
	strings_free(&t->expect);
	strings_free(&t->expect_err);
	strings_free(&t->reject);
	free(t->name);
	free(t->kernel);
	free(t->cwd);
	free(t->skip);
	free(t->dir);
}

void tests_free(struct tests *t)
{
	for (unsigned int i = 0; i < t->nr; i++)
		test_free(&t->item[i]);
	free(t->item);
	*t = (struct tests){ NULL, 0 };
}

void tests_keep(struct tests *t, bool (*keep)(const struct test *t, const void *arg), const void *arg)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < t->nr; i++) {
		if (keep(&t->item[i], arg))
			t->item[n++] = t->item[i];
		else
			test_free(&t->item[i]);
	}
	t->nr = n;
}
