// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID as a guest on Intel's and on AMD's processors gets it: this file's ioctl() is
 * a KVM that offers a few leaves and keeps what is set.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "../../x86/x86.h"
#include "tap.h"

#define FD	1000		/* no descriptor of ours */

static u32 vendor, basic, khz;
static struct {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entry[256];
} set;

int ioctl(int fd, unsigned long request, ...)
{
	struct kvm_cpuid2 *cpuid;
	va_list ap;

	va_start(ap, request);
	cpuid = va_arg(ap, void *);
	va_end(ap);
	if (request == KVM_GET_SUPPORTED_CPUID) {
		cpuid->nent = 2;
		cpuid->entries[0] = (struct kvm_cpuid_entry2) { .function = 0, .eax = basic, .ebx = vendor };
		cpuid->entries[1] = (struct kvm_cpuid_entry2) { .function = 0x40000000, .eax = 0x40000001 };
	} else if (request == KVM_SET_CPUID2) {
		memcpy(&set, cpuid, sizeof(*cpuid) + cpuid->nent * sizeof(cpuid->entries[0]));
	} else if (request == KVM_GET_TSC_KHZ) {
		return khz;
	}
	return 0;
}

static const struct kvm_cpuid_entry2 *leaf(u32 function)
{
	unsigned int i;

	for (i = 0; i < set.head.nent; i++)
		if (set.entry[i].function == function)
			return &set.entry[i];
	return NULL;
}

static void give(u32 of_vendor, u32 up_to, u32 frequency)
{
	struct x86 x86 = { .phys_bits = 0 };
	struct vm_config cfg = { .cpus = 1, .sockets = 1, .cores = 1, .threads = 1 };
	struct vm vm = { .cfg = &cfg, .arch = &x86, .kvm_fd = FD, .vm_fd = FD };
	struct vcpu vcpu = { .vm = &vm, .fd = FD };

	vendor = of_vendor;
	basic = up_to;
	khz = frequency;
	memset(&set, 0, sizeof(set));
	undo_init(&vm.undo);
	CHECK_EQ(cpuid_init(&vm), 0);
	CHECK_EQ(cpuid_set(&vcpu), 0);
	undo_run(&vm.undo);
}

#define INTEL	0x756e6547	/* "Genu" */
#define AMD	0x68747541	/* "Auth" */

TEST(frequency_is_in_the_leaves_of_intel)
{
	static const u32 frequency[] = {
		1000000, 1995379, 2112000, 2400000, 2400100, 2599993, 2893303, 3693061, 4200000, 5799999, 800000,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(frequency); i++) {
		const struct kvm_cpuid_entry2 *tsc, *mhz;
		u64 ppm;

		give(INTEL, 0xd, frequency[i]);
		CHECK(leaf(0)->eax >= 0x16);
		tsc = leaf(0x15);
		mhz = leaf(0x16);
		CHECK(tsc && mhz && tsc->eax && tsc->ebx);
		CHECK_EQ(tsc->ecx, 1000000000);		/* what the local APIC counts */
		/* Linux multiplies in 32 bits. */
		CHECK((u64)tsc->ecx / 1000 * tsc->ebx <= UINT32_MAX);
		ppm = llabs((long long)tsc->ebx * 1000000 / tsc->eax - frequency[i]) * 1000000 / frequency[i];
		if (ppm > 100)
			tap_fail(__FILE__, __LINE__, "%u kHz: %llu parts of a million off", frequency[i],
				 (unsigned long long)ppm);
		CHECK_EQ(mhz->eax, (frequency[i] + 500) / 1000);
	}
}

TEST(frequency_is_in_the_hypervisors_leaf)
{
	give(AMD, 0xd, 2445406);
	CHECK_EQ(leaf(0x40000000)->eax, 0x40000010);
	CHECK_EQ(leaf(0x40000010)->eax, 2445406);
	CHECK_EQ(leaf(0x40000010)->ebx, 1000000);
	/* Nothing is said that an AMD processor does not say. */
	CHECK_EQ(leaf(0)->eax, 0xd);
	CHECK(!leaf(0x15));
}

TEST(unknown_frequency_is_not_told)
{
	give(INTEL, 0xd, 0);
	CHECK_EQ(leaf(0)->eax, 0xd);
	CHECK_EQ(leaf(0x40000000)->eax, 0x40000001);
	CHECK(!leaf(0x15) && !leaf(0x40000010));
}
