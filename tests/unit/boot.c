// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel loader: images made here, loaded into a machine that has memory
 * and nothing else. What a guest would find, and what a user is told.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <asm/bootparam.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "../../x86/layout.h"
#include "../../x86/x86.h"
#include "tap.h"

#define SETUP	(2 * 512)		/* boot sector and one of setup code */
#define PAYLOAD	0x8000

struct machine {
	struct vm vm;
	struct vm_config cfg;
	char path[32];
	int fd;
	char said[1024];		/* on stderr */
};

static struct machine *machine_new(const void *file, size_t len, u64 mem)
{
	struct machine *m = calloc(1, sizeof(*m));

	CHECK(m);
	m->fd = memfd_create("kernel", 0);
	CHECK(m->fd >= 0);
	CHECK_EQ(write(m->fd, file, len), len);
	snprintf(m->path, sizeof(m->path), "/proc/self/fd/%d", m->fd);
	m->cfg = (struct vm_config) {
		.cpus = 1, .sockets = 1, .cores = 1, .threads = 1, .mem = mem, .kernel = m->path, .kernel_cmdline = "console=ttyS0 quiet",
	};
	m->vm.cfg = &m->cfg;
	m->vm.kvm_fd = m->vm.vm_fd = -1;
	undo_init(&m->vm.undo);
	undo_init(&m->vm.ram);
	INIT_LIST_HEAD(&m->vm.devices);
	CHECK_EQ(arch_memory(&m->vm), 0);
	return m;
}

static void machine_free(struct machine *m)
{
	undo_run(&m->vm.undo);
	close(m->fd);
	free(m);
}

static int machine_load(struct machine *m)
{
	int old = dup(2), fd = memfd_create("stderr", 0), ret;
	ssize_t n;

	fflush(stderr);
	dup2(fd, 2);
	ret = arch_load(&m->vm);
	fflush(stderr);
	dup2(old, 2);
	n = pread(fd, m->said, sizeof(m->said) - 1, 0);
	m->said[n > 0 ? n : 0] = '\0';
	close(old);
	close(fd);
	return ret;
}

/* Loading fails with a line that has @why in it; the line is the only one. */
static void machine_refuses(struct machine *m, const char *why)
{
	int ret = machine_load(m);

	if (!strstr(m->said, why))
		tap_fail(__FILE__, __LINE__, "\"%s\" is not in \"%s\"", why, m->said);
	CHECK(ret < 0);
	CHECK(strchr(m->said, '\n') == m->said + strlen(m->said) - 1);
	machine_free(m);
}

static void load_refused(const void *file, size_t len, u64 mem, const char *why)
{
	machine_refuses(machine_new(file, len, mem), why);
}

static void peek(struct machine *m, gpa_t gpa, void *dst, size_t len)
{
	CHECK_EQ(mem_read(&m->vm.mem, gpa, dst, len), 0);
}

/* A bzImage as small as one can be. */
struct bzimage {
	u8 bytes[SETUP + PAYLOAD];
};

static struct setup_header *bzimage_init(struct bzimage *b)
{
	struct setup_header *hdr = (void *)(b->bytes + 0x1f1);
	unsigned int i;

	memset(b, 0, SETUP);
	strcpy((char *)b->bytes + 0x300, "6.1.0-test (x@y)");
	for (i = 0; i < PAYLOAD; i++)
		b->bytes[SETUP + i] = i * 7 + (i >> 8);
	*hdr = (struct setup_header) {
		.setup_sects = 1, .boot_flag = 0xaa55, .jump = 0xeb | 0x6a << 8,
		.header = 0x53726448, .version = 0x020f, .kernel_version = 0x100, .loadflags = LOADED_HIGH,
		.syssize = PAYLOAD / 16, .xloadflags = XLF_KERNEL_64, .cmdline_size = 2047,
		.initrd_addr_max = 0x7fffffff, .relocatable_kernel = 1,
		.kernel_alignment = 2 * MIB, .pref_address = 16 * MIB, .init_size = 20 * MIB,
	};
	return hdr;
}

static void check_map(const struct boot_params *p, u64 mem)
{
	unsigned int i;
	u64 ram = 0, end = 0;
	bool ecam = false;

	for (i = 0; i < p->e820_entries; i++) {
		u64 start = p->e820_table[i].addr, size = p->e820_table[i].size;

		CHECK(size > 0);
		CHECK(start >= end);
		end = start + size;
		if (p->e820_table[i].type == 1) {
			ram += size;
			CHECK(end <= LAYOUT_HOLE || start >= LAYOUT_HIGH);
			CHECK(end <= 0xa0000 || start >= 0x100000);
		} else {
			CHECK_EQ(p->e820_table[i].type, 2);
			if (start <= LAYOUT_ECAM && end >= LAYOUT_ECAM + LAYOUT_ECAM_LEN)
				ecam = true;
		}
	}
	CHECK(ecam);
	CHECK_EQ(ram, mem - (0x100000 - 0xa0000));
}

TEST(bzimage_is_loaded_at_its_preferred_address)
{
	struct boot_params params;
	struct bzimage b;
	struct machine *m;
	static u8 loaded[PAYLOAD];
	char cmdline[64];

	bzimage_init(&b);
	m = machine_new(&b, sizeof(b), 128 * MIB);
	CHECK_EQ(machine_load(m), 0);
	CHECK_STR(m->said, "");
	peek(m, 16 * MIB, loaded, sizeof(loaded));
	CHECK_MEM(loaded, b.bytes + SETUP, PAYLOAD);
	CHECK_EQ(vm_x86(&m->vm)->mode, X86_LONG);
	CHECK_EQ(vm_x86(&m->vm)->entry, 16 * MIB + 0x200);

	peek(m, vm_x86(&m->vm)->rsi, &params, sizeof(params));
	CHECK_EQ(params.hdr.header, 0x53726448);
	CHECK_EQ(params.hdr.type_of_loader, 0xff);
	CHECK_EQ(params.hdr.code32_start, 16 * MIB);
	CHECK_EQ(params.hdr.ramdisk_size, 0);
	CHECK_EQ(params.hdr.init_size, 20 * MIB);
	CHECK_EQ(params.sentinel, 0);
	CHECK_EQ(params.acpi_rsdp_addr, LAYOUT_ACPI);
	peek(m, params.hdr.cmd_line_ptr, cmdline, sizeof(cmdline));
	CHECK_STR(cmdline, "console=ttyS0 quiet");
	machine_free(m);
}

TEST(bzimage_of_32_bits_is_entered_in_32_bits)
{
	struct setup_header *hdr;
	struct boot_params params;
	struct bzimage b;
	struct machine *m;

	hdr = bzimage_init(&b);
	hdr->xloadflags = 0;
	m = machine_new(&b, sizeof(b), 128 * MIB);
	CHECK_EQ(machine_load(m), 0);
	CHECK_STR(m->said, "");
	CHECK_EQ(vm_x86(&m->vm)->mode, X86_PROTECTED);
	CHECK_EQ(vm_x86(&m->vm)->entry, 16 * MIB);
	CHECK_EQ(vm_x86(&m->vm)->rbx, 0);
	peek(m, vm_x86(&m->vm)->rsi, &params, sizeof(params));
	CHECK_EQ(params.hdr.code32_start, 16 * MIB);
	CHECK_EQ(params.alt_mem_k, 127 * 1024);
	check_map(&params, 128 * MIB);
	machine_free(m);
}

/* What comes after a header's version is not to be believed, but set by the protocol. */
TEST(bzimage_of_an_old_protocol_is_loaded_at_1_mib)
{
	struct setup_header *hdr;
	struct bzimage b;
	static char cmdline[257];
	struct machine *m;

	hdr = bzimage_init(&b);
	hdr->version = 0x204;
	hdr->relocatable_kernel = 0x55;
	m = machine_new(&b, sizeof(b), 16 * MIB);
	CHECK_EQ(machine_load(m), 0);
	CHECK_EQ(vm_x86(&m->vm)->mode, X86_PROTECTED);
	CHECK_EQ(vm_x86(&m->vm)->entry, 1 * MIB);
	machine_free(m);

	m = machine_new(&b, sizeof(b), 16 * MIB);
	memset(cmdline, 'x', sizeof(cmdline) - 1);
	m->cfg.kernel_cmdline = cmdline;
	machine_refuses(m, "takes at most 255");
}

TEST(bzimage_moves_down_when_there_is_little_ram)
{
	struct setup_header *hdr;
	struct bzimage b;
	struct machine *m;

	hdr = bzimage_init(&b);
	m = machine_new(&b, sizeof(b), 32 * MIB);
	CHECK_EQ(machine_load(m), 0);
	CHECK_EQ(vm_x86(&m->vm)->entry, 2 * MIB + 0x200);
	machine_free(m);

	load_refused(&b, sizeof(b), 20 * MIB, "needs at least 22 MiB of RAM, the guest has 20");
	hdr->relocatable_kernel = 0;
	load_refused(&b, sizeof(b), 32 * MIB, "needs at least 36 MiB of RAM, the guest has 32");
}

TEST(memory_map_has_all_ram_and_not_the_hole)
{
	static const u64 sizes[] = { 64 * MIB, 3 * GIB, 3 * GIB + MIB, 5 * GIB, 40 * GIB };
	struct boot_params params;
	struct bzimage b;
	unsigned int i;

	bzimage_init(&b);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct machine *m = machine_new(&b, sizeof(b), sizes[i]);

		CHECK_EQ(mem_size(&m->vm.mem), sizes[i]);
		CHECK_EQ(machine_load(m), 0);
		peek(m, BOOT_INFO, &params, sizeof(params));
		check_map(&params, sizes[i]);
		machine_free(m);
	}
}

TEST(too_much_or_too_little_ram_is_refused)
{
	struct machine m = { .cfg = { .cpus = 1, .sockets = 1, .cores = 1, .threads = 1 } };

	m.vm.cfg = &m.cfg;
	m.vm.kvm_fd = m.vm.vm_fd = -1;
	undo_init(&m.vm.undo);
	undo_init(&m.vm.ram);
	/* Without KVM's word an address has 36 bits: 64 GiB, less the hole. */
	m.cfg.mem = 64 * GIB;
	CHECK_EQ(arch_memory(&m.vm), -EINVAL);
	m.cfg.mem = 1 * MIB;
	CHECK_EQ(arch_memory(&m.vm), -EINVAL);
	m.cfg.mem = 63 * GIB;
	CHECK_EQ(arch_memory(&m.vm), 0);
	undo_run(&m.vm.undo);
}

TEST(ramdisk_lies_high_but_below_its_limit)
{
	struct setup_header *hdr;
	struct boot_params params;
	static u8 initrd[12345], copy[12345];
	struct bzimage b;
	struct machine *m;
	unsigned int i;

	for (i = 0; i < sizeof(initrd); i++)
		initrd[i] = i * 3;
	hdr = bzimage_init(&b);
	for (i = 0; i < 2; i++) {
		m = machine_new(&b, sizeof(b), 256 * MIB);
		m->cfg.initrd = initrd;
		m->cfg.initrd_len = sizeof(initrd);
		CHECK_EQ(machine_load(m), 0);
		peek(m, BOOT_INFO, &params, sizeof(params));
		CHECK_EQ(params.hdr.ramdisk_size, sizeof(initrd));
		CHECK_EQ(params.hdr.ramdisk_image, (i ? 64 * MIB : 256 * MIB) - 0x4000);
		peek(m, params.hdr.ramdisk_image, copy, sizeof(copy));
		CHECK_MEM(copy, initrd, sizeof(copy));
		machine_free(m);
		hdr->initrd_addr_max = 64 * MIB - 1;
	}
}

TEST(ramdisk_without_room_is_refused)
{
	struct setup_header *hdr;
	struct bzimage b;
	struct machine *m;

	hdr = bzimage_init(&b);
	m = machine_new(&b, sizeof(b), 64 * MIB);
	m->cfg.initrd = "";
	m->cfg.initrd_len = 29 * MIB;		/* the kernel ends at 36 MiB */
	machine_refuses(m, "no room for a ramdisk of 29 MiB");
	m = machine_new(&b, sizeof(b), 64 * MIB);
	m->cfg.initrd = "";
	m->cfg.initrd_len = 1ULL << 62;
	machine_refuses(m, "no room for a ramdisk");
	hdr->initrd_addr_max = 0;
	m = machine_new(&b, sizeof(b), 64 * MIB);
	m->cfg.initrd = "";
	m->cfg.initrd_len = 1;
	machine_refuses(m, "no room for a ramdisk of 1 MiB");
}

TEST(long_command_line_is_refused_with_the_limit)
{
	struct setup_header *hdr;
	static char cmdline[0x20000];
	struct bzimage b;
	struct machine *m;

	memset(cmdline, 'x', sizeof(cmdline) - 1);
	hdr = bzimage_init(&b);
	m = machine_new(&b, sizeof(b), 64 * MIB);
	m->cfg.kernel_cmdline = cmdline;
	machine_refuses(m, "has 131071 bytes, this kernel takes at most 2047");

	cmdline[2047] = '\0';
	m = machine_new(&b, sizeof(b), 64 * MIB);
	m->cfg.kernel_cmdline = cmdline;
	CHECK_EQ(machine_load(m), 0);
	machine_free(m);
	cmdline[2047] = 'x';

	/* Whatever the header claims, there is only so much room. */
	hdr->cmdline_size = 0xffffffff;
	m = machine_new(&b, sizeof(b), 64 * MIB);
	m->cfg.kernel_cmdline = cmdline;
	machine_refuses(m, "takes at most 65535");
}

TEST(unfit_bzimages_are_refused_with_the_reason)
{
	struct setup_header *hdr;
	struct bzimage b;

	hdr = bzimage_init(&b);
	load_refused(&b, sizeof(b) - 16, 64 * MIB, "truncated: 33776 bytes of 33792");
	load_refused(&b, 0x400, 64 * MIB, "truncated");
	hdr->version = 0x203;
	load_refused(&b, sizeof(b), 64 * MIB, "boot protocol 2.03 is too old");
	hdr = bzimage_init(&b);
	hdr->loadflags = 0;
	load_refused(&b, sizeof(b), 64 * MIB, "zImage");
	hdr = bzimage_init(&b);
	hdr->kernel_alignment = 3;
	load_refused(&b, sizeof(b), 32 * MIB, "an alignment of 3");
	hdr->kernel_alignment = 0;
	load_refused(&b, sizeof(b), 32 * MIB, "an alignment of 0");
	hdr = bzimage_init(&b);
	hdr->init_size = 0xffffffff;
	load_refused(&b, sizeof(b), 64 * MIB, "beyond the 3072 MiB below the PCI hole");
	hdr = bzimage_init(&b);
	hdr->syssize = 0;
	load_refused(&b, sizeof(b), 64 * MIB, "damaged");
	hdr = bzimage_init(&b);
	hdr->syssize = 0xffffffff;
	load_refused(&b, sizeof(b), 64 * MIB, "truncated");
}

TEST(files_that_are_no_kernel_are_called_what_they_are)
{
	static u8 bios[128 * KIB] = { [128 * KIB - 16] = 0xea, 0x5b, 0xe0, 0, 0xf0 };
	static const u8 firmware[0x1000] = { [40] = '_', 'F', 'V', 'H' };
	static const u8 rom[0x1000] = { 0x55, 0xaa, 8 }, sector[512] = { [510] = 0x55, 0xaa };
	static const struct {
		const void *bytes;
		size_t len;
		const char *why;
	} file[] = {
		{ firmware, sizeof(firmware), "UEFI firmware" },
		{ bios, sizeof(bios), "a PC's BIOS" },
		{ rom, sizeof(rom), "an option ROM" },
		{ sector, sizeof(sector), "a boot sector" },
		{ "", 0, "the file is empty" },
		{ "x", 1, "neither a bzImage nor an ELF file" },
		{ "hello, world, this is a text", 28, "neither a bzImage nor an ELF file" },
		{ "\x1f\x8b\x08\0", 4, "gzip-compressed" },
		{ "\xfd" "7zXZ\0\0", 7, "xz-compressed" },
		{ "\x28\xb5\x2f\xfd", 4, "zstd-compressed" },
		{ "070701000000", 12, "--initrd" },
		{ "QFI\xfb\0\0\0\3", 8, "--disk" },
		{ "#!/bin/sh\n", 10, "a script" },
		{ "!<arch>\ndebian-binary", 21, "Debian package" },
		{ "\177ELF", 4, "truncated" },
	};
	u8 arm64[64] = { [0] = 'M', [1] = 'Z', [56] = 'A', [57] = 'R', [58] = 'M', [59] = 0x64 };
	struct machine *m;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(file); i++)
		load_refused(file[i].bytes, file[i].len, 64 * MIB, file[i].why);
	load_refused(arm64, sizeof(arm64), 64 * MIB, "a kernel for arm64");

	m = machine_new("", 0, 64 * MIB);
	m->cfg.kernel = "/";
	machine_refuses(m, "a directory");
	m = machine_new("", 0, 64 * MIB);
	m->cfg.kernel = "/dev/zero";
	machine_refuses(m, "not a regular file");
	m = machine_new("", 0, 64 * MIB);
	m->cfg.kernel = "/nonexistent/vmlinux";
	machine_refuses(m, "No such file");
}

/* Loaders look like a bzImage, but do their work in code for real mode that calls a BIOS. */
TEST(bzimages_that_need_a_bios_are_named)
{
	struct setup_header *hdr;
	struct bzimage b;

	hdr = bzimage_init(&b);
	strcpy((char *)b.bytes + 0x300, "iPXE (http://ipxe.org) 1.0.0+");
	load_refused(&b, sizeof(b), 64 * MIB, "iPXE, which works by calls to a PC's BIOS");
	hdr->version = 0x203;
	strcpy((char *)b.bytes + 0x300, "MEMDISK 6.04");
	load_refused(&b, sizeof(b), 64 * MIB, "MEMDISK, which works by calls to a PC's BIOS");
	/* A version at the very end of the file, or beyond it */
	hdr->version = 0x20f;
	hdr->kernel_version = 0xffff;
	load_refused(&b, 0x400, 64 * MIB, "truncated");
}

/* An ELF kernel of two segments, with the PVH note in the second one. */
#define ELF_CODE	0x1000		/* file offsets */
#define ELF_NOTES	0x2000
#define ELF_SIZE	0x2100
#define ELF_PADDR	(16 * MIB)

struct elf {
	union {
		struct {
			Elf64_Ehdr eh;
			Elf64_Phdr ph[3];
		};
		u8 bytes[ELF_SIZE];
	};
};

static size_t elf_note(u8 *p, const char *name, u32 type, const void *desc, u32 len)
{
	Elf64_Nhdr nh = { .n_namesz = strlen(name) + 1, .n_descsz = len, .n_type = type };

	memcpy(p, &nh, sizeof(nh));
	memcpy(p + sizeof(nh), name, nh.n_namesz);
	memcpy(p + sizeof(nh) + ALIGN(nh.n_namesz, 4), desc, len);
	return sizeof(nh) + ALIGN(nh.n_namesz, 4) + ALIGN(len, 4);
}

static void elf_init(struct elf *e, bool pvh)
{
	u64 entry = ELF_PADDR + 0x80;
	size_t len;

	memset(e, 0, sizeof(*e));
	e->eh = (Elf64_Ehdr) {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_entry = ELF_PADDR + 0x10, .e_phoff = offsetof(struct elf, ph),
		.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3,
	};
	memset(e->bytes + ELF_CODE, 0x90, 0x1000);
	len = elf_note(e->bytes + ELF_NOTES, "GNU", 3, "0123456789", 10);
	if (pvh)
		len += elf_note(e->bytes + ELF_NOTES + len, "Xen", 18, &entry, sizeof(entry));
	len += elf_note(e->bytes + ELF_NOTES + len, "Linux", 0x100, "", 1);
	e->ph[0] = (Elf64_Phdr) {
		.p_type = PT_LOAD, .p_offset = ELF_CODE, .p_paddr = ELF_PADDR,
		.p_vaddr = 0xffffffff81000000, .p_filesz = 0x1000, .p_memsz = 0x1000,
	};
	e->ph[1] = (Elf64_Phdr) {
		.p_type = PT_LOAD, .p_offset = ELF_NOTES, .p_paddr = 20 * MIB,
		.p_filesz = 0x100, .p_memsz = 4 * MIB,
	};
	e->ph[2] = (Elf64_Phdr) {
		.p_type = PT_NOTE, .p_offset = ELF_NOTES, .p_filesz = len, .p_memsz = len,
	};
}

/* Without the note that says Linux, which is the last one. */
static void elf_is_not_linux(struct elf *e)
{
	e->ph[2].p_filesz -= 16;
}

TEST(elf_is_entered_by_its_pvh_note)
{
	struct {
		u32 magic, version, flags, nr_modules;
		u64 modlist, cmdline, rsdp, memmap;
		u32 memmap_entries, reserved;
	} info;
	struct {
		u64 paddr, size, cmdline, reserved;
	} module;
	struct {
		u64 addr, size;
		u32 type, reserved;
	} map;
	static u8 code[0x1000];
	char text[64];
	struct machine *m;
	struct elf e;

	/* Linux, which has both entries, is entered where it needs the fewest questions. */
	elf_init(&e, true);
	m = machine_new(&e, sizeof(e), 64 * MIB);
	CHECK_EQ(machine_load(m), 0);
	CHECK_EQ(vm_x86(&m->vm)->mode, X86_LONG);
	CHECK_EQ(vm_x86(&m->vm)->entry, ELF_PADDR + 0x10);
	machine_free(m);

	elf_init(&e, true);
	elf_is_not_linux(&e);
	m = machine_new(&e, sizeof(e), 64 * MIB);
	m->cfg.initrd = "an initramfs";
	m->cfg.initrd_len = 13;
	CHECK_EQ(machine_load(m), 0);
	CHECK_STR(m->said, "");
	CHECK_EQ(vm_x86(&m->vm)->mode, X86_PROTECTED);
	CHECK_EQ(vm_x86(&m->vm)->entry, ELF_PADDR + 0x80);
	peek(m, ELF_PADDR, code, sizeof(code));
	CHECK_MEM(code, e.bytes + ELF_CODE, sizeof(code));

	peek(m, vm_x86(&m->vm)->rbx, &info, sizeof(info));
	CHECK_EQ(info.magic, 0x336ec578);
	CHECK_EQ(info.version, 1);
	CHECK_EQ(info.rsdp, LAYOUT_ACPI);
	peek(m, info.cmdline, text, sizeof(text));
	CHECK_STR(text, "console=ttyS0 quiet");
	CHECK_EQ(info.nr_modules, 1);
	peek(m, info.modlist, &module, sizeof(module));
	CHECK_EQ(module.size, 13);
	peek(m, module.paddr, text, 13);
	CHECK_STR(text, "an initramfs");
	CHECK_EQ(info.memmap_entries, 5);
	peek(m, info.memmap + 2 * sizeof(map), &map, sizeof(map));
	CHECK_EQ(map.addr, 1 * MIB);
	CHECK_EQ(map.size, 63 * MIB);
	CHECK_EQ(map.type, 1);
	machine_free(m);
}

TEST(elf_without_the_note_is_entered_in_64_bits)
{
	struct boot_params params;
	struct machine *m;
	struct elf e;

	elf_init(&e, false);
	m = machine_new(&e, sizeof(e), 64 * MIB);
	CHECK_EQ(machine_load(m), 0);
	CHECK_EQ(vm_x86(&m->vm)->mode, X86_LONG);
	CHECK_EQ(vm_x86(&m->vm)->entry, ELF_PADDR + 0x10);
	peek(m, vm_x86(&m->vm)->rsi, &params, sizeof(params));
	CHECK_EQ(params.hdr.header, 0x53726448);
	CHECK_EQ(params.hdr.cmd_line_ptr, BOOT_CMDLINE);
	check_map(&params, 64 * MIB);
	machine_free(m);
}

/* The same kernel as a 32-bit file. */
struct elf32 {
	union {
		struct {
			Elf32_Ehdr eh;
			Elf32_Phdr ph[2];
		};
		u8 bytes[ELF_SIZE];
	};
};

static void elf32_init(struct elf32 *e)
{
	memset(e, 0, sizeof(*e));
	e->eh = (Elf32_Ehdr) {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
		.e_entry = ELF_PADDR + 0x10, .e_phoff = offsetof(struct elf32, ph),
		.e_ehsize = sizeof(Elf32_Ehdr), .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 2,
	};
	memset(e->bytes + ELF_CODE, 0x90, 0x1000);
	e->ph[0] = (Elf32_Phdr) {
		.p_type = PT_LOAD, .p_offset = ELF_CODE, .p_paddr = ELF_PADDR,
		.p_vaddr = 0xc1000000, .p_filesz = 0x1000, .p_memsz = 0x1000,
	};
	e->ph[1] = (Elf32_Phdr) {
		.p_type = PT_LOAD, .p_offset = ELF_NOTES, .p_paddr = 20 * MIB,
		.p_filesz = 0x100, .p_memsz = 4 * MIB,
	};
}

TEST(elf_of_32_bits_is_entered_in_32_bits)
{
	struct boot_params params;
	static u8 code[0x1000];
	struct machine *m;
	struct elf32 e;

	elf32_init(&e);
	m = machine_new(&e, sizeof(e), 64 * MIB);
	CHECK_EQ(machine_load(m), 0);
	CHECK_STR(m->said, "");
	CHECK_EQ(vm_x86(&m->vm)->mode, X86_PROTECTED);
	CHECK_EQ(vm_x86(&m->vm)->entry, ELF_PADDR + 0x10);
	peek(m, ELF_PADDR, code, sizeof(code));
	CHECK_MEM(code, e.bytes + ELF_CODE, sizeof(code));
	peek(m, vm_x86(&m->vm)->rsi, &params, sizeof(params));
	CHECK_EQ(params.hdr.header, 0x53726448);
	check_map(&params, 64 * MIB);
	machine_free(m);
}

/* Multiboot: header, ELF files of both sizes, plain images. */

#define MULTIBOOT_MAGIC	0x1badb002

static void multiboot_header(u8 *p, u32 flags)
{
	u32 hdr[3] = { MULTIBOOT_MAGIC, flags, -(MULTIBOOT_MAGIC + flags) };

	memcpy(p, hdr, sizeof(hdr));
}

struct multiboot_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	u32 syms[4], mmap_length, mmap_addr, drives[2], config, loader;
};

/* What every Multiboot kernel finds. */
static void check_multiboot(struct machine *m, u64 from, u64 to)
{
	struct x86 *x86 = vm_x86(&m->vm);
	struct multiboot_info info;
	struct {
		u32 start, end, string, reserved;
	} module;
	struct {
		u32 size;
		u64 addr, len;
		u32 type;
	} __attribute__((packed)) map;
	u64 ram = 0;
	char text[64];
	u32 off;

	CHECK_EQ(x86->mode, X86_PROTECTED);
	CHECK_EQ(x86->rax, 0x2badb002);
	CHECK(x86->rbx + 4096 <= from || x86->rbx >= to);
	CHECK(x86->gdt + 64 <= from || x86->gdt >= to);
	peek(m, x86->rbx, &info, sizeof(info));
	CHECK_EQ(info.flags, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	CHECK_EQ(info.mem_lower, 640);
	CHECK_EQ(info.mem_upper, (m->cfg.mem - 1 * MIB) / KIB);
	peek(m, info.cmdline, text, sizeof(text));
	CHECK(!strncmp(text, m->path, strlen(m->path)));
	CHECK_STR(text + strlen(m->path), " console=ttyS0 quiet");
	peek(m, info.loader, text, 5);
	CHECK_STR(text, "lkvm");
	CHECK_EQ(info.mods_count, 1);
	peek(m, info.mods_addr, &module, sizeof(module));
	CHECK_EQ(module.start % 4096, 0);
	CHECK_EQ(module.end - module.start, 9);
	CHECK(module.start >= to);
	peek(m, module.start, text, 9);
	CHECK_STR(text, "a module");
	peek(m, module.string, text, 1);
	CHECK_STR(text, "");
	for (off = 0; off < info.mmap_length; off += map.size + 4) {
		peek(m, info.mmap_addr + off, &map, sizeof(map));
		CHECK_EQ(map.size, 20);
		if (map.type == 1)
			ram += map.len;
	}
	CHECK_EQ(off, info.mmap_length);
	CHECK_EQ(ram, m->cfg.mem - 0x60000);
}

static struct machine *multiboot_new(const void *file, size_t len)
{
	struct machine *m = machine_new(file, len, 64 * MIB);

	m->cfg.initrd = "a module";
	m->cfg.initrd_len = 9;
	CHECK_EQ(machine_load(m), 0);
	CHECK_STR(m->said, "");
	return m;
}

TEST(multiboot_elf_of_32_bits)
{
	struct kernel_info info;
	struct machine *m;
	struct elf32 e;

	elf32_init(&e);
	multiboot_header(e.bytes + ELF_CODE, 3);
	m = multiboot_new(&e, sizeof(e));
	CHECK_EQ(vm_x86(&m->vm)->entry, ELF_PADDR + 0x10);
	check_multiboot(m, ELF_PADDR, 24 * MIB);
	CHECK_EQ(arch_probe(m->path, &info), 0);
	CHECK_STR(info.format, "Multiboot ELF");
	CHECK(!info.is_linux);
	machine_free(m);

	/* The entry point of a kernel that maps itself high */
	e.eh.e_entry = 0xc1000020;
	m = multiboot_new(&e, sizeof(e));
	CHECK_EQ(vm_x86(&m->vm)->entry, ELF_PADDR + 0x20);
	machine_free(m);

	e.eh.e_entry = 0xc2000020;
	load_refused(&e, sizeof(e), 64 * MIB, "in no segment");
}

/* A unikernel is linked as programs are; its header says that it is a kernel. */
TEST(kernel_with_an_interpreter_is_one_by_its_header)
{
	struct kernel_info info;
	struct machine *m;
	struct elf32 e;
	struct elf pvh;

	elf32_init(&e);
	multiboot_header(e.bytes + ELF_CODE, 3);
	e.ph[1].p_type = PT_INTERP;
	m = multiboot_new(&e, sizeof(e));
	CHECK_EQ(vm_x86(&m->vm)->entry, ELF_PADDR + 0x10);
	CHECK_EQ(arch_probe(m->path, &info), 0);
	CHECK_STR(info.format, "Multiboot ELF");
	machine_free(m);

	elf_init(&pvh, true);
	elf_is_not_linux(&pvh);
	pvh.ph[1].p_type = PT_INTERP;
	m = machine_new(&pvh, sizeof(pvh), 64 * MIB);
	CHECK_EQ(machine_load(m), 0);
	CHECK_STR(m->said, "");
	CHECK_EQ(vm_x86(&m->vm)->entry, ELF_PADDR + 0x80);
	machine_free(m);
}

TEST(multiboot_elf_of_64_bits_is_entered_in_32_bits)
{
	struct machine *m;
	struct elf e;

	elf_init(&e, false);
	multiboot_header(e.bytes + ELF_CODE + 64, 0);
	m = multiboot_new(&e, sizeof(e));
	CHECK_EQ(vm_x86(&m->vm)->entry, ELF_PADDR + 0x10);
	check_multiboot(m, ELF_PADDR, 24 * MIB);
	machine_free(m);

	/* Who has both is entered by PVH. */
	elf_init(&e, true);
	elf_is_not_linux(&e);
	multiboot_header(e.bytes + ELF_CODE + 64, 0);
	m = multiboot_new(&e, sizeof(e));
	CHECK_EQ(vm_x86(&m->vm)->rax, 0);
	CHECK_EQ(vm_x86(&m->vm)->entry, ELF_PADDR + 0x80);
	machine_free(m);
}

/* In the RAM below 640 KiB: what the kernel is given is elsewhere. */
TEST(multiboot_kernel_may_lie_low)
{
	static const u32 low[][2] = { { 0x4000, 0x10000 }, { 0x1000, 0x9f000 }, { 0x90000, 0x10000 } };
	struct machine *m;
	unsigned int i;
	struct elf32 e;

	for (i = 0; i < ARRAY_SIZE(low); i++) {
		elf32_init(&e);
		multiboot_header(e.bytes + ELF_CODE, 0);
		e.ph[0].p_paddr = low[i][0];
		e.ph[0].p_memsz = low[i][1];
		e.eh.e_entry = low[i][0];
		e.eh.e_phnum = 1;
		m = multiboot_new(&e, sizeof(e));
		CHECK_EQ(vm_x86(&m->vm)->entry, low[i][0]);
		check_multiboot(m, low[i][0], low[i][0] + low[i][1]);
		machine_free(m);
		e.ph[0].p_memsz = 0xa0001 - low[i][0];
		load_refused(&e, sizeof(e), 64 * MIB, "not between 640 KiB and 1 MiB");
	}
	e.ph[0].p_paddr = e.eh.e_entry = 0x800;
	load_refused(&e, sizeof(e), 64 * MIB, "kernels of this kind lie from 0x1000 on");
}

struct plain {
	u8 bytes[0x3000];
};

#define PLAIN_HEADER	0x40
#define PLAIN_ADDR	(2 * MIB)

/* header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr */
static u32 *plain_init(struct plain *p)
{
	u32 *addr = (u32 *)(p->bytes + PLAIN_HEADER + 12);
	unsigned int i;

	for (i = 0; i < sizeof(*p); i++)
		p->bytes[i] = i * 5 + (i >> 8);
	multiboot_header(p->bytes + PLAIN_HEADER, 1 << 16);
	addr[0] = PLAIN_ADDR + 0x30;		/* 0x10 bytes of the file are not loaded */
	addr[1] = PLAIN_ADDR;
	addr[2] = PLAIN_ADDR + 0x2000;
	addr[3] = PLAIN_ADDR + 0x10000;
	addr[4] = PLAIN_ADDR + 0x100;
	return addr;
}

TEST(multiboot_plain_image_is_where_its_header_says)
{
	struct kernel_info info;
	static u8 loaded[0x2004];
	struct machine *m;
	struct plain p;
	u32 *addr;

	addr = plain_init(&p);
	m = multiboot_new(&p, sizeof(p));
	CHECK_EQ(vm_x86(&m->vm)->entry, PLAIN_ADDR + 0x100);
	check_multiboot(m, PLAIN_ADDR, PLAIN_ADDR + 0x10000);
	peek(m, PLAIN_ADDR, loaded, sizeof(loaded));
	CHECK_MEM(loaded, p.bytes + 0x10, 0x2000);
	CHECK_EQ(loaded[0x2000], 0);
	CHECK_EQ(arch_probe(m->path, &info), 0);
	CHECK_STR(info.format, "Multiboot");
	machine_free(m);

	/* Ends that are zero: all of the file, and nothing behind it. */
	addr[2] = addr[3] = 0;
	m = multiboot_new(&p, sizeof(p));
	peek(m, PLAIN_ADDR, loaded, sizeof(loaded));
	CHECK_MEM(loaded, p.bytes + 0x10, 0x2004);
	machine_free(m);
}

TEST(unfit_multiboot_images_are_refused_with_the_reason)
{
	struct plain p;
	u32 *addr;

#define REFUSED(n, val, why)				\
	do {						\
		addr = plain_init(&p);			\
		addr[n] = (val);			\
		load_refused(&p, sizeof(p), 64 * MIB, why);	\
	} while (0)
	REFUSED(0, PLAIN_ADDR - 4, "the image from 0x200000 on");
	REFUSED(0, PLAIN_ADDR + 0x44, "the Multiboot header is at 0x200044");
	REFUSED(1, PLAIN_ADDR - 0x20000, "damaged");
	REFUSED(2, PLAIN_ADDR - 4, "before its beginning");
	REFUSED(2, PLAIN_ADDR + 0x2ff4, "truncated");
	REFUSED(3, PLAIN_ADDR + 0x1000, "before its data");
	REFUSED(3, 0xfffff000, "beyond the 3072 MiB");
	REFUSED(3, 80 * MIB, "needs at least 80 MiB of RAM");
	REFUSED(4, PLAIN_ADDR + 0x10000, "in no segment");
#undef REFUSED
	plain_init(&p);
	multiboot_header(p.bytes + PLAIN_HEADER, 0);
	load_refused(&p, sizeof(p), 64 * MIB, "no load address");
	multiboot_header(p.bytes + PLAIN_HEADER, 1 << 16 | 1 << 2);
	load_refused(&p, sizeof(p), 64 * MIB, "no display");
	multiboot_header(p.bytes + PLAIN_HEADER, 1 << 16 | 1 << 5);
	load_refused(&p, sizeof(p), 64 * MIB, "what is not known");
	p.bytes[PLAIN_HEADER + 8]++;
	load_refused(&p, sizeof(p), 64 * MIB, "not a kernel");
}

TEST(raw_binary_starts_in_real_mode)
{
	static const struct {
		u64 addr;
		const char *why;
	} no[] = {
		{ 0x9f000, "0x9f000 reach beyond 0xa0000" },
		{ 0xa0000, "0xa0000 reach" },
		{ 1 * MIB, "0x100000 reach" },
		{ ~0ULL, "reach beyond" },
	};
	static u8 file[0x1001], loaded[0x1001];
	struct machine *m;
	unsigned int i;

	for (i = 0; i < sizeof(file); i++)
		file[i] = i * 3 + (i >> 8);
	m = machine_new(file, sizeof(file), 16 * MIB);
	m->cfg.flat = true;
	m->cfg.flat_addr = 0x7c00;
	CHECK_EQ(machine_load(m), 0);
	CHECK_EQ(vm_x86(&m->vm)->mode, X86_REAL);
	CHECK_EQ(vm_x86(&m->vm)->entry, 0x7c00);
	peek(m, 0x7c00, loaded, sizeof(loaded));
	CHECK_MEM(loaded, file, sizeof(file));
	machine_free(m);
	for (i = 0; i < ARRAY_SIZE(no); i++) {
		m = machine_new(file, sizeof(file), 16 * MIB);
		m->cfg.flat = true;
		m->cfg.flat_addr = no[i].addr;
		machine_refuses(m, no[i].why);
	}
	m = machine_new("", 0, 16 * MIB);
	m->cfg.flat = true;
	machine_refuses(m, "the file is empty");
}

TEST(unfit_elf_files_are_refused_with_the_reason)
{
	struct elf e;

#define REFUSED(field, val, why)			\
	do {						\
		elf_init(&e, true);			\
		e.field = (val);			\
		load_refused(&e, sizeof(e), 64 * MIB, why);	\
	} while (0)
	REFUSED(eh.e_machine, EM_AARCH64, "for arm64; this machine is x86_64");
	REFUSED(eh.e_machine, 12345, "machine 12345");
	REFUSED(eh.e_ident[EI_DATA], ELFDATA2MSB, "big-endian");
	REFUSED(eh.e_type, ET_REL, "object file");
	REFUSED(eh.e_type, ET_CORE, "core dump");
	REFUSED(eh.e_phnum, 0, "0 program headers");
	REFUSED(eh.e_phnum, 65535, "65535 program headers");
	REFUSED(eh.e_phentsize, 32, "of 32 bytes");
	REFUSED(eh.e_phoff, ELF_SIZE - 100, "the program headers are missing");
	REFUSED(eh.e_phoff, ~0ULL, "the program headers are missing");
	REFUSED(ph[0].p_offset, ~0ULL, "truncated");
	REFUSED(ph[0].p_filesz, 0x10000, "truncated");
	REFUSED(ph[0].p_memsz, 0x800, "larger in the file than in memory");
	REFUSED(ph[0].p_paddr, 0x8000, "kernels of this kind lie from 0x100000 on");
	REFUSED(eh.e_ident[EI_CLASS], ELFCLASS32, "pointers of another size");
	REFUSED(eh.e_machine, EM_386, "pointers of another size");
	REFUSED(ph[0].p_paddr, -4096ULL, "beyond all addresses");
	REFUSED(ph[0].p_paddr, 63 * MIB + 0x800, "in no segment");
	REFUSED(ph[1].p_memsz, 45 * MIB, "needs at least 65 MiB of RAM");
	REFUSED(ph[2].p_type, PT_INTERP, "a program for user space");
#undef REFUSED
	elf_init(&e, true);
	e.ph[0].p_type = e.ph[1].p_type = PT_NULL;
	load_refused(&e, sizeof(e), 64 * MIB, "without anything to load");
	elf_init(&e, true);
	elf_note(e.bytes + ELF_NOTES, "GNU", 1, "\0\0\0\0\3\0\0\0\2\0\0", 12);
	e.ph[2].p_filesz = 28;
	load_refused(&e, sizeof(e), 64 * MIB, "a program for user space");
	elf_init(&e, true);
	load_refused(&e, ELF_NOTES + 10, 64 * MIB, "truncated");
}

TEST(lkvm_itself_is_not_a_kernel)
{
	struct machine *m = machine_new("", 0, 64 * MIB);

	m->cfg.kernel = "/proc/self/exe";
	machine_refuses(m, "a program for user space");
}

TEST(probe_tells_linux_from_other_programs)
{
	struct setup_header *hdr;
	struct kernel_info info;
	struct machine *m;
	struct bzimage b;
	struct elf e;

	elf_init(&e, true);
	m = machine_new(&e, sizeof(e), 64 * MIB);
	CHECK_EQ(arch_probe(m->path, &info), 0);
	CHECK(info.is_linux);
	CHECK_STR(info.format, "ELF with PVH entry");
	machine_free(m);

	elf_is_not_linux(&e);
	m = machine_new(&e, sizeof(e), 64 * MIB);
	CHECK_EQ(arch_probe(m->path, &info), 0);
	CHECK(!info.is_linux);
	machine_free(m);

	hdr = bzimage_init(&b);
	m = machine_new(&b, sizeof(b), 64 * MIB);
	CHECK_EQ(arch_probe(m->path, &info), 0);
	CHECK(info.is_linux);
	CHECK(!info.is_pc);
	CHECK(!info.is_narrow);
	CHECK_STR(info.format, "bzImage");
	machine_free(m);

	hdr->xloadflags = 0;
	m = machine_new(&b, sizeof(b), 64 * MIB);
	CHECK_EQ(arch_probe(m->path, &info), 0);
	CHECK(info.is_narrow);
	machine_free(m);

	strcpy((char *)b.bytes + 0x300, "Memtest86+ v6.10");
	m = machine_new(&b, sizeof(b), 64 * MIB);
	CHECK_EQ(arch_probe(m->path, &info), 0);
	CHECK(!info.is_linux);
	CHECK(info.is_pc);		/* it waits for a PIT */
	machine_free(m);
}

/* Whatever the headers say, loading ends, with a kernel or with one line. */
static void scramble(const void *file, size_t len, size_t from, size_t to)
{
	u8 *copy = malloc(len);
	unsigned int round, i;

	CHECK(copy);
	srandom(1);
	for (round = 0; round < 500; round++) {
		struct machine *m;
		int ret;

		memcpy(copy, file, len);
		for (i = 0; i < 1 + round % 8; i++) {
			static const u8 nasty[] = { 0, 1, 0x7f, 0x80, 0xff };
			size_t pos = from + random() % (to - from);

			copy[pos] = random() % 2 ? nasty[random() % sizeof(nasty)] : random();
		}
		m = machine_new(copy, random() % 8 ? len : random() % len, 64 * MIB);
		m->cfg.initrd = "initrd";
		m->cfg.initrd_len = 6;
		ret = machine_load(m);
		CHECK((ret < 0) == (m->said[0] != '\0'));
		machine_free(m);
	}
	free(copy);
}

TEST(scrambled_bzimage_headers_do_no_harm)
{
	struct bzimage b;

	bzimage_init(&b);
	scramble(&b, sizeof(b), 0x1f1, 0x1f1 + sizeof(struct setup_header));
}

TEST(scrambled_elf_headers_do_no_harm)
{
	struct elf e;

	elf_init(&e, true);
	scramble(&e, sizeof(e), 4, offsetof(struct elf, ph) + sizeof(e.ph));
	scramble(&e, sizeof(e), ELF_NOTES, ELF_NOTES + 0x60);
}

TEST(scrambled_multiboot_headers_do_no_harm)
{
	struct plain p;
	struct elf32 e;

	plain_init(&p);
	scramble(&p, sizeof(p), PLAIN_HEADER + 12, PLAIN_HEADER + 32);
	elf32_init(&e);
	multiboot_header(e.bytes + ELF_CODE, 3);
	scramble(&e, sizeof(e), 4, offsetof(struct elf32, ph) + sizeof(e.ph));
}
