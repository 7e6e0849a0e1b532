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
struct mem;
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
/* Is @line of a kernel's console the first one of an oops? Those of all architectures need not be known. */
bool arch_is_die(const char *line);

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
extern const char *const arch_name;	/* as uname -m has it */
#define ARCH_REGS_MAX	1024		/* bytes of all registers */
/* All registers one behind the other, by the guest's byte order. A write changes KVM's state only where it differs. */
int arch_regs_read(struct vcpu *vcpu, u8 buf[ARCH_REGS_MAX]);
int arch_regs_write(struct vcpu *vcpu, const u8 buf[ARCH_REGS_MAX]);

/* Where the virtual address is by the vCPU's page tables, as the guest's kernel would see it: 0 or -EFAULT. */
int arch_vcpu_translate(struct vcpu *vcpu, u64 addr, gpa_t *gpa);

/*
 * Page tables, walked in memory without KVM: also for a machine that has ended. What they
 * say is the guest's, so a walk ends after ARCH_STEPS_MAX entries whatever they say.
 */
#define ARCH_STEPS_MAX	5
struct arch_space {
	gpa_t root;		/* of the first table */
	unsigned int levels;	/* of tables, 0: addresses are physical */
};
struct arch_walk {
	unsigned int nr;		/* entries that were read */
	struct {
		gpa_t gpa;		/* where the entry is */
		u64 entry;
	} step[ARCH_STEPS_MAX];
	gpa_t gpa;			/* of the address */
	u64 page;			/* bytes of the page that maps it; on failure: that nothing maps */
};
/* The page tables that the vCPU uses: 0, -ENOTSUP: a mode that has others, or -errno. */
int arch_vcpu_space(struct vcpu *vcpu, struct arch_space *space);
/* Where @addr is: 0, or -EFAULT. @walk is filled in as far as the walk came. */
int arch_space_walk(const struct mem *mem, const struct arch_space *space, u64 addr, struct arch_walk *walk);
/* The entry of a step as text: its address and flags. */
void arch_entry_text(u64 entry, char *text, size_t size);

/*
 * Where a Linux kernel lies, by its page tables and by the address map that its
 * documentation gives. All of it is the guest's word; lengths fit into its memory.
 */
struct arch_linux {
	struct arch_space space;	/* the kernel's own half, whatever runs */
	u64 image, image_len;		/* virtual address and bytes of text and data */
	gpa_t image_gpa;
	u64 direct;			/* virtual address of physical 0, 0: not found */
};
/* By the page tables @space: 0, or -ENOENT: no Linux kernel's. */
int arch_linux_find(const struct mem *mem, const struct arch_space *space, struct arch_linux *found);
/* The page tables of a kernel whose vmcoreinfo has these numbers; its processors may have been reset. */
struct arch_space arch_linux_space(u64 init_top_pgt, u64 phys_base, bool five_levels);

/*
 * The vCPU's registers for an ELF core (System V gABI, NT_PRSTATUS): *@len bytes of @buf,
 * @pid tells the vCPUs apart. @machine: of the ELF header.
 */
#define ARCH_PRSTATUS_MAX	512
extern const u16 arch_elf_machine;
int arch_prstatus(struct vcpu *vcpu, u32 pid, u8 buf[ARCH_PRSTATUS_MAX], size_t *len);

/* A function that has not returned yet: where it goes on. */
struct arch_frame {
	u64 ip, sp, fp;		/* linear addresses */
	u64 other[4];		/* registers that some frames are found by: the architecture's own */
	bool full;		/* all of these are known */
	bool exact;		/* the instruction at ip has not been executed; else it follows a call */
	bool kernel;		/* in a kernel, not in a program */
	bool guess;		/* found by looking at the stack only */
	u64 percpu;		/* of a vCPU: virtual address of the kernel's data of this CPU, 0: unknown */
};
int arch_vcpu_frame(struct vcpu *vcpu, struct arch_frame *frame);

/* From a function to its caller, in a Linux kernel. What is read is the guest's: each step ends. */
struct arch_tables {
	u64 ip, entry;		/* virtual addresses of the two tables of Linux' ORC unwinder */
	u32 nr;			/* entries of each; 0: there are none */
};
struct arch_unwind {
	/* 0, or -EFAULT. */
	int (*read)(void *obj, u64 addr, void *buf, size_t len);
	/* Is that an address of code? If so, @tables are of the image or module that has it. */
	bool (*code)(void *obj, u64 addr, struct arch_tables *tables);
	void *obj;
};
/* 0, -ENOENT: there is no caller, or it is a program (@frame->kernel is false then). */
int arch_unwind(const struct arch_unwind *u, struct arch_frame *frame);
/* The frame that a task will go on with whose kernel stack pointer was saved as @sp: 0, or -EFAULT. */
int arch_unwind_task(const struct arch_unwind *u, u64 sp, struct arch_frame *frame);

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

/*
 * Run a loop in a small machine of the KVM at @path: *@picoseconds is the time of one of the
 * guest's instructions. A processor with virtualization needs less than 10000. 0 or -errno.
 */
int arch_speed(const char *path, u64 *picoseconds);

/* Confinement (kvm/confine.h): the ABI of system calls, AUDIT_ARCH_*. */
u32 arch_audit(void);
/* The calls that only this architecture's code makes, on vCPU threads, or @main. */
const struct seccomp_rule *arch_confine_rules(bool main);
/* The arguments of the system call that a signal handler's @context (a ucontext_t) was interrupted in. */
void arch_syscall_args(const void *context, u64 args[6]);

#endif
