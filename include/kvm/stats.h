/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's own counters of a machine and its vCPUs. */
#ifndef KVM_STATS_H
#define KVM_STATS_H

#include <kvm/types.h>

struct vm;

#define STATS_ALL	-1

/*
 * Call fn(obj, name, value) for each counter that is not 0, in KVM's order: those
 * of vCPU @vcpu; with STATS_ALL those of the machine, then the sums over its vCPUs (the
 * highest for peaks). A histogram's buckets are "NAME[i]". 0, -ENOTSUP if KVM has none,
 * or -errno. The vCPUs are held (vm_hold()): KVM does not answer for a vCPU that is in
 * the guest. Main thread, lock held.
 */
int stats_read(const struct vm *vm, int vcpu, void (*fn)(void *obj, const char *name, u64 value),
	       void *obj);

#endif
