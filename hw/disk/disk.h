/* SPDX-License-Identifier: GPL-2.0 */
/* A kind of disk, for hw/disk/disk.c: see kvm/disk.h. */
#ifndef HW_DISK_DISK_H
#define HW_DISK_DISK_H

#include <kvm/disk.h>
#include <kvm/opt.h>

/* At the head of each kind's own structure. */
struct disk {
	const struct disk_type *type;
	u64 size;		/* bytes, a multiple of block */
	u32 block;
	bool ro;
	bool scratch;		/* nobody keeps it: nothing needs to be on stable storage */
};

/* All may block and are called by any thread. 0 or -errno. Ranges are whole blocks within the disk. */
struct disk_type {
	int (*read)(struct disk *d, u64 off, struct iov_iter *data);
	int (*write)(struct disk *d, u64 off, struct iov_iter *data);
	int (*flush)(struct disk *d);
	int (*discard)(struct disk *d, u64 off, u64 len);	/* -EOPNOTSUPP: nothing can be given back */
	int (*zero)(struct disk *d, u64 off, u64 len);
	void (*free)(struct disk *d);
};

/* Fill in @err; returns @ret. */
int disk_bad(struct opt_err *err, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The file or block device, or "new:SIZE". */
int disk_raw_open(struct disk **out, const struct disk_options *opts, struct opt_err *err);
/* An empty file of @size bytes that has no name, as a disk. */
int disk_scratch_open(struct disk **out, u64 size, u32 block, bool direct, struct opt_err *err);
/* What is written to @base goes to a file that has no name. @base is the new disk's, or stays the caller's after an error. */
int disk_overlay_open(struct disk **out, struct disk *base, bool direct, struct opt_err *err);

#endif
