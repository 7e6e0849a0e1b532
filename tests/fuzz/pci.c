// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz PCI and the virtio PCI transport: an input is a sequence of accesses to
 * configuration space, by all ways there are, to BARs wherever they have got
 * to, and to the whole of memory-mapped I/O. Two devices: they meet. Whatever
 * happens, identities stay, and no BAR is where RAM is or where another one is.
 */
#include <stdio.h>
#include <stdlib.h>

#include <linux/pci_regs.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/pci.h>
#include <kvm/transport.h>

#include "driver.h"
#include "fuzz_input.h"
#include "tap.h"

#define DEVICES	2
#define OPS_MAX	512
#define ECAM	0xe0000000ULL

static void check(const struct machine *m)
{
	const struct bus *bus = &m->vm.mmio;
	unsigned int i, j;

	for (i = 0; i < bus->nr; i++) {
		const struct region *r = bus->region[i];
		u64 last = r->base + (r->len - 1);

		require(last >= r->base, "a region wraps around");
		require(!i || bus->region[i - 1]->base + (bus->region[i - 1]->len - 1) < r->base,
			"two regions overlap");
		for (j = 0; j < mem_table(&m->vm.mem)->nr; j++) {
			const struct mem_region *ram = &mem_table(&m->vm.mem)->region[j];

			require(last < ram->gpa || r->base > ram->gpa + (ram->len - 1),
				"a region covers RAM");
		}
	}
}

/* Values that mean something, now and then. */
static u64 value(struct input *in)
{
	static const u64 values[] = {
		0, 1, ~0ULL, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, PCI_COMMAND_INTX_DISABLE,
		PCI_MSIX_FLAGS_ENABLE, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL,
		0xc0000000, 0xc0004000, 0xd0000000, 0xfee00000, 0xffffc000, MACHINE_RAM - 0x1000,
		ECAM, 0xffff, 3, 7, 11, 15,
	};
	u8 i = take(in, 1);

	return i < ARRAY_SIZE(values) ? values[i] : i & 1 ? take(in, 1) : take(in, 4);
}

static void access_bus(struct bus *bus, u64 addr, unsigned int len, bool write, struct input *in)
{
	if (write)
		bus_write(bus, addr, len, value(in));
	else
		bus_read(bus, addr, len);
}

static void step(struct machine *m, struct input *in)
{
	u8 op = take(in, 1);
	bool write = op & 8;
	unsigned int len = 1 << (op >> 4 & 3);
	u32 slot = op >> 6;
	u64 off;

	switch (op & 7) {
	case 0:		/* the header */
	case 1:		/* capabilities */
		off = (u64)slot << 15 | (op & 1 ? take(in, 1) : take(in, 1) % 0x40);
		access_bus(&m->vm.pcicfg, off, len, write, in);
		break;
	case 2:
		access_bus(&m->vm.mmio, ECAM + take(in, 3) % MIB, len, write, in);
		break;
	case 3:
		bus_write(&m->vm.pio, 0xcf8, 4, 1U << 31 | slot << 11 | take(in, 1));
		access_bus(&m->vm.pio, 0xcfc + take(in, 1) % 4, min(len, 4U), write, in);
		break;
	case 4:
		access_bus(&m->vm.pio, 0xcf8 + take(in, 1) % 8, min(len, 4U), write, in);
		break;
	case 5:		/* a BAR, or what else there is */
	case 6:
		if (m->vm.mmio.nr) {
			const struct region *r = m->vm.mmio.region[slot % m->vm.mmio.nr];

			off = take(in, 2) & (op & 1 ? 0xffff : 0x3f);
			access_bus(&m->vm.mmio, r->base + off, len, write, in);
		}
		break;
	case 7:
		access_bus(&m->vm.mmio, take(in, 8), len, write, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	struct machine m;
	unsigned int i;

	log_set_level(-1);
	machine_pci(&m);
	for (i = 0; i < DEVICES; i++)
		machine_add(&m, "virtio-rng", NULL);
	for (i = 0; in.left && i < OPS_MAX; i++) {
		step(&m, &in);
		check(&m);
	}
	for (i = 1; i <= DEVICES; i++)
		require(bus_read(&m.vm.pcicfg, i << 15, 4) == 0x10441af4, "an identity has changed");
	machine_free(&m);
	return 0;
}
