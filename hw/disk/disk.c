// SPDX-License-Identifier: GPL-2.0
/* Requests, by whoever serves them: see kvm/disk.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "disk.h"

void *disk_layer(size_t size, const struct disk_type *type, struct disk *below)
{
	struct disk *d = calloc(1, size);

	if (d)
		*d = (struct disk){
			.type = type, .below = below, .size = below->size, .block = below->block, .grain = below->grain,
			.ro = below->ro, .scratch = below->scratch,
		};
	return d;
}

u64 disk_size(const struct disk *d)
{
	return __atomic_load_n(&d->size, __ATOMIC_RELAXED);
}

u32 disk_grain(const struct disk *d)
{
	return max(d->grain, d->block);
}

bool disk_readonly(const struct disk *d)
{
	return d->ro;
}

int disk_state(struct disk *d, struct state *s)
{
	const struct disk_type *type = d->type;
	bool layer = type->layer;
	int ret;

	if (type->cut || type->mark)
		return state_refuse(s, "a disk with a volatile cache or a log has no state");
	if (!type->image)
		return d->below ? disk_state(d->below, s) : state_refuse(s, "a disk of this kind has no state");
	ret = type->image(d, s);
	if (ret || state_flag(s, "written_over", &layer) || !layer)
		return state_status(s);
	return type->layer ? type->layer(d, s) : state_refuse(s, "the disk had cow, and has not");
}

bool disk_allows(const struct disk *d, const struct disk_req *req)
{
	u64 size = disk_size(d);

	if (req->op == DISK_FLUSH)
		return true;
	if (d->ro && req->op != DISK_READ)
		return false;
	return req->len && !(req->off % d->block) && !(req->len % d->block) &&
	       req->off <= size && req->len <= size - req->off;
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
	int ret;

	if (d->type->serve)
		return d->type->serve(d, req);
	ret = disk_do(d, req);
	return ret || !req->durable ? ret : disk_do(d, &flush);
}

void disk_cancel(struct disk *d)
{
	for (; d; d = d->below)
		if (d->type->cancel)
			d->type->cancel(d);
}

void disk_freeze(struct disk *d)
{
	for (; d; d = d->below)
		if (d->type->freeze)
			d->type->freeze(d);
}

int disk_cut(struct disk *d, u64 seed, struct disk_cut *cut)
{
	*cut = (struct disk_cut){ .kept = 0 };
	while (d && !d->type->cut)
		d = d->below;
	return d ? d->type->cut(d, seed, cut) : 0;
}

int disk_mark(struct disk *d, const char *text)
{
	while (d && !d->type->mark)
		d = d->below;
	return d ? d->type->mark(d, text) : -ENOENT;
}

static void disk_set_size(struct disk *d, u64 size)
{
	for (; d; d = d->below)
		__atomic_store_n(&d->size, size, __ATOMIC_RELAXED);
}

int disk_resize(struct disk *d, u64 size, struct opt_err *err)
{
	static const struct disk_req flush = { .op = DISK_FLUSH };
	u64 before = disk_size(d);
	struct disk *backend = d, *cache = NULL;
	int ret = 0;

	if (!size || size % d->block || size > INT64_MAX)
		return disk_bad(err, -EINVAL, "a size is a multiple of the block of %u bytes", d->block);
	for (; backend->below; backend = backend->below)
		if (backend->type->cut)
			cache = backend;
	if (d->ro || !backend->type->resize)
		return disk_bad(err, -ENOTSUP, "its image cannot have another size%s", d->ro ? ": it is read-only" : "");
	/* Refused before the guest's requests beyond the new end are. */
	if (size < before && backend->type->grows)
		return backend->type->resize(backend, size, err);
	/* A smaller end holds at once, and no cache has anything beyond it later. */
	if (size < before) {
		disk_set_size(d, size);
		ret = cache ? disk_serve(cache, &flush) : 0;
	}
	if (ret) {
		disk_set_size(d, before);
		return disk_bad(err, ret, "flush: %s", strerror(-ret));
	}
	ret = backend->type->resize(backend, size, err);
	disk_set_size(d, ret ? before : size);
	return ret;
}

int disk_map(struct disk *d, u64 off, u64 len, struct disk_extent *e)
{
	*e = (struct disk_extent){ .len = len, .host = -1 };
	while (!d->type->map && d->below)
		d = d->below;
	return d->type->map ? d->type->map(d, off, len, e) : 0;
}
