// SPDX-License-Identifier: GPL-2.0
/* The disks of a machine: see kvm/drive.h. */
#include <string.h>

#include <kvm/device.h>
#include <kvm/drive.h>
#include <kvm/vm.h>

static void drive_gone(void *arg)
{
	list_del(&((struct drive *)arg)->node);
}

int dev_drive(struct device *dev, struct drive *drive)
{
	drive->dev = dev;
	list_add_tail(&drive->node, &dev->vm->drives);
	return dev_defer(dev, drive_gone, drive);
}

struct drive *drive_find(const struct vm *vm, const char *name)
{
	struct drive *drive;

	list_for_each_entry(drive, &vm->drives, node)
		if (!strcmp(drive->serial, name))
			return drive;
	list_for_each_entry(drive, &vm->drives, node)
		if (!strcmp(drive->dev->name, name))
			return drive;
	return NULL;
}
