// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel images: how one is recognised, and raw binaries, which are entered in real
 * mode. The other kinds have files of their own, see boot.h. Runs while the machine is
 * built, on the main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/keep.h>
#include <kvm/log.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "boot.h"
#include "layout.h"
#include "x86.h"

static int image_open(struct image *img, struct keep *keep, const char *path)
{
	struct stat st;
	int ret;

	memset(img, 0, sizeof(*img));
	img->path = path;
	img->fd = keep_open(keep, path, O_RDONLY | O_NONBLOCK);	/* a FIFO does not wait */
	if (img->fd < 0 || fstat(img->fd, &st) < 0) {
		ret = img->fd < 0 ? img->fd : -errno;
		pr_err("%s: %s", path, strerror(-ret));
		goto failed;
	}
	if (!S_ISREG(st.st_mode)) {
		ret = image_refuse(img, S_ISDIR(st.st_mode) ? "a directory, not a kernel" :
				   "not a regular file");
		goto failed;
	}
	img->size = st.st_size;
	img->head_len = min(img->size, (u64)sizeof(img->head));
	ret = image_read(img, img->head, img->head_len, 0);
	if (!ret)
		return 0;
failed:
	if (img->fd >= 0)
		close(img->fd);
	return ret;
}

/*
 * A PC's BIOS: a whole number of 64 KiB, with a far jump in the 16 bytes where the
 * CPU starts (Intel SDM volume 3, 9.1.4).
 */
static bool image_is_bios(const struct image *img)
{
	u8 jump = 0;

	return img->size && !(img->size % (64 * KIB)) && img->size <= 16 * MIB &&
	       !image_read(img, &jump, 1, img->size - 16) && jump == 0xea;
}

/* Files that users pass by mistake instead of a kernel. */
static int image_unknown(const struct image *img)
{
	static const struct {
		unsigned int off, len;
		const char *magic, *what;
	} known[] = {
		{ 0, 2, "\x1f\x8b", "gzip-compressed: unpack it first, or use the bzImage" },
		{ 0, 6, "\xfd" "7zXZ\0", "xz-compressed: unpack it first, or use the bzImage" },
		{ 0, 4, "\x28\xb5\x2f\xfd", "zstd-compressed: unpack it first, or use the bzImage" },
		{ 0, 4, "\x02\x21\x4c\x18", "lz4-compressed: unpack it first, or use the bzImage" },
		{ 0, 4, "\x04\x22\x4d\x18", "lz4-compressed: unpack it first, or use the bzImage" },
		{ 0, 3, "BZh", "bzip2-compressed: unpack it first, or use the bzImage" },
		{ 0, 3, "\x5d\0\0", "lzma-compressed: unpack it first, or use the bzImage" },
		{ 0, 4, "\x89LZO", "lzop-compressed: unpack it first, or use the bzImage" },
		{ 56, 4, "ARM\x64", "a kernel for arm64; this machine is x86_64" },
		{ 56, 4, "RSC\x05", "a kernel for riscv; this machine is x86_64" },
		{ 0, 4, "\x27\x05\x19\x56", "a U-Boot image, not an x86_64 kernel" },
		{ 0, 4, "\xd0\x0d\xfe\xed", "a device tree or FIT image, not an x86_64 kernel" },
		{ 0, 5, "07070", "an initramfs: give it with --initrd" },
		{ 0, 4, "QFI\xfb", "a qcow2 disk image: give it with --disk" },
		{ 0, 2, "#!", "a script, not a kernel" },
		{ 0, 7, "!<arch>", "a static library or a Debian package, not a kernel" },
		{ 40, 4, "_FVH", "UEFI firmware: this machine starts kernels without any, and has no flash memory for it; give it the kernel itself" },
		{ 0, 4, "KDMV", "a VMDK disk image, not a kernel" },
		{ 0, 2, "\x55\xaa", "an option ROM, which works by calls to a PC's BIOS: this machine has none" },
		{ 510, 2, "\x55\xaa", "a boot sector or disk image, which works by calls to a PC's BIOS: this machine has none (see --flat for one that does without)" },
		{ 0, 2, "MZ", "a program for EFI or Windows, not a kernel with a Linux boot header" },
	};
	unsigned int i;

	if (!img->size)
		return image_refuse(img, "not a kernel: the file is empty");
	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!memcmp(img->head + known[i].off, known[i].magic, known[i].len))
			return image_refuse(img, "%s", known[i].what);
	if (image_is_bios(img))
		return image_refuse(img, "a PC's BIOS: this machine starts kernels without any, and has no ROM for it; give it the kernel itself");
	return image_refuse(img, "not a kernel: neither a bzImage nor an ELF file (vmlinux) nor Multiboot");
}

/*
 * A raw binary at vm->cfg->flat_addr. The CPU is in real mode there, all
 * segments are the 64 KiB that the address is in, and the stack goes down from
 * the binary (from the end of the segment, if it lies at its beginning).
 */
static int boot_flat(struct vm *vm, const struct image *img)
{
	u64 addr = vm->cfg->flat_addr;
	struct x86 *x86 = vm_x86(vm);

	if (!img->size)
		return image_refuse(img, "the file is empty");
	if (addr >= LAYOUT_LOW_END || img->size > LAYOUT_LOW_END - addr)
		return image_refuse(img, "%llu bytes at 0x%llx reach beyond 0x%llx, where the RAM for real mode ends",
				    (unsigned long long)img->size, (unsigned long long)addr,
				    (unsigned long long)LAYOUT_LOW_END);
	x86->mode = X86_REAL;
	x86->entry = addr;
	return image_load(vm, img, addr, img->size, 0);
}

int arch_load(struct vm *vm)
{
	struct image img;
	int ret;

	ret = image_open(&img, vm->cfg->keep, vm->cfg->kernel);
	if (ret)
		return ret;
	/* The user's name of a kernel that was unpacked. */
	if (vm->cfg->kernel_name)
		img.path = vm->cfg->kernel_name;
	if (vm->cfg->flat)
		ret = boot_flat(vm, &img);
	else if (image_is_elf(&img))
		ret = boot_elf(vm, &img);
	else if (image_is_bzimage(&img))
		ret = boot_bzimage(vm, &img);
	else if (image_is_multiboot(&img))
		ret = boot_multiboot(vm, &img);
	else
		ret = image_unknown(&img);
	close(img.fd);
	return ret;
}

int arch_probe(const char *path, struct kernel_info *info)
{
	struct image img;
	int ret;

	memset(info, 0, sizeof(*info));
	ret = image_open(&img, NULL, path);
	if (ret)
		return ret;
	if (image_is_elf(&img)) {
		ret = elf_parse(&img);
		info->is_pc = !img.pvh_entry;
		info->format = img.pvh_entry ? "ELF with PVH entry" :
			       image_is_multiboot(&img) ? "Multiboot ELF" : "ELF";
		info->is_linux = img.is_linux;
		info->is_narrow = img.is_linux && !img.elf_64;
	} else if (image_is_bzimage(&img)) {
		ret = bzimage_check(&img);
		info->format = "bzImage";
		info->is_linux = bzimage_is_linux(&img);
		info->is_pc = !info->is_linux;
		info->is_narrow = info->is_linux && bzimage_is_32_bit(&img);
	} else if (image_is_multiboot(&img)) {
		info->format = "Multiboot";
		info->is_pc = true;
	} else {
		ret = image_unknown(&img);
	}
	close(img.fd);
	return ret;
}
