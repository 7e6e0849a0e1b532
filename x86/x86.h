/* SPDX-License-Identifier: GPL-2.0 */
/* For the files of x86/: the machine's x86 half, behind vm->arch. */
#ifndef X86_X86_H
#define X86_X86_H

#include <kvm/types.h>
#include <kvm/vm.h>

struct ioapic;
struct kvm_cpuid2;
struct state;
struct vcpu;

enum x86_mode {
	X86_REAL,
	X86_PROTECTED,			/* 32-bit, without paging */
	X86_LONG,			/* 64-bit, the first 4 GiB mapped to themselves */
};

#define BOOT_GDT_ENTRIES	5

struct x86 {
	struct kvm_cpuid2 *cpuid;	/* what KVM can give a guest here; NULL without KVM */
	unsigned int phys_bits;		/* of a guest-physical address */
	u32 tsc_numerator, tsc_denominator;	/* the TSC's frequency in GHz; 0: not asked for yet */

	bool extended;			/* APIC IDs have more than 8 bits: x2APIC, and the next one */

	/* The state in which vCPU 0 starts: filled in by arch_load(). */
	enum x86_mode mode;
	u64 entry;			/* physical; X86_REAL: below 1 MiB */
	u64 rax, rbx, rsi;		/* the other registers are zero */
	u64 gdt;			/* room for BOOT_GDT_ENTRIES; not for X86_REAL */

	enum irqchip irqchip;		/* the one that there is */
	bool pc;			/* the guest may look for a PC's timers, tables and PICs */
	struct ioapic *ioapic;		/* NULL: KVM has one */
};

/* How many bits of an APIC ID tell threads of a core, cores of a socket apart. */
unsigned int topology_thread_bits(const struct vm *vm);
unsigned int topology_core_bits(const struct vm *vm);

static inline struct x86 *vm_x86(const struct vm *vm)
{
	return vm->arch;
}

/* End of the RAM below the hole, and of all RAM. */
u64 board_low_end(const struct vm *vm);
u64 board_ram_end(const struct vm *vm);

struct board_ram {
	u64 gpa, len;
};
/* The RAM of a NUMA node: how many pieces it is in. */
unsigned int board_node_ram(const struct vm *vm, unsigned int node, struct board_ram ram[2]);

/* Say what the machine is called. 0 or -EFAULT. */
int smbios_write(struct vm *vm);

/* Leave in memory what a PC's BIOS leaves. 0 or -EFAULT. */
int bios_write(struct vm *vm);

/* Describe processors and interrupts as kernels without ACPI want it. 0 or -errno. */
int mptable_write(struct vm *vm);

/* The first of @words (up to a NULL) that is among the kernel's parameters, or NULL. */
const char *cmdline_word(const struct vm *vm, const char *const *words);

/* EAX and EDX of CPUID's leaf 1. */
void cpuid_signature(const struct vm *vm, u32 *signature, u32 *features);
/* The TSC's frequency, 0: KVM does not say. */
unsigned int cpuid_khz(const struct vm *vm);
/* Ask KVM for the CPUID leaves and set phys_bits. 0 or -errno with the message printed. */
int cpuid_init(struct vm *vm);
/* Apply "host,+feature,-feature" to what KVM offers. 0 or -EINVAL with the message printed. */
int cpuid_features(struct kvm_cpuid2 *cpuid, const char *spec);
/* Give @vcpu its CPUID. 0 or -errno with the message printed. */
int cpuid_set(struct vcpu *vcpu);
/*
 * Write the CPUID that @vcpu has and the TSC's frequency; or refuse a state whose guest
 * has seen others. As state_value().
 */
int cpuid_state(struct vcpu *vcpu, struct state *s);

/* The guest's number (GSI) of pin 0 of our I/O APIC. */
u32 ioapic_first_gsi(const struct vm *vm);
/* A local APIC has seen the end of interrupt @vector. Machine lock held. */
void ioapic_eoi(struct vm *vm, u8 vector);

/*
 * @len bytes of KVM's that @get fills in and @set takes: written to, or read from, a
 * state as @name. As state_value().
 */
int state_ioctl(struct state *s, int fd, const char *name, unsigned long get, unsigned long set,
		void *buf, size_t len);

/* Registers of vCPU 0 for x86->entry. 0 or -errno with the message printed. */
int regs_boot(struct vcpu *vcpu);

#endif
