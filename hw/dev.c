// SPDX-License-Identifier: GPL-2.0
/*
 * What a device may have of its machine: the dev_*() of kvm/device.h. A device does not
 * see struct vm; each of these is a line or two to the part that does it, and an entry
 * in the device's undo log. Machine lock, or before the machine runs.
 */
#include <errno.h>
#include <stdlib.h>

#include <kvm/arch.h>
#include <kvm/confine.h>
#include <kvm/device.h>
#include <kvm/kvm.h>
#include <kvm/vm.h>

int dev_claim(struct device *dev, enum resource_kind kind, u64 base, u64 len)
{
	if (dev->nr_res == DEV_RESOURCES_MAX)
		return dev_err(dev, -ENOSPC, "more than %d resources", DEV_RESOURCES_MAX);
	dev->res[dev->nr_res++] = (struct resource) { kind, base, len };
	return 0;
}

struct device_region {
	struct bus *bus;
	struct region *region;
};

static void device_region_del(void *arg)
{
	struct device_region *r = arg;

	bus_del(r->bus, r->region);
	free(r);
}

int dev_bus_add(struct device *dev, struct bus *bus, struct region *r)
{
	struct device_region *entry;
	int ret;

	ret = bus_add(bus, r);
	if (ret)
		return dev_err(dev, ret, "%s 0x%llx..0x%llx", bus->name, (unsigned long long)r->base,
			       (unsigned long long)(r->base + r->len - 1));
	entry = malloc(sizeof(*entry));
	if (!entry) {
		bus_del(bus, r);
		return dev_err(dev, -ENOMEM, "register region");
	}
	*entry = (struct device_region) { bus, r };
	ret = dev_defer(dev, device_region_del, entry);
	if (ret)
		return ret;
	if (bus == &dev->vm->pio)
		return dev_claim(dev, RES_PIO, r->base, r->len);
	if (bus == &dev->vm->mmio)
		return dev_claim(dev, RES_MMIO, r->base, r->len);
	return 0;
}

static int device_region(struct device *dev, struct bus *bus, struct region *r, u64 base, u64 len,
			 const struct region_ops *ops, void *obj)
{
	*r = (struct region) {
		.name = r->name ? r->name : dev->type->name,
		.base = base, .len = len, .ops = ops, .obj = obj,
	};
	return dev_bus_add(dev, bus, r);
}

int dev_regs(struct device *dev, struct region *r, u64 base, u64 len,
	     const struct region_ops *ops, void *obj)
{
	return device_region(dev, dev->vm->regs, r, base, len, ops, obj);
}

int dev_mmio(struct device *dev, struct region *r, u64 base, u64 len,
	     const struct region_ops *ops, void *obj)
{
	return device_region(dev, &dev->vm->mmio, r, base, len, ops, obj);
}

/* Interrupts */

/* The device no longer raises the wire. */
static void device_wire_low(void *arg)
{
	irq_set(arg, false);
}

int dev_irq_hidden(struct device *dev, struct irq *irq, u32 input)
{
	int ret = irq_wire_init(irq, dev->vm->irqs, &dev->undo, input);

	if (ret)
		return dev_err(dev, ret, "interrupt %u", input);
	return dev_defer(dev, device_wire_low, irq);
}

static int device_wire(struct device *dev, struct irq *irq, u32 input, enum resource_kind kind)
{
	int ret = dev_irq_hidden(dev, irq, input);

	return ret ? ret : dev_claim(dev, kind, irqs_gsi(dev->vm->irqs, input), 1);
}

int dev_irq_wire(struct device *dev, struct irq *irq, u32 input)
{
	return device_wire(dev, irq, input, RES_IRQ);
}

int dev_irq_level(struct device *dev, struct irq *irq, u32 input)
{
	return device_wire(dev, irq, input, RES_IRQ_LEVEL);
}

int dev_irq_msg(struct device *dev, struct irq *irq, u32 devid)
{
	int ret = irq_msg_init(irq, dev->vm->irqs, &dev->undo, devid);

	return ret ? dev_err(dev, ret, "interrupt message") : 0;
}

/* Callbacks */

/* A callback of a device, for the undo log. */
struct device_callback {
	struct device *dev;
	struct timer *timer;		/* one of the two */
	struct work *work;
};

static void device_callback_cancel(void *arg)
{
	struct device_callback *c = arg;

	if (c->timer)
		loop_timer_cancel(dev_loop(c->dev), c->timer);
	else
		loop_unpost(dev_loop(c->dev), c->work);
	free(c);
}

static int device_callback(struct device *dev, struct timer *timer, struct work *work)
{
	struct device_callback *c = malloc(sizeof(*c));

	if (!c)
		return dev_err(dev, -ENOMEM, "callback");
	*c = (struct device_callback) { dev, timer, work };
	return dev_defer(dev, device_callback_cancel, c);
}

int dev_timer(struct device *dev, struct timer *t, void (*fn)(struct timer *t))
{
	t->fn = fn;
	return device_callback(dev, t, NULL);
}

int dev_work(struct device *dev, struct work *w, void (*fn)(struct work *w))
{
	w->fn = fn;
	return device_callback(dev, NULL, w);
}

/* Requests to its machine */

int dev_place(struct device *dev, const char *part, unsigned int nr, int *base, int *irq)
{
	struct arch_place place = { .base = 0 };

	if (*base && (!irq || *irq))
		return 0;
	if (arch_place(part, nr, &place)) {
		*base = *base ? *base : (int)place.base;
		if (irq)
			*irq = *irq ? *irq : (int)place.irq;
	}
	if (*base && (!irq || *irq))
		return 0;
	return dev_err(dev, -EINVAL, "this machine has no place for another one: %s", irq ?
		       "base= and irq= are needed" : "base= is needed");
}

struct keep *dev_keep(const struct device *dev)
{
	return dev->vm->cfg && !dev->unplugged ? dev->vm->cfg->keep : NULL;
}

const struct disk_opener *dev_opener(const struct device *dev)
{
	return dev->vm->opener;
}

const struct virtio_transport *dev_transport(const struct device *dev)
{
	return dev->vm->virtio;
}

struct display *dev_display(const struct device *dev)
{
	return dev->vm->cfg ? dev->vm->cfg->display : NULL;
}

struct loop *dev_loop(const struct device *dev)
{
	return dev->vm->loop;
}

const struct mem *dev_mem(const struct device *dev)
{
	return &dev->vm->mem;
}

void dev_end(struct device *dev, enum vm_end end, int status)
{
	vm_end(dev->vm, end, status);
}

void dev_no_room(struct device *dev)
{
	vm_no_room(dev->vm);
}

static bool device_pio(const struct device *dev)
{
	return dev->vm->regs == &dev->vm->pio;
}

int dev_coalesce(struct device *dev, const struct region *r, u64 off, u32 len, bool *on)
{
	return vm_coalesce_busy(dev->vm, device_pio(dev), r->base + off, len, on);
}

void dev_coalesce_stop(struct device *dev, bool *on)
{
	vm_coalesce_stop(dev->vm, on);
}

void dev_coalesce_index(struct device *dev, const struct region *r, bool *done, u64 off, u32 len)
{
	vm_coalesce_index(dev->vm, done, device_pio(dev), r->base + off, len);
}

void dev_coalesced_seen(struct device *dev)
{
	vm_coalesced_seen(dev->vm);
}

int dev_allow(struct device *dev, const char *path, unsigned int what)
{
	int ret = dev->vm->cfg ? confine_allow(dev->vm->cfg->confine, path, what) : 0;

	return ret ? dev_err(dev, ret, "%s", path) : 0;
}

void dev_allow_tcp(struct device *dev)
{
	if (dev->vm->cfg)
		confine_allow_tcp(dev->vm->cfg->confine, true, false);
}
