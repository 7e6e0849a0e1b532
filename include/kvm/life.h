/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of a machine, and holds on its vCPUs: hw/life.c. Devices call dev_end()
 * and the like (kvm/device.h) instead.
 */
#ifndef KVM_LIFE_H
#define KVM_LIFE_H

#include <kvm/types.h>

struct vcpu;
struct vm;

/* For hw/vm.c: the machine's lock and holds. The first call for a machine, and the last. */
void life_init(struct vm *vm);
void life_free(struct vm *vm);

enum vm_end {
	VM_RUNNING,
	VM_POWEROFF,		/* the guest switched itself off */
	VM_RESET,		/* the guest asked for a reset */
	VM_EXIT,		/* the guest wrote vm->status to the exit port, or the host ended it */
	VM_SHUTDOWN,		/* triple fault */
	VM_WAKE,		/* it was suspended to RAM and wakes up: vm_rebuild() */
	VM_PANIC,		/* the guest's kernel has reported a panic */
	VM_FAILED,		/* lkvm or KVM could not go on; the message is printed */
};

/*
 * End the machine. The first call decides; later ones are ignored. Any thread,
 * the lock held or not.
 */
void vm_end(struct vm *vm, enum vm_end end, int status);

/*
 * The guest's kernel reports a panic. The machine ends by VM_PANIC whatever the kernel
 * does next, in two seconds at the latest. With @crash_kernel there is no such limit: a
 * crash kernel takes over. Any thread, lock held.
 */
void vm_panic(struct vm *vm, bool crash_kernel);

/*
 * Reasons to hold vCPUs outside of the guest. They run while there is none. Each
 * reason has one owner: a release of one reason does not release another.
 */
enum vm_hold {
	HOLD_USER = 1 << 0,	/* "lkvm pause" or a watchdog; released by "lkvm resume" */
	HOLD_SLEEP = 1 << 1,	/* ACPI's S3; released by the machine's end */
	HOLD_DEBUG = 1 << 2,	/* a debugger */
	HOLD_STATE = 1 << 3,	/* the machine's state is read or written, or its memory changes */
	HOLD_STATS = 1 << 4,	/* KVM's counters are read */
	HOLD_ROOM = 1 << 6,	/* the host has no room for what a disk's guest writes; released by "lkvm resume" */
	HOLD_LOOK = 1 << 5,	/* registers are read, an NMI is sent, lkvm itself is stopped */
};

/*
 * Hold all vCPUs for @why, which may hold them already. Does not wait: they leave the
 * guest soon after. Any thread, a vCPU's own too, lock held.
 */
void vm_hold(struct vm *vm, enum vm_hold why);
/* Hold them for HOLD_ROOM soon. Any thread, the lock held or not. */
void vm_no_room(struct vm *vm);
/*
 * Wait until all vCPUs that are held are out of the guest, with their exits
 * completed: registers can be read. Main thread, lock held, and released meanwhile.
 * 0; -ESHUTDOWN: the machine is ending; -ETIMEDOUT: a vCPU did not leave the guest
 * within some seconds, because the host's kernel blocks it. All stay held in any case.
 */
int vm_hold_wait(struct vm *vm);
/* Clear @why: vCPUs without another reason go on. Any thread, lock held. */
void vm_release(struct vm *vm, enum vm_hold why);
/*
 * Exempt this vCPU from @why, or no longer: a debugger lets one vCPU make a step while
 * it holds the others. Other reasons still hold it. Any thread, its own too, lock held.
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
/* Monotonic time in ns without the time of holds, except HOLD_SLEEP. The origin is arbitrary. Lock held. */
u64 vm_running_ns(const struct vm *vm);

/* Make a vCPU leave the guest once and look at its holds. Lock held, or before its thread is joined. */
void vcpu_kick(struct vcpu *vcpu);

#endif
