// SPDX-License-Identifier: GPL-2.0
/*
 * Registers: the state in which vCPU 0 enters the kernel, and the dump after an
 * error. 64-bit and 32-bit entry: Documentation/arch/x86/
 * boot.rst, "64-bit Boot Protocol", "32-bit Boot Protocol"; PVH: Xen's
 * misc/pvh.pandoc, "direct boot route"; Multiboot Specification 0.6.96, 3.2.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/log.h>
#include <kvm/memory.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

#define APIC_BASE_X2APIC	(1ULL << 10)
#define CR0_PE		(1u << 0)
#define CR0_ET		(1u << 4)
#define CR0_PG		(1u << 31)
#define CR4_PAE		(1u << 5)
#define EFER_LME	(1u << 8)
#define EFER_LMA	(1u << 10)
#define RFLAGS_FIXED	2
#define RESET_RIP	0xfff0
#define RESET_CS_BASE	0xffff0000

#define PAGE_PRESENT	(1u << 0)
#define PAGE_WRITE	(1u << 1)
#define PAGE_LARGE	(1u << 7)

/* Selectors that the boot protocol prescribes: __BOOT_CS, __BOOT_DS. */
#define BOOT_CS		0x10
#define BOOT_DS		0x18
#define BOOT_TSS	0x20

/* The descriptor that has the same meaning as @seg, for the GDT in memory (SDM volume 3, 3.4.5). */
static u64 regs_descriptor(const struct kvm_segment *seg)
{
	u64 limit = seg->g ? seg->limit >> 12 : seg->limit;

	return (limit & 0xffff) | (limit >> 16 & 0xf) << 48 |
	       (seg->base & 0xffffff) << 16 | (seg->base >> 24 & 0xff) << 56 |
	       (u64)seg->type << 40 | (u64)seg->s << 44 | (u64)seg->dpl << 45 |
	       (u64)seg->present << 47 | (u64)seg->l << 53 | (u64)seg->db << 54 |
	       (u64)seg->g << 55;
}

/* Identity map of 4 GiB in 2 MiB pages: one PML4, one PDPT, four page directories. */
static int regs_page_tables(struct vm *vm)
{
	u64 table[512] = { 0 }, page = 0;
	unsigned int dir, i;
	int ret;

	table[0] = (BOOT_PAGE_TABLE + 0x1000) | PAGE_PRESENT | PAGE_WRITE;
	ret = mem_write(&vm->mem, BOOT_PAGE_TABLE, table, sizeof(table));
	for (dir = 0; dir < 4; dir++)
		table[dir] = (BOOT_PAGE_TABLE + 0x2000 + dir * 0x1000) | PAGE_PRESENT | PAGE_WRITE;
	if (!ret)
		ret = mem_write(&vm->mem, BOOT_PAGE_TABLE + 0x1000, table, sizeof(table));
	for (dir = 0; dir < 4 && !ret; dir++) {
		for (i = 0; i < 512; i++, page += 2 * MIB)
			table[i] = page | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
		ret = mem_write(&vm->mem, BOOT_PAGE_TABLE + 0x2000 + dir * 0x1000, table,
				sizeof(table));
	}
	return ret;
}

/* Flat segments of 4 GiB, and the GDT in memory that goes with them. */
static int regs_protected(struct vm *vm, struct kvm_sregs *sregs)
{
	const struct x86 *x86 = vm_x86(vm);
	bool is_long = x86->mode == X86_LONG;
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = BOOT_CS, .type = 11, .present = 1, .s = 1,
		.l = is_long, .db = !is_long, .g = 1,
	};
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = BOOT_DS, .type = 3, .present = 1, .s = 1,
		.db = 1, .g = 1,
	};
	struct kvm_segment tss = {
		.limit = 0x67, .selector = BOOT_TSS, .type = 11, .present = 1,
	};
	u64 gdt[BOOT_GDT_ENTRIES] = {
		0, 0, regs_descriptor(&code), regs_descriptor(&data), regs_descriptor(&tss),
	};
	int ret;

	ret = mem_write(&vm->mem, x86->gdt, gdt, sizeof(gdt));
	if (!ret && is_long)
		ret = regs_page_tables(vm);
	if (ret) {
		pr_err("boot data does not fit into RAM");
		return ret;
	}
	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = tss;
	sregs->gdt.base = x86->gdt;
	sregs->gdt.limit = sizeof(gdt) - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	sregs->cr0 = CR0_PE | CR0_ET;
	if (is_long) {
		sregs->cr0 |= CR0_PG;
		sregs->cr3 = BOOT_PAGE_TABLE;
		sregs->cr4 |= CR4_PAE;
		sregs->efer |= EFER_LME | EFER_LMA;
	}
	return 0;
}

/* Out of reset, but for where it is. */
static void regs_real(const struct x86 *x86, bool woken, struct kvm_sregs *sregs, struct kvm_regs *regs)
{
	struct kvm_segment *seg[] = {
		&sregs->cs, &sregs->ds, &sregs->es, &sregs->fs, &sregs->gs, &sregs->ss,
	};
	unsigned int i;

	/* ACPI 6.4, 5.2.10: after S3 only the code segment is the caller's word. */
	if (woken) {
		sregs->cs.base = x86->entry & ~15ULL;
		sregs->cs.selector = sregs->cs.base >> 4;
		regs->rip = x86->entry & 15;
		return;
	}
	for (i = 0; i < ARRAY_SIZE(seg); i++) {
		seg[i]->base = x86->entry & ~0xffffULL;
		seg[i]->selector = seg[i]->base >> 4;
	}
	regs->rip = x86->entry & 0xffff;
	regs->rsp = x86->entry & 0xfffe;
}

int regs_boot(struct vcpu *vcpu)
{
	const struct x86 *x86 = vm_x86(vcpu->vm);
	struct kvm_regs regs = {
		.rip = x86->entry, .rflags = RFLAGS_FIXED,
		.rax = x86->rax, .rbx = x86->rbx, .rsi = x86->rsi,
	};
	struct kvm_sregs sregs;
	int ret;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		goto failed;
	if (x86->mode == X86_REAL) {
		regs_real(x86, vcpu->vm->begin == BEGIN_WAKE, &sregs, &regs);
	} else {
		ret = regs_protected(vcpu->vm, &sregs);
		if (ret)
			return ret;
	}
	/* With IDs of 32 bits firmware leaves the local APIC in x2APIC mode (ACPI 6.4, 5.2.12.12), and Linux relies on it. */
	if (x86->extended)
		sregs.apic_base |= APIC_BASE_X2APIC;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		goto failed;
	return 0;
failed:
	ret = -errno;
	pr_err("KVM refuses the entry state: %s", strerror(-ret));
	return ret;
}

/* The byte at a linear address; false if the guest has nothing mapped there. */
static bool regs_byte(struct vcpu *vcpu, u64 addr, u8 *byte)
{
	gpa_t gpa;

	return !arch_vcpu_translate(vcpu, addr, &gpa) && !mem_read(&vcpu->vm->mem, gpa, byte, 1);
}

static void regs_code(struct vcpu *vcpu, FILE *f, u64 rip)
{
	int i;
	u8 byte;

	fprintf(f, "  code:");
	for (i = -24; i < 24; i++) {
		if (!regs_byte(vcpu, rip + i, &byte))
			fprintf(f, i ? " --" : " <-->");
		else
			fprintf(f, i ? " %02x" : " <%02x>", byte);
	}
	fprintf(f, "\n");
}

static void regs_segment(FILE *f, const char *name, const struct kvm_segment *s)
{
	fprintf(f, "  %s %04x base %016llx limit %08x type %x%s%s%s\n", name, s->selector,
		(unsigned long long)s->base, s->limit, s->type, s->l ? " 64-bit" : "",
		s->db ? " 32-bit" : "", s->unusable ? " unusable" : "");
}

/* The exception that was being delivered, if KVM still has one. */
static void regs_exception(struct vcpu *vcpu, FILE *f)
{
	static const char *const name[] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", NULL, "#TS", "#NP",
		"#SS", "#GP", "#PF", NULL, "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
	};
	struct kvm_vcpu_events e = { .flags = 0 };

	if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &e) < 0 || !e.exception.injected)
		return;
	fprintf(f, "  exception %u", e.exception.nr);
	if (e.exception.nr < ARRAY_SIZE(name) && name[e.exception.nr])
		fprintf(f, " (%s)", name[e.exception.nr]);
	if (e.exception.has_error_code)
		fprintf(f, ", error code %x", e.exception.error_code);
	fprintf(f, " was being delivered\n");
}

/* Intel SDM volume 3, table 9-1: where a CPU is after a reset, and an INIT. */
static bool regs_are_reset(const struct kvm_regs *r, const struct kvm_sregs *s)
{
	return r->rip == RESET_RIP && s->cs.base == RESET_CS_BASE && !(s->cr0 & CR0_PE);
}

void arch_vcpu_dump(struct vcpu *vcpu, FILE *f)
{
	struct kvm_regs r = { 0 };
	struct kvm_sregs s = { .cr0 = 0 };
	u64 rip;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0) {
		fprintf(f, "vCPU %u: no registers: %s\n", vcpu->index, strerror(errno));
		return;
	}
#define R(reg) (unsigned long long)(reg)
	fprintf(f, "vCPU %u:\n", vcpu->index);
	regs_exception(vcpu, f);
	if (regs_are_reset(&r, &s)) {
		fprintf(f, "  its registers are those of a reset: it has executed nothing, or KVM has reset it, as kvm-amd does after a triple fault\n");
		return;
	}
	fprintf(f, "  rip %04x:%016llx rflags %08llx\n", s.cs.selector, R(r.rip), R(r.rflags));
	fprintf(f, "  rax %016llx rbx %016llx rcx %016llx\n", R(r.rax), R(r.rbx), R(r.rcx));
	fprintf(f, "  rdx %016llx rsi %016llx rdi %016llx\n", R(r.rdx), R(r.rsi), R(r.rdi));
	fprintf(f, "  rbp %016llx rsp %016llx r8  %016llx\n", R(r.rbp), R(r.rsp), R(r.r8));
	fprintf(f, "  r9  %016llx r10 %016llx r11 %016llx\n", R(r.r9), R(r.r10), R(r.r11));
	fprintf(f, "  r12 %016llx r13 %016llx r14 %016llx\n", R(r.r12), R(r.r13), R(r.r14));
	fprintf(f, "  r15 %016llx\n", R(r.r15));
	fprintf(f, "  cr0 %016llx cr2 %016llx cr3 %016llx\n", R(s.cr0), R(s.cr2), R(s.cr3));
	fprintf(f, "  cr4 %016llx efer %016llx\n", R(s.cr4), R(s.efer));
	regs_segment(f, "cs", &s.cs);
	regs_segment(f, "ss", &s.ss);
	regs_segment(f, "ds", &s.ds);
	regs_segment(f, "fs", &s.fs);
	regs_segment(f, "gs", &s.gs);
	fprintf(f, "  gdt %016llx limit %04x  idt %016llx limit %04x\n", R(s.gdt.base), s.gdt.limit,
		R(s.idt.base), s.idt.limit);
#undef R
	/* In real and 16-bit mode the code segment has a base. */
	rip = s.cs.l ? r.rip : (u32)(s.cs.base + r.rip);
	regs_code(vcpu, f, rip);
}
