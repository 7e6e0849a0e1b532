// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables of the board (ACPI 6.4, 5.2): RSDP, XSDT, FADT, MADT, MCFG,
 * WAET, with nodes SRAT and SLIT, for the console SPCR and DBG2, and the DSDT,
 * all within the reserved range that layout.h has for them. The machine is
 * hardware-reduced (4.1): no PM timer, no fixed events, no SMI, so the guest makes no
 * exits to probe or serve them. A machine with fixed hardware (hw/chips/acpi_pm.c) also
 * has a FACS and S3. There is no HPET and no screen, so there are no tables for them.
 * Runs while the machine is built, on the main thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/kernel.h>
#include <kvm/acpi.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/log.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

/* FADT, table 5.10: flags */
#define FADT_WBINVD		(1u << 0)
#define FADT_PROC_C1		(1u << 2)
#define FADT_NO_POWER_BUTTON	(1u << 4)	/* as a fixed feature */
#define FADT_NO_SLEEP_BUTTON	(1u << 5)
#define FADT_TIMER_32		(1u << 8)
#define FADT_RESET_REG		(1u << 10)
#define FADT_HEADLESS		(1u << 12)
#define FADT_HW_REDUCED		(1u << 20)

#define FADT_NO_C2		0xffff		/* latencies that say so */
#define FADT_NO_C3		0xffff

/* FADT, table 5.11: IA-PC boot architecture */
#define IAPC_LEGACY_DEVICES	(1u << 0)
#define IAPC_NO_VGA		(1u << 2)
#define IAPC_NO_CMOS_RTC	(1u << 5)

#define RTC_CENTURY		0x32		/* the RTC's register for it */

#define FACS_LEN		64
#define FACS_WAKING_VECTOR	12		/* offset */

#define MADT_PCAT_COMPAT	(1u << 0)
#define MADT_LAPIC_ENABLED	(1u << 0)
#define MADT_LEVEL_HIGH		(3u << 2 | 1u)
#define MADT_ALL_CPUS		0xff
#define MADT_ALL_X2CPUS		0xffffffff

#define SRAT_ENABLED		(1u << 0)

/* Windows ACPI Emulated Devices Table, version 1.0 */
#define WAET_PM_TIMER_GOOD	(1u << 1)

/* An I/O port of one byte. */
static void acpi_port(struct acpi *a, u16 port)
{
	acpi_address(a, &(struct resource) { RES_PIO, port, 1 });
}

/* The sleep type (7.4.2) for both of its registers. */
static void acpi_sleep_state(struct acpi *a, const char *name, u8 type)
{
	aml_name(a, name);
	aml_package(a, 4);
	aml_int(a, type);
	aml_int(a, 0);
	aml_int(a, 0);
	aml_int(a, 0);
	aml_end(a);
}

static u64 acpi_dsdt(struct acpi *a, const struct vm *vm)
{
	size_t table = acpi_table_begin(a, "DSDT", 2);

	if (vm->acpi_pm)
		acpi_sleep_state(a, "\\_S3", ACPI_SLEEP_S3);
	acpi_sleep_state(a, "\\_S5", ACPI_SLEEP_S5);
	aml_scope(a, "\\_SB");
	acpi_pci_host(a, vm);
	acpi_devices(a, vm);
	acpi_processors(a, vm->cfg->cpus);
	aml_end(a);
	acpi_table_end(a, table);
	return LAYOUT_ACPI + table;
}

/* The fixed hardware as the FADT has it from offset 44 to 107, by 32-bit addresses. */
static void acpi_fadt_fixed(struct acpi *a, const struct device *pm)
{
	u32 base = device_resource(pm, RES_PIO);

	acpi_u16(a, 0);							/* 44 */
	acpi_u16(a, device_resource(pm, RES_IRQ_LEVEL));		/* 46 SCI */
	acpi_zero(a, 56 - 48);						/* 48 no SMI */
	acpi_u32(a, base);						/* 56 PM1a events */
	acpi_u32(a, 0);
	acpi_u32(a, base + 4);						/* 64 PM1a control */
	acpi_zero(a, 76 - 68);
	acpi_u32(a, base + 8);						/* 76 timer */
	acpi_zero(a, 88 - 80);						/* 80 no GPEs */
	acpi_u8(a, 4);							/* 88 lengths */
	acpi_u8(a, 2);
	acpi_u8(a, 0);
	acpi_u8(a, 4);
	acpi_zero(a, 96 - 92);
	acpi_u16(a, FADT_NO_C2);					/* 96 */
	acpi_u16(a, FADT_NO_C3);					/* 98 */
	acpi_zero(a, 108 - 100);
}

static u64 acpi_fadt(struct acpi *a, const struct vm *vm, u64 dsdt)
{
	size_t table = acpi_table_begin(a, "FACP", 6);
	const struct device *pm = device_find(vm, "acpi-pm");
	u32 flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON | FADT_RESET_REG | FADT_HEADLESS;
	u16 arch = IAPC_LEGACY_DEVICES | IAPC_NO_VGA;

	/* Bit 1, 8042, is not said: there is no keyboard at it, and Linux would look for one. */
	if (!device_find(vm, "rtc"))
		arch |= IAPC_NO_CMOS_RTC;

	/* Offsets in the table are at the right; what is zero does not exist on this hardware. */
	acpi_u32(a, pm ? LAYOUT_FACS : 0);				/* 36 FACS */
	acpi_u32(a, dsdt);						/* 40 */
	if (pm)
		acpi_fadt_fixed(a, pm);
	else
		acpi_zero(a, 108 - 44);
	acpi_u8(a, arch & IAPC_NO_CMOS_RTC ? 0 : RTC_CENTURY);		/* 108 */
	acpi_u16(a, arch);						/* 109 */
	acpi_u8(a, 0);							/* 111 */
	acpi_u32(a, flags | (pm ? FADT_TIMER_32 : FADT_NO_POWER_BUTTON | FADT_HW_REDUCED));	/* 112 */
	acpi_port(a, PORT_RESET);					/* 116 */
	acpi_u8(a, ACPI_RESET_VALUE);					/* 128 */
	acpi_u16(a, 0);							/* 129 arm */
	acpi_u8(a, 4);							/* 131 minor version */
	acpi_u64(a, 0);							/* 132 FACS beyond 4 GiB */
	acpi_u64(a, dsdt);						/* 140 */
	acpi_zero(a, 244 - 148);					/* 148 fixed hardware */
	acpi_port(a, PORT_SLEEP_CONTROL);				/* 244 */
	acpi_port(a, PORT_SLEEP_STATUS);				/* 256 */
	acpi_bytes(a, "LKVM\0\0\0\0", 8);				/* 268 hypervisor */
	acpi_table_end(a, table);
	return LAYOUT_ACPI + table;
}

/* 5.2.12.2, and 5.2.12.12 for what has an ID beyond that. */
static void acpi_madt_cpu(struct acpi *a, u32 uid, u32 id)
{
	if (id < LAYOUT_XAPIC_IDS) {
		acpi_u8(a, 0);			/* processor's local APIC */
		acpi_u8(a, 8);
		acpi_u8(a, uid);
		acpi_u8(a, id);
		acpi_u32(a, MADT_LAPIC_ENABLED);
		return;
	}
	acpi_u8(a, 9);				/* its local x2APIC */
	acpi_u8(a, 16);
	acpi_u16(a, 0);
	acpi_u32(a, id);
	acpi_u32(a, MADT_LAPIC_ENABLED);
	acpi_u32(a, uid);
}

/* 5.2.12. ISA interrupts go where they are expected: the SCI is the only one that is no edge. */
static u64 acpi_madt(struct acpi *a, const struct vm *vm)
{
	size_t table = acpi_table_begin(a, "APIC", 5);
	const struct device *pm = device_find(vm, "acpi-pm");
	bool extended = vm_x86(vm)->extended;
	unsigned int i;

	acpi_u32(a, LAYOUT_LAPIC);
	acpi_u32(a, vm_x86(vm)->ioapic ? 0 : MADT_PCAT_COMPAT);
	for (i = 0; i < vm->cfg->cpus; i++)
		acpi_madt_cpu(a, i, arch_vcpu_id(vm, i));
	acpi_u8(a, 1);				/* I/O APIC */
	acpi_u8(a, 12);
	acpi_u8(a, 0);				/* its ID */
	acpi_u8(a, 0);
	acpi_u32(a, LAYOUT_IOAPIC);
	acpi_u32(a, vm_x86(vm)->ioapic ? ioapic_first_gsi(vm) : 0);
	if (pm) {
		u32 sci = device_resource(pm, RES_IRQ_LEVEL);

		acpi_u8(a, 2);			/* 5.2.12.5: interrupt source override */
		acpi_u8(a, 10);
		acpi_u8(a, 0);			/* ISA */
		acpi_u8(a, sci);
		acpi_u32(a, sci);
		acpi_u16(a, MADT_LEVEL_HIGH);
	}
	acpi_u8(a, 4);				/* NMI on LINT1 */
	acpi_u8(a, 6);
	acpi_u8(a, MADT_ALL_CPUS);
	acpi_u16(a, 0);
	acpi_u8(a, 1);
	if (extended) {
		acpi_u8(a, 10);			/* the same for x2APICs */
		acpi_u8(a, 12);
		acpi_u16(a, 0);
		acpi_u32(a, MADT_ALL_X2CPUS);
		acpi_u8(a, 1);
		acpi_zero(a, 3);
	}
	acpi_table_end(a, table);
	return LAYOUT_ACPI + table;
}

static void acpi_srat_cpu(struct acpi *a, u32 node, u32 id)
{
	if (id >= LAYOUT_XAPIC_IDS) {
		acpi_u8(a, 2);		/* 5.2.16.3: its local x2APIC */
		acpi_u8(a, 24);
		acpi_u16(a, 0);
		acpi_u32(a, node);
		acpi_u32(a, id);
		acpi_u32(a, SRAT_ENABLED);
		acpi_u32(a, 0);		/* clock domain */
		acpi_u32(a, 0);
		return;
	}
	acpi_u8(a, 0);			/* 5.2.16.1: processor's local APIC */
	acpi_u8(a, 16);
	acpi_u8(a, node);
	acpi_u8(a, id);
	acpi_u32(a, SRAT_ENABLED);
	acpi_u8(a, 0);
	acpi_u8(a, node >> 8);
	acpi_u16(a, node >> 16);
	acpi_u32(a, 0);			/* clock domain */
}

/* 5.2.16: which node CPUs and RAM belong to. */
static u64 acpi_srat(struct acpi *a, const struct vm *vm)
{
	size_t table = acpi_table_begin(a, "SRAT", 3);
	const struct numa *numa = vm->cfg->numa;
	struct board_ram ram[2];
	unsigned int i, j, n;

	acpi_u32(a, 1);
	acpi_u64(a, 0);
	for (i = 0; i < vm->cfg->cpus; i++)
		acpi_srat_cpu(a, numa->cpu[i], arch_vcpu_id(vm, i));
	for (i = 0; i < numa->nr; i++) {
		n = board_node_ram(vm, i, ram);
		for (j = 0; j < n; j++)
			acpi_srat_ram(a, i, ram[j].gpa, ram[j].len);
	}
	acpi_table_end(a, table);
	return LAYOUT_ACPI + table;
}

/*
 * WAET lists hardware without known defects. The guest may read the PM timer once
 * instead of three times. The RTC's interrupt still needs its register C to be read.
 */
static u64 acpi_waet(struct acpi *a)
{
	size_t table = acpi_table_begin(a, "WAET", 1);

	acpi_u32(a, WAET_PM_TIMER_GOOD);
	acpi_table_end(a, table);
	return LAYOUT_ACPI + table;
}

/* 5.2.10: the guest leaves in it where it wants to go on after S3. */
static int acpi_facs(struct vm *vm)
{
	/* Version 0: the vector that has 64 bits is not looked at. */
	static const u8 facs[FACS_LEN] = { 'F', 'A', 'C', 'S', FACS_LEN };

	return mem_write(&vm->mem, LAYOUT_FACS, facs, sizeof(facs));
}

/* The vector is for real mode, which has 20 bits. */
int arch_wake(struct vm *vm)
{
	struct x86 *x86 = vm_x86(vm);
	__le32 vector;
	int ret = mem_read(&vm->mem, LAYOUT_FACS + FACS_WAKING_VECTOR, &vector, sizeof(vector));

	x86->mode = X86_REAL;
	x86->entry = le32toh(vector) & 0xfffff;
	return ret;
}

int arch_firmware(struct vm *vm)
{
	/* Given back whole: what the heap has grown by stays. */
	u8 *buf = mmap(NULL, LAYOUT_ACPI_LEN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct device *serial = device_find(vm, "serial");
	struct acpi a, front;
	unsigned int nr = 0;
	u64 table[8], xsdt;
	int ret;

	if (buf == MAP_FAILED)
		return -ENOMEM;
	acpi_init(&a, buf, LAYOUT_ACPI_LEN);
	acpi_zero(&a, 48);		/* for the RSDP */
	table[nr++] = acpi_fadt(&a, vm, acpi_dsdt(&a, vm));
	table[nr++] = acpi_madt(&a, vm);
	table[nr++] = LAYOUT_ACPI + acpi_mcfg(&a, pci_host_layout(vm));
	if (vm->cfg->numa) {
		table[nr++] = acpi_srat(&a, vm);
		table[nr++] = LAYOUT_ACPI + acpi_slit(&a, vm->cfg->numa);
	}
	table[nr++] = acpi_waet(&a);
	if (serial) {
		table[nr++] = LAYOUT_ACPI + acpi_spcr(&a, serial, SPCR_IOAPIC);
		table[nr++] = LAYOUT_ACPI + acpi_dbg2(&a, serial);
	}
	xsdt = LAYOUT_ACPI + acpi_xsdt(&a, table, nr);
	acpi_init(&front, buf, 48);
	acpi_rsdp(&front, xsdt);
	if (acpi_failed(&a) || acpi_failed(&front)) {
		pr_err("the ACPI tables need more than %llu KiB: too many devices",
		       (unsigned long long)(LAYOUT_ACPI_LEN / KIB));
		ret = -ENOSPC;
	} else {
		ret = mem_write(&vm->mem, LAYOUT_ACPI, buf, a.len);
		if (!ret && vm->acpi_pm)
			ret = acpi_facs(vm);
		if (!ret)
			ret = smbios_write(vm);
		if (!ret)
			ret = bios_write(vm);
		if (!ret && vm_x86(vm)->pc)
			ret = mptable_write(vm);
	}
	munmap(buf, LAYOUT_ACPI_LEN);
	return ret;
}
