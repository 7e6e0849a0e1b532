// SPDX-License-Identifier: GPL-2.0
/*
 * PCI: conventional functions on one bus, and their configuration space (PCI Local Bus
 * 3.0). Files beside this one have BARs, interrupts, state and the host bridge: see
 * pci_host.h. Machine lock.
 *
 * Each byte of a register is in cfg[], and its writable bits are in wmask[]. A write
 * changes cfg[], and its effect is derived from there. So there is no state beside
 * the one that the guest sees, and the sizing protocol of BARs (6.2.5.1) is a mask.
 *
 * When the guest starts, memory decoding is off and BARs have addresses, as firmware
 * leaves them. An operating system that keeps the addresses makes the fewest accesses,
 * and each access is an exit.
 */
#include <errno.h>
#include <string.h>

#include <linux/pci_regs.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

#include "pci_host.h"

static u64 pci_cfg_read(void *obj, u64 off, unsigned int len)
{
	struct pci_dev *pci = obj;

	if (pci->unplugged)
		return ~0ULL;
	if (pci->cfg_reading && off + len > PCI_STD_HEADER_SIZEOF)
		pci->cfg_reading(pci, off, len);
	return pci_get(pci->cfg + off, len);
}

static void pci_cfg_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct pci_dev *pci = obj;
	unsigned int i;

	if (pci->unplugged)
		return;
	for (i = 0; i < len; i++) {
		u8 mask = pci->wmask[off + i];

		pci->cfg[off + i] = (pci->cfg[off + i] & ~mask) | (val >> (i * 8) & mask);
	}
	if (off < PCI_STD_HEADER_SIZEOF) {
		pci_bars_update(pci_host(pci));
		if (pci->has_intx)
			pci_intx_update(pci_host(pci), pci->intx_wire);
	}
	if (off + len > PCI_STD_HEADER_SIZEOF) {
		pci_msix_update(pci);
		if (pci->cfg_written)
			pci->cfg_written(pci, off, len);
	}
}

static const struct region_ops pci_cfg_ops = {
	.read = pci_cfg_read, .write = pci_cfg_write, .max = 4,
};

/* 6.2.1: each function of a slot that has several says so; function 0 is the one that is asked. */
static void pci_slot_update(struct pci_host *host, unsigned int first)
{
	unsigned int end = first + PCI_FUNCTIONS / PCI_SLOTS, i, nr = 0;

	for (i = first; i < end; i++)
		nr += host->fn[i] != NULL;
	for (i = first; i < end; i++) {
		if (!host->fn[i])
			continue;
		host->fn[i]->cfg[PCI_HEADER_TYPE] &= ~PCI_MULTI;
		host->fn[i]->cfg[PCI_HEADER_TYPE] |= nr > 1 ? PCI_MULTI : 0;
	}
}

/* It is on the bus no more, and holds no wire up. */
static void pci_remove(void *arg)
{
	struct pci_dev *pci = arg;
	struct pci_host *host = pci_host(pci);

	host->fn[pci->devfn] = NULL;
	pci_slot_update(host, pci->devfn & ~(PCI_FUNCTIONS / PCI_SLOTS - 1));
	if (pci->has_intx)
		pci_intx_update(host, pci->intx_wire);
}

/* Slots of devices that come and go */

struct pci_dev *pci_at(const struct vm *vm, unsigned int devfn)
{
	return vm->pci->fn[devfn];
}

u32 pci_hot(const struct vm *vm)
{
	return vm->pci->hot;
}

void pci_set_hot(struct vm *vm, u32 slots)
{
	struct pci_host *host = vm->pci;

	host->hot = slots;
	/* The turn begins with those that are free now. */
	host->hot_last = PCI_SLOT(pci_place(host->fn, host->packed, slots, 0)) - 1;
}

void pci_unplug(struct pci_dev *pci)
{
	pci->unplugged = true;
	pci->cfg[PCI_COMMAND] &= ~PCI_COMMAND_MEMORY;
	pci_bars_update(pci_host(pci));
	pci_intx(pci, false);
}

int pci_add(struct pci_dev *pci, struct device *dev, const struct pci_ids *ids)
{
	struct pci_host *host = dev->vm->pci;
	unsigned int devfn = pci_place(host->fn, host->packed, host->hot, host->hot_last);
	unsigned int first = devfn & ~(PCI_FUNCTIONS / PCI_SLOTS - 1);
	int ret;

	if (devfn == PCI_FUNCTIONS && host->hot)
		return dev_err(dev, -ENOSPC, "all slots for devices that come and go are taken");
	if (devfn == PCI_FUNCTIONS)
		return dev_err(dev, -ENOSPC, "all %d slots of the PCI bus are taken", PCI_SLOTS);
	if (host->hot)
		host->hot_last = PCI_SLOT(devfn);
	memset(pci, 0, sizeof(*pci));
	pci->dev = dev;
	pci->devfn = devfn;
	pci->cap_end = PCI_STD_HEADER_SIZEOF;
	pci_put(pci->cfg + PCI_VENDOR_ID, 2, ids->vendor);
	pci_put(pci->cfg + PCI_DEVICE_ID, 2, ids->device);
	pci_put(pci->cfg + PCI_CLASS_REVISION, 4, ids->class << 8 | ids->revision);
	pci_put(pci->cfg + PCI_SUBSYSTEM_VENDOR_ID, 2, ids->subvendor);
	pci_put(pci->cfg + PCI_SUBSYSTEM_ID, 2, ids->subdevice);
	/* As firmware leaves it; Linux would write the same. */
	pci->cfg[PCI_LATENCY_TIMER] = 64;
	pci->wmask[PCI_LATENCY_TIMER] = 0xff;
	pci->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	pci_put(pci->wmask + PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	host->fn[devfn] = pci;
	host->end = max(host->end, devfn + 1);
	pci_slot_update(host, first);
	ret = dev_defer(dev, pci_remove, pci);
	return ret ? ret : dev_state(dev, "pci", pci_state, pci);
}

static void pci_disable(void *arg)
{
	struct pci_dev *pci = arg;
	unsigned int i;

	for (i = 0; i < PCI_BARS; i++)
		if (pci->bar[i].mapped)
			pci_bar_unmap(pci, i);
}

int pci_enable(struct pci_dev *pci)
{
	unsigned int i;
	int ret;

	for (i = 0; i < PCI_BARS; i++) {
		ret = pci->bar[i].size ? pci_bar_assign(pci, i) : 0;
		if (ret)
			return ret;
	}
	pci->cfg_region = (struct region) {
		.name = pci->dev->name, .ops = &pci_cfg_ops, .obj = pci,
		.base = (u64)pci->devfn << PCI_CFG_SHIFT, .len = PCI_CFG_SIZE,
	};
	ret = dev_bus_add(pci->dev, &pci->dev->vm->pcicfg, &pci->cfg_region);
	return ret ? ret : dev_defer(pci->dev, pci_disable, pci);
}
