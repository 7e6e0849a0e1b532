/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PCI (PCI Local Bus 3.0; ECAM: PCI Express Base 4.0, 7.2.2): one host bridge,
 * bus 0 only, conventional functions. Everything is called with the machine
 * lock held.
 */
#ifndef KVM_PCI_H
#define KVM_PCI_H

#include <kvm/bus.h>
#include <kvm/irq.h>
#include <kvm/log.h>
#include <kvm/types.h>

#define PCI_CFG_SIZE	256	/* reads beyond are all ones: there is no extended space */
#define PCI_BARS	6
#define PCI_SLOTS	32
#define PCI_SLOT_SHIFT	3		/* devfn: slot and function */
#define PCI_FUNCTIONS	(PCI_SLOTS << PCI_SLOT_SHIFT)
#define PCI_MSIX_MAX	64

struct device;
struct pci_dev;
struct vm;

struct pci_bar {
	struct region region;	/* base is where it is mapped; on vm->mmio while decoding is on */
	u64 size;		/* power of two, >= 16; 0: no such BAR */
	u64 home;		/* its first address, which stays reserved for it */
	bool is_64, prefetch;
	bool mapped;
	/* Called after the BAR has become reachable (true) or before it goes away; may be NULL. */
	void (*moved)(struct pci_dev *pci, unsigned int bar, bool mapped);
};

struct pci_dev {
	struct device *dev;
	u8 devfn;
	u8 cfg[PCI_CFG_SIZE];	/* little-endian, as the guest reads it */
	u8 wmask[PCI_CFG_SIZE];	/* bits that the guest may write */
	struct region cfg_region;	/* on vm->pcicfg, at devfn << 12 */
	struct pci_bar bar[PCI_BARS];
	u8 cap_last, cap_end;	/* the last capability, and where the next one goes */
	/* After a guest write to [off, off + len) that reaches beyond the header; may be NULL. */
	void (*cfg_written)(struct pci_dev *pci, u32 off, unsigned int len);
	/* Before a guest read of [off, off + len) that reaches beyond the header; may be NULL. */
	void (*cfg_reading)(struct pci_dev *pci, u32 off, unsigned int len);
	/* Before its state is written: raise pending interrupts. May be NULL. */
	void (*saving)(struct pci_dev *pci);

	bool has_intx;
	bool intx_level;	/* as asked by the device */
	u8 intx_wire;		/* index in pci_layout.intx */

	/* MSI-X */
	unsigned int nr_msix;	/* vectors, 0: none */
	struct irq *msix;	/* [nr_msix]; they live as long as the device */
	u8 (*msix_table)[16];	/* [nr_msix], as the guest wrote it */
	u8 msix_cap;		/* offset of the capability in cfg */

	bool unplugged;		/* its registers read as all ones */
	struct log_limit limit;
};

/* The board's numbers; the address map is the architecture's. */
struct pci_layout {
	u64 ecam, ecam_len;	/* ECAM of bus 0 (1 MiB) */
	u64 mem32, mem32_len;	/* windows for BARs */
	u64 mem64, mem64_len;
	u16 ports;		/* the first of 8 I/O ports as on a PC, with its reset control register; 0: none */
	bool plain;		/* for guests that use ACPI: hide the host bridge function, offer MSI-X only */
	u8 intx[4];		/* interrupt inputs of INTA..INTD of slot 0; slot n uses [(n + pin) % 4] */
};

/* Create the host bridge (slot 0, if it is to be seen there) as vm->pci. 0 or -errno with the message printed. */
int pci_host_new(struct vm *vm, const struct pci_layout *layout);
const struct pci_layout *pci_host_layout(const struct vm *vm);

struct pci_ids {
	u16 vendor, device, subvendor, subdevice;
	u32 class;		/* 24 bits: class, subclass, interface */
	u8 revision;
};

/*
 * Put a device on bus 0 in the lowest free slot, or, if the machine has more than 24
 * devices, as the lowest free function. It has no BARs yet; call
 * pci_add_*() next, then pci_enable(), which assigns addresses and makes it
 * visible. All return 0 or -errno with the message printed, and are undone
 * with the device.
 */
int pci_add(struct pci_dev *pci, struct device *dev, const struct pci_ids *ids);
/* A memory BAR of @size bytes (power of two), served by @ops with @obj. */
int pci_add_bar(struct pci_dev *pci, unsigned int bar, u64 size, bool is_64, bool prefetch,
		const struct region_ops *ops, void *obj, const char *name);
/* A capability of @len bytes (its first two bytes are filled in here); returns its offset or -ENOSPC. */
int pci_add_cap(struct pci_dev *pci, u8 id, const void *body, unsigned int len);
/* MSI-X with @n <= PCI_MSIX_MAX vectors, table and PBA in @bar, which becomes theirs alone. */
int pci_add_msix(struct pci_dev *pci, unsigned int bar, unsigned int n);
/* Interrupt pin INTA. */
int pci_add_intx(struct pci_dev *pci);
int pci_enable(struct pci_dev *pci);

/* The function at @devfn, or NULL. */
struct pci_dev *pci_at(const struct vm *vm, unsigned int devfn);
/* It is not on the bus any more, though it is there: reads are all ones. */
void pci_unplug(struct pci_dev *pci);
/*
 * Slots that the guest's tables describe, for devices that come and go: a bit each. When
 * they are set, later devices get the free ones of these in turn. kvm/hotplug.h sets them.
 */
u32 pci_hot(const struct vm *vm);
void pci_set_hot(struct vm *vm, u32 slots);
/*
 * For hw/pci.c (hw/pci_place.c): PCI_FUNCTIONS if there is no place. @hot: 0, or as pci_set_hot();
 * @last: the slot of these that was given out last, or 0.
 */
unsigned int pci_place(struct pci_dev *const fn[PCI_FUNCTIONS], bool packed, u32 hot, unsigned int last);

bool pci_msix_enabled(const struct pci_dev *pci);
/* Set the level of the INTx wire (respects the interrupt disable bit, sets the status bit). */
void pci_intx(struct pci_dev *pci, bool level);

/* Little-endian values of @len <= 8 bytes in configuration space and the like. */
static inline u64 pci_get(const u8 *p, unsigned int len)
{
	u64 val = 0;

	while (len--)
		val = val << 8 | p[len];
	return val;
}

static inline void pci_put(u8 *p, unsigned int len, u64 val)
{
	for (; len--; val >>= 8)
		*p++ = val;
}

#endif
