// SPDX-License-Identifier: GPL-2.0
/*
 * Address spaces of registers: a sorted array and a binary search. An access of a
 * width that a register does not have is split, widened or ignored here, not in
 * twenty devices. Machine lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/bus.h>

void bus_init(struct bus *bus, const char *name, u64 size)
{
	memset(bus, 0, sizeof(*bus));
	bus->name = name;
	bus->size = size;
}

void bus_free(struct bus *bus)
{
	free(bus->region);
	bus->region = NULL;
	bus->nr = bus->cap = 0;
}

/* The index of the first region that ends after @addr; bus->nr if there is none. */
static unsigned int bus_search(const struct bus *bus, u64 addr)
{
	unsigned int lo = 0, hi = bus->nr;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		const struct region *r = bus->region[mid];

		if (addr > r->base + (r->len - 1))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int bus_add(struct bus *bus, struct region *r)
{
	unsigned int pos;
	u64 last;

	if (!r->len || __builtin_add_overflow(r->base, r->len - 1, &last) ||
	    (bus->size && last >= bus->size))
		return -EINVAL;
	pos = bus_search(bus, r->base);
	if (pos < bus->nr && bus->region[pos]->base <= last)
		return -EBUSY;
	if (bus->nr == bus->cap) {
		unsigned int cap = bus->cap ? bus->cap * 2 : 16;
		struct region **grown = realloc(bus->region, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		bus->region = grown;
		bus->cap = cap;
	}
	memmove(&bus->region[pos + 1], &bus->region[pos],
		(bus->nr - pos) * sizeof(*bus->region));
	bus->region[pos] = r;
	bus->nr++;
	return 0;
}

void bus_del(struct bus *bus, struct region *r)
{
	unsigned int pos = bus_search(bus, r->base);

	if (pos == bus->nr || bus->region[pos] != r)
		return;
	bus->nr--;
	memmove(&bus->region[pos], &bus->region[pos + 1],
		(bus->nr - pos) * sizeof(*bus->region));
}

static u64 bus_mask(unsigned int len)
{
	return len >= 8 ? ~0ULL : (1ULL << (len * 8)) - 1;
}

/* The region that holds @addr, or NULL. */
static struct region *bus_find(const struct bus *bus, u64 addr)
{
	unsigned int pos = bus_search(bus, addr);

	return pos < bus->nr && bus->region[pos]->base <= addr ? bus->region[pos] : NULL;
}

const char *bus_name(const struct bus *bus, u64 addr)
{
	const struct region *r = bus_find(bus, addr);

	return r ? r->name : NULL;
}

static u64 region_read(struct region *r, u64 off, unsigned int len)
{
	unsigned int min = r->ops->min ? r->ops->min : 1;

	if (len < min) {
		u64 start = off & ~(u64)(min - 1), val;

		if (min > r->len - start)
			return bus_mask(len);
		val = r->ops->read(r->obj, start, min);
		/* A narrow access that straddles two registers sees the first one. */
		return val >> ((off - start) * 8) & bus_mask(len);
	}
	return r->ops->read(r->obj, off, len) & bus_mask(len);
}

static void region_write(struct region *r, u64 off, unsigned int len, u64 val)
{
	if (len < r->ops->min)
		return;
	r->ops->write(r->obj, off, len, val & bus_mask(len));
}

/* The width of the next access when @len bytes are left at @addr; 0: no region. */
static unsigned int bus_piece(const struct bus *bus, u64 addr, unsigned int len,
			      struct region **r)
{
	unsigned int max, n;
	u64 left;

	*r = bus_find(bus, addr);
	if (!*r)
		return 0;
	max = (*r)->ops->max ? (*r)->ops->max : 8;
	/* Addresses beyond the region belong to others. */
	left = (*r)->len - (addr - (*r)->base);
	for (n = 8; n > len || n > max || n > left; n /= 2)
		;
	return n;
}

u64 bus_read(struct bus *bus, u64 addr, unsigned int len)
{
	unsigned int done = 0;
	u64 val = 0;

	while (done < len) {
		struct region *r;
		unsigned int n = bus_piece(bus, addr + done, len - done, &r);
		u64 part;

		if (n) {
			part = region_read(r, addr + done - r->base, n);
		} else {
			n = 1;
			part = 0xff;
			if (!done && bus->unclaimed)
				bus->unclaimed(bus->obj, addr, len, false);
		}
		val |= part << (done * 8);
		done += n;
	}
	return val;
}

void bus_write(struct bus *bus, u64 addr, unsigned int len, u64 val)
{
	unsigned int done = 0;

	while (done < len) {
		struct region *r;
		unsigned int n = bus_piece(bus, addr + done, len - done, &r);

		if (n) {
			region_write(r, addr + done - r->base, n, val >> (done * 8));
		} else {
			n = 1;
			if (!done && bus->unclaimed)
				bus->unclaimed(bus->obj, addr, len, true);
		}
		done += n;
	}
}
