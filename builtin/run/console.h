/* SPDX-License-Identifier: GPL-2.0 */
/* The console, and the serial ports. */
#ifndef RUN_CONSOLE_H
#define RUN_CONSOLE_H

#include "plan.h"

#define RUN_TTYS	4		/* serial ports of a PC */

struct run_console {
	int kind;
	const char *tty[RUN_TTYS];	/* of ttySN, NULL: there is none, or ttyS0 is the console */
};

extern const struct opt console_opts[];

/* After watch_config(), whose session has the other ends. */
int console_config(struct plan *plan, struct run_console *own);

#endif
