// SPDX-License-Identifier: GPL-2.0
/*
 * The host bridge: ECAM (PCI Express Base 4.0, 7.2.2), a PC's ports (PCI Local Bus 3.0,
 * 3.2.2.3.2), and the bridge's own function. Both ways lead to vm->pcicfg. Machine lock.
 */
#include <errno.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/kvm.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/pci.h>
#include <kvm/state.h>
#include <kvm/undo.h>
#include <kvm/vm.h>

#include "pci_host.h"

/* With more devices than this eight of them share a slot, and slots remain for what is added later. */
#define PCI_SPREAD_MAX	(PCI_SLOTS - 8)

struct pci_bridge {
	struct device dev;
	struct pci_dev pci;
};

static u64 pci_ecam_read(void *obj, u64 off, unsigned int len)
{
	struct pci_host *host = obj;

	return bus_read(&host->vm->pcicfg, off, len);
}

static void pci_ecam_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct pci_host *host = obj;

	bus_write(&host->vm->pcicfg, off, len, val);
}

static const struct region_ops pci_ecam_ops = {
	.read = pci_ecam_read, .write = pci_ecam_write, .max = 4,
};

#define PCI_CF8_ENABLE	(1U << 31)
#define PCI_CF8_MASK	(PCI_CF8_ENABLE | 0xfffffc)	/* bus, device, function, register */
#define PCI_CF8_BUS	0xff0000

/*
 * Reset control, 0xcf9 on a PC: a byte within the address register, which only
 * takes double words, so both can be there. A rise of bit 2 is the reset.
 */
#define PCI_RESET_OFFSET	1
#define PCI_RESET_HARD	(1U << 1)
#define PCI_RESET_CPU	(1U << 2)
#define PCI_RESET_FULL	(1U << 3)

static u64 pci_cf8_read(void *obj, u64 off, unsigned int len)
{
	struct pci_host *host = obj;

	if (len == 4)
		return host->address;
	if (len == 1 && off == PCI_RESET_OFFSET)
		return host->reset;
	return ~0ULL;
}

static void pci_cf8_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct pci_host *host = obj;

	if (len == 4) {
		host->address = val & PCI_CF8_MASK;
		/* An address does nothing until the access to the data: one exit for both. */
		vm_coalesce_index(host->vm, &host->coalesced, true, host->cf8.base, host->cf8.len);
	} else if (len == 1 && off == PCI_RESET_OFFSET) {
		if (val & ~host->reset & PCI_RESET_CPU)
			vm_end(host->vm, VM_RESET, 0);
		host->reset = val & (PCI_RESET_HARD | PCI_RESET_CPU | PCI_RESET_FULL);
	}
}

static const struct region_ops pci_cf8_ops = {
	.read = pci_cf8_read, .write = pci_cf8_write, .max = 4,
};

/* The address on vm->pcicfg that byte @off of the data stands for; false: nothing there. */
static bool pci_cfc_addr(const struct pci_host *host, u64 off, u64 *addr)
{
	if (!(host->address & PCI_CF8_ENABLE) || host->address & PCI_CF8_BUS)
		return false;
	*addr = (host->address >> 8 & 0xff) << PCI_CFG_SHIFT | ((host->address & 0xfc) + off);
	return true;
}

static u64 pci_cfc_read(void *obj, u64 off, unsigned int len)
{
	struct pci_host *host = obj;
	u64 addr;

	return pci_cfc_addr(host, off, &addr) ? bus_read(&host->vm->pcicfg, addr, len) : ~0ULL;
}

static void pci_cfc_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct pci_host *host = obj;
	u64 addr;

	if (pci_cfc_addr(host, off, &addr))
		bus_write(&host->vm->pcicfg, addr, len, val);
}

static const struct region_ops pci_cfc_ops = {
	.read = pci_cfc_read, .write = pci_cfc_write, .max = 4,
};

static int pci_host_state(void *obj, struct state *s)
{
	struct pci_host *host = obj;

	state_value(s, "address", &host->address, sizeof(host->address));
	state_value(s, "reset", &host->reset, sizeof(host->reset));
	host->address &= PCI_CF8_MASK;
	host->reset &= PCI_RESET_HARD | PCI_RESET_CPU | PCI_RESET_FULL;
	return state_status(s);
}

static int pci_bridge_init(struct device *dev)
{
	/*
	 * Red Hat's number for a plain PCI Express host bridge, one without
	 * registers of its own: there is nothing in it for a driver to find.
	 */
	static const struct pci_ids ids = {
		.vendor = 0x1b36, .device = 0x0008, .class = 0x060000,
	};
	struct pci_bridge *bridge = container_of(dev, struct pci_bridge, dev);
	struct pci_host *host = dev->vm->pci;
	const struct pci_layout *l = &host->layout;
	int ret;

	host->ecam = (struct region) {
		.name = "pci ecam", .base = l->ecam, .len = l->ecam_len,
		.ops = &pci_ecam_ops, .obj = host,
	};
	host->cf8 = (struct region) {
		.name = "pci address", .base = l->ports, .len = 4, .ops = &pci_cf8_ops, .obj = host,
	};
	host->cfc = (struct region) {
		.name = "pci data", .base = l->ports + 4, .len = 4, .ops = &pci_cfc_ops, .obj = host,
	};
	ret = dev_bus_add(dev, &dev->vm->mmio, &host->ecam);
	if (!ret && l->ports)
		ret = dev_bus_add(dev, &dev->vm->pio, &host->cf8);
	if (!ret && l->ports)
		ret = dev_bus_add(dev, &dev->vm->pio, &host->cfc);
	if (!ret)
		ret = dev_state(dev, "host", pci_host_state, host);
	/* A function with nothing in it costs as much to be set up as any. */
	if (ret || l->plain)
		return ret;
	ret = pci_add(&bridge->pci, dev, &ids);
	return ret ? ret : pci_enable(&bridge->pci);
}

DEVICE_TYPE(pci_bridge) = {
	.name = "pci-host",
	.help = "PCI host bridge",
	.size = sizeof(struct pci_bridge),
	.init = pci_bridge_init,
	.state = STATELESS,		/* but for that of its parts */
	.internal = true,
};

int pci_host_new(struct vm *vm, const struct pci_layout *layout)
{
	struct pci_host *host = calloc(1, sizeof(*host));

	if (!host || undo_free(&vm->undo, host)) {
		pr_err("PCI host bridge: out of memory");
		return -ENOMEM;
	}
	host->vm = vm;
	host->layout = *layout;
	host->packed = vm->cfg->nr_devices > PCI_SPREAD_MAX;
	vm->pci = host;
	return device_add(vm, pci_bridge.name, NULL, NULL);
}

const struct pci_layout *pci_host_layout(const struct vm *vm)
{
	return &vm->pci->layout;
}
