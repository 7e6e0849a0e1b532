// SPDX-License-Identifier: GPL-2.0
/*
 * Exits after which a vCPU cannot go on (Documentation/virt/kvm/api.rst, 5): the reason
 * and the registers are printed, and the machine ends. Machine lock.
 */
#include <stdio.h>
#include <string.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/trace.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "vcpu.h"

void vcpu_exit_shutdown(struct vcpu *vcpu)
{
	pr_err("vCPU %u: a triple fault: the guest had no handler for an exception", vcpu->index);
	arch_vcpu_dump(vcpu, stderr);
	vm_end(vcpu->vm, VM_SHUTDOWN, 0);
}

void vcpu_fail(struct vcpu *vcpu, const char *what, u64 detail)
{
	pr_err("vCPU %u: %s 0x%llx: the machine cannot go on", vcpu->index, what,
	       (unsigned long long)detail);
	arch_vcpu_dump(vcpu, stderr);
	vm_end(vcpu->vm, VM_FAILED, 0);
}

void vcpu_exit_fail_entry(struct vcpu *vcpu)
{
	vcpu_fail(vcpu, "the processor refuses to enter the guest, hardware reason",
		  vcpu->run->fail_entry.hardware_entry_failure_reason);
}

void vcpu_exit_internal_error(struct vcpu *vcpu)
{
	static const char *const suberror[] = {
		[KVM_INTERNAL_ERROR_EMULATION] = "KVM cannot emulate an instruction, flags",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "KVM met an exception within an exception, data",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = "KVM could not deliver an event, data",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "KVM met an unexpected exit, data",
	};
	struct vm_debugger *debugger = vcpu->vm->debugger;
	u32 n = vcpu->run->internal.suberror;

	/* KVM that emulates the guest does not know the breakpoint instruction. */
	if (n == KVM_INTERNAL_ERROR_EMULATION && debugger && debugger->met(debugger, vcpu))
		return;
	vcpu_fail(vcpu, n < ARRAY_SIZE(suberror) && suberror[n] ? suberror[n] :
		  "KVM reports an internal error, data",
		  vcpu->run->internal.ndata ? vcpu->run->internal.data[0] : 0);
}

void vcpu_exit_unknown(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	const char *name = trace_reason_name(run->exit_reason);
	char what[128];
	u64 data[4];

	memcpy(data, run->padding, sizeof(data));
	if (run->exit_reason == KVM_EXIT_UNKNOWN)
		snprintf(what, sizeof(what), "KVM does not know why the processor left the guest, hardware reason 0x%llx, reason",
			 (unsigned long long)run->hw.hardware_exit_reason);
	else
		snprintf(what, sizeof(what), "KVM left the guest for %s%s%s, with %llx %llx %llx %llx, reason",
			 name ? "\"" : "something that lkvm does not know", name ? name : "", name ? "\"" : "",
			 (unsigned long long)data[0], (unsigned long long)data[1],
			 (unsigned long long)data[2], (unsigned long long)data[3]);
	vcpu_fail(vcpu, what, run->exit_reason);
}
