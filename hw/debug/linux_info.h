/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A Linux kernel with its names: symbols, modules, the layout of structures, and tables for
 * unwinding. For a moment only: it is read from a machine that stands still.
 */
#ifndef HW_DEBUG_LINUX_INFO_H
#define HW_DEBUG_LINUX_INFO_H

#include "btf.h"
#include "linux_view.h"
#include "symbols.h"

#define INFO_NAME_MAX	(SYMBOL_NAME_MAX + 120)
#define MODULE_NAME_MAX	57
#define MODULES_MAX	1024

struct linux_module {
	char name[MODULE_NAME_MAX];
	u64 base, size;			/* of its code */
	struct arch_tables tables;
};

struct linux_info {
	struct linux_view view;
	struct symbols symbols;		/* of the kernel and its modules; none without CONFIG_KALLSYMS */
	u64 code, code_end;		/* of the kernel */
	struct arch_tables tables;
	struct btf btf;			/* without types if the kernel has none (CONFIG_DEBUG_INFO_BTF) */
	void *btf_data;
	struct linux_module *module;
	unsigned int nr_modules;
	struct arch_unwind unwind;	/* reads this */
};

/*
 * All but the modules, which linux_modules_read() adds. 0, -ENOENT: there is no Linux kernel; -ENOMEM. To be closed in
 * any case. Does not move meanwhile.
 */
int info_open(struct linux_info *info, struct vm *vm);
void info_close(struct linux_info *info);

/* "function+0x12/0x34 [module]", or the number. */
void info_name(const struct linux_info *info, u64 addr, char *text, size_t size);
/* A symbol's address, or 0. */
u64 info_symbol(const struct linux_info *info, const char *name);
/* What is at an address, 0 if that cannot be read. */
u64 info_pointer(const struct linux_info *info, u64 addr);

#endif
