/* SPDX-License-Identifier: GPL-2.0 */
/* For "lkvm run": where RAM comes from, and which nodes it and the vCPUs belong to. */
#ifndef RUN_RAM_H
#define RUN_RAM_H

#include <kvm/config.h>

struct opt_err;
struct opt_list;

/* --mem-backend: @cfg points into @text afterwards. 0, or -EINVAL with @err->text filled in. */
int ram_backend(struct mem_config *cfg, const char *text, struct opt_err *err);

/*
 * The nodes of all --numa for @cpus vCPUs and *@mem bytes of RAM, which 0 leaves
 * to them. 0, or -errno with the message printed; to be given back by
 * ram_numa_free().
 */
int ram_numa(struct numa **out, const struct opt_list *list, unsigned int cpus, u64 *mem);
void ram_numa_free(struct numa *numa);

#endif
