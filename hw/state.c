// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a machine: its devices, each with its own members and what its
 * family adds (kvm/state.h). Main thread, machine lock.
 */
#include <errno.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/log.h>
#include <kvm/state.h>
#include <kvm/vm.h>

/* What a family adds to a device. */
struct device_part {
	struct list_head node;		/* on dev->parts, in order */
	const char *name;
	int (*fn)(void *obj, struct state *s);
	void *obj;
};

static void device_part_free(void *arg)
{
	struct device_part *part = arg;

	list_del(&part->node);
	free(part);
}

int dev_state(struct device *dev, const char *name, int (*fn)(void *obj, struct state *s), void *obj)
{
	struct device_part *part = calloc(1, sizeof(*part));

	if (!part)
		return dev_err(dev, -ENOMEM, "state");
	part->name = name;
	part->fn = fn;
	part->obj = obj;
	list_add_tail(&part->node, &dev->parts);
	return dev_defer(dev, device_part_free, part);
}

static int device_parts(struct device *dev, struct state *s)
{
	struct device_part *part;
	int ret = 0;

	list_for_each_entry(part, &dev->parts, node) {
		ret = state_begin(s, part->name);
		if (!ret)
			ret = part->fn(part->obj, s);
		if (!ret)
			ret = state_end(s);
		if (ret)
			break;
	}
	return ret;
}

static int device_state(struct device *dev, struct state *s)
{
	const struct device_type *type = dev->type;
	int ret = state_begin(s, dev->name);

	if (!ret && !type->state)
		ret = state_refuse(s, "lkvm cannot save the state of a %s", type->name);
	if (!ret && !state_reads(s) && type->saving)
		type->saving(dev);
	if (!ret)
		ret = state_fields(s, type->state, dev);
	/* What a family has is not kept in S3: a driver sets it up again. */
	if (!ret && state_kind(s) == STATE_ALL)
		ret = device_parts(dev, s);
	if (!ret && state_reads(s) && type->loaded && type->loaded(dev))
		ret = state_refuse(s, "it is impossible");
	return ret ? ret : state_end(s);
}

int vm_state(struct vm *vm, struct state *s)
{
	struct device *dev;
	int ret;

	list_for_each_entry_reverse(dev, &vm->devices, node) {
		ret = device_state(dev, s);
		if (ret)
			return ret;
	}
	return state_finish(s);
}
