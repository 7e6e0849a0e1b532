/* SPDX-License-Identifier: GPL-2.0 */
/* Verbs of the control socket about disks, for verbs.c; the object is struct verbs. */
#ifndef SESSION_DISKS_H
#define SESSION_DISKS_H

#include <kvm/control.h>

struct vm;

/* Requests that wait for room on the host are served again. */
void disks_retry(const struct vm *vm);
struct verbs;

/* What an image may be. */
#define DISKS_FD	(CONTROL_FILE | CONTROL_BLOCK)

/* Have disks come or gone? A snapshot does not know how. */
bool drives_changed(const struct verbs *s);

/* The machine s->vm starts: 0 or -ENOMEM. It has ended. The last call. */
int drives_start(struct verbs *s);
void drives_leave(struct verbs *s);
void drives_free(struct verbs *s);

int disks_verb(void *obj, const char *arg, struct control_reply *reply);
int disks_power_cut(void *obj, const char *arg, struct control_reply *reply);

#endif
