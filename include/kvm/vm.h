/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine. vm_parts() in hw/vm.c is its parts list. One process could have
 * two of them.
 */
#ifndef KVM_VM_H
#define KVM_VM_H

#include <pthread.h>
#include <stdatomic.h>

#include <linux/list.h>
#include <kvm/bus.h>
#include <kvm/config.h>
#include <kvm/irq.h>
#include <kvm/life.h>
#include <kvm/loop.h>
#include <kvm/memory.h>
#include <kvm/types.h>
#include <kvm/undo.h>

struct acpi_pm;
struct device;
struct disk_opener;
struct ged;
struct hotplug;
struct kvm_coalesced_mmio_ring;
struct vcpu;
struct pci_host;
struct state;
struct trace;
struct virtio_transport;

/*
 * Who debugs the machine: told on the vCPU's thread, lock held, that KVM has left the
 * guest for a debugger, or could not emulate an instruction. False: it is the guest's own.
 */
struct vm_debugger {
	bool (*met)(struct vm_debugger *d, struct vcpu *vcpu);
};

/* How the guest begins. */
enum vm_begin {
	BEGIN_BOOT,		/* a kernel is loaded and started */
	BEGIN_WAKE,		/* from S3, with its RAM: at ACPI's waking vector */
	BEGIN_SAVED,		/* with its RAM and its state: where the state says */
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
	bool plugged;			/* a device has come or gone since the start */
	bool abandoned;			/* RAM and a device are not given back: device_abandon() */
	struct bus pio, mmio, pcicfg;
	struct bus *regs;		/* pio or mmio: the bus of the board's chips */
	const struct virtio_transport *virtio;	/* connects virtio devices to the board */
	struct irqs *irqs;
	struct pci_host *pci;
	struct ged *ged;		/* notifies the guest of events, or NULL */
	struct hotplug *hotplug;	/* slots of devices that come and go, or NULL */
	struct acpi_pm *acpi_pm;	/* ACPI's fixed hardware, or NULL */
	struct list_head devices;
	struct list_head drives;	/* kvm/drive.h */
	/* May be NULL: the guest, or a user, has removed a device, which goes after this call. Main thread, lock held. */
	void (*unplugged)(void *obj, struct device *dev);
	void *unplugged_obj;
	const struct disk_opener *opener;	/* of the files of a device that is added now, or NULL: open(2) */
	unsigned int device_holds;	/* devices_hold() less devices_release() */

	bool running;			/* vm_run() has begun, and vCPUs have threads */
	struct vcpu **vcpu;
	unsigned int nr_vcpus;
	atomic_uint held;		/* enum vm_hold: why vCPUs stand still; changed under the lock */
	pthread_cond_t hold_cond;	/* held, vcpu->spared or vcpu->parked has changed */
	u64 held_at, held_ns;		/* holds other than sleep: the start of this one; the sum of earlier ones */
	enum vm_begin begin;
	/* NULL with BEGIN_BOOT; loaded when all is built. With BEGIN_WAKE it has what S3 keeps. */
	struct state *state;
	struct trace *trace;		/* of exits, or NULL */
	struct vm_debugger *debugger;	/* or NULL; changed under the lock */
	struct kvm_coalesced_mmio_ring *coalesced;	/* in the first vCPU's mapping, or NULL */
	struct timer coalesced_timer;
	struct work coalesced_work;
	bool coalesced_posted, coalesced_soon;
	unsigned int coalesced_quiet;		/* looks that found nothing, in a row */
	struct vm_coalesced {			/* of vm_coalesce_busy() */
		u64 addr;
		u32 len;
		bool pio, *on;
	} coalesced_busy[4];
	unsigned int nr_coalesced_busy;

	bool panicked;
	struct timer panic_timer;
	struct work panic_work;
	struct work room_work;

	_Atomic int end;		/* enum vm_end: why the machine ended, or VM_RUNNING */
	int status;			/* with VM_EXIT */
	void *arch;			/* the architecture's own state */
};

/* Build the machine: 0, or -errno with the message printed and nothing left behind. */
int vm_create(struct vm *vm, const struct vm_config *cfg);
/* Run it until it ends; the caller's thread becomes the main thread. Returns vm->end. */
enum vm_end vm_run(struct vm *vm);
/* Stop its threads and give everything back. */
void vm_destroy(struct vm *vm);
/*
 * Build the machine as vm_create() does, and read its state from @s instead of
 * starting a kernel: @cfg is what it was written with, but for the RAM, which cfg->ram
 * gives (MEM_SNAPSHOT). It is another generation of the machine (kvm/vmgenid.h).
 */
int vm_restore(struct vm *vm, const struct vm_config *cfg, struct state *s);
/*
 * After VM_WAKE, in place of vm_destroy() and vm_create(): everything but the RAM,
 * and what devices keep in S3, is given back and made anew, and the guest goes on
 * where ACPI's tables say. Returns as vm_create() does.
 */
int vm_rebuild(struct vm *vm);

#endif
