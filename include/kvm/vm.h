/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine. vm_create() is its parts list. Two of them could live in one
 * process.
 */
#ifndef KVM_VM_H
#define KVM_VM_H

#include <pthread.h>
#include <stdatomic.h>

#include <linux/list.h>
#include <kvm/bus.h>
#include <kvm/config.h>
#include <kvm/irq.h>
#include <kvm/loop.h>
#include <kvm/memory.h>
#include <kvm/types.h>
#include <kvm/undo.h>

struct acpi_pm;
struct ged;
struct kvm_coalesced_mmio_ring;
struct vcpu;
struct pci_host;
struct trace;

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

struct vm {
	const struct vm_config *cfg;
	struct undo undo;
	/*
	 * Registers belong to this lock: exit handlers and the main loop's
	 * callbacks run under it. Queue threads never take it.
	 */
	pthread_mutex_t lock;
	struct loop *loop;		/* main */

	int kvm_fd, vm_fd;
	struct mem mem;
	struct undo ram;		/* gives mem back: within undo */
	struct bus pio, mmio, pcicfg;
	struct irqs *irqs;
	struct pci_host *pci;
	struct ged *ged;		/* what tells the guest of events, or NULL */
	struct acpi_pm *acpi_pm;	/* ACPI's fixed hardware, or NULL */
	struct list_head devices;

	struct vcpu **vcpu;
	unsigned int nr_vcpus;
	atomic_bool paused;		/* changed under the lock */
	atomic_bool asleep;		/* in S3; changed under the lock */
	u16 woken;			/* PM1 status of a machine that woke up, 0: a start */
	struct work sleep_work;
	unsigned int parked;		/* vCPUs that have noticed */
	pthread_cond_t pause_cond;	/* paused, asleep or parked has changed */
	u64 paused_at, paused_ns;	/* loop_now() of the pause; of all that are over together */
	struct trace *trace;		/* of exits, or NULL */
	struct kvm_coalesced_mmio_ring *coalesced;	/* in the first vCPU's mapping, or NULL */
	struct timer coalesced_timer;
	struct work coalesced_work;
	bool coalesced_posted, coalesced_soon;

	bool panicked;
	struct timer panic_timer;
	struct work panic_work;

	_Atomic int end;		/* enum vm_end: why it ended, once it has */
	int status;			/* with VM_EXIT */
	void *arch;			/* x86/: its own */
};

/* Build the machine: 0, or -errno with the message printed and nothing left behind. */
int vm_create(struct vm *vm, const struct vm_config *cfg);
/* Run it until it ends; the caller's thread becomes the main thread. Returns vm->end. */
enum vm_end vm_run(struct vm *vm);
/* Threads are stopped, everything is given back. */
void vm_destroy(struct vm *vm);
/*
 * After VM_WAKE, in place of both: everything but the RAM is given back and made
 * anew, and the guest goes on where the RAM says. Returns as vm_create() does.
 */
int vm_rebuild(struct vm *vm);

/*
 * End the machine. The first call decides; later ones are ignored. Any thread,
 * the lock held or not.
 */
void vm_end(struct vm *vm, enum vm_end end, int status);

/*
 * The guest's kernel says that it panicked: whatever it does next, the machine
 * has ended by VM_PANIC, in two seconds at the latest. With @crash_kernel another
 * one takes over, which has all the time that it wants. Any thread, lock held.
 */
void vm_panic(struct vm *vm, bool crash_kernel);

/*
 * Hold all vCPUs outside of the guest until vm_resume(). What they have asked of
 * devices is still completed, and devices that something arrives at from outside
 * put it into the guest's memory: it is a pause, no snapshot. Time goes on, so
 * the guest's clock is right afterwards; KVM tells the guest's watchdog why.
 *
 * On the main thread, lock held; vm_pause() releases it while it waits.
 * vm_pause(): 0; -EALREADY; -ESHUTDOWN: the machine is ending; -ETIMEDOUT: a
 * vCPU did not come within some seconds, and the machine runs on.
 * vm_resume(): 0 or -EALREADY.
 */
int vm_pause(struct vm *vm);
int vm_resume(struct vm *vm);
/* Nanoseconds that the machine has not been paused in, since some time. Lock held. */
u64 vm_running_ns(const struct vm *vm);

/*
 * S3: no vCPU enters the guest any more, until the machine ends; a pause may come
 * and go meanwhile. vm_wake() ends it by VM_WAKE, with what PM1's status is to be
 * then, not 0. Lock held.
 */
void vm_sleep(struct vm *vm);
void vm_wake(struct vm *vm, u16 status);

/* Have KVM write @fd when the guest writes @len bytes (0: any) at @addr. 0 or -errno. Lock held. */
int vm_ioeventfd(struct vm *vm, bool pio, u64 addr, unsigned int len, int fd, bool add);

/*
 * Let KVM collect the guest's writes to [@addr, @addr + @len) of the I/O ports
 * or of memory and hand them over, in order, before the next access that leaves
 * the guest, or some milliseconds later. Returns 0, or -ENOTSUP: writes come
 * one by one. Lock held.
 */
int vm_coalesce(struct vm *vm, bool pio, u64 addr, u32 len, bool add);
/*
 * The same for a register that says which one the next access is to: asked for
 * when a guest first uses it, as most do not. *@done: it has been. Lock held.
 */
void vm_coalesce_index(struct vm *vm, bool *done, bool pio, u64 addr, u32 len);

/* For hw/vcpu.c: collected writes were found; look again before long. Lock held. */
void vm_coalesced_seen(struct vm *vm);

/* KVM_CHECK_EXTENSION on the machine: 0 if there is none. */
int vm_cap(const struct vm *vm, unsigned int cap);

#endif
