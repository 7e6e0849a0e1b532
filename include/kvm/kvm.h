/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls to KVM for the machine as a whole (Documentation/virt/kvm/api.rst):
 * hw/kvm.c. Machine lock held, or before the machine runs.
 */
#ifndef KVM_KVM_H
#define KVM_KVM_H

#include <kvm/types.h>

struct mem_region;
struct vm;

/* Open cfg->kvm_path and create a machine in it. 0 or -errno with the message printed. */
int kvm_open(struct vm *vm);
/* Have KVM know the guest's memory. 0 or -errno with the message printed. */
int kvm_memory(struct vm *vm);

/*
 * Change the guest's memory: mem_insert(), mem_remove() and their results, and KVM's
 * slots with them. Main thread; before the machine runs, or while HOLD_STATE holds the
 * vCPUs and all queues are held, else -EBUSY. A queue maps its ring anew when it is
 * let go. The memory lives as long as the RAM: S3 does not change it.
 */
int vm_memory_insert(struct vm *vm, struct mem_region *want);
int vm_memory_remove(struct vm *vm, gpa_t gpa);
/*
 * Have KVM note which pages of the region at @gpa the guest's processors write, or no
 * longer. vm_memory_dirty() says which, one bit for each page of 4 KiB in @words words,
 * and begins anew; devices' writes are not noted. The guest may run. 0, -ENOENT: no such
 * region, or it is not noted; -EINVAL: too few words; -errno.
 */
int vm_memory_log(struct vm *vm, gpa_t gpa, bool on);
int vm_memory_dirty(struct vm *vm, gpa_t gpa, u64 *bitmap, size_t words);

/* KVM_CHECK_EXTENSION on the machine: 0 if there is none. */
int vm_cap(const struct vm *vm, unsigned int cap);

/* Have KVM write @fd when the guest writes @len bytes (0: any) at @addr. 0 or -errno. */
int vm_ioeventfd(struct vm *vm, bool pio, u64 addr, unsigned int len, int fd, bool add);

/*
 * Let KVM collect the guest's writes to [@addr, @addr + @len) of the I/O ports
 * or of memory and hand them over, in order, before the next access that leaves
 * the guest, or some milliseconds later. Returns 0, or -ENOTSUP: writes come
 * one by one.
 */
int vm_coalesce(struct vm *vm, bool pio, u64 addr, u32 len, bool add);
/*
 * The same for a register that says which one the next access is to: asked for
 * when a guest first uses it, as most do not. *@done: it has been.
 */
void vm_coalesce_index(struct vm *vm, bool *done, bool pio, u64 addr, u32 len);

/* Hand the writes that KVM has collected to their registers; true if there were any. */
bool vm_coalesced(struct vm *vm);
/* There were some, or there may be some soon: look again before long. */
void vm_coalesced_seen(struct vm *vm);
/* For vm_run(), on the main thread: look now and then. */
void vm_coalesced_start(struct vm *vm);

#endif
