// SPDX-License-Identifier: GPL-2.0
// without: hw/chips/ged.o
/* Events of devices: the buttons and the generic event device that carries them. */
#include <unistd.h>

#include "../../hw/chips/ged.c"

#include <kvm/button.h>

#include "driver.h"
#include "tap.h"

#define PORT	0x604

static struct machine m;
static struct ged *g;

static void start(void)
{
	struct device *dev;

	machine_init(&m);
	CHECK_EQ(device_add(&m.vm, "ged", "base=0x604,irq=20", &dev), 0);
	g = container_of(dev, struct ged, dev);
	CHECK_EQ(device_add(&m.vm, "power-button", NULL, NULL), 0);
	CHECK_EQ(device_add(&m.vm, "sleep-button", NULL, NULL), 0);
}

/* How often the line has risen since the last look. */
static u64 rises(void)
{
	u64 count;

	return read(g->irq.fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

TEST(a_press_is_an_interrupt_and_a_bit)
{
	start();
	CHECK_EQ(bus_read(&m.vm.pio, PORT, 4), 0);
	CHECK_EQ(button_press(&m.vm, BUTTON_POWER), 0);
	CHECK_EQ(rises(), 1);
	CHECK(g->irq.level);
	CHECK_EQ(bus_read(&m.vm.pio, PORT, 4), 1);
	CHECK(!g->irq.level);
	CHECK_EQ(bus_read(&m.vm.pio, PORT, 4), 0);
	CHECK_EQ(button_press(&m.vm, BUTTON_SLEEP), 0);
	CHECK_EQ(rises(), 1);
	CHECK_EQ(bus_read(&m.vm.pio, PORT, 4), 2);
	machine_free(&m);
}

TEST(presses_wait_until_they_are_seen)
{
	start();
	CHECK_EQ(button_press(&m.vm, BUTTON_SLEEP), 0);
	CHECK_EQ(button_press(&m.vm, BUTTON_POWER), 0);
	CHECK_EQ(button_press(&m.vm, BUTTON_POWER), 0);
	CHECK_EQ(rises(), 1);
	/* Writing takes nothing away. */
	bus_write(&m.vm.pio, PORT, 4, ~0u);
	CHECK(g->irq.level);
	CHECK_EQ(bus_read(&m.vm.pio, PORT, 4), 3);
	CHECK(!g->irq.level);
	machine_free(&m);
}

TEST(there_are_as_many_events_as_bits)
{
	struct device *dev;
	struct event e;
	unsigned int i;

	start();
	list_for_each_entry(dev, &m.vm.devices, node)
		break;
	/* Each device takes a few. */
	dev->nr_res = 0;
	for (i = 2; i < EVENTS_MAX; i++) {
		CHECK_EQ(dev_event(dev, &e, 0x80), 0);
		CHECK_EQ(e.bit, 1u << i);
		dev->nr_res = 0;
	}
	CHECK_EQ(dev_event(dev, &e, 0x80), -ENOSPC);
	machine_free(&m);
}

TEST(without_the_event_device_there_are_no_buttons)
{
	machine_init(&m);
	CHECK_EQ(button_press(&m.vm, BUTTON_POWER), -ENOTSUP);
	CHECK_EQ(device_add(&m.vm, "power-button", NULL, NULL), -ENOSPC);
	machine_free(&m);
}
