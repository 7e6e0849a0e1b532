// SPDX-License-Identifier: GPL-2.0
/*
 * An installed kselftest tree: kselftest-list.txt has a line "COLLECTION:PROGRAM" for each
 * test, which runs in the collection's directory; a file "settings" there may say
 * "timeout=SECONDS". Documentation/dev-tools/kselftest.rst of the kernel.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/file.h>
#include <kvm/log.h>

#include "test.h"

#define KSELFTEST_TIMEOUT	45	/* tools/testing/selftests/kselftest/runner.sh */
#define KSELFTEST_TIMEOUT_MAX	(24 * 60 * 60)

static int kselftest_timeout(const char *cwd)
{
	int seconds = KSELFTEST_TIMEOUT;
	char path[PATH_MAX], *text, *at;
	size_t len;

	if (snprintf(path, sizeof(path), "%s/settings", cwd) >= (int)sizeof(path) ||
	    file_read(path, &text, &len))
		return seconds;
	at = !strncmp(text, "timeout=", 8) ? text : strstr(text, "\ntimeout=");
	if (at)
		seconds = atoi(strchr(at, '=') + 1);
	free(text);
	/* 0: none */
	return seconds > 0 && seconds < KSELFTEST_TIMEOUT_MAX ? seconds : KSELFTEST_TIMEOUT_MAX;
}

static int kselftest_add(struct tests *t, const char *dir, const char *collection, const char *program)
{
	char name[PATH_MAX], path[PATH_MAX], *full;
	struct test *test;
	int ret = 0;

	if (snprintf(name, sizeof(name), "%s:%s", collection, program) >= (int)sizeof(name) ||
	    snprintf(path, sizeof(path), "%s/%s", dir, collection) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	test = tests_add(t, name);
	full = realpath(path, NULL);
	if (!test || !full) {
		ret = test ? -errno : -ENOMEM;
		free(full);
		return ret;
	}
	test->cwd = full;
	test->skip_4 = true;
	test->timeout = kselftest_timeout(full);
	return strings_addf(&test->argv, "./%s", program);
}

int kselftest_load(struct tests *t, const char *dir, char *list)
{
	unsigned int nr = 0;
	char *line, *colon;
	int ret;

	while ((line = strsep(&list, "\n"))) {
		nr++;
		line[strcspn(line, "\r")] = '\0';
		if (!*line || *line == '#')
			continue;
		colon = strchr(line, ':');
		if (!colon || colon == line || !colon[1]) {
			pr_err("%s/kselftest-list.txt:%u: '%s' is not COLLECTION:PROGRAM", dir, nr, line);
			return -EINVAL;
		}
		*colon = '\0';
		ret = kselftest_add(t, dir, line, colon + 1);
		if (ret) {
			pr_err("%s/kselftest-list.txt:%u: %s: %s", dir, nr, line, strerror(-ret));
			return ret;
		}
	}
	return 0;
}
