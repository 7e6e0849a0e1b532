// SPDX-License-Identifier: GPL-2.0
/* The capabilities of KVM that only x86 has: see kvm/feature.h. */
#include <linux/kvm.h>

#include <kvm/feature.h>

const struct feature arch_features[] = {
	FEATURE(KVM_CAP_IRQCHIP, "interrupt controllers in the kernel", NULL),
	FEATURE(KVM_CAP_SPLIT_IRQCHIP, "only local APICs in the kernel",
		"Linux gets KVM's I/O APIC, whose 24 pins it looks after; other kernels need --irqchip kernel, and there are at most 255 vCPUs"),
	FEATURE(KVM_CAP_EXT_CPUID, "which CPUID bits a guest may see", NULL),
	FEATURE(KVM_CAP_SET_TSS_ADDR, "TSS pages for real mode on Intel's CPUs",
		"KVM chooses their address"),
	FEATURE(KVM_CAP_SET_IDENTITY_MAP_ADDR, "an identity-mapped page, likewise",
		"KVM chooses its address"),
	FEATURE(KVM_CAP_TSC_DEADLINE_TIMER, "the local APIC's timer by TSC",
		"the guest uses it in another mode, with more exits"),
	FEATURE(KVM_CAP_GET_TSC_KHZ, "the frequency of the TSC",
		"a guest without KVM's clock has to measure it"),
	FEATURE(KVM_CAP_KVMCLOCK_CTRL, "tells the guest's watchdogs of a pause",
		"its watchdog may report a lockup after lkvm resume"),
	FEATURE(KVM_CAP_MAX_VCPU_ID, "the APIC IDs that a machine may have",
		"lkvm tries, and KVM may refuse"),
	FEATURE(KVM_CAP_X2APIC_API, "APIC IDs beyond 254", "at most 255 vCPUs"),
	FEATURE(KVM_CAP_XSAVE2, "saves the FPU of a processor with AMX",
		"a guest that uses AMX cannot be saved"),
	FEATURE(KVM_CAP_NESTED_STATE, "saves a guest of the guest",
		"a guest that runs guests cannot be saved"),
	FEATURE(KVM_CAP_SET_GUEST_DEBUG, "breakpoints and single steps", "lkvm run --gdb is refused"),
	FEATURE(KVM_CAP_SET_GUEST_DEBUG2, "holds interrupts back while a debugger steps",
		"a step may end in an interrupt's handler"),
	{ .name = NULL }
};
