// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel images: how one is recognised, what every kind of kernel gets, and
 * raw binaries, which are entered in real mode. The kinds have files of their
 * own, see boot.h. Runs while the machine is built, on the main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
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

int image_refuse(const struct image *img, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_prefixed(LOG_ERROR, img->path, 0, fmt, ap);
	va_end(ap);
	return -ENOEXEC;
}

int image_read(const struct image *img, void *dst, size_t len, u64 off)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(img->fd, (char *)dst + done, len - done, off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int ret = n ? -errno : -EIO;

			pr_err("%s: read: %s", img->path, n ? strerror(-ret) : "the file ends early");
			return ret;
		}
		done += n;
	}
	return 0;
}

int image_load(struct vm *vm, const struct image *img, u64 gpa, u64 len, u64 off)
{
	int ret = mem_read_file(&vm->mem, gpa, img->fd, len, off);

	return ret ? image_refuse(img, "read: %s", strerror(-ret)) : 0;
}

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

int image_too_big(const struct vm *vm, const struct image *img, u64 end)
{
	unsigned long long need = DIV_ROUND_UP(end, MIB), have = board_low_end(vm) / MIB;

	if (need > LAYOUT_HOLE / MIB)
		return image_refuse(img, "the kernel reaches %llu MiB, beyond the %llu MiB below the PCI hole",
				    need, (unsigned long long)(LAYOUT_HOLE / MIB));
	return image_refuse(img, "the kernel needs at least %llu MiB of RAM, the guest has %llu (see --mem)",
			    need, have);
}

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
