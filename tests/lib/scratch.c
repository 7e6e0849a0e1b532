// SPDX-License-Identifier: GPL-2.0
/* A directory for a test's files: see scratch.h. */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scratch.h"

static char scratch_path[64];

static void scratch_fail(const char *what)
{
	perror(what);
	abort();
}

static int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	remove(path);
	return 0;
}

/* A process that outlives the test, however that ends, removes the directory. */
static void scratch_cleaner(void)
{
	int end[2], ready[2];
	char byte;

	if (pipe2(end, O_CLOEXEC) || pipe2(ready, O_CLOEXEC))
		scratch_fail("pipe");
	if (fork()) {
		/* Only in a session of its own is it safe from who ends the test. */
		close(ready[1]);
		while (read(ready[0], &byte, 1) < 0)
			;
		close(ready[0]);
		close(end[0]);
		return;
	}
	setsid();
	close(end[1]);
	close(ready[0]);
	close(ready[1]);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	while (read(end[0], &byte, 1) < 0)
		;
	nftw(scratch_path, scratch_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	_exit(0);
}

const char *scratch_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!*scratch_path) {
		snprintf(scratch_path, sizeof(scratch_path), "%s/lkvm-test-XXXXXX",
			 tmp && strlen(tmp) < 40 ? tmp : "/tmp");
		if (!mkdtemp(scratch_path))
			scratch_fail(scratch_path);
		scratch_cleaner();
	}
	return scratch_path;
}

const char *scratch(const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned int n;
	char *p = path[n++ % 4];

	snprintf(p, PATH_MAX, "%s/%s", scratch_dir(), name);
	return p;
}

void scratch_file(const char *name, const char *content)
{
	FILE *f = fopen(scratch(name), "w");

	if (!f)
		scratch_fail(name);
	fputs(content, f);
	fclose(f);
}
