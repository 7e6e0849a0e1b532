// SPDX-License-Identifier: GPL-2.0
/* What a guest does: see kvm/backtrace.h. */
#include <errno.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/backtrace.h>
#include <kvm/life.h>
#include <kvm/look.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "linux_info.h"
#include "linux_modules.h"
#include "linux_tasks.h"

#define FRAMES_MAX	48		/* of a vCPU */
#define TASK_FRAMES	10		/* of a task that waits: what it waits for is on top */
#define TASKS_SHOWN	8
#define VCPUS_SHOWN	16

struct backtrace {
	struct linux_info info;
	FILE *f;
	u64 running[VCPUS_SHOWN];	/* tasks on vCPUs */
	unsigned int nr_running, halted, shown, left_out;
};

static void trace_frames(struct backtrace *b, struct arch_frame *frame, unsigned int most)
{
	char name[INFO_NAME_MAX];

	for (unsigned int i = 0; i < most; i++) {
		info_name(&b->info, frame->ip, name, sizeof(name));
		fprintf(b->f, "  %s%s\n", frame->guess ? "? " : "", name);
		if (arch_unwind(&b->info.unwind, frame))
			return;
	}
	fprintf(b->f, "  ...\n");
}

static void trace_task(struct backtrace *b, const struct linux_task *t)
{
	if (t->pid >= 0)
		fprintf(b->f, "task %d", t->pid);
	else
		fprintf(b->f, "task at 0x%llx", (unsigned long long)t->addr);
	if (*t->comm)
		fprintf(b->f, " (%s)", t->comm);
}

/* KVM's api.rst, KVM_GET_MP_STATE: HLT, with an interrupt controller in the kernel. */
static bool trace_is_halted(struct vcpu *vcpu)
{
	struct kvm_mp_state state;

	return !ioctl(vcpu->fd, KVM_GET_MP_STATE, &state) && state.mp_state == KVM_MP_STATE_HALTED;
}

static bool trace_is_offline(struct vcpu *vcpu)
{
	struct kvm_mp_state state;

	return !ioctl(vcpu->fd, KVM_GET_MP_STATE, &state) &&
	       (state.mp_state == KVM_MP_STATE_UNINITIALIZED || state.mp_state == KVM_MP_STATE_INIT_RECEIVED);
}

static void trace_vcpu(struct backtrace *b, struct vcpu *vcpu)
{
	bool halted = trace_is_halted(vcpu);
	struct arch_frame frame;
	struct linux_task task;

	fprintf(b->f, "vCPU %u: ", vcpu->index);
	if (trace_is_offline(vcpu)) {
		fprintf(b->f, "the guest has not started it\n");
		b->halted++;
		return;
	}
	if (arch_vcpu_frame(vcpu, &frame)) {
		fprintf(b->f, "no registers\n");
		return;
	}
	b->halted += halted;
	if (task_current(&b->info, frame.percpu, &task)) {
		trace_task(b, &task);
		b->running[b->nr_running++] = task.addr;
	} else {
		fprintf(b->f, "task unknown");
	}
	fprintf(b->f, "%s\n", halted ? ", halted" : !frame.kernel ? ", in the program" : "");
	if (frame.kernel)
		trace_frames(b, &frame, FRAMES_MAX);
	else
		fprintf(b->f, "  0x%llx\n", (unsigned long long)frame.ip);
}

/* A program that waits in the kernel. PID 1 is the first of the list. */
static bool trace_waiting(void *obj, const struct linux_task *t)
{
	struct backtrace *b = obj;
	struct arch_frame frame;

	if (!t->user || !t->state || t->state == ~0u)
		return true;
	for (unsigned int i = 0; i < b->nr_running; i++)
		if (b->running[i] == t->addr)
			return true;
	if (b->shown == TASKS_SHOWN) {
		b->left_out++;
		return true;
	}
	if (arch_unwind_task(&b->info.unwind, t->sp, &frame))
		return true;
	b->shown++;
	trace_task(b, t);
	fprintf(b->f, " waits (%s):\n", task_state(t));
	trace_frames(b, &frame, TASK_FRAMES);
	return true;
}

static void trace_all(struct backtrace *b, struct vm *vm)
{
	unsigned int i, nr = min(vm->nr_vcpus, (unsigned int)VCPUS_SHOWN);

	for (i = 0; i < nr; i++)
		trace_vcpu(b, vm->vcpu[i]);
	if (nr < vm->nr_vcpus)
		fprintf(b->f, "(and %u more vCPUs)\n", vm->nr_vcpus - nr);
	else if (b->halted == nr)
		fprintf(b->f, "all vCPUs are halted: the guest waits for an interrupt\n");
	task_each(&b->info, trace_waiting, b);
	if (b->left_out)
		fprintf(b->f, "(and %u more programs that wait)\n", b->left_out);
}

/* The vCPUs stand still: held, which is undone then, or without threads. */
static int trace_hold(struct vm *vm, bool *held)
{
	bool threads = false;

	for (unsigned int i = 0; i < vm->nr_vcpus; i++)
		threads |= vm->vcpu[i]->started;
	*held = vm->end == VM_RUNNING || threads;
	return *held ? vm_pause(vm, HOLD_LOOK) : 0;
}

int backtrace_print(struct vm *vm, int vcpu, FILE *f)
{
	struct backtrace b = { .f = f };
	bool held;
	int ret;

	if (vcpu != LOOK_ALL && (vcpu < 0 || vcpu >= (int)vm->nr_vcpus))
		return -EINVAL;
	ret = trace_hold(vm, &held);
	if (ret)
		return ret;
	ret = info_open(&b.info, vm);
	if (!ret)
		ret = linux_modules_read(&b.info);
	if (!ret && vcpu == LOOK_ALL)
		trace_all(&b, vm);
	else if (!ret)
		trace_vcpu(&b, vm->vcpu[vcpu]);
	info_close(&b.info);
	if (held)
		vm_release(vm, HOLD_LOOK);
	return ret;
}
