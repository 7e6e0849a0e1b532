// SPDX-License-Identifier: GPL-2.0
/*
 * RAM: all of it is there, zeroed, writable and where the map says, also
 * beyond 4 GiB, and none of it in the hole.
 *
 * [small]
 * run=-m 2
 * status=1
 * expect="^ram 1664 KiB"
 * [beyond_the_hole]
 * run=-m 5G
 * status=1
 * expect="^ram 5242496 KiB"
 */
#include "guest.h"

/* One word in many, at distances that do not repeat. */
static void probe(u64 start, u64 end)
{
	u64 addr, step = 0x100000;

	if (start < 0x200000)
		start = 0x200000;	/* this program is below */
	for (addr = start; addr + 8 <= end; addr += step) {
		volatile u64 *p = (void *)addr;

		CHECK_EQ(*p, 0);
		*p = ~addr;
		step = step < 0x8000000 ? step * 2 : step;
	}
	if (end > start) {
		volatile u64 *last = (void *)(end - 8);

		CHECK_EQ(*last, 0);
		*last = end;
		CHECK_EQ(*last, end);
	}
	step = 0x100000;
	for (addr = start; addr + 8 <= end; addr += step) {
		CHECK_EQ(*(volatile u64 *)addr, ~addr);
		step = step < 0x8000000 ? step * 2 : step;
	}
}

int main(void)
{
	const struct guest_memmap *m = (void *)start_info()->memmap;
	u64 ram = 0, addr;
	u32 i;

	for (i = 0; i < start_info()->memmap_entries; i++, m++) {
		print("%010lx..%010lx %u\n", m->addr, m->addr + m->size, m->type);
		if (m->type != 1)
			continue;
		ram += m->size;
		for (addr = m->addr; addr < m->addr + m->size; addr += 1 << 30)
			guest_map(addr);
		guest_map(m->addr + m->size - 1);
		probe(m->addr, m->addr + m->size);
	}
	print("ram %lu KiB\n", ram >> 10);
	/* Just below the hole's end, and just above the RAM: nothing. */
	CHECK_EQ(mmio_read32(0xdffff000), 0xffffffff);
	return 0;
}
