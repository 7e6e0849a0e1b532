/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract of a processor architecture, in the order in which vm_create()
 * and the vCPU threads call it. x86/ is the only one for real machines;
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
 * The routes in KVM of an interrupt controller's input: fills in up to
 * ARCH_WIRE_ROUTES entries, returns how many.
 */
#define ARCH_WIRE_ROUTES 2
unsigned int arch_wire_routes(u32 gsi, struct kvm_irq_routing_entry *e);

/* The number of the input @gsi for KVM_IRQ_LINE. */
u32 arch_irq_line(u32 gsi);

/*
 * The route in KVM of the message of @devid to @addr: fills in all of @e but the gsi.
 * @addr and @data are the guest's, not vetted: KVM refuses what it does not take.
 */
void arch_msi_route(const struct vm *vm, u32 devid, u64 addr, u32 data,
		    struct kvm_irq_routing_entry *e);

/* The argument of KVM_CREATE_VM. */
unsigned long arch_vm_type(int kvm_fd);

/* The kind of a kernel. Probing loads nothing. */
struct kernel_info {
	const char *format;	/* "bzImage", "ELF with PVH entry", ...: for messages */
	bool is_linux;		/* a Linux kernel, and not some bare-metal program */
	bool is_narrow;		/* a Linux kernel that cannot run the programs that lkvm carries: 32 bits */
	bool is_pc;		/* a program for old PCs, such as memtest86+: it may need a PIT */
};
int arch_probe(const char *path, struct kernel_info *info);

/*
 * Images of this architecture other than ELF files: their path in a build tree and their
 * name. The functions inspect a kernel of @len bytes at @image; they do not load it.
 */
extern const char *const arch_image_path, *const arch_image_name;
bool arch_image_is(const void *image, u64 len);
/* The text that begins with the release, not beyond @image + @len; NULL: there is none. */
const char *arch_image_release(const void *image, u64 len);
/* The payload that it unpacks when it starts, *@payload_len bytes; NULL: its header does not say. */
const void *arch_image_payload(const void *image, u64 len, u64 *payload_len);

/* Kernel parameters that suit the machine with @serials serial ports, 1 to 4: a static text. */
const char *arch_cmdline(unsigned int serials);

/* Add RAM regions for vm->cfg->mem bytes to vm->mem. */
int arch_memory(struct vm *vm);
/* Create the interrupt controller in KVM; memory slots are set, vCPUs do not exist yet. */
int arch_irqchip(struct vm *vm);
/* The part of the interrupt controller's setup that needs the vCPUs. */
int arch_vcpus_created(struct vm *vm);
/*
 * The board's place for the @nr-th (from 0) chip of @type that is not part of every
 * machine, and its input of the interrupt controller (0: none). False: it has no place,
 * and the user has to give one. Parts of a chip have places, too, by their own names.
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
/* After S3, instead of these two: RAM has its old content, and vCPU 0 starts at ACPI's waking vector. */
int arch_wake(struct vm *vm);
/* The ID of vCPU @index in KVM and in the guest's interrupt controller: on x86 the APIC ID. */
u32 arch_vcpu_id(const struct vm *vm, unsigned int index);
/* CPUID, MSRs, and for vCPU 0 the entry state. On the thread that created the vCPU. */
int arch_vcpu_init(struct vcpu *vcpu);
/* An exit reason the generic table does not know: true if it was handled. Lock held. */
bool arch_vcpu_exit(struct vcpu *vcpu);
/* The vCPU was held and is about to go on. On its own thread. */
void arch_vcpu_resumed(struct vcpu *vcpu);
/*
 * Write or read KVM's part of the state: of the machine, and of one vCPU (kvm/state.h).
 * No vCPU runs. The state may be from another host's KVM: values that this one does not
 * take are an error.
 */
int arch_state(struct vm *vm, struct state *s);
int arch_vcpu_state(struct vcpu *vcpu, struct state *s);
/* Print the registers and the code at the instruction pointer. The vCPU does not run. */
void arch_vcpu_dump(struct vcpu *vcpu, FILE *f);

/*
 * For debuggers. The vCPU does not run, unless it says otherwise. All of these return
 * -errno and print nothing.
 */
/* A register: its number is its place in the table, which is gdb's order, too. */
struct arch_reg {
	const char *name;
	const char *type;	/* in gdb's words ("Debugging with GDB", G.3) */
	u8 bytes;		/* as gdb has it */
	/* The architecture's own: where its value is, of how many bytes. */
	u8 size;
	u16 off;
};
/* The registers of one of gdb's features (G.5), which follow those of the one before. */
struct arch_reg_set {
	const char *feature;	/* NULL: the end of the table */
	const char *types;	/* XML, or NULL */
	const struct arch_reg *reg;
	unsigned int nr;
};
extern const struct arch_reg_set arch_reg_sets[];
extern const char *const arch_gdb_name;
#define ARCH_REGS_MAX	1024		/* bytes of all registers */
/* All registers one behind the other, by the guest's byte order. A write changes KVM's state only where it differs. */
int arch_regs_read(struct vcpu *vcpu, u8 buf[ARCH_REGS_MAX]);
int arch_regs_write(struct vcpu *vcpu, const u8 buf[ARCH_REGS_MAX]);

/* Where the virtual address is by the vCPU's page tables, as the guest's kernel would see it: 0 or -EFAULT. */
int arch_vcpu_translate(struct vcpu *vcpu, u64 addr, gpa_t *gpa);

/* The breakpoint instruction, for guest memory. */
#define ARCH_BREAK_MAX	4
extern const u8 arch_break_insn[];
extern const size_t arch_break_len;

/* An address that the processor itself watches. */
enum arch_point_kind {
	ARCH_EXEC, ARCH_WRITE, ARCH_READ, ARCH_ACCESS,
};
struct arch_point {
	u64 addr;		/* virtual */
	u64 len;		/* bytes; of ARCH_EXEC it means nothing */
	enum arch_point_kind kind;
};
#define ARCH_POINTS_MAX	4
/* Can the processor watch that? */
bool arch_point_valid(const struct arch_point *point);

/* How a vCPU is debugged. */
struct arch_debug {
	bool on;		/* breakpoint instructions and points leave the guest */
	bool step;		/* so does each instruction */
	unsigned int nr;
	struct arch_point point[ARCH_POINTS_MAX];
};
int arch_debug_set(struct vcpu *vcpu, const struct arch_debug *debug);

/* What KVM_EXIT_DEBUG is about, or a failed emulation. On the vCPU's thread, lock held. */
enum arch_stop {
	ARCH_STOP_NONE,		/* an exception of the guest's own */
	ARCH_STOP_BREAK,	/* a breakpoint instruction */
	ARCH_STOP_POINT,
	ARCH_STOP_STEP,
};
/* @addr: of the breakpoint instruction; @nr: which of debug->point. */
enum arch_stop arch_debug_stop(struct vcpu *vcpu, const struct arch_debug *debug, u64 *addr,
			       unsigned int *nr);
/* It is none of the debugger's: have the guest get the exception. On the vCPU's thread, lock held. */
int arch_debug_reflect(struct vcpu *vcpu, const struct arch_debug *debug);

/* Confinement (kvm/confine.h): the ABI of system calls, AUDIT_ARCH_*. */
u32 arch_audit(void);
/* The calls that only this architecture's code makes, on vCPU threads, or @main. */
const struct seccomp_rule *arch_confine_rules(bool main);
/* The arguments of the system call that a signal handler's @context (a ucontext_t) was interrupted in. */
void arch_syscall_args(const void *context, u64 args[6]);

#endif
