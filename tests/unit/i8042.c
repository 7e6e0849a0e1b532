// SPDX-License-Identifier: GPL-2.0
/* The keyboard controller, as Linux's i8042, atkbd and psmouse drivers use it, and its reset line. */
#include <stdlib.h>

#include "driver.h"
#include "tap.h"

static struct machine m;

static void start(void)
{
	machine_init(&m);
	CHECK_EQ(device_add(&m.vm, "i8042", "base=0x60,irq=1,aux-irq=12", NULL), 0);
}

static u8 status(void)
{
	return bus_read(&m.vm.pio, 0x64, 1);
}

static void command(u8 val)
{
	bus_write(&m.vm.pio, 0x64, 1, val);
}

static void data(u8 val)
{
	bus_write(&m.vm.pio, 0x60, 1, val);
}

/* The next byte from the keyboard's side, or from the mouse's. */
static u8 next(bool aux)
{
	CHECK(status() & 1);
	CHECK_EQ(!!(status() & 0x20), aux);
	return bus_read(&m.vm.pio, 0x60, 1);
}

TEST(nothing_to_read_at_first)
{
	start();
	CHECK(!(status() & 1));
	CHECK(!(status() & 2));
	machine_free(&m);
}

TEST(self_test_and_line_tests)
{
	start();
	command(0xaa);
	CHECK_EQ(next(false), 0x55);
	CHECK(status() & 4);
	command(0xab);
	CHECK_EQ(next(false), 0);
	command(0xa9);
	CHECK_EQ(next(false), 0);
	machine_free(&m);
}

TEST(command_byte)
{
	start();
	command(0x60);
	CHECK(status() & 8);
	data(0x47);
	CHECK(!(status() & 8));
	command(0x20);
	CHECK_EQ(next(false), 0x47);
	/* Linux asks by this bit whether there is a mouse. */
	command(0xa7);
	command(0x20);
	CHECK_EQ(next(false), 0x67);
	command(0xa8);
	command(0x20);
	CHECK_EQ(next(false), 0x47);
	machine_free(&m);
}

TEST(no_multiplexer)
{
	start();
	/* One would change the second byte of the series. */
	for (const u8 *p = (const u8 []){ 0xf0, 0x56, 0xa4, 0 }; *p; p++) {
		command(0xd3);
		data(*p);
		CHECK_EQ(next(true), *p);
	}
	machine_free(&m);
}

TEST(keyboard_answers)
{
	start();
	data(0xf2);
	CHECK_EQ(next(false), 0xfa);
	CHECK_EQ(next(false), 0xab);
	CHECK_EQ(next(false), 0x83);
	data(0xff);
	CHECK_EQ(next(false), 0xfa);
	CHECK_EQ(next(false), 0xaa);
	data(0xed);
	CHECK_EQ(next(false), 0xfa);
	data(0x00);
	CHECK_EQ(next(false), 0xfa);
	data(0xf0);
	next(false);
	data(0x00);
	CHECK_EQ(next(false), 0xfa);
	CHECK_EQ(next(false), 2);
	data(0x12);
	CHECK_EQ(next(false), 0xfe);
	CHECK(!(status() & 1));
	machine_free(&m);
}

TEST(mouse_answers)
{
	start();
	command(0xd4);
	data(0xff);
	CHECK_EQ(next(true), 0xfa);
	CHECK_EQ(next(true), 0xaa);
	CHECK_EQ(next(true), 0x00);
	command(0xd4);
	data(0xf2);
	CHECK_EQ(next(true), 0xfa);
	CHECK_EQ(next(true), 0x00);
	CHECK(!(status() & 1));
	machine_free(&m);
}

TEST(a_command_cancels_what_was_half_done)
{
	start();
	command(0x60);
	command(0xab);
	CHECK_EQ(next(false), 0);
	data(0xee);			/* for the keyboard, not the command byte */
	CHECK_EQ(next(false), 0xee);
	machine_free(&m);
}

TEST(the_queue_drops_what_does_not_fit)
{
	unsigned int n = 0;

	start();
	for (int i = 0; i < 1000; i++)
		data(0xf2);
	while (status() & 1) {
		bus_read(&m.vm.pio, 0x60, 1);
		n++;
	}
	CHECK_EQ(n, 16);
	machine_free(&m);
}

TEST(any_bytes_in_any_order)
{
	start();
	srandom(1);
	for (int i = 0; i < 200000; i++) {
		u8 byte = random();

		switch (random() % 4) {
		case 0:
			/* All but the reset line. */
			if (byte < 0xf0 && byte != 0xd1)
				command(byte);
			break;
		case 1:
			data(byte);
			break;
		default:
			bus_read(&m.vm.pio, byte & 4 ? 0x64 : 0x60, 1);
		}
	}
	CHECK_EQ(m.vm.end, VM_RUNNING);
	command(0xaa);
	CHECK_EQ(next(false), 0x55);
	machine_free(&m);
}

TEST(reset_by_pulse)
{
	start();
	command(0xff);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	command(0xfe);
	CHECK_EQ(m.vm.end, VM_RESET);
	machine_free(&m);
}

TEST(reset_by_output_port)
{
	start();
	command(0xd0);
	CHECK_EQ(next(false) & 1, 1);
	command(0xd1);
	data(0x03);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	command(0xd1);
	data(0x02);
	CHECK_EQ(m.vm.end, VM_RESET);
	machine_free(&m);
}
