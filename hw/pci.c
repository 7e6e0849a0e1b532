// SPDX-License-Identifier: GPL-2.0
/*
 * PCI: configuration space, BARs, INTx and MSI-X (PCI Local Bus 3.0) of
 * conventional functions on one bus, and the host bridge with its two ways to
 * configuration space: ECAM (PCI Express Base 4.0, 7.2.2) and a PC's ports
 * (PCI Local Bus 3.0, 3.2.2.3.2). Machine lock.
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
#include <stdlib.h>
#include <string.h>

#include <linux/pci_regs.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/kvm.h>
#include <kvm/memory.h>
#include <kvm/pci.h>
#include <kvm/undo.h>
#include <kvm/vm.h>

#define PCI_SLOT(devfn)	((devfn) >> PCI_SLOT_SHIFT)
#define PCI_MULTI	0x80		/* header type: the slot has more functions than this one */
/* With more devices than this eight of them share a slot, and slots remain for what is added later. */
#define PCI_SPREAD_MAX	(PCI_SLOTS - 8)
#define PCI_CFG_SHIFT	12		/* ECAM: 4 KiB for each function */
#define PCI_INTX_PINS	4
#define PCI_SMALL_BAR	MIB		/* up to here a 64-bit BAR goes below 4 GiB as well */

/* MSI-X table and pending bits in their BAR. */
#define PCI_MSIX_BAR	4096
#define PCI_MSIX_PENDING	2048

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

struct pci_bridge {
	struct device dev;
	struct pci_dev pci;
};

static struct pci_host *pci_host(const struct pci_dev *pci)
{
	return pci->dev->vm->pci;
}

/* BARs */

static bool pci_bar_decoded(const struct pci_dev *pci, unsigned int i)
{
	return pci->bar[i].size && pci->cfg[PCI_COMMAND] & PCI_COMMAND_MEMORY;
}

static u64 pci_bar_addr(const struct pci_dev *pci, unsigned int i)
{
	const u8 *reg = pci->cfg + PCI_BASE_ADDRESS_0 + i * 4;

	return pci_get(reg, pci->bar[i].is_64 ? 8 : 4) & ~0xfULL;
}

static void pci_bar_unmap(struct pci_dev *pci, unsigned int i)
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
static void pci_bars_update(struct pci_host *host)
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

static int pci_bar_assign(struct pci_dev *pci, unsigned int i)
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

/* INTx (PCI Local Bus 3.0, 2.2.6): level-triggered, and shared by slots */

static void pci_intx_update(struct pci_host *host, unsigned int wire)
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

/* MSI-X (PCI Local Bus 3.0, 6.8.2) */

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

static void pci_msix_update(struct pci_dev *pci)
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

/* Configuration space */

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

/* State: what the guest may write, and interrupts that it has not got yet */

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
		pci_msix_vet(pci->msix_table[i]);
		if (pending & 1ULL << i)
			irq_pulse(&pci->msix[i]);
		pci_msix_apply(pci, i);
	}
	return 0;
}

static int pci_state(void *obj, struct state *s)
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

/* The host bridge: the ways into configuration space */

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
