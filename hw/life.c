// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a machine, and the holds on its vCPUs.
 *
 * Who holds the machine
 *
 * vm->held is a word of reasons for the vCPUs to stand still (enum vm_hold). Each
 * reason has one owner: the user's pause, S3, a debugger, somebody who reads state
 * or counters. The vCPUs run while the word is 0, so nobody resumes a machine that
 * another holds.
 *
 * Setting a bit misses no vCPU. vm_hold() sets it first and then signals all vCPU
 * threads. A thread looks at the word before it enters the guest. If the signal
 * arrives between the look and KVM_RUN, its handler has set immediate_exit, and
 * KVM_RUN returns at once (hw/vcpu.c).
 *
 * A vCPU that is held enters KVM once more with immediate_exit set. KVM completes
 * the last exit then, and registers are as the guest sees them. After that the
 * thread is parked: it waits on hold_cond until no reason is left.
 *
 * Any thread may hold the machine, also one that runs a vCPU: a guest goes to
 * sleep, or meets a breakpoint, by an exit. Only the main thread waits for vCPUs
 * to park. It releases the machine lock meanwhile, because a vCPU may need the lock
 * to complete its exit. So no two threads wait for each other.
 *
 * A hold does not stop devices. Queues complete their requests, and input from
 * outside is still written to guest memory. devices_hold() (kvm/device.h) stops
 * them too, for those who save the state or move the RAM.
 *
 * vm_end() needs no lock: the first reason for the end decides by an atomic
 * compare. vm_run() then releases all holds, so that parked vCPUs see the end.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include <linux/kernel.h>
#include <kvm/kvm.h>
#include <kvm/life.h>
#include <kvm/loop.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>
#include <kvm/wait.h>

/* A vCPU that waits for a request to come back from a device takes up to five seconds. */
#define HOLD_WAIT		WAIT_S(8)
/* How long a kernel may go on after a panic, to print and store its messages. */
#define PANIC_NS		(2000ULL * 1000 * 1000)

void vm_end(struct vm *vm, enum vm_end end, int status)
{
	int running = VM_RUNNING;

	if (!atomic_compare_exchange_strong(&vm->end, &running, end))
		return;
	vm->status = status;
	loop_stop(vm->loop);
}

static void vm_panic_due(struct timer *t)
{
	vm_end(container_of(t, struct vm, panic_timer), VM_PANIC, 0);
}

static void vm_panic_work(struct work *w)
{
	struct vm *vm = container_of(w, struct vm, panic_work);

	loop_timer(vm->loop, &vm->panic_timer, loop_now() + PANIC_NS);
}

void vm_panic(struct vm *vm, bool crash_kernel)
{
	if (vm->panicked)
		return;
	vm->panicked = true;
	if (!crash_kernel)
		loop_post(vm->loop, &vm->panic_work);
}

void vcpu_kick(struct vcpu *vcpu)
{
	if (vcpu->started)
		pthread_kill(vcpu->thread, SIG_VCPU);
}

bool vcpu_held(const struct vcpu *vcpu)
{
	return atomic_load(&vcpu->vm->held) & ~atomic_load(&vcpu->spared);
}

unsigned int vm_held(const struct vm *vm)
{
	return atomic_load(&vm->held);
}

/* The holds change: account for the time, and make all vCPUs look. */
static void life_hold(struct vm *vm, unsigned int held)
{
	unsigned int was = vm->held & ~HOLD_SLEEP, is = held & ~HOLD_SLEEP, i;

	if (!was && is)
		vm->held_at = loop_now();
	else if (was && !is)
		vm->held_ns += loop_now() - vm->held_at;
	atomic_store(&vm->held, held);
	pthread_cond_broadcast(&vm->hold_cond);
	for (i = 0; held && i < vm->nr_vcpus && vm->end == VM_RUNNING; i++)
		vcpu_kick(vm->vcpu[i]);
}

void vm_hold(struct vm *vm, enum vm_hold why)
{
	if (!(vm->held & why))
		life_hold(vm, vm->held | why);
}

void vm_release(struct vm *vm, enum vm_hold why)
{
	if (vm->held & why)
		life_hold(vm, vm->held & ~why);
}

void vcpu_spare(struct vcpu *vcpu, enum vm_hold why, bool spare)
{
	unsigned int spared = vcpu->spared;

	atomic_store(&vcpu->spared, spare ? spared | why : spared & ~why);
	pthread_cond_broadcast(&vcpu->vm->hold_cond);
	if (!spare && vcpu->vm->end == VM_RUNNING)
		vcpu_kick(vcpu);
}

static void vm_room_work(struct work *w)
{
	vm_hold(container_of(w, struct vm, room_work), HOLD_ROOM);
}

void vm_no_room(struct vm *vm)
{
	loop_post(vm->loop, &vm->room_work);
}

/* Have all held vCPUs parked? */
static bool life_parked(const struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		if (vcpu_held(vm->vcpu[i]) && !vm->vcpu[i]->parked)
			return false;
	return true;
}

int vm_hold_wait(struct vm *vm)
{
	struct timespec end = wait_deadline(HOLD_WAIT);
	int ret = 0;

	/* A vCPU that is in an exit handler gets the lock now, comes to its end, and parks. */
	while (!ret && vm->end == VM_RUNNING && !life_parked(vm))
		ret = wait_until(&vm->hold_cond, &vm->lock, &end);
	if (vm->end != VM_RUNNING)
		return -ESHUTDOWN;
	if (!ret)
		vm_coalesced(vm);
	return ret;
}

int vm_pause(struct vm *vm, enum vm_hold why)
{
	int ret;

	if (vm->end != VM_RUNNING)
		return -ESHUTDOWN;
	if (vm->held & why)
		return -EALREADY;
	vm_hold(vm, why);
	ret = vm_hold_wait(vm);
	if (ret)
		vm_release(vm, why);
	return ret;
}

u64 vm_running_ns(const struct vm *vm)
{
	return (vm->held & ~HOLD_SLEEP ? vm->held_at : loop_now()) - vm->held_ns;
}

void life_init(struct vm *vm)
{
	pthread_mutex_init(&vm->lock, NULL);
	wait_init(&vm->hold_cond);
	vm->panic_timer.fn = vm_panic_due;
	vm->panic_work.fn = vm_panic_work;
	vm->room_work.fn = vm_room_work;
}

void life_free(struct vm *vm)
{
	pthread_cond_destroy(&vm->hold_cond);
	pthread_mutex_destroy(&vm->lock);
}
