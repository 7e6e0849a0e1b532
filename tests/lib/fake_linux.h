/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine that has ended, without vCPUs and devices, in whose memory is what a Linux kernel
 * leaves there: page tables of four levels, an image, a direct map, and a vmcoreinfo.
 */
#ifndef FAKE_LINUX_H
#define FAKE_LINUX_H

#include <stdlib.h>

#include <kvm/vm.h>

#define FAKE_RAM	(64 * MIB)
#define FAKE_HIGH	(4 * GIB)		/* more RAM, 4 MiB of it */
#define FAKE_IMAGE	0xffffffff92000000ULL	/* moved: it was linked for 0xffffffff81000000 */
#define FAKE_IMAGE_GPA	(16 * MIB)
#define FAKE_IMAGE_LEN	(8 * MIB)
#define FAKE_DIRECT	0xffff93c0c0000000ULL
#define FAKE_TABLES	0x100000		/* its first page table */
#define FAKE_NOTE	0x300000

/* Also for programs that are no unit tests. */
static inline void must(bool ok)
{
	if (!ok)
		abort();
}

/* Guest memory of the machine, which machine_free() does not know. */
void fake_linux(struct vm *vm);
void fake_linux_free(struct vm *vm);

/* Bytes of the image, by their virtual address. */
void fake_write(struct vm *vm, u64 addr, const void *src, size_t len);
/* The note, with more lines. */
void fake_note(struct vm *vm, const char *more);
/* An entry of a page table. */
void fake_entry(struct vm *vm, gpa_t table, unsigned int i, u64 entry);

/* Parts of the image that fake_kallsyms() and fake_orc() fill in, by their virtual addresses. */
#define FAKE_TEXT_LEN	(1 * MIB)
#define FAKE_KALLSYMS	(FAKE_IMAGE + 2 * MIB + 0x10000)
#define FAKE_ORC_IP	(FAKE_IMAGE + 3 * MIB)
#define FAKE_ORC	(FAKE_ORC_IP + 0x1000)
#define FAKE_ORCS	200
#define FAKE_BTF	(FAKE_IMAGE + 4 * MIB)
#define FAKE_BTF_LEN	4096
#define FAKE_TASK	(FAKE_IMAGE + 5 * MIB)
#define FAKE_MODULES	(FAKE_IMAGE + 5 * MIB + 0x8000)

struct fake_parts {
	u64 names, number, tokens, index, offsets, base;
	size_t len;			/* of all from FAKE_KALLSYMS on */
};

/*
 * Symbols: function I from 9 on is "fn_I", at FAKE_IMAGE + 0x1000 + 16 * I. @old: as Linux 6.1
 * lays them out, with per-CPU symbols; else as 6.4 and later do.
 */
void fake_kallsyms(struct vm *vm, bool old, struct fake_parts *parts);
/* The note says where these are, as since Linux 6.0. */
void fake_kallsyms_note(struct vm *vm, const struct fake_parts *parts);
/* ORC's tables: each function has 8 bytes on its stack; 20 uses the frame pointer, 30 has an exception's registers, 40 has no caller. */
void fake_orc(struct vm *vm, bool old);

#endif
