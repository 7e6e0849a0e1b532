// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI tables that every architecture has (ACPI 6.4, 5.2, or the specification that a
 * table names): the pointers to the others, the console, and the distances of NUMA
 * nodes. Single-threaded, while the machine is built.
 */
#include <string.h>

#include <linux/kernel.h>
#include <kvm/acpi.h>
#include <kvm/config.h>
#include <kvm/device.h>

#define SRAT_ENABLED		(1u << 0)

/* Serial Port Console Redirection Table, version 1.03 */
#define SPCR_16550		0
#define SPCR_115200		7
#define SPCR_VT_UTF8		2

/* Microsoft Debug Port Table 2, version 1.1 */
#define DBG2_SERIAL		0x8000
#define DBG2_16550		0

void acpi_srat_ram(struct acpi *a, u32 node, u64 gpa, u64 len)
{
	acpi_u8(a, 1);			/* 5.2.16.2: memory */
	acpi_u8(a, 40);
	acpi_u32(a, node);
	acpi_u16(a, 0);
	acpi_u64(a, gpa);
	acpi_u64(a, len);
	acpi_u32(a, 0);
	acpi_u32(a, SRAT_ENABLED);
	acpi_u64(a, 0);
}

/* 5.2.17: how far the nodes are from each other. */
size_t acpi_slit(struct acpi *a, const struct numa *numa)
{
	size_t table = acpi_table_begin(a, "SLIT", 1);
	unsigned int i;

	acpi_u64(a, numa->nr);
	for (i = 0; i < numa->nr; i++)
		acpi_bytes(a, numa->distance[i], numa->nr);
	acpi_table_end(a, table);
	return table;
}

/* The serial port that is the console, as firmware would have used it. */
size_t acpi_spcr(struct acpi *a, const struct device *serial, u8 irq)
{
	size_t table = acpi_table_begin(a, "SPCR", 2);

	acpi_u32(a, SPCR_16550);		/* and three reserved bytes */
	acpi_address(a, device_registers(serial));
	acpi_u8(a, irq);
	acpi_u8(a, 0);				/* at the PICs: none */
	acpi_u32(a, device_resource(serial, RES_IRQ));
	acpi_u8(a, SPCR_115200);
	acpi_u8(a, 0);				/* no parity */
	acpi_u8(a, 1);				/* stop bit */
	acpi_u8(a, 0);				/* no flow control */
	acpi_u8(a, SPCR_VT_UTF8);
	acpi_u8(a, 0);
	acpi_u16(a, 0xffff);			/* not on PCI */
	acpi_u16(a, 0xffff);
	acpi_zero(a, 12);
	acpi_table_end(a, table);
	return table;
}

/* The same port for a debugger. Offsets are from the beginning of its entry. */
size_t acpi_dbg2(struct acpi *a, const struct device *serial)
{
	size_t table = acpi_table_begin(a, "DBG2", 0);
	char path[ACPI_PATH_MAX];

	acpi_device_path(serial, path);
	acpi_u32(a, 44);			/* offset of the entries */
	acpi_u32(a, 1);				/* how many */
	acpi_u8(a, 0);				/* revision */
	acpi_u16(a, 38 + strlen(path) + 1);	/* length */
	acpi_u8(a, 1);				/* registers */
	acpi_u16(a, strlen(path) + 1);
	acpi_u16(a, 38);			/* offset of the path, */
	acpi_u32(a, 0);				/* and of OEM data: none */
	acpi_u16(a, DBG2_SERIAL);
	acpi_u16(a, DBG2_16550);
	acpi_u16(a, 0);
	acpi_u16(a, 22);			/* offset of the registers, */
	acpi_u16(a, 34);			/* of their lengths */
	acpi_address(a, device_registers(serial));
	acpi_u32(a, 8);
	acpi_bytes(a, path, strlen(path) + 1);
	acpi_table_end(a, table);
	return table;
}

size_t acpi_xsdt(struct acpi *a, const u64 *tables, unsigned int nr)
{
	size_t table = acpi_table_begin(a, "XSDT", 1);
	unsigned int i;

	for (i = 0; i < nr; i++)
		acpi_u64(a, tables[i]);
	acpi_table_end(a, table);
	return table;
}

/* 5.2.5.3: at the front, where kernels search for it. */
void acpi_rsdp(struct acpi *a, u64 xsdt)
{
	acpi_bytes(a, "RSD PTR ", 8);
	acpi_u8(a, 0);			/* checksum of the first 20 bytes */
	acpi_bytes(a, "LKVM  ", 6);
	acpi_u8(a, 2);
	acpi_u32(a, 0);			/* no RSDT */
	acpi_u32(a, 36);
	acpi_u64(a, xsdt);
	acpi_u32(a, 0);			/* checksum of all, and reserved bytes */
	acpi_checksum(a, 0, 20, 8);
	acpi_checksum(a, 0, 36, 32);
}
