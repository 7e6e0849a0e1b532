// SPDX-License-Identifier: GPL-2.0
// without: hw/chips/rtc.o
/* The MC146818, with a host clock that the test moves. */
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "tap.h"

static struct timespec host;

static int test_clock(clockid_t id, struct timespec *ts)
{
	*ts = host;
	return 0;
}

static time_t test_time(time_t *t)
{
	return host.tv_sec;
}

#define clock_gettime test_clock
#define time test_time
#include "../../hw/chips/rtc.c"
#undef clock_gettime
#undef time

static struct machine m;
static struct rtc *chip;

/* Saturday, 29 February 2020, 23:59:58 UTC */
#define THEN	1583020798

static void start(void)
{
	struct device *dev;

	host = (struct timespec) { THEN, 1000 };
	machine_init(&m);
	CHECK_EQ(device_add(&m.vm, "rtc", "base=0x70,irq=8", &dev), 0);
	chip = container_of(dev, struct rtc, dev);
}

static u8 get(u8 reg)
{
	bus_write(&m.vm.pio, 0x70, 1, reg);
	return bus_read(&m.vm.pio, 0x71, 1);
}

static void set(u8 reg, u8 val)
{
	bus_write(&m.vm.pio, 0x70, 1, reg);
	bus_write(&m.vm.pio, 0x71, 1, val);
}

static bool irq_rose(void)
{
	u64 count;

	return read(chip->irq.fd, &count, sizeof(count)) == sizeof(count);
}

static void expect(const u8 *want)
{
	static const u8 reg[] = {
		RTC_CENTURY, RTC_YEAR, RTC_MONTH, RTC_DAY, RTC_HOURS, RTC_MINUTES, RTC_SECONDS,
	};

	for (unsigned int i = 0; i < sizeof(reg); i++)
		CHECK_EQ(get(reg[i]), want[i]);
}

TEST(host_time_in_bcd)
{
	start();
	expect((const u8 []){ 0x20, 0x20, 0x02, 0x29, 0x23, 0x59, 0x58 });
	CHECK_EQ(get(RTC_WEEKDAY), 7);
	CHECK_EQ(get(RTC_D), 0x80);
	host.tv_sec += 2;
	expect((const u8 []){ 0x20, 0x20, 0x03, 0x01, 0x00, 0x00, 0x00 });
	CHECK_EQ(get(RTC_WEEKDAY), 1);
	machine_free(&m);
}

TEST(binary_and_twelve_hours)
{
	start();
	set(RTC_B, RTC_B_BINARY | RTC_B_24H);
	expect((const u8 []){ 20, 20, 2, 29, 23, 59, 58 });
	set(RTC_B, 0);
	expect((const u8 []){ 0x20, 0x20, 0x02, 0x29, 0x91, 0x59, 0x58 });
	host.tv_sec += 2;
	CHECK_EQ(get(RTC_HOURS), 0x12);
	set(RTC_B, RTC_B_BINARY);
	CHECK_EQ(get(RTC_HOURS), 12);
	host.tv_sec += 12 * 3600;
	CHECK_EQ(get(RTC_HOURS), 12 | RTC_PM);
	machine_free(&m);
}

/* As Linux's mc146818_set_time() does it. */
TEST(the_guest_sets_the_time)
{
	start();
	set(RTC_B, RTC_B_SET | RTC_B_24H);
	set(RTC_YEAR, 0x99);
	set(RTC_MONTH, 0x12);
	set(RTC_DAY, 0x31);
	set(RTC_HOURS, 0x23);
	set(RTC_MINUTES, 0x59);
	set(RTC_SECONDS, 0x50);
	set(RTC_CENTURY, 0x19);
	/* Held for as long as it takes. */
	host.tv_sec += 100;
	expect((const u8 []){ 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x50 });
	CHECK(!(get(RTC_A) & RTC_A_UIP));
	set(RTC_B, RTC_B_24H);
	expect((const u8 []){ 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x50 });
	host.tv_sec += 10;
	expect((const u8 []){ 0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00 });
	/* One register alone. */
	set(RTC_HOURS, 0x12);
	expect((const u8 []){ 0x20, 0x00, 0x01, 0x01, 0x12, 0x00, 0x00 });
	machine_free(&m);
}

TEST(twelve_hours_are_set)
{
	start();
	set(RTC_B, 0);
	set(RTC_HOURS, 0x12);			/* midnight */
	CHECK_EQ(get(RTC_HOURS), 0x12);
	set(RTC_B, RTC_B_24H);
	CHECK_EQ(get(RTC_HOURS), 0x00);
	set(RTC_B, 0);
	set(RTC_HOURS, 0x12 | RTC_PM);		/* noon */
	set(RTC_B, RTC_B_24H);
	CHECK_EQ(get(RTC_HOURS), 0x12);
	set(RTC_B, 0);
	set(RTC_HOURS, 0x11 | RTC_PM);
	set(RTC_B, RTC_B_24H);
	CHECK_EQ(get(RTC_HOURS), 0x23);
	machine_free(&m);
}

TEST(update_in_progress_is_announced)
{
	start();
	CHECK(!(get(RTC_A) & RTC_A_UIP));
	host.tv_nsec = 1000000000 - 200 * 1000;
	CHECK(get(RTC_A) & RTC_A_UIP);
	host = (struct timespec) { THEN + 1, 0 };
	CHECK(!(get(RTC_A) & RTC_A_UIP));
	machine_free(&m);
}

TEST(ram_keeps_its_bytes)
{
	start();
	for (unsigned int i = RTC_D + 1; i < RTC_RAM; i++)
		if (i != RTC_CENTURY)
			set(i, i ^ 0x55);
	for (unsigned int i = RTC_D + 1; i < RTC_RAM; i++)
		if (i != RTC_CENTURY)
			CHECK_EQ(get(i), i ^ 0x55);
	/* The mask of the NMI is no part of the index. */
	CHECK_EQ(get(0x80 | 0x20), 0x20 ^ 0x55);
	machine_free(&m);
}

TEST(flags_without_interrupts)
{
	start();
	set(RTC_A, RTC_A_RUNS);
	CHECK_EQ(get(RTC_C), 0);
	host.tv_sec++;
	CHECK_EQ(get(RTC_C), RTC_UPDATE);
	CHECK_EQ(get(RTC_C), 0);
	set(RTC_A, RTC_A_RUNS | 6);
	host.tv_nsec += 1000000;
	CHECK_EQ(get(RTC_C), RTC_PERIODIC);
	CHECK(!irq_rose());
	machine_free(&m);
}

static void stop_loop(struct watch *w, u32 events)
{
	loop_stop(m.vm.loop);
}

static void run_until_irq(void)
{
	struct watch w = { .fd = chip->irq.fd, .fn = stop_loop };

	CHECK_EQ(loop_add(m.vm.loop, &w, EPOLLIN), 0);
	loop_run(m.vm.loop);
	loop_del(m.vm.loop, &w);
}

TEST(update_interrupt)
{
	start();
	set(RTC_A, RTC_A_RUNS);
	get(RTC_C);
	/* The timer is real: when it fires, the clock of the test has moved. */
	host = (struct timespec) { THEN, 999000000 };
	set(RTC_B, RTC_B_24H | RTC_UPDATE);
	rtc_work(&chip->work);
	CHECK(chip->timer.due);
	host = (struct timespec) { THEN + 1, 0 };
	run_until_irq();
	CHECK(irq_rose());
	CHECK_EQ(get(RTC_C), RTC_C_IRQ | RTC_UPDATE);
	CHECK_EQ(get(RTC_C), 0);
	machine_free(&m);
}

TEST(periodic_interrupt)
{
	start();
	set(RTC_A, RTC_A_RUNS | 6);		/* 1024 Hz */
	get(RTC_C);
	CHECK_EQ(rtc_period(chip), 976562);
	set(RTC_B, RTC_B_24H | RTC_PERIODIC);
	rtc_work(&chip->work);
	host.tv_nsec += 1000000;
	run_until_irq();
	CHECK_EQ(get(RTC_C) & (RTC_C_IRQ | RTC_PERIODIC), RTC_C_IRQ | RTC_PERIODIC);
	/* Two rates are out of the row. */
	set(RTC_A, RTC_A_RUNS | 1);
	CHECK_EQ(rtc_period(chip), 3906250);
	set(RTC_A, RTC_A_RUNS | 3);
	CHECK_EQ(rtc_period(chip), 122070);
	machine_free(&m);
}

TEST(alarm)
{
	u64 midnight = THEN + 2;

	start();
	set(RTC_HOURS_ALARM, 0x00);
	set(RTC_MINUTES_ALARM, 0x00);
	set(RTC_SECONDS_ALARM, 0x00);
	CHECK_EQ(rtc_alarm_next(chip, THEN), midnight);
	CHECK_EQ(rtc_alarm_next(chip, midnight), midnight + 86400);
	set(RTC_HOURS_ALARM, 0xff);
	CHECK_EQ(rtc_alarm_next(chip, midnight), midnight + 3600);
	set(RTC_MINUTES_ALARM, 0xc0);
	CHECK_EQ(rtc_alarm_next(chip, midnight), midnight + 60);
	set(RTC_SECONDS_ALARM, 0x30);
	CHECK_EQ(rtc_alarm_next(chip, midnight), midnight + 30);
	/* Never, and found out at once. */
	set(RTC_SECONDS_ALARM, 0x77);
	CHECK_EQ(rtc_alarm_next(chip, midnight), 0);
	set(RTC_SECONDS_ALARM, 0x00);
	set(RTC_HOURS_ALARM, 0x00);
	set(RTC_MINUTES_ALARM, 0x00);
	set(RTC_A, RTC_A_RUNS);
	set(RTC_B, RTC_B_24H | RTC_ALARM);
	get(RTC_C);
	host.tv_sec++;
	CHECK_EQ(get(RTC_C), RTC_UPDATE);
	host.tv_sec++;
	CHECK_EQ(get(RTC_C), RTC_C_IRQ | RTC_ALARM | RTC_UPDATE);
	machine_free(&m);
}

TEST(any_bytes_are_some_time)
{
	start();
	for (int bits = 0; bits < 8; bits += 2) {
		set(RTC_B, RTC_B_SET | bits);
		for (unsigned int i = 0; i <= RTC_YEAR; i++)
			set(i, 0xff);
		set(RTC_CENTURY, 0xff);
		set(RTC_B, bits);
		for (unsigned int i = 0; i < RTC_RAM; i++)
			get(i);
		host.tv_sec++;
		get(RTC_C);
	}
	/* The host's clock is set back. */
	host.tv_sec = 0;
	for (unsigned int i = 0; i < RTC_RAM; i++)
		get(i);
	machine_free(&m);
}
