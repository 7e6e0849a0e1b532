// SPDX-License-Identifier: GPL-2.0
/* See linux_info.h. */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "kallsyms.h"
#include "linux_info.h"

#define ORC_MAX		(8u << 20)	/* entries of a table */

u64 info_symbol(const struct linux_info *info, const char *name)
{
	u64 addr;

	return symbols_find(&info->symbols, name, &addr) ? addr : 0;
}

u64 info_pointer(const struct linux_info *info, u64 addr)
{
	u64 val;

	return view_read(&info->view, addr, &val, sizeof(val)) ? 0 : val;
}

static const struct linux_module *info_module(const struct linux_info *info, u64 addr)
{
	for (unsigned int i = 0; i < info->nr_modules; i++)
		if (addr - info->module[i].base < info->module[i].size)
			return &info->module[i];
	return NULL;
}

void info_name(const struct linux_info *info, u64 addr, char *text, size_t size)
{
	const struct linux_module *m = info_module(info, addr);
	const struct symbol *sym = NULL;
	u64 len = 0;
	int n;

	if (m || addr - info->code < info->code_end - info->code)
		sym = symbols_at(&info->symbols, addr, &len);
	/* The last one before a module belongs to another. */
	if (m && sym && sym->addr < m->base)
		sym = NULL;
	if (sym)
		n = snprintf(text, size, "%s+0x%llx/0x%llx", symbol_name(&info->symbols, sym),
			     (unsigned long long)(addr - sym->addr), (unsigned long long)len);
	else
		n = snprintf(text, size, "0x%llx", (unsigned long long)addr);
	if (m && n > 0 && (size_t)n < size)
		snprintf(text + n, size - n, " [%s]", m->name);
}

/* For the unwinder */

static int info_read(void *obj, u64 addr, void *buf, size_t len)
{
	const struct linux_info *info = obj;

	return view_read(&info->view, addr, buf, len);
}

static bool info_code(void *obj, u64 addr, struct arch_tables *tables)
{
	const struct linux_info *info = obj;
	const struct linux_module *m;

	*tables = info->tables;
	if (addr - info->code < info->code_end - info->code)
		return true;
	m = info_module(info, addr);
	if (m)
		*tables = m->tables;
	return m;
}

/* Without their names the kernel's code is all of its image. */
static void info_find_code(struct linux_info *info)
{
	u64 ip = info_symbol(info, "__start_orc_unwind_ip"), end = info_symbol(info, "__stop_orc_unwind_ip");
	const struct arch_linux *map = &info->view.map;

	info->code = info_symbol(info, "_stext");
	info->code_end = info_symbol(info, "_etext");
	if (!info->code || info->code_end <= info->code) {
		info->code = map->image;
		info->code_end = map->image + map->image_len;
	}
	if (ip && end > ip && (end - ip) / 4 <= ORC_MAX)
		info->tables = (struct arch_tables) { ip, info_symbol(info, "__start_orc_unwind"), (end - ip) / 4 };
	if (!info->tables.entry)
		info->tables.nr = 0;
}

static int info_find_btf(struct linux_info *info)
{
	u64 begin = info_symbol(info, "__start_BTF"), end = info_symbol(info, "__stop_BTF");

	if (!begin || end <= begin || end - begin > BTF_MAX || end - begin > info->view.map.image_len)
		return 0;
	info->btf_data = malloc(end - begin);
	if (!info->btf_data)
		return -ENOMEM;
	if (view_read(&info->view, begin, info->btf_data, end - begin))
		return 0;
	return btf_open(&info->btf, info->btf_data, end - begin) == -ENOMEM ? -ENOMEM : 0;
}

int info_open(struct linux_info *info, struct vm *vm)
{
	int ret;

	*info = (struct linux_info) { .unwind = { info_read, info_code, info } };
	ret = view_open(&info->view, vm);
	if (!ret && !info->view.found)
		ret = -ENOENT;
	if (!ret && kallsyms_read(&info->view, &info->symbols) == -ENOMEM)
		ret = -ENOMEM;
	if (!ret) {
		info_find_code(info);
		ret = info_find_btf(info);
	}
	return ret;
}

void info_close(struct linux_info *info)
{
	free(info->module);
	btf_close(&info->btf);
	free(info->btf_data);
	symbols_free(&info->symbols);
	view_close(&info->view);
}
