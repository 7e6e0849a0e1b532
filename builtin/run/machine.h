/* SPDX-License-Identifier: GPL-2.0 */
/* The machine of a plan, from its first start to its end. Main thread. */
#ifndef RUN_MACHINE_H
#define RUN_MACHINE_H

#include <kvm/types.h>

struct gdb;
struct plan;
struct run_dump;
struct snapshot;
struct verbs;
struct vm;

struct machine {
	struct plan *plan;		/* complete, its session is open */
	struct verbs *verbs;
	struct gdb *gdb;		/* the debugger's server, or NULL */
	struct run_dump *dump;		/* of --dump, or NULL */
	bool reboot;			/* a guest that resets starts again, */
	int max_reboots;		/* so often */
	const struct snapshot *snapshot;	/* it goes on from there, and never starts again; NULL: it boots */
	int (*waits)(void *obj, struct vm *vm);	/* PID 1 waits for a command, and the machine ends; or NULL */
	void *obj;
	u64 *entered;			/* loop_now() before its last start */
};

/* Returns lkvm's exit status. */
int machine_main(struct machine *m);

#endif
