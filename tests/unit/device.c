// SPDX-License-Identifier: GPL-2.0
/* Devices that come and go while the machine stays: everything is given back. */
#include <errno.h>
#include <unistd.h>

#include <kvm/event.h>
#include <kvm/opt.h>
#include <kvm/pci.h>

#include "driver.h"
#include "tap.h"

static struct machine m;

/* A chip that has one of everything. */
struct test_chip {
	struct device dev;
	int fail;			/* suboption */
	struct region ports, mmio;
	struct irq wire, level, msg;
	struct event event;
	struct timer timer;
	struct work work;
	void *mem;
};

static unsigned int called, alive;

static u64 test_read(void *obj, u64 off, unsigned int len)
{
	return 0x5a;
}

static void test_write(void *obj, u64 off, unsigned int len, u64 val)
{
}

static const struct region_ops test_ops = { .read = test_read, .write = test_write, .max = 1 };

static void test_timer(struct timer *t)
{
	called++;
}

static void test_work(struct work *w)
{
	called++;
}

static void test_gone(void *arg)
{
	alive--;
}

static int test_init(struct device *dev)
{
	struct test_chip *c = container_of(dev, struct test_chip, dev);
	int ret;

	alive++;
	ret = dev_defer(dev, test_gone, c);
	if (!ret)
		ret = dev_regs(dev, &c->ports, 0x100 + 16 * dev->index, 4, &test_ops, c);
	if (!ret)
		ret = dev_mmio(dev, &c->mmio, 0xd0000000 + 4096 * dev->index, 16, &test_ops, c);
	if (!ret)
		ret = dev_irq_wire(dev, &c->wire, 3);
	if (!ret)
		ret = dev_irq_level(dev, &c->level, 4);
	if (!ret)
		ret = dev_irq_msg(dev, &c->msg, 0);
	if (!ret)
		ret = dev_event(dev, &c->event, 0x80);
	if (!ret)
		ret = dev_timer(dev, &c->timer, test_timer);
	if (!ret)
		ret = dev_work(dev, &c->work, test_work);
	c->mem = dev_alloc(dev, 100);
	if (ret || !c->mem || c->fail)
		return -EINVAL;
	return 0;
}

static const struct opt test_opts[] = {
	OPT_INT(0, "fail", struct test_chip, fail, 1, 1, "N", "init() does"),
	OPT_END
};

DEVICE_TYPE(test_type) = {
	.name = "test-chip", .help = "for this test", .size = sizeof(struct test_chip),
	.opts = test_opts, .init = test_init,
};

static struct test_chip *add(void)
{
	struct device *dev;

	CHECK_EQ(device_add(&m.vm, "test-chip", NULL, &dev), 0);
	return container_of(dev, struct test_chip, dev);
}

static void start(void)
{
	machine_pci(&m);
	log_set_level(LOG_ERROR);
	CHECK_EQ(device_add(&m.vm, "ged", "base=0x604,irq=20", NULL), 0);
	called = alive = 0;
}

TEST(one_goes_and_the_next_gets_what_it_had)
{
	struct test_chip *a, *b, *c;
	unsigned int i;

	start();
	a = add();
	b = add();
	CHECK_STR(b->dev.name, "test-chip1");
	CHECK_EQ(bus_read(&m.vm.pio, 0x100, 1), 0x5a);
	irq_set(&a->level, true);
	event_raise(&a->event);
	device_del(&a->dev);
	CHECK_EQ(alive, 1);
	CHECK_EQ(bus_read(&m.vm.pio, 0x100, 1), 0xff);
	CHECK_EQ(bus_read(&m.vm.mmio, 0xd0000000, 1), 0xff);
	CHECK_EQ(bus_read(&m.vm.pio, 0x110, 1), 0x5a);
	/* Nor is the event that it raised told of. */
	CHECK_EQ(bus_read(&m.vm.pio, 0x604, 4), 0);
	c = add();
	CHECK_STR(c->dev.name, "test-chip0");
	/* More than there are of any of the resources. */
	for (i = 0; i < 1000; i++) {
		device_del(&c->dev);
		c = add();
	}
	CHECK_EQ(alive, 2);
	device_del(&b->dev);
	CHECK(device_find(&m.vm, "test-chip") == &c->dev);
	machine_free(&m);
	CHECK_EQ(alive, 0);
}

TEST(one_that_cannot_be_made_leaves_nothing_behind)
{
	struct device *dev;
	unsigned int i;

	start();
	for (i = 0; i < 1000; i++)
		CHECK_EQ(device_add(&m.vm, "test-chip", "fail=1", &dev), -EINVAL);
	CHECK_EQ(alive, 0);
	CHECK(!device_find(&m.vm, "test-chip"));
	add();
	machine_free(&m);
}

static void arm_and_remove(void *arg)
{
	struct test_chip *c = add();

	loop_timer(m.vm.loop, &c->timer, loop_now());
	loop_post(m.vm.loop, &c->work);
	loop_post(m.vm.loop, &c->work);
	device_del(&c->dev);
}

static void arm(void *arg)
{
	struct test_chip *c = add();

	loop_timer(m.vm.loop, &c->timer, loop_now());
	loop_post(m.vm.loop, &c->work);
	loop_post(m.vm.loop, &c->work);
}

static void nothing(void *arg)
{
}

TEST(no_callback_comes_after_it)
{
	unsigned int i;

	start();
	machine_run(&m);
	for (i = 0; i < 20; i++)
		loop_call(m.vm.loop, arm_and_remove, NULL);
	loop_call(m.vm.loop, nothing, NULL);
	loop_call(m.vm.loop, nothing, NULL);
	CHECK_EQ(called, 0);
	/* Work that is queued is not queued again. */
	loop_call(m.vm.loop, arm, NULL);
	loop_call(m.vm.loop, nothing, NULL);
	loop_call(m.vm.loop, nothing, NULL);
	CHECK_EQ(called, 2);
	machine_free(&m);
}

/* Virtio devices have a slot, BARs, messages, an ioeventfd, a thread. */
static void renew(void *arg)
{
	struct virtio_dev **vdev = arg;

	if (*vdev)
		device_del(&(*vdev)->dev);
	*vdev = machine_add(&m, "virtio-rng", NULL);
}

TEST(pci_functions)
{
	struct virtio_dev *vdev = NULL, *keep;
	struct driver driver = { 0 };
	u64 bar = 0;
	unsigned int i;
	u32 id, len;

	start();
	keep = machine_add(&m, "virtio-rng", NULL);
	machine_run(&m);
	for (i = 0; i < 300; i++) {
		loop_call(m.vm.loop, renew, &vdev);
		if (i % 100)
			continue;
		driver_probe(&driver, &m, vdev);
		CHECK(!bar || driver.bar[0] == bar);
		bar = driver.bar[0];
		driver_start(&driver, 8);
		ring_add(&driver.ring[0], 0, 0, 8 * MIB, 16);
		driver_kick(&driver, 0);
		CHECK(driver_wait(&driver, 0, &id, &len));
		CHECK_EQ(len, 16);
	}
	/* The other one is as it was. */
	driver_probe(&driver, &m, keep);
	driver_start(&driver, 8);
	machine_free(&m);
}
