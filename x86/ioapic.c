// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC (Intel 82093AA datasheet, order number 290566; version 0x11),
 * for machines where KVM has only the local APICs. Pins send messages to them. At the
 * end of a level-triggered interrupt KVM exits with KVM_EXIT_IOAPIC_EOI, for the vectors
 * in its routing table.
 *
 * Registers and EOI: vCPU threads, under the machine lock. Pins: any thread; a lock of
 * its own protects the data that both use.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/irq.h>
#include <kvm/kvm.h>
#include <kvm/log.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

/* Offsets in memory (3.0) */
#define IOAPIC_REGSEL		0x00
#define IOAPIC_WIN		0x10

/* Registers behind them (3.1, 3.2) */
#define IOAPIC_ID		0x00
#define IOAPIC_VERSION		0x01
#define IOAPIC_ARB		0x02
#define IOAPIC_RTE		0x10	/* two for each pin */

#define IOAPIC_ID_MASK		0x0f000000
#define IOAPIC_VERSION_11	0x11
#define IOAPIC_LAST_PIN_SHIFT	16

/* Redirection table entry (3.2.4) */
#define RTE_VECTOR		0xffULL
#define RTE_DELIVERY		(7ULL << 8)
#define RTE_LOWEST_PRIORITY	(1ULL << 8)
#define RTE_LOGICAL		(1ULL << 11)
#define RTE_STATUS		(1ULL << 12)	/* read-only */
#define RTE_REMOTE_IRR		(1ULL << 14)	/* read-only */
#define RTE_LEVEL		(1ULL << 15)
#define RTE_MASKED		(1ULL << 16)
#define RTE_DEST_SHIFT		56
/* Bits 8 to 14 of an APIC ID, where Linux looks for KVM_FEATURE_MSI_EXT_DEST_ID; else reserved */
#define RTE_DEST_EXT_SHIFT	49
#define RTE_DEST_EXT		(0x7fULL << RTE_DEST_EXT_SHIFT)
#define RTE_WRITABLE		(0xff0000000001ffffULL & ~(RTE_STATUS | RTE_REMOTE_IRR))

/* A message to local APICs (SDM 3A, 11.11: message signalled interrupts) */
#define MSI_ADDRESS		0xfee00000u
#define MSI_DEST_SHIFT		12
#define MSI_DEST_EXT		0x7fu
#define MSI_DEST_EXT_SHIFT	5
#define MSI_REDIRECT		(1u << 3)
#define MSI_LOGICAL		(1u << 2)
#define MSI_ASSERT		(1u << 14)
#define MSI_LEVEL		(1u << 15)

struct ioapic {
	struct device dev;
	struct region region;
	bool coalesced;		/* KVM collects writes of the index */
	u8 index;
	u32 id;
	struct log_limit limit;

	pthread_mutex_t lock;		/* for the pins */
	u64 rte[IRQ_WIRES];
	unsigned int up[IRQ_WIRES];	/* how many devices hold it up */
};

u32 ioapic_first_gsi(const struct vm *vm)
{
	/* Numbers below 16 mean the PC's interrupts to many a kernel, edges without being told. */
	return vm_x86(vm)->irqchip == IRQCHIP_COMPACT ? 16 : 0;
}

static void ioapic_message(const struct ioapic *io, u32 n, struct kvm_irq_routing_entry *e)
{
	u64 rte = io->rte[n];
	u32 addr = MSI_ADDRESS | (u32)(rte >> RTE_DEST_SHIFT) << MSI_DEST_SHIFT |
		   (u32)(rte >> RTE_DEST_EXT_SHIFT & MSI_DEST_EXT) << MSI_DEST_EXT_SHIFT;
	u32 data = (rte & (RTE_VECTOR | RTE_DELIVERY)) | MSI_ASSERT;

	if (rte & RTE_LOGICAL)
		addr |= MSI_LOGICAL;
	if ((rte & RTE_DELIVERY) == RTE_LOWEST_PRIORITY)
		addr |= MSI_REDIRECT;
	if (rte & RTE_LEVEL)
		data |= MSI_LEVEL;
	*e = (struct kvm_irq_routing_entry) { .gsi = n };
	arch_msi_route(io->dev.vm, 0, addr, data, e);
}

/* Pin's lock held. */
static void ioapic_deliver(struct ioapic *io, u32 n)
{
	struct kvm_irq_routing_entry e;
	struct kvm_msi msi;

	ioapic_message(io, n, &e);
	msi = (struct kvm_msi) {
		.address_lo = e.u.msi.address_lo, .address_hi = e.u.msi.address_hi,
		.data = e.u.msi.data,
	};
	if (io->rte[n] & RTE_LEVEL)
		io->rte[n] |= RTE_REMOTE_IRR;
	if (io->dev.vm->vm_fd >= 0 && ioctl(io->dev.vm->vm_fd, KVM_SIGNAL_MSI, &msi) < 0)
		log_limited(&io->limit, LOG_WARNING, "KVM refuses an interrupt of the I/O APIC: error %d",
			    errno);
}

/* A level that is up and that no CPU has been told of. Pin's lock held. */
static void ioapic_level(struct ioapic *io, u32 n)
{
	if (io->up[n] && (io->rte[n] & RTE_LEVEL) && !(io->rte[n] & (RTE_MASKED | RTE_REMOTE_IRR)))
		ioapic_deliver(io, n);
}

/* An edge at a pin that is masked is lost (3.2.4, bit 16). */
static void ioapic_set(void *obj, u32 n, bool level)
{
	struct ioapic *io = obj;

	pthread_mutex_lock(&io->lock);
	io->up[n] += level ? 1 : -1;
	if (io->rte[n] & RTE_LEVEL)
		ioapic_level(io, n);
	else if (level && io->up[n] == 1 && !(io->rte[n] & RTE_MASKED))
		ioapic_deliver(io, n);
	pthread_mutex_unlock(&io->lock);
}

/* For KVM to know of which vectors the end is wanted: masked or not, one may be under way. */
static bool ioapic_route(void *obj, u32 n, struct kvm_irq_routing_entry *e)
{
	struct ioapic *io = obj;
	bool level;

	pthread_mutex_lock(&io->lock);
	level = io->rte[n] & RTE_LEVEL;
	if (level)
		ioapic_message(io, n, e);
	pthread_mutex_unlock(&io->lock);
	return level;
}

static const struct irq_chip ioapic_chip = { .set = ioapic_set, .route = ioapic_route };

void ioapic_eoi(struct vm *vm, u8 vector)
{
	struct ioapic *io = vm_x86(vm)->ioapic;
	unsigned int i;

	pthread_mutex_lock(&io->lock);
	for (i = 0; i < IRQ_WIRES; i++) {
		if ((io->rte[i] & RTE_VECTOR) != vector || !(io->rte[i] & RTE_REMOTE_IRR))
			continue;
		io->rte[i] &= ~RTE_REMOTE_IRR;
		ioapic_level(io, i);
	}
	pthread_mutex_unlock(&io->lock);
}

static u64 ioapic_writable(const struct ioapic *io)
{
	return RTE_WRITABLE | (vm_x86(io->dev.vm)->extended ? RTE_DEST_EXT : 0);
}

static u32 ioapic_reg_read(struct ioapic *io)
{
	u32 n = (io->index - IOAPIC_RTE) / 2, pins = irqs_pins(io->dev.vm->irqs);
	u64 rte;

	switch (io->index) {
	case IOAPIC_ID:
	case IOAPIC_ARB:
		return io->id;
	case IOAPIC_VERSION:
		return IOAPIC_VERSION_11 | (max(pins, 1u) - 1) << IOAPIC_LAST_PIN_SHIFT;
	}
	if (io->index < IOAPIC_RTE || n >= pins)
		return 0;
	pthread_mutex_lock(&io->lock);
	rte = io->rte[n];
	pthread_mutex_unlock(&io->lock);
	return io->index & 1 ? rte >> 32 : rte;
}

static void ioapic_reg_write(struct ioapic *io, u32 val)
{
	u32 n = (io->index - IOAPIC_RTE) / 2;
	u64 old, rte;

	if (io->index == IOAPIC_ID)
		io->id = val & IOAPIC_ID_MASK;
	if (io->index < IOAPIC_RTE || n >= irqs_pins(io->dev.vm->irqs))
		return;
	pthread_mutex_lock(&io->lock);
	old = io->rte[n];
	rte = io->index & 1 ? (u64)val << 32 | (u32)old : (old & ~0xffffffffULL) | val;
	rte = (rte & ioapic_writable(io)) | (old & RTE_REMOTE_IRR);
	if (!(rte & RTE_LEVEL))
		rte &= ~RTE_REMOTE_IRR;
	io->rte[n] = rte;
	pthread_mutex_unlock(&io->lock);

	/* KVM hears of a level before it comes, or its end would be missed. */
	if ((old | rte) & RTE_LEVEL && (old ^ rte) & ~(RTE_MASKED | RTE_REMOTE_IRR))
		irqs_update(io->dev.vm->irqs);
	pthread_mutex_lock(&io->lock);
	ioapic_level(io, n);
	pthread_mutex_unlock(&io->lock);
}

static u64 ioapic_read(void *obj, u64 off, unsigned int len)
{
	struct ioapic *io = obj;

	switch (off) {
	case IOAPIC_REGSEL:
		return io->index;
	case IOAPIC_WIN:
		return ioapic_reg_read(io);
	}
	return 0;
}

static void ioapic_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct ioapic *io = obj;

	if (off == IOAPIC_REGSEL) {
		io->index = val;
		/* An index does nothing until the access that follows: one exit for both. */
		vm_coalesce_index(io->dev.vm, &io->coalesced, false, LAYOUT_IOAPIC, 4);
	} else if (off == IOAPIC_WIN) {
		ioapic_reg_write(io, val);
	}
}

/* 3.0: registers are accessed with 32 bits. */
static const struct region_ops ioapic_ops = {
	.read = ioapic_read, .write = ioapic_write, .min = 4, .max = 4,
};

static const struct state_field ioapic_state[] = {
	STATE(struct ioapic, index),
	STATE(struct ioapic, id),
	STATE(struct ioapic, rte),
	STATE_END
};

/*
 * The devices have been read before and have set their wires, at pins that were all
 * masked: what was delivered is in the local APICs, which are read after this, and is
 * not delivered again.
 */
static int ioapic_loaded(struct device *dev, enum state_kind kind)
{
	struct ioapic *io = container_of(dev, struct ioapic, dev);
	unsigned int i;

	if (io->id & ~IOAPIC_ID_MASK)
		return -EINVAL;
	for (i = 0; i < IRQ_WIRES; i++) {
		if (io->rte[i] & ~(ioapic_writable(io) | RTE_REMOTE_IRR) ||
		    (io->rte[i] & RTE_REMOTE_IRR && !(io->rte[i] & RTE_LEVEL)))
			return -EINVAL;
	}
	irqs_update(dev->vm->irqs);
	return 0;
}

static int ioapic_init(struct device *dev)
{
	struct ioapic *io = container_of(dev, struct ioapic, dev);
	unsigned int i;

	pthread_mutex_init(&io->lock, NULL);
	for (i = 0; i < IRQ_WIRES; i++)
		io->rte[i] = RTE_MASKED;
	io->region = (struct region) {
		.name = "ioapic", .base = LAYOUT_IOAPIC, .len = LAYOUT_IOAPIC_LEN,
		.ops = &ioapic_ops, .obj = io,
	};
	vm_x86(dev->vm)->ioapic = io;
	irqs_set_chip(dev->vm->irqs, &ioapic_chip, io, ioapic_first_gsi(dev->vm),
		      vm_x86(dev->vm)->irqchip == IRQCHIP_COMPACT);
	return dev_bus_add(dev, &dev->vm->mmio, &io->region);
}

DEVICE_TYPE(ioapic) = {
	.name = "ioapic",
	.help = "I/O APIC that is not KVM's",
	.size = sizeof(struct ioapic),
	.init = ioapic_init,
	.state = ioapic_state,
	.loaded = ioapic_loaded,
	.internal = true,
};
