// SPDX-License-Identifier: GPL-2.0
/* The guest's memory as text, and how an address is mapped: see kvm/look.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/life.h>
#include <kvm/look.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "linux_info.h"
#include "linux_modules.h"

#define LINE	16		/* bytes */

/* Virtual addresses are the vCPU's; those of the kernel's half are the kernel's, whatever runs. */
struct memory {
	const struct mem *mem;
	struct arch_space space[2];
	unsigned int nr;
};

static bool memory_walk(const struct memory *m, u64 addr, struct arch_walk *walk)
{
	for (unsigned int i = 0; i < m->nr; i++)
		if (!arch_space_walk(m->mem, &m->space[i], addr, walk))
			return true;
	return false;
}

static bool memory_byte(const struct memory *m, u64 addr, u8 *byte)
{
	struct arch_walk walk;

	return memory_walk(m, addr, &walk) && !mem_read(m->mem, walk.gpa, byte, 1);
}

static void memory_line(const struct memory *m, u64 addr, unsigned int len, FILE *f)
{
	char text[LINE + 1] = "";
	u8 byte;

	fprintf(f, "%016llx ", (unsigned long long)addr);
	for (unsigned int i = 0; i < LINE; i++) {
		bool there = i < len && memory_byte(m, addr + i, &byte);

		if (there)
			fprintf(f, " %02x", byte);
		else
			fprintf(f, i < len ? " --" : "   ");
		text[i] = i >= len ? '\0' : there && isprint(byte) ? byte : '.';
	}
	fprintf(f, "  %s\n", text);
}

static void memory_steps(const struct memory *m, u64 addr, FILE *f)
{
	struct arch_walk walk;
	char text[120];
	bool mapped = memory_walk(m, addr, &walk);

	for (unsigned int i = 0; i < walk.nr; i++) {
		arch_entry_text(walk.step[i].entry, text, sizeof(text));
		fprintf(f, "%u  at %012llx  %s\n", m->space[0].levels - i, (unsigned long long)walk.step[i].gpa, text);
	}
	if (mapped)
		fprintf(f, "%016llx is at %012llx, in a page of %llu KiB\n", (unsigned long long)addr,
			(unsigned long long)walk.gpa, (unsigned long long)(walk.page / KIB));
	else
		fprintf(f, "%016llx is not mapped\n", (unsigned long long)addr);
}

/* "0x1234", "1234", "symbol", "symbol+0x12". */
static int memory_address(struct vm *vm, const char *text, u64 *addr)
{
	struct linux_info info;
	char name[SYMBOL_NAME_MAX], *end;
	size_t len = strcspn(text, "+");
	u64 offset = 0;
	int ret;

	if (isdigit((unsigned char)*text)) {
		*addr = strtoull(text, &end, 0);
		return *end ? -EINVAL : 0;
	}
	if (text[len])
		offset = strtoull(text + len + 1, &end, 0);
	if ((text[len] && (!text[len + 1] || *end)) || !len || len >= sizeof(name))
		return -EINVAL;
	snprintf(name, sizeof(name), "%.*s", (int)len, text);
	ret = info_open(&info, vm);
	if (!ret)
		ret = linux_modules_read(&info);
	*addr = ret ? 0 : info_symbol(&info, name);
	info_close(&info);
	if (!ret && !*addr)
		ret = -ENOENT;
	*addr += offset;
	return ret;
}

static int memory_spaces(struct vm *vm, const struct look_memory *what, struct memory *m)
{
	struct arch_linux l;
	int ret;

	m->mem = &vm->mem;
	m->nr = 1;
	if (what->physical)
		return 0;
	ret = arch_vcpu_space(vm->vcpu[what->vcpu], &m->space[0]);
	if (!ret && !arch_linux_find(m->mem, &m->space[0], &l))
		m->space[m->nr++] = l.space;
	return ret;
}

static int memory_print(struct vm *vm, const struct look_memory *what, FILE *f)
{
	struct memory m = { .nr = 0 };
	int ret = memory_spaces(vm, what, &m);
	u64 addr;

	if (!ret)
		ret = memory_address(vm, what->addr, &addr);
	if (ret)
		return ret;
	if (what->walk)
		memory_steps(&m, addr, f);
	for (u64 at = 0; !what->walk && at < what->len; at += LINE)
		memory_line(&m, addr + at, min(what->len - at, (u64)LINE), f);
	return 0;
}

int look_memory(struct vm *vm, const struct look_memory *what, FILE *f)
{
	int ret;

	if (what->vcpu < 0 || what->vcpu >= (int)vm->nr_vcpus || what->len > LOOK_MEMORY_MAX)
		return -EINVAL;
	ret = vm_pause(vm, HOLD_LOOK);
	if (ret)
		return ret;
	ret = memory_print(vm, what, f);
	vm_release(vm, HOLD_LOOK);
	return ret;
}
