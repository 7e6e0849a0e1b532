// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID: the features that KVM supports (KVM_GET_SUPPORTED_CPUID, Documentation/virt/
 * kvm/x86/cpuid.rst), less those that --cpu takes away. KVM leaves the APIC ID, the
 * topology and the frequency of the TSC to user space; they are added here. Leaf numbers
 * as in the Intel SDM, CPUID, and the AMD APM volume 3, appendix E.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <asm/kvm_para.h>
#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/kvm.h>
#include <kvm/log.h>
#include <kvm/state.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

#define CPUID_ENTRIES			256	/* as many as KVM takes */

#define CPUID_1_ECX_TSC_DEADLINE	(1u << 24)
#define CPUID_1_ECX_OSXSAVE		(1u << 27)
#define CPUID_1_ECX_HYPERVISOR		(1u << 31)
#define CPUID_1_EDX_APIC		(1u << 9)
#define CPUID_7_ECX_OSPKE		(1u << 4)
#define CPUID_1_EDX_HTT			(1u << 28)
#define CPUID_AMD_ECX_CMP_LEGACY	(1u << 1)
#define CPUID_KVM_FEATURES		0x40000001
#define CPUID_TSC			0x15	/* crystal, and how many cycles of the TSC it gives */
#define CPUID_MHZ			0x16
#define CPUID_HYPERVISOR		0x40000000
/* "Timing information": TSC and APIC bus in kHz (Linux has it from VMware's convention, FreeBSD and others read it). */
#define CPUID_HYPERVISOR_TIMING		0x40000010

/* The local APIC's timer counts nanoseconds unless KVM is asked for something else (api.rst). */
#define APIC_BUS_KHZ			1000000
#define CPUID_TSC_PPM			250	/* by which KVM and Linux may have measured it differently */
#define REFERENCE_MHZ			100	/* of Intel's processors since 2011 */

static struct kvm_cpuid_entry2 *cpuid_find(const struct x86 *x86, u32 leaf)
{
	unsigned int i;

	for (i = 0; i < x86->cpuid->nent; i++)
		if (x86->cpuid->entries[i].function == leaf)
			return &x86->cpuid->entries[i];
	return NULL;
}

static struct kvm_cpuid2 *cpuid_alloc(void)
{
	return calloc(1, sizeof(struct kvm_cpuid2) +
		      CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2));
}

int cpuid_init(struct vm *vm)
{
	struct x86 *x86 = vm_x86(vm);
	struct kvm_cpuid_entry2 *e;

	x86->extended = arch_vcpu_id(vm, vm->cfg->cpus - 1) >= LAYOUT_XAPIC_IDS;
	/* SDM, 4.1.4: without leaf 0x80000008 an address has 36 bits. */
	x86->phys_bits = 36;
	if (vm->kvm_fd < 0)
		return 0;
	x86->cpuid = cpuid_alloc();
	if (!x86->cpuid || undo_free(&vm->undo, x86->cpuid))
		return -ENOMEM;
	x86->cpuid->nent = CPUID_ENTRIES;
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, x86->cpuid) < 0) {
		int ret = -errno;

		pr_err("KVM does not say which CPU features it supports: %s", strerror(-ret));
		return ret;
	}
	e = cpuid_find(x86, 0x1);
	if (e) {
		e->ecx |= CPUID_1_ECX_HYPERVISOR;
		if (vm_cap(vm, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
			e->ecx |= CPUID_1_ECX_TSC_DEADLINE;
	}
	/* Not said by KVM, as it is about the I/O APIC and messages: see x86/irq.c. */
	e = cpuid_find(x86, CPUID_KVM_FEATURES);
	if (e && x86->extended)
		e->eax |= 1u << KVM_FEATURE_MSI_EXT_DEST_ID;
	if (vm->cfg->cpu && cpuid_features(x86->cpuid, vm->cfg->cpu))
		return -EINVAL;
	e = cpuid_find(x86, 0x80000008);
	if (e) {
		/* Bits 23:16, where not 0: what a guest can use of bits 7:0. */
		u32 bits = (e->eax >> 16) & 0xff ? (e->eax >> 16) & 0xff : e->eax & 0xff;

		if (bits > 36)
			x86->phys_bits = min(bits, 52u);
	}
	return 0;
}

void cpuid_signature(const struct vm *vm, u32 *signature, u32 *features)
{
	const struct x86 *x86 = vm_x86(vm);
	const struct kvm_cpuid_entry2 *e = x86->cpuid ? cpuid_find(x86, 0x1) : NULL;

	*signature = e ? e->eax : 0;
	*features = e ? e->edx : 0;
}

unsigned int cpuid_khz(const struct vm *vm)
{
	int khz = vm->nr_vcpus ? ioctl(vm->vcpu[0]->fd, KVM_GET_TSC_KHZ, 0) : 0;

	return max(khz, 0);
}

static bool cpuid_amd(const struct x86 *x86)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(x86, 0);

	/* "AuthenticAMD", "HygonGenuine" */
	return e && (e->ebx == 0x68747541 || e->ebx == 0x6f677948);
}

/* The cache that @e describes is shared by the threads of a core, or by a socket if it is of level 3. */
static u32 cpuid_cache_sharing(const struct kvm_cpuid_entry2 *e, unsigned int thread_bits,
			       unsigned int bits)
{
	return (1u << (((e->eax >> 5) & 7) >= 3 ? bits : thread_bits)) - 1;
}

static void cpuid_fix(struct kvm_cpuid_entry2 *e, const struct vm *vm, u32 apic_id, bool amd)
{
	const struct vm_config *cfg = vm->cfg;
	unsigned int thread_bits = topology_thread_bits(vm), core_bits = topology_core_bits(vm);
	unsigned int bits = thread_bits + core_bits, cpus = cfg->cores * cfg->threads;

	switch (e->function) {
	case 0x1:
		e->ebx = (e->ebx & 0xff00) | apic_id << 24 | min(1u << bits, 255u) << 16;
		if (cpus > 1)
			e->edx |= CPUID_1_EDX_HTT;
		else
			e->edx &= ~CPUID_1_EDX_HTT;
		break;
	case 0x4:
		if (!(e->eax & 0x1f))
			break;
		e->eax = (e->eax & 0x3fff) | cpuid_cache_sharing(e, thread_bits, bits) << 14 |
			 min((1u << core_bits) - 1, 63u) << 26;
		break;
	case 0xb:
	case 0x1f:
		/* Level 0: the threads of a core. Level 1: the cores. Then an invalid level ends the list. */
		e->eax = e->index == 0 ? thread_bits : e->index == 1 ? bits : 0;
		e->ebx = e->index == 0 ? cfg->threads : e->index == 1 ? cpus : 0;
		e->ecx = e->index | (e->index == 0 ? 1 << 8 : e->index == 1 ? 2 << 8 : 0);
		e->edx = apic_id;
		break;
	case 0x80000001:
		if (!amd)
			break;
		if (cpus > 1)
			e->ecx |= CPUID_AMD_ECX_CMP_LEGACY;
		else
			e->ecx &= ~CPUID_AMD_ECX_CMP_LEGACY;
		break;
	case 0x80000008:
		if (amd)
			e->ecx = (e->ecx & ~0xf0ffu) | bits << 12 | min(cpus - 1, 255u);
		break;
	case 0x8000001d:
		if (e->eax & 0x1f)
			e->eax = (e->eax & 0x3fff) |
				 cpuid_cache_sharing(e, thread_bits, bits) << 14;
		break;
	case 0x8000001e:
		e->eax = apic_id;
		e->ebx = (e->ebx & ~0xffffu) | (cfg->threads - 1) << 8 |
			 (apic_id >> thread_bits & ((1u << core_bits) - 1));
		e->ecx = apic_id >> bits;	/* the node: one in each socket */
		break;
	}
}

/*
 * @khz as a fraction of the crystal's frequency. Linux multiplies the crystal's kHz by
 * the numerator in 32 bits (native_calibrate_tsc()), so not every fraction will do.
 */
static void cpuid_ratio(u32 khz, u32 *numerator, u32 *denominator)
{
	u64 n, d, error, least = UINT64_MAX;

	for (n = 1; n <= UINT32_MAX / APIC_BUS_KHZ; n++) {
		d = (n * APIC_BUS_KHZ + khz / 2) / khz;
		if (!d)
			continue;
		error = n * APIC_BUS_KHZ > d * khz ? n * APIC_BUS_KHZ - d * khz : d * khz - n * APIC_BUS_KHZ;
		/* Of the frequency, in kHz / 65536 */
		error = (error << 16) / d;
		if (error < least) {
			least = error;
			*numerator = n;
			*denominator = d;
		}
	}
}

/* Set the leaf @e->function, which may be new. */
static void cpuid_put(struct kvm_cpuid2 *cpuid, const struct kvm_cpuid_entry2 *e)
{
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == e->function)
			break;
	if (i == CPUID_ENTRIES)
		return;
	cpuid->entries[i] = *e;
	cpuid->nent = max(cpuid->nent, i + 1);
}

/* Leaf @base says how far the leaves from it on go: at least to @last. */
static void cpuid_reach(struct kvm_cpuid2 *cpuid, u32 base, u32 last)
{
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == base)
			cpuid->entries[i].eax = max(cpuid->entries[i].eax, last);
}

/*
 * How fast the TSC is, for a guest that does not ask KVM's clock. Intel's leaves are
 * Intel's alone: no program looks for them on an AMD processor.
 */
static void cpuid_frequencies(struct vcpu *vcpu, struct kvm_cpuid2 *cpuid, bool amd)
{
	struct x86 *x86 = vm_x86(vcpu->vm);
	struct kvm_cpuid_entry2 e = { .function = CPUID_HYPERVISOR_TIMING, .ebx = APIC_BUS_KHZ };
	int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);

	if (khz <= 0)
		return;
	e.eax = khz;
	cpuid_put(cpuid, &e);
	cpuid_reach(cpuid, CPUID_HYPERVISOR, CPUID_HYPERVISOR_TIMING);
	if (amd)
		return;
	if (!x86->tsc_numerator)
		cpuid_ratio(khz, &x86->tsc_numerator, &x86->tsc_denominator);
	e = (struct kvm_cpuid_entry2) {
		.function = CPUID_TSC, .eax = x86->tsc_denominator, .ebx = x86->tsc_numerator,
		.ecx = APIC_BUS_KHZ * 1000,
	};
	cpuid_put(cpuid, &e);
	e = (struct kvm_cpuid_entry2) {
		.function = CPUID_MHZ, .eax = (khz + 500) / 1000, .ebx = (khz + 500) / 1000,
		.ecx = REFERENCE_MHZ,
	};
	cpuid_put(cpuid, &e);
	cpuid_reach(cpuid, 0, CPUID_MHZ);
}

int cpuid_set(struct vcpu *vcpu)
{
	const struct x86 *x86 = vm_x86(vcpu->vm);
	bool amd = cpuid_amd(x86);
	struct kvm_cpuid2 *cpuid = cpuid_alloc();
	unsigned int i, level;
	int ret = 0;

	if (!cpuid)
		return -ENOMEM;
	for (i = 0; i < x86->cpuid->nent; i++) {
		struct kvm_cpuid_entry2 e = x86->cpuid->entries[i];
		bool topology = e.function == 0xb || e.function == 0x1f;

		/* The host's topology, in as many levels as the host has, is none of the guest's business. */
		if ((topology && e.index) || e.function == 0x80000026)
			continue;
		for (level = 0; level < (topology ? 3 : 1); level++) {
			if (topology)
				e.index = level;
			cpuid_fix(&e, vcpu->vm, arch_vcpu_id(vcpu->vm, vcpu->index), amd);
			if (cpuid->nent < CPUID_ENTRIES)
				cpuid->entries[cpuid->nent++] = e;
		}
	}
	cpuid_frequencies(vcpu, cpuid, amd);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0) {
		ret = -errno;
		pr_err("KVM refuses the CPUID of vCPU %u: %s", vcpu->index, strerror(-ret));
	}
	free(cpuid);
	return ret;
}

/*
 * Bits that are the guest's doing, KVM's measurement or this processor's are 0: they do
 * not tell one machine from another. The TSC's frequency is compared by itself.
 */
static void cpuid_mask(struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 0x1:
		e->ecx &= ~CPUID_1_ECX_OSXSAVE;
		e->edx &= ~CPUID_1_EDX_APIC;
		break;
	case 0x7:
		e->ecx &= ~CPUID_7_ECX_OSPKE;
		break;
	case 0xd:
		if (e->index < 2)
			e->ebx = 0;
		break;
	case CPUID_TSC:
	case CPUID_MHZ:
	case CPUID_HYPERVISOR_TIMING:
		e->eax = e->ebx = e->ecx = e->edx = 0;
		break;
	}
}

static struct kvm_cpuid2 *cpuid_get(struct vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid = cpuid_alloc();

	if (!cpuid)
		return NULL;
	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(vcpu->fd, KVM_GET_CPUID2, cpuid) < 0) {
		free(cpuid);
		return NULL;
	}
	for (unsigned int i = 0; i < cpuid->nent; i++)
		cpuid_mask(&cpuid->entries[i]);
	return cpuid;
}

/* The guest has measured the TSC, or was told its frequency. */
static int cpuid_state_khz(struct vcpu *vcpu, struct state *s)
{
	u32 is = cpuid_khz(vcpu->vm), was = is, far;

	if (state_value(s, "tsc_khz", &was, sizeof(was)))
		return state_status(s);
	far = was > is ? was - is : is - was;
	/* Clocks that go by a counter are corrected by as much (NTP's limit is 500 ppm). */
	return (u64)far * 1000000 > (u64)is * CPUID_TSC_PPM ?
		state_refuse(s, "the TSC had %u kHz, here it has %u", was, is) : 0;
}

int cpuid_state(struct vcpu *vcpu, struct state *s)
{
	struct kvm_cpuid2 *is = cpuid_get(vcpu);
	struct kvm_cpuid_entry2 *was = calloc(CPUID_ENTRIES, sizeof(*was));
	size_t len = is ? is->nent * sizeof(*was) : 0, i;

	if (!is || !was) {
		state_refuse(s, "KVM does not say its CPUID");
	} else {
		memcpy(was, is->entries, len);
		state_bytes(s, "cpuid", was, &len, CPUID_ENTRIES * sizeof(*was));
	}
	for (i = 0; !state_status(s) && i < is->nent; i++)
		if (i >= len / sizeof(*was) || memcmp(&was[i], &is->entries[i], sizeof(*was)))
			state_refuse(s, "the host's processor or KVM is another: CPUID leaf 0x%x.%u differs",
				     is->entries[i].function, is->entries[i].index);
	if (!state_status(s) && len != is->nent * sizeof(*was))
		state_refuse(s, "the host's processor or KVM is another: it has fewer CPUID leaves");
	free(was);
	free(is);
	return cpuid_state_khz(vcpu, s);
}
