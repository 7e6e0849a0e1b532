// SPDX-License-Identifier: GPL-2.0
/*
 * The power button and the sleep button, as control methods (ACPI 6.4,
 * 4.8.2.2.1.2 and 4.8.2.2.2.2): to press one is an event, 0x80, of its device.
 * Pressed on the main loop, machine lock held.
 */
#include <errno.h>

#include <linux/kernel.h>
#include <kvm/button.h>
#include <kvm/device.h>
#include <kvm/event.h>
#include <kvm/vm.h>

#define BUTTON_PRESSED	0x80

struct button {
	struct device dev;
	struct event event;
};

static int button_init(struct device *dev)
{
	struct button *b = container_of(dev, struct button, dev);

	return dev_event(dev, &b->event, BUTTON_PRESSED);
}

DEVICE_TYPE(button_power) = {
	.name = "power-button",
	.help = "power button, which lkvm stop presses",
	.size = sizeof(struct button),
	.init = button_init,
	.state = STATELESS,
	.acpi_hid = "PNP0C0C",
	.internal = true,
};

DEVICE_TYPE(button_sleep) = {
	.name = "sleep-button",
	.help = "sleep button",
	.size = sizeof(struct button),
	.init = button_init,
	.state = STATELESS,
	.acpi_hid = "PNP0C0E",
	.internal = true,
};

int button_press(struct vm *vm, enum button_kind kind)
{
	struct device *dev = device_find(vm, kind == BUTTON_SLEEP ? button_sleep.name : button_power.name);

	/* With two power buttons a guest would get each press twice. */
	if (kind == BUTTON_POWER && event_fixed(vm, FIXED_POWER_BUTTON))
		return 0;
	if (!dev)
		return -ENOTSUP;
	event_raise(&container_of(dev, struct button, dev)->event);
	return 0;
}
