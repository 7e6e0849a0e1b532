// SPDX-License-Identifier: GPL-2.0
/*
 * -d: each is a virtio-blk or virtio-scsi device, whose suboptions these are; the first
 * given is the guest's first disk of its kind. Main thread, before the machine is made.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/builtin.h>
#include <kvm/device.h>
#include <kvm/disk.h>
#include <kvm/initramfs.h>

#include "disks.h"

#define DISK	"virtio-blk"

static int disks_check(void *obj, const char *arg, struct opt_err *err)
{
	struct run_disks *own = obj;
	const char **item;
	int ret;

	if (!strcmp(arg, "help")) {
		opt_print_sub(stdout, device_type_find(DISK)->opts);
		exit(command_flush(0));
	}
	ret = device_check(DISK, arg, err);
	if (ret)
		return ret;
	item = reallocarray(own->disk.item, own->disk.nr + 1, sizeof(*item));
	if (!item) {
		snprintf(err->text, sizeof(err->text), "out of memory");
		return -ENOMEM;
	}
	own->disk.item = item;
	item[own->disk.nr++] = arg;
	return 0;
}

const struct opt disks_opts[] = {
	OPT_CALL('d', "disk", disks_check, "FILE[,OPTION...]",
		 "disk; FILE is an image, a block device, or new:SIZE for an empty one; -d help: the options"),
	OPT_BOOL(0, "hotplug", struct run_disks, hotplug,
		 "slots for disks that 'lkvm disk attach' adds; a machine with -d has them"),
	OPT_END
};

int disks_config(struct plan *plan, struct run_disks *own)
{
	int ret = 0;

	if ((own->disk.nr || own->hotplug) && plan->host_root)
		plan->features |= INITRAMFS_BLK;
	plan->cfg.hotplug = own->disk.nr || own->hotplug;
	for (unsigned int i = 0; !ret && i < own->disk.nr; i++) {
		const char *type = disk_choice_device(own->disk.item[i]);

		if (!type)
			return plan_err(-ENOMEM, "out of memory");
		if (strcmp(type, DISK) && plan->host_root)
			plan->features |= INITRAMFS_SCSI;
		ret = plan_device(plan, type, "%s", own->disk.item[i]);
	}
	return ret;
}

void disks_free(struct run_disks *own)
{
	free(own->disk.item);
}
