// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU before its first instruction: CPUID, the few MSRs that firmware
 * would set, the local APIC's pins. vCPU 0 gets its entry state; the others
 * wait for INIT and SIPI, as KVM creates them. On the thread that builds the
 * machine.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/log.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "x86.h"

#define MSR_IA32_MISC_ENABLE		0x1a0
#define MSR_MISC_ENABLE_FAST_STRING	(1ULL << 0)
#define MSR_MTRR_DEF_TYPE		0x2ff
#define MSR_MTRR_ENABLE_WRITE_BACK	0x806ULL

#define APIC_LVT_LINT0			0x350
#define APIC_LVT_LINT1			0x360
#define APIC_MODE_NMI			(4 << 8)
#define APIC_MODE_EXTINT		(7 << 8)

/* Neither of the MSRs must exist: a machine whose KVM refuses one is slower, not wrong. */
static void vcpu_msr_or(struct vcpu *vcpu, u32 index, u64 bits)
{
	union {
		struct kvm_msrs msrs;
		char space[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} one = { .space = { 0 } };
	struct kvm_msr_entry *msr = one.msrs.entries;

	one.msrs.nmsrs = 1;
	msr->index = index;
	if (ioctl(vcpu->fd, KVM_GET_MSRS, &one) != 1)
		msr->data = 0;
	msr->data |= bits;
	if (ioctl(vcpu->fd, KVM_SET_MSRS, &one) != 1)
		pr_debug("vCPU %u: KVM refuses MSR %#x", vcpu->index, index);
}

/* MultiProcessor Specification 1.4, 3.6.2.2: the PIC on LINT0 of the boot CPU, NMI on LINT1 of all. */
static void vcpu_lapic(struct vcpu *vcpu)
{
	u32 lint0 = APIC_MODE_EXTINT, lint1 = APIC_MODE_NMI;
	struct kvm_lapic_state lapic;

	if (ioctl(vcpu->fd, KVM_GET_LAPIC, &lapic) < 0)
		return;
	if (vcpu->index == 0)
		memcpy(lapic.regs + APIC_LVT_LINT0, &lint0, sizeof(lint0));
	memcpy(lapic.regs + APIC_LVT_LINT1, &lint1, sizeof(lint1));
	if (ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic) < 0)
		pr_debug("vCPU %u: KVM refuses the local APIC's state", vcpu->index);
}

int arch_vcpu_init(struct vcpu *vcpu)
{
	int ret = cpuid_set(vcpu);

	if (ret)
		return ret;
	vcpu_msr_or(vcpu, MSR_IA32_MISC_ENABLE, MSR_MISC_ENABLE_FAST_STRING);
	/* With MTRRs off Linux believes that the firmware wants no caching and gives PAT up. */
	vcpu_msr_or(vcpu, MSR_MTRR_DEF_TYPE, MSR_MTRR_ENABLE_WRITE_BACK);
	vcpu_lapic(vcpu);
	return vcpu->index == 0 && vcpu->vm->begin != BEGIN_SAVED ? regs_boot(vcpu) : 0;
}

/*
 * KVM handles MSRs and the local APIC; it reports a change of the task priority
 * on CPUs without TPR shadow although it has dealt with it.
 */
bool arch_vcpu_exit(struct vcpu *vcpu)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IOAPIC_EOI:
		if (vm_x86(vcpu->vm)->ioapic)
			ioapic_eoi(vcpu->vm, vcpu->run->eoi.vector);
		return true;
	case KVM_EXIT_SET_TPR:
		return true;
	default:
		return false;
	}
}

/*
 * The watchdog of a guest that uses kvmclock would take the pause for a lockup
 * (Documentation/virt/kvm/api.rst, KVM_KVMCLOCK_CTRL). For others KVM refuses it.
 */
void arch_vcpu_resumed(struct vcpu *vcpu)
{
	if (ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0) < 0 && errno != EINVAL)
		pr_debug("vCPU %u: KVM_KVMCLOCK_CTRL: %s", vcpu->index, strerror(errno));
}
