/* SPDX-License-Identifier: GPL-2.0 */
/* --dump: a file for what the machine was when it died. */
#ifndef RUN_DUMP_H
#define RUN_DUMP_H

#include "plan.h"

struct vm;

struct run_dump {
	const char *path;		/* NULL: none is wanted */
	int fd;				/* -1: none, or it has been written */
};
#define RUN_DUMP_INIT	{ .fd = -1 }

extern const struct opt dump_opts[];

/* Open the file, as nothing is opened by name later. */
int dump_config(struct plan *plan, struct run_dump *own);
/* Write it, once: the first time that the guest dies is the one that counts. Prints what comes of it. */
void dump_now(struct run_dump *own, struct vm *vm);
void dump_free(struct run_dump *own);

#endif
