// SPDX-License-Identifier: GPL-2.0
/*
 * A machine of another architecture (tests/lib/arch_stub.c): the chips have their
 * registers in memory, interrupts have other numbers, messages a sender, and the
 * tables say so. This file's ioctl() is its KVM.
 */
// without: x86/%.o
// with: tests/lib/arch_stub.o
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>
#include <linux/serial_reg.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/life.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

#include "arch_stub.h"
#include "tap.h"

#define VM_FD	1000000

static struct vm vm;
static struct vm_config cfg;
static u32 line;
static unsigned int rises;
static struct kvm_irq_routing_entry routes[4096];
static unsigned int nr_routes;

int ioctl(int fd, unsigned long request, ...)
{
	const struct kvm_irq_routing *table;
	const struct kvm_irq_level *level;
	va_list ap;

	va_start(ap, request);
	table = va_arg(ap, void *);
	va_end(ap);
	if (fd != VM_FD)
		return 0;
	if (request == KVM_SET_GSI_ROUTING) {
		nr_routes = table->nr;
		memcpy(routes, table->entries, nr_routes * sizeof(routes[0]));
	} else if (request == KVM_IRQ_LINE) {
		level = (const void *)table;
		line = level->irq;
		rises += level->level;
	}
	return 0;
}

static void machine_make(void)
{
	memset(&vm, 0, sizeof(vm));
	cfg = (struct vm_config) {
		.cpus = 1, .sockets = 1, .cores = 1, .threads = 1, .mem = 16 * MIB, .console = "null",
	};
	vm.cfg = &cfg;
	vm.kvm_fd = -1;
	vm.vm_fd = VM_FD;
	undo_init(&vm.undo);
	undo_init(&vm.ram);
	INIT_LIST_HEAD(&vm.devices);
	life_init(&vm);
	CHECK_EQ(loop_new(&vm.loop, &vm.lock), 0);
	CHECK_EQ(arch_memory(&vm), 0);
	CHECK_EQ(arch_irqchip(&vm), 0);
	CHECK_EQ(irqs_new(&vm.irqs, &vm.undo, &vm, VM_FD), 0);
	bus_init(&vm.pio, "I/O port", 0x10000);
	bus_init(&vm.mmio, "memory", 0);
	bus_init(&vm.pcicfg, "PCI configuration space", MIB);
	CHECK_EQ(arch_board(&vm), 0);
	CHECK_EQ(device_add(&vm, "virtio-rng", NULL, NULL), 0);
	CHECK_EQ(arch_firmware(&vm), 0);
}

static void machine_end(void)
{
	undo_run(&vm.undo);
	loop_free(vm.loop);
	bus_free(&vm.pio);
	bus_free(&vm.mmio);
	bus_free(&vm.pcicfg);
}

static u64 in(u64 addr, unsigned int len)
{
	return bus_read(&vm.mmio, addr, len);
}

static void out(u64 addr, unsigned int len, u64 val)
{
	bus_write(&vm.mmio, addr, len, val);
}

TEST(chips_are_in_memory_and_no_port_is_used)
{
	machine_make();
	CHECK_EQ(vm.pio.nr, 0);
	out(STUB_SERIAL + UART_SCR, 1, 0x5a);
	CHECK_EQ(in(STUB_SERIAL + UART_SCR, 1), 0x5a);
	out(STUB_RTC, 1, 13);			/* register D: the battery is good */
	CHECK_EQ(in(STUB_RTC + 1, 1), 0x80);
	/* The second serial port is where this board has one; there is no third. */
	CHECK_EQ(device_add(&vm, "serial", "nr=1", NULL), 0);
	out(STUB_SERIAL + STUB_STEP + UART_SCR, 1, 0xa5);
	CHECK_EQ(in(STUB_SERIAL + STUB_STEP + UART_SCR, 1), 0xa5);
	CHECK(device_add(&vm, "serial", "nr=2", NULL) < 0);
	CHECK(device_add(&vm, "acpi-pm", NULL, NULL) < 0);
	out(STUB_RESET, 1, 0x06);
	CHECK_EQ(vm.end, VM_RESET);
	machine_end();
}

TEST(wires_have_the_numbers_of_the_architecture)
{
	machine_make();
	rises = 0;
	out(STUB_SERIAL + UART_MCR, 1, UART_MCR_OUT2);
	out(STUB_SERIAL + UART_IER, 1, UART_IER_THRI);
	CHECK(rises);
	CHECK_EQ(line, STUB_LINE_TYPE | (STUB_LINE_FIRST + STUB_GSI_SERIAL));
	machine_end();
}

/* The BAR of virtio-rng's MSI-X table, and its first entry unmasked */
TEST(messages_tell_who_sends_them)
{
	u32 cap, bar, table;
	u64 cfg_space, addr;
	unsigned int slot, i;

	machine_make();
	for (slot = 1; ; slot++) {
		CHECK(slot < 32);
		cfg_space = STUB_ECAM + (slot << 15);
		if (in(cfg_space, 4) == 0x10441af4)	/* virtio-rng */
			break;
	}
	for (cap = in(cfg_space + 0x34, 1); in(cfg_space + cap, 1) != 0x11; cap = in(cfg_space + cap + 1, 1))
		CHECK(cap);
	bar = in(cfg_space + cap + 4, 4) & 7;
	table = in(cfg_space + cap + 4, 4) & ~7;
	addr = in(cfg_space + 0x10 + 4 * bar, 4) & ~15;
	CHECK(addr >= STUB_MEM32 && addr < STUB_ECAM);
	out(cfg_space + 4, 2, 6);			/* memory, bus master */
	out(cfg_space + cap + 2, 2, 0x8000);		/* MSI-X is on */
	out(addr + table, 4, 0x8080000);
	out(addr + table + 4, 4, 0);
	out(addr + table + 8, 4, 0x42);
	out(addr + table + 12, 4, 0);			/* not masked */
	for (i = 0; i < nr_routes && routes[i].type != KVM_IRQ_ROUTING_MSI; i++)
		;
	CHECK(i < nr_routes);
	CHECK_EQ(routes[i].flags, KVM_MSI_VALID_DEVID);
	CHECK_EQ(routes[i].u.msi.devid, slot << 3);
	CHECK_EQ(routes[i].u.msi.data, 0x42);
	machine_end();
}

/* Does @what come in the tables? */
static bool tables_have(const void *what, size_t len)
{
	static u8 tables[STUB_TABLES];

	CHECK_EQ(mem_read(&vm.mem, STUB_RAM, tables, sizeof(tables)), 0);
	return memmem(tables, sizeof(tables), what, len);
}

TEST(tables_have_registers_in_memory)
{
	/* OperationRegion (EREG, SystemMemory, ...); Memory32Fixed; SPCR's address space, and its GIC */
	static const u8 region[] = { 0x5b, 0x80, 'E', 'R', 'E', 'G', 0x00, 0x0c };
	static const u8 serial[] = { 0x86, 9, 0, 1, 0x00, 0x00, 0x00, 0x09, 8, 0, 0, 0 };
	static const u8 console[] = { 0x00, 8, 0, 1, 0x00, 0x00, 0x00, 0x09, 0, 0, 0, 0, 1 << 3 };
	static const u8 port[] = { 0x47, 1 };

	machine_make();
	CHECK(tables_have("RSD PTR ", 8));
	CHECK(tables_have(region, sizeof(region)));
	CHECK(tables_have(serial, sizeof(serial)));
	CHECK(tables_have(console, sizeof(console)));
	CHECK(!tables_have(port, sizeof(port)));
	machine_end();
}
