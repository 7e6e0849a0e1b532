// SPDX-License-Identifier: GPL-2.0
/*
 * What ends a machine, and what holds its processors.
 *
 * The machine has a word of reasons for its vCPUs to stand still (enum vm_hold). A
 * vCPU's thread looks at the word before it enters the guest; who sets a bit makes
 * the vCPUs leave the guest afterwards, so none is missed. A vCPU that is held
 * completes its last exit first, and then waits for the word to become 0 (hw/vcpu.c).
 *
 * Any thread may hold, one that runs a vCPU too: a guest goes to sleep, or meets a
 * breakpoint, by an exit. Only the main thread waits for vCPUs to stand still, with
 * the machine lock released, as they may need it to complete their exits. So no
 * two threads wait for each other. Devices and their queues are not held: what
 * they have is completed, and what arrives from outside is put into the guest's
 * memory (virtio_hold() is for that).
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
/* How long a kernel that has panicked may go on, to print and to store what it knows. */
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

/* What holds the machine has changed: account for the time, and have everybody look. */
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

/* Have all that are held come out of the guest? */
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
}

void life_free(struct vm *vm)
{
	pthread_cond_destroy(&vm->hold_cond);
	pthread_mutex_destroy(&vm->lock);
}
