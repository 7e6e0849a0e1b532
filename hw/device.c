// SPDX-License-Identifier: GPL-2.0
/*
 * Devices: finding a type by its name, creating a device, removing it, and holding
 * all. The linker collects types in no particular order; the order of devices is that of
 * the calls of device_add(). Machine lock, or before the machine runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

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
