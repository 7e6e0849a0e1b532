// SPDX-License-Identifier: GPL-2.0
// without: hw/chips/acpi_pm.o
/* ACPI's fixed hardware: PM1, its timer and interrupt, what sleeps and what wakes. */
#include <unistd.h>

#include <kvm/button.h>

#include "driver.h"
#include "tap.h"

static u64 now;

static u64 test_now(void)
{
	return now;
}

#define loop_now test_now
#include "../../hw/chips/acpi_pm.c"
#undef loop_now

#define PM1_BASE	0x608
#define STATUS	PM1_BASE
#define ENABLE	(PM1_BASE + 2)
#define CONTROL	(PM1_BASE + 4)
#define TIMER	(PM1_BASE + 8)
#define S3	(ACPI_SLEEP_S3 << 10 | PM1_SLEEP)

static struct machine m;
static struct acpi_pm *pm;

static void start(void)
{
	struct device *dev;

	now = 5 * NS_PER_SECOND;
	machine_init(&m);
	CHECK_EQ(device_add(&m.vm, "acpi-pm", NULL, &dev), 0);
	pm = container_of(dev, struct acpi_pm, dev);
}

static u64 in(u16 port, unsigned int len)
{
	return bus_read(&m.vm.pio, port, len);
}

static void out(u16 port, unsigned int len, u64 val)
{
	bus_write(&m.vm.pio, port, len, val);
}

TEST(registers)
{
	start();
	CHECK_EQ(in(STATUS, 2), 0);
	CHECK_EQ(in(CONTROL, 2), PM1_SCI_EN);
	/* Of any width. What has no bit is not kept, and what ends the sleep cannot be set. */
	out(ENABLE, 2, 0xffff);
	CHECK_EQ(in(STATUS, 4), (u64)PM1_ENABLES << 16);
	out(ENABLE + 1, 1, 0);
	CHECK_EQ(in(ENABLE, 2), PM1_ENABLES & 0xff);
	out(STATUS, 4, 0);
	CHECK_EQ(in(ENABLE, 2), 0);
	out(STATUS, 2, 0xffff);
	CHECK_EQ(in(STATUS, 2), 0);
	out(CONTROL, 2, 3 << 10 | 2);
	CHECK_EQ(in(CONTROL, 2), 3 << 10 | 2 | PM1_SCI_EN);
	CHECK_EQ(in(CONTROL + 2, 2), 0);
	out(TIMER, 4, 17);
	CHECK_EQ(in(TIMER, 4), 0);
	machine_free(&m);
}

TEST(events_and_their_interrupt)
{
	start();
	CHECK(event_fixed(&m.vm, FIXED_RTC));
	CHECK_EQ(in(STATUS, 2), FIXED_RTC);
	CHECK(!pm->sci.level);
	out(ENABLE, 2, FIXED_RTC);
	CHECK(pm->sci.level);
	/* The level goes with the last that is enabled. */
	CHECK_EQ(button_press(&m.vm, BUTTON_POWER), 0);
	out(STATUS, 2, FIXED_RTC);
	CHECK_EQ(in(STATUS, 2), FIXED_POWER_BUTTON);
	CHECK(!pm->sci.level);
	out(ENABLE, 2, FIXED_POWER_BUTTON);
	CHECK(pm->sci.level);
	out(STATUS + 1, 1, FIXED_POWER_BUTTON >> 8);
	CHECK(!pm->sci.level);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	machine_free(&m);
	machine_init(&m);
	CHECK(!event_fixed(&m.vm, FIXED_RTC));
	machine_free(&m);
}

TEST(timer)
{
	start();
	now += NS_PER_SECOND;
	CHECK_EQ(in(TIMER, 4), PM_TIMER_HZ);
	CHECK_EQ(in(TIMER + 1, 1), PM_TIMER_HZ >> 8 & 0xff);
	CHECK_EQ(in(STATUS, 2), 0);
	/* Its highest bit changes every ten minutes. */
	out(ENABLE, 2, PM1_TIMER);
	now += 599 * NS_PER_SECOND;
	CHECK_EQ(in(TIMER, 4), PM_TIMER_HZ * 600);
	CHECK_EQ(in(STATUS, 2), PM1_TIMER);
	CHECK(pm->sci.level);
	out(STATUS, 2, PM1_TIMER);
	CHECK_EQ(in(STATUS, 2), 0);
	now += 600 * NS_PER_SECOND;
	CHECK_EQ(in(TIMER, 4), (u32)(PM_TIMER_HZ * 1200));
	CHECK_EQ(in(STATUS, 2), PM1_TIMER);
	/* No waste of time in a century. */
	now += 100ULL * 365 * 86400 * NS_PER_SECOND;
	in(TIMER, 4);
	machine_free(&m);
}

TEST(sleep_and_wake)
{
	struct state *s, *r;
	const void *kept;
	size_t len;

	start();
	out(CONTROL, 2, ACPI_SLEEP_S3 << 10);
	CHECK(!(vm_held(&m.vm) & HOLD_SLEEP));
	out(CONTROL, 2, S3);
	CHECK((vm_held(&m.vm) & HOLD_SLEEP));
	CHECK_EQ(in(CONTROL, 2), ACPI_SLEEP_S3 << 10 | PM1_SCI_EN);
	/* What is not enabled does not wake, nor does the timer. */
	event_fixed(&m.vm, FIXED_RTC);
	out(ENABLE, 2, PM1_TIMER | FIXED_POWER_BUTTON);
	now += 1000 * NS_PER_SECOND;
	in(STATUS, 2);
	event_fixed(&m.vm, FIXED_RTC);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	event_fixed(&m.vm, FIXED_POWER_BUTTON);
	CHECK_EQ(m.vm.end, VM_WAKE);
	CHECK_EQ(pm->status, PM1_WAKE | FIXED_POWER_BUTTON | FIXED_RTC | PM1_TIMER);
	CHECK_EQ(state_write(&s, STATE_SLEEP), 0);
	CHECK_EQ(vm_state(&m.vm, s), 0);
	CHECK_EQ(state_written(s, &kept, &len), 0);
	machine_free(&m);

	/* The next one. */
	start();
	CHECK_EQ(state_read(&r, kept, len), 0);
	CHECK_EQ(vm_state(&m.vm, r), 0);
	state_free(r);
	state_free(s);
	CHECK_EQ(in(STATUS, 4), PM1_WAKE | FIXED_POWER_BUTTON | FIXED_RTC | PM1_TIMER);
	CHECK(!pm->sci.level);
	out(STATUS, 2, FIXED_POWER_BUTTON | PM1_TIMER);
	out(STATUS, 2, PM1_WAKE);
	CHECK_EQ(in(STATUS, 2), FIXED_RTC);
	machine_free(&m);
}

TEST(an_event_that_came_before_wakes_at_once)
{
	start();
	out(ENABLE, 2, FIXED_RTC);
	event_fixed(&m.vm, FIXED_RTC);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	out(CONTROL, 2, S3);
	CHECK_EQ(m.vm.end, VM_WAKE);
	machine_free(&m);
}

TEST(power_off_and_no_other_sleep)
{
	unsigned int type;

	start();
	for (type = 0; type < 8; type++)
		if (type != ACPI_SLEEP_S3 && type != ACPI_SLEEP_S5)
			out(CONTROL, 2, type << 10 | PM1_SLEEP);
	CHECK(!(vm_held(&m.vm) & HOLD_SLEEP));
	CHECK_EQ(m.vm.end, VM_RUNNING);
	/* The byte that has both will do. */
	out(CONTROL + 1, 1, (ACPI_SLEEP_S5 << 10 | PM1_SLEEP) >> 8);
	CHECK_EQ(m.vm.end, VM_POWEROFF);
	machine_free(&m);
}
