// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts of PCI functions: INTx (PCI Local Bus 3.0, 2.2.6), level-triggered wires
 * that slots share, and MSI-X (6.8.2), messages by a table in a BAR. Machine lock.
 */
#include <errno.h>

#include <linux/pci_regs.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

#include "pci_host.h"

/* MSI-X table and pending bits in their BAR. */
#define PCI_MSIX_BAR	4096
#define PCI_MSIX_PENDING	2048

void pci_intx_update(struct pci_host *host, unsigned int wire)
{
	bool level = false;
	unsigned int n;

	if (!host->wired[wire])
		return;
	for (n = 0; n < host->end; n++) {
		struct pci_dev *pci = host->fn[n];

		if (pci && pci->has_intx && pci->intx_wire == wire && pci->intx_level &&
		    !(pci_get(pci->cfg + PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE) &&
		    !pci_msix_enabled(pci))
			level = true;
	}
	irq_set(&host->wire[wire], level);
}

void pci_intx(struct pci_dev *pci, bool level)
{
	if (!pci->has_intx || pci->intx_level == level)
		return;
	pci->intx_level = level;
	pci->cfg[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
	pci->cfg[PCI_STATUS] |= level ? PCI_STATUS_INTERRUPT : 0;
	pci_intx_update(pci_host(pci), pci->intx_wire);
}

int pci_add_intx(struct pci_dev *pci)
{
	struct pci_host *host = pci_host(pci);
	u8 input = host->layout.intx[PCI_SLOT(pci->devfn) % PCI_INTX_PINS];
	unsigned int wire = 0;
	int ret;

	if (host->layout.plain)
		return 0;
	/* Two of the four may have one input. */
	while (host->layout.intx[wire] != input)
		wire++;
	if (!host->wired[wire]) {
		ret = irq_wire_init(&host->wire[wire], host->vm->irqs, &host->vm->undo, input);
		if (ret)
			return dev_err(pci->dev, ret, "interrupt %u", input);
		host->wired[wire] = true;
	}
	pci->has_intx = true;
	pci->intx_wire = wire;
	pci->cfg[PCI_INTERRUPT_PIN] = 1;
	pci->cfg[PCI_INTERRUPT_LINE] = irqs_gsi(host->vm->irqs, input);
	pci->wmask[PCI_INTERRUPT_LINE] = 0xff;
	return 0;
}

/* MSI-X */

static u16 pci_msix_flags(const struct pci_dev *pci)
{
	return pci->nr_msix ? pci_get(pci->cfg + pci->msix_cap + PCI_MSIX_FLAGS, 2) : 0;
}

bool pci_msix_enabled(const struct pci_dev *pci)
{
	return pci_msix_flags(pci) & PCI_MSIX_FLAGS_ENABLE;
}

/* irq_msg_*() see themselves whether anything has changed, and touch KVM only then. */
static void pci_msix_apply(struct pci_dev *pci, unsigned int i)
{
	const u8 *entry = pci->msix_table[i];
	u16 flags = pci_msix_flags(pci);
	bool masked = !(flags & PCI_MSIX_FLAGS_ENABLE) || flags & PCI_MSIX_FLAGS_MASKALL ||
		entry[PCI_MSIX_ENTRY_VECTOR_CTRL] & PCI_MSIX_ENTRY_CTRL_MASKBIT;

	irq_msg_set(&pci->msix[i], pci_get(entry + PCI_MSIX_ENTRY_LOWER_ADDR, 8),
		    pci_get(entry + PCI_MSIX_ENTRY_DATA, 4));
	irq_msg_mask(&pci->msix[i], masked);
}

void pci_msix_update(struct pci_dev *pci)
{
	unsigned int i;

	for (i = 0; i < pci->nr_msix; i++) {
		pci_msix_apply(pci, i);
		/* Pending messages are dropped when MSI-X is no longer used. */
		if (!pci_msix_enabled(pci))
			irq_msg_clear(&pci->msix[i]);
	}
	if (pci->has_intx)
		pci_intx_update(pci_host(pci), pci->intx_wire);
}

static u64 pci_msix_read(void *obj, u64 off, unsigned int len)
{
	struct pci_dev *pci = obj;
	u64 pending = 0;
	unsigned int i;

	if (off % len)
		return 0;
	if (off < pci->nr_msix * PCI_MSIX_ENTRY_SIZE)
		return pci_get(pci->msix_table[0] + off, len);
	if (off < PCI_MSIX_PENDING || off >= PCI_MSIX_PENDING + sizeof(pending))
		return 0;
	for (i = 0; i < pci->nr_msix; i++)
		if (irq_msg_pending(&pci->msix[i]))
			pending |= 1ULL << i;
	return pending >> (off - PCI_MSIX_PENDING) * 8;
}

/* Reserved bits are 0. */
static void pci_msix_vet(u8 *entry)
{
	entry[PCI_MSIX_ENTRY_LOWER_ADDR] &= ~3;
	pci_put(entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 4,
		entry[PCI_MSIX_ENTRY_VECTOR_CTRL] & PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

void pci_msix_load(struct pci_dev *pci, unsigned int i)
{
	pci_msix_vet(pci->msix_table[i]);
	pci_msix_apply(pci, i);
}

static void pci_msix_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct pci_dev *pci = obj;
	u8 *entry;

	if (off % len || off >= pci->nr_msix * PCI_MSIX_ENTRY_SIZE)
		return;
	entry = pci->msix_table[off / PCI_MSIX_ENTRY_SIZE];
	pci_put(entry + off % PCI_MSIX_ENTRY_SIZE, len, val);
	pci_msix_vet(entry);
	pci_msix_apply(pci, off / PCI_MSIX_ENTRY_SIZE);
}

static const struct region_ops pci_msix_ops = {
	.read = pci_msix_read, .write = pci_msix_write, .min = 4, .max = 8,
};

int pci_add_msix(struct pci_dev *pci, unsigned int bar, unsigned int n)
{
	u8 cap[PCI_CAP_MSIX_SIZEOF] = { 0 };
	unsigned int i;
	int ret;

	if (!n || n > PCI_MSIX_MAX)
		return dev_err(pci->dev, -EINVAL, "%u MSI-X vectors", n);
	ret = pci_add_bar(pci, bar, PCI_MSIX_BAR, false, false, &pci_msix_ops, pci, "msix");
	if (ret)
		return ret;
	pci->msix = dev_alloc(pci->dev, n * sizeof(*pci->msix));
	pci->msix_table = dev_alloc(pci->dev, n * sizeof(*pci->msix_table));
	if (!pci->msix || !pci->msix_table)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		pci->msix_table[i][PCI_MSIX_ENTRY_VECTOR_CTRL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		ret = dev_irq_msg(pci->dev, &pci->msix[i], pci->devfn);
		if (ret)
			return ret;
	}
	pci_put(cap + PCI_MSIX_FLAGS, 2, n - 1);
	pci_put(cap + PCI_MSIX_TABLE, 4, bar);
	pci_put(cap + PCI_MSIX_PBA, 4, PCI_MSIX_PENDING | bar);
	ret = pci_add_cap(pci, PCI_CAP_ID_MSIX, cap, sizeof(cap));
	if (ret < 0)
		return ret;
	pci->msix_cap = ret;
	pci->nr_msix = n;
	pci_put(pci->wmask + pci->msix_cap + PCI_MSIX_FLAGS, 2,
		PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	return 0;
}
