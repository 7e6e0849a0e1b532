// SPDX-License-Identifier: GPL-2.0
/*
 * CPU features by name: "+name" and "-name" of --cpu. Names are those of
 * Linux's /proc/cpuinfo, with - where it has _ (either is taken); leaves and
 * bits are the Intel SDM's and the AMD APM's. While the machine is built.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/opt.h>

#include "x86.h"

enum { EAX, EBX, ECX, EDX };

static const struct feature_word {
	u32 leaf, index;
	int reg;
	const char *name[32];	/* by bit; NULL: not to be chosen */
} feature_words[] = {
	{ 0x1, 0, EDX, {
		[0] = "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic",
		[11] = "sep", "mtrr", "pge", "mca", "cmov", "pat", "pse36", [19] = "clflush",
		[23] = "mmx", "fxsr", "sse", "sse2", "ss",
	} },
	{ 0x1, 0, ECX, {
		[0] = "sse3", "pclmulqdq", [3] = "monitor", [5] = "vmx", [9] = "ssse3",
		[12] = "fma", "cx16", [15] = "pdcm", [17] = "pcid", [19] = "sse4-1", "sse4-2",
		"x2apic", "movbe", "popcnt", "tsc-deadline", "aes", "xsave", [28] = "avx", "f16c",
		"rdrand", "hypervisor",
	} },
	{ 0x6, 0, EAX, { [2] = "arat" } },
	{ 0x7, 0, EBX, {
		[0] = "fsgsbase", "tsc-adjust", [3] = "bmi1", "hle", "avx2", [7] = "smep", "bmi2",
		"erms", "invpcid", "rtm", [14] = "mpx", [16] = "avx512f", "avx512dq", "rdseed",
		"adx", "smap", "avx512ifma", [23] = "clflushopt", "clwb", [28] = "avx512cd",
		"sha-ni", "avx512bw", "avx512vl",
	} },
	{ 0x7, 0, ECX, {
		[1] = "avx512vbmi", "umip", "pku", [5] = "waitpkg", "avx512-vbmi2", "shstk", "gfni",
		"vaes", "vpclmulqdq", "avx512-vnni", "avx512-bitalg", [14] = "avx512-vpopcntdq",
		[16] = "la57", [22] = "rdpid", [24] = "bus-lock-detect", "cldemote", [27] = "movdiri",
		"movdir64b", [31] = "pks",
	} },
	{ 0x7, 0, EDX, {
		[4] = "fsrm", [8] = "avx512-vp2intersect", [10] = "md-clear", [14] = "serialize",
		[18] = "pconfig", [20] = "ibt", [22] = "amx-bf16", "avx512-fp16", "amx-tile",
		"amx-int8", "spec-ctrl", "stibp", "flush-l1d", "arch-capabilities",
		"core-capability", "ssbd",
	} },
	{ 0x7, 1, EAX, { [4] = "avx-vnni", "avx512-bf16", [26] = "lam" } },
	{ 0xd, 1, EAX, { [0] = "xsaveopt", "xsavec", "xgetbv1", "xsaves" } },
	{ 0x40000001, 0, EAX, {
		[0] = "kvmclock-old", "kvm-nopiodelay", [3] = "kvmclock", "kvm-asyncpf",
		"kvm-steal-time", "kvm-pv-eoi", "kvm-pv-unhalt", [9] = "kvm-pv-tlb-flush",
		[11] = "kvm-pv-ipi", "kvm-poll-control", "kvm-pv-sched-yield", "kvm-asyncpf-int",
		[24] = "kvmclock-stable",
	} },
	{ 0x80000001, 0, EDX, {
		[11] = "syscall", [20] = "nx", [22] = "mmxext", [25] = "fxsr-opt", "pdpe1gb",
		"rdtscp", [29] = "lm",
	} },
	{ 0x80000001, 0, ECX, {
		[0] = "lahf-lm", [2] = "svm", [4] = "cr8-legacy", "abm", "sse4a", "misalignsse",
		"3dnowprefetch", "osvw", [12] = "skinit", [15] = "lwp", "fma4", [21] = "tbm",
		"topoext", "perfctr-core",
	} },
	{ 0x80000008, 0, EBX, {
		[0] = "clzero", [2] = "xsaveerptr", [4] = "rdpru", [9] = "wbnoinvd", [12] = "amd-ibpb",
		[14] = "amd-ibrs", "amd-stibp", [24] = "amd-ssbd", "virt-ssbd",
	} },
	{ 0x8000000a, 0, EDX, {
		[0] = "npt", "lbrv", "svm-lock", "nrip-save", "tsc-scale", "vmcb-clean",
		"flushbyasid", "decodeassists", [10] = "pause-filter", [12] = "pfthreshold",
		[13] = "avic", [15] = "v-vmsave-vmload", "vgif",
	} },
};

static u32 *feature_register(struct kvm_cpuid2 *cpuid, const struct feature_word *w)
{
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function != w->leaf ||
		    (e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX && e->index != w->index))
			continue;
		return w->reg == EAX ? &e->eax : w->reg == EBX ? &e->ebx :
		       w->reg == ECX ? &e->ecx : &e->edx;
	}
	return NULL;
}

static bool feature_is(const char *name, const char *typed, size_t len)
{
	size_t i;

	for (i = 0; i < len && name[i]; i++)
		if (typed[i] != name[i] && !(name[i] == '-' && typed[i] == '_'))
			return false;
	return i == len && !name[i];
}

static int feature_unknown(const char *typed, size_t len)
{
	struct opt_near near = { .distance = 0 };
	char name[64];
	size_t i, bit;

	snprintf(name, sizeof(name), "%.*s", (int)len, typed);
	for (i = 0; i < ARRAY_SIZE(feature_words); i++)
		for (bit = 0; bit < 32; bit++)
			if (feature_words[i].name[bit])
				opt_near(&near, name, feature_words[i].name[bit]);
	pr_err("--cpu: there is no CPU feature \"%s\"%s%s%s", name, near.word ? ", did you mean \"" : "",
	       near.word ? near.word : "", near.word ? "\"?" : "");
	return -EINVAL;
}

static int feature_set(struct kvm_cpuid2 *cpuid, const char *name, size_t len, bool on)
{
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(feature_words); i++) {
		const struct feature_word *w = &feature_words[i];

		for (bit = 0; bit < 32; bit++) {
			u32 *reg;

			if (!w->name[bit] || !feature_is(w->name[bit], name, len))
				continue;
			reg = feature_register(cpuid, w);
			if (on && (!reg || !(*reg & 1u << bit)))
				pr_warn("KVM does not offer the CPU feature %s here: the guest runs without it",
					w->name[bit]);
			if (!on && reg)
				*reg &= ~(1u << bit);
			return 0;
		}
	}
	return feature_unknown(name, len);
}

int cpuid_features(struct kvm_cpuid2 *cpuid, const char *spec)
{
	const char *word = spec, *end;
	int ret = 0;

	if (!strncmp(spec, "host", 4) && (!spec[4] || spec[4] == ',')) {
		word = spec[4] ? spec + 5 : NULL;
	} else if (*spec != '+' && *spec != '-') {
		pr_err("--cpu %s: there is no other model than \"host\"; features are added and taken away as in host,-avx2",
		       spec);
		return -EINVAL;
	}
	for (; !ret && word; word = *end ? end + 1 : NULL) {
		end = word + strcspn(word, ",");
		if (end - word < 2 || (*word != '+' && *word != '-')) {
			pr_err("--cpu: \"%.*s\" has to be +FEATURE or -FEATURE", (int)(end - word), word);
			return -EINVAL;
		}
		ret = feature_set(cpuid, word + 1, end - word - 1, *word == '+');
	}
	return ret;
}
