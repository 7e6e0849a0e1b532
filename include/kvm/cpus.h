/* SPDX-License-Identifier: GPL-2.0 */
/* For "lkvm run": how many vCPUs, what they belong to, where they run. */
#ifndef KVM_CPUS_H
#define KVM_CPUS_H

struct opt_err;

struct cpus {
	int nr;				/* the product of the others; 0: nothing is set yet */
	int sockets, cores, threads;	/* of each the one before */
};

/* "N", "sockets=S,cores=C,threads=T" or both: 0, or -errno with @err->text filled in. */
int cpus_parse(struct cpus *cpus, const char *text, struct opt_err *err);
/* @nr cores in one socket. */
void cpus_set(struct cpus *cpus, int nr);

/*
 * A list of @nr of the host's CPUs ("0-3,6"), all of which the process may use:
 * malloc()ed into @out. 0, or -errno with the message printed.
 */
int cpus_pin(const char *list, int nr, unsigned short **out);

#endif
