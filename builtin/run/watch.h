/* SPDX-License-Identifier: GPL-2.0 */
/* Options of the session: which messages are shown, the timeout, oopses. */
#ifndef RUN_WATCH_H
#define RUN_WATCH_H

#include "plan.h"

struct run_watch {
	int timeout;			/* seconds, 0: none */
	const char *faults;		/* --oops */
	int oops;			/* of it: OOPS_*, -1: by whether there is a command */
	u32 fails;			/* of it: session_config */
	int verbose;
	int level;			/* --loglevel, -1: by @verbose */
	bool no_stdin;
	const char *kmsg, *outcome;
};
#define RUN_WATCH_INIT { .oops = -1, .level = -1 }

enum { OOPS_FAIL, OOPS_REPORT };

extern const struct opt watch_opts[];

/* Parse --oops: 0, or -errno with the message printed. */
int watch_oops(struct run_watch *own);
/* The level of lkvm's own messages: at once. */
void watch_log(const struct run_watch *own);
/* Opens the session: after boot_config(), which knows whose the console is. */
int watch_config(struct plan *plan, struct run_watch *own);

#endif
