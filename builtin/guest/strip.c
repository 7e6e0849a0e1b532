// SPDX-License-Identifier: GPL-2.0
/*
 * A module without its debug information: the sections that are left move together,
 * the table of them follows. See kvm/modules.h. Main thread, before the machine.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/elf.h>
#include <kvm/modules.h>

#define STRIP_WORTH	(64 * KIB)

/* Sections by where they are in the file. */
static int strip_order(const void *a, const void *b)
{
	const Elf64_Shdr *const *x = a, *const *y = b;

	return (*x)->sh_offset < (*y)->sh_offset ? -1 : (*x)->sh_offset > (*y)->sh_offset;
}

static bool strip_is_debug(const Elf64_Shdr *sh, const char *name)
{
	return !(sh->sh_flags & SHF_ALLOC) && (sh->sh_type == SHT_PROGBITS || sh->sh_type == SHT_RELA) &&
	       (!strncmp(name, ".debug", 6) || !strncmp(name, ".rela.debug", 11));
}

/*
 * Read all sections into @table, in @order those that stay, their number in *@nr. Returns
 * the bytes of those that go, 0 if the file is not understood.
 */
static u64 strip_read(const struct elf *elf, Elf64_Shdr *table, Elf64_Shdr **order, unsigned int *nr)
{
	u64 debug = 0;

	for (unsigned int i = 0; i < elf->shnum; i++) {
		Elf64_Shdr *s = &table[i];
		const char *name;

		if (elf_section(elf, i, s))
			return 0;
		name = elf_name(elf, s);
		if (!name)
			return 0;
		if (s->sh_type == SHT_NULL || s->sh_type == SHT_NOBITS)
			continue;
		if (!elf_holds(elf, s->sh_offset, s->sh_size))
			return 0;
		if (strip_is_debug(s, name)) {
			debug += s->sh_size;
			/* Its place in the table stays: symbols and links count sections. */
			*s = (Elf64_Shdr){ .sh_name = s->sh_name, .sh_type = SHT_NULL };
		} else if (s->sh_size) {
			order[(*nr)++] = s;
		}
	}
	return debug;
}

/* Is it laid out as linkers do it: header, sections, their table, nothing over another? */
static bool strip_is_usual(Elf64_Shdr *const *order, unsigned int nr, u64 table)
{
	u64 at = sizeof(Elf64_Ehdr);

	for (unsigned int i = 0; i < nr; i++) {
		u64 align = order[i]->sh_addralign ?: 1;

		if (order[i]->sh_offset < at || (align & (align - 1)) || order[i]->sh_offset % align ||
		    order[i]->sh_offset + order[i]->sh_size > table)
			return false;
		at = order[i]->sh_offset + order[i]->sh_size;
	}
	return true;
}

static size_t strip_move(char *p, Elf64_Shdr **order, unsigned int nr, const Elf64_Shdr *table,
			 unsigned int shnum)
{
	u64 at = sizeof(Elf64_Ehdr);

	for (unsigned int i = 0; i < nr; i++) {
		at = ALIGN(at, order[i]->sh_addralign ?: 1);
		memmove(p + at, p + order[i]->sh_offset, order[i]->sh_size);
		order[i]->sh_offset = at;
		at += order[i]->sh_size;
	}
	at = ALIGN(at, 8);
	((Elf64_Ehdr *)p)->e_shoff = at;
	memcpy(p + at, table, shnum * sizeof(*table));
	return at + shnum * sizeof(*table);
}

size_t module_strip(void *module, size_t len)
{
	static const char signature[] = "~Module signature appended~\n";
	const size_t tail = sizeof(signature) - 1;
	Elf64_Shdr **order, *table;
	unsigned int nr = 0;
	struct elf elf;

	if (elf_open_mem(&elf, module, len) || elf.foreign || !elf.is_64 || !elf.shnum ||
	    (len > tail && !memcmp((char *)module + len - tail, signature, tail)))
		return len;
	table = malloc(elf.shnum * sizeof(*table));
	order = malloc(elf.shnum * sizeof(*order));
	if (table && order && strip_read(&elf, table, order, &nr) >= STRIP_WORTH) {
		u64 shoff = ((const Elf64_Ehdr *)module)->e_shoff;

		qsort(order, nr, sizeof(*order), strip_order);
		if (strip_is_usual(order, nr, shoff))
			len = strip_move(module, order, nr, table, elf.shnum);
	}
	free(order);
	free(table);
	return len;
}
