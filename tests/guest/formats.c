// SPDX-License-Identifier: GPL-2.0
/*
 * Kernels that are neither Linux nor PVH: this one without its note is
 * Multiboot, and looks at what it was given; raw binaries say where they are.
 *
 * [multiboot]
 * cmd=LC_ALL=C sed 's/Xen\x0/Yen\x0/' "$GUEST" >mb; printf 'a module' >mod; printf 'and another' >mod2; $LKVM run -m 16 -k mb -i mod -i mod2 --tty 1,null -p 'some words'
 * status=1
 * expect="^cmdline: mb some words$"
 * expect="^module: a module$"
 * expect="^module: and another$"
 * expect="^RAM: 15 MiB$"
 * expect="^BIOS: 640 KiB, no more of it, serial lines at 3f8 and 2f8$"
 * [flat]
 * cmd=printf '\214\310\301\350\010\272\364\000\356\364' >cs.bin; $LKVM run -m 16 --flat cs.bin@0x30010
 * status=97
 * [flat_boot_sector]
 * cmd=printf '\350\000\000\130\301\350\010\272\364\000\356\364' >ip.bin; $LKVM run -m 16 --flat ip.bin@0x7c00
 * status=249
 * [flat_needs_an_address]
 * cmd=$LKVM run --flat /dev/null
 * status=125
 * expect-stderr="has to be FILE@ADDRESS"
 * [flat_has_no_parameters]
 * cmd=$LKVM run --flat x@0 -p quiet
 * status=125
 * expect-stderr="cannot be combined with"
 */
#include "guest.h"

struct multiboot_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
};

int main(void)
{
	const struct multiboot_info *info = (void *)(u64)guest_start_info;
	const u32 *module;
	u64 bda = 0x400;
	u32 p;

	CHECK_EQ(guest_boot_magic, 0x2badb002);
	CHECK(info->flags & 1 << 0 && info->flags & 1 << 2 && info->flags & 1 << 3);
	print("cmdline: %s\n", (const char *)(u64)info->cmdline);
	print("RAM: %u MiB\n", info->mem_upper / 1024);
	/* What a PC's BIOS leaves at 0x400: Xen and others go by it. The compiler takes such addresses for mistakes. */
	asm("" : "+r"(bda));
	CHECK_EQ(mmio_read16(bda + 0x10) >> 9 & 7, 2);
	print("BIOS: %u KiB,%s more of it, serial lines at %x and %x\n", mmio_read16(bda + 0x13),
	      mmio_read16(bda + 0xe) ? "" : " no", mmio_read16(bda), mmio_read16(bda + 2));
	CHECK_EQ(info->mods_count, 2);
	for (module = (void *)(u64)info->mods_addr; (u64)module < info->mods_addr + 2 * 16; module += 4) {
		CHECK_EQ(module[0] % 4096, 0);
		print("module: ");
		for (p = module[0]; p < module[1]; p++)
			print("%c", *(const char *)(u64)p);
		print("\n");
	}
	return 0;
}
