// SPDX-License-Identifier: GPL-2.0
/*
 * GNU make's jobserver ("POSIX Jobserver Interaction" of its manual): MAKEFLAGS names a
 * pipe or a FIFO with a byte for each further job. A byte that was read is written back.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

/* @path with flags of its own, as make and its other children use the same file description. */
static int jobserver_file(const char *path)
{
	return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

static int jobserver_fd(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NONBLOCK | O_CLOEXEC);
}

void jobserver_open(struct jobserver *j)
{
	static const char *const keys[] = { "--jobserver-auth=", "--jobserver-fds=" };
	const char *flags = getenv("MAKEFLAGS"), *at = NULL;
	char path[PATH_MAX];
	int in, out;

	*j = (struct jobserver){ .read_fd = -1, .write_fd = -1 };
	for (unsigned int i = 0; flags && !at && i < 2; i++)
		for (const char *p = flags; (p = strstr(p, keys[i])); at = p)
			p += strlen(keys[i]);	/* the last one counts */
	if (!at)
		return;
	if (sscanf(at, "%d,%d", &in, &out) == 2 && in >= 0 && out >= 0) {
		j->read_fd = jobserver_fd(in, O_RDONLY);
		j->write_fd = jobserver_fd(out, O_WRONLY);
	} else if (!strncmp(at, "fifo:", 5) && strcspn(at + 5, " ") < sizeof(path)) {
		snprintf(path, sizeof(path), "%.*s", (int)strcspn(at + 5, " "), at + 5);
		j->read_fd = jobserver_file(path);
		j->write_fd = j->read_fd < 0 ? -1 : dup(j->read_fd);
	}
	if (j->read_fd < 0 || j->write_fd < 0)
		jobserver_close(j);
}

bool jobserver_take(struct jobserver *j)
{
	if (j->nr == sizeof(j->tokens) || read(j->read_fd, &j->tokens[j->nr], 1) != 1)
		return false;
	j->nr++;
	return true;
}

void jobserver_give(struct jobserver *j)
{
	if (!j->nr)
		return;
	j->nr--;
	while (write(j->write_fd, &j->tokens[j->nr], 1) < 0 && errno == EINTR)
		;
}

void jobserver_close(struct jobserver *j)
{
	while (j->nr)
		jobserver_give(j);
	if (j->read_fd >= 0)
		close(j->read_fd);
	if (j->write_fd >= 0)
		close(j->write_fd);
	j->read_fd = j->write_fd = -1;
}
