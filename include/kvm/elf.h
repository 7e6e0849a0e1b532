/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ELF files (System V gABI, chapters 4 and 5), of 32 and 64 bits. No number in them is
 * trusted: data that does not lie in the file is an error. Results have 64 bits.
 */
#ifndef KVM_ELF_H
#define KVM_ELF_H

#include <elf.h>

#include <kvm/types.h>

struct elf {
	/* Of the header */
	bool is_64;
	bool foreign;			/* of another byte order: only type and machine are known */
	u16 type, machine;		/* ET_*, EM_* */
	u64 entry;
	unsigned int phnum, phentsize;	/* program headers: as the file says */
	unsigned int shnum;		/* sections; 0 if their table is invalid */
	/* private */
	const char *mem;		/* the file, or NULL: */
	int fd;
	u64 size;
	u64 phoff, shoff;
	unsigned int shstrndx;
};

/*
 * Open a file in memory, or an open one. Both stay the caller's, for as long as @e is
 * used. 0, or -ENOEXEC: it has no ELF header.
 */
int elf_open_mem(struct elf *e, const void *mem, u64 size);
int elf_open_fd(struct elf *e, int fd, u64 size);

/* 0, -ENOEXEC: that is not all in the file, or -errno. */
int elf_read(const struct elf *e, void *buf, u64 len, u64 off);
bool elf_holds(const struct elf *e, u64 off, u64 len);

/* Program header @i, section header @i: 0, or -ENOEXEC if there is none. */
int elf_segment(const struct elf *e, unsigned int i, Elf64_Phdr *ph);
int elf_section(const struct elf *e, unsigned int i, Elf64_Shdr *sh);

/* In memory: the name of a section, or NULL. */
const char *elf_name(const struct elf *e, const Elf64_Shdr *sh);
/* In memory: the content of the section called @name, of *@len bytes, or NULL. */
const char *elf_find(const struct elf *e, const char *name, u64 *len);

#endif
