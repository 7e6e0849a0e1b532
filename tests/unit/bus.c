// SPDX-License-Identifier: GPL-2.0
/* Address spaces of registers: claiming, splitting, widening, and what nobody claims. */
#include <errno.h>

#include <kvm/bus.h>

#include "tap.h"

static struct bus bus;
static u8 bytes[64];
static unsigned int reads, writes, last_len;
static u64 last_off;

static u64 read_bytes(void *obj, u64 off, unsigned int len)
{
	u64 val = 0;

	reads++;
	last_off = off;
	last_len = len;
	memcpy(&val, (u8 *)obj + off, len);
	return val;
}

static void write_bytes(void *obj, u64 off, unsigned int len, u64 val)
{
	writes++;
	last_off = off;
	last_len = len;
	memcpy((u8 *)obj + off, &val, len);
}

static const struct region_ops any = { read_bytes, write_bytes };
static const struct region_ops byte_only = { read_bytes, write_bytes, 1, 1 };
static const struct region_ops dword_only = { read_bytes, write_bytes, 4, 4 };

static struct region region(u64 base, u64 len, const struct region_ops *ops)
{
	return (struct region) { .name = "r", .base = base, .len = len, .ops = ops, .obj = bytes };
}

static void setup(void)
{
	int i;

	bus_init(&bus, "test", 0x10000);
	for (i = 0; i < 64; i++)
		bytes[i] = i + 1;
}

TEST(overlap_is_refused)
{
	struct region a = region(0x100, 16, &any), b = region(0x10f, 4, &any),
		      c = region(0xfd, 4, &any), d = region(0xf0, 0x40, &any),
		      e = region(0x110, 4, &any), f = region(0xfff0, 0x11, &any),
		      g = region(0xfff0, 0x10, &any), h = region(0, 0, &any),
		      in = region(0x104, 2, &any);

	setup();
	CHECK_EQ(bus_add(&bus, &a), 0);
	CHECK_EQ(bus_add(&bus, &b), -EBUSY);
	CHECK_EQ(bus_add(&bus, &c), -EBUSY);
	CHECK_EQ(bus_add(&bus, &d), -EBUSY);
	CHECK_EQ(bus_add(&bus, &in), -EBUSY);
	CHECK_EQ(bus_add(&bus, &e), 0);
	CHECK_EQ(bus_add(&bus, &f), -EINVAL);
	CHECK_EQ(bus_add(&bus, &g), 0);
	CHECK_EQ(bus_add(&bus, &h), -EINVAL);
	bus_del(&bus, &a);
	CHECK_EQ(bus_add(&bus, &in), 0);
	bus_del(&bus, &a);		/* twice is nothing */
	CHECK_EQ(bus_read(&bus, 0x104, 1), 1);
	CHECK_EQ(bus_read(&bus, 0x103, 1), 0xff);
	bus_free(&bus);
}

TEST(registers_see_offsets_and_values)
{
	struct region a = region(0x100, 16, &any);

	setup();
	CHECK_EQ(bus_add(&bus, &a), 0);
	CHECK_EQ(bus_read(&bus, 0x102, 4), 0x06050403);
	CHECK_EQ(last_off, 2);
	CHECK_EQ(last_len, 4);
	CHECK_EQ(bus_read(&bus, 0x108, 8), 0x100f0e0d0c0b0a09);
	bus_write(&bus, 0x100, 2, 0xffffabcd);
	CHECK_EQ(bytes[0], 0xcd);
	CHECK_EQ(bytes[1], 0xab);
	CHECK_EQ(bytes[2], 3);
	bus_free(&bus);
}

TEST(unclaimed_reads_are_all_ones)
{
	setup();
	CHECK_EQ(bus_read(&bus, 0x200, 1), 0xff);
	CHECK_EQ(bus_read(&bus, 0x200, 2), 0xffff);
	CHECK_EQ(bus_read(&bus, 0x200, 4), 0xffffffff);
	CHECK_EQ(bus_read(&bus, 0x200, 8), -1);
	bus_write(&bus, 0x200, 4, 1);
	bus_free(&bus);
}

TEST(wide_accesses_are_split)
{
	struct region a = region(0x100, 16, &byte_only);

	setup();
	CHECK_EQ(bus_add(&bus, &a), 0);
	CHECK_EQ(bus_read(&bus, 0x100, 4), 0x04030201);
	CHECK_EQ(reads, 4);
	CHECK_EQ(last_len, 1);
	bus_write(&bus, 0x100, 8, 0x8877665544332211);
	CHECK_EQ(writes, 8);
	CHECK_EQ(bytes[7], 0x88);
	bus_free(&bus);
}

TEST(narrow_accesses_are_widened_or_ignored)
{
	struct region a = region(0x100, 16, &dword_only);

	setup();
	CHECK_EQ(bus_add(&bus, &a), 0);
	CHECK_EQ(bus_read(&bus, 0x106, 1), 7);
	CHECK_EQ(last_off, 4);
	CHECK_EQ(last_len, 4);
	CHECK_EQ(bus_read(&bus, 0x106, 2), 0x0807);
	bus_write(&bus, 0x106, 1, 0);
	CHECK_EQ(writes, 0);
	CHECK_EQ(bus_read(&bus, 0x100, 8), 0x0807060504030201);
	CHECK_EQ(reads, 4);
	bus_free(&bus);
}

TEST(an_access_may_cross_regions)
{
	struct region a = region(0x100, 3, &any), b = region(0x104, 4, &any);

	setup();
	b.obj = bytes + 32;
	CHECK_EQ(bus_add(&bus, &a), 0);
	CHECK_EQ(bus_add(&bus, &b), 0);
	CHECK_EQ(bus_read(&bus, 0x100, 8), 0x24232221ff030201);
	bus_write(&bus, 0x102, 4, 0xaabbccdd);
	CHECK_EQ(bytes[2], 0xdd);
	CHECK_EQ(bytes[3], 4);
	CHECK_EQ(bytes[32], 0xbb);
	CHECK_EQ(bytes[33], 0xaa);
	bus_free(&bus);
}

TEST(many_regions_are_found)
{
	static struct region r[1000];
	unsigned int i;

	setup();
	for (i = 0; i < 1000; i++) {
		unsigned int n = (i * 7919) % 1000;	/* in no order */

		r[n] = region(n * 8, 4, &any);
		CHECK_EQ(bus_add(&bus, &r[n]), 0);
	}
	for (i = 0; i < 1000; i++) {
		CHECK_EQ(bus_read(&bus, i * 8, 1), 1);
		CHECK_EQ(bus_read(&bus, i * 8 + 4, 1), 0xff);
	}
	for (i = 0; i < 1000; i += 2)
		bus_del(&bus, &r[i]);
	for (i = 0; i < 1000; i++)
		CHECK_EQ(bus_read(&bus, i * 8, 1), i % 2 ? 1 : 0xff);
	bus_free(&bus);
}
