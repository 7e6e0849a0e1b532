// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's thread: run the guest, and serve its VM exits
 * (Documentation/virt/kvm/api.rst, 5) with the machine lock held. The thread
 * ends when the machine does.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/guard.h>
#include <kvm/kvm.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/threads.h>
#include <kvm/trace.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#include "vcpu.h"

/* For the signal handler, which has no argument. */
static __thread struct kvm_run *vcpu_self;

static void vcpu_signal(int sig)
{
	/* KVM_RUN that starts after this returns at once: no window. */
	if (vcpu_self)
		vcpu_self->immediate_exit = 1;
}

static void vcpu_free(void *arg)
{
	struct vcpu *vcpu = arg;

	if (vcpu->run)
		guard_unmap(vcpu->run, vcpu->run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	free(vcpu);
}

int vcpu_create(struct vm *vm, unsigned int index, struct vcpu **out)
{
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
	int ret, page;

	if (!vcpu)
		return -ENOMEM;
	vcpu->vm = vm;
	vcpu->index = index;
	vcpu->fd = -1;
	ret = undo_add(&vm->undo, vcpu_free, vcpu);
	if (ret)
		return ret;
	vcpu->fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, (unsigned long)arch_vcpu_id(vm, index));
	if (vcpu->fd < 0) {
		ret = -errno;
		pr_err("KVM cannot create vCPU %u of %u: %s", index, vm->cfg->cpus, strerror(-ret));
		return ret;
	}
	ret = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	vcpu->run_size = max(ret, 0);
	vcpu->run = guard_map(vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		ret = -errno;
		pr_err("vCPU %u: its state cannot be mapped: %s", index, strerror(-ret));
		return ret;
	}
	page = vm_cap(vm, KVM_CAP_COALESCED_MMIO);
	if (!index && page && vm_cap(vm, KVM_CAP_COALESCED_PIO))
		vm->coalesced = (void *)((char *)vcpu->run + page * sysconf(_SC_PAGESIZE));
	*out = vcpu;
	return 0;
}

static void vcpu_exit_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	char *data = (char *)run + run->io.data_offset;
	struct bus *bus = &vcpu->vm->pio;
	u32 i;

	/* A string instruction is a count of accesses to one port. */
	for (i = 0; i < run->io.count; i++, data += run->io.size) {
		u64 val = 0;

		if (run->io.direction == KVM_EXIT_IO_OUT) {
			memcpy(&val, data, run->io.size);
			bus_write(bus, run->io.port, run->io.size, val);
		} else {
			val = bus_read(bus, run->io.port, run->io.size);
			memcpy(data, &val, run->io.size);
		}
	}
}

static void vcpu_exit_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct bus *bus = &vcpu->vm->mmio;
	u64 val = 0;

	if (run->mmio.is_write) {
		memcpy(&val, run->mmio.data, sizeof(val));
		bus_write(bus, run->mmio.phys_addr, run->mmio.len, val);
	} else {
		val = bus_read(bus, run->mmio.phys_addr, run->mmio.len);
		memcpy(run->mmio.data, &val, sizeof(val));
	}
}

static void vcpu_exit_system_event(struct vcpu *vcpu)
{
	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		vm_end(vcpu->vm, VM_POWEROFF, 0);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		vm_end(vcpu->vm, VM_RESET, 0);
		break;
	default:
		vm_end(vcpu->vm, VM_SHUTDOWN, 0);
	}
}

static void vcpu_exit_debug(struct vcpu *vcpu)
{
	struct vm_debugger *debugger = vcpu->vm->debugger;

	if (debugger)
		debugger->met(debugger, vcpu);
}

static void vcpu_exit_nothing(struct vcpu *vcpu)
{
}

static void (*const vcpu_exits[])(struct vcpu *vcpu) = {
	[KVM_EXIT_IO] = vcpu_exit_io,
	[KVM_EXIT_MMIO] = vcpu_exit_mmio,
	[KVM_EXIT_DEBUG] = vcpu_exit_debug,
	[KVM_EXIT_INTR] = vcpu_exit_nothing,
	[KVM_EXIT_IRQ_WINDOW_OPEN] = vcpu_exit_nothing,
	[KVM_EXIT_SHUTDOWN] = vcpu_exit_shutdown,
	[KVM_EXIT_SYSTEM_EVENT] = vcpu_exit_system_event,
	[KVM_EXIT_FAIL_ENTRY] = vcpu_exit_fail_entry,
	[KVM_EXIT_INTERNAL_ERROR] = vcpu_exit_internal_error,
};

static void vcpu_serve(struct vcpu *vcpu)
{
	u32 reason = vcpu->run->exit_reason;

	if (reason < ARRAY_SIZE(vcpu_exits) && vcpu_exits[reason])
		vcpu_exits[reason](vcpu);
	else if (!arch_vcpu_exit(vcpu))
		vcpu_exit_unknown(vcpu);
}

/* Wait until no reason holds it. */
static void vcpu_park(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	pthread_mutex_lock(&vm->lock);
	vcpu->parked = true;
	pthread_cond_broadcast(&vm->hold_cond);
	while (vcpu_held(vcpu) && vm->end == VM_RUNNING)
		pthread_cond_wait(&vm->hold_cond, &vm->lock);
	vcpu->parked = false;
	pthread_mutex_unlock(&vm->lock);
	arch_vcpu_resumed(vcpu);
}

/*
 * Enter the guest, and return with an exit to serve: 0, or KVM's error. EINTR: there
 * is no exit, and the last one is complete (5., "struct kvm_run": registers are as the
 * guest sees them only after the next entry). With @complete only that is done.
 */
static int vcpu_enter(struct vcpu *vcpu, bool complete)
{
	int err;

	if (complete)
		vcpu->run->immediate_exit = 1;
	err = ioctl(vcpu->fd, KVM_RUN, 0) < 0 ? errno : 0;
	if (err == EAGAIN)
		err = EINTR;
	if (err == EINTR || complete)
		vcpu->run->immediate_exit = 0;
	return err;
}

static void vcpu_exited(struct vcpu *vcpu, int err)
{
	struct vm *vm = vcpu->vm;

	pthread_mutex_lock(&vm->lock);
	/* Another vCPU may have ended the machine: leave its devices alone then. */
	if (vm->end == VM_RUNNING) {
		if (vm_coalesced(vm))
			vm_coalesced_seen(vm);
		if (vm->trace && !err)
			trace_exit(vm->trace, vm, vcpu->run);
		if (!err)
			vcpu_serve(vcpu);
		else
			vcpu_fail(vcpu, "KVM_RUN failed, error", err);
	}
	pthread_mutex_unlock(&vm->lock);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vm *vm = vcpu->vm;
	bool complete = true;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	prctl(PR_SET_NAME, name);
	vcpu_self = vcpu->run;
	while (!atomic_load(&vcpu->stop) && vm->end == VM_RUNNING) {
		bool held = vcpu_held(vcpu);
		int err;

		if (held && complete) {
			vcpu_park(vcpu);
			continue;
		}
		err = vcpu_enter(vcpu, held);
		complete = err == EINTR;
		if (!complete)
			vcpu_exited(vcpu, err);
	}
	/* vm_hold_wait() may be waiting for this vCPU to park. */
	pthread_mutex_lock(&vm->lock);
	pthread_cond_broadcast(&vm->hold_cond);
	pthread_mutex_unlock(&vm->lock);
	return NULL;
}

/* The attributes of the thread of @vcpu: where it may run. */
static int vcpu_pin(const struct vcpu *vcpu, pthread_attr_t *attr)
{
	unsigned int cpu = vcpu->vm->cfg->pin[vcpu->index];
	size_t size = CPU_ALLOC_SIZE(cpu + 1);
	cpu_set_t *set = CPU_ALLOC(cpu + 1);
	int ret;

	if (!set)
		return -ENOMEM;
	CPU_ZERO_S(size, set);
	CPU_SET_S(cpu, size, set);
	ret = -pthread_attr_setaffinity_np(attr, size, set);
	CPU_FREE(set);
	return ret;
}

int vcpu_start(struct vcpu *vcpu)
{
	struct sigaction sa = { .sa_handler = vcpu_signal };
	pthread_attr_t attr;
	int ret;

	sigaction(SIG_VCPU, &sa, NULL);
	ret = -pthread_attr_init(&attr);
	if (ret)
		return ret;
	if (vcpu->vm->cfg->pin)
		ret = vcpu_pin(vcpu, &attr);
	if (!ret)
		ret = thread_start(vcpu->vm->cfg->spawner, THREAD_VCPU, &attr, &vcpu->thread, vcpu_thread,
				   vcpu);
	pthread_attr_destroy(&attr);
	if (ret && vcpu->vm->cfg->pin)
		pr_err("vCPU %u: no thread on the host's CPU %u: %s", vcpu->index,
		       vcpu->vm->cfg->pin[vcpu->index], strerror(-ret));
	else if (ret)
		pr_err("vCPU %u: no thread: %s", vcpu->index, strerror(-ret));
	vcpu->started = !ret;
	return ret;
}

void vcpu_join(struct vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	atomic_store(&vcpu->stop, true);
	vcpu_kick(vcpu);
	pthread_join(vcpu->thread, NULL);
	vcpu->started = false;
}
