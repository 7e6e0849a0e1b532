/* SPDX-License-Identifier: GPL-2.0 */
/* How many vCPUs, what they belong to, what they can do, where they run. */
#ifndef RUN_CPUS_H
#define RUN_CPUS_H

#include "plan.h"

struct run_cpus {
	struct cpus_topology {
		int nr;				/* the product of the others; 0: nothing is set yet */
		int sockets, cores, threads;	/* of each the one before */
		bool free;			/* only the number has been said */
	} topology;
	const char *model, *pin;
	/* private */
	unsigned short *pinned;
};

extern const struct opt cpus_opts[];

/* How many there are, before the nodes that they are in are known. */
int cpus_count(struct plan *plan, struct run_cpus *own);
/* The rest, which the nodes have a say in. */
int cpus_config(struct plan *plan, struct run_cpus *own);
void cpus_free(struct run_cpus *own);

#endif
