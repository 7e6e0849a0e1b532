// SPDX-License-Identifier: GPL-2.0
/* A template and its clones, as children of this process: see kvm/template.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>
#include <kvm/log.h>
#include <kvm/snapshot.h>
#include <kvm/template.h>

#include "restore.h"

/* In the child: the snapshot's files have these numbers, and there are no others. */
enum { CLONES_MACHINE = 3, CLONES_RAM, CLONES_END };

struct template {
	int machine, ram;
};

int template_new(struct template **out)
{
	struct template *t = calloc(1, sizeof(*t));
	int ret = -errno;

	if (!t) {
		pr_err("template: out of memory");
		return -ENOMEM;
	}
	t->machine = memfd_create("lkvm-" SNAPSHOT_MACHINE, MFD_CLOEXEC);
	t->ram = memfd_create("lkvm-" SNAPSHOT_RAM, MFD_CLOEXEC);
	if (t->machine >= 0 && t->ram >= 0) {
		*out = t;
		return 0;
	}
	ret = -errno;
	pr_err("template: files in memory: %s", strerror(-ret));
	template_free(t);
	return ret;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	if (t->machine >= 0)
		close(t->machine);
	if (t->ram >= 0)
		close(t->ram);
	free(t);
}

/*
 * In the child: @fd become 0, 1 and 2, the template's files follow, and all others are closed,
 * as a guest that takes lkvm over is to have none of them. False: no more descriptors.
 */
static bool clones_files(const struct template *t, const int fd[3])
{
	int from[CLONES_END] = { fd[0], fd[1], fd[2], t->machine, t->ram }, i;

	for (i = 0; i < CLONES_END; i++) {
		from[i] = fcntl(from[i], F_DUPFD, CLONES_END);
		if (from[i] < 0)
			return false;
	}
	for (i = 0; i < CLONES_END; i++)
		if (dup2(from[i], i) < 0)
			return false;
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, CLONES_END, ~0U, 0))
		return true;
#endif
	for (i = CLONES_END; i < sysconf(_SC_OPEN_MAX); i++)
		close(i);
	return true;
}

/* 0 in the child, which has its files; its ID in the parent; -errno with the message printed. */
static pid_t clones_fork(const struct template *t, const int fd[3])
{
	pid_t pid;

	/* What is buffered is written once. */
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		pid = -errno;
		pr_err("template: fork: %s", strerror(-pid));
	}
	if (!pid && !clones_files(t, fd))
		_exit(STATUS_FAILED);
	return pid;
}

static void clones_end(int status) __attribute__((noreturn));
static void clones_end(int status)
{
	_exit(command_flush(status));
}

static int clones_boot(char *const options[])
{
	char files[32], **argv;
	int n = 0, i;

	while (options[n])
		n++;
	argv = calloc(n + 3, sizeof(*argv));
	if (!argv)
		return STATUS_FAILED;
	snprintf(files, sizeof(files), "fd:%d:%d", CLONES_MACHINE, CLONES_RAM);
	argv[0] = "--template";
	argv[1] = files;
	for (i = 0; i < n; i++)
		argv[2 + i] = options[i];
	return command_run.fn(&command_run, n + 2, argv);
}

pid_t template_boot(struct template *t, char *const options[], int out)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd[3] = { null, out, out };
	pid_t pid = null < 0 ? -errno : clones_fork(t, fd);

	if (!pid)
		clones_end(clones_boot(options));
	if (null >= 0)
		close(null);
	return pid;
}

pid_t template_clone(struct template *t, const struct template_run *run)
{
	const struct restore_config cfg = {
		.machine = CLONES_MACHINE, .ram = CLONES_RAM, .argv = (char **)run->argv, .name = run->name,
		.user = run->user, .cwd = run->cwd, .env = run->env, .kmsg = run->kmsg,
		.outcome = run->outcome, .faults = run->faults, .timeout = run->timeout,
	};
	pid_t pid = clones_fork(t, run->fd);

	if (!pid)
		clones_end(restore_main(&cfg));
	return pid;
}
