// SPDX-License-Identifier: GPL-2.0
/*
 * The real-time clock and its 128 bytes of RAM: Motorola's MC146818 (data
 * sheet ADI-1056), with the century at 0x32 as in PCs. It shows the host's UTC plus
 * an offset, which the guest changes by setting the clock.
 *
 * No timer ticks. Time registers are computed when they are read. The flags of
 * register C are computed when they become visible, from the time since they were last
 * computed. Only an enabled interrupt arms a timer. Registers are served on vCPU
 * threads, the timer on the main loop, all under the machine lock.
 */
#include <errno.h>
#include <limits.h>
#include <time.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/event.h>
#include <kvm/loop.h>
#include <kvm/opt.h>

#define RTC_NS		1000000000ULL
#define RTC_UIP_NS	(244 * 1000)	/* an update is announced this long before */
#define RTC_RAM		128
#define RTC_LAST	((time_t)0x3ffffffff)	/* seconds */

enum {
	RTC_SECONDS, RTC_SECONDS_ALARM, RTC_MINUTES, RTC_MINUTES_ALARM, RTC_HOURS, RTC_HOURS_ALARM,
	RTC_WEEKDAY, RTC_DAY, RTC_MONTH, RTC_YEAR, RTC_A, RTC_B, RTC_C, RTC_D,
	RTC_CENTURY = 0x32,
};

#define RTC_A_UIP	(1U << 7)
#define RTC_A_DIVIDER	(7U << 4)
#define RTC_A_RUNS	(2U << 4)	/* divider for the crystal of 32768 Hz; 6 and 7 hold the clock */
#define RTC_A_RATE	15U
#define RTC_B_SET	(1U << 7)
#define RTC_B_SQUARE_WAVE (1U << 3)
#define RTC_B_BINARY	(1U << 2)
#define RTC_B_24H	(1U << 1)
#define RTC_C_IRQ	(1U << 7)
#define RTC_PERIODIC	(1U << 6)	/* in B: enable, in C: flag */
#define RTC_ALARM	(1U << 5)
#define RTC_UPDATE	(1U << 4)
#define RTC_EVENTS	(RTC_PERIODIC | RTC_ALARM | RTC_UPDATE)
#define RTC_D_VALID	(1U << 7)
#define RTC_PM		(1U << 7)	/* of an hour */
#define RTC_ANY		0xc0		/* an alarm register from here on matches everything */

struct rtc {
	struct device dev;
	int base, gsi;		/* suboptions */
	struct region ports;
	struct irq irq;
	u8 index;
	bool coalesced;		/* KVM collects writes of the index */
	u8 ram[RTC_RAM];	/* registers too; the time in it is only valid while it is being set */
	s64 offset;		/* seconds that the guest is ahead of the host */
	u64 looked;		/* guest's time in ns of the last look for events */
	struct work work;	/* have the loop look at the timer */
	struct timer timer;
};

/* The guest's time, ns since 1970. */
static u64 rtc_now(const struct rtc *rtc)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)(ts.tv_sec + rtc->offset) * RTC_NS + ts.tv_nsec;
}

/* Is it held? It is while being set, and while the divider is in reset. */
static bool rtc_held(const struct rtc *rtc)
{
	return rtc->ram[RTC_B] & RTC_B_SET || (rtc->ram[RTC_A] & RTC_A_DIVIDER) >= 6U << 4;
}

/* Numbers as the guest wants them */

static u8 rtc_encode(const struct rtc *rtc, unsigned int val)
{
	return rtc->ram[RTC_B] & RTC_B_BINARY ? val : val / 10 << 4 | val % 10;
}

static unsigned int rtc_decode(const struct rtc *rtc, u8 val)
{
	return rtc->ram[RTC_B] & RTC_B_BINARY ? val : (val >> 4) * 10 + (val & 15);
}

static u8 rtc_encode_hour(const struct rtc *rtc, unsigned int hour)
{
	if (rtc->ram[RTC_B] & RTC_B_24H)
		return rtc_encode(rtc, hour);
	return rtc_encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? RTC_PM : 0);
}

static unsigned int rtc_decode_hour(const struct rtc *rtc, u8 val)
{
	if (rtc->ram[RTC_B] & RTC_B_24H)
		return rtc_decode(rtc, val);
	return rtc_decode(rtc, val & ~RTC_PM) % 12 + (val & RTC_PM ? 12 : 0);
}

/* Make the time registers say what time it is. */
static void rtc_load(struct rtc *rtc)
{
	time_t now = rtc_now(rtc) / RTC_NS;
	struct tm tm;

	if (!gmtime_r(&now, &tm))
		return;
	rtc->ram[RTC_SECONDS] = rtc_encode(rtc, tm.tm_sec);
	rtc->ram[RTC_MINUTES] = rtc_encode(rtc, tm.tm_min);
	rtc->ram[RTC_HOURS] = rtc_encode_hour(rtc, tm.tm_hour);
	rtc->ram[RTC_WEEKDAY] = rtc_encode(rtc, tm.tm_wday + 1);
	rtc->ram[RTC_DAY] = rtc_encode(rtc, tm.tm_mday);
	rtc->ram[RTC_MONTH] = rtc_encode(rtc, tm.tm_mon + 1);
	rtc->ram[RTC_YEAR] = rtc_encode(rtc, tm.tm_year % 100);
	rtc->ram[RTC_CENTURY] = rtc_encode(rtc, (tm.tm_year + 1900) / 100 % 100);
}

/* Make it the time that the registers say. Any bytes are some time. */
static void rtc_store(struct rtc *rtc)
{
	struct tm tm = {
		.tm_sec = rtc_decode(rtc, rtc->ram[RTC_SECONDS]),
		.tm_min = rtc_decode(rtc, rtc->ram[RTC_MINUTES]),
		.tm_hour = rtc_decode_hour(rtc, rtc->ram[RTC_HOURS]),
		.tm_mday = rtc_decode(rtc, rtc->ram[RTC_DAY]),
		.tm_mon = (int)rtc_decode(rtc, rtc->ram[RTC_MONTH]) - 1,
		.tm_year = (int)rtc_decode(rtc, rtc->ram[RTC_CENTURY]) * 100 - 1900 +
			(int)rtc_decode(rtc, rtc->ram[RTC_YEAR]),
	};
	time_t then = timegm(&tm);

	/* The range of nanoseconds in 64 bits: 1970 to 2514. */
	then = max(then, (time_t)0);
	then = min(then, RTC_LAST);
	rtc->offset = then - time(NULL);
	rtc->looked = rtc_now(rtc);
}

/* Events */

/* Period of the square wave and its interrupt in ns, 0: none (table 5, 32768 Hz). */
static u64 rtc_period(const struct rtc *rtc)
{
	unsigned int rate = rtc->ram[RTC_A] & RTC_A_RATE;

	if (!rate || (rtc->ram[RTC_A] & RTC_A_DIVIDER) != RTC_A_RUNS)
		return 0;
	return (RTC_NS << ((rate <= 2 ? rate + 7 : rate) - 1)) / 32768;
}

struct rtc_alarm {
	unsigned int val;
	bool any;
};

/* The alarm register @reg whose time register is below @limit; false: it never matches. */
static bool rtc_alarm(const struct rtc *rtc, unsigned int reg, unsigned int limit, struct rtc_alarm *a)
{
	u8 raw = rtc->ram[reg];

	a->any = raw >= RTC_ANY;
	a->val = reg == RTC_HOURS_ALARM ? rtc_decode_hour(rtc, raw) : rtc_decode(rtc, raw);
	return a->any || a->val < limit;
}

static bool rtc_alarm_match(const struct rtc_alarm *a, unsigned int val)
{
	return a->any || a->val == val;
}

/* The first second after @after at which the alarm goes off; 0: none. */
static u64 rtc_alarm_next(const struct rtc *rtc, u64 after)
{
	struct rtc_alarm hour, min, sec;
	u64 t = after + 1, end = t + 86400;

	if (!rtc_alarm(rtc, RTC_HOURS_ALARM, 24, &hour) ||
	    !rtc_alarm(rtc, RTC_MINUTES_ALARM, 60, &min) ||
	    !rtc_alarm(rtc, RTC_SECONDS_ALARM, 60, &sec))
		return 0;
	/* In strides of an hour, a minute, a second: at most 24 + 60 + 60 of them. */
	while (t < end) {
		if (!rtc_alarm_match(&hour, t / 3600 % 24))
			t = (t / 3600 + 1) * 3600;
		else if (!rtc_alarm_match(&min, t / 60 % 60))
			t = (t / 60 + 1) * 60;
		else if (!rtc_alarm_match(&sec, t % 60))
			t++;
		else
			return t;
	}
	return 0;
}

/* Set the flags of what has happened since the last look, and the interrupt. */
static void rtc_look(struct rtc *rtc)
{
	u64 now = rtc_now(rtc), last = rtc->looked, period = rtc_period(rtc), alarm;
	u8 due;

	rtc->looked = now;
	/* The host's clock may have been set back. */
	if (now > last) {
		if (period && now / period != last / period)
			rtc->ram[RTC_C] |= RTC_PERIODIC;
		if (!rtc_held(rtc) && now / RTC_NS != last / RTC_NS) {
			rtc->ram[RTC_C] |= RTC_UPDATE;
			alarm = rtc_alarm_next(rtc, last / RTC_NS);
			if (alarm && alarm <= now / RTC_NS)
				rtc->ram[RTC_C] |= RTC_ALARM;
		}
	}
	due = rtc->ram[RTC_C] & rtc->ram[RTC_B] & RTC_EVENTS;
	/* ACPI 6.4, 4.8.2.2.4: what wakes is the alarm's edge. */
	if (due & RTC_ALARM && !(rtc->ram[RTC_C] & RTC_C_IRQ))
		event_fixed(rtc->dev.vm, FIXED_RTC);
	rtc->ram[RTC_C] &= ~RTC_C_IRQ;
	if (due)
		rtc->ram[RTC_C] |= RTC_C_IRQ;
	irq_set(&rtc->irq, rtc->ram[RTC_C] & RTC_C_IRQ);
}

/* On the loop: wait for the next enabled event, unless one waits to be acknowledged. */
static void rtc_arm(struct rtc *rtc)
{
	u8 enabled = rtc->ram[RTC_B] & RTC_EVENTS;
	u64 now = rtc_now(rtc), period = rtc_period(rtc), next = ~0ULL, alarm;

	loop_timer_cancel(dev_loop(&rtc->dev), &rtc->timer);
	if (rtc->ram[RTC_C] & RTC_C_IRQ)
		return;
	if (enabled & RTC_PERIODIC && period)
		next = min(next, (u64)((now / period + 1) * period));
	if (enabled & RTC_UPDATE && !rtc_held(rtc))
		next = min(next, (u64)((now / RTC_NS + 1) * RTC_NS));
	if (enabled & RTC_ALARM && !rtc_held(rtc)) {
		alarm = rtc_alarm_next(rtc, now / RTC_NS);
		if (alarm)
			next = min(next, (u64)(alarm * RTC_NS));
	}
	if (next != ~0ULL)
		loop_timer(dev_loop(&rtc->dev), &rtc->timer, loop_now() + (next - now));
}

static void rtc_work(struct work *w)
{
	rtc_arm(container_of(w, struct rtc, work));
}

static void rtc_timer(struct timer *t)
{
	struct rtc *rtc = container_of(t, struct rtc, timer);

	rtc_look(rtc);
	rtc_arm(rtc);
}

static void rtc_rearm(struct rtc *rtc)
{
	/* Nothing is enabled and nothing is armed: the usual case. */
	if (rtc->ram[RTC_B] & RTC_EVENTS || rtc->timer.due)
		loop_post(dev_loop(&rtc->dev), &rtc->work);
}

/* Registers */

static u8 rtc_read_reg(struct rtc *rtc)
{
	u8 val;

	switch (rtc->index) {
	case RTC_SECONDS:
	case RTC_MINUTES:
	case RTC_HOURS:
	case RTC_WEEKDAY ... RTC_YEAR:
	case RTC_CENTURY:
		if (!rtc_held(rtc))
			rtc_load(rtc);
		break;
	case RTC_A:
		if (!rtc_held(rtc) && rtc_now(rtc) % RTC_NS >= RTC_NS - RTC_UIP_NS)
			return rtc->ram[RTC_A] | RTC_A_UIP;
		break;
	case RTC_C:
		rtc_look(rtc);
		val = rtc->ram[RTC_C];
		rtc->ram[RTC_C] = 0;
		irq_set(&rtc->irq, false);
		if (val & RTC_C_IRQ)
			rtc_rearm(rtc);
		return val;
	case RTC_D:
		return RTC_D_VALID;
	}
	return rtc->ram[rtc->index];
}

static void rtc_write_time(struct rtc *rtc, u8 val)
{
	if (rtc_held(rtc)) {
		rtc->ram[rtc->index] = val;
		return;
	}
	rtc_load(rtc);
	rtc->ram[rtc->index] = val;
	rtc_store(rtc);
	rtc_rearm(rtc);
}

/* A and B decide whether the time is held: from when it is, and until when. */
static void rtc_write_control(struct rtc *rtc, unsigned int reg, u8 val)
{
	bool held = rtc_held(rtc);

	/* Up to here by the old rules. */
	rtc_look(rtc);
	if (!held)
		rtc_load(rtc);
	/* How the time is written may change by the same write that ends its setting. */
	rtc->ram[reg] = val;
	if (held && !rtc_held(rtc))
		rtc_store(rtc);
	rtc_look(rtc);
	rtc_rearm(rtc);
}

static void rtc_write_reg(struct rtc *rtc, u8 val)
{
	switch (rtc->index) {
	case RTC_SECONDS:
	case RTC_MINUTES:
	case RTC_HOURS:
	case RTC_DAY ... RTC_YEAR:
	case RTC_CENTURY:
		rtc_write_time(rtc, val);
		break;
	case RTC_SECONDS_ALARM:
	case RTC_MINUTES_ALARM:
	case RTC_HOURS_ALARM:
		rtc_look(rtc);
		rtc->ram[rtc->index] = val;
		rtc_rearm(rtc);
		break;
	case RTC_A:
		rtc_write_control(rtc, RTC_A, val & ~RTC_A_UIP);
		break;
	case RTC_B:
		/* Setting the clock disables the interrupt at its updates. */
		rtc_write_control(rtc, RTC_B, val & RTC_B_SET ? val & ~RTC_UPDATE : val);
		break;
	case RTC_WEEKDAY:	/* follows from the date */
	case RTC_C:
	case RTC_D:
		break;
	default:
		rtc->ram[rtc->index] = val;
	}
}

static u64 rtc_read(void *obj, u64 off, unsigned int len)
{
	struct rtc *rtc = obj;

	return off ? rtc_read_reg(rtc) : rtc->index;
}

static void rtc_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct rtc *rtc = obj;

	if (off) {
		rtc_write_reg(rtc, val);
		return;
	}
	rtc->index = val % RTC_RAM;	/* bit 7 is a PC's NMI mask */
	/* An index does nothing until the access that follows: one exit for both. */
	dev_coalesce_index(&rtc->dev, &rtc->ports, &rtc->coalesced, 0, 1);
}

static const struct region_ops rtc_ops = {
	.read = rtc_read, .write = rtc_write, .max = 1,
};

/* The battery keeps all but which register is selected. */
static const struct state_field rtc_state[] = {
	STATE(struct rtc, index),
	STATE_KEPT(struct rtc, ram),
	STATE_KEPT(struct rtc, offset),
	STATE(struct rtc, looked),
	STATE_END
};

static int rtc_loaded(struct device *dev, enum state_kind kind)
{
	struct rtc *rtc = container_of(dev, struct rtc, dev);

	if (rtc->index >= RTC_RAM || rtc->offset < -time(NULL) || rtc->offset > RTC_LAST - time(NULL))
		return -EINVAL;
	/* Power comes back with a reset: no interrupt is enabled, none is pending (RESET). */
	if (kind == STATE_SLEEP) {
		rtc->ram[RTC_B] &= ~(RTC_EVENTS | RTC_B_SQUARE_WAVE);
		rtc->ram[RTC_C] = 0;
		rtc->looked = rtc_now(rtc);
	}
	/* An interrupt that was raised is, and events that were missed meanwhile are events. */
	irq_set(&rtc->irq, rtc->ram[RTC_C] & RTC_C_IRQ);
	rtc_look(rtc);
	rtc_rearm(rtc);
	return 0;
}

static int rtc_init(struct device *dev)
{
	struct rtc *rtc = container_of(dev, struct rtc, dev);
	int ret;

	rtc->ram[RTC_A] = RTC_A_RUNS | 6;	/* 1024 Hz, as a PC's firmware leaves it */
	rtc->ram[RTC_B] = RTC_B_24H;
	rtc->looked = rtc_now(rtc);
	ret = dev_regs(dev, &rtc->ports, rtc->base, 2, &rtc_ops, rtc);
	if (!ret)
		ret = dev_irq_wire(dev, &rtc->irq, rtc->gsi);
	if (!ret)
		ret = dev_timer(dev, &rtc->timer, rtc_timer);
	return ret ? ret : dev_work(dev, &rtc->work, rtc_work);
}

static const struct opt rtc_opts[] = {
	OPT_INT(0, "base", struct rtc, base, 1, INT_MAX, "ADDR", "index register; the data register follows"),
	OPT_INT(0, "irq", struct rtc, gsi, 1, IRQ_WIRES - 1, "N", "interrupt"),
	OPT_END
};

DEVICE_TYPE(rtc) = {
	.name = "rtc",
	.help = "CMOS clock and RAM",
	.size = sizeof(struct rtc),
	.opts = rtc_opts,
	.init = rtc_init,
	.state = rtc_state,
	.loaded = rtc_loaded,
	.acpi_hid = "PNP0B00",
	.internal = true,
};
