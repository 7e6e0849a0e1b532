/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What ends a machine, and what holds its processors: hw/life.c. Devices call
 * dev_end() and its like (kvm/device.h) instead.
 */
#ifndef KVM_LIFE_H
#define KVM_LIFE_H

#include <kvm/types.h>

struct vcpu;
struct vm;

/* For hw/vm.c: the machine's lock and what is in this file. The first and the last thing of a machine. */
void life_init(struct vm *vm);
void life_free(struct vm *vm);

enum vm_end {
	VM_RUNNING,
	VM_POWEROFF,		/* the guest switched itself off */
	VM_RESET,		/* the guest asked for a reset */
	VM_EXIT,		/* the guest wrote vm->status to the exit port, or the host ended it */
	VM_SHUTDOWN,		/* triple fault */
	VM_WAKE,		/* it was suspended to RAM and wakes up: vm_rebuild() */
	VM_PANIC,		/* the guest's kernel has said that it panicked */
	VM_FAILED,		/* lkvm or KVM could not go on; the message is printed */
};

/*
 * End the machine. The first call decides; later ones are ignored. Any thread,
 * the lock held or not.
 */
void vm_end(struct vm *vm, enum vm_end end, int status);

/*
 * The guest's kernel says that it panicked: whatever it does next, the machine
 * ends by VM_PANIC, in two seconds at the latest. With @crash_kernel another
 * kernel takes over, which gets all the time that it wants. Any thread, lock held.
 */
void vm_panic(struct vm *vm, bool crash_kernel);

/*
 * Reasons to hold processors outside of the guest. They run when there are
 * none. Each reason has one owner: what one holds, another's release does not
 * let go.
 */
enum vm_hold {
	HOLD_USER = 1 << 0,	/* "lkvm pause" or a watchdog; released by "lkvm resume" */
	HOLD_SLEEP = 1 << 1,	/* ACPI's S3; released by the machine's end */
	HOLD_DEBUG = 1 << 2,	/* a debugger */
	HOLD_STATE = 1 << 3,	/* the machine's state is read or written, or its memory changes */
	HOLD_STATS = 1 << 4,	/* KVM's counters are read */
	HOLD_LOOK = 1 << 5,	/* registers are read, an NMI is sent, lkvm itself is stopped */
};

/*
 * Hold all vCPUs for @why, which may hold them already. Does not wait: they come
 * out of the guest soon after. Any thread, a vCPU's own too, lock held.
 */
void vm_hold(struct vm *vm, enum vm_hold why);
/*
 * Wait until all vCPUs that are held are out of the guest, with their exits
 * completed: registers can be read. Main thread, lock held, and released meanwhile.
 * 0; -ESHUTDOWN: the machine is ending; -ETIMEDOUT: a vCPU did not come within some
 * seconds, because the host's kernel holds it. It stays held in any case.
 */
int vm_hold_wait(struct vm *vm);
/* Take @why back: vCPUs that nothing else holds go on. Any thread, lock held. */
void vm_release(struct vm *vm, enum vm_hold why);
/*
 * Whether @why spares this one vCPU: a debugger lets one make a step while it
 * holds the others. What else there is still holds it. Any thread, its own too, lock held.
 */
void vcpu_spare(struct vcpu *vcpu, enum vm_hold why, bool spare);
/* Is there a reason to hold it? On its own thread, without the lock; or with it. */
bool vcpu_held(const struct vcpu *vcpu);

/*
 * vm_hold() and vm_hold_wait(); released again if that fails. Main thread, lock
 * held. 0, -EALREADY: @why holds them already, or as vm_hold_wait().
 */
int vm_pause(struct vm *vm, enum vm_hold why);

/* The reasons that there are now. Any thread. */
unsigned int vm_held(const struct vm *vm);
/* Monotonic time in ns that excludes what is held, but for sleep. The origin is arbitrary. Lock held. */
u64 vm_running_ns(const struct vm *vm);

/* Make a vCPU leave the guest once and look at what is asked of it. Lock held, or before its thread is joined. */
void vcpu_kick(struct vcpu *vcpu);

#endif
