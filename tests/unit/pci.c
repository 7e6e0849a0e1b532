// SPDX-License-Identifier: GPL-2.0
/* Configuration space, BARs, INTx and MSI-X, as a guest pokes them. */
#include <errno.h>

#include <linux/kernel.h>
#include <linux/pci_regs.h>

#include "driver.h"
#include "tap.h"

#include "../../hw/pci_host.h"

/* Two BARs with a register each, MSI-X, INTx. */
struct card {
	struct device dev;
	struct pci_dev pci;
	u64 reg[2];
	int moved[2];
};

static u64 big = 2 * GIB;	/* of the second BAR */

static u64 card_read(void *obj, u64 off, unsigned int len)
{
	return *(u64 *)obj + off;
}

static void card_write(void *obj, u64 off, unsigned int len, u64 val)
{
	*(u64 *)obj = val;
}

static const struct region_ops card_ops = { .read = card_read, .write = card_write };

static void card_moved(struct pci_dev *pci, unsigned int bar, bool mapped)
{
	container_of(pci, struct card, pci)->moved[bar / 2] += mapped ? 1 : -1;
}

static int card_init(struct device *dev)
{
	static const struct pci_ids ids = {
		.vendor = 0x1234, .device = 0x5678, .subvendor = 0x9abc, .subdevice = 0xdef0,
		.class = 0xff0000, .revision = 7,
	};
	struct card *c = container_of(dev, struct card, dev);
	int ret;

	ret = pci_add(&c->pci, dev, &ids);
	if (!ret)
		ret = pci_add_bar(&c->pci, 0, 0x4000, false, false, &card_ops, &c->reg[0], "bar 0");
	if (!ret)
		ret = pci_add_bar(&c->pci, 2, big, true, true, &card_ops, &c->reg[1], "bar 2");
	if (!ret)
		ret = pci_add_msix(&c->pci, 1, 3);
	if (!ret)
		ret = pci_add_intx(&c->pci);
	c->pci.bar[0].moved = c->pci.bar[2].moved = card_moved;
	return ret ? ret : pci_enable(&c->pci);
}

DEVICE_TYPE(card) = { .name = "card", .size = sizeof(struct card), .init = card_init };

static struct machine m;
static struct card *c;

static struct card *add(void)
{
	struct device *dev;

	CHECK_EQ(device_add(&m.vm, "card", NULL, &dev), 0);
	return container_of(dev, struct card, dev);
}

static void start(void)
{
	machine_pci(&m);
	c = add();
}

static u32 get(const struct card *card, u32 off, unsigned int len)
{
	return bus_read(&m.vm.pcicfg, (u64)card->pci.devfn << 12 | off, len);
}

static void set(const struct card *card, u32 off, unsigned int len, u32 val)
{
	bus_write(&m.vm.pcicfg, (u64)card->pci.devfn << 12 | off, len, val);
}

static u64 peek(u64 addr)
{
	return bus_read(&m.vm.mmio, addr, 8);
}

static void decode(const struct card *card, bool on)
{
	set(card, PCI_COMMAND, 2, on ? PCI_COMMAND_MEMORY : 0);
}

#define BAR(n)	(PCI_BASE_ADDRESS_0 + 4 * (n))
#define NOTHING	(~0ULL)

TEST(identity)
{
	start();
	CHECK_EQ(get(c, PCI_VENDOR_ID, 4), 0x56781234);
	CHECK_EQ(get(c, PCI_CLASS_REVISION, 4), 0xff000007);
	CHECK_EQ(get(c, PCI_SUBSYSTEM_VENDOR_ID, 4), 0xdef09abc);
	CHECK_EQ(get(c, PCI_HEADER_TYPE, 1), 0);
	CHECK_EQ(get(c, PCI_INTERRUPT_PIN, 1), 1);
	CHECK_EQ(get(c, PCI_INTERRUPT_LINE, 1), 17);
	/* The host bridge is in slot 0. */
	CHECK_EQ(bus_read(&m.vm.pcicfg, PCI_CLASS_DEVICE, 2), 0x0600);
	machine_free(&m);
}

TEST(only_writable_bits_change)
{
	start();
	for (u32 off = 0; off < PCI_CFG_SIZE; off += 4)
		set(c, off, 4, ~0U);
	CHECK_EQ(get(c, PCI_VENDOR_ID, 4), 0x56781234);
	CHECK_EQ(get(c, PCI_CLASS_REVISION, 4), 0xff000007);
	CHECK_EQ(get(c, PCI_COMMAND, 2), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
		 PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	CHECK_EQ(get(c, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	CHECK_EQ(get(c, BAR(4), 4), 0);
	CHECK_EQ(get(c, PCI_ROM_ADDRESS, 4), 0);
	CHECK_EQ(get(c, PCI_CAPABILITY_LIST, 1), 0x40);
	machine_free(&m);
}

TEST(what_is_not_there_is_all_ones)
{
	start();
	CHECK_EQ(bus_read(&m.vm.pcicfg, 9 << 15, 4), 0xffffffff);
	/* Other functions, and the extended space of this one. */
	CHECK_EQ(bus_read(&m.vm.pcicfg, (c->pci.devfn + 1) << 12, 4), 0xffffffff);
	CHECK_EQ(get(c, 256, 4), 0xffffffff);
	bus_write(&m.vm.pcicfg, 9 << 15, 4, 0);
	machine_free(&m);
}

TEST(capabilities)
{
	u8 body[0x30] = { 0 };
	int off = 0;

	start();
	CHECK_EQ(get(c, 0x40, 1), PCI_CAP_ID_MSIX);
	CHECK_EQ(get(c, 0x41, 1), 0);
	CHECK_EQ(get(c, 0x42, 2), 2);
	/* Until the space is used up. */
	log_set_level(-1);
	for (int i = 0; off >= 0; i++) {
		CHECK(i < 5);
		off = pci_add_cap(&c->pci, PCI_CAP_ID_VNDR, body, sizeof(body));
	}
	CHECK_EQ(off, -ENOSPC);
	machine_free(&m);
}

TEST(bars_are_assigned_and_closed_at_first)
{
	const struct pci_layout *l;

	start();
	l = pci_host_layout(&m.vm);
	for (unsigned int i = 0; i < 2; i++) {
		u32 base = get(c, BAR(i), 4);

		CHECK(base >= l->mem32 && base - l->mem32 + c->pci.bar[i].size <= l->mem32_len);
		CHECK(IS_ALIGNED(base, c->pci.bar[i].size));
		CHECK_EQ(peek(base), NOTHING);
	}
	/* Large, prefetchable, 64 bits: above. */
	CHECK_EQ(get(c, BAR(2), 4) & 0xf, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH);
	CHECK_EQ(get(c, BAR(3), 4), l->mem64 >> 32);
	machine_free(&m);
}

TEST(sizing)
{
	start();
	set(c, BAR(0), 4, ~0U);
	CHECK_EQ(get(c, BAR(0), 4), 0xffffc000);
	set(c, BAR(2), 4, ~0U);
	set(c, BAR(3), 4, ~0U);
	CHECK_EQ(get(c, BAR(2), 4), 0x8000000c);
	CHECK_EQ(get(c, BAR(3), 4), 0xffffffff);
	machine_free(&m);
}

TEST(decoding_opens_and_closes_bars)
{
	u64 base;

	start();
	base = get(c, BAR(0), 4);
	c->reg[0] = 42;
	decode(c, true);
	CHECK_EQ(c->moved[0], 1);
	CHECK_EQ(peek(base), 42);
	CHECK_EQ(peek(base + 8), 50);
	bus_write(&m.vm.mmio, base, 4, 43);
	CHECK_EQ(c->reg[0], 43);
	decode(c, true);
	CHECK_EQ(c->moved[0], 1);
	decode(c, false);
	CHECK_EQ(c->moved[0], 0);
	CHECK_EQ(peek(base), NOTHING);
	machine_free(&m);
}

TEST(a_bar_moves)
{
	u64 base;

	start();
	base = get(c, BAR(0), 4);
	c->reg[0] = 42;
	decode(c, true);
	set(c, BAR(0), 4, 0xd0000000);
	CHECK_EQ(peek(base), NOTHING);
	CHECK_EQ(peek(0xd0000000), 42);
	CHECK_EQ(c->moved[0], 1);
	/* With 64 bits the halves come one by one. */
	c->reg[1] = 4711;
	set(c, BAR(3), 4, 0x40);
	CHECK_EQ(peek(0x4000000000), 4711);
	CHECK_EQ(peek(64 * GIB), NOTHING);
	/* Byte by byte works as well. */
	set(c, BAR(0) + 3, 1, 0xd1);
	CHECK_EQ(peek(0xd1000000), 42);
	machine_free(&m);
}

TEST(a_bar_does_not_cover_ram)
{
	start();
	log_set_level(-1);
	c->reg[0] = 42;
	decode(c, true);
	set(c, BAR(0), 4, MACHINE_RAM - 0x4000);
	CHECK_EQ(c->moved[0], 0);
	CHECK_EQ(peek(MACHINE_RAM - 0x4000), NOTHING);
	set(c, BAR(0), 4, MACHINE_RAM);
	CHECK_EQ(peek(MACHINE_RAM), 42);
	/* A large one that has all of RAM inside. */
	set(c, BAR(3), 4, 0);
	CHECK_EQ(c->moved[1], 0);
	set(c, BAR(3), 4, MACHINE_HIGH >> 32);
	CHECK_EQ(c->moved[1], 0);
	machine_free(&m);
}

TEST(a_bar_at_the_end_of_the_world)
{
	start();
	decode(c, true);
	c->reg[0] = 42;
	c->reg[1] = 4711;
	set(c, BAR(0), 4, 0xffffc000);
	CHECK_EQ(peek(0xffffc000), 42);
	set(c, BAR(2), 4, 0x80000000);
	set(c, BAR(3), 4, 0xffffffff);
	CHECK_EQ(peek(0xffffffff80000000), 4711);
	CHECK_EQ(peek(0xfffffffffffffff8), 4711 + 2 * GIB - 8);
	machine_free(&m);
}

TEST(a_place_that_is_taken_is_had_when_it_is_free)
{
	struct card *d;
	u64 base;

	start();
	log_set_level(-1);
	d = add();
	c->reg[0] = 1;
	d->reg[0] = 2;
	base = get(c, BAR(0), 4);
	decode(c, true);
	set(d, BAR(0), 4, base);
	decode(d, true);
	CHECK_EQ(peek(base), 1);
	CHECK_EQ(d->moved[0], 0);
	set(c, BAR(0), 4, 0xd0000000);
	CHECK_EQ(peek(base), 2);
	CHECK_EQ(peek(0xd0000000), 1);
	/* They swap. */
	set(d, BAR(0), 4, 0xd0000000);
	set(c, BAR(0), 4, base);
	CHECK_EQ(peek(base), 1);
	CHECK_EQ(peek(0xd0000000), 2);
	/* ECAM itself is taken, too. */
	set(d, BAR(0), 4, 0xe0000000);
	CHECK_EQ(bus_read(&m.vm.mmio, 0xe0000000, 2), 0x1b36);
	machine_free(&m);
}

TEST(ecam)
{
	u64 base = 0xe0000000;

	start();
	base += (u64)c->pci.devfn << 12;
	CHECK_EQ(bus_read(&m.vm.mmio, base, 2), 0x1234);
	CHECK_EQ(bus_read(&m.vm.mmio, base + 2, 1), 0x78);
	CHECK_EQ(bus_read(&m.vm.mmio, base, 8), 0x56781234 | (u64)PCI_STATUS_CAP_LIST << 48);
	bus_write(&m.vm.mmio, base + PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK_EQ(c->moved[0], 1);
	CHECK_EQ(bus_read(&m.vm.mmio, 0xe0000000 + MIB - 4, 4), 0xffffffff);
	machine_free(&m);
}

static void cf8(u32 val)
{
	bus_write(&m.vm.pio, 0xcf8, 4, val);
}

TEST(ports)
{
	u32 addr;

	start();
	addr = 1U << 31 | c->pci.devfn << 8;
	/* Linux's probe. */
	cf8(1U << 31);
	CHECK_EQ(bus_read(&m.vm.pio, 0xcf8, 4), 1U << 31);
	cf8(~0U);
	CHECK_EQ(bus_read(&m.vm.pio, 0xcf8, 4), 0x80fffffc);
	cf8(addr);
	CHECK_EQ(bus_read(&m.vm.pio, 0xcfc, 4), 0x56781234);
	CHECK_EQ(bus_read(&m.vm.pio, 0xcfe, 2), 0x5678);
	CHECK_EQ(bus_read(&m.vm.pio, 0xcfd, 1), 0x12);
	cf8(addr | PCI_COMMAND);
	bus_write(&m.vm.pio, 0xcfc, 2, PCI_COMMAND_MEMORY);
	CHECK_EQ(c->moved[0], 1);
	/* Not enabled, and another bus. */
	cf8(addr & ~(1U << 31));
	CHECK_EQ(bus_read(&m.vm.pio, 0xcfc, 4), 0xffffffff);
	cf8(addr | 1 << 16);
	CHECK_EQ(bus_read(&m.vm.pio, 0xcfc, 4), 0xffffffff);
	/* Only a double word is an address. */
	bus_write(&m.vm.pio, 0xcf8, 1, 0xff);
	bus_write(&m.vm.pio, 0xcfa, 2, 0xffff);
	CHECK_EQ(bus_read(&m.vm.pio, 0xcf8, 4), addr | 1 << 16);
	machine_free(&m);
}

TEST(reset_port)
{
	start();
	cf8(0x80000600);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	bus_write(&m.vm.pio, 0xcf9, 1, 0x02);
	CHECK_EQ(bus_read(&m.vm.pio, 0xcf9, 1), 0x02);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	bus_write(&m.vm.pio, 0xcf9, 1, 0x06);
	CHECK_EQ(m.vm.end, VM_RESET);
	machine_free(&m);
}

TEST(slots_run_out)
{
	start();
	for (int i = 2; i < 32; i++)
		add();
	log_set_level(-1);
	CHECK_EQ(device_add(&m.vm, "card", NULL, NULL), -ENOSPC);
	machine_free(&m);
}

/* Many devices */

static u32 header(unsigned int devfn)
{
	return bus_read(&m.vm.mmio, 0xe0000000 | devfn << 12 | PCI_HEADER_TYPE, 1);
}

TEST(few_devices_have_a_slot_each)
{
	struct card *card;

	machine_init(&m);
	machine_bridge(&m, 24);
	for (int i = 1; i <= 24; i++) {
		card = add();
		CHECK_EQ(card->pci.devfn, i << 3);
		CHECK_EQ(header(i << 3), 0);
	}
	machine_free(&m);
}

/* In their order, and so that slots remain; to find them costs seven reads for each slot in use. */
TEST(many_devices_share_slots)
{
	struct card *card[184];

	big = MIB;
	machine_init(&m);
	machine_bridge(&m, ARRAY_SIZE(card));
	for (unsigned int i = 0; i < ARRAY_SIZE(card); i++) {
		card[i] = add();
		CHECK_EQ(card[i]->pci.devfn, i + 8);
		CHECK_EQ(bus_read(&m.vm.mmio, 0xe0000000 | (i + 8) << 12, 4), 0x56781234);
	}
	CHECK_EQ(header(0), 0);
	CHECK_EQ(header(8), PCI_MULTI);
	CHECK_EQ(header(9), PCI_MULTI);
	CHECK_EQ(header(23 << 3), PCI_MULTI);
	CHECK_EQ(header(24 << 3), 0xff);
	/* By the ports too, and each with its own registers. */
	bus_write(&m.vm.pio, 0xcf8, 4, 1U << 31 | 13 << 8);
	CHECK_EQ(bus_read(&m.vm.pio, 0xcfc, 4), 0x56781234);
	decode(card[5], true);
	CHECK_EQ(card[5]->moved[0], 1);
	CHECK_EQ(card[4]->moved[0] + card[6]->moved[0], 0);
	/* One pin for the functions of a slot. */
	pci_intx(&card[0]->pci, true);
	pci_intx(&card[5]->pci, true);
	pci_intx(&card[0]->pci, false);
	CHECK(m.vm.pci->wire[1].level);
	pci_intx(&card[5]->pci, false);
	CHECK(!m.vm.pci->wire[1].level);
	machine_free(&m);
}

TEST(a_device_alone_in_its_slot_has_no_others)
{
	big = MIB;
	machine_init(&m);
	machine_bridge(&m, 25);
	for (int i = 0; i < 25; i++)
		add();
	CHECK_EQ(header(3 << 3), PCI_MULTI);
	CHECK_EQ(header(4 << 3), 0);
	machine_free(&m);
}

/* The next that comes takes the place of a function 0 that went, and tells of the others. */
TEST(function_0_goes_and_comes)
{
	struct card *card[26];

	big = MIB;
	machine_init(&m);
	machine_bridge(&m, 26);
	for (int i = 0; i < 26; i++)
		card[i] = add();
	device_del(&card[8]->dev);
	CHECK_EQ(header(2 << 3), 0xff);
	CHECK_EQ(add()->pci.devfn, 2 << 3);
	CHECK_EQ(header(2 << 3), PCI_MULTI);
	device_del(&card[25]->dev);
	CHECK_EQ(header(4 << 3), 0);
	machine_free(&m);
}

/* INTx */

static bool wire(unsigned int i)
{
	return m.vm.pci->wire[i].level;
}

TEST(intx_level_and_disable_bit)
{
	start();
	pci_intx(&c->pci, true);
	CHECK(wire(1));
	CHECK(get(c, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	set(c, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	CHECK(!wire(1));
	CHECK(get(c, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	set(c, PCI_COMMAND, 2, 0);
	CHECK(wire(1));
	pci_intx(&c->pci, false);
	CHECK(!wire(1));
	CHECK(!(get(c, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	machine_free(&m);
}

TEST(intx_is_shared)
{
	struct card *card[5] = { NULL };

	start();
	card[0] = c;
	for (int i = 1; i < 5; i++)
		card[i] = add();
	/* Slots 1 and 5. */
	pci_intx(&card[0]->pci, true);
	pci_intx(&card[4]->pci, true);
	pci_intx(&card[0]->pci, false);
	CHECK(wire(1));
	/* Slot 2's is another one. */
	pci_intx(&card[1]->pci, true);
	CHECK(wire(2));
	pci_intx(&card[1]->pci, false);
	CHECK(wire(1));
	CHECK(!wire(2));
	pci_intx(&card[4]->pci, false);
	CHECK(!wire(1));
	machine_free(&m);
}

/* MSI-X */

static u64 table;

static void msix_start(u16 flags)
{
	start();
	set(c, c->pci.msix_cap + PCI_MSIX_FLAGS, 2, flags);
	decode(c, true);
	table = get(c, BAR(1), 4);
}

static void entry(unsigned int i, unsigned int field, unsigned int len, u64 val)
{
	bus_write(&m.vm.mmio, table + i * 16 + field, len, val);
}

TEST(msix_starts_masked)
{
	msix_start(PCI_MSIX_FLAGS_ENABLE);
	CHECK(pci_msix_enabled(&c->pci));
	for (unsigned int i = 0; i < 3; i++) {
		CHECK_EQ(bus_read(&m.vm.mmio, table + i * 16 + 12, 4), 1);
		CHECK(!c->pci.msix[i].attached);
	}
	machine_free(&m);
}

TEST(msix_entry_goes_to_kvm_when_it_is_unmasked)
{
	struct irq *irq;

	msix_start(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	irq = &c->pci.msix[1];
	entry(1, 0, 4, 0xfee00003);
	entry(1, 4, 4, 0x12);
	entry(1, 8, 4, 0x4041);
	entry(1, 12, 4, 0xfffffffe);
	/* Reserved bits do not stay. */
	CHECK_EQ(bus_read(&m.vm.mmio, table + 16, 8), 0x12fee00000);
	CHECK_EQ(bus_read(&m.vm.mmio, table + 24, 8), 0x4041);
	CHECK(!irq->attached && !irq->routed);
	set(c, c->pci.msix_cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	CHECK(irq->attached && irq->routed);
	CHECK_EQ(irq->addr, 0x12fee00000);
	CHECK_EQ(irq->data, 0x4041);
	CHECK(!c->pci.msix[0].attached);
	/* An unchanged entry keeps its route, masked and back. */
	entry(1, 12, 4, 1);
	CHECK(!irq->attached);
	entry(1, 8, 4, 0x4041);
	entry(1, 12, 4, 0);
	CHECK(irq->attached && irq->routed);
	/* A quad word is as good. */
	entry(1, 0, 8, 0xfee01000);
	CHECK_EQ(irq->addr, 0xfee01000);
	set(c, c->pci.msix_cap + PCI_MSIX_FLAGS, 2, 0);
	CHECK(!irq->attached);
	machine_free(&m);
}

TEST(msix_pending)
{
	u64 pba;

	msix_start(PCI_MSIX_FLAGS_ENABLE);
	pba = table + (get(c, c->pci.msix_cap + PCI_MSIX_PBA, 4) & ~7U);
	CHECK_EQ(bus_read(&m.vm.mmio, pba, 8), 0);
	irq_pulse(&c->pci.msix[0]);
	irq_pulse(&c->pci.msix[2]);
	CHECK_EQ(bus_read(&m.vm.mmio, pba, 8), 5);
	CHECK_EQ(bus_read(&m.vm.mmio, pba, 4), 5);
	CHECK_EQ(bus_read(&m.vm.mmio, pba + 4, 4), 0);
	bus_write(&m.vm.mmio, pba, 8, 0);
	CHECK_EQ(bus_read(&m.vm.mmio, pba, 8), 5);
	/* Unmasked it is delivered, and no longer pending. */
	entry(0, 12, 4, 0);
	CHECK_EQ(bus_read(&m.vm.mmio, pba, 8), 4);
	/* Switched off it is forgotten. */
	set(c, c->pci.msix_cap + PCI_MSIX_FLAGS, 2, 0);
	set(c, c->pci.msix_cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	CHECK_EQ(bus_read(&m.vm.mmio, pba, 8), 0);
	machine_free(&m);
}

TEST(msix_accesses_that_mean_nothing)
{
	msix_start(PCI_MSIX_FLAGS_ENABLE);
	entry(0, 8, 4, 0x1111);
	/* Narrow, unaligned, beyond the table. */
	entry(0, 8, 2, 0x2222);
	entry(0, 8, 1, 0x22);
	entry(0, 6, 4, 0x2222);
	entry(0, 4, 8, 0x2222222222222222);
	entry(3, 8, 4, 0x2222);
	CHECK_EQ(bus_read(&m.vm.mmio, table + 8, 4), 0x1111);
	CHECK_EQ(bus_read(&m.vm.mmio, table + 3 * 16 + 8, 4), 0);
	CHECK_EQ(bus_read(&m.vm.mmio, table + 4096 - 4, 4), 0);
	for (unsigned int off = 0; off < 4096; off++)
		for (unsigned int len = 1; len <= 8; len *= 2) {
			bus_read(&m.vm.mmio, table + off, len);
			bus_write(&m.vm.mmio, table + off, len, ~0ULL);
		}
	machine_free(&m);
}

TEST(msix_takes_over_from_intx)
{
	start();
	pci_intx(&c->pci, true);
	CHECK(wire(1));
	set(c, c->pci.msix_cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	CHECK(!wire(1));
	machine_free(&m);
}
