// SPDX-License-Identifier: GPL-2.0
/* Disks by what they are made of: see kvm/disk.h. */
#include <errno.h>
#include <string.h>

#include <kvm/keep.h>

#include "disk.h"

static bool disk_is_qcow2(const struct disk_options *opts)
{
	return opts->format == DISK_FORMAT_QCOW2 ||
	       (opts->format == DISK_FORMAT_AUTO && strncmp(opts->file, "new:", 4) && disk_is_named_qcow2(opts->file));
}

static int disk_check(const struct disk_options *opts, struct opt_err *err)
{
	u32 block = opts->block;

	if (!opts->file || !*opts->file)
		return disk_bad(err, -EINVAL, "needs an image, a block device, or new:SIZE");
	if (block < DISK_BLOCK_MIN || block > DISK_BLOCK_MAX || (block & (block - 1)))
		return disk_bad(err, -EINVAL, "a block has a power of two of bytes, from 512 to 64K");
	if (opts->physical < block || opts->physical % block || (opts->physical & (opts->physical - 1)))
		return disk_bad(err, -EINVAL, "a physical block is a power of two times the block of %u bytes", block);
	if (opts->ro && (opts->cache || opts->log))
		return disk_bad(err, -EINVAL, "nothing is written to a disk that is ro: neither volatile nor keep-log");
	if (opts->ro && (opts->cow || opts->cow_file))
		return disk_bad(err, -EINVAL, "cow is for a disk that is written: not with ro");
	if (!strncmp(opts->file, "new:", 4) && (opts->ro || opts->cow || opts->cow_file))
		return disk_bad(err, -EINVAL, "%s is there to be written: neither ro nor cow", opts->file);
	if (opts->snapshot && !opts->ro && !opts->cow)
		return disk_bad(err, -EINVAL, "a snapshot is only read: snapshot=%s needs ro or cow", opts->snapshot);
	if (!disk_is_qcow2(opts) && opts->snapshot)
		return disk_bad(err, -EINVAL, "%s is raw: it has no snapshots", opts->file);
	return 0;
}

static void disk_free(void *obj)
{
	struct disk *d, *below;

	for (d = obj; d; d = below) {
		below = d->below;
		d->type->free(d);
	}
}

static int disk_backend(struct disk **out, const struct disk_options *opts, struct opt_err *err)
{
	struct disk *base;
	int ret;

	if (opts->cow_file)
		return disk_cow_open(out, opts, disk_is_qcow2(opts), err);
	ret = disk_is_qcow2(opts) ? disk_qcow2_open(&base, opts, err) : disk_raw_open(&base, opts, err);

	if (ret)
		return ret;
	if (!opts->cow) {
		*out = base;
		return 0;
	}
	ret = disk_overlay_open(out, base, opts, err);
	if (ret)
		disk_free(base);
	return ret;
}

/* From the image to the guest: a log has what a volatile cache may lose, and faults change neither. */
static int disk_layers(struct disk **d, const struct disk_options *opts, struct opt_err *err)
{
	int ret = opts->wait_full ? disk_room_open(d, err) : 0;

	if (!ret && opts->cache)
		ret = disk_volatile_open(d, opts->cache, opts->physical, err);
	if (!ret && opts->log)
		ret = disk_log_open(d, opts, err);
	if (!ret && (opts->iops || opts->bps))
		ret = disk_limits_open(d, opts->iops, opts->bps, err);
	if (!ret)
		ret = disk_faults_open(d, err);
	if (!ret && opts->faults)
		ret = disk_fault(*d, opts->faults, err);
	return ret;
}

int disk_open(struct disk **out, const struct disk_options *given, struct keep *keep, const char *key,
	      struct opt_err *err)
{
	struct disk_options opts = *given;
	struct disk *d;
	int ret;

	*out = keep_take(keep, key);
	if (*out)
		return 0;
	if (!opts.physical)
		opts.physical = opts.block;
	ret = disk_check(&opts, err);
	if (!ret)
		ret = disk_backend(&d, &opts, err);
	if (ret)
		return ret;
	ret = disk_layers(&d, &opts, err);
	if (ret)
		disk_free(d);
	else
		*out = d;
	return ret;
}

void disk_close(struct disk *d, struct keep *keep, const char *key)
{
	if (keep_put(keep, key, d, disk_free))
		disk_free(d);
}
