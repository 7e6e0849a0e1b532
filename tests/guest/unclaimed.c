// SPDX-License-Identifier: GPL-2.0
/*
 * Where nothing is: reads give all ones, writes go nowhere, at every width, in
 * ports, memory and PCI configuration space, and nothing of it is fatal.
 *
 * [all_ones]
 * run=-m 16
 * status=1
 */
#include "guest.h"

int main(void)
{
	static const u16 port[] = { 0x80, 0x2f8, 0x1f0, 0xfff0 };
	static const u64 addr[] = { 0xd0000000, 0xe0100000, 0xfed00000, 0x1fff000 };
	u64 ecam = pci_ecam();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(port); i++) {
		outb(port[i], 0x55);
		outw(port[i], 0x5555);
		outl(port[i], 0x55555555);
		CHECK_EQ(inb(port[i]), 0xff);
		CHECK_EQ(inw(port[i]), 0xffff);
		CHECK_EQ(inl(port[i]), 0xffffffff);
	}
	for (i = 0; i < ARRAY_SIZE(addr); i++) {
		mmio_write8(addr[i], 0x55);
		mmio_write64(addr[i], 0x5555);
		CHECK_EQ(mmio_read8(addr[i]), 0xff);
		CHECK_EQ(mmio_read16(addr[i]), 0xffff);
		CHECK_EQ(mmio_read32(addr[i]), 0xffffffff);
		CHECK_EQ(mmio_read64(addr[i]), ~0ULL);
	}
	/* An empty slot, a function that is not there, ECAM and ports. */
	CHECK_EQ(mmio_read32(ecam + 31 * 0x8000), 0xffffffff);
	CHECK_EQ(mmio_read32(ecam + 0x1000), 0xffffffff);
	outl(0xcf8, 0x80000000 | 31 << 11);
	CHECK_EQ(inl(0xcfc), 0xffffffff);
	outl(0xcf8, 0x80000000 | 1 << 16);
	CHECK_EQ(inl(0xcfc), 0xffffffff);
	/* And both ways show the same host bridge. */
	outl(0xcf8, 0x80000000);
	CHECK_EQ(inl(0xcfc), mmio_read32(ecam));
	CHECK(inl(0xcfc) != 0xffffffff);
	/* Across the end of the ports */
	CHECK_EQ(inb(0xffff), 0xff);
	return 0;
}
