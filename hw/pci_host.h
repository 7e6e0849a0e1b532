/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files of PCI: hw/pci.c has the functions and their configuration space,
 * hw/pci_bar.c their registers, hw/pci_irq.c their interrupts, hw/pci_place.c their
 * places, hw/pci_state.c their state, and hw/pci_host.c the bridge. Machine lock.
 */
#ifndef HW_PCI_HOST_H
#define HW_PCI_HOST_H

#include <kvm/bus.h>
#include <kvm/device.h>
#include <kvm/irq.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

struct state;

#define PCI_SLOT(devfn)	((devfn) >> PCI_SLOT_SHIFT)
#define PCI_MULTI	0x80		/* header type: the slot has more functions than this one */
#define PCI_CFG_SHIFT	12		/* ECAM: 4 KiB for each function */
#define PCI_INTX_PINS	4

struct pci_host {
	struct vm *vm;
	struct pci_layout layout;
	struct pci_dev *fn[PCI_FUNCTIONS];	/* by devfn */
	unsigned int end;			/* no function from here on */
	bool packed;				/* eight devices to a slot */
	u32 hot;				/* slots of devices that come and go */
	unsigned int hot_last;			/* the one of these that was given out last, or 0 */
	struct irq wire[PCI_INTX_PINS];		/* shared by slots */
	bool wired[PCI_INTX_PINS];		/* wire[] exists */

	u32 address;				/* of the ports: what the data are of */
	u8 reset;				/* and the reset control register */
	bool coalesced;				/* KVM collects writes of the address */
	struct region ecam, cf8, cfc;
};

static inline struct pci_host *pci_host(const struct pci_dev *pci)
{
	return pci->dev->vm->pci;
}

/* What is mapped of the BARs of all functions agrees with their registers again. */
void pci_bars_update(struct pci_host *host);
/* This one is no longer reachable. */
void pci_bar_unmap(struct pci_dev *pci, unsigned int bar);
/* Give a BAR its first address, in one of the windows. 0 or -errno with the message printed. */
int pci_bar_assign(struct pci_dev *pci, unsigned int bar);

/* Set a wire, of INTx, to what its functions ask for. */
void pci_intx_update(struct pci_host *host, unsigned int wire);
/* Have MSI-X's messages follow the capability, of which the guest may have written a part. */
void pci_msix_update(struct pci_dev *pci);
/* The same for entry @i of the table, which has been loaded and is not vetted. */
void pci_msix_load(struct pci_dev *pci, unsigned int i);

/* For dev_state(). */
int pci_state(void *pci, struct state *s);

#endif
