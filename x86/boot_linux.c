// SPDX-License-Identifier: GPL-2.0
/*
 * Linux's own boot protocol (Documentation/arch/x86/boot.rst): the bzImage, and
 * boot_params for it and for ELF kernels. Real mode is not used: kernels of 64 bits
 * from protocol 2.12 on are entered by the "64-bit Boot Protocol", all others
 * by the "32-bit Boot Protocol". Memtest86+ is such an image, too.
 */
#include <string.h>
#include <sys/types.h>

#include <linux/kernel.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "boot.h"
#include "image.h"
#include "layout.h"
#include "x86.h"

#define BOOT_PROTOCOL_MIN	0x0204		/* syssize of 32 bits: Linux 2.6.14 */
#define BOOT_LOADER_UNDEFINED	0xff		/* type_of_loader without an assigned number */
#define BOOT_SECTOR_MAGIC	0xaa55
#define BOOT_HEADER_MAGIC	0x53726448	/* "HdrS" */
#define BOOT_ENTRY_64		0x200		/* from where the 32-bit entry is */

/* The 64-bit entry wants boot_params in RSI, the 32-bit one in ESI, and three registers zero. */
int boot_linux_params(struct vm *vm, const struct setup_header *hdr, const struct boot *boot)
{
	struct boot_params params = { .hdr = *hdr };
	struct map map[MAP_ENTRIES];
	unsigned int i;

	params.hdr.boot_flag = BOOT_SECTOR_MAGIC;
	params.hdr.header = BOOT_HEADER_MAGIC;
	params.hdr.type_of_loader = BOOT_LOADER_UNDEFINED;
	params.hdr.cmd_line_ptr = BOOT_CMDLINE;
	params.hdr.ramdisk_image = boot->initrd;
	params.hdr.ramdisk_size = boot->initrd_len;
	params.acpi_rsdp_addr = LAYOUT_ACPI;
	/* KiB beyond 1 MiB, for who does not look at the map below. */
	params.alt_mem_k = (board_low_end(vm) - LAYOUT_KERNEL) / KIB;
	params.e820_entries = boot_map(vm, map);
	for (i = 0; i < params.e820_entries; i++)
		params.e820_table[i] = (struct boot_e820_entry) {
			.addr = map[i].start,
			.size = map[i].end - map[i].start,
			.type = map[i].type,
		};
	vm_x86(vm)->rsi = BOOT_INFO;
	vm_x86(vm)->gdt = BOOT_GDT;
	return mem_write(&vm->mem, BOOT_INFO, &params, sizeof(params));
}

static struct setup_header bzimage_header(const struct image *img)
{
	struct setup_header hdr;

	image_header(img->head, img->head_len, &hdr);
	return hdr;
}

bool image_is_bzimage(const struct image *img)
{
	struct setup_header hdr;

	return image_header(img->head, img->head_len, &hdr);
}

/* The first bytes of the version, or nothing. It lies far back in the setup code of some kernels. */
static void bzimage_version(const struct image *img, char *version, size_t len)
{
	size_t pos = 0x200 + bzimage_header(img).kernel_version;

	memset(version, 0, len);
	if (pos == 0x200 || pos >= img->size ||
	    image_read(img, version, min(len - 1, (size_t)(img->size - pos)), pos))
		version[0] = '\0';
}

/* Others use the format, too. Linux's version, and only that, is a number. */
bool bzimage_is_linux(const struct image *img)
{
	char version[2];

	bzimage_version(img, version, sizeof(version));
	return version[0] >= '0' && version[0] <= '9';
}

bool bzimage_is_32_bit(const struct image *img)
{
	struct setup_header hdr = bzimage_header(img);

	/* Before Linux 3.8 the header does not tell. */
	return hdr.version >= 0x20c && !(hdr.xloadflags & XLF_KERNEL_64);
}

/* Loaders that have this format and call a BIOS from their setup code, which is not run here. */
static int bzimage_needs_bios(const struct image *img)
{
	static const char *const loaders[] = { "iPXE", "gPXE", "Etherboot", "MEMDISK" };
	char version[16];
	unsigned int i;

	bzimage_version(img, version, sizeof(version));
	for (i = 0; i < ARRAY_SIZE(loaders); i++)
		if (!strncmp(version, loaders[i], strlen(loaders[i])))
			return image_refuse(img, "%s, which works by calls to a PC's BIOS: this machine has none, give it the kernel itself",
					    loaders[i]);
	return 0;
}

/* The protocol's values for fields that a header of this version does not have. */
static void bzimage_defaults(struct setup_header *hdr, u64 len)
{
	if (hdr->version < 0x205)
		hdr->relocatable_kernel = 0;
	if (hdr->version < 0x206)
		hdr->cmdline_size = 255;
	if (hdr->version < 0x20a) {
		hdr->pref_address = LAYOUT_KERNEL;
		hdr->init_size = min(len, (u64)UINT32_MAX);
	}
	if (hdr->version < 0x20c)
		hdr->xloadflags = 0;
}

int bzimage_check(const struct image *img)
{
	struct setup_header hdr = bzimage_header(img);
	int ret = bzimage_needs_bios(img);
	u64 len;

	if (ret)
		return ret;
	if (hdr.version < BOOT_PROTOCOL_MIN)
		return image_refuse(img, "boot protocol %u.%02u is too old, 2.04 (Linux 2.6.14) is needed",
				    hdr.version >> 8, hdr.version & 0xff);
	if (!(hdr.loadflags & LOADED_HIGH))
		return image_refuse(img, "a zImage, which is loaded below 1 MiB; a bzImage is needed");
	/* A count of 16 bytes each; not every builder fills the last ones. */
	len = image_setup_len(&hdr) + hdr.syssize * 16ULL;
	if (img->size + 15 < len)
		return image_refuse(img, "truncated: %llu bytes of %llu",
				    (unsigned long long)img->size, (unsigned long long)len);
	return 0;
}

int boot_bzimage(struct vm *vm, const struct image *img)
{
	struct x86 *x86 = vm_x86(vm);
	struct setup_header hdr = bzimage_header(img);
	u64 setup_len, len, span, addr, ram = board_low_end(vm);
	struct boot boot = { 0 };
	int ret;

	ret = bzimage_check(img);
	if (ret)
		return ret;
	setup_len = image_setup_len(&hdr);
	len = hdr.syssize * 16ULL;
	len = min(len, img->size - min(setup_len, img->size));
	if (len <= BOOT_ENTRY_64)
		return image_refuse(img, "damaged: the boot header says that the kernel has %llu bytes",
				    (unsigned long long)len);
	bzimage_defaults(&hdr, len);
	span = max((u64)hdr.init_size, len);

	addr = hdr.pref_address;
	if (addr < LAYOUT_KERNEL || addr > ram || span > ram - addr) {
		u64 align = hdr.kernel_alignment, lowest;

		if (!hdr.relocatable_kernel)
			return image_too_big(vm, img, min(addr, (u64)UINT32_MAX) + span);
		if (!align || (align & (align - 1)))
			return image_refuse(img, "damaged: the boot header asks for an alignment of %llu",
					    (unsigned long long)align);
		lowest = ALIGN((u64)LAYOUT_KERNEL, align);
		if (lowest > ram || span > ram - lowest)
			return image_too_big(vm, img, lowest + span);
		addr = lowest;
	}
	ret = image_load(vm, img, addr, len, setup_len);
	if (ret)
		return ret;

	boot.end = addr + span;
	boot.initrd_max = (u64)hdr.initrd_addr_max + 1;
	boot.cmdline_max = min(hdr.cmdline_size, (u32)BOOT_CMDLINE_MAX - 1);
	ret = boot_payload(vm, img, &boot);
	if (ret)
		return ret;
	hdr.code32_start = addr;
	x86->mode = hdr.xloadflags & XLF_KERNEL_64 ? X86_LONG : X86_PROTECTED;
	x86->entry = addr + (x86->mode == X86_LONG ? BOOT_ENTRY_64 : 0);
	return boot_linux_params(vm, &hdr, &boot);
}
