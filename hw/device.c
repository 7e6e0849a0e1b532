// SPDX-License-Identifier: GPL-2.0
/*
 * Devices: finding a type by its name, creating a device, and helpers for init(). The
 * linker collects types in no particular order; the order of devices is that of the
 * calls of device_add(). Machine lock, or before the machine runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kvm/arch.h>
#include <kvm/confine.h>
#include <kvm/device.h>
#include <kvm/kvm.h>
#include <kvm/log.h>
#include <kvm/opt.h>
#include <kvm/vm.h>

extern const struct device_type *const __start_device_types[];
extern const struct device_type *const __stop_device_types[];

const struct device_type *device_type_get(unsigned int i)
{
	return i < (size_t)(__stop_device_types - __start_device_types) ?
		__start_device_types[i] : NULL;
}

const struct device_type *device_type_find(const char *name)
{
	const struct device_type *type;
	unsigned int i;

	for (i = 0; (type = device_type_get(i)); i++)
		if (!strcmp(type->name, name))
			return type;
	return NULL;
}

static const struct opt *device_table(const struct device_type *type)
{
	static const struct opt none[] = { OPT_END };

	return type->opts ? type->opts : none;
}

/* Parse @opts into an object that is thrown away; *@set: is its @flag set? */
static int device_try(const struct device_type *type, const char *opts, const char *flag, bool *set,
		      struct opt_err *err)
{
	void *scratch = calloc(1, type->size);
	char *text = strdup(opts);
	int ret = -ENOMEM;

	if (scratch && text) {
		ret = opt_parse_sub(device_table(type), scratch, text, err);
		*set = flag && opt_flag(device_table(type), scratch, flag);
		opt_free(device_table(type), scratch);
	} else {
		snprintf(err->text, sizeof(err->text), "out of memory");
	}
	free(text);
	free(scratch);
	return ret;
}

int device_check(const char *name, const char *opts, struct opt_err *err)
{
	const struct device_type *type = device_type_find(name);
	bool set;

	if (type)
		return device_try(type, opts, NULL, &set, err);
	snprintf(err->text, sizeof(err->text), "there is no device \"%s\"", name);
	return -EINVAL;
}

bool device_flag(const char *name, const char *opts, const char *flag)
{
	const struct device_type *type = device_type_find(name);
	struct opt_err err;
	bool set = false;

	return type && !device_try(type, opts, flag, &set, &err) && set;
}

static int device_opts(struct device *dev, const char *opts)
{
	struct opt_err err;
	char *text;
	int ret;

	if (!opts || !*opts)
		return 0;
	text = strdup(opts);		/* what is parsed points into it */
	if (!text)
		return dev_err(dev, -ENOMEM, "suboptions");
	ret = undo_free(&dev->undo, text);
	if (ret)
		return ret;
	ret = opt_parse_sub(device_table(dev->type), dev, text, &err);
	if (ret)
		pr_err("%s: %s", dev->type->name, err.text);
	return ret;
}

static void device_free(void *arg)
{
	struct device *dev = arg;

	undo_run(&dev->undo);
	list_del(&dev->node);
	if (dev->abandoned)
		return;
	opt_free(device_table(dev->type), dev);
	free(dev);
}

void device_abandon(struct device *dev)
{
	dev->abandoned = dev->vm->abandoned = true;
	list_splice_init(&dev->undo.entries, &dev->left);
	list_splice_init(&dev->vm->ram.entries, &dev->left);
}

void device_del(struct device *dev)
{
	undo_now(&dev->vm->undo, device_free, dev);
}

/* Among those of its type: the lowest number from @index on that is free. */
static unsigned int device_index(const struct device *dev, unsigned int index)
{
	const struct device *other;
	bool taken;

	do {
		taken = false;
		list_for_each_entry(other, &dev->vm->devices, node)
			taken |= other->type == dev->type && other->index == index;
		index += taken;
	} while (taken);
	return index;
}

/* One that comes while the others are held is held as often. */
static int device_hold_late(struct device *dev)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && dev->hold && i < dev->vm->device_holds; i++)
		ret = dev->hold(dev);
	return ret;
}

int device_add_numbered(struct vm *vm, const char *name, const char *opts, unsigned int number,
			struct device **out)
{
	const struct device_type *type = device_type_find(name);
	struct opt_near near = { .distance = 0 };
	struct device *dev;
	unsigned int i;
	int ret;

	if (!type) {
		for (i = 0; (type = device_type_get(i)); i++)
			if (!type->internal)
				opt_near(&near, name, type->name);
		pr_err("there is no device \"%s\"%s%s%s; --device help lists them", name,
		       near.word ? ", did you mean \"" : "", near.word ? near.word : "",
		       near.word ? "\"?" : "");
		return -EINVAL;
	}
	dev = calloc(1, type->size);
	if (!dev)
		return -ENOMEM;
	dev->type = type;
	dev->vm = vm;
	dev->index = device_index(dev, number);
	snprintf(dev->name, sizeof(dev->name), "%s%u", type->name, dev->index);
	undo_init(&dev->undo);
	INIT_LIST_HEAD(&dev->left);
	INIT_LIST_HEAD(&dev->parts);
	list_add_tail(&dev->node, &vm->devices);
	ret = undo_add(&vm->undo, device_free, dev);
	if (ret)
		return ret;
	ret = device_opts(dev, opts);
	if (!ret)
		ret = type->init(dev);
	if (!ret)
		ret = device_hold_late(dev);
	if (ret)
		device_del(dev);
	else if (out)
		*out = dev;
	return ret;
}

int device_add(struct vm *vm, const char *name, const char *opts, struct device **out)
{
	return device_add_numbered(vm, name, opts, 0, out);
}

struct device *device_find(const struct vm *vm, const char *type)
{
	struct device *dev;

	list_for_each_entry(dev, &vm->devices, node)
		if (!strcmp(dev->type->name, type))
			return dev;
	return NULL;
}

const struct resource *device_registers(const struct device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_res; i++)
		if (dev->res[i].kind <= RES_MMIO)
			return &dev->res[i];
	return NULL;
}

u64 device_resource(const struct device *dev, enum resource_kind kind)
{
	unsigned int i;

	for (i = 0; i < dev->nr_res; i++)
		if (dev->res[i].kind == kind)
			return dev->res[i].base;
	return 0;
}

/* Release those that were created before @end. */
static void devices_release_to(struct vm *vm, const struct device *end)
{
	struct device *dev;

	list_for_each_entry(dev, &vm->devices, node) {
		if (dev == end)
			break;
		if (dev->release)
			dev->release(dev);
	}
}

int devices_hold(struct vm *vm)
{
	struct device *dev;

	list_for_each_entry(dev, &vm->devices, node) {
		int ret = dev->hold ? dev->hold(dev) : 0;

		if (ret) {
			devices_release_to(vm, dev);
			return ret;
		}
	}
	vm->device_holds++;
	return 0;
}

void devices_release(struct vm *vm)
{
	vm->device_holds--;
	devices_release_to(vm, NULL);
}

int dev_err(const struct device *dev, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_prefixed(LOG_ERROR, dev->name, err == -EINVAL ? 0 : err, fmt, ap);
	va_end(ap);
	return err;
}

int dev_defer(struct device *dev, void (*fn)(void *), void *arg)
{
	int ret = undo_add(&dev->undo, fn, arg);

	return ret ? dev_err(dev, ret, "undo log") : 0;
}

void *dev_alloc(struct device *dev, size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		dev_err(dev, -ENOMEM, "%zu bytes", size);
		return NULL;
	}
	return dev_defer(dev, free, p) ? NULL : p;
}

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

/* A device's requests to its machine */

struct keep *dev_keep(const struct device *dev)
{
	return dev->vm->cfg && !dev->unplugged ? dev->vm->cfg->keep : NULL;
}

const struct disk_opener *dev_opener(const struct device *dev)
{
	return dev->vm->opener;
}

struct display *dev_display(const struct device *dev)
{
	return dev->vm->cfg ? dev->vm->cfg->display : NULL;
}

const struct virtio_transport *dev_transport(const struct device *dev)
{
	return dev->vm->virtio;
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

int dev_coalesce(struct device *dev, const struct region *r, u64 off, u32 len, bool on)
{
	return vm_coalesce(dev->vm, device_pio(dev), r->base + off, len, on);
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
