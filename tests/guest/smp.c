// SPDX-License-Identifier: GPL-2.0
/*
 * Processors: all that the MADT names are started by INIT and SIPI, count
 * under contention, know who they are, and get an interrupt each.
 *
 * [two]
 * run=-m 16 -c 2
 * status=1
 * expect="^2 of 2 are up"
 * [eight]
 * run=-m 16 -c 8
 * status=1
 * expect="^8 of 8 are up"
 * timeout=60
 */
#include "guest.h"

#define VECTOR		0x40
#define ROUNDS		50

static volatile u32 up, counter, pinged, seen[8];

static void ping(struct frame *f)
{
	__atomic_fetch_add(&pinged, 1, __ATOMIC_SEQ_CST);
	apic_eoi();
}

static void check_topology(u32 id)
{
	u32 max = cpuid(0, 0).eax;

	CHECK_EQ(cpuid(1, 0).ebx >> 24, id);
	CHECK(cpuid(1, 0).ecx & 1u << 31);		/* hypervisor */
	if (max >= 0xb) {
		CHECK_EQ(cpuid(0xb, 0).edx, id);
		CHECK_EQ(cpuid(0xb, 0).ebx, 1);
		CHECK_EQ(cpuid(0xb, 2).ebx, 0);
	}
}

static void ap(void)
{
	u32 id, i;

	apic_enable();
	id = apic_id();
	CHECK(id < ARRAY_SIZE(seen));
	__atomic_fetch_add(&seen[id], 1, __ATOMIC_SEQ_CST);
	check_topology(id);
	for (i = 0; i < ROUNDS; i++)
		__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
	for (;;)
		irq_wait();
}

int main(void)
{
	const struct acpi_header *madt = acpi_table("APIC");
	const u8 *p = (const u8 *)(madt + 1) + 8, *end = (const u8 *)madt + madt->len;
	u32 cpus = 0, i;

	apic_enable();
	irq_handle(VECTOR, ping);
	guest_ap_fn = ap;
	for (; p < end; p += p[1]) {
		if (p[0] != 0)
			continue;
		cpus++;
		if (p[3] == apic_id()) {
			check_topology(p[3]);
			continue;
		}
		guest_ap_start(p[3]);
		while (up + 1 < cpus)
			cpu_relax();
	}
	print("%u of %u are up\n", up + 1, cpus);
	CHECK_EQ(counter, (cpus - 1) * ROUNDS);
	for (i = 1; i < cpus; i++)
		CHECK_EQ(seen[i], 1);

	/* To all but oneself */
	apic_ipi(0, 0xc4000 | VECTOR);
	while (pinged + 1 < cpus)
		cpu_relax();
	return 0;
}
