/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI devices that come and go while the guest runs (hw/chips/pci_hotplug.c): ACPI tells
 * the guest, which looks at the slot, or lets go of it. Machine lock held; main thread.
 */
#ifndef KVM_HOTPLUG_H
#define KVM_HOTPLUG_H

#include <kvm/types.h>

struct device;
struct hotplug;
struct vm;

/*
 * After the devices of the configuration: which slots the guest's tables describe, those
 * of disks and some that are free. A device that is added later gets one of these.
 */
void hotplug_ready(struct vm *vm);
/* @dev has been added: have the guest look. -ENOTSUP: it has no slot that the guest would look at. */
int hotplug_added(struct device *dev);
/*
 * Ask the guest to let go of @dev. It is removed when the guest has done so, and
 * vm->unplugged is called before. 0; -ENOTSUP: the guest cannot be asked for this one.
 */
int hotplug_request(struct device *dev);
/* Pull it out: its registers read as all ones at once, and the guest is told. As hotplug_request(). */
int hotplug_pull(struct device *dev);

#endif
