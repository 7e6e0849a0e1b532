// SPDX-License-Identifier: GPL-2.0
/* PCI devices that come and go, by the registers that the guest's tables use. */
#include <errno.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/drive.h>
#include <kvm/hotplug.h>
#include <kvm/pci.h>

#include "driver.h"
#include "scratch.h"
#include "tap.h"

#define CHANGED	0x620
#define EJECT	0x624

static struct machine m;
static unsigned int gone;

static void unplugged(void *obj, struct device *dev)
{
	CHECK(dev->unplugged);
	gone++;
}

/* A disk in slot 1, another device in slot 2, and slots 24 to 31 for what comes. */
static struct device *start(void)
{
	struct virtio_dev *disk;

	setenv("TMPDIR", scratch_dir(), 1);
	machine_pci(&m);
	log_set_level(LOG_ERROR);
	CHECK_EQ(device_add(&m.vm, "ged", "base=0x604,irq=20", NULL), 0);
	CHECK_EQ(device_add(&m.vm, "pci-hotplug", "base=0x620", NULL), 0);
	disk = machine_add(&m, "virtio-blk", "new:1M");
	machine_add(&m, "virtio-rng", NULL);
	hotplug_ready(&m.vm);
	m.vm.unplugged = unplugged;
	gone = 0;
	machine_run(&m);
	pthread_mutex_lock(&m.vm.lock);
	return &disk->dev;
}

static void end(void)
{
	pthread_mutex_unlock(&m.vm.lock);
	machine_free(&m);
}

static u32 reg(u32 port)
{
	return bus_read(&m.vm.pio, port, 4);
}

static u32 id(unsigned int slot)
{
	return bus_read(&m.vm.pcicfg, (u64)slot << 15, 4);
}

/* The main loop gets the lock, and has called all that is due. */
static void nothing(void *arg)
{
}

static void settle(void)
{
	pthread_mutex_unlock(&m.vm.lock);
	loop_call(m.vm.loop, nothing, NULL);
	loop_call(m.vm.loop, nothing, NULL);
	pthread_mutex_lock(&m.vm.lock);
}

TEST(one_comes)
{
	struct device *dev;

	start();
	CHECK_EQ(pci_hot(&m.vm), 0xff000002);
	CHECK_EQ(device_add(&m.vm, "virtio-blk", "new:1M", &dev), 0);
	CHECK_EQ(id(24), 0x10421af4);
	CHECK_EQ(reg(CHANGED), 0);
	CHECK_EQ(hotplug_added(dev), 0);
	CHECK_EQ(reg(0x604), 1);
	CHECK_EQ(reg(CHANGED), 1 << 24);
	CHECK_EQ(reg(CHANGED), 0);
	CHECK_EQ(reg(EJECT), 0);
	for (int i = 25; i < 32; i++)
		CHECK_EQ(device_add(&m.vm, "virtio-blk", "new:1M", &dev), 0);
	log_set_level(-1);
	CHECK_EQ(device_add(&m.vm, "virtio-blk", "new:1M", &dev), -ENOSPC);
	end();
}

TEST(the_guest_lets_go)
{
	struct device *disk = start(), *rng = device_find(&m.vm, "virtio-rng");

	CHECK_EQ(hotplug_request(rng), -ENOTSUP);
	CHECK_EQ(hotplug_request(disk), 0);
	CHECK_EQ(reg(EJECT), 1 << 1);
	CHECK_EQ(reg(EJECT), 0);
	settle();
	CHECK_EQ(gone, 0);
	bus_write(&m.vm.pio, EJECT, 4, 1 << 1);
	CHECK_EQ(id(1), ~0U);
	settle();
	CHECK_EQ(gone, 1);
	CHECK(!drive_find(&m.vm, "disk0"));
	/* The next one gets its number, and another slot. */
	CHECK_EQ(device_add(&m.vm, "virtio-blk", "new:1M", &disk), 0);
	CHECK_STR(disk->name, "virtio-blk0");
	CHECK_EQ(id(24), 0x10421af4);
	CHECK_EQ(id(1), ~0U);
	for (int i = 25; i < 32; i++)
		CHECK_EQ(device_add(&m.vm, "virtio-blk", "new:1M", &disk), 0);
	CHECK_EQ(device_add(&m.vm, "virtio-blk", "new:1M", &disk), 0);
	CHECK_EQ(id(1), 0x10421af4);
	end();
}

TEST(one_is_pulled_out)
{
	struct device *disk = start();

	CHECK_EQ(id(1), 0x10421af4);
	CHECK_EQ(hotplug_pull(disk), 0);
	CHECK_EQ(id(1), ~0U);
	CHECK_EQ(reg(CHANGED), 1 << 1);
	settle();
	CHECK_EQ(gone, 1);
	CHECK_EQ(reg(0x604), 1);
	end();
}

/* A guest that ejects what is not there, what is no disk, and the same one twice. */
TEST(ejects_that_mean_nothing)
{
	start();
	bus_write(&m.vm.pio, CHANGED, 4, ~0U);
	bus_write(&m.vm.pio, EJECT, 4, ~0U & ~2U);
	settle();
	CHECK_EQ(gone, 0);
	CHECK_EQ(id(2), 0x10441af4);
	bus_write(&m.vm.pio, EJECT, 4, 2);
	bus_write(&m.vm.pio, EJECT, 4, ~0U);
	settle();
	CHECK_EQ(gone, 1);
	bus_write(&m.vm.pio, EJECT, 4, ~0U);
	settle();
	CHECK_EQ(gone, 1);
	CHECK_EQ(id(2), 0x10441af4);
	end();
}
