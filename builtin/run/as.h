/* SPDX-License-Identifier: GPL-2.0 */
/* --as: the user who lkvm is from then on. */
#ifndef RUN_AS_H
#define RUN_AS_H

#include "plan.h"

struct run_as {
	const char *user;
};

extern const struct opt as_opts[];

/*
 * Become that user, for good. Before it the kernel, the file of --kmsg and KVM's device are
 * opened. After it come sockets, folders, disks and networks, with that user's rights. 0 or
 * -errno with the message printed.
 */
int as_config(struct plan *plan, struct run_as *own);

#endif
