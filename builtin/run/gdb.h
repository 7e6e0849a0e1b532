/* SPDX-License-Identifier: GPL-2.0 */
/* --gdb: where a debugger connects. */
#ifndef RUN_GDB_H
#define RUN_GDB_H

#include "plan.h"

struct gdb;

struct run_gdb {
	const char *where;		/* NULL: not asked for; "": a socket beside the control socket */
	bool wait;
	int fd;				/* a debugger that is connected already: a socket, or -1 */
	struct gdb *gdb;		/* NULL: there is none */
};
#define RUN_GDB_INIT { .fd = -1 }

extern const struct opt debugger_opts[];

/* Before anything looks at stdin and stdout. */
int debugger_streams(struct plan *plan, struct run_gdb *own);
/* After the control socket is there. */
int debugger_config(struct plan *plan, struct run_gdb *own);
void debugger_free(struct run_gdb *own);

#endif
