// SPDX-License-Identifier: GPL-2.0
/*
 * ELF kernels of 32 and 64 bits, by what is in them:
 *
 *  Xen's PHYS32_ENTRY note	PVH: 32-bit, hvm_start_info in EBX (Xen's
 *				public/arch-x86/hvm/start_info.h)
 *  a Multiboot header		see boot_multiboot.c
 *  neither			Linux: entered with boot_params, in the mode of
 *				the file's class
 */
#include <linux/kernel.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "boot.h"
#include "layout.h"
#include "x86.h"

static bool elf_has(const struct image *img, u64 addr)
{
	unsigned int i;

	for (i = 0; i < img->nr_ph; i++)
		if (img->ph[i].p_type == PT_LOAD && addr - img->ph[i].p_paddr < img->ph[i].p_memsz)
			return true;
	return false;
}

/* Xen, public/arch-x86/hvm/start_info.h, version 1 */
struct pvh_start_info {
	u32 magic, version, flags, nr_modules;
	u64 modlist, cmdline, rsdp, memmap;
	u32 memmap_entries, reserved;
};

struct pvh_module {
	u64 paddr, size, cmdline, reserved;
};

struct pvh_memmap_entry {
	u64 addr, size;
	u32 type, reserved;
};

static int boot_pvh_info(struct vm *vm, const struct boot *boot)
{
	struct {
		struct pvh_start_info start;
		struct pvh_module module[VM_MODULES_MAX];
		struct pvh_memmap_entry map[MAP_ENTRIES];
	} info = {
		.start = {
			.magic = 0x336ec578, .version = 1,
			.modlist = BOOT_INFO + offsetof(typeof(info), module),
			.cmdline = BOOT_CMDLINE,
			.rsdp = LAYOUT_ACPI,
			.memmap = BOOT_INFO + offsetof(typeof(info), map),
		},
	};
	struct boot_module module[VM_MODULES_MAX];
	struct map map[MAP_ENTRIES];
	unsigned int i;

	vm_x86(vm)->rbx = BOOT_INFO;
	vm_x86(vm)->gdt = BOOT_GDT;
	info.start.nr_modules = boot_modules(vm, boot, module);
	for (i = 0; i < info.start.nr_modules; i++)
		info.module[i] = (struct pvh_module) { .paddr = module[i].start, .size = module[i].len };
	info.start.memmap_entries = boot_map(vm, map);
	for (i = 0; i < info.start.memmap_entries; i++)
		info.map[i] = (struct pvh_memmap_entry) {
			.addr = map[i].start,
			.size = map[i].end - map[i].start,
			.type = map[i].type,
		};
	return mem_write(&vm->mem, BOOT_INFO, &info, sizeof(info));
}

int boot_elf(struct vm *vm, struct image *img)
{
	struct x86 *x86 = vm_x86(vm);
	struct boot boot = { .initrd_max = LAYOUT_HOLE, .cmdline_max = ELF_CMDLINE_MAX };
	/* A setup header for a kernel without one; boot_linux_params() fills in the rest. */
	struct setup_header hdr = { .version = 0x020c, .loadflags = LOADED_HIGH };
	int ret;

	ret = elf_parse(img);
	if (ret)
		return ret;
	if (!img->pvh_entry && image_is_multiboot(img))
		return boot_multiboot(vm, img);
	/*
	 * Linux has both entries. By PVH it is a guest of Xen's kind first and
	 * asks 250 more CPUID leaves what it really runs on, each an exit.
	 */
	if (img->is_linux && img->elf_64 && elf_has(img, img->elf_entry))
		img->pvh_entry = 0;
	x86->entry = img->pvh_entry ? img->pvh_entry : img->elf_entry;
	x86->mode = img->pvh_entry || !img->elf_64 ? X86_PROTECTED : X86_LONG;
	ret = elf_load(vm, img, LAYOUT_KERNEL, &boot);
	if (!ret && !elf_has(img, x86->entry))
		ret = image_refuse(img, "damaged: the entry point 0x%llx is in no segment",
				   (unsigned long long)x86->entry);
	if (!ret)
		ret = boot_payload(vm, img, &boot);
	if (ret)
		return ret;
	return img->pvh_entry ? boot_pvh_info(vm, &boot) : boot_linux_params(vm, &hdr, &boot);
}
