/* SPDX-License-Identifier: GPL-2.0 */
/* --template: boot to where PID 1 waits for a command, and write a snapshot of that. */
#ifndef RUN_TEMPLATE_H
#define RUN_TEMPLATE_H

#include "plan.h"

struct run_template {
	const char *where;		/* NULL: not asked for */
	struct snapshot_files files;
	bool done;			/* the snapshot is complete */
};

extern const struct opt template_opts[];

/* RAM becomes the snapshot's file: after ram_config() and boot_config(). */
int template_config(struct plan *plan, struct run_template *own);
/* PID 1 waits: write the rest. 0 or -errno with the message printed. */
int template_write(struct run_template *own, struct plan *plan, struct vm *vm);
void template_close(struct run_template *own);

#endif
