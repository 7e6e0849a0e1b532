/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device is one source file with one const struct device_type. There is no exit
 * operation: init() records everything that it acquires in the device's undo log, by
 * the helpers below. The log is read when the device is removed or the machine ends. A
 * reset is teardown plus creation. A chip includes this header and those of its host
 * end; kvm/vm.h is for the machine itself.
 */
#ifndef KVM_DEVICE_H
#define KVM_DEVICE_H

#include <linux/list.h>
#include <kvm/bus.h>
#include <kvm/irq.h>
#include <kvm/life.h>
#include <kvm/loop.h>
#include <kvm/state.h>
#include <kvm/types.h>
#include <kvm/undo.h>

struct acpi;
struct device;
struct display;
struct disk_opener;
struct keep;
struct mem;
struct opt;
struct opt_err;
struct virtio_transport;
struct vm;

struct device_type {
	const char *name;		/* "serial", "virtio-rng": found by this, never ordered by it */
	const char *help;		/* one line */
	size_t size;			/* of the device's structure, which begins with struct device */
	const struct opt *opts;		/* suboptions, stored into the device's structure, or NULL */
	int (*init)(struct device *dev);	/* 0 or -errno, with the message printed */
	const char *acpi_hid;		/* "PNP0501": described to the guest as such, or NULL */
	const char *acpi_cid;
	bool acpi_irqs_only;		/* its registers are described as the motherboard's */
	/* Writes more of its Device() in the DSDT, or NULL. */
	void (*acpi)(const struct device *dev, struct acpi *a);
	const void *ops;		/* for init() of a family, e.g. struct virtio_ops */
	/*
	 * The members that the guest changes (kvm/state.h), or STATELESS. saving(): bring
	 * them up to date before they are written. loaded(): they were read; check them,
	 * arm timers, set wires. After -EINVAL the device is only freed. Both may be NULL.
	 */
	const struct state_field *state;
	void (*saving)(struct device *dev);
	int (*loaded)(struct device *dev, enum state_kind kind);
	bool internal;			/* part of the board, not for --device */
};

/* Register a type for device_type_find(). One per file, at file scope. */
#define DEVICE_TYPE(ident)							\
	static const struct device_type ident;					\
	static const struct device_type *const ident##_entry			\
	__attribute__((used, section("device_types"))) = &ident;		\
	static const struct device_type ident

enum resource_kind {
	RES_PIO,
	RES_MMIO,
	RES_IRQ,		/* an edge-triggered wire */
	RES_IRQ_LEVEL,		/* a level-triggered wire */
	RES_EVENT,		/* an event of kvm/event.h: its number, and the value of Notify() */
};

struct resource {
	enum resource_kind kind;
	u64 base, len;
};

#define DEV_RESOURCES_MAX 8

struct device {
	const struct device_type *type;
	struct vm *vm;
	struct list_head node;		/* on vm->devices, in order of creation */
	unsigned int index;		/* among the devices of its type, from 0 */
	char name[32];			/* type name and index, for messages */
	struct undo undo;		/* what it has acquired: within vm->undo */
	struct list_head left;		/* what it never gives back: device_abandon() */
	bool abandoned;
	struct list_head parts;		/* of its state: dev_state() */
	/*
	 * Set by init() of a device with threads of its own, else NULL. hold(): take no new
	 * requests and wait for those in flight; 0, or -ETIMEDOUT with the message printed,
	 * and the device is not held. Holds nest.
	 */
	int (*hold)(struct device *dev);
	void (*release)(struct device *dev);
	/* As these. Interrupt what is under way. False: the host has not given all back; ask again. */
	bool (*quiet)(struct device *dev);
	bool unplugged;			/* it goes for good: a later start does not have it */
	unsigned int config;		/* 1 + its place in the configuration, 0: it is not there */
	/* Its resources, which the firmware tables describe. */
	struct resource res[DEV_RESOURCES_MAX];
	unsigned int nr_res;
};

const struct device_type *device_type_find(const char *name);
/* All types in no particular order: i = 0, 1, ... until NULL. */
const struct device_type *device_type_get(unsigned int i);

/*
 * Are @opts valid suboptions of the type @name, by its own table? This checks options
 * before there is a machine. 0, or -errno with @err->text filled in: no newline.
 */
int device_check(const char *name, const char *opts, struct opt_err *err);
/* Do @opts, which device_check() has accepted, set the type's flag @flag? */
bool device_flag(const char *name, const char *opts, const char *flag);

/*
 * Create a device of type @name with suboptions @opts ("a=1,b", may be NULL)
 * and add it to the machine. 0, or -errno with the message printed and nothing
 * left behind. The device goes with the machine, or by device_del(). @out may be NULL.
 */
int device_add(struct vm *vm, const char *name, const char *opts, struct device **out);
/* The same for one whose number among its type is @number, or the next that is free. */
int device_add_numbered(struct vm *vm, const char *name, const char *opts, unsigned int number,
			struct device **out);
/*
 * Remove it: everything that it has is given back. Main thread, lock held. No other
 * device may have a pointer to it.
 */
void device_del(struct device *dev);

/*
 * For the first function of its undo log: a thread that does not come back still uses the
 * device and RAM, so neither these nor what the device has acquired is given back. The
 * machine is at its end, and no other may follow (vm->abandoned).
 */
void device_abandon(struct device *dev);

/* The machine's first device of the type called @type, or NULL. */
struct device *device_find(const struct vm *vm, const char *type);

/* The first registers that @dev has claimed, or NULL. */
const struct resource *device_registers(const struct device *dev);
/* The base of the first resource of @kind that @dev has claimed; 0: it has none. */
u64 device_resource(const struct device *dev, enum resource_kind kind);

/*
 * Hold all devices. The vCPUs are held already, so nothing changes RAM or state
 * afterwards: for those who save them or move RAM. 0, or -ETIMEDOUT with the message
 * printed and no device held. Main thread, machine lock.
 */
int devices_hold(struct vm *vm);
void devices_release(struct vm *vm);

/* Print "lkvm: NAME: text[: strerror]" and return @err, so that callers say return dev_err(...). */
int dev_err(const struct device *dev, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* For init(): everything is given back by the device's undo log. 0 or -errno with the message printed. */
int dev_defer(struct device *dev, void (*fn)(void *), void *arg);
void *dev_alloc(struct device *dev, size_t size);	/* zeroed; NULL with the message printed */
/*
 * Registers: @len bytes at @base where the board's chips are (I/O ports on a PC),
 * or in memory on every board. @r is the device's and is filled in; @r->name may
 * be set before if it is not the type's name. Recorded as a resource.
 */
int dev_regs(struct device *dev, struct region *r, u64 base, u64 len,
	     const struct region_ops *ops, void *obj);
int dev_mmio(struct device *dev, struct region *r, u64 base, u64 len,
	     const struct region_ops *ops, void *obj);
/*
 * The board's place for the @nr-th @part, a device's type or a part of it: sets *@base
 * and *@irq (may be NULL) if they are 0, as the user has not set them. 0, or -EINVAL with
 * the message printed.
 */
int dev_place(struct device *dev, const char *part, unsigned int nr, int *base, int *irq);
/* Put @r on the machine's @bus and, for pio and mmio, record the resource. */
int dev_bus_add(struct device *dev, struct bus *bus, struct region *r);
/* Record a resource that none of the others records. */
int dev_claim(struct device *dev, enum resource_kind kind, u64 base, u64 len);
/* Interrupts (see irq.h): an edge-triggered wire; a level-triggered one; one that is not in the tables; a message of @devid. */
int dev_irq_wire(struct device *dev, struct irq *irq, u32 input);
int dev_irq_level(struct device *dev, struct irq *irq, u32 input);
int dev_irq_hidden(struct device *dev, struct irq *irq, u32 input);
int dev_irq_msg(struct device *dev, struct irq *irq, u32 devid);
/* Callbacks on dev_loop(), by loop_timer() and loop_post(): none comes after the device is gone. */
int dev_timer(struct device *dev, struct timer *t, void (*fn)(struct timer *t));
int dev_work(struct device *dev, struct work *w, void (*fn)(struct work *w));

/* The machine, as far as a device may use it; any time, lock held. */

/* The transport of virtio devices: see transport.h. */
const struct virtio_transport *dev_transport(const struct device *dev);
/* Files kept for the next start, NULL for one that is unplugged; the main loop; the guest's memory. */
struct keep *dev_keep(const struct device *dev);
/* Who opens its files (kvm/disk.h), NULL: open(2). For init(). */
const struct disk_opener *dev_opener(const struct device *dev);
/* The screen that it draws on (kvm/display.h), NULL: the machine has none. */
struct display *dev_display(const struct device *dev);
/* @what (kvm/landlock.h) is done below @path while the guest runs. 0 or -errno with the message printed. */
int dev_allow(struct device *dev, const char *path, unsigned int what);
/* TCP connections go out while the guest runs. */
void dev_allow_tcp(struct device *dev);
struct loop *dev_loop(const struct device *dev);
const struct mem *dev_mem(const struct device *dev);
/* End the machine: see vm_end(). Any thread, the lock held or not. */
void dev_end(struct device *dev, enum vm_end end, int status);
/* The host has no room: hold the guest until the user has made some. Any thread, the lock held or not. */
void dev_no_room(struct device *dev);
/*
 * KVM may collect the guest's writes to @len bytes at @off of @r, which was given to
 * dev_regs(): see vm_coalesce_busy(), whose result this has, vm_coalesce_stop(),
 * vm_coalesce_index(), and vm_coalesced_seen().
 */
int dev_coalesce(struct device *dev, const struct region *r, u64 off, u32 len, bool *on);
void dev_coalesce_stop(struct device *dev, bool *on);
void dev_coalesce_index(struct device *dev, const struct region *r, bool *done, u64 off, u32 len);
void dev_coalesced_seen(struct device *dev);

#endif
