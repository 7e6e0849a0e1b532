// SPDX-License-Identifier: GPL-2.0
/*
 * PCI hotplug by ACPI (ACPI 6.4, 5.6.6 and 6.3): three registers and an event. The guest's
 * method, which hw/acpi.c writes, reads the slots where something has come or gone and the
 * slots that it is asked to let go of; reading clears them. It writes the bit of a slot to
 * eject the device there. A guest without a driver for that never makes an exit for it.
 *
 * A vCPU ejects: the device is gone from the bus at once, and the main loop removes the rest.
 */
#include <errno.h>
#include <limits.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/drive.h>
#include <kvm/event.h>
#include <kvm/hotplug.h>
#include <kvm/log.h>
#include <kvm/opt.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

#define HOTPLUG_CHANGED	0	/* registers */
#define HOTPLUG_EJECT	4	/* read: the guest is asked to; write: it does */
#define HOTPLUG_LEN	8
#define HOTPLUG_FREE	8	/* slots for what comes */
/* How often a device is looked at whose requests the host does not give back. */
#define HOTPLUG_LOOK_NS	(100 * 1000 * 1000ULL)

struct hotplug {
	struct device dev;
	int base;			/* suboption */
	struct region ports;
	struct event event;
	u32 changed, asked;		/* slots, for the guest to read */
	u32 leaving;			/* devices there are off the bus, and not removed yet */
	struct work work;
	struct timer timer;
};

/* The function that has a slot for itself, or NULL. */
static struct pci_dev *hotplug_in_slot(const struct vm *vm, unsigned int slot)
{
	struct pci_dev *pci = pci_at(vm, slot << PCI_SLOT_SHIFT);
	unsigned int i;

	for (i = 1; pci && i < 1 << PCI_SLOT_SHIFT; i++)
		if (pci_at(vm, (slot << PCI_SLOT_SHIFT) + i))
			return NULL;
	return pci;
}

static bool hotplug_slot_is_free(const struct vm *vm, unsigned int slot)
{
	unsigned int i;

	for (i = 0; i < 1 << PCI_SLOT_SHIFT; i++)
		if (pci_at(vm, (slot << PCI_SLOT_SHIFT) + i))
			return false;
	return true;
}

/* The slot of @dev, which has it for itself; 0: none. */
static unsigned int hotplug_slot_of(const struct device *dev)
{
	unsigned int slot;

	for (slot = 1; slot < PCI_SLOTS; slot++) {
		const struct pci_dev *pci = hotplug_in_slot(dev->vm, slot);

		if (pci && pci->dev == dev)
			return slot;
	}
	return 0;
}

void hotplug_ready(struct vm *vm)
{
	const struct drive *drive;
	unsigned int slot, nr = 0;
	u32 slots = 0;

	if (!vm->hotplug)
		return;
	for (slot = PCI_SLOTS - 1; slot && nr < HOTPLUG_FREE; slot--) {
		if (!hotplug_slot_is_free(vm, slot))
			continue;
		slots |= 1U << slot;
		nr++;
	}
	list_for_each_entry(drive, &vm->drives, node)
		slots |= 1U << hotplug_slot_of(drive->dev);
	pci_set_hot(vm, slots & ~1U);
}

/* The bit of the device's slot, 0: none that the tables describe. */
static u32 hotplug_slot(const struct device *dev)
{
	return 1U << hotplug_slot_of(dev) & pci_hot(dev->vm);
}

int hotplug_added(struct device *dev)
{
	struct hotplug *h = dev->vm->hotplug;
	u32 slot = hotplug_slot(dev);

	if (!slot)
		return -ENOTSUP;
	dev->vm->plugged = true;
	h->changed |= slot;
	event_raise(&h->event);
	return 0;
}

int hotplug_request(struct device *dev)
{
	struct hotplug *h = dev->vm->hotplug;
	u32 slot = hotplug_slot(dev);

	if (!slot)
		return -ENOTSUP;
	h->asked |= slot;
	event_raise(&h->event);
	return 0;
}

/* Off the bus now; the rest on the main loop. */
static void hotplug_leave(struct hotplug *h, struct device *dev, u32 slot)
{
	pci_unplug(hotplug_in_slot(dev->vm, __builtin_ctz(slot)));
	h->leaving |= slot;
	loop_post(dev_loop(&h->dev), &h->work);
}

int hotplug_pull(struct device *dev)
{
	struct hotplug *h = dev->vm->hotplug;
	u32 slot = hotplug_slot(dev);

	if (!slot)
		return -ENOTSUP;
	hotplug_leave(h, dev, slot);
	h->changed |= slot;
	event_raise(&h->event);
	return 0;
}

/* False: the host still has requests of the device's. */
static bool hotplug_remove(struct hotplug *h, u32 slot)
{
	struct vm *vm = h->dev.vm;
	struct pci_dev *pci = hotplug_in_slot(vm, slot);
	struct device *dev = pci ? pci->dev : NULL;

	if (dev && dev->quiet && !dev->quiet(dev))
		return false;
	h->leaving &= ~(1U << slot);
	if (!dev)
		return true;
	dev->unplugged = vm->plugged = true;
	if (vm->unplugged)
		vm->unplugged(vm->unplugged_obj, dev);
	device_del(dev);
	return true;
}

static void hotplug_look(struct hotplug *h)
{
	bool all = true;

	for (u32 slot = 0; slot < PCI_SLOTS; slot++)
		if (h->leaving & 1U << slot)
			all &= hotplug_remove(h, slot);
	if (!all)
		loop_timer(dev_loop(&h->dev), &h->timer, loop_now() + HOTPLUG_LOOK_NS);
}

static void hotplug_work(struct work *w)
{
	hotplug_look(container_of(w, struct hotplug, work));
}

static void hotplug_timer(struct timer *t)
{
	hotplug_look(container_of(t, struct hotplug, timer));
}

static u64 hotplug_read(void *obj, u64 off, unsigned int len)
{
	struct hotplug *h = obj;
	u32 *reg = off == HOTPLUG_CHANGED ? &h->changed : off == HOTPLUG_EJECT ? &h->asked : NULL;
	u32 val = reg ? *reg : 0;

	if (reg)
		*reg = 0;
	return val;
}

/* Only devices of slots that the tables describe: others stay. */
static void hotplug_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct hotplug *h = obj;

	for (u32 slot = 0; off == HOTPLUG_EJECT && slot < PCI_SLOTS; slot++) {
		u32 bit = val & pci_hot(h->dev.vm) & ~h->leaving & 1U << slot;
		struct pci_dev *pci = bit ? hotplug_in_slot(h->dev.vm, slot) : NULL;

		if (pci)
			hotplug_leave(h, pci->dev, bit);
	}
}

static const struct region_ops hotplug_ops = {
	.read = hotplug_read, .write = hotplug_write, .min = 4, .max = 4,
};

static int hotplug_init(struct device *dev)
{
	struct hotplug *h = container_of(dev, struct hotplug, dev);
	int ret;

	h->ports.name = "PCI hotplug";
	ret = dev_regs(dev, &h->ports, h->base, HOTPLUG_LEN, &hotplug_ops, h);
	if (!ret)
		ret = dev_event(dev, &h->event, EVENT_HOTPLUG);
	if (!ret)
		ret = dev_work(dev, &h->work, hotplug_work);
	if (!ret)
		ret = dev_timer(dev, &h->timer, hotplug_timer);
	if (!ret)
		dev->vm->hotplug = h;
	return ret;
}

static const struct state_field hotplug_state[] = {
	STATE(struct hotplug, changed), STATE(struct hotplug, asked), STATE_END
};

static const struct opt hotplug_opts[] = {
	OPT_INT(0, "base", struct hotplug, base, 1, INT_MAX, "ADDR", "the first of eight ports, or bytes"),
	OPT_END
};

DEVICE_TYPE(hotplug) = {
	.name = "pci-hotplug",
	.help = "PCI slots of devices that come and go",
	.size = sizeof(struct hotplug),
	.opts = hotplug_opts,
	.init = hotplug_init,
	.state = hotplug_state,
	.internal = true,
};
