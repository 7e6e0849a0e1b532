// SPDX-License-Identifier: GPL-2.0
/*
 * Modules: see linux_modules.h. They are in the list "modules" of struct module, whose layout
 * BTF tells: without BTF they are not named.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "linux_info.h"
#include "linux_modules.h"

#define MODULE_SIZE_MAX		(256 * MIB)
#define MODULE_SYMBOLS_MAX	(1u << 20)	/* of all modules */

/* Offsets in struct module. */
struct module_layout {
	u32 list, name, base, size, nr_orcs, orc_ip, orc, kallsyms;
	u32 symtab, nr_symtab, strtab;		/* in struct mod_kallsyms */
	bool has_orc, has_symbols;
};

static bool modules_layout(const struct btf *b, struct module_layout *l)
{
	if (!btf_offset(b, "module", "list", &l->list) || !btf_offset(b, "module", "name", &l->name))
		return false;
	/* Since 6.4 its memory is in several parts, of which code is the first. */
	if (!(btf_offset(b, "module", "mem.base", &l->base) && btf_offset(b, "module", "mem.size", &l->size)) &&
	    !(btf_offset(b, "module", "core_layout.base", &l->base) &&
	      btf_offset(b, "module", "core_layout.size", &l->size)))
		return false;
	l->has_orc = btf_offset(b, "module", "arch.num_orcs", &l->nr_orcs) &&
		     btf_offset(b, "module", "arch.orc_unwind_ip", &l->orc_ip) &&
		     btf_offset(b, "module", "arch.orc_unwind", &l->orc);
	l->has_symbols = btf_offset(b, "module", "kallsyms", &l->kallsyms) &&
			 btf_offset(b, "mod_kallsyms", "symtab", &l->symtab) &&
			 btf_offset(b, "mod_kallsyms", "num_symtab", &l->nr_symtab) &&
			 btf_offset(b, "mod_kallsyms", "strtab", &l->strtab);
	return true;
}

static u32 module_u32(const struct linux_info *info, u64 addr)
{
	u32 val;

	return view_read(&info->view, addr, &val, sizeof(val)) ? 0 : val;
}

/* A name of unknown length, which may end where memory ends. */
static bool module_string(const struct linux_info *info, u64 addr, char name[SYMBOL_NAME_MAX])
{
	size_t len = 0;

	while (len < SYMBOL_NAME_MAX - 1) {
		size_t part = min((u64)SYMBOL_NAME_MAX - 1 - len, 64 - (addr + len) % 64);

		if (view_read(&info->view, addr + len, name + len, part))
			return false;
		len += part;
		name[len] = '\0';
		if (strlen(name) < len)
			return true;
	}
	return true;
}

static int module_symbols(struct linux_info *info, const struct module_layout *l, u64 module,
			  const struct linux_module *m, u32 *left)
{
	u64 kallsyms = info_pointer(info, module + l->kallsyms), symtab, strtab;
	char name[SYMBOL_NAME_MAX];
	Elf64_Sym sym;
	u32 nr;
	int ret = 0;

	if (!kallsyms)
		return 0;
	symtab = info_pointer(info, kallsyms + l->symtab);
	strtab = info_pointer(info, kallsyms + l->strtab);
	nr = min(module_u32(info, kallsyms + l->nr_symtab), *left);
	*left -= nr;
	for (u32 i = 0; !ret && i < nr; i++) {
		if (view_read(&info->view, symtab + (u64)i * sizeof(sym), &sym, sizeof(sym)))
			break;
		/* Linux before 5.0 has put the type's letter there. */
		if (ELF64_ST_TYPE(sym.st_info) != STT_FUNC && sym.st_info != 't' && sym.st_info != 'T')
			continue;
		if (sym.st_value - m->base < m->size && module_string(info, strtab + sym.st_name, name) && *name)
			ret = symbols_add(&info->symbols, sym.st_value, 't', name);
	}
	return ret == -ENOMEM ? ret : 0;
}

static int module_add(struct linux_info *info, const struct module_layout *l, u64 module, u32 *left)
{
	struct linux_module *m = &info->module[info->nr_modules];

	*m = (struct linux_module) { .base = info_pointer(info, module + l->base),
				     .size = module_u32(info, module + l->size) };
	if (!m->base || !m->size || m->size > MODULE_SIZE_MAX ||
	    view_read(&info->view, module + l->name, m->name, sizeof(m->name) - 1))
		return 0;
	for (char *p = m->name; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			*p = '.';
	if (l->has_orc)
		m->tables = (struct arch_tables) {
			info_pointer(info, module + l->orc_ip), info_pointer(info, module + l->orc),
			min(module_u32(info, module + l->nr_orcs), (u32)m->size),
		};
	info->nr_modules++;
	return l->has_symbols ? module_symbols(info, l, module, m, left) : 0;
}

int linux_modules_read(struct linux_info *info)
{
	u64 head = info_symbol(info, "modules"), at;
	u32 left = MODULE_SYMBOLS_MAX;
	struct module_layout l;
	int ret = 0;

	if (!head || !modules_layout(&info->btf, &l))
		return 0;
	info->module = calloc(MODULES_MAX, sizeof(*info->module));
	if (!info->module)
		return -ENOMEM;
	/* A list that leads to itself ends, too. */
	at = info_pointer(info, head);
	for (unsigned int i = 0; !ret && i < MODULES_MAX && at && at != head; i++, at = info_pointer(info, at))
		ret = module_add(info, &l, at - l.list, &left);
	symbols_sort(&info->symbols);
	return ret;
}
