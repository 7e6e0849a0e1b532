/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The disks of a running machine, whatever device shows them to the guest: what the user's
 * verbs act on. Machine lock held.
 */
#ifndef KVM_DRIVE_H
#define KVM_DRIVE_H

#include <linux/list.h>
#include <kvm/types.h>

struct device;
struct disk;
struct vm;

struct drive {
	struct list_head node;		/* on vm->drives, in the order of the devices */
	struct device *dev;
	struct disk *disk;
	const char *serial, *file;	/* of the device */
	/* The disk has another size: tell the guest. */
	void (*resized)(struct drive *drive);
};

/* For init(): @drive has its disk and texts, and is the machine's until @dev is gone. 0, or -errno with the message printed. */
int dev_drive(struct device *dev, struct drive *drive);

/* By its serial number, or by the name of its device ("virtio-blk0"); NULL: there is none. */
struct drive *drive_find(const struct vm *vm, const char *name);

#endif
