/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Image files, for commands: they are made, and described. See kvm/disk.h for what is
 * done with them as disks. All take a plain file or a block device, and return 0, or
 * -errno with @err filled in. Any thread.
 */
#ifndef KVM_IMAGE_H
#define KVM_IMAGE_H

#include <kvm/disk.h>

struct image_create {
	const char *file;	/* is made; one that exists is an error */
	enum disk_format format;
	u64 size;		/* bytes of the disk, a multiple of 512, not 0 */
};
int image_create(const struct image_create *c, struct opt_err *err);

struct image_info {
	enum disk_format format;
	u64 size;		/* bytes of the disk */
	u64 used;		/* bytes that the file occupies on the host */
};
int image_info(struct image_info *info, const char *file, enum disk_format format, struct opt_err *err);

#endif
