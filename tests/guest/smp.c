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
 * [sockets_cores_threads]
 * run=-m 16 -c sockets=2,cores=2,threads=2 -p 22
 * status=1
 * expect="^8 of 8 are up"
 * timeout=60
 * [three_cores_leave_holes]
 * run=-m 16 -c 6,sockets=2 -p 13
 * status=1
 * expect="^6 of 6 are up"
 * expect="^the last one is 6$"
 * timeout=60
 * [impossible_topology]
 * run=-c 6,threads=4
 * status=125
 * expect-stderr="6 vCPUs cannot be 1 sockets of 1 cores of 4 threads"
 * [too_many_apic_ids]
 * run=-c sockets=1365,cores=3
 * status=125
 * expect-stderr="4095 vCPUs are too many|need APIC IDs up to 5458; KVM has them up to"
 * [feature_taken_away]
 * run=-m 16 -c 1 --cpu host,-hypervisor -p -
 * status=1
 * [features_alone]
 * run=-m 16 -c 1 --cpu +cx16,-hypervisor -p -
 * status=1
 * [feature_unknown]
 * run=-m 16 --cpu host,+sse5
 * status=125
 * expect-stderr="no CPU feature .sse5., did you mean"
 * [feature_missing]
 * run=-m 16 --cpu host,
 * status=125
 * expect-stderr="has to be .FEATURE or -FEATURE"
 * [feature_missing_at_the_end]
 * run=-m 16 --cpu +cx16,
 * status=125
 * expect-stderr="has to be .FEATURE or -FEATURE"
 * [model_unknown]
 * run=-m 16 --cpu qemu64
 * status=125
 * expect-stderr="no other model than"
 * [pinned]
 * run=-m 16 -c 1 --pin 0
 * status=1
 * [pinned_too_few]
 * run=-m 16 -c 2 --pin 0
 * status=125
 * expect-stderr="1 of the host's CPUs for 2 vCPUs"
 * [pinned_to_nothing]
 * run=-m 16 -c 1 --pin 65000
 * status=125
 * expect-stderr="the host has no CPU 65000"
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

static unsigned int bits(unsigned int n)
{
	return n > 1 ? 32 - __builtin_clz(n - 1) : 0;
}

/* The command line says how many threads a core has and how many cores a socket. */
static void check_topology(u32 id)
{
	u32 max = cpuid(0, 0).eax, threads, cores;
	const char *s = cmdline();

	CHECK_EQ(cpuid(1, 0).ebx >> 24, id);
	CHECK_EQ(cpuid(1, 0).ecx >> 31, s[0] != '-');	/* hypervisor */
	if (max < 0xb)
		return;
	CHECK_EQ(cpuid(0xb, 0).edx, id);
	CHECK_EQ(cpuid(0xb, 2).ebx, 0);
	threads = s[0] > '0' ? s[0] - '0' : 1;
	CHECK_EQ(cpuid(0xb, 0).ebx, threads);
	CHECK_EQ(cpuid(0xb, 0).eax, bits(threads));
	if (s[0] > '0') {
		cores = s[1] - '0';
		CHECK_EQ(cpuid(0xb, 1).ebx, cores * threads);
		CHECK_EQ(cpuid(0xb, 1).eax, bits(cores) + bits(threads));
		CHECK_EQ(cpuid(1, 0).ebx >> 16 & 0xff, 1u << (bits(cores) + bits(threads)));
		CHECK_EQ(cpuid(1, 0).edx >> 28 & 1, 1);
		if (cpuid(0, 0).ebx == 0x68747541 && cpuid(0x80000000, 0).eax >= 0x8000001e) {
			CHECK_EQ(cpuid(0x8000001e, 0).eax, id);
			CHECK_EQ(cpuid(0x8000001e, 0).ebx >> 8 & 0xff, threads - 1);
		}
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
	u32 cpus = 0, last = 0, i;

	apic_enable();
	irq_handle(VECTOR, ping);
	guest_ap_fn = ap;
	for (; p < end; p += p[1]) {
		if (p[0] != 0)
			continue;
		cpus++;
		last = p[3];
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
	print("the last one is %u\n", last);
	CHECK_EQ(seen[last], last ? 1 : 0);
	for (i = 1; i < last; i++)
		CHECK(seen[i] <= 1);

	/* To all but oneself */
	apic_ipi(0, 0xc4000 | VECTOR);
	while (pinged + 1 < cpus)
		cpu_relax();
	return 0;
}
