/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that boots once and runs many commands, each in a clone of its own
 * (Documentation/clones.rst, "Templates"). For a process without other threads:
 *
 *	template_new(&t);
 *	pid = template_boot(t, options, log);	wait for it: status 0, the template is there
 *	pid = template_clone(t, &run);		any number, also at the same time; wait for each
 *	template_free(t);
 *
 * Boot and clones are children of the caller, who waits for them and may end them by
 * SIGTERM. The template is in memory: two files without names. Nothing is left behind when
 * the last process that has them ends. Clones share the pages that none of them writes.
 */
#ifndef KVM_TEMPLATE_H
#define KVM_TEMPLATE_H

#include <sys/types.h>

#include <kvm/types.h>

struct template;

/* 0, or -errno with the message printed. */
int template_new(struct template **out);
/* Clones that run go on. NULL is nothing. */
void template_free(struct template *t);

/*
 * Boot with the words that may follow "lkvm run", but for a command: options[] ends with
 * NULL. stdin is empty; stdout and stderr of the process are @out (a descriptor, which stays the
 * caller's). The process ends with 0 when the guest waits for a command, or with the
 * status of "lkvm run". Once per template. Its ID, or -errno with the message printed.
 */
pid_t template_boot(struct template *t, char *const options[], int out);

struct template_run {
	char *const *argv;	/* the command, ended by NULL */
	int fd[3];		/* its stdin, stdout and stderr; the caller's */
	const char *name;	/* of the machine, or NULL: lkvm-PID */
	const char *user;	/* as --user, or NULL: root */
	const char *cwd;	/* as --cwd, or NULL: where the template was booted */
	char *const *env;	/* as --env each, ended by NULL; or NULL: none */
	const char *kmsg;	/* file for the kernel's messages, or NULL; those of the boot are not in it */
	const char *outcome;	/* file for how it ended, as --outcome, or NULL */
	const char *faults;	/* as --oops, or NULL */
	int timeout;		/* seconds, 0: none */
};

/*
 * A clone that runs a command. After template_boot() has ended with 0. The status of the process
 * is that of "lkvm run": the command's, or 123 to 125. Its ID, or -errno with the message printed.
 */
pid_t template_clone(struct template *t, const struct template_run *run);

#endif
