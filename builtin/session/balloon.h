/* SPDX-License-Identifier: GPL-2.0 */
/* The verb about the guest's balloon. Main loop, machine lock. */
#ifndef SESSION_BALLOON_H
#define SESSION_BALLOON_H

#include <kvm/control.h>

struct vm;

/* @arg "": its sizes and the guest's statistics, which are asked for anew; a number: bytes to be given back. */
int balloon_verb(struct vm *vm, const char *arg, struct control_reply *reply);

#endif
