// SPDX-License-Identifier: GPL-2.0
/*
 * Multiboot, version 1 (the GNU "Multiboot Specification version 0.6.96"):
 * kernels with a header that says so, as ELF files of either size or as plain
 * images whose header has the addresses. They are entered in 32-bit protected
 * mode without paging, with the information structure in EBX. The files of the
 * ramdisk are the modules.
 *
 * Kernels may lie below 640 KiB, so the data for them has no fixed place: it
 * is put at the end of that memory, or behind the kernel if it is in the way.
 *
 * The first word of the command line is the kernel's file: what it is is left
 * open (3.3), but that is how boot loaders have it, so kernels skip one word.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "boot.h"
#include "layout.h"
#include "multiboot.h"
#include "x86.h"

#define MULTIBOOT_MAGIC		0x2badb002	/* in EAX */
#define MULTIBOOT_LOWEST	0x1000ULL	/* of a kernel: interrupt vectors are below */

/* 3.3: flags of the information */
#define INFO_MEMORY		(1u << 0)
#define INFO_CMDLINE		(1u << 2)
#define INFO_MODULES		(1u << 3)
#define INFO_MAP		(1u << 6)
#define INFO_LOADER		(1u << 9)

struct multiboot_info {
	u32 flags;
	u32 mem_lower, mem_upper;	/* KiB */
	u32 boot_device;
	u32 cmdline;
	u32 mods_count, mods_addr;
	u32 syms[4];
	u32 mmap_length, mmap_addr;
	u32 drives_length, drives_addr;
	u32 config_table;
	u32 boot_loader_name;
	u32 apm_table;
	u32 vbe[4];			/* and framebuffer: not here */
};

struct multiboot_module {
	u32 start, end, string, reserved;
};

struct multiboot_mmap {
	u32 size;			/* of what follows */
	u64 addr, len;
	u32 type;
} __attribute__((packed));

/* All that the kernel is given, in one piece; the command line follows. */
struct multiboot_data {
	u64 gdt[BOOT_GDT_ENTRIES];
	struct multiboot_info info;
	struct multiboot_module module[VM_MODULES_MAX];
	struct multiboot_mmap map[MAP_ENTRIES];
	char loader[8];
	char cmdline[];
};

/* An image without a format of its own (3.1.3): the one segment that the header describes. */
static int multiboot_segment(struct image *img, const struct multiboot_header *hdr, size_t off)
{
	u64 skip, len, size;

	if (hdr->load_addr > hdr->header_addr || hdr->header_addr - hdr->load_addr > off)
		return image_refuse(img, "damaged: the Multiboot header is at 0x%x, the image from 0x%x on",
				    hdr->header_addr, hdr->load_addr);
	skip = off - (hdr->header_addr - hdr->load_addr);
	len = hdr->load_end_addr ? (u64)hdr->load_end_addr - hdr->load_addr : img->size - skip;
	if (hdr->load_end_addr && hdr->load_end_addr < hdr->load_addr)
		return image_refuse(img, "damaged: the Multiboot header has the image end at 0x%x, before its beginning",
				    hdr->load_end_addr);
	if (len > img->size - skip)
		return image_refuse(img, "truncated: %llu bytes of %llu", (unsigned long long)img->size,
				    (unsigned long long)(skip + len));
	size = hdr->bss_end_addr ? (u64)hdr->bss_end_addr - hdr->load_addr : len;
	if (hdr->bss_end_addr && (hdr->bss_end_addr < hdr->load_addr || size < len))
		return image_refuse(img, "damaged: the Multiboot header has the image end at 0x%x, before its data",
				    hdr->bss_end_addr);
	if (!size)
		return image_refuse(img, "damaged: the Multiboot header describes an empty image");
	img->nr_ph = 1;
	img->ph[0] = (Elf64_Phdr) {
		.p_type = PT_LOAD, .p_offset = skip, .p_filesz = len, .p_memsz = size,
		.p_paddr = hdr->load_addr, .p_vaddr = hdr->load_addr,
	};
	img->elf_entry = hdr->entry_addr;
	return 0;
}

/* The physical entry point: ELF files of kernels that map themselves high have the virtual one. */
static int multiboot_entry(const struct image *img, u64 *entry)
{
	bool virtual;
	unsigned int i;

	for (virtual = false; ; virtual = true) {
		for (i = 0; i < img->nr_ph; i++) {
			const Elf64_Phdr *ph = &img->ph[i];
			u64 off = img->elf_entry - (virtual ? ph->p_vaddr : ph->p_paddr);

			if (ph->p_type != PT_LOAD || off >= ph->p_memsz)
				continue;
			*entry = ph->p_paddr + off;
			return 0;
		}
		if (virtual)
			return image_refuse(img, "damaged: the entry point 0x%llx is in no segment",
					    (unsigned long long)img->elf_entry);
	}
}

/* An address of @len free bytes; 0: there is none. */
static u64 multiboot_room(const struct vm *vm, const struct image *img, u64 len,
			  const struct boot *boot)
{
	u64 addr = (LAYOUT_LOW_END - len) & ~4095ULL, top;
	bool low = true;
	unsigned int i;

	for (i = 0; i < img->nr_ph; i++)
		if (img->ph[i].p_type == PT_LOAD && img->ph[i].p_paddr < LAYOUT_LOW_END &&
		    img->ph[i].p_paddr + img->ph[i].p_memsz > addr)
			low = false;
	if (low)
		return addr;
	addr = ALIGN(max(boot->end, (u64)LAYOUT_KERNEL), 4096);
	top = boot->initrd_len ? boot->initrd : board_low_end(vm);
	return addr < top && len <= top - addr ? addr : 0;
}

static int multiboot_data(struct vm *vm, const struct image *img, const struct boot *boot)
{
	const char *cmdline = vm->cfg->kernel_cmdline ? vm->cfg->kernel_cmdline : "";
	size_t cmdline_len = strlen(img->path) + 1 + strlen(cmdline);
	size_t len = sizeof(struct multiboot_data) + cmdline_len + 1;
	u64 addr = multiboot_room(vm, img, len, boot);
	struct x86 *x86 = vm_x86(vm);
	struct multiboot_data *data;
	struct boot_module module[VM_MODULES_MAX];
	struct map map[MAP_ENTRIES];
	unsigned int i, n;
	int ret;

	if (!addr)
		return image_too_big(vm, img, boot->end + len);
	data = calloc(1, len);
	if (!data)
		return -ENOMEM;
#define AT(member)	(addr + offsetof(struct multiboot_data, member))
	n = boot_map(vm, map);
	for (i = 0; i < n; i++)
		data->map[i] = (struct multiboot_mmap) {
			.size = sizeof(data->map[i]) - sizeof(data->map[i].size),
			.addr = map[i].start, .len = map[i].end - map[i].start, .type = map[i].type,
		};
	data->info = (struct multiboot_info) {
		.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MAP | INFO_LOADER,
		.mem_lower = LAYOUT_LOW_END / KIB,
		.mem_upper = (board_low_end(vm) - LAYOUT_KERNEL) / KIB,
		.cmdline = AT(cmdline),
		.mods_count = boot_modules(vm, boot, module),
		.mods_addr = AT(module),
		.mmap_length = n * sizeof(data->map[0]),
		.mmap_addr = AT(map),
		.boot_loader_name = AT(loader),
	};
	for (i = 0; i < data->info.mods_count; i++)
		data->module[i] = (struct multiboot_module) {
			.start = module[i].start, .end = module[i].start + module[i].len,
			.string = AT(cmdline) + cmdline_len,	/* empty */
		};
	strcpy(data->loader, "lkvm");
	snprintf(data->cmdline, cmdline_len + 1, "%s %s", img->path, cmdline);
	x86->gdt = AT(gdt);
	x86->rbx = AT(info);
#undef AT
	ret = mem_write(&vm->mem, addr, data, len);
	free(data);
	return ret;
}

int boot_multiboot(struct vm *vm, struct image *img)
{
	struct boot boot = { .initrd_max = LAYOUT_HOLE, .cmdline_max = BOOT_CMDLINE_MAX - 1 - PATH_MAX };
	const u32 known = HEADER_PAGE_ALIGN | HEADER_MEMORY | HEADER_VIDEO;
	struct x86 *x86 = vm_x86(vm);
	struct multiboot_header hdr;
	size_t off;
	int ret;

	if (!multiboot_find(img, &hdr, &off))
		return image_refuse(img, "without a Multiboot header");
	if (hdr.flags & HEADER_REQUIRED & ~known)
		return image_refuse(img, "its Multiboot header asks for what is not known (flags 0x%x)",
				    hdr.flags & HEADER_REQUIRED);
	if (hdr.flags & HEADER_VIDEO)
		return image_refuse(img, "its Multiboot header asks for a video mode; this machine has no display");
	if (hdr.flags & HEADER_ADDRESSES) {
		ret = multiboot_segment(img, &hdr, off);
		if (ret)
			return ret;
	} else if (!image_is_elf(img)) {
		return image_refuse(img, "damaged: its Multiboot header has no load address");
	}
	x86->mode = X86_PROTECTED;
	x86->rax = MULTIBOOT_MAGIC;
	ret = multiboot_entry(img, &x86->entry);
	if (!ret)
		ret = elf_load(vm, img, MULTIBOOT_LOWEST, &boot);
	if (!ret)
		ret = boot_cmdline_fits(vm, img, &boot);
	if (!ret)
		ret = boot_initrd(vm, img, &boot);
	return ret ? ret : multiboot_data(vm, img, &boot);
}
