// SPDX-License-Identifier: GPL-2.0
/* The system calls that only x86's code makes: see kvm/confine.h. */
#include <linux/audit.h>
#include <linux/kvm.h>
#include <ucontext.h>

#include <kvm/arch.h>
#include <kvm/seccomp.h>

/* A processor's state is read when it is printed. */
static const struct seccomp_rule vcpu_rules[] = {
	SECCOMP_EQ(ioctl, 1, KVM_GET_REGS),
	SECCOMP_EQ(ioctl, 1, KVM_SET_REGS),
	SECCOMP_EQ(ioctl, 1, KVM_GET_SREGS),
	SECCOMP_EQ(ioctl, 1, KVM_GET_VCPU_EVENTS),
	SECCOMP_EQ(ioctl, 1, KVM_GET_MSRS),
	SECCOMP_EQ(ioctl, 1, KVM_TRANSLATE),
	SECCOMP_EQ(ioctl, 1, KVM_SET_GUEST_DEBUG),
	SECCOMP_EQ(ioctl, 1, KVM_KVMCLOCK_CTRL),
	SECCOMP_END
};

/* The main thread makes the machine. */
static const struct seccomp_rule main_rules[] = {
	SECCOMP_EQ(ioctl, 1, KVM_GET_REGS),
	SECCOMP_EQ(ioctl, 1, KVM_SET_REGS),
	SECCOMP_EQ(ioctl, 1, KVM_GET_SREGS),
	SECCOMP_EQ(ioctl, 1, KVM_SET_SREGS),
	SECCOMP_EQ(ioctl, 1, KVM_GET_FPU),
	SECCOMP_EQ(ioctl, 1, KVM_SET_FPU),
	SECCOMP_EQ(ioctl, 1, KVM_GET_XSAVE),
	SECCOMP_EQ(ioctl, 1, KVM_GET_XSAVE2),
	SECCOMP_EQ(ioctl, 1, KVM_SET_XSAVE),
	SECCOMP_EQ(ioctl, 1, KVM_GET_NESTED_STATE),
	SECCOMP_EQ(ioctl, 1, KVM_GET_XCRS),
	SECCOMP_EQ(ioctl, 1, KVM_SET_XCRS),
	SECCOMP_EQ(ioctl, 1, KVM_GET_MSRS),
	SECCOMP_EQ(ioctl, 1, KVM_SET_MSRS),
	SECCOMP_EQ(ioctl, 1, KVM_GET_MSR_INDEX_LIST),
	SECCOMP_EQ(ioctl, 1, KVM_GET_LAPIC),
	SECCOMP_EQ(ioctl, 1, KVM_SET_LAPIC),
	SECCOMP_EQ(ioctl, 1, KVM_GET_MP_STATE),
	SECCOMP_EQ(ioctl, 1, KVM_SET_MP_STATE),
	SECCOMP_EQ(ioctl, 1, KVM_GET_VCPU_EVENTS),
	SECCOMP_EQ(ioctl, 1, KVM_SET_VCPU_EVENTS),
	SECCOMP_EQ(ioctl, 1, KVM_GET_DEBUGREGS),
	SECCOMP_EQ(ioctl, 1, KVM_SET_DEBUGREGS),
	SECCOMP_EQ(ioctl, 1, KVM_GET_SUPPORTED_CPUID),
	SECCOMP_EQ(ioctl, 1, KVM_GET_CPUID2),
	SECCOMP_EQ(ioctl, 1, KVM_SET_CPUID2),
	SECCOMP_EQ(ioctl, 1, KVM_SET_TSS_ADDR),
	SECCOMP_EQ(ioctl, 1, KVM_SET_IDENTITY_MAP_ADDR),
	SECCOMP_EQ(ioctl, 1, KVM_CREATE_IRQCHIP),
	SECCOMP_EQ(ioctl, 1, KVM_GET_IRQCHIP),
	SECCOMP_EQ(ioctl, 1, KVM_SET_IRQCHIP),
	SECCOMP_EQ(ioctl, 1, KVM_CREATE_PIT2),
	SECCOMP_EQ(ioctl, 1, KVM_GET_PIT2),
	SECCOMP_EQ(ioctl, 1, KVM_SET_PIT2),
	SECCOMP_EQ(ioctl, 1, KVM_GET_CLOCK),
	SECCOMP_EQ(ioctl, 1, KVM_SET_CLOCK),
	SECCOMP_EQ(ioctl, 1, KVM_GET_TSC_KHZ),
	SECCOMP_EQ(ioctl, 1, KVM_SET_TSC_KHZ),
	SECCOMP_EQ(ioctl, 1, KVM_TRANSLATE),
	SECCOMP_EQ(ioctl, 1, KVM_NMI),
	SECCOMP_EQ(ioctl, 1, KVM_SET_GUEST_DEBUG),
	SECCOMP_EQ(ioctl, 1, KVM_KVMCLOCK_CTRL),
	SECCOMP_END
};

u32 arch_audit(void)
{
	return AUDIT_ARCH_X86_64;
}

const struct seccomp_rule *arch_confine_rules(bool main)
{
	return main ? main_rules : vcpu_rules;
}

/* The x86-64 ABI of Linux: arguments in rdi, rsi, rdx, r10, r8, r9. */
void arch_syscall_args(const void *context, u64 args[6])
{
	const greg_t *reg = ((const ucontext_t *)context)->uc_mcontext.gregs;
	static const int order[] = { REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9 };
	unsigned int i;

	for (i = 0; i < 6; i++)
		args[i] = reg[order[i]];
}
