// SPDX-License-Identifier: GPL-2.0
/*
 * What is to be tested: a file with a command per line, or in stanzas; a directory of
 * programs; an installed kselftest tree; a program.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/file.h>
#include <kvm/log.h>

#include "test.h"

static int no_memory(void)
{
	pr_err("out of memory");
	return -ENOMEM;
}

int plan_command(struct tests *t, const char *name, char **argv)
{
	struct test *test = tests_add(t, name);

	for (; test && *argv; argv++)
		if (strings_add(&test->argv, *argv))
			return no_memory();
	return test ? 0 : -ENOMEM;
}

int plan_sh(struct tests *t, const char *line)
{
	char *argv[] = { "sh", "-c", (char *)line, NULL };

	return plan_command(t, line, argv);
}

/* KUnit's suites run while the kernel boots, before the command. */
int plan_kunit(struct tests *t, const char *glob)
{
	char *argv[] = { "true", NULL };
	int ret = plan_command(t, "kunit", argv);
	struct test *test = t->nr ? &t->item[t->nr - 1] : NULL;

	if (ret)
		return ret;
	test->kunit = true;
	if (strings_add(&test->options, "-p") ||
	    strings_addf(&test->options, "kunit.enable=1%s%s", *glob ? " kunit.filter_glob=" : "", glob))
		return no_memory();
	return 0;
}

/* Commands, one a line; empty lines and those that begin with # are none. */
static int plan_lines(struct tests *t, char *text)
{
	char *line;
	int ret = 0;

	while (!ret && (line = strsep(&text, "\n"))) {
		line += strspn(line, " \t");
		if (*line && *line != '#')
			ret = plan_sh(t, line);
	}
	return ret;
}

/* A program, called @name, to be run in @cwd. */
static int plan_program(struct tests *t, const char *name, const char *path, const char *cwd)
{
	char *full = realpath(path, NULL), *argv[] = { full, NULL };
	int ret = full ? plan_command(t, name, argv) : -errno;
	struct test *test = t->nr ? &t->item[t->nr - 1] : NULL;

	free(full);
	if (ret)
		return ret;
	test->skip_4 = true;
	if (cwd) {
		test->cwd = realpath(cwd, NULL);
		if (!test->cwd)
			return -errno;
	}
	return 0;
}

static int plan_is_program(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int plan_programs(struct tests *t, const char *dir)
{
	struct dirent **list;
	int n = scandir(dir, &list, plan_is_program, alphasort), ret = 0;
	unsigned int before = t->nr;
	char path[PATH_MAX];
	struct stat st;

	if (n < 0) {
		ret = -errno;
		pr_err("%s: %s", dir, strerror(errno));
		return ret;
	}
	for (int i = 0; i < n; i++) {
		int len = snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);

		if (!ret && len < (int)sizeof(path) && !stat(path, &st) && S_ISREG(st.st_mode) &&
		    !access(path, X_OK))
			ret = plan_program(t, list[i]->d_name, path, dir);
		free(list[i]);
	}
	free(list);
	if (!ret && t->nr == before) {
		pr_err("%s: no program in it, each of which would be a test, and no kselftest-list.txt", dir);
		ret = -ENOENT;
	}
	return ret;
}

/* Stanzas begin with "[name]", before anything but comments. */
static bool plan_has_stanzas(const char *text)
{
	for (;;) {
		text += strspn(text, " \t\r\n");
		if (*text != '#')
			return *text == '[';
		text += strcspn(text, "\n");
	}
}

static int plan_file(struct tests *t, const char *path)
{
	size_t len;
	char *text;
	int ret = file_read(path, &text, &len);

	if (ret) {
		pr_err("%s: %s", path, strerror(-ret));
		return ret;
	}
	if (strlen(text) != len) {
		pr_err("%s: this is no text; a program that is to be run has to be executable", path);
		ret = -EINVAL;
	} else if (plan_has_stanzas(text)) {
		ret = stanzas_load(t, path, text);
	} else {
		ret = plan_lines(t, text);
	}
	free(text);
	return ret;
}

int plan_load(struct tests *t, const char *path)
{
	char list[PATH_MAX];
	struct stat st;
	size_t len;
	char *text;
	int ret;

	if (stat(path, &st)) {
		ret = -errno;
		pr_err("%s: %s; a command stands behind --", path, strerror(errno));
		return ret;
	}
	if (S_ISREG(st.st_mode) && !access(path, X_OK))
		return plan_program(t, path, path, NULL);
	if (!S_ISDIR(st.st_mode))
		return plan_file(t, path);
	if (snprintf(list, sizeof(list), "%s/kselftest-list.txt", path) >= (int)sizeof(list))
		return -ENAMETOOLONG;
	ret = file_read(list, &text, &len);
	if (ret)
		return plan_programs(t, path);
	ret = kselftest_load(t, path, text);
	free(text);
	return ret;
}
