// SPDX-License-Identifier: GPL-2.0
/*
 * ELF kernels of 32 and 64 bits: their headers and notes, and their segments to guest
 * memory. The file is not trusted: see boot.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/elf.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "boot.h"
#include "layout.h"
#include "x86.h"

#define ELF_NOTES_MAX		0x10000		/* bytes */
#define XEN_NOTE_PHYS32_ENTRY	18

bool image_is_elf(const struct image *img)
{
	return !memcmp(img->head, ELFMAG, SELFMAG);
}

static const char *elf_machine(u16 machine)
{
	switch (machine) {
	case EM_AARCH64:	return "arm64";
	case EM_ARM:		return "32-bit arm";
	case EM_RISCV:		return "riscv";
	case EM_PPC64:		return "powerpc";
	case EM_S390:		return "s390";
	case EM_MIPS:		return "mips";
	default:		return NULL;
	}
}

/*
 * One PT_NOTE: has it the PVH entry, is it Linux (whose build salt is a note
 * of that name), or a program for Linux? Notes behind a damaged one are not seen.
 */
static int elf_notes(struct image *img, const Elf64_Phdr *ph)
{
	u64 len = min((u64)ph->p_filesz, (u64)ELF_NOTES_MAX), pos = 0;
	u8 *notes = malloc(len ? len : 1);
	int ret;

	if (!notes)
		return -ENOMEM;
	ret = image_read(img, notes, len, ph->p_offset);
	while (!ret && len - pos >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr nh;
		u64 name, desc, end;

		memcpy(&nh, notes + pos, sizeof(nh));
		name = pos + sizeof(nh);
		desc = name + ALIGN((u64)nh.n_namesz, 4);	/* 32-bit sums in 64 bits */
		end = desc + ALIGN((u64)nh.n_descsz, 4);
		if (end > len)
			break;
		if (nh.n_namesz == 4 && !memcmp(notes + name, "Xen", 4) &&
		    nh.n_type == XEN_NOTE_PHYS32_ENTRY && nh.n_descsz >= 4) {
			u64 entry = 0;

			memcpy(&entry, notes + desc, nh.n_descsz >= 8 ? 8 : 4);
			img->pvh_entry = entry;
		}
		if (nh.n_namesz == 6 && !memcmp(notes + name, "Linux", 6))
			img->is_linux = true;
		if (nh.n_namesz == 4 && !memcmp(notes + name, "GNU", 4) &&
		    nh.n_type == NT_GNU_ABI_TAG)
			img->is_user = true;
		pos = end;
	}
	free(notes);
	return ret;
}

static int elf_read_headers(struct image *img, const struct elf *elf)
{
	if (!elf->phnum || elf->phnum > ELF_SEGMENTS_MAX ||
	    elf->phentsize != (elf->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return image_refuse(img, "damaged: %u program headers of %u bytes", elf->phnum,
				    elf->phentsize);
	for (img->nr_ph = 0; img->nr_ph < elf->phnum; img->nr_ph++)
		if (elf_segment(elf, img->nr_ph, &img->ph[img->nr_ph]))
			return image_refuse(img, "truncated: the program headers are missing");
	return 0;
}

/* Is it made for this machine, and something that can be started? */
static int elf_check(struct image *img, const struct elf *elf)
{
	const char *name = elf_machine(elf->machine);

	if (elf->foreign)
		return image_refuse(img, "a big-endian ELF file; this machine is x86_64");
	if (elf->machine != (elf->is_64 ? EM_X86_64 : EM_386)) {
		if (elf->machine == EM_386 || elf->machine == EM_X86_64)
			return image_refuse(img, "an x86 program with pointers of another size than its instructions");
		if (name)
			return image_refuse(img, "a program for %s; this machine is x86_64", name);
		return image_refuse(img, "an ELF file for machine %u; this machine is x86_64",
				    elf->machine);
	}
	if (elf->type != ET_EXEC && elf->type != ET_DYN)
		return image_refuse(img, "an ELF %s, not a kernel",
				    elf->type == ET_REL ? "object file" :
				    elf->type == ET_CORE ? "core dump" : "file of unknown type");
	return 0;
}

int elf_parse(struct image *img)
{
	unsigned int i, loads = 0;
	struct elf elf;
	int ret;

	if (img->head_len < sizeof(Elf64_Ehdr) || elf_open_fd(&elf, img->fd, img->size))
		return image_refuse(img, "truncated: an ELF file of %llu bytes",
				    (unsigned long long)img->size);
	ret = elf_check(img, &elf);
	if (!ret)
		ret = elf_read_headers(img, &elf);
	if (ret)
		return ret;
	img->elf_64 = elf.is_64;
	img->elf_entry = elf.entry;

	for (i = 0; i < img->nr_ph; i++) {
		const Elf64_Phdr *ph = &img->ph[i];

		if (ph->p_type == PT_INTERP)
			img->is_user = true;
		if (ph->p_type != PT_LOAD && ph->p_type != PT_NOTE)
			continue;
		if (ph->p_offset > img->size || ph->p_filesz > img->size - ph->p_offset)
			return image_refuse(img, "truncated: %llu bytes, segment %u is at %llu + %llu",
					    (unsigned long long)img->size, i,
					    (unsigned long long)ph->p_offset,
					    (unsigned long long)ph->p_filesz);
		if (ph->p_type == PT_NOTE) {
			ret = elf_notes(img, ph);
			if (ret)
				return ret;
			continue;
		}
		if (ph->p_filesz > ph->p_memsz)
			return image_refuse(img, "damaged: segment %u is larger in the file than in memory", i);
		loads += ph->p_memsz > 0;
	}
	/* Linkers add what only programs for user space have: a unikernel's header says more. */
	if (img->is_user && !img->pvh_entry && !image_is_multiboot(img))
		return image_refuse(img, "a program for user space, not a kernel");
	return loads ? 0 : image_refuse(img, "an ELF file without anything to load");
}

int elf_load(struct vm *vm, const struct image *img, u64 lowest, struct boot *boot)
{
	u64 ram = board_low_end(vm);
	unsigned int i;
	int ret;

	for (i = 0; i < img->nr_ph; i++) {
		const Elf64_Phdr *ph = &img->ph[i];
		u64 end;

		if (ph->p_type != PT_LOAD || !ph->p_memsz)
			continue;
		if (__builtin_add_overflow(ph->p_paddr, ph->p_memsz, &end))
			return image_refuse(img, "damaged: segment %u ends beyond all addresses", i);
		if (ph->p_paddr < lowest || (ph->p_paddr < LAYOUT_KERNEL && end > LAYOUT_LOW_END))
			return image_refuse(img, "segment %u is at 0x%llx to 0x%llx; kernels of this kind lie from 0x%llx on%s",
					    i, (unsigned long long)ph->p_paddr, (unsigned long long)end,
					    (unsigned long long)lowest, lowest < LAYOUT_KERNEL ?
					    ", and not between 640 KiB and 1 MiB" : "");
		if (end > ram)
			return image_too_big(vm, img, end);
		ret = image_load(vm, img, ph->p_paddr, ph->p_filesz, ph->p_offset);
		if (ret)
			return ret;
		boot->end = max(boot->end, end);
	}
	return 0;
}
