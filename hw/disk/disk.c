// SPDX-License-Identifier: GPL-2.0
/* Disks by what they are made of: see kvm/disk.h. */
#include <errno.h>
#include <string.h>

#include <kvm/keep.h>

#include "disk.h"

const char *const disk_formats[] = { "auto", "raw", NULL };

static int disk_check(const struct disk_options *opts, struct opt_err *err)
{
	u32 block = opts->block;

	if (!opts->file || !*opts->file)
		return disk_bad(err, -EINVAL, "needs an image, a block device, or new:SIZE");
	if (block < DISK_BLOCK_MIN || block > DISK_BLOCK_MAX || (block & (block - 1)))
		return disk_bad(err, -EINVAL, "a block has a power of two of bytes, from 512 to 64K");
	if (opts->ro && opts->cow)
		return disk_bad(err, -EINVAL, "cow is for a disk that is written: not with ro");
	if (!strncmp(opts->file, "new:", 4) && (opts->ro || opts->cow))
		return disk_bad(err, -EINVAL, "%s is there to be written: neither ro nor cow", opts->file);
	return 0;
}

int disk_open(struct disk **out, const struct disk_options *opts, struct keep *keep, const char *key,
	      struct opt_err *err)
{
	struct disk *base = NULL;
	int ret;

	*out = keep_take(keep, key);
	if (*out)
		return 0;
	ret = disk_check(opts, err);
	if (ret)
		return ret;
	ret = disk_raw_open(&base, opts, err);
	if (!ret && opts->cow) {
		ret = disk_overlay_open(out, base, opts->direct, err);
		if (ret)
			base->type->free(base);
	} else if (!ret) {
		*out = base;
	}
	return ret;
}

static void disk_free(void *obj)
{
	struct disk *d = obj;

	d->type->free(d);
}

void disk_close(struct disk *d, struct keep *keep, const char *key)
{
	if (keep_put(keep, key, d, disk_free))
		disk_free(d);
}

u64 disk_size(const struct disk *d)
{
	return d->size;
}

bool disk_readonly(const struct disk *d)
{
	return d->ro;
}

bool disk_allows(const struct disk *d, const struct disk_req *req)
{
	if (req->op == DISK_FLUSH)
		return true;
	if (d->ro && req->op != DISK_READ)
		return false;
	return req->len && !(req->off % d->block) && !(req->len % d->block) &&
	       req->off <= d->size && req->len <= d->size - req->off;
}

static int disk_do(struct disk *d, const struct disk_req *req)
{
	int ret;

	switch (req->op) {
	case DISK_READ:
		return d->type->read(d, req->off, req->data);
	case DISK_WRITE:
		return d->type->write(d, req->off, req->data);
	case DISK_DISCARD:
		/* Not to give anything back is no error: it was a hint. */
		ret = d->type->discard(d, req->off, req->len);
		return ret == -EOPNOTSUPP ? 0 : ret;
	case DISK_ZERO:
		return d->type->zero(d, req->off, req->len);
	case DISK_FLUSH:
		break;
	}
	return d->scratch || d->ro ? 0 : d->type->flush(d);
}

int disk_serve(struct disk *d, const struct disk_req *req)
{
	static const struct disk_req flush = { .op = DISK_FLUSH };
	int ret = disk_do(d, req);

	return ret || !req->durable ? ret : disk_do(d, &flush);
}
