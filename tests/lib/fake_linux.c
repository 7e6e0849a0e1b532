// SPDX-License-Identifier: GPL-2.0
/* See fake_linux.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/memory.h>

#include "fake_linux.h"

#define PRESENT		1
#define LARGE		0x80
#define TABLE(n)	(FAKE_TABLES + (n) * 4096ULL)

void fake_entry(struct vm *vm, gpa_t table, unsigned int i, u64 entry)
{
	must(!mem_write(&vm->mem, table + 8 * i, &entry, sizeof(entry)));
}

static unsigned int index_of(u64 addr, unsigned int level)
{
	return addr >> (12 + 9 * level) & 511;
}

/* Two MiB at a time, by tables of its own. */
static void fake_map(struct vm *vm, unsigned int table, u64 addr, u64 len, gpa_t gpa)
{
	fake_entry(vm, TABLE(0), index_of(addr, 3), TABLE(table) | PRESENT);
	fake_entry(vm, TABLE(table), index_of(addr, 2), TABLE(table + 1) | PRESENT);
	for (u64 at = 0; at < len; at += 2 * MIB)
		fake_entry(vm, TABLE(table + 1), index_of(addr + at, 1), (gpa + at) | PRESENT | LARGE);
}

void fake_note(struct vm *vm, const char *more)
{
	struct { u32 name, len, type; char text[12]; } head = { 11, 0, 0, "VMCOREINFO" };
	char text[4096];

	head.len = snprintf(text, sizeof(text), "OSRELEASE=6.1.0-fake\nSYMBOL(init_top_pgt)=%llx\n"
			    "NUMBER(phys_base)=%lld\nNUMBER(pgtable_l5_enabled)=0\nKERNELOFFSET=11000000\n%s",
			    FAKE_IMAGE - FAKE_IMAGE_GPA + FAKE_TABLES,
			    -(long long)(FAKE_IMAGE - 0xffffffff80000000ULL - FAKE_IMAGE_GPA), more);
	must(!mem_write(&vm->mem, FAKE_NOTE, &head, sizeof(head)));
	must(!mem_write(&vm->mem, FAKE_NOTE + sizeof(head), text, head.len));
}

void fake_linux(struct vm *vm)
{
	memset(vm, 0, sizeof(*vm));
	vm->end = VM_EXIT;
	undo_init(&vm->undo);
	INIT_LIST_HEAD(&vm->devices);
	must(!mem_add(&vm->mem, &vm->undo, 0, FAKE_RAM));
	must(!mem_add(&vm->mem, &vm->undo, FAKE_HIGH, 4 * MIB));
	fake_map(vm, 1, FAKE_IMAGE, FAKE_IMAGE_LEN, FAKE_IMAGE_GPA);
	fake_map(vm, 3, FAKE_DIRECT, FAKE_RAM, 0);
	fake_note(vm, "");
}

void fake_linux_free(struct vm *vm)
{
	undo_run(&vm->undo);
}

void fake_write(struct vm *vm, u64 addr, const void *src, size_t len)
{
	must(!mem_write(&vm->mem, addr - FAKE_IMAGE + FAKE_IMAGE_GPA, src, len));
}
