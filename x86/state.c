// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's part of the state: interrupt controllers, the clock, and of each vCPU the
 * registers, FPU, MSRs, local APIC and events (Documentation/virt/kvm/api.rst, 4). KVM
 * checks the values that it is given. The guest's time stands still between writing and
 * reading: TSC and kvmclock go on where they were.
 *
 * The order is the one in which KVM needs the values back. The local APIC's mode, XCR0
 * and EFER come before the values that they allow, and the timer's deadline after the
 * timer's mode. Main thread; no vCPU runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/kvm.h>
#include <kvm/log.h>
#include <kvm/state.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "x86.h"

#define MSR_IA32_TSC		0x10
#define MSR_IA32_TSC_DEADLINE	0x6e0

#define STATE_MSRS_MAX		4096
#define STATE_XSAVE_MAX		(1 * MIB)
#define STATE_NESTED_MAX	(1 * MIB)

int state_ioctl(struct state *s, int fd, const char *name, unsigned long get, unsigned long set,
		void *buf, size_t len)
{
	int ret;

	if (!state_reads(s) && ioctl(fd, get, buf) < 0)
		return state_refuse(s, "KVM does not say its %s: %s", name, strerror(errno));
	ret = state_value(s, name, buf, len);
	if (ret || !state_reads(s))
		return ret;
	return ioctl(fd, set, buf) < 0 ? state_refuse(s, "KVM refuses its %s: %s", name, strerror(errno)) : 0;
}

/* KVM's interrupt controllers beside the local APICs. */
static int state_irqchips(struct vm *vm, struct state *s)
{
	static const char *const name[] = {
		[KVM_IRQCHIP_PIC_MASTER] = "pic0", [KVM_IRQCHIP_PIC_SLAVE] = "pic1",
		[KVM_IRQCHIP_IOAPIC] = "ioapic",
	};
	struct kvm_irqchip chip;
	u32 i;
	int ret = 0;

	for (i = 0; !ret && i < ARRAY_SIZE(name); i++) {
		memset(&chip, 0, sizeof(chip));
		chip.chip_id = i;
		if (!state_reads(s) && ioctl(vm->vm_fd, KVM_GET_IRQCHIP, &chip) < 0)
			return state_refuse(s, "KVM does not say its %s: %s", name[i], strerror(errno));
		ret = state_value(s, name[i], &chip.chip, sizeof(chip.chip));
		if (!ret && state_reads(s) && ioctl(vm->vm_fd, KVM_SET_IRQCHIP, &chip) < 0)
			return state_refuse(s, "KVM refuses its %s: %s", name[i], strerror(errno));
	}
	return ret;
}

/* Nanoseconds of kvmclock; the rest of KVM's structure is about the host. */
static int state_clock(struct vm *vm, struct state *s)
{
	struct kvm_clock_data clock = { 0 };
	u64 ns;
	int ret;

	if (!state_reads(s) && ioctl(vm->vm_fd, KVM_GET_CLOCK, &clock) < 0)
		return state_refuse(s, "KVM does not say its clock: %s", strerror(errno));
	ns = clock.clock;
	ret = state_value(s, "clock", &ns, sizeof(ns));
	if (ret || !state_reads(s))
		return ret;
	clock = (struct kvm_clock_data) { .clock = ns };
	return ioctl(vm->vm_fd, KVM_SET_CLOCK, &clock) < 0 ?
		state_refuse(s, "KVM refuses its clock: %s", strerror(errno)) : 0;
}

int arch_state(struct vm *vm, struct state *s)
{
	int ret = cpuid_state(vm->vcpu[0], s);

	if (!ret && vm_x86(vm)->irqchip == IRQCHIP_KERNEL)
		ret = state_irqchips(vm, s);
	return ret ? ret : state_clock(vm, s);
}

/* MSRs */

/* One at a time: KVM stops at the first that it does not take. True if it took it. */
static bool state_msr(struct vcpu *vcpu, unsigned long request, u32 index, u64 *val)
{
	union {
		struct kvm_msrs msrs;
		char space[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} one = { .space = { 0 } };
	struct kvm_msr_entry *msr = one.msrs.entries;

	one.msrs.nmsrs = 1;
	msr->index = index;
	msr->data = *val;
	if (ioctl(vcpu->fd, request, &one) != 1)
		return false;
	*val = msr->data;
	return true;
}

struct state_msr {
	u32 index, zero;
	u64 val;
};

/* The MSRs that KVM says there are to save, with their values; those that this guest has. */
static int state_get_msrs(struct vcpu *vcpu, struct state_msr *msr, size_t *nr)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + STATE_MSRS_MAX * sizeof(u32));
	u32 i;

	if (!list)
		return -ENOMEM;
	list->nmsrs = STATE_MSRS_MAX;
	if (ioctl(vcpu->vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, list) < 0) {
		free(list);
		return -errno;
	}
	*nr = 0;
	for (i = 0; i < list->nmsrs && i < STATE_MSRS_MAX; i++) {
		msr[*nr] = (struct state_msr) { .index = list->indices[i] };
		*nr += state_msr(vcpu, KVM_GET_MSRS, list->indices[i], &msr[*nr].val);
	}
	free(list);
	return 0;
}

/* Some cannot be written, but are what they were. */
static int state_set_msr(struct vcpu *vcpu, struct state *s, const struct state_msr *msr)
{
	u64 val = msr->val, is = 0;

	if (state_msr(vcpu, KVM_SET_MSRS, msr->index, &val) ||
	    (state_msr(vcpu, KVM_GET_MSRS, msr->index, &is) && is == msr->val))
		return 0;
	return state_refuse(s, "KVM refuses MSR 0x%x of 0x%llx", msr->index, (unsigned long long)msr->val);
}

/* When something is to happen depends on the time, so this comes last. */
static int state_set_msrs(struct vcpu *vcpu, struct state *s, const struct state_msr *msr, size_t nr)
{
	size_t i, last = nr;
	int ret = 0;

	for (i = 0; !ret && i < nr; i++) {
		if (msr[i].index == MSR_IA32_TSC_DEADLINE)
			last = i;
		else
			ret = state_set_msr(vcpu, s, &msr[i]);
	}
	return !ret && last < nr ? state_set_msr(vcpu, s, &msr[last]) : ret;
}

static int state_msrs(struct vcpu *vcpu, struct state *s)
{
	struct state_msr *msr = calloc(STATE_MSRS_MAX, sizeof(*msr));
	size_t nr = 0, len;
	int ret = msr ? 0 : -ENOMEM;

	if (!ret && !state_reads(s))
		ret = state_get_msrs(vcpu, msr, &nr);
	if (ret)
		ret = state_refuse(s, "KVM does not say its MSRs: %s", strerror(-ret));
	len = nr * sizeof(*msr);
	if (!ret)
		ret = state_bytes(s, "msrs", msr, &len, STATE_MSRS_MAX * sizeof(*msr));
	if (!ret && state_reads(s))
		ret = len % sizeof(*msr) ? state_refuse(s, "half an MSR") :
			state_set_msrs(vcpu, s, msr, len / sizeof(*msr));
	free(msr);
	return ret;
}

/* FPU, vectors, AMX: as much as the processor has. */
static int state_xsave(struct vcpu *vcpu, struct state *s)
{
	int cap = vm_cap(vcpu->vm, KVM_CAP_XSAVE2);
	size_t size = max((size_t)cap, sizeof(struct kvm_xsave)), len = size;
	void *buf = calloc(1, size);
	int ret = 0;

	if (!buf || size > STATE_XSAVE_MAX)
		ret = state_refuse(s, "no memory for its FPU");
	else if (!state_reads(s) && ioctl(vcpu->fd, cap ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, buf) < 0)
		ret = state_refuse(s, "KVM does not say its FPU: %s", strerror(errno));
	if (!ret)
		ret = state_bytes(s, "xsave", buf, &len, size);
	if (!ret && state_reads(s) && (len != size || ioctl(vcpu->fd, KVM_SET_XSAVE, buf) < 0))
		ret = state_refuse(s, "KVM refuses its FPU: %s", strerror(len != size ? EINVAL : errno));
	free(buf);
	return ret;
}

/* A guest of the guest, where there can be one. */
static int state_nested(struct vcpu *vcpu, struct state *s)
{
	size_t size = max(vm_cap(vcpu->vm, KVM_CAP_NESTED_STATE), 0), len = 0;
	struct kvm_nested_state *nested = calloc(1, size + sizeof(*nested));
	int ret = 0;

	if (!nested || size > STATE_NESTED_MAX)
		ret = state_refuse(s, "no memory for its nested state");
	if (!ret && size && !state_reads(s)) {
		nested->size = size;
		if (ioctl(vcpu->fd, KVM_GET_NESTED_STATE, nested) < 0)
			ret = state_refuse(s, "KVM does not say its nested state: %s", strerror(errno));
		len = nested->size;
	}
	if (!ret)
		ret = state_bytes(s, "nested", nested, &len, size);
	if (!ret && state_reads(s) && len &&
	    (len < sizeof(*nested) || nested->size != len ||
	     ioctl(vcpu->fd, KVM_SET_NESTED_STATE, nested) < 0))
		ret = state_refuse(s, "KVM refuses its nested state");
	free(nested);
	return ret;
}

/* A processor without XSAVE has none: KVM says so, and takes none. */
static int state_xcrs(struct state *s, int fd)
{
	struct kvm_xcrs xcrs = { 0 };
	int ret;

	if (!state_reads(s) && ioctl(fd, KVM_GET_XCRS, &xcrs) < 0)
		return state_refuse(s, "KVM does not say its xcrs: %s", strerror(errno));
	ret = state_value(s, "xcrs", &xcrs, sizeof(xcrs));
	if (ret || !state_reads(s) || !xcrs.nr_xcrs)
		return ret;
	return ioctl(fd, KVM_SET_XCRS, &xcrs) < 0 ? state_refuse(s, "KVM refuses its xcrs: %s", strerror(errno)) : 0;
}

int arch_vcpu_state(struct vcpu *vcpu, struct state *s)
{
	struct kvm_vcpu_events events = { 0 };
	struct kvm_debugregs debug = { 0 };
	struct kvm_mp_state mp = { 0 };
	struct kvm_sregs sregs = { 0 };
	struct kvm_lapic_state lapic;
	struct kvm_regs regs;
	int fd = vcpu->fd;

	memset(&lapic, 0, sizeof(lapic));
	state_ioctl(s, fd, "mp_state", KVM_GET_MP_STATE, KVM_SET_MP_STATE, &mp, sizeof(mp));
	state_ioctl(s, fd, "sregs", KVM_GET_SREGS, KVM_SET_SREGS, &sregs, sizeof(sregs));
	state_xcrs(s, fd);
	state_xsave(vcpu, s);
	state_ioctl(s, fd, "regs", KVM_GET_REGS, KVM_SET_REGS, &regs, sizeof(regs));
	state_ioctl(s, fd, "debugregs", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, &debug, sizeof(debug));
	state_ioctl(s, fd, "lapic", KVM_GET_LAPIC, KVM_SET_LAPIC, &lapic, sizeof(lapic));
	state_msrs(vcpu, s);
	state_nested(vcpu, s);
	state_ioctl(s, fd, "events", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, &events, sizeof(events));
	if (state_reads(s))
		arch_vcpu_resumed(vcpu);
	/* The first error has stayed. */
	return state_status(s);
}
