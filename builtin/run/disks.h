/* SPDX-License-Identifier: GPL-2.0 */
/* Disks. */
#ifndef RUN_DISKS_H
#define RUN_DISKS_H

#include "plan.h"

struct run_disks {
	struct opt_list disk;
	bool hotplug;
};

extern const struct opt disks_opts[];

/* After files_config(), which says whether PID 1 is ours. */
int disks_config(struct plan *plan, struct run_disks *own);
void disks_free(struct run_disks *own);

#endif
