/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The address map of the machine. All addresses and port numbers are chosen here.
 * The kernel's memory map, the ACPI tables and the devices' suboptions are derived
 * from them.
 *
 * Guest-physical memory
 *
 *	0x0_0000_0000  +-----------------------------+
 *	               | RAM: boot data, see below   |
 *	0x0_000a_0000  +-----------------------------+
 *	               | nothing (a PC's video RAM)  |
 *	0x0_000e_0000  +-----------------------------+
 *	               | ACPI tables, VM generation, |  reserved
 *	               | MP table, SMBIOS, reset     |
 *	0x0_0010_0000  +-----------------------------+
 *	               | RAM: kernel ... initrd      |
 *	   end of RAM, at most
 *	0x0_c000_0000  +-----------------------------+
 *	               | PCI BARs, 32 bits           |
 *	0x0_e000_0000  +-----------------------------+
 *	               | PCI ECAM, bus 0             |  reserved
 *	0x0_e010_0000  +-----------------------------+
 *	               | nothing                     |
 *	0x0_fec0_0000  | I/O APIC                    |
 *	0x0_fee0_0000  | local APICs                 |
 *	0x0_fffb_c000  | pages that KVM needs        |  reserved
 *	0x1_0000_0000  +-----------------------------+
 *	               | RAM beyond 3 GiB            |
 *	   end of RAM, or 4 GiB, rounded up to 1 GiB
 *	               +-----------------------------+
 *	               | PCI BARs, 64 bits           |
 *	   + 512 GiB, or the end of what the CPU can address
 *	               +-----------------------------+
 *
 * Both halves of RAM are one memory slot each; the hole below 1 MiB is only a
 * hole in the map that the guest is given.
 */
#ifndef X86_LAYOUT_H
#define X86_LAYOUT_H

#include <kvm/types.h>

#define LAYOUT_BDA		0x400ULL	/* what a PC's BIOS says of the machine */
#define LAYOUT_BDA_LEN		0x100ULL
#define LAYOUT_LOW_END		0xa0000ULL	/* of the RAM below 1 MiB */
#define LAYOUT_FIRMWARE		0xe0000ULL
#define LAYOUT_FIRMWARE_LEN	0x20000ULL
#define LAYOUT_ACPI		LAYOUT_FIRMWARE	/* where a PC's firmware keeps the RSDP */
#define LAYOUT_ACPI_LEN		0x1b000ULL
#define LAYOUT_MP		0xfb000ULL	/* in the last 64 KiB, where it is looked for */
#define LAYOUT_MP_LEN		0x2000ULL
#define LAYOUT_VMGENID		0xfe000ULL	/* 16 bytes */
#define LAYOUT_SMBIOS		0xfd000ULL	/* in the last 64 KiB, where it is looked for */
#define LAYOUT_FACS		0xff000ULL	/* the guest writes to it */
#define LAYOUT_RESET		0xffff0ULL	/* where an x86 starts, below 1 MiB */
#define LAYOUT_KERNEL		0x100000ULL	/* lowest address of a kernel */

#define LAYOUT_HOLE		0xc0000000ULL	/* RAM ends here ... */
#define LAYOUT_MEM32		LAYOUT_HOLE
#define LAYOUT_MEM32_LEN	(512 * MIB)
#define LAYOUT_ECAM		0xe0000000ULL
#define LAYOUT_ECAM_LEN		(1 * MIB)	/* one bus */
#define LAYOUT_IOAPIC		0xfec00000ULL
#define LAYOUT_IOAPIC_LEN	0x1000ULL
#define LAYOUT_LAPIC		0xfee00000ULL
#define LAYOUT_KVM		0xfffbc000ULL	/* identity map (1 page), then TSS (3 pages) */
#define LAYOUT_KVM_TSS		(LAYOUT_KVM + 0x1000)
#define LAYOUT_KVM_LEN		0x4000ULL
#define LAYOUT_HIGH		0x100000000ULL	/* ... and goes on here */

#define LAYOUT_MEM64_ALIGN	(1 * GIB)
#define LAYOUT_MEM64_MAX	(512 * GIB)

/* Boot data in the RAM below 640 KiB: the guest's to overwrite once it runs. */
#define BOOT_GDT		0x6000ULL
#define BOOT_INFO		0x7000ULL	/* zero page, or PVH start info */
#define BOOT_PAGE_TABLE		0x9000ULL	/* 6 pages */
#define BOOT_CMDLINE		0x20000ULL
#define BOOT_CMDLINE_MAX	0x10000ULL	/* with its NUL */

#define LAYOUT_XAPIC_IDS	255		/* 0..254 without x2APIC, as 255 is everybody */

/* I/O ports */
#define PORT_I8042		0x60		/* and 0x64 */
#define PORT_RTC		0x70
#define PORT_DEBUG_EXIT		0xf4
#define PORT_FW_CFG		0x510		/* 12 bytes */
#define PORT_PVPANIC		0x505
#define PORT_SERIAL		0x3f8
#define PORT_SERIAL1		0x2f8
#define PORT_SERIAL2		0x3e8
#define PORT_SERIAL3		0x2e8
#define PORT_RESET		0x600
#define PORT_SLEEP_CONTROL	0x601
#define PORT_SLEEP_STATUS	0x602
#define PORT_EVENTS		0x604		/* 4 bytes */
#define PORT_ACPI_PM		0x608		/* 12 bytes */
#define PORT_HOTPLUG		0x620		/* 8 bytes */
#define PORT_PCI		0xcf8		/* 8 bytes */
#define PORT_DEBUGCON		0x402
/* Registers for programs that test KVM, at the addresses of kvm-unit-tests (lib/x86/) */
#define PORT_TEST_DATA		0xe0
#define PORT_TEST_FLUSH		0xe4
#define PORT_TEST_LINES		0x2000
#define LAYOUT_TEST		0xff000000ULL

/* Inputs of the I/O APIC */
#define GSI_KEYBOARD		1
#define GSI_CASCADE		2		/* of the PICs; nothing comes in there */
#define GSI_SERIAL		4
#define GSI_SERIAL1		3
#define GSI_SERIAL2		5		/* of its own: a PC has 4 and 3 again, which are edges */
#define GSI_SERIAL3		7
#define GSI_RTC			8
#define GSI_SCI			9		/* if there is fixed hardware */
#define GSI_NOBODY		11		/* pc-testdev's to raise, unmasked at the PIC */
#define GSI_MOUSE		12
#define GSI_PCI			16		/* INTA..INTD */
#define GSI_EVENTS		20
/* The same where PICs have to take them */
#define GSI_PC_PCI_AC		10
#define GSI_PC_PCI_BD		15
#define GSI_PC_EVENTS		14

#endif
