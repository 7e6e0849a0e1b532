/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of x86/ share: the machine's x86 half, behind vm->arch. */
#ifndef X86_X86_H
#define X86_X86_H

#include <kvm/types.h>
#include <kvm/vm.h>

struct kvm_cpuid2;
struct vcpu;

struct x86 {
	struct kvm_cpuid2 *cpuid;	/* what KVM can give a guest here; NULL without KVM */
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
