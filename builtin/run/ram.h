/* SPDX-License-Identifier: GPL-2.0 */
/* How much RAM there is, where it comes from, which nodes it belongs to. */
#ifndef RUN_RAM_H
#define RUN_RAM_H

#include "plan.h"

struct run_ram {
	u64 mem;			/* bytes, 0: not said */
	struct mem_config cfg;
	bool overcommit;
	struct opt_list numa;
	/* private */
	struct numa *nodes;
};

extern const struct opt ram_opts[];

/* After cpus_count(): nodes have vCPUs. */
int ram_config(struct plan *plan, struct run_ram *own);
void ram_free(struct run_ram *own);

#endif
