/* SPDX-License-Identifier: GPL-2.0 */
/* For verbs.c: a debugger for a machine that runs. Main thread, lock held. */
#ifndef BUILTIN_SESSION_DEBUGGER_H
#define BUILTIN_SESSION_DEBUGGER_H

#include <kvm/control.h>

struct verbs;

/* "gdb", with a socket that listens at the place that it answers if there is no server yet. */
int debugger_verb(struct verbs *s, struct control_reply *reply);
/* "qmp", the same for drgn. */
int debugger_qmp_verb(struct verbs *s, struct control_reply *reply);
/* Around each start, and the end. */
int debugger_start(struct verbs *s);
void debugger_leave(struct verbs *s);
void debugger_close(struct verbs *s);

#endif
