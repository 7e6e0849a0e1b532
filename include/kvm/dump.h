/* SPDX-License-Identifier: GPL-2.0 */
/* Dumps of a machine for crash, gdb, drgn and makedumpfile: hw/debug/dump.c. */
#ifndef KVM_DUMP_H
#define KVM_DUMP_H

#include <kvm/opt.h>
#include <kvm/types.h>

struct vm;

struct dump_report {
	u64 size;		/* bytes of the file */
	u64 data;		/* of these are no holes */
	u64 ns;			/* that it took */
	bool vmcoreinfo;	/* it has the kernel's: without it few readers know what to do */
	u64 moved;		/* bytes by which the kernel lies higher than it was linked for: KASLR */
};

/*
 * Write memory and registers to the regular file @fd, which loses its content: an ELF core
 * with holes for pages of zeroes. The vCPUs are held meanwhile, or have ended. Main thread,
 * lock held, and released meanwhile; or the machine has ended. 0, or -errno with @err filled
 * in, and the file is empty.
 */
int dump_write(struct vm *vm, int fd, struct dump_report *report, struct opt_err *err);

/* The same without memory: the notes are what is wanted. */
int dump_write_notes(struct vm *vm, int fd, struct opt_err *err);

/* The report as one line. */
#define DUMP_TEXT_MAX	200
void dump_text(const struct dump_report *report, char *text, size_t size);

#endif
