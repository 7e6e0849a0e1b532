/* SPDX-License-Identifier: GPL-2.0 */
/* The command that PID 1 runs in the guest: as whom, where, with which environment. */
#ifndef RUN_COMMAND_H
#define RUN_COMMAND_H

#include "plan.h"

struct run_command {
	const char *user, *cwd;
	bool keep;			/* the machine goes on when it has ended */
	struct opt_list env;		/* NAME=VALUE, or NAME: as lkvm has it */
};

extern const struct opt command_opts[];

/* Before boot_config(). */
int command_wanted(struct plan *plan, struct run_command *own);
/* After watch_config(): the command's streams are the session's. */
int command_config(struct plan *plan, struct run_command *own);

#endif
