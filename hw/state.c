// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a machine (kvm/state.h): its devices, each with its own members and the
 * additions of its family; then KVM's part. Main thread, machine lock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/log.h>
#include <kvm/state.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

/* A family's addition to the state of a device. */
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

	if (!ret && !type->state && state_kind(s) == STATE_ALL)
		ret = state_refuse(s, "lkvm cannot save the state of a %s", type->name);
	if (!ret && !state_reads(s) && type->saving)
		type->saving(dev);
	if (!ret && type->state)
		ret = state_fields(s, type->state, dev);
	/* S3 keeps no family's state: the driver sets it up again. */
	if (!ret && state_kind(s) == STATE_ALL)
		ret = device_parts(dev, s);
	if (!ret && state_reads(s) && type->loaded && type->loaded(dev, state_kind(s)))
		ret = state_refuse(s, "its values are impossible");
	return ret ? ret : state_end(s);
}

static int vcpus_state(struct vm *vm, struct state *s)
{
	char name[32];
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < vm->nr_vcpus; i++) {
		snprintf(name, sizeof(name), "vcpu%u", i);
		ret = state_begin(s, name);
		if (!ret)
			ret = arch_vcpu_state(vm->vcpu[i], s);
		if (!ret)
			ret = state_end(s);
	}
	return ret;
}

int vm_state(struct vm *vm, struct state *s)
{
	struct device *dev;
	int ret = 0;

	list_for_each_entry_reverse(dev, &vm->devices, node) {
		ret = device_state(dev, s);
		if (ret)
			return ret;
	}
	if (state_kind(s) == STATE_ALL && vm->vm_fd >= 0) {
		ret = state_begin(s, "machine");
		if (!ret)
			ret = arch_state(vm, s);
		if (!ret)
			ret = state_end(s);
		if (!ret)
			ret = vcpus_state(vm, s);
	}
	if (!ret)
		ret = state_finish(s);
	/* Those that were read are on hold: see virtio/state.c. */
	if (!ret && state_reads(s) && state_kind(s) == STATE_ALL)
		vm->device_holds++;
	return ret;
}
