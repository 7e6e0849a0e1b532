// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables as a guest finds them: by the pointer that it is given and
 * by searching, with checksums that add up, agreeing with the command line.
 *
 * [one_cpu]
 * run=-m 16 -c 1
 * status=1
 * expect="^cpus 1"
 * [five_cpus]
 * run=-m 16 -c 5
 * status=1
 * expect="^cpus 5"
 * [dump]
 * run=-m 16 -p dump
 * status=1
 * expect="^DSDT 44534454"
 * expect="^DBG2 44424732"
 */
#include "guest.h"

static unsigned int madt_cpus(const struct acpi_header *madt)
{
	const u8 *p = (const u8 *)(madt + 1) + 8, *end = (const u8 *)madt + madt->len;
	unsigned int cpus = 0;

	for (; p < end; p += p[1]) {
		CHECK(p[1] >= 2);
		cpus += p[0] == 0 && p[4] & 1;
	}
	CHECK(p == end);
	return cpus;
}

static bool table_mentions(const struct acpi_header *t, const void *what, u32 len)
{
	u32 i;

	for (i = 0; i + len <= t->len; i++)
		if (!memcmp((const u8 *)t + i, what, len))
			return true;
	return false;
}

/* "DSDT 4453...": tests/boot/book.conf compares it with what Linux has. */
static void table_dump(const struct acpi_header *t)
{
	u32 i;

	print("%c%c%c%c ", t->signature[0], t->signature[1], t->signature[2], t->signature[3]);
	for (i = 0; i < t->len; i++)
		print("%02x", ((const u8 *)t)[i]);
	print("\n");
}

static void dump(void)
{
	const struct acpi_header *xsdt;
	u64 addr;
	u32 i;

	memcpy(&addr, (const u8 *)start_info()->rsdp + 24, 8);
	xsdt = (void *)addr;
	for (i = sizeof(*xsdt); i < xsdt->len; i += 8) {
		memcpy(&addr, (const u8 *)xsdt + i, 8);
		table_dump((void *)addr);
	}
	memcpy(&addr, (const u8 *)acpi_table("FACP") + 140, 8);
	table_dump((void *)addr);
}

int main(void)
{
	static const char *const signature[] = { "FACP", "APIC", "MCFG" };
	const struct acpi_header *t, *dsdt;
	const u8 *rsdp;
	unsigned int i;
	u64 addr;

	if (str_starts(cmdline(), "dump")) {
		dump();
		return 0;
	}
	/* A kernel that is told nothing looks here (ACPI 6.4, 5.2.5.1). */
	for (rsdp = (u8 *)0xe0000; memcmp(rsdp, "RSD PTR ", 8); rsdp += 16)
		CHECK((u64)rsdp < 0x100000);
	CHECK_EQ((u64)rsdp, start_info()->rsdp);
	CHECK_EQ(acpi_sum(rsdp, 20), 0);
	CHECK_EQ(acpi_sum(rsdp, 36), 0);
	CHECK_EQ(rsdp[15], 2);

	for (i = 0; i < ARRAY_SIZE(signature); i++) {
		t = acpi_table(signature[i]);
		CHECK(t);
		CHECK_EQ(acpi_sum(t, t->len), 0);
		print("%s at %lx, %u bytes\n", signature[i], (u64)t, t->len);
	}
	t = acpi_table("FACP");
	memcpy(&addr, (const u8 *)t + 140, 8);
	dsdt = (void *)addr;
	CHECK(!memcmp(dsdt, "DSDT", 4));
	CHECK_EQ(acpi_sum(dsdt, dsdt->len), 0);
	CHECK(table_mentions(dsdt, "PCI0", 4));
	CHECK(table_mentions(dsdt, "_S5_", 4));
	print("cpus %u\n", madt_cpus(acpi_table("APIC")));

	/* The tables lie in memory that the map calls reserved. */
	for (i = 0; i < start_info()->memmap_entries; i++) {
		const struct guest_memmap *m = (struct guest_memmap *)start_info()->memmap + i;

		CHECK(m->type == 2 || m->addr >= addr + dsdt->len || m->addr + m->size <= addr);
	}
	return 0;
}
