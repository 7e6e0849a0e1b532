/* SPDX-License-Identifier: GPL-2.0 */
/* lkvm restore as a function: for kvm/template.h. */
#ifndef RUN_RESTORE_H
#define RUN_RESTORE_H

#include <kvm/types.h>

struct restore_config {
	int machine, ram;		/* the files of the snapshot, which stay the caller's */
	char **argv;			/* the command, ended by NULL */
	const char *name;		/* of the machine, or NULL: lkvm-PID */
	const char *user, *cwd;		/* as of the options, or NULL */
	char *const *env;		/* ended by NULL, or NULL */
	int timeout;			/* seconds, 0: none */
	const char *kmsg;		/* file for the kernel's messages, or NULL */
	const char *outcome;		/* as --outcome, or NULL */
	const char *faults;		/* as --oops, or NULL */
};

/* Run a clone in this process, with its descriptors 0, 1 and 2: lkvm's exit status. */
int restore_main(const struct restore_config *cfg);

#endif
