/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events of devices without an interrupt of their own: ACPI notifies the guest's
 * driver. The generic event device (hw/chips/ged.c) carries them. Machine lock held.
 */
#ifndef KVM_EVENT_H
#define KVM_EVENT_H

#include <kvm/types.h>

#define EVENTS_MAX	32
/* In place of a value of Notify(): the guest runs the method for PCI slots (kvm/acpi.h). */
#define EVENT_HOTPLUG	0

struct device;
struct ged;
struct vm;

struct event {
	struct ged *ged;
	u32 bit;
};

/*
 * For init(): an event of @dev, at which the guest's driver gets Notify(@value).
 * 0, or -errno with the message printed.
 */
int dev_event(struct device *dev, struct event *e, u8 value);

/* Raise it. Until the guest has been notified, raising it again has no effect. */
void event_raise(struct event *e);

/* Events that ACPI's fixed hardware has a bit for, as PM1 has them (tables 4.15, 4.16). */
#define FIXED_POWER_BUTTON	(1U << 8)
#define FIXED_RTC		(1U << 10)
/* Raise one of them. False: the machine has no such hardware (hw/chips/acpi_pm.c). */
bool event_fixed(struct vm *vm, u16 event);

#endif
