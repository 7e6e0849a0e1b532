/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An address space of registers: I/O ports, memory-mapped registers, PCI
 * configuration space. A region's functions see offsets and values, never
 * addresses, byte pointers or a vCPU.
 *
 * Everything here is called with the machine lock held.
 */
#ifndef KVM_BUS_H
#define KVM_BUS_H

#include <kvm/types.h>

struct region_ops {
	/* Little-endian value of @len bytes (1, 2, 4 or 8) at @off; off + len <= region length. */
	u64 (*read)(void *obj, u64 off, unsigned int len);
	void (*write)(void *obj, u64 off, unsigned int len, u64 val);
	/*
	 * Access widths the registers understand; 0: 1 and 8. A wider access
	 * is split into pieces of @max, a narrower one reads @min bytes and
	 * picks; a narrower write is ignored (a register half written is
	 * undefined in every specification here).
	 */
	u8 min, max;
};

struct region {
	const char *name;	/* for messages and traces; not owned */
	u64 base, len;
	const struct region_ops *ops;
	void *obj;
};

struct bus {
	const char *name;
	u64 size;		/* addresses are 0..size-1; 0: all of u64 */
	struct region **region;	/* sorted by base */
	unsigned int nr, cap;
	void (*unclaimed)(void *obj, u64 addr, unsigned int len, bool write);	/* or NULL */
	void *obj;
};

void bus_init(struct bus *bus, const char *name, u64 size);
void bus_free(struct bus *bus);

/* 0; -EBUSY: overlaps another region; -EINVAL: empty, or ends beyond the bus; -ENOMEM. @r is not copied. */
int bus_add(struct bus *bus, struct region *r);
void bus_del(struct bus *bus, struct region *r);

/* The name of the region that holds @addr, or NULL. */
const char *bus_name(const struct bus *bus, u64 addr);

/* @len is 1, 2, 4 or 8. An unclaimed read is all ones, an unclaimed write is ignored. */
u64 bus_read(struct bus *bus, u64 addr, unsigned int len);
void bus_write(struct bus *bus, u64 addr, unsigned int len, u64 val);

#endif
