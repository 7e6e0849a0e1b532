// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's slots of the guest's memory, their changes while the machine runs, and
 * KVM's log of written pages (Documentation/virt/kvm/api.rst,
 * KVM_SET_USER_MEMORY_REGION and KVM_GET_DIRTY_LOG). Machine lock, or before the
 * machine runs.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/kvm.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/vm.h>

/* Have KVM know @r, or forget it (@len 0), or log writes to it. */
static int kvm_slot(struct vm *vm, const struct mem_region *r, u64 len, bool log)
{
	struct kvm_userspace_memory_region slot = {
		.slot = r->slot, .guest_phys_addr = r->gpa, .memory_size = len,
		.userspace_addr = (u64)(uintptr_t)r->hva,
		.flags = (r->use == MEM_ROM ? KVM_MEM_READONLY : 0) |
			 (log ? KVM_MEM_LOG_DIRTY_PAGES : 0),
	};

	if (vm->vm_fd < 0)
		return 0;
	return ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0 ? -errno : 0;
}

int kvm_memory(struct vm *vm)
{
	const struct mem_table *t = mem_table(&vm->mem);
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < t->nr; i++) {
		const struct mem_region *r = &t->region[i];

		ret = kvm_slot(vm, r, r->len, false);
		if (ret)
			pr_err("KVM refuses %llu MiB of memory at 0x%llx: %s",
			       (unsigned long long)(r->len / MIB), (unsigned long long)r->gpa,
			       strerror(-ret));
	}
	return ret;
}

/* vCPUs' exits and queues have pointers into memory: both are held, or the machine does not run yet. */
static bool kvm_memory_is_still(const struct vm *vm)
{
	return !vm->running || vm_held(vm) & HOLD_STATE;
}

int vm_memory_insert(struct vm *vm, struct mem_region *want)
{
	int ret;

	if (!kvm_memory_is_still(vm))
		return -EBUSY;
	ret = mem_insert(&vm->mem, &vm->ram, want);
	if (ret)
		return ret;
	ret = kvm_slot(vm, want, want->len, false);
	if (ret)
		mem_remove(&vm->mem, &vm->ram, want->gpa);
	mem_reclaim(&vm->mem);
	return ret;
}

int vm_memory_remove(struct vm *vm, gpa_t gpa)
{
	const struct mem_region *r = mem_region(&vm->mem, gpa);
	int ret;

	if (!kvm_memory_is_still(vm))
		return -EBUSY;
	if (!r || r->gpa != gpa)
		return -ENOENT;
	ret = kvm_slot(vm, r, 0, false);
	if (!ret)
		ret = mem_remove(&vm->mem, &vm->ram, gpa);
	if (ret == -ENOMEM)
		kvm_slot(vm, r, r->len, false);		/* it is still there */
	mem_reclaim(&vm->mem);
	return ret;
}

int vm_memory_log(struct vm *vm, gpa_t gpa, bool on)
{
	const struct mem_region *r = mem_region(&vm->mem, gpa);

	return r ? kvm_slot(vm, r, r->len, on) : -ENOENT;
}

int vm_memory_dirty(struct vm *vm, gpa_t gpa, u64 *bitmap, size_t words)
{
	const struct mem_region *r = mem_region(&vm->mem, gpa);
	struct kvm_dirty_log log = { .dirty_bitmap = bitmap };

	if (!r)
		return -ENOENT;
	if (words < DIV_ROUND_UP(r->len / 4096, 64))
		return -EINVAL;
	log.slot = r->slot;
	return ioctl(vm->vm_fd, KVM_GET_DIRTY_LOG, &log) < 0 ? -errno : 0;
}
