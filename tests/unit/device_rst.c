// SPDX-License-Identifier: GPL-2.0
/* The device in Documentation/device.rst: it works, is saved and loaded, comes and goes. */
#include "device_rst.inc"	/* made from it */

#include <stdlib.h>

#include <kvm/state.h>

#include "driver.h"
#include "tap.h"

#define BUF	(4 * MIB)

static struct machine m;
static struct driver d;

static void put(const char *text)
{
	CHECK_EQ(mem_write(&m.vm.mem, BUF, text, strlen(text)), 0);
	ring_add(&d.ring[PUT], BUF, strlen(text), 0, 0);
	driver_kick(&d, PUT);
	CHECK(driver_wait(&d, PUT, NULL, NULL));
}

static void offer(void)
{
	ring_add(&d.ring[GET], 0, 0, BUF + 4096, 64);
	driver_kick(&d, GET);
}

static void check_got(const char *text)
{
	char buf[65] = "";
	u32 len;

	CHECK(driver_wait(&d, GET, NULL, &len));
	CHECK_EQ(len, strlen(text));
	CHECK_EQ(mem_read(&m.vm.mem, BUF + 4096, buf, len), 0);
	CHECK_STR(buf, text);
}

static void start(void)
{
	driver_probe(&d, &m, machine_add(&m, "virtio-mailbox", NULL));
	driver_start(&d, 16);
}

TEST(works)
{
	machine_pci(&m);
	start();
	offer();
	put("hello");
	check_got("hello");
	put("again");
	offer();
	check_got("again");
	machine_free(&m);
}

TEST(is_saved_and_loaded)
{
	const void *data;
	struct state *s, *r;
	size_t len;
	u8 *ram = malloc(4 * MIB);

	machine_pci(&m);
	start();
	put("later");
	CHECK_EQ(devices_hold(&m.vm), 0);
	CHECK_EQ(state_write(&s, STATE_ALL), 0);
	CHECK_EQ(vm_state(&m.vm, s), 0);
	CHECK_EQ(state_written(s, &data, &len), 0);
	CHECK_EQ(mem_read(&m.vm.mem, 0, ram, 4 * MIB), 0);
	machine_free(&m);

	machine_pci(&m);
	d.dev = machine_add(&m, "virtio-mailbox", NULL);
	CHECK_EQ(mem_write(&m.vm.mem, 0, ram, 4 * MIB), 0);
	CHECK_EQ(state_read(&r, data, len), 0);
	CHECK_EQ(vm_state(&m.vm, r), 0);
	devices_release(&m.vm);
	offer();
	check_got("later");
	machine_free(&m);
	state_free(r);
	state_free(s);
	free(ram);
}

TEST(comes_and_goes)
{
	int i;

	machine_pci(&m);
	for (i = 0; i < 3; i++) {
		start();
		offer();
		put("hello");
		check_got("hello");
		device_del(&d.dev->dev);
		CHECK_EQ(driver_cfg_read(&d, 0, 4), 0xffffffff);
	}
	machine_free(&m);
}
