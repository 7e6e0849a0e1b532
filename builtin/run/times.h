/* SPDX-License-Identifier: GPL-2.0 */
/* --trace: where exits come from and where the time goes. */
#ifndef RUN_TIMES_H
#define RUN_TIMES_H

#include <stdio.h>

#include "plan.h"

struct run_times {
	struct times_file {
		const char *path;	/* the file, "": stderr, NULL: none */
		FILE *file;
	} exits, phases;
	u64 started;			/* loop_now() when lkvm was, and its guest */
	u64 entered;
};

extern const struct opt times_opts[];

int times_config(struct plan *plan, struct run_times *own);
/* Print it: after the session's status is known. */
void times_print(const struct plan *plan, struct run_times *own);
void times_free(struct plan *plan, struct run_times *own);

#endif
