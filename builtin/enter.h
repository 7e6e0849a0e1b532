/* SPDX-License-Identifier: GPL-2.0 */
/* A command in a running guest: what exec, shell and cp have in common. */
#ifndef BUILTIN_ENTER_H
#define BUILTIN_ENTER_H

#include <kvm/builtin.h>

struct enter {
	const char *user, *cwd;
	struct opt_list env;
	bool tty;			/* a terminal in the guest, which is this process's stdin and stdout */
	bool no_stdin;			/* the command's is empty */
	int fd[3];			/* its stdin, stdout, stderr here */
};

extern const struct opt enter_opts[];	/* user, cwd, env */

/*
 * Run @argv (none: the user's login shell) in the guest of the machine @name, and wait for
 * it. Returns the command's exit status as a shell has it, or STATUS_FAILED with the message printed.
 */
int enter_run(const struct enter *e, const char *name, char *const *argv);

#endif
