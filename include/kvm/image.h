/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Image files, for commands: they are made, described, checked. See kvm/disk.h for what
 * is done with them as disks. All take a plain file or a block device, and return 0, or
 * -errno with @err filled in. Any thread.
 */
#ifndef KVM_IMAGE_H
#define KVM_IMAGE_H

#include <kvm/disk.h>

struct image_create {
	const char *file;	/* is made; one that exists is an error */
	enum disk_format format;
	u64 size;		/* bytes of the disk, a multiple of 512; 0: that of the backing file */
	/* qcow2: 0 and NULL are the defaults */
	u64 cluster;		/* bytes: a power of two, 512 to 2M (64K) */
	int refcount_bits;	/* a power of two, 1 to 64 (16) */
	int version;		/* 2 or 3 (3) */
	bool lazy;		/* reference counts are written when the image is closed */
	bool extended;		/* clusters have 32 subclusters */
	const char *backing;	/* an image that is read where this one has nothing; from this one's directory on */
	enum disk_format backing_format;
	const char *data_file;	/* is made, too: a raw image with all data; from this one's directory on */
};
int image_create(const struct image_create *c, struct opt_err *err);

struct image_snapshot {
	char id[64], name[256];	/* cut if longer */
	u64 size;		/* bytes of the disk as it was */
	u64 vm_state;		/* bytes, or 0 */
	u64 l1_off;		/* its table in the file */
	u32 l1_size;
	u32 seconds;		/* since 1970 */
};

struct image_info {
	enum disk_format format;
	u64 size;		/* bytes of the disk */
	u64 used;		/* bytes that the file occupies on the host */
	/* qcow2: */
	u32 version, cluster, refcount_bits;
	bool lazy, extended, dirty, corrupt;
	char backing[1024], backing_format[16], data_file[1024];	/* "": none */
	unsigned int nr_snapshots;
	struct image_snapshot *snapshot;	/* free() it */
};
int image_info(struct image_info *info, const char *file, enum disk_format format, struct opt_err *err);

/* Check a qcow2 image against itself; what it names is not looked at. */
struct image_check {
	bool repair;		/* counts and what depends on them; nothing that the guest wrote is thrown away */
	void (*say)(void *arg, const char *text);	/* each complaint, or NULL */
	void *arg;
	u64 errors;		/* found: data is in danger */
	u64 leaks;		/* clusters found that nothing uses */
	u64 fixed;		/* of both */
};
int image_check(const char *file, enum disk_format format, struct image_check *check, struct opt_err *err);

#endif
