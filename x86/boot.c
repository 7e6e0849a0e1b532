// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel images: how one is recognised, checked, put into memory, and told
 * where its command line, ramdisk and memory map are. No real mode.
 *
 *  bzImage	Linux's Documentation/arch/x86/boot.rst, "64-bit Boot Protocol":
 *		protocol 2.12 and later, boot_params in RSI
 *  ELF		with Xen's PHYS32_ENTRY note: PVH, 32-bit, hvm_start_info in EBX
 *		(Xen's public/arch-x86/hvm/start_info.h describes the structures)
 *		without: the 64-bit entry with boot_params
 *
 * The file is not trusted: every number in it is checked before it is used,
 * and every loop is bounded by something that is not in the file. Runs while
 * the machine is built, on the main thread.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asm/bootparam.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/log.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

#define BOOT_PROTOCOL_MIN	0x020c		/* xloadflags: Linux 3.8 */
#define BOOT_LOADER_UNDEFINED	0xff		/* type_of_loader without an assigned number */
#define BOOT_SECTOR_MAGIC	0xaa55
#define BOOT_HEADER_MAGIC	0x53726448	/* "HdrS" */

#define ELF_SEGMENTS_MAX	64
#define ELF_NOTES_MAX		0x10000		/* bytes */
#define XEN_NOTE_PHYS32_ENTRY	18
#define ELF_CMDLINE_MAX		2047		/* COMMAND_LINE_SIZE of an x86 Linux, less the NUL */

struct image {
	const char *path;
	int fd;
	u64 size;
	u8 head[4096];		/* the beginning; zeroes behind a short file */
	size_t head_len;
	/* ELF */
	Elf64_Phdr ph[ELF_SEGMENTS_MAX];
	unsigned int nr_ph;
	u64 pvh_entry;		/* 0: no PVH */
	bool is_linux, is_user;
};

/* Where the kernel lies once it is in memory, and what it can take. */
struct boot {
	u64 end;		/* of what the kernel uses before it looks at the memory map */
	u64 initrd_max;		/* the ramdisk ends at or below this */
	u32 initrd, initrd_len;
	u32 cmdline_max;	/* bytes, without the NUL */
};

static int image_refuse(const struct image *img, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int image_refuse(const struct image *img, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	pr_err("%s: %s", img->path, why);
	return -ENOEXEC;
}

static int image_read(const struct image *img, void *dst, size_t len, u64 off)
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

static int image_open(struct image *img, const char *path)
{
	struct stat st;
	int ret;

	memset(img, 0, sizeof(*img));
	img->path = path;
	img->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (img->fd < 0 || fstat(img->fd, &st) < 0) {
		ret = -errno;
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

/* What people hand over instead of a kernel. */
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
		{ 0, 2, "MZ", "a program for EFI or Windows, not a kernel with a Linux boot header" },
	};
	unsigned int i;

	if (!img->size)
		return image_refuse(img, "not a kernel: the file is empty");
	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!memcmp(img->head + known[i].off, known[i].magic, known[i].len))
			return image_refuse(img, "%s", known[i].what);
	return image_refuse(img, "not a kernel: neither a bzImage nor an ELF file (vmlinux)");
}

static int image_too_big(const struct vm *vm, const struct image *img, u64 end)
{
	unsigned long long need = DIV_ROUND_UP(end, MIB), have = board_low_end(vm) / MIB;

	if (need > LAYOUT_HOLE / MIB)
		return image_refuse(img, "the kernel reaches %llu MiB, beyond the %llu MiB below the PCI hole",
				    need, (unsigned long long)(LAYOUT_HOLE / MIB));
	return image_refuse(img, "the kernel needs at least %llu MiB of RAM, the guest has %llu (see --mem)",
			    need, have);
}

/* Memory map, as the ACPI specification numbers its types (6.4, table 15.3). */

#define MAP_RAM		1
#define MAP_RESERVED	2
#define MAP_ENTRIES	8

struct map {
	u64 start, end;
	u32 type;
};

static unsigned int boot_map(const struct vm *vm, struct map map[MAP_ENTRIES])
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

/* Command line and ramdisk, which every kind of kernel gets; then boot->initrd is set. */
static int boot_payload(struct vm *vm, const struct image *img, struct boot *boot)
{
	const struct vm_config *cfg = vm->cfg;
	const char *cmdline = cfg->kernel_cmdline ? cfg->kernel_cmdline : "";
	u64 len = strlen(cmdline), top;
	int ret;

	if (len > boot->cmdline_max)
		return image_refuse(img, "the kernel command line has %llu bytes, this kernel takes at most %u",
				    (unsigned long long)len, boot->cmdline_max);
	ret = mem_write(&vm->mem, BOOT_CMDLINE, cmdline, len + 1);
	if (ret || !cfg->initrd || !cfg->initrd_len)
		return ret;

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

/* boot_params around @hdr, for both ways that take it. */
static int boot_zero_page(struct vm *vm, const struct setup_header *hdr, const struct boot *boot)
{
	struct boot_params params = { .hdr = *hdr };
	struct map map[MAP_ENTRIES];
	unsigned int i;

	params.hdr.type_of_loader = BOOT_LOADER_UNDEFINED;
	params.hdr.cmd_line_ptr = BOOT_CMDLINE;
	params.hdr.ramdisk_image = boot->initrd;
	params.hdr.ramdisk_size = boot->initrd_len;
	params.acpi_rsdp_addr = LAYOUT_ACPI;
	params.e820_entries = boot_map(vm, map);
	for (i = 0; i < params.e820_entries; i++)
		params.e820_table[i] = (struct boot_e820_entry) {
			.addr = map[i].start,
			.size = map[i].end - map[i].start,
			.type = map[i].type,
		};
	return mem_write(&vm->mem, BOOT_INFO, &params, sizeof(params));
}

static bool image_is_bzimage(const struct image *img)
{
	struct setup_header hdr;

	memcpy(&hdr, img->head + offsetof(struct boot_params, hdr), sizeof(hdr));
	return hdr.boot_flag == BOOT_SECTOR_MAGIC && hdr.header == BOOT_HEADER_MAGIC;
}

static int boot_bzimage(struct vm *vm, const struct image *img)
{
	const size_t off = offsetof(struct boot_params, hdr);
	struct x86 *x86 = vm_x86(vm);
	struct setup_header hdr = { 0 };
	u64 setup_len, len, span, addr, ram = board_low_end(vm);
	struct boot boot = { 0 };
	size_t hdr_len;
	int ret;

	/* The header ends where the jump in its front goes to (boot.rst, "Details of Header Fields"). */
	hdr_len = 0x202 + img->head[0x201] - off;
	memcpy(&hdr, img->head + off, min(hdr_len, sizeof(hdr)));
	if (hdr.version < BOOT_PROTOCOL_MIN)
		return image_refuse(img, "boot protocol %u.%02u is too old, 2.12 (Linux 3.8) is needed",
				    hdr.version >> 8, hdr.version & 0xff);
	if (!(hdr.loadflags & LOADED_HIGH))
		return image_refuse(img, "a zImage, which is loaded below 1 MiB; a bzImage is needed");
	if (!(hdr.xloadflags & XLF_KERNEL_64))
		return image_refuse(img, "a 32-bit kernel: it has no 64-bit entry point (CONFIG_64BIT)");

	setup_len = ((hdr.setup_sects ? hdr.setup_sects : 4) + 1) * 512;
	len = hdr.syssize * 16ULL;
	if (img->size < setup_len + len)
		return image_refuse(img, "truncated: %llu bytes of %llu",
				    (unsigned long long)img->size,
				    (unsigned long long)(setup_len + len));
	if (len <= 0x200)
		return image_refuse(img, "damaged: the boot header says that the kernel has %llu bytes",
				    (unsigned long long)len);
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
	ret = mem_read_file(&vm->mem, addr, img->fd, len, setup_len);
	if (ret)
		return image_refuse(img, "read: %s", strerror(-ret));

	boot.end = addr + span;
	boot.initrd_max = (u64)hdr.initrd_addr_max + 1;
	boot.cmdline_max = min(hdr.cmdline_size, (u32)BOOT_CMDLINE_MAX - 1);
	ret = boot_payload(vm, img, &boot);
	if (ret)
		return ret;
	hdr.code32_start = addr;
	x86->long_mode = true;
	x86->entry = addr + 0x200;
	x86->info = BOOT_INFO;
	return boot_zero_page(vm, &hdr, &boot);
}

static const char *elf_machine(u16 machine)
{
	switch (machine) {
	case EM_386:		return "32-bit x86";
	case EM_AARCH64:	return "arm64";
	case EM_ARM:		return "32-bit arm";
	case EM_RISCV:		return "riscv";
	case EM_PPC64:		return "powerpc";
	case EM_S390:		return "s390";
	case EM_MIPS:		return "mips";
	default:		return NULL;
	}
}

/*
 * One PT_NOTE: has it the PVH entry, is it Linux (whose build salt is a note
 * of that name), or a program for Linux? Notes behind a damaged one are not seen.
 */
static int elf_notes(struct image *img, const Elf64_Phdr *ph)
{
	u64 len = min((u64)ph->p_filesz, (u64)ELF_NOTES_MAX), pos = 0;
	u8 *notes = malloc(len ? len : 1);
	int ret;

	if (!notes)
		return -ENOMEM;
	ret = image_read(img, notes, len, ph->p_offset);
	while (!ret && len - pos >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr nh;
		u64 name, desc, end;

		memcpy(&nh, notes + pos, sizeof(nh));
		name = pos + sizeof(nh);
		desc = name + ALIGN((u64)nh.n_namesz, 4);	/* 32-bit sums in 64 bits */
		end = desc + ALIGN((u64)nh.n_descsz, 4);
		if (end > len)
			break;
		if (nh.n_namesz == 4 && !memcmp(notes + name, "Xen", 4) &&
		    nh.n_type == XEN_NOTE_PHYS32_ENTRY && nh.n_descsz >= 4) {
			u64 entry = 0;

			memcpy(&entry, notes + desc, nh.n_descsz >= 8 ? 8 : 4);
			img->pvh_entry = entry;
		}
		if (nh.n_namesz == 6 && !memcmp(notes + name, "Linux", 6))
			img->is_linux = true;
		if (nh.n_namesz == 4 && !memcmp(notes + name, "GNU", 4) &&
		    nh.n_type == NT_GNU_ABI_TAG)
			img->is_user = true;
		pos = end;
	}
	free(notes);
	return ret;
}

/* Check the headers; fills in img->ph, pvh_entry, is_linux, is_user. */
static int elf_parse(struct image *img)
{
	Elf64_Ehdr eh;
	unsigned int i, loads = 0;
	int ret;

	if (img->head_len < sizeof(eh))
		return image_refuse(img, "truncated: an ELF file of %llu bytes",
				    (unsigned long long)img->size);
	memcpy(&eh, img->head, sizeof(eh));
	/* e_machine has its place in files of both sizes, if the byte order is ours. */
	if (eh.e_ident[EI_DATA] != ELFDATA2LSB)
		return image_refuse(img, "a big-endian ELF file; this machine is x86_64");
	if (eh.e_machine != EM_X86_64 || eh.e_ident[EI_CLASS] != ELFCLASS64) {
		const char *name = elf_machine(eh.e_machine);

		if (name)
			return image_refuse(img, "a program for %s; this machine is x86_64", name);
		return image_refuse(img, "an ELF file for machine %u; this machine is x86_64",
				    eh.e_machine);
	}
	if (eh.e_type != ET_EXEC && eh.e_type != ET_DYN)
		return image_refuse(img, "an ELF %s, not a kernel",
				    eh.e_type == ET_REL ? "object file" :
				    eh.e_type == ET_CORE ? "core dump" : "file of unknown type");
	if (!eh.e_phnum || eh.e_phnum > ELF_SEGMENTS_MAX || eh.e_phentsize != sizeof(Elf64_Phdr))
		return image_refuse(img, "damaged: %u program headers of %u bytes", eh.e_phnum,
				    eh.e_phentsize);
	img->nr_ph = eh.e_phnum;
	if (eh.e_phoff > img->size || img->size - eh.e_phoff < img->nr_ph * sizeof(Elf64_Phdr))
		return image_refuse(img, "truncated: the program headers are missing");
	ret = image_read(img, img->ph, img->nr_ph * sizeof(Elf64_Phdr), eh.e_phoff);
	if (ret)
		return ret;

	for (i = 0; i < img->nr_ph; i++) {
		const Elf64_Phdr *ph = &img->ph[i];

		if (ph->p_type == PT_INTERP)
			img->is_user = true;
		if (ph->p_type != PT_LOAD && ph->p_type != PT_NOTE)
			continue;
		if (ph->p_offset > img->size || ph->p_filesz > img->size - ph->p_offset)
			return image_refuse(img, "truncated: %llu bytes, segment %u is at %llu + %llu",
					    (unsigned long long)img->size, i,
					    (unsigned long long)ph->p_offset,
					    (unsigned long long)ph->p_filesz);
		if (ph->p_type == PT_NOTE) {
			ret = elf_notes(img, ph);
			if (ret)
				return ret;
			continue;
		}
		if (ph->p_filesz > ph->p_memsz)
			return image_refuse(img, "damaged: segment %u is larger in the file than in memory", i);
		loads += ph->p_memsz > 0;
	}
	if (img->is_user)
		return image_refuse(img, "a program for user space, not a kernel");
	return loads ? 0 : image_refuse(img, "an ELF file without anything to load");
}

static int elf_load(struct vm *vm, const struct image *img, u64 entry, struct boot *boot)
{
	u64 ram = board_low_end(vm);
	bool entered = false;
	unsigned int i;
	int ret;

	for (i = 0; i < img->nr_ph; i++) {
		const Elf64_Phdr *ph = &img->ph[i];
		u64 end;

		if (ph->p_type != PT_LOAD || !ph->p_memsz)
			continue;
		if (ph->p_paddr < LAYOUT_KERNEL)
			return image_refuse(img, "segment %u is at %#llx; the first 1 MiB is not for kernels",
					    i, (unsigned long long)ph->p_paddr);
		if (__builtin_add_overflow(ph->p_paddr, ph->p_memsz, &end))
			return image_refuse(img, "damaged: segment %u ends beyond all addresses", i);
		if (end > ram)
			return image_too_big(vm, img, end);
		ret = mem_read_file(&vm->mem, ph->p_paddr, img->fd, ph->p_filesz, ph->p_offset);
		if (ret)
			return image_refuse(img, "read: %s", strerror(-ret));
		entered |= entry - ph->p_paddr < ph->p_memsz;
		boot->end = max(boot->end, end);
	}
	if (!entered)
		return image_refuse(img, "damaged: the entry point %#llx is in no segment",
				    (unsigned long long)entry);
	return 0;
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
		struct pvh_module module;
		struct pvh_memmap_entry map[MAP_ENTRIES];
	} info = {
		.start = {
			.magic = 0x336ec578, .version = 1,
			.nr_modules = boot->initrd_len ? 1 : 0,
			.modlist = BOOT_INFO + offsetof(typeof(info), module),
			.cmdline = BOOT_CMDLINE,
			.rsdp = LAYOUT_ACPI,
			.memmap = BOOT_INFO + offsetof(typeof(info), map),
		},
		.module = { .paddr = boot->initrd, .size = boot->initrd_len },
	};
	struct map map[MAP_ENTRIES];
	unsigned int i;

	info.start.memmap_entries = boot_map(vm, map);
	for (i = 0; i < info.start.memmap_entries; i++)
		info.map[i] = (struct pvh_memmap_entry) {
			.addr = map[i].start,
			.size = map[i].end - map[i].start,
			.type = map[i].type,
		};
	return mem_write(&vm->mem, BOOT_INFO, &info, sizeof(info));
}

static int boot_elf(struct vm *vm, struct image *img)
{
	struct x86 *x86 = vm_x86(vm);
	struct boot boot = { .initrd_max = LAYOUT_HOLE, .cmdline_max = ELF_CMDLINE_MAX };
	/* What a kernel without a setup header would have in it; the rest is boot_zero_page()'s. */
	struct setup_header hdr = {
		.boot_flag = BOOT_SECTOR_MAGIC, .header = BOOT_HEADER_MAGIC,
		.version = BOOT_PROTOCOL_MIN, .loadflags = LOADED_HIGH,
	};
	Elf64_Ehdr eh;
	int ret;

	ret = elf_parse(img);
	if (ret)
		return ret;
	memcpy(&eh, img->head, sizeof(eh));
	x86->entry = img->pvh_entry ? img->pvh_entry : eh.e_entry;
	x86->long_mode = !img->pvh_entry;
	x86->info = BOOT_INFO;
	ret = elf_load(vm, img, x86->entry, &boot);
	if (!ret)
		ret = boot_payload(vm, img, &boot);
	if (ret)
		return ret;
	return x86->long_mode ? boot_zero_page(vm, &hdr, &boot) : boot_pvh_info(vm, &boot);
}

static bool image_is_elf(const struct image *img)
{
	return !memcmp(img->head, ELFMAG, SELFMAG);
}

int arch_load(struct vm *vm)
{
	struct image img;
	int ret;

	ret = image_open(&img, vm->cfg->kernel);
	if (ret)
		return ret;
	if (image_is_elf(&img))
		ret = boot_elf(vm, &img);
	else if (image_is_bzimage(&img))
		ret = boot_bzimage(vm, &img);
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
	ret = image_open(&img, path);
	if (ret)
		return ret;
	if (image_is_elf(&img)) {
		ret = elf_parse(&img);
		info->format = img.pvh_entry ? "ELF with PVH entry" : "ELF";
		info->is_linux = img.is_linux;
	} else if (image_is_bzimage(&img)) {
		info->format = "bzImage";
		info->is_linux = true;
	} else {
		ret = image_unknown(&img);
	}
	close(img.fd);
	return ret;
}
