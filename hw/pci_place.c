// SPDX-License-Identifier: GPL-2.0
/*
 * Places: of PCI functions on the bus, of BARs in the board's windows, of capabilities in
 * configuration space. Machine lock.
 */
#include <errno.h>
#include <string.h>

#include <linux/pci_regs.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/pci.h>

#include "pci_host.h"

#define PCI_SMALL_BAR	MIB		/* up to here a 64-bit BAR goes below 4 GiB as well */

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

/* A BAR that was given some of the @size bytes at @addr, or NULL. */
static const struct pci_bar *pci_window_taken(const struct pci_host *host, u64 addr, u64 size)
{
	unsigned int n, i;

	for (n = 0; n < host->end; n++) {
		const struct pci_dev *pci = host->fn[n];

		for (i = 0; pci && i < PCI_BARS; i++) {
			const struct pci_bar *bar = &pci->bar[i];

			if (bar->home && bar->home < addr + size && addr < bar->home + bar->size)
				return bar;
		}
	}
	return NULL;
}

/* The lowest room for @size bytes, a power of two, in a window. */
static bool pci_window_take(const struct pci_host *host, u64 base, u64 len, u64 size, u64 *addr)
{
	const struct pci_bar *bar;
	u64 end;

	*addr = ALIGN(base, size);
	while ((bar = pci_window_taken(host, *addr, size)))
		*addr = ALIGN(bar->home + bar->size, size);
	return !__builtin_add_overflow(*addr - base, size, &end) && end <= len;
}

int pci_bar_assign(struct pci_dev *pci, unsigned int i)
{
	struct pci_host *host = pci_host(pci);
	const struct pci_layout *l = &host->layout;
	struct pci_bar *bar = &pci->bar[i];
	bool high = bar->is_64 && bar->size > PCI_SMALL_BAR;
	u8 *reg = pci->cfg + PCI_BASE_ADDRESS_0 + i * 4;
	unsigned int len = bar->is_64 ? 8 : 4;
	u64 addr;

	if (!(high && pci_window_take(host, l->mem64, l->mem64_len, bar->size, &addr)) &&
	    !pci_window_take(host, l->mem32, l->mem32_len, bar->size, &addr) &&
	    !(bar->is_64 && pci_window_take(host, l->mem64, l->mem64_len, bar->size, &addr)))
		return dev_err(pci->dev, -ENOSPC, "BAR %u of %llu bytes", i,
			       (unsigned long long)bar->size);
	bar->home = addr;
	pci_put(reg, len, pci_get(reg, len) | addr);
	return 0;
}

int pci_add_cap(struct pci_dev *pci, u8 id, const void *body, unsigned int len)
{
	unsigned int off = pci->cap_end;

	if (len < 2 || off + ALIGN(len, 4) > PCI_CFG_SIZE)
		return dev_err(pci->dev, -ENOSPC, "PCI capability %u", id);
	memcpy(pci->cfg + off, body, len);
	pci->cfg[off + PCI_CAP_LIST_ID] = id;
	pci->cfg[off + PCI_CAP_LIST_NEXT] = 0;
	if (pci->cap_last)
		pci->cfg[pci->cap_last + PCI_CAP_LIST_NEXT] = off;
	else
		pci->cfg[PCI_CAPABILITY_LIST] = off;
	pci->cfg[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	pci->cap_last = off;
	pci->cap_end = off + ALIGN(len, 4);
	return off;
}
