/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of x86/ share: the machine's x86 half, behind vm->arch. */
#ifndef X86_X86_H
#define X86_X86_H

#include <linux/kvm.h>

#include <kvm/types.h>
#include <kvm/vm.h>

struct vcpu;

#define CPUID_ENTRIES	256

struct x86 {
	/* What KVM can give a guest here; nr is 0 without KVM (unit tests). */
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[CPUID_ENTRIES];
	} cpuid;
	unsigned int phys_bits;		/* of a guest-physical address */

	/* Where vCPU 0 starts: filled in by arch_load(). */
	bool long_mode;			/* else 32-bit protected mode without paging */
	u64 entry;
	u64 info;			/* boot_params in RSI, or PVH start info in EBX */
};

static inline struct x86 *vm_x86(const struct vm *vm)
{
	return vm->arch;
}

/* End of the RAM below the hole, and of all RAM. */
u64 board_low_end(const struct vm *vm);
u64 board_ram_end(const struct vm *vm);

/* Ask KVM for the CPUID leaves and set phys_bits. 0 or -errno with the message printed. */
int cpuid_init(struct vm *vm);
/* Give @vcpu its CPUID. 0 or -errno with the message printed. */
int cpuid_set(struct vcpu *vcpu);

/* Registers of vCPU 0 for x86->entry. 0 or -errno with the message printed. */
int regs_boot(struct vcpu *vcpu);

#endif
