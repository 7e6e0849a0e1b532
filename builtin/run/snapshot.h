/* SPDX-License-Identifier: GPL-2.0 */
/* Snapshots, as "lkvm run" and "lkvm restore" see them: the session's part (kvm/snapshot.h). */
#ifndef RUN_SNAPSHOT_H
#define RUN_SNAPSHOT_H

#include <limits.h>

#include <kvm/snapshot.h>

#include "plan.h"

/* The session's part of @plan's machine. */
struct snapshot_guest {
	struct session_guest guest;
	char dir[PATH_MAX];		/* relative paths of the configuration begin there */
	char release[72];		/* of the guest's kernel, or "" */
};
int snapshot_guest_state(void *snapshot_guest, struct state *s);

/* struct snapshot_session.state of a machine that runs: @plan is a struct plan. */
int snapshot_plan_state(void *plan, struct state *s);

/* What the configuration of a snapshot has in place of the session's terminals. */
#define SNAPSHOT_CONSOLE	"@console"
#define SNAPSHOT_PORTS		"@ports"
/* Put in what @plan's session has. 0, or -errno with the message printed. */
int snapshot_streams(struct plan *plan);

/*
 * Can a second machine of @cfg live beside the first? 0, or -EBUSY with the message printed:
 * they would have a terminal or the written image of a disk in common.
 */
int snapshot_shared(const struct vm_config *cfg);

#endif
