/* SPDX-License-Identifier: GPL-2.0 */
/* For verbs.c: the verbs about network cards. The machine lock; @vm is NULL when it has ended. */
#ifndef BUILTIN_SESSION_NICS_H
#define BUILTIN_SESSION_NICS_H

#include <kvm/control.h>

struct vm;

/* "nic" and "forward" values, for "info". */
void nics_info(struct vm *vm, struct control_reply *reply);
/* "link NIC up|down" */
int nics_link(struct vm *vm, const char *arg, struct control_reply *reply);
/* "forward NIC add SPEC" with the socket, "forward NIC remove SPEC"; NIC may be "-": the first that has some. */
int nics_forward(struct vm *vm, const char *arg, struct control_reply *reply);

#endif
