// SPDX-License-Identifier: GPL-2.0
/*
 * The real-time clock (MC146818): a date that makes sense, register B as the
 * PC sets it, and that the clock is not updating for ever; and the three
 * interrupts: periodic, which Linux has no use for, at each update, and by the
 * alarm.
 *
 * [date]
 * run=-m 16
 * status=1
 * expect="^20[2-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
 * expect="^periodic 1 alarm 2 update 2$"
 */
#include "guest.h"

#define VECTOR		0x48
#define GSI_RTC		8
#define RTC_PERIODIC	0x40
#define RTC_ALARM	0x20
#define RTC_UPDATE	0x10

static volatile u32 seen[3];

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

static void cmos_write(u8 reg, u8 val)
{
	outb(0x70, reg);
	outb(0x71, val);
}

static void interrupted(struct frame *f)
{
	u8 flags = cmos(0xc);		/* reading acknowledges */

	CHECK(flags & 0x80);
	seen[0] += !!(flags & RTC_PERIODIC);
	seen[1] += !!(flags & RTC_ALARM);
	seen[2] += !!(flags & RTC_UPDATE);
	apic_eoi();
}

static void check_interrupts(void)
{
	apic_enable();
	irq_handle(VECTOR, interrupted);
	ioapic_route(GSI_RTC, VECTOR);

	/* 64 of them a second; the alarm in every second. */
	cmos_write(0xa, 0x20 | 10);
	cmos_write(1, 0xff);
	cmos_write(3, 0xff);
	cmos_write(5, 0xff);
	cmos(0xc);
	cmos_write(0xb, cmos(0xb) | RTC_PERIODIC | RTC_ALARM | RTC_UPDATE);
	while (seen[2] < 2)
		irq_wait();
	print("periodic %u alarm %u update %u\n", seen[0] > 30, seen[1], seen[2]);

	/* What is not enabled does not interrupt, and the flag is there all the same. */
	cmos_write(0xb, (cmos(0xb) & ~(RTC_PERIODIC | RTC_UPDATE)) | RTC_ALARM);
	cmos(0xc);
	seen[0] = seen[1] = seen[2] = 0;
	while (!seen[1])
		irq_wait();
	CHECK_EQ(seen[1], 1);
	cmos_write(0xb, cmos(0xb) & ~RTC_ALARM);
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
	check_interrupts();
	return 0;
}
