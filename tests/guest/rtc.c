// SPDX-License-Identifier: GPL-2.0
/*
 * The real-time clock (MC146818): a date that makes sense, register B as the
 * PC sets it, and that the clock is not updating for ever.
 *
 * [date]
 * run=-m 16
 * status=1
 * expect="^20[2-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
 */
#include "guest.h"

static u8 cmos(u8 reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static u32 field(u8 reg)
{
	u8 val = cmos(reg);

	return cmos(0xb) & 4 ? val : (val >> 4) * 10 + (val & 0xf);
}

int main(void)
{
	u32 year, month, day, hour, minute, second;

	CHECK(cmos(0xb) & 2);			/* 24 hours */
	CHECK(cmos(0xd) & 0x80);		/* the battery is good */
	while (cmos(0xa) & 0x80)		/* update in progress */
		;
	second = field(0);
	minute = field(2);
	hour = field(4);
	day = field(7);
	month = field(8);
	year = field(9) + 2000;
	CHECK(second < 60 && minute < 60 && hour < 24);
	CHECK(day >= 1 && day <= 31 && month >= 1 && month <= 12);
	print("%04u-%02u-%02u %02u:%02u:%02u\n", year, month, day, hour, minute, second);
	return 0;
}
