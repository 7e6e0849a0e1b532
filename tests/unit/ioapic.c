// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC that is lkvm's: this file's ioctl() is the KVM with the local
 * APICs, which keeps the messages and the routes that it is given.
 */
#include <stdarg.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/bus.h>
#include <kvm/device.h>
#include <kvm/irq.h>

#include "../../x86/layout.h"
#include "../../x86/x86.h"
#include "driver.h"
#include "tap.h"

#define VM_FD		1000000
#define LEVEL		(1 << 15)
#define MASKED		(1 << 16)
#define REMOTE_IRR	(1 << 14)

static struct kvm_msi sent;
static unsigned int nr_sent;
static struct kvm_irq_routing_entry route[64];
static unsigned int nr_routes;

int ioctl(int fd, unsigned long request, ...)
{
	struct kvm_irq_routing *table;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd != VM_FD)
		return 0;
	switch (request) {
	case KVM_SIGNAL_MSI:
		sent = *(struct kvm_msi *)arg;
		nr_sent++;
		return 1;
	case KVM_SET_GSI_ROUTING:
		table = arg;
		nr_routes = table->nr;
		CHECK(nr_routes <= ARRAY_SIZE(route));
		memcpy(route, table->entries, nr_routes * sizeof(route[0]));
		return 0;
	}
	return 0;
}

static struct machine m;
static struct x86 x86;

static void setup(enum irqchip irqchip)
{
	machine_init(&m);
	m.vm.vm_fd = VM_FD;
	CHECK_EQ(irqs_new(&m.vm.irqs, &m.vm.undo, &m.vm, VM_FD), 0);
	x86.irqchip = irqchip;
	m.vm.arch = &x86;
	CHECK_EQ(device_add(&m.vm, "ioapic", NULL, NULL), 0);
}

static void wire(struct irq *irq, u32 input)
{
	CHECK_EQ(irq_wire_init(irq, m.vm.irqs, &m.vm.undo, input), 0);
}

static u32 reg_read(u8 reg)
{
	bus_write(&m.vm.mmio, LAYOUT_IOAPIC, 4, reg);
	return bus_read(&m.vm.mmio, LAYOUT_IOAPIC + 0x10, 4);
}

static void reg_write(u8 reg, u32 val)
{
	bus_write(&m.vm.mmio, LAYOUT_IOAPIC, 4, reg);
	bus_write(&m.vm.mmio, LAYOUT_IOAPIC + 0x10, 4, val);
}

static void pin_write(unsigned int pin, u32 high, u32 low)
{
	reg_write(0x11 + pin * 2, high);
	reg_write(0x10 + pin * 2, low);
}

TEST(pins_are_masked_until_the_guest_says_otherwise)
{
	struct irq irq;

	setup(IRQCHIP_SPLIT);
	wire(&irq, 4);
	CHECK_EQ(reg_read(1), 0x00170011);
	CHECK_EQ(reg_read(0x18), MASKED);
	irq_pulse(&irq);
	CHECK_EQ(nr_sent, 0);
	/* An edge at a masked pin is lost. */
	pin_write(4, 0, 0x41);
	CHECK_EQ(nr_sent, 0);
	machine_free(&m);
}

TEST(an_edge_is_one_message)
{
	struct irq irq;

	setup(IRQCHIP_SPLIT);
	wire(&irq, 4);
	pin_write(4, 0x03000000, 0x41);
	irq_set(&irq, true);
	CHECK_EQ(nr_sent, 1);
	CHECK_EQ(sent.address_lo, 0xfee03000);
	CHECK_EQ(sent.address_hi, 0);
	CHECK_EQ(sent.data, 0x4041);
	irq_set(&irq, false);
	CHECK_EQ(nr_sent, 1);
	irq_pulse(&irq);
	CHECK_EQ(nr_sent, 2);
	/* Logical destination, lowest priority */
	pin_write(4, 0xff000000, 0x42 | 1 << 8 | 1 << 11);
	irq_pulse(&irq);
	CHECK_EQ(sent.address_lo, 0xfeeff00c);
	CHECK_EQ(sent.data, 0x4142);
	/* KVM need not know of any. */
	CHECK_EQ(nr_routes, 0);
	machine_free(&m);
}

TEST(a_level_comes_again_until_it_is_down)
{
	struct irq irq;

	setup(IRQCHIP_SPLIT);
	wire(&irq, 17);
	pin_write(17, 0x01000000, 0x51 | LEVEL);
	/* KVM was told whose end it is to report. */
	CHECK_EQ(nr_routes, 1);
	CHECK_EQ(route[0].type, KVM_IRQ_ROUTING_MSI);
	CHECK_EQ(route[0].u.msi.address_lo, 0xfee01000);
	CHECK_EQ(route[0].u.msi.data, 0xc051);
	irq_set(&irq, true);
	CHECK_EQ(nr_sent, 1);
	CHECK_EQ(sent.data, 0xc051);
	CHECK(reg_read(0x10 + 34) & REMOTE_IRR);
	ioapic_eoi(&m.vm, 0x50);
	CHECK_EQ(nr_sent, 1);
	ioapic_eoi(&m.vm, 0x51);
	CHECK_EQ(nr_sent, 2);
	irq_set(&irq, false);
	ioapic_eoi(&m.vm, 0x51);
	CHECK_EQ(nr_sent, 2);
	CHECK(!(reg_read(0x10 + 34) & REMOTE_IRR));
	machine_free(&m);
}

TEST(a_level_waits_for_its_mask)
{
	struct irq irq;

	setup(IRQCHIP_SPLIT);
	wire(&irq, 17);
	pin_write(17, 0, 0x51 | LEVEL | MASKED);
	irq_set(&irq, true);
	CHECK_EQ(nr_sent, 0);
	reg_write(0x10 + 34, 0x51 | LEVEL);
	CHECK_EQ(nr_sent, 1);
	/* Masked while it is served, as Linux does it: nothing comes until that is over. */
	reg_write(0x10 + 34, 0x51 | LEVEL | MASKED);
	ioapic_eoi(&m.vm, 0x51);
	CHECK_EQ(nr_sent, 1);
	reg_write(0x10 + 34, 0x51 | LEVEL);
	CHECK_EQ(nr_sent, 2);
	/* As an edge it has no end to wait for. */
	reg_write(0x10 + 34, 0x51);
	CHECK(!(reg_read(0x10 + 34) & REMOTE_IRR));
	CHECK_EQ(nr_routes, 0);
	machine_free(&m);
}

TEST(two_devices_hold_one_pin)
{
	struct irq a, b;

	setup(IRQCHIP_SPLIT);
	wire(&a, 17);
	wire(&b, 17);
	pin_write(17, 0, 0x51 | LEVEL);
	irq_set(&a, true);
	irq_set(&b, true);
	CHECK_EQ(nr_sent, 1);
	irq_set(&a, false);
	ioapic_eoi(&m.vm, 0x51);
	CHECK_EQ(nr_sent, 2);
	irq_set(&b, false);
	ioapic_eoi(&m.vm, 0x51);
	CHECK_EQ(nr_sent, 2);
	machine_free(&m);
}

TEST(what_is_read_only_stays)
{
	setup(IRQCHIP_SPLIT);
	reg_write(1, 0xffffffff);
	CHECK_EQ(reg_read(1), 0x00170011);
	pin_write(0, 0xffffffff, 0xffffffff & ~LEVEL);
	CHECK_EQ(reg_read(0x10), 0x0001afff & ~LEVEL);
	CHECK_EQ(reg_read(0x11), 0xff000000);
	reg_write(0, 0xffffffff);
	CHECK_EQ(reg_read(0), 0x0f000000);
	/* Beyond the last pin there is nothing. */
	reg_write(0x40, 0x51);
	reg_write(0xff, 0x51);
	CHECK_EQ(reg_read(0x40), 0);
	CHECK_EQ(reg_read(0xff), 0);
	machine_free(&m);
}

TEST(compact_has_the_pins_that_are_used)
{
	struct irq serial, rtc, again;

	setup(IRQCHIP_COMPACT);
	wire(&serial, 4);
	wire(&rtc, 8);
	wire(&again, 4);
	CHECK_EQ(irqs_gsi(m.vm.irqs, 4), 16);
	CHECK_EQ(irqs_gsi(m.vm.irqs, 8), 17);
	CHECK_EQ(reg_read(1), 0x00010011);
	pin_write(1, 0, 0x61);
	irq_pulse(&rtc);
	CHECK_EQ(nr_sent, 1);
	CHECK_EQ(sent.data & 0xff, 0x61);
	pin_write(2, 0, 0x62);
	CHECK_EQ(reg_read(0x14), 0);
	machine_free(&m);
}
