// SPDX-License-Identifier: GPL-2.0
/* A directory for a test's files: see scratch.h. */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

static char scratch_path[64];

static int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	remove(path);
	return 0;
}

/* A process that outlives the test, however that ends, removes the directory. */
static void scratch_cleaner(void)
{
	int fds[2];
	char byte;

	CHECK(!pipe2(fds, O_CLOEXEC));
	if (fork()) {
		close(fds[0]);
		return;
	}
	setsid();
	close(fds[1]);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	while (read(fds[0], &byte, 1) < 0)
		;
	nftw(scratch_path, scratch_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	_exit(0);
}

const char *scratch_dir(void)
{
	if (!*scratch_path) {
		snprintf(scratch_path, sizeof(scratch_path), "/tmp/lkvm-test-XXXXXX");
		CHECK(mkdtemp(scratch_path));
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

	CHECK(f);
	fputs(content, f);
	fclose(f);
}
