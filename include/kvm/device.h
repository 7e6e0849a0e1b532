/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device is one source file with one const struct device_type. There is no
 * exit operation: what init acquires it writes in the device's undo log, by the
 * helpers below. The log is read when the device is removed or the machine ends;
 * a reset is teardown plus creation. A chip needs nothing but this header and
 * those of what is behind it: kvm/vm.h is for the machine itself.
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
	/* What else there is to say in its Device() of the DSDT, or NULL. */
	void (*acpi)(const struct device *dev, struct acpi *a);
	const void *ops;		/* what init() of a family needs, e.g. struct virtio_ops */
	/*
	 * What of its structure is the guest's doing (kvm/state.h), or STATELESS.
	 * saving(): before it is written, bring it up to date. loaded(): it was read; vet
	 * it, arm timers, set wires. After -EINVAL it is only freed. Both may be NULL.
	 */
	const struct state_field *state;
	void (*saving)(struct device *dev);
	int (*loaded)(struct device *dev, enum state_kind kind);
	bool internal;			/* part of the board, not for --device */
};

/* Put @type where device_type_find() sees it. One per file, at file scope. */
#define DEVICE_TYPE(ident)							\
	static const struct device_type ident;					\
	static const struct device_type *const ident##_entry			\
	__attribute__((used, section("device_types"))) = &ident;		\
	static const struct device_type ident

enum resource_kind {
	RES_PIO,
	RES_MMIO,
	RES_IRQ,		/* a wire that edges arrive on, */
	RES_IRQ_LEVEL,		/* one whose level counts */
	RES_EVENT,		/* an event of kvm/event.h: its number, and what Notify() says */
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
	struct list_head parts;		/* of its state: dev_state() */
	/*
	 * Set by init() if it works beside the vCPUs, else NULL. hold(): it takes nothing
	 * new, and what is under way is waited for; 0, or -ETIMEDOUT with the message
	 * printed, and it is not held. Holds nest.
	 */
	int (*hold)(struct device *dev);
	void (*release)(struct device *dev);
	/* What it claims, as the firmware tables will say it. */
	struct resource res[DEV_RESOURCES_MAX];
	unsigned int nr_res;
};

const struct device_type *device_type_find(const char *name);
/* All types in no particular order: i = 0, 1, ... until NULL. */
const struct device_type *device_type_get(unsigned int i);

/*
 * Are @opts suboptions of the type @name, by its own table? For what is given long
 * before there is a machine. 0, or -errno with @err->text filled in: no newline.
 */
int device_check(const char *name, const char *opts, struct opt_err *err);
/* Do @opts, which device_check() has found good, set the type's flag @flag? */
bool device_flag(const char *name, const char *opts, const char *flag);

/*
 * Create a device of type @name with suboptions @opts ("a=1,b", may be NULL)
 * and add it to the machine. 0, or -errno with the message printed and nothing
 * left behind. The device goes with the machine, or by device_del(). @out may be NULL.
 */
int device_add(struct vm *vm, const char *name, const char *opts, struct device **out);
/*
 * Remove it: everything that it has is given back. Main thread, lock held. Nobody
 * else may have a pointer to it: it is not one that others are built on.
 */
void device_del(struct device *dev);

/* The machine's first device of the type called @type, or NULL. */
struct device *device_find(const struct vm *vm, const char *type);

/* The first registers that @dev has claimed, or NULL. */
const struct resource *device_registers(const struct device *dev);
/* Where the first @kind of resource that @dev has claimed is; 0: it has none. */
u64 device_resource(const struct device *dev, enum resource_kind kind);

/*
 * Hold all devices, when the vCPUs are held: nothing changes RAM or state any more. For
 * whoever saves these or moves RAM. 0, or -ETIMEDOUT with the message printed and
 * nothing held. Main thread, machine lock.
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
 * Where the board has the @nr-th of @part, a device's type or a part of it: sets *@base
 * and *@irq (may be NULL) where they are 0, which means that the user has not said. 0, or
 * -EINVAL with the message printed.
 */
int dev_place(struct device *dev, const char *part, unsigned int nr, int *base, int *irq);
/* Put @r on the machine's @bus and, for pio and mmio, record the resource. */
int dev_bus_add(struct device *dev, struct bus *bus, struct region *r);
/* Record what none of the others does. */
int dev_claim(struct device *dev, enum resource_kind kind, u64 base, u64 len);
/* Interrupts: a wire that edges arrive on; one whose level counts; one that the tables do not tell of; a message of @devid (see irq.h). */
int dev_irq_wire(struct device *dev, struct irq *irq, u32 input);
int dev_irq_level(struct device *dev, struct irq *irq, u32 input);
int dev_irq_hidden(struct device *dev, struct irq *irq, u32 input);
int dev_irq_msg(struct device *dev, struct irq *irq, u32 devid);
/* Callbacks on dev_loop(), by loop_timer() and loop_post(): none comes after the device is gone. */
int dev_timer(struct device *dev, struct timer *t, void (*fn)(struct timer *t));
int dev_work(struct device *dev, struct work *w, void (*fn)(struct work *w));

/* What a device may ask of its machine; any time, lock held. */

/* What virtio devices are attached to: see transport.h. */
const struct virtio_transport *dev_transport(const struct device *dev);
/* What is kept for the next start; the main loop; the guest's memory. */
struct keep *dev_keep(const struct device *dev);
struct loop *dev_loop(const struct device *dev);
const struct mem *dev_mem(const struct device *dev);
/* End the machine: see vm_end(). Any thread, the lock held or not. */
void dev_end(struct device *dev, enum vm_end end, int status);
/*
 * KVM may collect the guest's writes to @len bytes at @off of @r, which was given to
 * dev_regs(): see vm_coalesce(), whose result this has; vm_coalesce_index();
 * vm_coalesced_seen().
 */
int dev_coalesce(struct device *dev, const struct region *r, u64 off, u32 len, bool on);
void dev_coalesce_index(struct device *dev, const struct region *r, bool *done, u64 off, u32 len);
void dev_coalesced_seen(struct device *dev);

#endif
