/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The smallest virtio-pci driver (virtio 1.2, 4.1): one queue, buffers that
 * the test describes itself, so that it can also describe bad ones.
 */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "guest.h"

#define VIRTIO_VENDOR	0x1af4
#define VIRTIO_DEVICE	0x1040
#define QUEUE_MAX	64

struct virtio {
	u64 cfg;			/* configuration space */
	u64 common, notify, isr;
	u32 notify_step;
	u64 msix;			/* its table */
	u8 msix_cap;
};

/* The rings, where the driver has put them; the test may put others. */
struct rings {
	struct vring_desc desc[QUEUE_MAX] __attribute__((aligned(16)));
	struct {
		u16 flags, idx, ring[QUEUE_MAX], used_event;
	} avail;
	struct {
		u16 flags, idx;
		struct vring_used_elem ring[QUEUE_MAX];
		u16 avail_event;
	} used __attribute__((aligned(4)));
};

static maybe_unused u64 virtio_bar(struct virtio *v, unsigned int bar)
{
	u64 reg = v->cfg + PCI_BASE_ADDRESS_0 + bar * 4;
	u64 addr = mmio_read32(reg);

	CHECK(!(addr & PCI_BASE_ADDRESS_SPACE_IO));
	if ((addr & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64)
		addr |= (u64)mmio_read32(reg + 4) << 32;
	addr &= ~0xfULL;
	CHECK(addr);
	guest_map(addr);
	return addr;
}

static maybe_unused void virtio_open(struct virtio *v, u16 id)
{
	u8 cap;

	*v = (struct virtio) { .cfg = pci_find(VIRTIO_VENDOR, VIRTIO_DEVICE + id) };
	CHECK(v->cfg);
	mmio_write16(v->cfg + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK(mmio_read16(v->cfg + PCI_STATUS) & PCI_STATUS_CAP_LIST);
	for (cap = mmio_read8(v->cfg + PCI_CAPABILITY_LIST); cap;
	     cap = mmio_read8(v->cfg + cap + PCI_CAP_LIST_NEXT)) {
		u64 at;

		switch (mmio_read8(v->cfg + cap)) {
		case PCI_CAP_ID_MSIX:
			v->msix_cap = cap;
			at = mmio_read32(v->cfg + cap + PCI_MSIX_TABLE);
			v->msix = virtio_bar(v, at & 7) + (at & ~7ULL);
			break;
		case PCI_CAP_ID_VNDR:
			if (mmio_read8(v->cfg + cap + VIRTIO_PCI_CAP_CFG_TYPE) == VIRTIO_PCI_CAP_PCI_CFG)
				break;
			at = virtio_bar(v, mmio_read8(v->cfg + cap + VIRTIO_PCI_CAP_BAR)) +
				mmio_read32(v->cfg + cap + VIRTIO_PCI_CAP_OFFSET);
			switch (mmio_read8(v->cfg + cap + VIRTIO_PCI_CAP_CFG_TYPE)) {
			case VIRTIO_PCI_CAP_COMMON_CFG:
				v->common = at;
				break;
			case VIRTIO_PCI_CAP_NOTIFY_CFG:
				v->notify = at;
				v->notify_step = mmio_read32(v->cfg + cap + VIRTIO_PCI_NOTIFY_CAP_MULT);
				break;
			case VIRTIO_PCI_CAP_ISR_CFG:
				v->isr = at;
				break;
			}
			break;
		}
	}
	CHECK(v->common && v->notify && v->isr && v->msix);
}

static inline maybe_unused u8 virtio_status(struct virtio *v)
{
	return mmio_read8(v->common + VIRTIO_PCI_COMMON_STATUS);
}

static inline maybe_unused void virtio_set_status(struct virtio *v, u8 bits)
{
	mmio_write8(v->common + VIRTIO_PCI_COMMON_STATUS, virtio_status(v) | bits);
}

static maybe_unused void virtio_reset(struct virtio *v)
{
	mmio_write8(v->common + VIRTIO_PCI_COMMON_STATUS, 0);
	while (virtio_status(v))
		;
}

static maybe_unused u64 virtio_features(struct virtio *v)
{
	u64 features;

	mmio_write32(v->common + VIRTIO_PCI_COMMON_DFSELECT, 0);
	features = mmio_read32(v->common + VIRTIO_PCI_COMMON_DF);
	mmio_write32(v->common + VIRTIO_PCI_COMMON_DFSELECT, 1);
	return features | (u64)mmio_read32(v->common + VIRTIO_PCI_COMMON_DF) << 32;
}

/* From reset to FEATURES_OK; false: the device refuses. */
static maybe_unused bool virtio_begin(struct virtio *v, u64 features)
{
	virtio_reset(v);
	virtio_set_status(v, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_set_status(v, VIRTIO_CONFIG_S_DRIVER);
	mmio_write32(v->common + VIRTIO_PCI_COMMON_GFSELECT, 0);
	mmio_write32(v->common + VIRTIO_PCI_COMMON_GF, features);
	mmio_write32(v->common + VIRTIO_PCI_COMMON_GFSELECT, 1);
	mmio_write32(v->common + VIRTIO_PCI_COMMON_GF, features >> 32);
	virtio_set_status(v, VIRTIO_CONFIG_S_FEATURES_OK);
	return virtio_status(v) & VIRTIO_CONFIG_S_FEATURES_OK;
}

static maybe_unused void virtio_queue_at(struct virtio *v, u16 q, u16 size, u16 vector,
					 u64 desc, u64 avail, u64 used)
{
	u64 c = v->common;

	mmio_write16(c + VIRTIO_PCI_COMMON_Q_SELECT, q);
	CHECK(mmio_read16(c + VIRTIO_PCI_COMMON_Q_SIZE) >= size);
	mmio_write16(c + VIRTIO_PCI_COMMON_Q_SIZE, size);
	mmio_write16(c + VIRTIO_PCI_COMMON_Q_MSIX, vector);
	CHECK_EQ(mmio_read16(c + VIRTIO_PCI_COMMON_Q_MSIX), vector);
	mmio_write32(c + VIRTIO_PCI_COMMON_Q_DESCLO, desc);
	mmio_write32(c + VIRTIO_PCI_COMMON_Q_DESCHI, desc >> 32);
	mmio_write32(c + VIRTIO_PCI_COMMON_Q_AVAILLO, avail);
	mmio_write32(c + VIRTIO_PCI_COMMON_Q_AVAILHI, avail >> 32);
	mmio_write32(c + VIRTIO_PCI_COMMON_Q_USEDLO, used);
	mmio_write32(c + VIRTIO_PCI_COMMON_Q_USEDHI, used >> 32);
	mmio_write16(c + VIRTIO_PCI_COMMON_Q_ENABLE, 1);
}

static maybe_unused void virtio_queue(struct virtio *v, u16 q, u16 size, u16 vector, struct rings *r)
{
	memset(r, 0, sizeof(*r));
	virtio_queue_at(v, q, size, vector, (u64)r->desc, (u64)&r->avail, (u64)&r->used);
}

/* MSI-X entry @n to interrupt @vector of this CPU; then MSI-X is on. */
static maybe_unused void virtio_msix(struct virtio *v, u16 n, u8 vector)
{
	u64 entry = v->msix + n * PCI_MSIX_ENTRY_SIZE, flags = v->cfg + v->msix_cap + PCI_MSIX_FLAGS;

	mmio_write32(entry + PCI_MSIX_ENTRY_LOWER_ADDR, 0xfee00000 | apic_id() << 12);
	mmio_write32(entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
	mmio_write32(entry + PCI_MSIX_ENTRY_DATA, vector);
	mmio_write32(entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
	mmio_write16(flags, mmio_read16(flags) | PCI_MSIX_FLAGS_ENABLE);
}

static maybe_unused void virtio_kick(struct virtio *v, u16 q)
{
	mmio_write16(v->common + VIRTIO_PCI_COMMON_Q_SELECT, q);
	mmio_write16(v->notify + mmio_read16(v->common + VIRTIO_PCI_COMMON_Q_NOFF) * v->notify_step, q);
}

/* Offer the chain that begins at @head. */
static maybe_unused void rings_offer(struct rings *r, u16 size, u16 head)
{
	u16 idx = r->avail.idx;

	r->avail.ring[idx % size] = head;
	__atomic_store_n(&r->avail.idx, idx + 1, __ATOMIC_RELEASE);
}

static inline maybe_unused u16 rings_used(struct rings *r)
{
	return __atomic_load_n(&r->used.idx, __ATOMIC_ACQUIRE);
}

#endif
