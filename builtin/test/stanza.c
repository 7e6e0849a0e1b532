// SPDX-License-Identifier: GPL-2.0
/*
 * A plan in stanzas:
 *
 *	[name]
 *	cmd=a script for sh		a line that begins with a tab continues it
 *	kernel=FILE			for -k
 *	cpus=2  mem=1G  params=quiet	for -c, -m, -p
 *	options=--share /srv		more words for "lkvm run", split at blanks
 *	expect=REGEX			stdout has a line like this; and expect-stderr=, reject=
 *	status=0  timeout=60  arch=x86_64
 *	needs=PROGRAM			without it in $PATH the test is skipped
 */
#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>

#include "test.h"

struct stanzas {
	const char *path;
	unsigned int line;
	struct tests *tests;
	struct test *test;		/* that the lines belong to, or NULL */
	bool in_cmd;			/* the last key was cmd */
};

static int stanza_err(const struct stanzas *s, const char *what, const char *text)
{
	pr_err("%s:%u: %s%s", s->path, s->line, what, text);
	return -EINVAL;
}

static int stanza_number(const struct stanzas *s, const char *value, int max, int *n)
{
	char *end;
	long v = strtol(value, &end, 10);

	if (end == value || *end || v < 0 || v > max)
		return stanza_err(s, "not a number that is possible here: ", value);
	*n = v;
	return 0;
}

static int stanza_regex(const struct stanzas *s, struct strings *list, const char *value)
{
	size_t len = strlen(value);
	char text[1024];
	regex_t re;

	if (len >= 2 && value[0] == '"' && value[len - 1] == '"')
		value++, len -= 2;
	if (snprintf(text, sizeof(text), "%.*s", (int)len, value) >= (int)sizeof(text))
		return stanza_err(s, "the expression is too long", "");
	if (regcomp(&re, text, REG_EXTENDED | REG_NOSUB | REG_NEWLINE))
		return stanza_err(s, "not an extended regular expression: ", text);
	regfree(&re);
	return strings_add(list, text);
}

static int stanza_words(struct strings *list, char *value)
{
	char *word;

	while ((word = strsep(&value, " \t")))
		if (*word && strings_add(list, word))
			return -ENOMEM;
	return 0;
}

static bool stanza_has(const char *program)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	for (size_t n; path && *path; path += n + (path[n] == ':')) {
		n = strcspn(path, ":");
		if (snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, program) < (int)sizeof(file) &&
		    !access(file, X_OK))
			return true;
	}
	return false;
}

static int stanza_skip(struct test *t, const char *what, const char *text)
{
	return t->skip || asprintf(&t->skip, "%s%s", what, text) >= 0 ? 0 : -ENOMEM;
}

static int stanza_arch(struct test *t, const char *arch)
{
	struct utsname u;

	uname(&u);
	return strcmp(u.machine, arch) ? stanza_skip(t, "it is for ", arch) : 0;
}

static int stanza_option(struct test *t, const char *option, const char *value)
{
	return strings_add(&t->options, option) ?: strings_add(&t->options, value);
}

static int stanza_key(struct stanzas *s, const char *key, char *value)
{
	struct test *t = s->test;

	s->in_cmd = !strcmp(key, "cmd");
	if (s->in_cmd)
		return t->argv.nr ? stanza_err(s, "a second cmd=", "") :
			strings_add(&t->argv, "sh") ?: strings_add(&t->argv, "-c") ?: strings_add(&t->argv, value);
	if (!strcmp(key, "kernel")) {
		free(t->kernel);
		t->kernel = strdup(value);
		return t->kernel ? 0 : -ENOMEM;
	}
	if (!strcmp(key, "cpus"))
		return stanza_option(t, "-c", value);
	if (!strcmp(key, "mem"))
		return stanza_option(t, "-m", value);
	if (!strcmp(key, "params"))
		return stanza_option(t, "-p", value);
	if (!strcmp(key, "options"))
		return stanza_words(&t->options, value);
	if (!strcmp(key, "expect"))
		return stanza_regex(s, &t->expect, value);
	if (!strcmp(key, "expect-stderr"))
		return stanza_regex(s, &t->expect_err, value);
	if (!strcmp(key, "reject"))
		return stanza_regex(s, &t->reject, value);
	if (!strcmp(key, "status"))
		return stanza_number(s, value, 255, &t->status);
	if (!strcmp(key, "timeout"))
		return stanza_number(s, value, INT_MAX / 4000, &t->timeout);
	if (!strcmp(key, "needs"))
		return stanza_has(value) ? 0 : stanza_skip(t, "there is no ", value);
	if (!strcmp(key, "arch"))
		return stanza_arch(t, value);
	return stanza_err(s, "unknown key, there are cmd, kernel, cpus, mem, params, options, expect, expect-stderr, "
			  "reject, status, timeout, needs and arch: ", key);
}

/* The stanza that has ended needs a command. */
static int stanza_end(const struct stanzas *s)
{
	return s->test && !s->test->argv.nr ? stanza_err(s, "no cmd= in the stanza before: ", s->test->name) : 0;
}

static int stanza_line(struct stanzas *s, char *line)
{
	size_t len = strlen(line);
	char *eq;

	if (*line == '\t' && s->in_cmd) {
		char **cmd = &s->test->argv.item[2], *more;

		if (asprintf(&more, "%s\n%s", *cmd, line + 1) < 0)
			return -ENOMEM;
		free(*cmd);
		*cmd = more;
		return 0;
	}
	if (!*line || *line == '#')
		return 0;
	if (*line == '[' && line[len - 1] == ']' && len > 2) {
		if (stanza_end(s))
			return -EINVAL;
		line[len - 1] = '\0';
		if (tests_find(s->tests, line + 1))
			return stanza_err(s, "there are two of this name: ", line + 1);
		s->test = tests_add(s->tests, line + 1);
		s->in_cmd = false;
		return s->test ? 0 : -ENOMEM;
	}
	eq = strchr(line, '=');
	if (!eq)
		return stanza_err(s, "neither [name] nor KEY=VALUE: ", line);
	*eq = '\0';
	return stanza_key(s, line, eq + 1);
}

int stanzas_load(struct tests *t, const char *path, char *text)
{
	struct stanzas s = { .path = path, .tests = t };
	char *line;
	int ret = 0;

	while (!ret && (line = strsep(&text, "\n"))) {
		s.line++;
		line[strcspn(line, "\r")] = '\0';
		ret = stanza_line(&s, line);
	}
	if (ret == -ENOMEM)
		pr_err("out of memory");
	return ret ?: stanza_end(&s);
}
