// SPDX-License-Identifier: GPL-2.0
/*
 * Rings that no driver would make: each breaks the device, which says so by
 * NEEDS_RESET and a configuration interrupt, and nothing else; after a reset
 * it works again.
 *
 * [hostile]
 * run=-m 16
 * status=1
 * expect="^18 kinds of bad rings$"
 * timeout=60
 */
#include "virtio.h"

#define SIZE		8
#define CONFIG_VECTOR	0x44
#define VERSION_1	(1ULL << VIRTIO_F_VERSION_1)
#define INDIRECT	(1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define NEXT		VRING_DESC_F_NEXT
#define WRITE		VRING_DESC_F_WRITE

static struct virtio rng;
static struct rings rings;
static struct vring_desc table[64] __attribute__((aligned(16)));
static u8 data[64];
static volatile u32 config_interrupts;
static unsigned int kinds;

static void on_config(struct frame *f)
{
	config_interrupts++;
	apic_eoi();
}

static void start(u64 features)
{
	CHECK(virtio_begin(&rng, VERSION_1 | features));
	virtio_msix(&rng, 0, CONFIG_VECTOR);
	mmio_write16(rng.common + VIRTIO_PCI_COMMON_MSIX, 0);
	virtio_queue(&rng, 0, SIZE, VIRTIO_MSI_NO_VECTOR, &rings);
	memset(table, 0, sizeof(table));
	config_interrupts = 0;
}

static void desc(struct vring_desc *d, u64 addr, u32 len, u16 flags, u16 next)
{
	*d = (struct vring_desc) { addr, len, flags, next };
}

/* The device is broken once it has looked at what is offered. */
static void breaks(const char *what)
{
	virtio_set_status(&rng, VIRTIO_CONFIG_S_DRIVER_OK);
	virtio_kick(&rng, 0);
	while (!config_interrupts)
		irq_wait();
	if (!(virtio_status(&rng) & VIRTIO_CONFIG_S_NEEDS_RESET) || rings_used(&rings)) {
		print("%s: status %x, used %u\n", what, virtio_status(&rng), rings_used(&rings));
		guest_exit(EXIT_FAILED);
	}
	/* More of it changes nothing. */
	virtio_kick(&rng, 0);
	CHECK_EQ(config_interrupts, 1);
	kinds++;
}

static void works(void)
{
	start(0);
	desc(&rings.desc[0], (u64)data, sizeof(data), WRITE, 0);
	rings_offer(&rings, SIZE, 0);
	virtio_set_status(&rng, VIRTIO_CONFIG_S_DRIVER_OK);
	virtio_kick(&rng, 0);
	while (!rings_used(&rings))
		cpu_relax();
	CHECK_EQ(rings.used.ring[0].len, sizeof(data));
	CHECK_EQ(virtio_status(&rng), 0xf);
}

static void one(const char *what, u64 addr, u32 len, u16 flags, u16 next)
{
	start(0);
	desc(&rings.desc[0], addr, len, flags, next);
	rings_offer(&rings, SIZE, 0);
	breaks(what);
}

static void indirect(const char *what, u64 features, u64 addr, u32 len, u16 flags)
{
	start(features);
	desc(&rings.desc[0], addr, len, VRING_DESC_F_INDIRECT | flags, 1);
	desc(&rings.desc[1], (u64)data, sizeof(data), WRITE, 0);
	rings_offer(&rings, SIZE, 0);
	breaks(what);
}

static void direct_chains(void)
{
	one("registers", 0xe0000000, 64, WRITE, 0);
	one("nowhere", 0x8000000000000000, 64, WRITE, 0);
	one("around the end of all addresses", -8ULL, 64, WRITE, 0);
	one("beyond the end of RAM", 16 * 1024 * 1024 - 8, 64, WRITE, 0);
	one("4 GiB long", (u64)data, 0xffffffff, WRITE, 0);
	one("next out of range", (u64)data, 64, NEXT | WRITE, SIZE);
	one("its own next", (u64)data, 64, NEXT | WRITE, 0);

	start(0);
	desc(&rings.desc[0], (u64)data, 64, NEXT | WRITE, 1);
	desc(&rings.desc[1], (u64)data, 64, NEXT | WRITE, 0);
	rings_offer(&rings, SIZE, 0);
	breaks("a circle");

	start(0);
	desc(&rings.desc[0], (u64)data, 32, NEXT | WRITE, 1);
	desc(&rings.desc[1], (u64)data, 32, 0, 0);
	rings_offer(&rings, SIZE, 0);
	breaks("readable after writable");
}

static void heads(void)
{
	start(0);
	rings_offer(&rings, SIZE, SIZE);
	breaks("head out of range");

	start(0);
	rings_offer(&rings, SIZE, 0xffff);
	breaks("head far out of range");

	start(0);
	rings.avail.idx = SIZE + 1;
	breaks("index beyond the ring");
}

static void indirect_tables(void)
{
	u64 t = (u64)table;

	indirect("without the feature", 0, t, 16, 0);
	indirect("with next", INDIRECT, t, 16, NEXT);
	indirect("of a length that does not divide", INDIRECT, t, 24, 0);
	indirect("of no length", INDIRECT, t, 0, 0);
	indirect("outside of RAM", INDIRECT, 0xe0000000, 16, 0);

	start(INDIRECT);
	desc(&table[0], t + 16, 16, VRING_DESC_F_INDIRECT, 0);
	desc(&table[1], (u64)data, 64, WRITE, 0);
	desc(&rings.desc[0], t, 32, VRING_DESC_F_INDIRECT, 0);
	rings_offer(&rings, SIZE, 0);
	breaks("table in a table");
}

int main(void)
{
	apic_enable();
	irq_handle(CONFIG_VECTOR, on_config);
	virtio_open(&rng, 4);
	CHECK(virtio_features(&rng) & INDIRECT);
	works();
	direct_chains();
	works();
	heads();
	indirect_tables();
	works();
	print("%u kinds of bad rings\n", kinds);
	return 0;
}
