/* SPDX-License-Identifier: GPL-2.0 */
/* For "lkvm run": how many vCPUs, what they belong to, where they run. */
#ifndef RUN_CPUS_H
#define RUN_CPUS_H

#include <kvm/types.h>

struct opt_err;

struct cpus {
	int nr;				/* the product of the others; 0: nothing is set yet */
	int sockets, cores, threads;	/* of each the one before */
	bool free;			/* only the number has been said */
};

/* "N", "sockets=S,cores=C,threads=T" or both: 0, or -errno with @err->text filled in. */
int cpus_parse(struct cpus *cpus, const char *text, struct opt_err *err);
/* @nr cores in one socket. */
void cpus_set(struct cpus *cpus, int nr);

/*
 * Where only their number has been said, no socket is in two nodes, as a guest
 * would find that odd: @node is that of each vCPU.
 */
void cpus_nodes(struct cpus *cpus, const unsigned char *node);
/* Read "A" or "A-B", of CPUs, at *@p, which then points behind it. 0 or -EINVAL. */
int cpus_range(const char **p, unsigned long *from, unsigned long *to);

/*
 * A list of @nr of the host's CPUs ("0-3,6"), all of which the process may use:
 * malloc()ed into @out. 0, or -errno with the message printed.
 */
int cpus_pin(const char *list, int nr, unsigned short **out);

#endif
