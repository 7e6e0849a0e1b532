/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the loaders. boot.c opens a file and finds out its kind; boot_linux.c,
 * boot_elf.c and boot_multiboot.c load it into memory, with the help of the others. The file is
 * not trusted: every number in it is checked before it is used, and every loop
 * is bounded by something that is not in the file.
 */
#ifndef X86_BOOT_H
#define X86_BOOT_H

#include <elf.h>

#include <asm/bootparam.h>

#include <kvm/config.h>
#include <kvm/types.h>

struct vm;

#define ELF_SEGMENTS_MAX	64
#define ELF_CMDLINE_MAX		2047	/* COMMAND_LINE_SIZE of an x86 Linux, less the NUL */

struct image {
	const char *path;
	int fd;
	u64 size;
	u8 head[8192];		/* the beginning; zeroes behind a short file */
	size_t head_len;
	/* ELF */
	Elf64_Phdr ph[ELF_SEGMENTS_MAX];	/* of 32-bit files too */
	unsigned int nr_ph;
	u64 elf_entry;
	u64 pvh_entry;		/* 0: no PVH */
	bool elf_64, is_linux, is_user;
};

/* The place of the loaded kernel, and its limits. */
struct boot {
	u64 end;		/* of what the kernel uses before it looks at the memory map */
	u64 initrd_max;		/* the ramdisk ends at or below this */
	u32 initrd, initrd_len;
	u32 cmdline_max;	/* bytes, without the NUL */
};

/* Memory map, as the ACPI specification numbers its types (6.4, table 15.3). */
#define MAP_RAM		1
#define MAP_RESERVED	2
#define MAP_ENTRIES	8

struct map {
	u64 start, end;
	u32 type;
};

/* Fill in the guest's memory map: how many entries. boot_payload.c, as the next ones. */
unsigned int boot_map(const struct vm *vm, struct map map[MAP_ENTRIES]);

/* The command line is not longer than @boot says: 0 or -errno, printed. */
int boot_cmdline_fits(const struct vm *vm, const struct image *img, const struct boot *boot);
/* Put the ramdisk into memory, as high as possible: sets boot->initrd. 0 or -errno, printed. */
int boot_initrd(struct vm *vm, const struct image *img, struct boot *boot);
struct boot_module {
	u64 start, len;
};
/* The files of the ramdisk, once it is in memory: how many. */
unsigned int boot_modules(const struct vm *vm, const struct boot *boot,
			  struct boot_module module[VM_MODULES_MAX]);
/* The ramdisk, and the command line at BOOT_CMDLINE. */
int boot_payload(struct vm *vm, const struct image *img, struct boot *boot);

/* The file: boot_image.c */
/* Print why @img cannot be booted and return -ENOEXEC. */
int image_refuse(const struct image *img, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The kernel would need RAM up to @end. The same. */
int image_too_big(const struct vm *vm, const struct image *img, u64 end);
/* Bytes of the file; 0 or -errno with the message printed. */
int image_read(const struct image *img, void *dst, size_t len, u64 off);
/* Bytes of the file to guest memory; the same. */
int image_load(struct vm *vm, const struct image *img, u64 gpa, u64 len, u64 off);

/* Linux: boot_linux.c */
bool image_is_bzimage(const struct image *img);
/* 0, or -errno with what is wrong with it printed. */
int bzimage_check(const struct image *img);
bool bzimage_is_linux(const struct image *img);
bool bzimage_is_32_bit(const struct image *img);
int boot_bzimage(struct vm *vm, const struct image *img);
/* boot_params around @hdr, and the registers that point to it. */
int boot_linux_params(struct vm *vm, const struct setup_header *hdr, const struct boot *boot);

/* ELF: elf_load.c, and boot_elf.c */
bool image_is_elf(const struct image *img);
/* Check the headers; fills in img->ph and what follows. */
int elf_parse(struct image *img);
/* Segments to where @lowest allows; boot->end is theirs. */
int elf_load(struct vm *vm, const struct image *img, u64 lowest, struct boot *boot);
int boot_elf(struct vm *vm, struct image *img);

/* Multiboot: multiboot.c, and boot_multiboot.c */
bool image_is_multiboot(const struct image *img);
int boot_multiboot(struct vm *vm, struct image *img);

#endif
