// SPDX-License-Identifier: GPL-2.0
/* ELF files and boot images of which no number is true: nothing outside of them is read. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/elf.h>
#include <kvm/file.h>
#include <kvm/modules.h>

#include "scratch.h"
#include "tap.h"

static const char names[] = "\0.names\0.modinfo\0.debug_x";
static const char info[] = "depends=a,b\0license=GPL";

struct file64 {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	char info[sizeof(info)];
	char names[sizeof(names)];
	Elf64_Shdr sh[4] __attribute__((aligned(8)));
};

struct file32 {
	Elf32_Ehdr eh;
	Elf32_Phdr ph[1];
	Elf32_Shdr sh[1];
};

static struct file64 *file64_new(void)
{
	struct file64 *f = calloc(1, sizeof(*f));

	memcpy(f->eh.e_ident, ELFMAG, SELFMAG);
	f->eh.e_ident[EI_CLASS] = ELFCLASS64;
	f->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	f->eh.e_type = ET_REL;
	f->eh.e_machine = EM_X86_64;
	f->eh.e_entry = 0x123456789a;
	f->eh.e_phoff = offsetof(struct file64, ph);
	f->eh.e_phentsize = sizeof(f->ph[0]);
	f->eh.e_phnum = ARRAY_SIZE(f->ph);
	f->eh.e_shoff = offsetof(struct file64, sh);
	f->eh.e_shentsize = sizeof(f->sh[0]);
	f->eh.e_shnum = ARRAY_SIZE(f->sh);
	f->eh.e_shstrndx = 1;
	f->ph[1].p_type = PT_INTERP;
	memcpy(f->info, info, sizeof(info));
	memcpy(f->names, names, sizeof(names));
	f->sh[1] = (Elf64_Shdr) { .sh_name = 1, .sh_type = SHT_STRTAB, .sh_size = sizeof(names),
				  .sh_offset = offsetof(struct file64, names) };
	f->sh[2] = (Elf64_Shdr) { .sh_name = 8, .sh_type = SHT_PROGBITS, .sh_size = sizeof(info),
				  .sh_offset = offsetof(struct file64, info) };
	f->sh[3] = (Elf64_Shdr) { .sh_name = 17, .sh_type = SHT_PROGBITS };
	return f;
}

/* Everything that can be asked for. */
static void ask(const void *mem, size_t size)
{
	struct elf elf;
	Elf64_Phdr ph;
	Elf64_Shdr sh;
	u64 len;

	if (elf_open_mem(&elf, mem, size))
		return;
	for (unsigned int i = 0; i < 5; i++) {
		elf_segment(&elf, i, &ph);
		if (!elf_section(&elf, i, &sh))
			elf_name(&elf, &sh);
	}
	elf_find(&elf, ".modinfo", &len);
	elf_find(&elf, "", &len);
}

TEST(headers_and_sections_of_64_bits)
{
	struct file64 *f = file64_new();
	struct elf elf;
	Elf64_Phdr ph;
	Elf64_Shdr sh;
	u64 len;

	CHECK_EQ(elf_open_mem(&elf, f, sizeof(*f)), 0);
	CHECK(elf.is_64 && !elf.foreign);
	CHECK_EQ(elf.type, ET_REL);
	CHECK_EQ(elf.machine, EM_X86_64);
	CHECK_EQ(elf.entry, 0x123456789a);
	CHECK_EQ(elf_segment(&elf, 1, &ph), 0);
	CHECK_EQ(ph.p_type, PT_INTERP);
	CHECK_EQ(elf_segment(&elf, 2, &ph), -ENOEXEC);
	CHECK_EQ(elf_section(&elf, 3, &sh), 0);
	CHECK_STR(elf_name(&elf, &sh), ".debug_x");
	CHECK_EQ(elf_section(&elf, 4, &sh), -ENOEXEC);
	CHECK_STR(elf_find(&elf, ".modinfo", &len), "depends=a,b");
	CHECK_EQ(len, sizeof(info));
	CHECK(!elf_find(&elf, ".mod", &len));
	CHECK(!elf_find(&elf, ".names", &len));		/* no PROGBITS */
	free(f);
}

TEST(a_file_that_is_open_is_read_alike)
{
	struct file64 *f = file64_new();
	FILE *tmp = tmpfile();
	struct elf elf;
	Elf64_Phdr ph;
	char c;

	CHECK(tmp && fwrite(f, sizeof(*f), 1, tmp) == 1 && !fflush(tmp));
	CHECK_EQ(elf_open_fd(&elf, fileno(tmp), sizeof(*f)), 0);
	CHECK_EQ(elf_segment(&elf, 1, &ph), 0);
	CHECK_EQ(ph.p_type, PT_INTERP);
	CHECK_EQ(elf_read(&elf, &c, 1, sizeof(*f)), -ENOEXEC);
	/* It becomes shorter after its length has been seen. */
	CHECK(!ftruncate(fileno(tmp), sizeof(f->eh)));
	CHECK_EQ(elf_segment(&elf, 1, &ph), -ENOEXEC);
	fclose(tmp);
	free(f);
}

TEST(what_is_of_32_bits_becomes_64)
{
	struct file32 f = { .eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB }, .e_type = ET_EXEC,
		.e_machine = EM_386, .e_phoff = offsetof(struct file32, ph), .e_phnum = 1,
		.e_phentsize = sizeof(Elf32_Phdr), .e_shoff = offsetof(struct file32, sh),
		.e_shnum = 1, .e_shentsize = sizeof(Elf32_Shdr) },
		.ph[0] = { .p_type = PT_LOAD, .p_paddr = 0xfffff000, .p_memsz = 7 },
		.sh[0] = { .sh_type = SHT_NOTE, .sh_size = 9 } };
	struct elf elf;
	Elf64_Phdr ph;
	Elf64_Shdr sh;

	CHECK_EQ(elf_open_mem(&elf, &f, sizeof(f)), 0);
	CHECK(!elf.is_64);
	CHECK_EQ(elf_segment(&elf, 0, &ph), 0);
	CHECK_EQ(ph.p_paddr, 0xfffff000);
	CHECK_EQ(ph.p_memsz, 7);
	CHECK_EQ(elf_section(&elf, 0, &sh), 0);
	CHECK_EQ(sh.sh_size, 9);
	f.eh.e_ident[EI_DATA] = ELFDATA2MSB;
	f.eh.e_machine = __builtin_bswap16(EM_S390);
	CHECK_EQ(elf_open_mem(&elf, &f, sizeof(f)), 0);
	CHECK(elf.foreign);
	CHECK_EQ(elf.machine, EM_S390);
	CHECK_EQ(elf_segment(&elf, 0, &ph), -ENOEXEC);
	CHECK_EQ(elf_section(&elf, 0, &sh), -ENOEXEC);
}

/* Each length, and each byte with each of some values, in a buffer that ends where the file does. */
TEST(no_number_in_it_is_trusted)
{
	static const u8 evil[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct file64 *f = file64_new();

	for (size_t len = 0; len <= sizeof(*f); len++) {
		void *copy = malloc(len ? len : 1);

		memcpy(copy, f, len);
		ask(copy, len);
		free(copy);
	}
	for (size_t at = 0; at < sizeof(*f); at++)
		for (unsigned int i = 0; i < ARRAY_SIZE(evil); i++) {
			u8 *byte = (u8 *)f + at, old = *byte;

			*byte = evil[i];
			ask(f, sizeof(*f));
			CHECK(module_strip(f, sizeof(*f)) <= sizeof(*f));
			*byte = old;
		}
	free(f);
}

TEST(a_boot_image_says_what_is_in_it)
{
	u8 image[0x1000] = { [0x1f1] = 1, [0x1fe] = 0x55, 0xaa, 0xeb, 0x66, 'H', 'd', 'r', 'S', 0x0f, 0x02 };
	u64 len;

	memcpy(image + 0x20e, "\x00\x02", 2);			/* kernel_version, from 0x200 on */
	memcpy(image + 0x400, "6.1.0 (x)", 10);
	memcpy(image + 0x248, "\x10\0\0\0\x20\0\0\0", 8);	/* payload_offset, payload_length */
	CHECK(arch_image_is(image, sizeof(image)));
	CHECK_STR(arch_image_release(image, sizeof(image)), "6.1.0 (x)");
	CHECK(!arch_image_release(image, 0x400));
	CHECK(arch_image_payload(image, sizeof(image), &len) == image + 0x410);
	CHECK_EQ(len, 0x20);
	CHECK(arch_image_payload(image, 0x430, &len));
	CHECK(!arch_image_payload(image, 0x42f, &len));
	image[0x206] = 7;					/* before 2.08 it is not told */
	CHECK(!arch_image_payload(image, sizeof(image), &len));
	image[0x202] = 'h';
	CHECK(!arch_image_is(image, sizeof(image)));
	for (size_t n = 0; n < 0x250; n++) {
		u8 *copy = malloc(n ? n : 1);

		memcpy(copy, image, n);
		copy[0] = 0;
		arch_image_is(copy, n);
		arch_image_release(copy, n);
		arch_image_payload(copy, n, &len);
		free(copy);
	}
}

TEST(whole_files)
{
	struct file_map map;
	size_t len;
	char *data;

	scratch_file("f", "abc");
	scratch_file("empty", "");
	CHECK_EQ(file_map(&map, scratch("f")), 0);
	CHECK(map.len == 3 && !memcmp(map.data, "abc", 3));
	file_unmap(&map);
	CHECK_EQ(file_map(&map, scratch("empty")), 0);
	CHECK_EQ(map.len, 0);
	file_unmap(&map);
	CHECK_EQ(file_map(&map, scratch_dir()), -EISDIR);
	CHECK_EQ(file_map(&map, "/dev/null"), -EINVAL);
	CHECK_EQ(file_map(&map, scratch("none")), -ENOENT);
	CHECK_EQ(file_read(scratch("f"), &data, &len), 0);
	CHECK_EQ(len, 3);
	CHECK_STR(data, "abc");
	free(data);
	CHECK_EQ(file_read(scratch("none"), &data, &len), -ENOENT);
}
