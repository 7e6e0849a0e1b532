// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a PCI function: what the guest may write, and interrupts that it has not
 * got yet. A loaded one is not trusted. Machine lock.
 */
#include <errno.h>
#include <string.h>

#include <linux/pci_regs.h>

#include <kvm/irq.h>
#include <kvm/pci.h>
#include <kvm/state.h>

#include "pci_host.h"

static bool pci_cfg_is_same(const struct pci_dev *pci, const u8 *cfg)
{
	unsigned int i;

	/* Status has a bit that is ours: it follows from intx_level. */
	for (i = 0; i < PCI_CFG_SIZE; i++)
		if (i != PCI_STATUS && (cfg[i] ^ pci->cfg[i]) & ~pci->wmask[i])
			return false;
	return true;
}

static int pci_state_msix(struct pci_dev *pci, struct state *s)
{
	u64 pending = 0;
	unsigned int i;
	int ret;

	for (i = 0; i < pci->nr_msix; i++)
		pending |= (u64)irq_msg_pending(&pci->msix[i]) << i;
	ret = state_value(s, "msix_table", pci->msix_table, pci->nr_msix * PCI_MSIX_ENTRY_SIZE);
	if (!ret)
		ret = state_value(s, "msix_pending", &pending, sizeof(pending));
	if (ret || !state_reads(s))
		return ret;
	for (i = 0; i < pci->nr_msix; i++) {
		if (pending & 1ULL << i)
			irq_pulse(&pci->msix[i]);
		pci_msix_load(pci, i);
	}
	return 0;
}

int pci_state(void *obj, struct state *s)
{
	struct pci_dev *pci = obj;
	bool level = pci->intx_level;
	u8 cfg[PCI_CFG_SIZE];
	int ret;

	if (pci->saving && !state_reads(s)) {
		pci->saving(pci);
		level = pci->intx_level;
	}
	memcpy(cfg, pci->cfg, sizeof(cfg));
	ret = state_value(s, "cfg", cfg, sizeof(cfg));
	if (!ret)
		ret = state_flag(s, "intx", &level);
	if (!ret && state_reads(s)) {
		if (!pci_cfg_is_same(pci, cfg))
			return state_refuse(s, "it is of another PCI function");
		cfg[PCI_STATUS] = pci->cfg[PCI_STATUS];
		memcpy(pci->cfg, cfg, sizeof(cfg));
		pci_bars_update(pci_host(pci));
	}
	if (!ret && pci->nr_msix)
		ret = pci_state_msix(pci, s);
	if (!ret && state_reads(s))
		pci_intx(pci, level);
	return ret;
}
