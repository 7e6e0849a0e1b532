// SPDX-License-Identifier: GPL-2.0
/*
 * The generic event device (ACPI 6.4, 5.6.9): what a hardware-reduced machine
 * has in place of general-purpose events. It has one interrupt, whose level is high
 * while an event is pending, and one register that says which are: reading it
 * clears them. The method _EVT, written here, reads it and notifies the devices
 * that own the events. An event raised before the driver is loaded stays pending,
 * and without a driver the guest makes no exits for it.
 *
 * Reads on vCPU threads, events from the main loop, all under the machine lock.
 */
#include <errno.h>
#include <limits.h>

#include <linux/kernel.h>
#include <kvm/acpi.h>
#include <kvm/device.h>
#include <kvm/event.h>
#include <kvm/opt.h>
#include <kvm/vm.h>

struct ged {
	struct device dev;
	int base, gsi;			/* suboptions */
	struct region ports;
	struct irq irq;
	u32 pending;
	u32 used;			/* events that devices have */
};

static void ged_free(void *arg)
{
	struct event *e = arg;

	e->ged->used &= ~e->bit;
	e->ged->pending &= ~e->bit;
	irq_set(&e->ged->irq, e->ged->pending);
}

int dev_event(struct device *dev, struct event *e, u8 value)
{
	struct ged *ged = dev->vm->ged;
	unsigned int nr;
	int ret;

	if (!ged || ged->used == ~0u)
		return dev_err(dev, -ENOSPC, "an event for ACPI");
	nr = __builtin_ctz(~ged->used);
	*e = (struct event) { .ged = ged, .bit = 1u << nr };
	ged->used |= e->bit;
	ret = dev_defer(dev, ged_free, e);
	return ret ? ret : dev_claim(dev, RES_EVENT, nr, value);
}

void event_raise(struct event *e)
{
	e->ged->pending |= e->bit;
	irq_set(&e->ged->irq, true);
}

static u64 ged_read(void *obj, u64 off, unsigned int len)
{
	struct ged *ged = obj;
	u32 pending = ged->pending;

	ged->pending = 0;
	irq_set(&ged->irq, false);
	return pending;
}

static void ged_write(void *obj, u64 off, unsigned int len, u64 val)
{
}

static const struct region_ops ged_ops = {
	.read = ged_read, .write = ged_write, .min = 4, .max = 4,
};

static void ged_acpi(const struct device *dev, struct acpi *a)
{
	const struct ged *ged = container_of(dev, struct ged, dev);
	const struct device *other;
	unsigned int i;

	aml_field(a, "EREG", "EVNT", device_registers(&ged->dev));
	aml_method(a, "_EVT", 1);
	aml_store(a);
	aml_ref(a, "EVNT");
	acpi_u8(a, AML_LOCAL(0));
	list_for_each_entry(other, &dev->vm->devices, node) {
		for (i = 0; i < other->nr_res; i++) {
			if (other->res[i].kind != RES_EVENT)
				continue;
			aml_if_bits(a, AML_LOCAL(0), 1u << other->res[i].base);
			if (other->res[i].len == EVENT_HOTPLUG)
				aml_ref(a, ACPI_HOTPLUG_METHOD);
			else
				aml_notify(a, other, other->res[i].len);
			aml_end(a);
		}
	}
	aml_end(a);
}

static int ged_init(struct device *dev)
{
	struct ged *ged = container_of(dev, struct ged, dev);
	int ret;

	ged->ports.name = "events";
	ret = dev_regs(dev, &ged->ports, ged->base, sizeof(u32), &ged_ops, ged);
	if (!ret)
		ret = dev_irq_level(dev, &ged->irq, ged->gsi);
	if (!ret)
		dev->vm->ged = ged;
	return ret;
}

static const struct state_field ged_state[] = { STATE(struct ged, pending), STATE_END };

static int ged_loaded(struct device *dev, enum state_kind kind)
{
	struct ged *ged = container_of(dev, struct ged, dev);

	if (ged->pending & ~ged->used)
		return -EINVAL;
	irq_set(&ged->irq, ged->pending);
	return 0;
}

static const struct opt ged_opts[] = {
	OPT_INT(0, "base", struct ged, base, 1, INT_MAX, "ADDR", "the first of four ports, or bytes"),
	OPT_INT(0, "irq", struct ged, gsi, 1, IRQ_WIRES - 1, "N", "interrupt"),
	OPT_END
};

DEVICE_TYPE(ged) = {
	.name = "ged",
	.help = "ACPI events",
	.size = sizeof(struct ged),
	.opts = ged_opts,
	.init = ged_init,
	.state = ged_state,
	.loaded = ged_loaded,
	.acpi_hid = "ACPI0013",
	.acpi = ged_acpi,
	.acpi_irqs_only = true,		/* 5.6.9.1: Linux takes nothing else */
	.internal = true,
};
