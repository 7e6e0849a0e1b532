// SPDX-License-Identifier: GPL-2.0
/*
 * Packed files: see packed.h. Main thread, before the machine is made and before there
 * are other threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/types.h>

#include "packed.h"

#define UNPACKED_MAX	(256 * MIB)

#define STATUS_NOT_FOUND	127	/* as a shell says it */

static const struct {
	const char *suffix, *program;
} packers[] = {
	{ ".gz", "gzip" },
	{ ".xz", "xz" },
	{ ".zst", "zstd" },
};

int packed_suffix(const char *path)
{
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < ARRAY_SIZE(packers); i++)
		if (!strcmp(dot, packers[i].suffix))
			return strlen(dot);
	return 0;
}

static void packed_exec(const char *program, int from, int to) __attribute__((noreturn));
static void packed_exec(const char *program, int from, int to)
{
	struct rlimit max = { UNPACKED_MAX, UNPACKED_MAX };

	/* Whatever is in the file. */
	setrlimit(RLIMIT_FSIZE, &max);
	if (dup2(from, STDIN_FILENO) >= 0 && dup2(to, STDOUT_FILENO) >= 0)
		execlp(program, program, "-dcq", NULL);
	_exit(errno == ENOENT ? STATUS_NOT_FOUND : 1);
}

int packed_start(struct packed *p, const char *path, int fd)
{
	int len = packed_suffix(path);

	p->pid = -1;
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++)
		if (!strcmp(path + strlen(path) - len, packers[i].suffix))
			p->program = packers[i].program;
	p->fd = memfd_create(p->program, MFD_CLOEXEC);
	if (p->fd < 0)
		return -errno;
	p->pid = fork();
	if (p->pid < 0) {
		int err = errno;

		close(p->fd);
		p->fd = -1;
		return -err;
	}
	if (!p->pid)
		packed_exec(p->program, fd, p->fd);
	return 0;
}

int packed_end(struct packed *p)
{
	int status, fd = p->fd;

	p->fd = -1;
	while (waitpid(p->pid, &status, 0) < 0) {
		if (errno == EINTR)
			continue;
		status = 1 << 8;	/* another has waited for it */
		break;
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return fd;
	close(fd);
	return WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NOT_FOUND ? -ENOENT : -EIO;
}

void packed_drop(struct packed *p)
{
	int fd = p->fd >= 0 ? packed_end(p) : -1;

	if (fd >= 0)
		close(fd);
}
