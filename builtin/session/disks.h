/* SPDX-License-Identifier: GPL-2.0 */
/* Verbs of the control socket about disks, for verbs.c; the object is struct verbs. */
#ifndef SESSION_DISKS_H
#define SESSION_DISKS_H

#include <kvm/control.h>

struct vm;

/* Requests that wait for room on the host are served again. */
void disks_retry(const struct vm *vm);
int disks_verb(void *obj, const char *arg, struct control_reply *reply);
int disks_power_cut(void *obj, const char *arg, struct control_reply *reply);

#endif
