// SPDX-License-Identifier: GPL-2.0
/*
 * Base address registers (PCI Local Bus 3.0, 6.2.5.1): a function's registers are on
 * vm->mmio where its BARs say, while its memory decoding is on. Machine lock.
 */
#include <errno.h>

#include <linux/pci_regs.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/memory.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

#include "pci_host.h"

static bool pci_bar_decoded(const struct pci_dev *pci, unsigned int i)
{
	return pci->bar[i].size && pci->cfg[PCI_COMMAND] & PCI_COMMAND_MEMORY;
}

static u64 pci_bar_addr(const struct pci_dev *pci, unsigned int i)
{
	const u8 *reg = pci->cfg + PCI_BASE_ADDRESS_0 + i * 4;

	return pci_get(reg, pci->bar[i].is_64 ? 8 : 4) & ~0xfULL;
}

void pci_bar_unmap(struct pci_dev *pci, unsigned int i)
{
	struct pci_bar *bar = &pci->bar[i];

	if (bar->moved)
		bar->moved(pci, i, false);
	bus_del(&pci->dev->vm->mmio, &bar->region);
	bar->mapped = false;
}

static void pci_bar_map(struct pci_dev *pci, unsigned int i)
{
	struct pci_bar *bar = &pci->bar[i];
	struct vm *vm = pci->dev->vm;

	bar->region.base = pci_bar_addr(pci, i);
	/* It is aligned to its size, a power of two, so its last byte is no overflow. */
	if (mem_overlaps(&vm->mem, bar->region.base, bar->size) ||
	    bus_add(&vm->mmio, &bar->region)) {
		log_limited(&pci->limit, LOG_INFO, "%s: BAR %u is not reachable: something else is at 0x%llx",
			    pci->dev->name, i, (unsigned long long)bar->region.base);
		return;
	}
	bar->mapped = true;
	if (bar->moved)
		bar->moved(pci, i, true);
}

/*
 * Make what is mapped agree with the registers. First everything goes that is
 * not where it should be, then everything comes that finds room: two BARs may
 * have swapped places, or one may have left a place that another waits for.
 */
void pci_bars_update(struct pci_host *host)
{
	unsigned int n, i;

	for (n = 0; n < host->end; n++) {
		struct pci_dev *pci = host->fn[n];

		for (i = 0; pci && i < PCI_BARS; i++)
			if (pci->bar[i].mapped && (!pci_bar_decoded(pci, i) ||
						   pci_bar_addr(pci, i) != pci->bar[i].region.base))
				pci_bar_unmap(pci, i);
	}
	for (n = 0; n < host->end; n++) {
		struct pci_dev *pci = host->fn[n];

		for (i = 0; pci && i < PCI_BARS; i++)
			if (!pci->bar[i].mapped && pci_bar_decoded(pci, i))
				pci_bar_map(pci, i);
	}
}

int pci_add_bar(struct pci_dev *pci, unsigned int i, u64 size, bool is_64, bool prefetch,
		const struct region_ops *ops, void *obj, const char *name)
{
	unsigned int len = is_64 ? 8 : 4;
	struct pci_bar *bar = &pci->bar[i];

	if (i + is_64 >= PCI_BARS || bar->size || size < 16 || size & (size - 1) ||
	    (!is_64 && size > 2 * GIB))
		return dev_err(pci->dev, -EINVAL, "there is no BAR %u of %llu bytes", i,
			       (unsigned long long)size);
	*bar = (struct pci_bar) {
		.region = { .name = name, .len = size, .ops = ops, .obj = obj },
		.size = size, .is_64 = is_64, .prefetch = prefetch,
	};
	pci_put(pci->cfg + PCI_BASE_ADDRESS_0 + i * 4, len,
		(is_64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
		(prefetch ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0));
	pci_put(pci->wmask + PCI_BASE_ADDRESS_0 + i * 4, len, ~(size - 1));
	return 0;
}
