// SPDX-License-Identifier: GPL-2.0
/*
 * Devices: finding a type by its name, creating one, and what every init
 * needs. Types are collected by the linker in no particular order; the order
 * of devices is the order in which device_add() is called. Machine lock, or
 * before the machine runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kvm/device.h>
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

static int device_opts(struct device *dev, const char *opts)
{
	static const struct opt none[] = { OPT_END };
	struct opt_err err;
	char *text;
	int ret;

	if (!opts || !*opts)
		return 0;
	text = strdup(opts);		/* what is parsed points into it */
	if (!text)
		return dev_err(dev, -ENOMEM, "suboptions");
	ret = undo_free(&dev->vm->undo, text);
	if (ret)
		return ret;
	ret = opt_parse_sub(dev->type->opts ? dev->type->opts : none, dev, text, &err);
	if (ret)
		pr_err("%s: %s", dev->type->name, err.text);
	return ret;
}

static void device_del(void *arg)
{
	struct device *dev = arg;

	list_del(&dev->node);
	free(dev);
}

int device_add(struct vm *vm, const char *name, const char *opts, struct device **out)
{
	const struct device_type *type = device_type_find(name);
	struct opt_near near = { .distance = 0 };
	struct device *dev, *other;
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
	list_for_each_entry(other, &vm->devices, node)
		dev->index += other->type == type;
	snprintf(dev->name, sizeof(dev->name), "%s%u", type->name, dev->index);
	list_add_tail(&dev->node, &vm->devices);
	ret = undo_add(&vm->undo, device_del, dev);
	if (ret)
		return ret;
	ret = device_opts(dev, opts);
	if (!ret)
		ret = type->init(dev);
	if (!ret && out)
		*out = dev;
	return ret;
}

struct device *device_find(const struct vm *vm, const char *type)
{
	struct device *dev;

	list_for_each_entry(dev, &vm->devices, node)
		if (!strcmp(dev->type->name, type))
			return dev;
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

int dev_err(const struct device *dev, int err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (err && err != -EINVAL)
		pr_err("%s: %s: %s", dev->name, text, strerror(-err));
	else
		pr_err("%s: %s", dev->name, text);
	return err;
}

int dev_defer(struct device *dev, void (*fn)(void *), void *arg)
{
	int ret = undo_add(&dev->vm->undo, fn, arg);

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

static int device_wire(struct device *dev, struct irq *irq, u32 input, enum resource_kind kind)
{
	int ret = irq_wire_init(irq, dev->vm->irqs, &dev->vm->undo, input);

	if (ret)
		return dev_err(dev, ret, "interrupt %u", input);
	return dev_claim(dev, kind, irqs_gsi(dev->vm->irqs, input), 1);
}

int dev_irq_wire(struct device *dev, struct irq *irq, u32 input)
{
	return device_wire(dev, irq, input, RES_IRQ);
}

int dev_irq_level(struct device *dev, struct irq *irq, u32 input)
{
	return device_wire(dev, irq, input, RES_IRQ_LEVEL);
}

int dev_irq_msg(struct device *dev, struct irq *irq)
{
	int ret = irq_msg_init(irq, dev->vm->irqs, &dev->vm->undo);

	return ret ? dev_err(dev, ret, "interrupt message") : 0;
}
