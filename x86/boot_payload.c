// SPDX-License-Identifier: GPL-2.0
/*
 * Data that every kind of kernel gets: the memory map, the command line and the
 * ramdisk. See boot.h.
 */
#include <string.h>

#include <linux/kernel.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "boot.h"
#include "layout.h"
#include "x86.h"

unsigned int boot_map(const struct vm *vm, struct map map[MAP_ENTRIES])
{
	unsigned int n = 0;

	map[n++] = (struct map) { 0, LAYOUT_LOW_END, MAP_RAM };
	map[n++] = (struct map) { LAYOUT_FIRMWARE, LAYOUT_FIRMWARE + LAYOUT_FIRMWARE_LEN, MAP_RESERVED };
	map[n++] = (struct map) { LAYOUT_KERNEL, board_low_end(vm), MAP_RAM };
	map[n++] = (struct map) { LAYOUT_ECAM, LAYOUT_ECAM + LAYOUT_ECAM_LEN, MAP_RESERVED };
	map[n++] = (struct map) { LAYOUT_KVM, LAYOUT_KVM + LAYOUT_KVM_LEN, MAP_RESERVED };
	if (board_ram_end(vm) > LAYOUT_HIGH)
		map[n++] = (struct map) { LAYOUT_HIGH, board_ram_end(vm), MAP_RAM };
	return n;
}

int boot_cmdline_fits(const struct vm *vm, const struct image *img, const struct boot *boot)
{
	const char *cmdline = vm->cfg->kernel_cmdline;
	size_t len = cmdline ? strlen(cmdline) : 0;

	if (len > boot->cmdline_max)
		return image_refuse(img, "the kernel command line has %zu bytes, this kernel takes at most %u",
				    len, boot->cmdline_max);
	return 0;
}

int boot_initrd(struct vm *vm, const struct image *img, struct boot *boot)
{
	const struct vm_config *cfg = vm->cfg;
	u64 top;

	if (!cfg->initrd || !cfg->initrd_len)
		return 0;
	/* As high as possible: the kernel unpacks itself upwards. */
	top = min(boot->initrd_max, board_low_end(vm)) & ~4095ULL;
	if (cfg->initrd_len > top || ((top - cfg->initrd_len) & ~4095ULL) < boot->end)
		return image_refuse(img, "no room for a ramdisk of %llu MiB beside the kernel: it ends at %llu MiB, "
				    "the ramdisk may reach to %llu MiB (see --mem)",
				    (unsigned long long)DIV_ROUND_UP(cfg->initrd_len, MIB),
				    (unsigned long long)DIV_ROUND_UP(boot->end, MIB),
				    (unsigned long long)(top / MIB));
	boot->initrd = (top - cfg->initrd_len) & ~4095ULL;
	boot->initrd_len = cfg->initrd_len;
	return mem_write(&vm->mem, boot->initrd, cfg->initrd, cfg->initrd_len);
}

unsigned int boot_modules(const struct vm *vm, const struct boot *boot,
			  struct boot_module module[VM_MODULES_MAX])
{
	const struct vm_config *cfg = vm->cfg;
	u64 start = boot->initrd;
	unsigned int i;

	if (!boot->initrd_len)
		return 0;
	module[0] = (struct boot_module) { start, boot->initrd_len };
	for (i = 0; i < cfg->nr_modules; i++) {
		module[i] = (struct boot_module) { start, cfg->module[i] };
		start = ALIGN(start + cfg->module[i], 4096);
	}
	return max(cfg->nr_modules, 1u);
}

int boot_payload(struct vm *vm, const struct image *img, struct boot *boot)
{
	const char *cmdline = vm->cfg->kernel_cmdline ? vm->cfg->kernel_cmdline : "";
	int ret;

	ret = boot_cmdline_fits(vm, img, boot);
	if (!ret)
		ret = boot_initrd(vm, img, boot);
	return ret ? ret : mem_write(&vm->mem, BOOT_CMDLINE, cmdline, strlen(cmdline) + 1);
}
