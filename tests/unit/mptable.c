// SPDX-License-Identifier: GPL-2.0
/*
 * The MP table of a machine with a PC's chips, found and read as a kernel without
 * ACPI does it; and which kernel parameters ask for such a machine.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

#include "../../x86/layout.h"
#include "../../x86/x86.h"
#include "tap.h"

static struct vm vm;
static struct vm_config cfg;
static u8 bios[0x10000];		/* 0xf0000 to 0xfffff */

static void machine_make(unsigned int cpus)
{
	memset(&vm, 0, sizeof(vm));
	cfg = (struct vm_config) {
		.cpus = cpus, .sockets = 1, .cores = cpus, .threads = 1, .mem = 64 * MIB,
	};
	vm.cfg = &cfg;
	vm.kvm_fd = vm.vm_fd = -1;
	undo_init(&vm.undo);
	undo_init(&vm.ram);
	INIT_LIST_HEAD(&vm.devices);
	pthread_mutex_init(&vm.lock, NULL);
	CHECK_EQ(loop_new(&vm.loop, &vm.lock), 0);
	CHECK_EQ(irqs_new(&vm.irqs, &vm.undo, &vm, -1), 0);
	bus_init(&vm.pio, "I/O port", 0x10000);
	bus_init(&vm.mmio, "memory", 0);
	bus_init(&vm.pcicfg, "PCI configuration space", MIB);
	CHECK_EQ(arch_memory(&vm), 0);
	vm_x86(&vm)->pc = true;
	vm_x86(&vm)->irqchip = IRQCHIP_SPLIT;
	CHECK_EQ(arch_board(&vm), 0);
	CHECK_EQ(arch_firmware(&vm), 0);
	CHECK_EQ(mem_read(&vm.mem, 0xf0000, bios, sizeof(bios)), 0);
}

static void machine_free(void)
{
	undo_run(&vm.undo);
	loop_free(vm.loop);
	bus_free(&vm.pio);
	bus_free(&vm.mmio);
	bus_free(&vm.pcicfg);
}

static u8 sum(const u8 *p, size_t len)
{
	u8 s = 0;

	while (len--)
		s += *p++;
	return s;
}

/* The configuration table, whose address is in the floating pointer. */
static const u8 *table_find(void)
{
	const u8 *p;
	u32 addr;

	for (p = bios; memcmp(p, "_MP_", 4); p += 16)
		CHECK(p < bios + sizeof(bios) - 16);
	CHECK_EQ(sum(p, p[8] * 16), 0);
	CHECK_EQ(p[11], 0);		/* no default configuration, but a table */
	memcpy(&addr, p + 4, 4);
	CHECK(addr >= 0xf0000 && addr < 0x100000);
	p = bios + addr - 0xf0000;
	CHECK_MEM(p, "PCMP", 4);
	CHECK_EQ(sum(p, p[4] | p[5] << 8), 0);
	return p;
}

static void table_check(unsigned int cpus)
{
	const u8 *table = table_find(), *p = table + 44, *intx = pci_host_layout(&vm)->intx;
	unsigned int nr[5] = { 0 }, i, entries = table[34] | table[35] << 8, isa = 0, pci = 0;
	u32 addr;

	memcpy(&addr, table + 36, 4);
	CHECK_EQ(addr, LAYOUT_LAPIC);
	for (i = 0; i < entries; i++) {
		CHECK(p[0] < 5);
		nr[p[0]]++;
		if (p[0] == 0) {
			CHECK_EQ(p[1], nr[0] - 1);
			CHECK_EQ(p[3], nr[0] == 1 ? 3 : 1);
			p += 20;
			continue;
		}
		if (p[0] == 2) {
			memcpy(&addr, p + 4, 4);
			CHECK_EQ(addr, LAYOUT_IOAPIC);
			CHECK(p[1] >= cpus);
		} else if (p[0] == 3 && p[4] == 0) {	/* PCI: slot and pin */
			CHECK_EQ(p[7], intx[((p[5] >> 2) + (p[5] & 3)) % 4]);
			pci++;
		} else if (p[0] == 3) {
			CHECK_EQ(p[5], p[7]);
			CHECK(p[5] != 2 && !memchr(intx, p[5], 4));
			isa++;
			CHECK_EQ(p[2], p[5] == 9 ? 0xd : 0);	/* the SCI: level, active high */
		}
		p += 8;
	}
	CHECK_EQ(p - table, table[4] | table[5] << 8);
	CHECK_EQ(nr[0], cpus);
	CHECK_EQ(nr[1], 2);
	CHECK_EQ(nr[2], 1);
	CHECK_EQ(pci, 128);
	CHECK_EQ(isa, 13);
	CHECK_EQ(nr[4], 2);
}

TEST(table_has_all_processors_and_interrupts)
{
	machine_make(3);
	table_check(3);
	machine_free();
}

TEST(table_has_room_for_as_many_as_can_be_said)
{
	machine_make(254);
	table_check(254);
	machine_free();
}

TEST(parameters_are_found_as_words)
{
	static const char *const words[] = { "noapic", "acpi=off", "pci=nomsi", "maxcpus=0", NULL };
	static const struct {
		const char *cmdline, *word;
	} given[] = {
		{ NULL, NULL }, { "", NULL }, { "noapic", "noapic" }, { " quiet  noapic ", "noapic" },
		{ "xnoapic noapicx", NULL }, { "acpi=off", "acpi=off" }, { "acpi=offx acpi=", NULL },
		{ "pci=noearly,nomsi", "pci=nomsi" }, { "pci=noearly pci=nomsi,x", "pci=nomsi" },
		{ "pci=noearly,nomsix pci=", NULL }, { "maxcpus=01 maxcpus=", NULL }, { "maxcpus=0", "maxcpus=0" },
	};
	unsigned int i;

	vm.cfg = &cfg;
	for (i = 0; i < ARRAY_SIZE(given); i++) {
		const char *word;

		cfg.kernel_cmdline = given[i].cmdline;
		word = cmdline_word(&vm, words);
		CHECK_STR(word ? word : "none", given[i].word ? given[i].word : "none");
	}
}
