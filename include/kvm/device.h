/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device is one source file with one const struct device_type. There is no
 * exit operation: what init acquires it writes in the machine's undo log, by
 * the helpers below, and a reset is teardown plus creation.
 */
#ifndef KVM_DEVICE_H
#define KVM_DEVICE_H

#include <linux/list.h>
#include <kvm/bus.h>
#include <kvm/irq.h>
#include <kvm/types.h>

struct acpi;
struct device;
struct opt;
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
	/* What it claims, as the firmware tables will say it. */
	struct resource res[DEV_RESOURCES_MAX];
	unsigned int nr_res;
};

const struct device_type *device_type_find(const char *name);
/* All types in no particular order: i = 0, 1, ... until NULL. */
const struct device_type *device_type_get(unsigned int i);

/*
 * Create a device of type @name with suboptions @opts ("a=1,b", may be NULL)
 * and add it to the machine. 0 or -errno with the message printed. The device
 * belongs to the machine's undo log. @out may be NULL.
 */
int device_add(struct vm *vm, const char *name, const char *opts, struct device **out);

/* The machine's first device of the type called @type, or NULL. */
struct device *device_find(const struct vm *vm, const char *type);

/* Where the first @kind of resource that @dev has claimed is; 0: it has none. */
u64 device_resource(const struct device *dev, enum resource_kind kind);

/* Print "lkvm: NAME: text[: strerror]" and return @err, so that callers say return dev_err(...). */
int dev_err(const struct device *dev, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* For init(): everything is given back by the undo log. 0 or -errno with the message printed. */
int dev_defer(struct device *dev, void (*fn)(void *), void *arg);
void *dev_alloc(struct device *dev, size_t size);	/* zeroed; NULL with the message printed */
/* Put @r on the machine's @bus and, for pio and mmio, record the resource. */
int dev_bus_add(struct device *dev, struct bus *bus, struct region *r);
/* Record what none of the others does. */
int dev_claim(struct device *dev, enum resource_kind kind, u64 base, u64 len);
int dev_irq_wire(struct device *dev, struct irq *irq, u32 input);
int dev_irq_level(struct device *dev, struct irq *irq, u32 input);
int dev_irq_msg(struct device *dev, struct irq *irq);

#endif
