/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a processor architecture provides, in the order in which vm_create()
 * and the vCPU threads call it. x86/ is the only implementation for real machines;
 * tests/lib/arch_stub.c is another board, on which unit tests run. All return 0, or -errno
 * with the message printed.
 */
#ifndef KVM_ARCH_H
#define KVM_ARCH_H

#include <stdio.h>

#include <kvm/types.h>

struct kvm_irq_routing_entry;
struct seccomp_rule;
struct state;
struct vcpu;
struct vm;

/*
 * How an interrupt controller input is routed in KVM: fills in up to
 * ARCH_WIRE_ROUTES entries, returns how many.
 */
#define ARCH_WIRE_ROUTES 2
unsigned int arch_wire_routes(u32 gsi, struct kvm_irq_routing_entry *e);

/* By what KVM_IRQ_LINE knows the input @gsi. */
u32 arch_irq_line(u32 gsi);

/*
 * The route in KVM of the message of @devid to @addr: fills in all of @e but the gsi.
 * @addr and @data are the guest's, not vetted: KVM refuses what it does not take.
 */
void arch_msi_route(const struct vm *vm, u32 devid, u64 addr, u32 data,
		    struct kvm_irq_routing_entry *e);

/* What KVM_CREATE_VM is asked for. */
unsigned long arch_vm_type(int kvm_fd);

/* What kind of kernel a file is; nothing of it is loaded. */
struct kernel_info {
	const char *format;	/* "bzImage", "ELF with PVH entry", ...: for messages */
	bool is_linux;		/* a Linux kernel, and not some bare-metal program */
	bool is_narrow;		/* a Linux kernel that cannot run the programs that lkvm carries: 32 bits */
	bool is_pc;		/* a program for a PC of old, as memtest86+ is: it may look for a PIT */
};
int arch_probe(const char *path, struct kernel_info *info);

/*
 * The images of this architecture that are no ELF files: where a build leaves one in its
 * tree, and what it is called; for those who look at a kernel, of which @len bytes are at
 * @image, but do not load it.
 */
extern const char *const arch_image_path, *const arch_image_name;
bool arch_image_is(const void *image, u64 len);
/* The text that begins with the release, up to @image + @len at most; NULL: it has none. */
const char *arch_image_release(const void *image, u64 len);
/* What it unpacks when it starts, *@payload_len bytes; NULL: that is not told. */
const void *arch_image_payload(const void *image, u64 len, u64 *payload_len);

/* Kernel parameters that suit the machine with @serials serial ports, 1 to 4: a static text. */
const char *arch_cmdline(unsigned int serials);

/* Add RAM regions for vm->cfg->mem bytes to vm->mem. */
int arch_memory(struct vm *vm);
/* Create the interrupt controller in KVM; memory slots are set, vCPUs do not exist yet. */
int arch_irqchip(struct vm *vm);
/* What the interrupt controller needs once it knows the vCPUs. */
int arch_vcpus_created(struct vm *vm);
/*
 * Where the board has the @nr-th (from 0) chip of @type that is not part of every
 * machine, and its input of the interrupt controller, 0: none. False: nowhere, so that
 * the user has to say. Also the places of the parts of one chip, by their own names.
 */
struct arch_place {
	u64 base;
	u32 irq;
};
bool arch_place(const char *type, unsigned int nr, struct arch_place *place);
/* Add the board's chips (device_add), in order. */
int arch_board(struct vm *vm);
/* Put kernel, initrd and command line into memory. */
int arch_load(struct vm *vm);
/* Describe the machine to the guest: all devices exist. */
int arch_firmware(struct vm *vm);
/* In place of these two after S3: the RAM is as it was, and vCPU 0 is to start where ACPI says. */
int arch_wake(struct vm *vm);
/* By what KVM and the guest's interrupt controller know vCPU @index: on x86 its APIC ID. */
u32 arch_vcpu_id(const struct vm *vm, unsigned int index);
/* CPUID, MSRs, and for vCPU 0 the entry state. On the thread that created the vCPU. */
int arch_vcpu_init(struct vcpu *vcpu);
/* An exit reason the generic table does not know: true if it was handled. Lock held. */
bool arch_vcpu_exit(struct vcpu *vcpu);
/* It has stood still for a while and is about to go on. On its own thread. */
void arch_vcpu_resumed(struct vcpu *vcpu);
/*
 * Write or read what KVM has of the machine, and of one vCPU (kvm/state.h): nothing of
 * it runs. KVM may be another one by now: what it does not take is refused.
 */
int arch_state(struct vm *vm, struct state *s);
int arch_vcpu_state(struct vcpu *vcpu, struct state *s);
/* Print the registers and the code at the instruction pointer. The vCPU does not run. */
void arch_vcpu_dump(struct vcpu *vcpu, FILE *f);

/* Confinement (kvm/confine.h): the ABI of system calls as AUDIT_ARCH_* says it. */
u32 arch_audit(void);
/* The calls that only this architecture's code makes, on vCPU threads, or @main. */
const struct seccomp_rule *arch_confine_rules(bool main);
/* The arguments of the system call that a signal handler's @context (a ucontext_t) was interrupted in. */
void arch_syscall_args(const void *context, u64 args[6]);

#endif
