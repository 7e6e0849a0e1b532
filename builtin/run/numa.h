/* SPDX-License-Identifier: GPL-2.0 */
/* --numa: which nodes RAM and vCPUs belong to. Part of the group of ram.h. */
#ifndef RUN_NUMA_H
#define RUN_NUMA_H

#include <kvm/config.h>

struct opt_list;

/*
 * The nodes of all --numa for @cpus vCPUs and *@mem bytes of RAM, which 0 leaves
 * to them. 0, or -errno with the message printed; to be given back by numa_free().
 */
int numa_nodes(struct numa **out, const struct opt_list *list, unsigned int cpus, u64 *mem);
void numa_free(struct numa *numa);

#endif
