// SPDX-License-Identifier: GPL-2.0
/* Reading untrusted ELF files: see kvm/elf.h. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <kvm/elf.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ELF_OURS	ELFDATA2LSB
#else
#define ELF_OURS	ELFDATA2MSB
#endif

bool elf_holds(const struct elf *e, u64 off, u64 len)
{
	return off <= e->size && len <= e->size - off;
}

int elf_read(const struct elf *e, void *buf, u64 len, u64 off)
{
	u64 done = 0;

	if (!elf_holds(e, off, len))
		return -ENOEXEC;
	if (e->mem) {
		memcpy(buf, e->mem + off, len);
		return 0;
	}
	while (done < len) {
		ssize_t n = pread(e->fd, (char *)buf + done, len - done, off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOEXEC;	/* it has become shorter */
		done += n;
	}
	return 0;
}

/* The first fields have the same place in files of 32 and 64 bits. */
static int elf_header(struct elf *e)
{
	union {
		Elf64_Ehdr e64;
		Elf32_Ehdr e32;
	} eh;
	unsigned int shentsize;
	size_t size;

	if (elf_read(e, &eh, sizeof(eh.e32), 0) || memcmp(eh.e32.e_ident, ELFMAG, SELFMAG))
		return -ENOEXEC;
	e->is_64 = eh.e32.e_ident[EI_CLASS] == ELFCLASS64;
	e->foreign = eh.e32.e_ident[EI_DATA] != ELF_OURS;
	e->type = e->foreign ? __builtin_bswap16(eh.e32.e_type) : eh.e32.e_type;
	e->machine = e->foreign ? __builtin_bswap16(eh.e32.e_machine) : eh.e32.e_machine;
	if (e->foreign)
		return 0;
	size = e->is_64 ? sizeof(eh.e64) : sizeof(eh.e32);
	if (elf_read(e, &eh, size, 0))
		return -ENOEXEC;
	e->entry = e->is_64 ? eh.e64.e_entry : eh.e32.e_entry;
	e->phoff = e->is_64 ? eh.e64.e_phoff : eh.e32.e_phoff;
	e->phnum = e->is_64 ? eh.e64.e_phnum : eh.e32.e_phnum;
	e->phentsize = e->is_64 ? eh.e64.e_phentsize : eh.e32.e_phentsize;
	e->shoff = e->is_64 ? eh.e64.e_shoff : eh.e32.e_shoff;
	e->shnum = e->is_64 ? eh.e64.e_shnum : eh.e32.e_shnum;
	e->shstrndx = e->is_64 ? eh.e64.e_shstrndx : eh.e32.e_shstrndx;
	shentsize = e->is_64 ? eh.e64.e_shentsize : eh.e32.e_shentsize;
	size = e->is_64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	if (shentsize != size || !elf_holds(e, e->shoff, e->shnum * size) || e->shstrndx >= e->shnum)
		e->shnum = 0;
	return 0;
}

int elf_open_mem(struct elf *e, const void *mem, u64 size)
{
	*e = (struct elf) { .mem = mem, .fd = -1, .size = size };
	return elf_header(e);
}

int elf_open_fd(struct elf *e, int fd, u64 size)
{
	*e = (struct elf) { .fd = fd, .size = size };
	return elf_header(e);
}

int elf_segment(const struct elf *e, unsigned int i, Elf64_Phdr *ph)
{
	size_t size = e->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	Elf32_Phdr p;
	u64 off;
	int ret;

	if (i >= e->phnum || e->phentsize != size || __builtin_add_overflow(e->phoff, i * size, &off))
		return -ENOEXEC;
	if (e->is_64)
		return elf_read(e, ph, size, off);
	ret = elf_read(e, &p, size, off);
	if (!ret)
		*ph = (Elf64_Phdr) {
			.p_type = p.p_type, .p_flags = p.p_flags, .p_offset = p.p_offset,
			.p_vaddr = p.p_vaddr, .p_paddr = p.p_paddr, .p_filesz = p.p_filesz,
			.p_memsz = p.p_memsz, .p_align = p.p_align,
		};
	return ret;
}

int elf_section(const struct elf *e, unsigned int i, Elf64_Shdr *sh)
{
	Elf32_Shdr s;
	int ret;

	if (i >= e->shnum)
		return -ENOEXEC;
	if (e->is_64)
		return elf_read(e, sh, sizeof(*sh), e->shoff + i * sizeof(*sh));
	ret = elf_read(e, &s, sizeof(s), e->shoff + i * sizeof(s));
	if (!ret)
		*sh = (Elf64_Shdr) {
			.sh_name = s.sh_name, .sh_type = s.sh_type, .sh_flags = s.sh_flags,
			.sh_addr = s.sh_addr, .sh_offset = s.sh_offset, .sh_size = s.sh_size,
			.sh_link = s.sh_link, .sh_info = s.sh_info,
			.sh_addralign = s.sh_addralign, .sh_entsize = s.sh_entsize,
		};
	return ret;
}

const char *elf_name(const struct elf *e, const Elf64_Shdr *sh)
{
	Elf64_Shdr names;

	if (!e->mem || elf_section(e, e->shstrndx, &names) || names.sh_type != SHT_STRTAB ||
	    !elf_holds(e, names.sh_offset, names.sh_size) || sh->sh_name >= names.sh_size ||
	    e->mem[names.sh_offset + names.sh_size - 1])
		return NULL;
	return e->mem + names.sh_offset + sh->sh_name;
}

const char *elf_find(const struct elf *e, const char *name, u64 *len)
{
	for (unsigned int i = 0; i < e->shnum; i++) {
		const char *have;
		Elf64_Shdr sh;

		if (elf_section(e, i, &sh) || (sh.sh_type != SHT_PROGBITS && sh.sh_type != SHT_NOTE) ||
		    !elf_holds(e, sh.sh_offset, sh.sh_size))
			continue;
		have = elf_name(e, &sh);
		if (!have || strcmp(have, name))
			continue;
		*len = sh.sh_size;
		return e->mem + sh.sh_offset;
	}
	return NULL;
}
