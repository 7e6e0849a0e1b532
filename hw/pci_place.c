// SPDX-License-Identifier: GPL-2.0
/* Where on the bus a PCI function goes. */
#include <kvm/pci.h>

static bool pci_slot_is_free(struct pci_dev *const fn[PCI_FUNCTIONS], unsigned int slot)
{
	unsigned int i;

	for (i = 0; i < 1 << PCI_SLOT_SHIFT; i++)
		if (fn[(slot << PCI_SLOT_SHIFT) + i])
			return false;
	return true;
}

/* A guest that has not looked since the last device was pulled out does not find another in its slot. */
static unsigned int pci_place_hot(struct pci_dev *const fn[PCI_FUNCTIONS], u32 hot, unsigned int last)
{
	unsigned int slot, i;

	for (i = 1; i <= PCI_SLOTS; i++) {
		slot = (last + i) % PCI_SLOTS;
		if (hot & 1U << slot && pci_slot_is_free(fn, slot))
			return slot << PCI_SLOT_SHIFT;
	}
	return PCI_FUNCTIONS;
}

/*
 * The lowest free place, so that the guest finds devices in the order of the command
 * line; PCI_FUNCTIONS: there is none. A system looks at function 0 of each slot, and at
 * the seven others only where that one says so (6.2.1): few devices are spread, so as not to
 * be looked for in vain. Slot 0 is not shared: it may be the bridge's.
 */
unsigned int pci_place(struct pci_dev *const fn[PCI_FUNCTIONS], bool packed, u32 hot, unsigned int last)
{
	unsigned int devfn, step = packed ? 1 : 1 << PCI_SLOT_SHIFT;

	if (!fn[0])
		return 0;
	if (hot)
		return pci_place_hot(fn, hot, last);
	for (devfn = 1 << PCI_SLOT_SHIFT; devfn < PCI_FUNCTIONS && fn[devfn]; devfn += step)
		;
	return devfn;
}
