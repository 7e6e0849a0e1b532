// SPDX-License-Identifier: GPL-2.0
/*
 * An I/O APIC (Intel 82093AA) for machines with APIC IDs beyond 8 bits, which
 * KVM's own cannot reach: KVM keeps the local APICs only
 * (Documentation/virt/kvm/api.rst, KVM_CAP_SPLIT_IRQCHIP). An input is a message
 * in KVM's routing table, so raising one does not come here; the end of a
 * level-triggered interrupt does. Bits 8 to 14 of the destination are where
 * Linux looks for KVM_FEATURE_MSI_EXT_DEST_ID: bits 49 to 55 of an entry. On
 * vCPU threads, machine lock held.
 */
#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/irq.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

#define IOAPIC_SELECT		0x00
#define IOAPIC_WINDOW		0x10
#define IOAPIC_LEN		0x20

#define IOAPIC_REG_ID		0x00
#define IOAPIC_REG_VERSION	0x01
#define IOAPIC_REG_ARBITRATION	0x02
#define IOAPIC_REG_TABLE	0x10
#define IOAPIC_VERSION		(0x11 | (IRQ_WIRES - 1) << 16)
#define IOAPIC_ID_MASK		0x0f000000

#define RTE_VECTOR		0xffULL
#define RTE_MODE(rte)		((rte) >> 8 & 7)
#define RTE_MODE_EXTINT		7
#define RTE_LOGICAL		(1ULL << 11)
#define RTE_READ_ONLY		(1ULL << 12 | 1ULL << 14)	/* delivery status, remote IRR */
#define RTE_LEVEL		(1ULL << 15)
#define RTE_MASKED		(1ULL << 16)

/* Intel SDM volume 3, 11.11: the message that says the same. */
#define MSI_ADDRESS		0xfee00000ULL
#define MSI_LOGICAL		(1ULL << 2)
#define MSI_ASSERT		(1U << 14)

struct ioapic {
	struct device dev;
	struct region region;
	u32 id;
	u8 select;
	u64 rte[IRQ_WIRES];
};

static void ioapic_route(struct ioapic *io, u32 gsi)
{
	struct irqs *irqs = io->dev.vm->irqs;
	u64 rte = io->rte[gsi];

	if (rte & RTE_MASKED || RTE_MODE(rte) == RTE_MODE_EXTINT) {
		irq_wire_route(irqs, gsi, 0, 0);
		return;
	}
	irq_wire_route(irqs, gsi, MSI_ADDRESS | (rte >> 56) << 12 | (rte >> 49 & 0x7f) << 5 |
		       (rte & RTE_LOGICAL ? MSI_LOGICAL : 0),
		       (rte & (RTE_VECTOR | 7 << 8 | RTE_LEVEL)) | MSI_ASSERT);
	if (rte & RTE_LEVEL)
		irq_wire_again(irqs, gsi);
}

static u64 ioapic_read(void *obj, u64 off, unsigned int len)
{
	struct ioapic *io = obj;
	unsigned int n = io->select - IOAPIC_REG_TABLE;

	if (off == IOAPIC_SELECT)
		return io->select;
	if (off != IOAPIC_WINDOW)
		return 0;
	if (io->select == IOAPIC_REG_ID || io->select == IOAPIC_REG_ARBITRATION)
		return io->id;
	if (io->select == IOAPIC_REG_VERSION)
		return IOAPIC_VERSION;
	if (n / 2 >= IRQ_WIRES)
		return 0;
	return (u32)(io->rte[n / 2] >> (n % 2 * 32));
}

static void ioapic_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct ioapic *io = obj;
	unsigned int n = io->select - IOAPIC_REG_TABLE, shift = n % 2 * 32;
	u64 *rte;

	if (off == IOAPIC_SELECT)
		io->select = val;
	else if (off == IOAPIC_WINDOW && io->select == IOAPIC_REG_ID)
		io->id = val & IOAPIC_ID_MASK;
	if (off != IOAPIC_WINDOW || n / 2 >= IRQ_WIRES)
		return;
	rte = &io->rte[n / 2];
	*rte = ((*rte & ~(0xffffffffULL << shift)) | (val & 0xffffffff) << shift) & ~RTE_READ_ONLY;
	ioapic_route(io, n / 2);
}

/* A level that is still there interrupts again. */
void ioapic_eoi(struct vm *vm, u8 vector)
{
	struct ioapic *io = vm_x86(vm)->ioapic;
	u32 gsi;

	for (gsi = 0; io && gsi < IRQ_WIRES; gsi++)
		if (io->rte[gsi] & RTE_LEVEL && !(io->rte[gsi] & RTE_MASKED) &&
		    (io->rte[gsi] & RTE_VECTOR) == vector)
			irq_wire_again(vm->irqs, gsi);
}

static const struct region_ops ioapic_ops = {
	.read = ioapic_read, .write = ioapic_write, .min = 4, .max = 4,
};

static int ioapic_init(struct device *dev)
{
	struct ioapic *io = container_of(dev, struct ioapic, dev);
	unsigned int i;

	for (i = 0; i < IRQ_WIRES; i++)
		io->rte[i] = RTE_MASKED;
	vm_x86(dev->vm)->ioapic = io;
	irqs_extend(dev->vm->irqs);
	io->region = (struct region) {
		.name = "ioapic", .base = LAYOUT_IOAPIC, .len = IOAPIC_LEN,
		.ops = &ioapic_ops, .obj = io,
	};
	return dev_bus_add(dev, &dev->vm->mmio, &io->region);
}

DEVICE_TYPE(ioapic) = {
	.name = "ioapic",
	.help = "the I/O APIC of a machine with very many vCPUs",
	.size = sizeof(struct ioapic),
	.init = ioapic_init,
	.internal = true,
};
