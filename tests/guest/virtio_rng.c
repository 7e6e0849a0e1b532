// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-rng over PCI: found, set up, read, with its interrupt by MSI-X and by
 * wire, through a reset, with what a driver may do wrong at the registers.
 *
 * [msix_and_wire]
 * run=-m 16
 * status=1
 * expect="^random [0-9a-f]{16}"
 * [wire_to_kvms_interrupt_controllers]
 * run=-m 16 --irqchip kernel
 * status=1
 * expect="^random [0-9a-f]{16}"
 */
#include "virtio.h"

#define SIZE		8
#define VECTOR		0x42
#define WIRE_VECTOR	0x43

static struct virtio rng;
static struct rings rings;
static u8 data[2][64];
static volatile u32 interrupts, wire_interrupts;
static volatile u8 isr_seen;

static void on_queue(struct frame *f)
{
	interrupts++;
	apic_eoi();
}

static void on_wire(struct frame *f)
{
	wire_interrupts++;
	isr_seen = mmio_read8(rng.isr);		/* reading it lets the wire go */
	apic_eoi();
}

static void request(unsigned int n)
{
	rings.desc[n] = (struct vring_desc) {
		.addr = (u64)data[n], .len = sizeof(data[n]), .flags = VRING_DESC_F_WRITE,
	};
	rings_offer(&rings, SIZE, n);
	virtio_kick(&rng, 0);
}

static void check_answer(unsigned int n, u16 idx)
{
	struct vring_used_elem *e = &rings.used.ring[(idx - 1) % SIZE];
	unsigned int i, nonzero = 0;

	CHECK_EQ(rings_used(&rings), idx);
	CHECK_EQ(e->id, n);
	CHECK_EQ(e->len, sizeof(data[n]));
	for (i = 0; i < sizeof(data[n]); i++)
		nonzero += data[n][i] != 0;
	CHECK(nonzero > 32);
}

static void test_msix(void)
{
	CHECK(virtio_begin(&rng, 1ULL << VIRTIO_F_VERSION_1));
	virtio_msix(&rng, 1, VECTOR);
	virtio_queue(&rng, 0, SIZE, 1, &rings);
	virtio_set_status(&rng, VIRTIO_CONFIG_S_DRIVER_OK);

	request(0);
	while (!interrupts)
		irq_wait();
	check_answer(0, 1);
	request(1);
	while (interrupts < 2)
		irq_wait();
	check_answer(1, 2);
	CHECK(memcmp(data[0], data[1], sizeof(data[0])));
	print("random %016lx\n", *(unsigned long *)data[0]);

	/* A masked vector keeps its interrupt until it is unmasked. */
	mmio_write32(rng.msix + PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL, 1);
	request(0);
	while (rings_used(&rings) < 3)
		cpu_relax();
	while (!(mmio_read64(rng.msix + 2048) & 1 << 1))	/* its pending bit */
		cpu_relax();
	irq_enable();
	irq_disable();
	CHECK_EQ(interrupts, 2);
	mmio_write32(rng.msix + PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
	while (interrupts < 3)
		irq_wait();
	CHECK_EQ(interrupts, 3);
}

static void test_wire(void)
{
	u64 flags = rng.cfg + rng.msix_cap + PCI_MSIX_FLAGS;
	u32 gsi = mmio_read8(rng.cfg + PCI_INTERRUPT_LINE);

	CHECK(mmio_read8(rng.cfg + PCI_INTERRUPT_PIN) == 1);
	CHECK(gsi >= 16 && gsi < 24);
	mmio_write16(flags, 0);
	ioapic_route_level(gsi, WIRE_VECTOR);
	CHECK(virtio_begin(&rng, 1ULL << VIRTIO_F_VERSION_1));
	virtio_queue(&rng, 0, SIZE, VIRTIO_MSI_NO_VECTOR, &rings);
	virtio_set_status(&rng, VIRTIO_CONFIG_S_DRIVER_OK);
	request(0);
	while (!wire_interrupts)
		irq_wait();
	CHECK_EQ(isr_seen, 1);
	check_answer(0, 1);
	CHECK_EQ(mmio_read8(rng.isr), 0);
	irq_enable();
	irq_disable();
	CHECK_EQ(wire_interrupts, 1);
}

static void test_registers(void)
{
	u64 c = rng.common;

	/* A feature that was not offered, and a driver of the time before VERSION_1. */
	CHECK(virtio_features(&rng) & 1ULL << VIRTIO_F_VERSION_1);
	CHECK(!virtio_begin(&rng, 1ULL << VIRTIO_F_VERSION_1 | 1 << 23));
	CHECK(!virtio_begin(&rng, 0));

	/* Queues that do not exist */
	CHECK_EQ(mmio_read16(c + VIRTIO_PCI_COMMON_NUMQ), 1);
	mmio_write16(c + VIRTIO_PCI_COMMON_Q_SELECT, 1);
	CHECK_EQ(mmio_read16(c + VIRTIO_PCI_COMMON_Q_SIZE), 0);
	mmio_write16(c + VIRTIO_PCI_COMMON_Q_SELECT, 0xffff);
	CHECK_EQ(mmio_read16(c + VIRTIO_PCI_COMMON_Q_SIZE), 0);
	mmio_write16(c + VIRTIO_PCI_COMMON_Q_ENABLE, 1);
	mmio_write16(rng.notify + 0x800, 0x200);
	mmio_write16(c + VIRTIO_PCI_COMMON_Q_SELECT, 0);
	CHECK_EQ(mmio_read16(c + VIRTIO_PCI_COMMON_Q_ENABLE), 0);

	/* A vector that does not exist */
	mmio_write16(c + VIRTIO_PCI_COMMON_MSIX, 0x7ff);
	CHECK_EQ(mmio_read16(c + VIRTIO_PCI_COMMON_MSIX), VIRTIO_MSI_NO_VECTOR);
}

int main(void)
{
	apic_enable();
	irq_handle(VECTOR, on_queue);
	irq_handle(WIRE_VECTOR, on_wire);
	virtio_open(&rng, 4);
	test_registers();
	test_msix();
	test_wire();
	virtio_reset(&rng);
	return 0;
}
