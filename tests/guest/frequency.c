// SPDX-License-Identifier: GPL-2.0
/*
 * What CPUID says about the TSC's frequency, for guests that do not ask KVM's clock,
 * is what KVM's clock says (Linux, Documentation/virt/kvm/x86/msr.rst).
 *
 * [cpuid_has_the_frequency_of_the_tsc]
 * run=-m 16 -c 2
 * status=1
 */
#include "guest.h"

#define MSR_SYSTEM_TIME	0x4b564d01

static struct {
	u32 version, pad;
	u64 tsc, system_time;
	u32 mul;
	s8 shift;
	u8 flags, rest[2];
} volatile now __attribute__((aligned(64)));

/* @khz is within 100 parts of a million of @wanted. */
static void check_khz(u64 khz, u64 wanted)
{
	u64 off = khz > wanted ? khz - wanted : wanted - khz;

	if (off * 10000 > wanted)
		print("%lu kHz instead of %lu\n", (unsigned long)khz, (unsigned long)wanted);
	CHECK(off * 10000 <= wanted);
}

int main(void)
{
	struct cpuid vendor = cpuid(0, 0), c;
	u64 khz;

	CHECK(cpuid(0x40000000, 0).eax >= 0x40000010);
	wrmsr(MSR_SYSTEM_TIME, (u64)&now | 1);
	khz = (1000000ULL << 32) / now.mul;
	khz = now.shift < 0 ? khz << -now.shift : khz >> now.shift;
	c = cpuid(0x40000010, 0);
	check_khz(c.eax, khz);
	CHECK_EQ(c.ebx, 1000000);
	if (vendor.ebx != 0x756e6547)	/* "GenuineIntel" */
		return 0;
	CHECK(vendor.eax >= 0x16);
	c = cpuid(0x15, 0);
	CHECK_EQ(c.ecx, 1000000000);
	/* In 32 bits, as Linux multiplies */
	CHECK((u64)c.ecx / 1000 * c.ebx <= 0xffffffff);
	check_khz((u32)(c.ecx / 1000 * c.ebx) / c.eax, khz);
	c = cpuid(0x16, 0);
	CHECK(c.eax * 1000 + 1000 > khz && c.eax * 1000 < khz + 1000);
	return 0;
}
