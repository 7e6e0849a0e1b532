// SPDX-License-Identifier: GPL-2.0
/*
 * The interval timer (Intel 8254) is as a PC's firmware leaves it, so that a program
 * may write a count and nothing else.
 *
 * [runs_from_the_start]
 * run=-m 16 --device pit
 * status=1
 * [is_there_for_programs_for_a_pc]
 * cmd=LC_ALL=C sed 's/Xen\x0/Yen\x0/' "$GUEST" >mb; $LKVM run -m 16 -k mb
 * status=1
 */
#include "guest.h"

#define PIT_CHANNEL0	0x40
#define PIT_CONTROL	0x43
#define PIT_STATUS	0xe2		/* read back the status of channel 0 */
#define PIT_LATCH	0x00

static u16 pit_count(void)
{
	u8 low;

	outb(PIT_CONTROL, PIT_LATCH);
	low = inb(PIT_CHANNEL0);
	return low | inb(PIT_CHANNEL0) << 8;
}

int main(void)
{
	u8 status;
	u16 count;

	outb(PIT_CONTROL, PIT_STATUS);
	status = inb(PIT_CHANNEL0);
	CHECK_EQ(status >> 1 & 3, 2);		/* mode; the third bit is any */
	CHECK_EQ(status >> 4 & 3, 3);		/* low byte, then high byte */
	CHECK_EQ(status & 1, 0);		/* binary */
	count = pit_count();
	while (pit_count() == count)
		;
	/* A count and nothing else: it goes round in so many steps from now on. */
	outb(PIT_CHANNEL0, 0xe8);
	outb(PIT_CHANNEL0, 0x03);
	while (pit_count() > 1000)
		;
	CHECK(pit_count() <= 1000);
	return 0;
}
