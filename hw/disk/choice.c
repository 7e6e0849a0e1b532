// SPDX-License-Identifier: GPL-2.0
/* A disk as a user describes it, whatever device shows it to the guest: see kvm/disk.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "disk.h"

#define CHOICE_CACHE	(64 * MIB)	/* of volatile without a size */
#define CHOICE_CACHE_MIN	(64 * KIB)
#define CHOICE_CACHE_MAX	(16 * GIB)

/* In the directory of the image that names them or below, or anywhere. */
static const char *const choice_backing[] = { "beside", "any", NULL };

static const char *const choice_bus[] = { "blk", "scsi", NULL };
static const char *const choice_device[] = { "virtio-blk", "virtio-scsi" };
static const char *const choice_werror[] = { "report", "pause", NULL };

const struct opt disk_choice_opts[] = {
	OPT_STR_FIRST("file", struct disk_choice, file, "FILE", "an image, a block device, or new:SIZE"),
	OPT_BOOL(0, "ro", struct disk_choice, ro, "read-only; machines may share it"),
	OPT_STR_ALONE("cow", struct disk_choice, cow, "KEPT",
		      "the image is only read: what is written goes to KEPT, a .qcow2 or a clone, or is gone afterwards"),
	OPT_BOOL(0, "direct", struct disk_choice, direct, "past the host's page cache (O_DIRECT)"),
	OPT_CHOICE(0, "format", struct disk_choice, format, disk_formats, "what FILE is (auto: by its name)"),
	OPT_STR(0, "snapshot", struct disk_choice, snapshot, "NAME", "qcow2: the disk as it was in that snapshot"),
	OPT_CHOICE(0, "backing", struct disk_choice, backing, choice_backing, "where files that a qcow2 image names may be"),
	OPT_BOOL(0, "verify", struct disk_choice, verify, "qcow2: prove that each cluster is free before it is used; slow"),
	OPT_CHOICE(0, "werror", struct disk_choice, werror, choice_werror, "when the host has no room: tell the guest, or hold the machine"),
	OPT_CHOICE(0, "bus", struct disk_choice, bus, choice_bus, "what the guest has it by: virtio-blk or virtio-scsi"),
	OPT_STR(0, "serial", struct disk_choice, serial, "TEXT", "serial number, 1 to 20 bytes (disk0, counted on)"),
	OPT_INT(0, "queues", struct disk_choice, queues, 1, DISK_QUEUES_MAX, "N", "queues, each with a thread (1)"),
	OPT_SIZE(0, "block", struct disk_choice, block, 1, DISK_BLOCK_MIN, DISK_BLOCK_MAX, "SIZE", "logical block (512)"),
	OPT_SIZE(0, "physical", struct disk_choice, physical, 1, DISK_BLOCK_MIN, 2 * MIB, "SIZE", "physical block (the logical one)"),
	OPT_SIZE(0, "optimal", struct disk_choice, optimal, 1, DISK_BLOCK_MIN, GIB, "SIZE", "what the guest had best ask for at a time"),
	OPT_STR_ALONE("volatile", struct disk_choice, cache, "SIZE", "a write cache that a power cut loses (64M)"),
	OPT_STR(0, "keep-log", struct disk_choice, log, "FILE", "record all writes for 'lkvm disk replay'"),
	OPT_INT(0, "iops", struct disk_choice, iops, 1, INT32_MAX, "N", "requests a second at most"),
	OPT_SIZE(0, "bps", struct disk_choice, bps, 1, 1, 1024 * GIB, "SIZE", "bytes a second at most"),
	OPT_STR(0, "faults", struct disk_choice, faults, "FAULT", "fail on purpose: see 'lkvm help disk fault'; its commas are written \",,\""),
	OPT_END
};

const char *disk_choice_device(const char *text)
{
	struct disk_choice c = { .file = NULL };
	char *copy = strdup(text);
	struct opt_err err;
	int ret = copy ? opt_parse_sub(disk_choice_opts, &c, copy, &err) : -ENOMEM;

	free(copy);
	return ret ? NULL : choice_device[c.bus];
}

/* "volatile" has a size, or needs none. */
static int choice_cache(const struct disk_choice *c, u64 *size, struct opt_err *err)
{
	*size = c->cache ? CHOICE_CACHE : 0;
	if (c->cache && *c->cache && (opt_size(c->cache, MIB, size) || *size < CHOICE_CACHE_MIN || *size > CHOICE_CACHE_MAX))
		return disk_bad(err, -EINVAL, "volatile=%s: a size from 64K to 16G, as in 64M", c->cache);
	return 0;
}

int disk_open_choice(struct disk **out, const struct disk_choice *c, const struct disk_opener *opener,
		     struct keep *keep, const char *key, struct opt_err *err)
{
	struct disk_options opts = {
		.file = c->file, .ro = c->ro, .cow = c->cow && !*c->cow, .direct = c->direct, .format = c->format,
		.block = c->block ? c->block : DISK_BLOCK_MIN, .physical = c->physical,
		.cow_file = c->cow && *c->cow ? c->cow : NULL, .wait_full = c->werror,
		.snapshot = c->snapshot, .anywhere = c->backing, .verify = c->verify,
		.log = c->log, .iops = c->iops, .bps = c->bps, .faults = c->faults, .opener = opener,
	};
	int ret = choice_cache(c, &opts.cache, err);

	return ret ? ret : disk_open(out, &opts, keep, key, err);
}
