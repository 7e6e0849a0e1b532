// SPDX-License-Identifier: GPL-2.0
// without: hw/chips/i6300esb.o
/* The watchdog, by its data sheet and as Linux's i6300esb driver uses it. The tests are its clock. */
#include <kvm/vm.h>

static u64 now;

static u64 test_running_ns(const struct vm *vm)
{
	return now;
}

#define vm_running_ns test_running_ns
#include "../../hw/chips/i6300esb.c"

#include <linux/pci_regs.h>

#include "driver.h"
#include "tap.h"

#define SECOND	1000000000ULL

static struct machine m;
static struct esb *e;
static u64 bar;

static u64 cfg(u32 off, unsigned int len)
{
	return bus_read(&m.vm.pcicfg, (u64)e->pci.devfn << 12 | off, len);
}

static void cfg_write(u32 off, unsigned int len, u64 val)
{
	bus_write(&m.vm.pcicfg, (u64)e->pci.devfn << 12 | off, len, val);
}

static void start(const char *opts)
{
	struct device *dev;

	now = 1000 * SECOND;
	machine_pci(&m);
	CHECK_EQ(device_add(&m.vm, "i6300esb", opts, &dev), 0);
	e = container_of(dev, struct esb, dev);
	cfg_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	bar = cfg(PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_MEM_MASK;
}

static void unlocked(u32 off, unsigned int len, u32 val)
{
	bus_write(&m.vm.mmio, bar + ESB_RELOAD, 2, 0x80);
	bus_write(&m.vm.mmio, bar + ESB_RELOAD, 2, 0x86);
	bus_write(&m.vm.mmio, bar + off, len, val);
}

/* As the driver does it: both stages count for half of the time. */
static void enable(unsigned int seconds)
{
	cfg_write(ESB_CONFIG, 2, 3);
	cfg_write(ESB_LOCK, 1, 0);
	unlocked(ESB_RELOAD, 2, ESB_TIMEOUT | ESB_RELOAD_NOW);
	unlocked(ESB_PRELOAD1, 4, seconds << 9);
	unlocked(ESB_PRELOAD2, 4, seconds << 9);
	unlocked(ESB_RELOAD, 2, ESB_RELOAD_NOW);
	cfg_write(ESB_LOCK, 1, ESB_ENABLE);
}

/* Time passes, and the loop looks. */
static void pass(u64 ns)
{
	now += ns;
	if (e->stage)
		e->timer.fn(&e->timer);
}

TEST(identity)
{
	start(NULL);
	CHECK_EQ(cfg(PCI_VENDOR_ID, 4), 0x25ab8086);
	CHECK_EQ(cfg(PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_SPACE, PCI_BASE_ADDRESS_SPACE_MEMORY);
	CHECK_EQ(bus_read(&m.vm.mmio, bar + ESB_PRELOAD1, 4), 0xfffff);
	machine_free(&m);
}

TEST(the_machine_is_reset_after_both_stages)
{
	start(NULL);
	enable(30);
	pass(14 * SECOND);
	CHECK_EQ(e->stage, 1);
	pass(2 * SECOND);
	CHECK_EQ(e->stage, 2);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	pass(16 * SECOND);
	CHECK_EQ(m.vm.end, VM_RESET);
	CHECK_EQ(bus_read(&m.vm.mmio, bar + ESB_RELOAD, 2), ESB_TIMEOUT);
	machine_free(&m);
}

TEST(who_comes_in_time_is_left_alone)
{
	unsigned int i;

	start(NULL);
	enable(30);
	for (i = 0; i < 20; i++) {
		pass(14 * SECOND);
		pass(14 * SECOND);
		unlocked(ESB_RELOAD, 2, ESB_RELOAD_NOW);
		CHECK_EQ(e->stage, 1);
	}
	/* And who disables it. */
	cfg_write(ESB_LOCK, 1, 0);
	CHECK_EQ(cfg(ESB_LOCK, 1), 0);
	pass(100 * SECOND);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	machine_free(&m);
}

TEST(actions)
{
	start("action=poweroff");
	enable(2);
	pass(2 * SECOND);
	pass(2 * SECOND);
	CHECK_EQ(m.vm.end, VM_POWEROFF);
	machine_free(&m);

	start("action=none");
	enable(2);
	pass(2 * SECOND);
	pass(2 * SECOND);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	CHECK(e->timeout);
	unlocked(ESB_RELOAD, 2, ESB_TIMEOUT);
	CHECK_EQ(bus_read(&m.vm.mmio, bar + ESB_RELOAD, 2), 0);
	machine_free(&m);

	start("action=pause");
	enable(2);
	pass(2 * SECOND);
	pthread_mutex_lock(&m.vm.lock);
	pass(2 * SECOND);
	pthread_mutex_unlock(&m.vm.lock);
	CHECK_EQ(vm_held(&m.vm), HOLD_USER);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	machine_free(&m);
}

TEST(without_an_output_nothing_happens)
{
	start(NULL);
	enable(2);
	cfg_write(ESB_CONFIG, 2, ESB_NO_OUTPUT | 3);
	pass(2 * SECOND);
	pass(2 * SECOND);
	CHECK(e->timeout);
	CHECK_EQ(m.vm.end, VM_RUNNING);
	machine_free(&m);
}

TEST(the_first_stage_may_interrupt)
{
	start(NULL);
	enable(2);
	cfg_write(ESB_CONFIG, 2, 0);
	pass(2 * SECOND);
	CHECK(cfg(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	CHECK_EQ(bus_read(&m.vm.mmio, bar + ESB_INTERRUPT, 4), 1);
	/* Cleared only after the two words, and only by a one. */
	bus_write(&m.vm.mmio, bar + ESB_INTERRUPT, 2, 1);
	unlocked(ESB_INTERRUPT, 2, 0);
	CHECK(cfg(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	unlocked(ESB_INTERRUPT, 2, 1);
	CHECK(!(cfg(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	machine_free(&m);
}

TEST(a_pause_is_not_counted)
{
	start(NULL);
	enable(2);
	vm_hold(&m.vm, HOLD_STATE);
	/* The machine's time stands still, the host's timer goes off nevertheless. */
	pass(0);
	pass(0);
	CHECK_EQ(e->stage, 1);
	CHECK(e->timer.due > loop_now());
	vm_release(&m.vm, HOLD_STATE);
	pass(2 * SECOND);
	CHECK_EQ(e->stage, 2);
	machine_free(&m);
}

TEST(writes_need_the_two_words)
{
	start(NULL);
	bus_write(&m.vm.mmio, bar + ESB_PRELOAD1, 4, 5);
	CHECK_EQ(bus_read(&m.vm.mmio, bar + ESB_PRELOAD1, 4), 0xfffff);
	bus_write(&m.vm.mmio, bar + ESB_RELOAD, 2, 0x86);
	bus_write(&m.vm.mmio, bar + ESB_PRELOAD1, 4, 5);
	CHECK_EQ(bus_read(&m.vm.mmio, bar + ESB_PRELOAD1, 4), 0xfffff);
	unlocked(ESB_PRELOAD1, 4, 0xffc00005);
	CHECK_EQ(bus_read(&m.vm.mmio, bar + ESB_PRELOAD1, 4), 0xc00005 & 0xfffff);
	/* For one write. */
	bus_write(&m.vm.mmio, bar + ESB_PRELOAD2, 4, 7);
	CHECK_EQ(bus_read(&m.vm.mmio, bar + ESB_PRELOAD2, 4), 0xfffff);
	machine_free(&m);
}

TEST(locked_is_locked)
{
	start(NULL);
	enable(2);
	cfg_write(ESB_LOCK, 1, ESB_ENABLE | ESB_LOCKED);
	cfg_write(ESB_LOCK, 1, 0);
	CHECK_EQ(cfg(ESB_LOCK, 1), ESB_ENABLE | ESB_LOCKED);
	CHECK_EQ(e->stage, 1);
	machine_free(&m);
}

TEST(free_running_it_guards_nothing)
{
	start(NULL);
	enable(2);
	cfg_write(ESB_LOCK, 1, ESB_ENABLE | ESB_FREE);
	CHECK_EQ(e->stage, 0);
	machine_free(&m);
}

TEST(the_fast_clock)
{
	start(NULL);
	cfg_write(ESB_CONFIG, 2, ESB_FAST | 3);
	unlocked(ESB_PRELOAD1, 4, 1000000);
	cfg_write(ESB_LOCK, 1, ESB_ENABLE);
	pass(900 * 1000 * 1000);
	CHECK_EQ(e->stage, 1);
	pass(100 * 1000 * 1000);
	CHECK_EQ(e->stage, 2);
	/* Nothing to count is one tick. */
	unlocked(ESB_PRELOAD1, 4, 0);
	unlocked(ESB_RELOAD, 2, ESB_RELOAD_NOW);
	CHECK_EQ(e->stage, 1);
	pass(ESB_FAST_NS);
	CHECK_EQ(e->stage, 2);
	machine_free(&m);
}
