/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls to KVM for the machine as a whole (Documentation/virt/kvm/api.rst):
 * hw/kvm.c, and hw/slots.c and hw/coalesce.c where they say so. Machine lock held, or before
 * the machine runs.
 */
#ifndef KVM_KVM_H
#define KVM_KVM_H

#include <kvm/types.h>

struct mem_region;
struct vm;

/* Open cfg->kvm_path and create a machine in it. 0 or -errno with the message printed. */
int kvm_open(struct vm *vm);

/* Slots of memory: hw/slots.c */

/* Register the guest's memory with KVM. 0 or -errno with the message printed. */
int kvm_memory(struct vm *vm);

/*
 * Change the guest's memory: mem_insert(), mem_remove() and their results, and KVM's
 * slots with them. Main thread; before the machine runs, or while HOLD_STATE holds the
 * vCPUs and all queues are held, else -EBUSY. A queue maps its ring anew when it is
 * released. The memory lives as long as the RAM: S3 does not change it.
 */
int vm_memory_insert(struct vm *vm, struct mem_region *want);
int vm_memory_remove(struct vm *vm, gpa_t gpa);
/*
 * Have KVM log the pages of the region at @gpa that vCPUs write, or stop it.
 * vm_memory_dirty() returns and clears the log: a bit for each page of 4 KiB, in @words
 * words. Writes of devices are not logged. The guest may run. 0, -ENOENT: no such
 * region, or it is not logged; -EINVAL: too few words; -errno.
 */
int vm_memory_log(struct vm *vm, gpa_t gpa, bool on);
int vm_memory_dirty(struct vm *vm, gpa_t gpa, u64 *bitmap, size_t words);

/* The machine: hw/kvm.c */

/* KVM_CHECK_EXTENSION on the machine: 0 if there is none. */
int vm_cap(const struct vm *vm, unsigned int cap);

/* Have KVM write @fd when the guest writes @len bytes (0: any) at @addr. 0 or -errno. */
int vm_ioeventfd(struct vm *vm, bool pio, u64 addr, unsigned int len, int fd, bool add);

/* Collected writes: hw/coalesce.c */

/*
 * Let KVM collect the guest's writes to [@addr, @addr + @len) of the I/O ports
 * or of memory. lkvm serves them, in order, at the next VM exit. Returns 0, or -ENOTSUP: each write is an exit.
 */
int vm_coalesce(struct vm *vm, bool pio, u64 addr, u32 len, bool add);
/*
 * The same for a register whose writes matter by themselves, though no exit may follow them:
 * they are looked for every 20 to 250 ms. *@on becomes true. After a second without a write
 * nobody looks any more: each write is an exit then, and *@on is false. An idle guest wakes
 * nobody up. @on lives as long as the machine. -ENOSPC: there are too many.
 */
int vm_coalesce_busy(struct vm *vm, bool pio, u64 addr, u32 len, bool *on);
/* Before that second is over. */
void vm_coalesce_stop(struct vm *vm, bool *on);
/*
 * The same as vm_coalesce() for an index register, which selects the register of the next access. It is
 * set up at the guest's first access, as most guests make none. *@done: that has been.
 */
void vm_coalesce_index(struct vm *vm, bool *done, bool pio, u64 addr, u32 len);

/* Hand the writes that KVM has collected to their registers; true if there were any. */
bool vm_coalesced(struct vm *vm);
/* Collected writes are likely: look for them again soon. */
void vm_coalesced_seen(struct vm *vm);
/* For vm_run(), on the main thread. */
void vm_coalesced_start(struct vm *vm);

#endif
