// SPDX-License-Identifier: GPL-2.0
/* Power off, reset, and the exit port: what ends a machine, and what does not. */
#include <linux/kernel.h>
#include <kvm/device.h>

#include "driver.h"
#include "tap.h"

static struct machine m;

static void start(void)
{
	machine_init(&m);
	CHECK_EQ(device_add(&m.vm, "pm", "reset=0x600,sleep-control=0x601,sleep-status=0x602", NULL), 0);
	CHECK_EQ(device_add(&m.vm, "debug-exit", "base=0xf4", NULL), 0);
}

TEST(power_off)
{
	start();
	/* The status is cleared first, then the type, then the type with the enable bit. */
	bus_write(&m.vm.pio, 0x602, 1, 0x80);
	bus_write(&m.vm.pio, 0x601, 1, 5 << 2);
	CHECK_EQ(bus_read(&m.vm.pio, 0x601, 1), 5 << 2);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	bus_write(&m.vm.pio, 0x601, 1, 5 << 2 | 1 << 5);
	CHECK_EQ(m.vm.end, VM_POWEROFF);
	machine_free(&m);
}

TEST(other_sleep_types_do_nothing)
{
	start();
	for (int type = 0; type < 8; type++)
		if (type != 5)
			bus_write(&m.vm.pio, 0x601, 1, type << 2 | 1 << 5);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	/* The enable bit is not kept. */
	CHECK_EQ(bus_read(&m.vm.pio, 0x601, 1), 7 << 2);
	CHECK_EQ(bus_read(&m.vm.pio, 0x602, 1), 0);
	machine_free(&m);
}

TEST(reset)
{
	start();
	bus_write(&m.vm.pio, 0x600, 1, 0x02);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	bus_write(&m.vm.pio, 0x600, 1, 0x06);
	CHECK_EQ(m.vm.end, VM_RESET);
	machine_free(&m);
}

TEST(exit_status)
{
	static const struct {
		u64 val;
		unsigned int len;
		int status;
	} cases[] = {
		{ 0, 1, 1 }, { 1, 1, 3 }, { 0x10, 4, 33 }, { 0x7f, 2, 255 }, { 0xff, 1, 255 },
		{ 0x12345680, 4, 1 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		start();
		CHECK_EQ(bus_read(&m.vm.pio, 0xf4, 1), 0);
		bus_write(&m.vm.pio, 0xf4, cases[i].len, cases[i].val);
		CHECK_EQ(m.vm.end, VM_EXIT);
		CHECK_EQ(m.vm.status, cases[i].status);
		machine_free(&m);
	}
}

TEST(the_first_end_counts)
{
	start();
	bus_write(&m.vm.pio, 0xf4, 1, 3);
	bus_write(&m.vm.pio, 0x600, 1, 0x06);
	CHECK_EQ(m.vm.end, VM_EXIT);
	CHECK_EQ(m.vm.status, 7);
	machine_free(&m);
}
