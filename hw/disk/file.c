// SPDX-License-Identifier: GPL-2.0
/* How a disk's files are opened: by open(2), or by descriptors that another process has sent. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk.h"

/* A file in @dir that has no name, or -1. Not every file system has O_TMPFILE. */
static int disk_nameless(const char *dir, int flags)
{
	int fd = open(dir, flags, 0600);
	char *path;

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (asprintf(&path, "%s/lkvm-XXXXXX", dir) < 0)
		return -1;
	fd = mkostemp(path, flags & ~(O_TMPFILE | O_ACCMODE));
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

int disk_open_path(const char *path, int flags)
{
	return (flags & O_TMPFILE) == O_TMPFILE ? disk_nameless(path, flags) : open(path, flags, 0666);
}

int disk_open_file(const struct disk_options *opts, const char *path, int flags)
{
	return opts->opener ? opts->opener->open(opts->opener, path, flags) : disk_open_path(path, flags);
}
