// SPDX-License-Identifier: GPL-2.0
/*
 * What programs that test KVM expect of a PC besides its exit port, and what
 * kvm-unit-tests (x86/, lib/x86/) use it for:
 *
 *	port 0xe0..0xe3		keeps what is written to it
 *	port 0xe4		a page's address: KVM has to look it up anew
 *	port 0x2000..0x2017	the level of I/O APIC inputs 0 to 23
 *	memory at 0xff000000	64 KiB that keep what is written, each access an exit
 *
 * The numbers of CPUs and bytes of RAM that they ask for are the board's to tell
 * (hw/fw_cfg.c). Runs on the vCPU threads, machine lock held.
 */
#include <string.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/vm.h>

#define TESTDEV_MEM	(64 * KIB)

struct testdev {
	struct device dev;
	struct region data, flush, lines, memory;
	struct irq line[IRQ_WIRES];
	u8 kept[4];
	u8 mem[TESTDEV_MEM];
};

static u64 testdev_keep_read(void *obj, u64 off, unsigned int len)
{
	u64 val = 0;

	memcpy(&val, (u8 *)obj + off, len);
	return val;
}

static void testdev_keep_write(void *obj, u64 off, unsigned int len, u64 val)
{
	memcpy((u8 *)obj + off, &val, len);
}

static const struct region_ops testdev_keep_ops = {
	.read = testdev_keep_read, .write = testdev_keep_write,
};

static u64 testdev_read_nothing(void *obj, u64 off, unsigned int len)
{
	return 0;
}

static void testdev_flush_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct testdev *t = obj;

	mem_flush(&t->dev.vm->mem, val);
}

static const struct region_ops testdev_flush_ops = {
	.read = testdev_read_nothing, .write = testdev_flush_write, .min = 4, .max = 4,
};

static u64 testdev_line_read(void *obj, u64 off, unsigned int len)
{
	struct testdev *t = obj;

	return t->line[off].level;
}

static void testdev_line_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct testdev *t = obj;

	irq_set(&t->line[off], val != 0);
}

static const struct region_ops testdev_line_ops = {
	.read = testdev_line_read, .write = testdev_line_write, .max = 1,
};

static int testdev_init(struct device *dev)
{
	struct testdev *t = container_of(dev, struct testdev, dev);
	struct vm *vm = dev->vm;
	unsigned int i;
	int ret;

	for (i = 0; i < IRQ_WIRES; i++) {
		ret = irq_wire_init(&t->line[i], vm->irqs, &vm->undo, i);
		if (ret)
			return dev_err(dev, ret, "interrupt %u", i);
	}
	t->data = (struct region) {
		.name = "pc-testdev", .base = 0xe0, .len = 4,
		.ops = &testdev_keep_ops, .obj = t->kept,
	};
	t->flush = (struct region) {
		.name = "pc-testdev-flush", .base = 0xe4, .len = 4,
		.ops = &testdev_flush_ops, .obj = t,
	};
	t->lines = (struct region) {
		.name = "pc-testdev-irq", .base = 0x2000, .len = IRQ_WIRES,
		.ops = &testdev_line_ops, .obj = t,
	};
	t->memory = (struct region) {
		.name = "pc-testdev-memory", .base = 0xff000000, .len = TESTDEV_MEM,
		.ops = &testdev_keep_ops, .obj = t->mem,
	};
	ret = dev_bus_add(dev, &vm->pio, &t->data);
	if (!ret)
		ret = dev_bus_add(dev, &vm->pio, &t->flush);
	if (!ret)
		ret = dev_bus_add(dev, &vm->pio, &t->lines);
	if (!ret)
		ret = dev_bus_add(dev, &vm->mmio, &t->memory);
	return ret;
}

DEVICE_TYPE(testdev) = {
	.name = "pc-testdev",
	.help = "ports and memory that tests of KVM use; there is one unless Linux is booted",
	.size = sizeof(struct testdev),
	.init = testdev_init,
};
