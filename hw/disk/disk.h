/* SPDX-License-Identifier: GPL-2.0 */
/* A kind of disk, for hw/disk/disk.c: see kvm/disk.h. */
#ifndef HW_DISK_DISK_H
#define HW_DISK_DISK_H

#include <kvm/disk.h>
#include <kvm/opt.h>
#include <kvm/state.h>

/*
 * At the head of each kind's own structure. A kind is a backend, which has the blocks, or a
 * layer, which serves requests with the help of the disk below it.
 */
struct disk {
	const struct disk_type *type;
	struct disk *below;	/* of a layer, which it owns; or NULL */
	u64 size;		/* bytes, a multiple of block; it changes under readers: disk_size() */
	u32 block;
	u32 grain;		/* bytes that are given back at a time, 0: a block */
	bool ro;
	bool scratch;		/* nobody keeps it: nothing needs to be on stable storage */
};

/* All may block and are called by any thread. 0 or -errno. Ranges are whole blocks within the disk. */
struct disk_type {
	/* A layer's, in place of the five below. */
	int (*serve)(struct disk *d, const struct disk_req *req);
	int (*read)(struct disk *d, u64 off, struct iov_iter *data);
	int (*write)(struct disk *d, u64 off, struct iov_iter *data);
	int (*flush)(struct disk *d);
	int (*discard)(struct disk *d, u64 off, u64 len);	/* -EOPNOTSUPP: nothing can be given back */
	int (*zero)(struct disk *d, u64 off, u64 len);
	/* Without what is below. */
	void (*free)(struct disk *d);
	/* May be NULL: see disk_map(). */
	int (*map)(struct disk *d, u64 off, u64 len, struct disk_extent *e);
	/* May be NULL. The image has another size: disk_resize() changes d->size. */
	int (*resize)(struct disk *d, u64 size, struct opt_err *err);
	bool grows;	/* and does not become smaller */
	/* May be NULL: see disk_cancel(), disk_freeze(), disk_cut(), disk_mark(). */
	void (*cancel)(struct disk *d);
	void (*freeze)(struct disk *d);
	int (*cut)(struct disk *d, u64 seed, struct disk_cut *cut);
	int (*mark)(struct disk *d, const char *text);
	/*
	 * For disk_state(): the image; and what was written over it, NULL: nothing is. A layer
	 * with neither keeps nothing between requests, unless it has cut() or mark().
	 */
	int (*image)(struct disk *d, struct state *s);
	int (*layer)(struct disk *d, struct state *s);
};

/* Fill in @err; returns @ret. */
int disk_bad(struct opt_err *err, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Open for @opts, by its opener; a nameless file in @dir for @flags with O_TMPFILE. As open(2). */
int disk_open_file(const struct disk_options *opts, const char *path, int flags);
/* A layer of @type over @below, @size bytes with struct disk at its head; NULL: out of memory. */
void *disk_layer(size_t size, const struct disk_type *type, struct disk *below);

/* Layers over *@d, which becomes the layer. 0, or -errno with @err filled in, and *@d is as it was. */
int disk_room_open(struct disk **d, struct opt_err *err);
int disk_volatile_open(struct disk **d, u64 cache, u32 physical, struct opt_err *err);
int disk_log_open(struct disk **d, const struct disk_options *opts, struct opt_err *err);
int disk_limits_open(struct disk **d, u64 iops, u64 bps, struct opt_err *err);
int disk_faults_open(struct disk **d, struct opt_err *err);

/* The file or block device, or "new:SIZE". */
int disk_raw_open(struct disk **out, const struct disk_options *opts, struct opt_err *err);
/* What disk_raw_open() has opened; it stays the disk's. */
int disk_raw_fd(const struct disk *d, bool *device);
/* A qcow2 image, with the images behind it. */
int disk_qcow2_open(struct disk **out, const struct disk_options *opts, struct opt_err *err);
/* What is written over the image goes to @opts->cow_file; @qcow2: the image is. */
int disk_cow_open(struct disk **out, const struct disk_options *opts, bool qcow2, struct opt_err *err);
/* Does the name say that it is qcow2? Does the file look so? */
bool disk_is_named_qcow2(const char *file);
bool disk_begins_as_qcow2(int fd);
/* An empty file of @size bytes that has no name, as a disk. */
int disk_scratch_open(struct disk **out, u64 size, const struct disk_options *opts, struct opt_err *err);
/* What is written to @base goes to a file that has no name. @base is the new disk's, or stays the caller's after an error. */
int disk_overlay_open(struct disk **out, struct disk *base, const struct disk_options *opts, struct opt_err *err);

#endif
