// SPDX-License-Identifier: GPL-2.0
/*
 * Registers that programs that test KVM expect, besides the exit port, and their use
 * in kvm-unit-tests (x86/, lib/x86/):
 *
 *	data	4 bytes that keep what is written to them
 *	flush	a page's address: KVM has to look it up anew
 *	irq	the level of the interrupt controller's inputs 0 to 23, a byte each
 *	memory	64 KiB that keep what is written, each access an exit
 *
 * The numbers of CPUs and bytes of RAM are in hw/chips/fw_cfg.c. Runs on the vCPU
 * threads, machine lock held.
 */
#include <errno.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/memory.h>

#define TESTDEV_MEM	(64 * KIB)

struct testdev {
	struct device dev;
	struct region data, flush, lines, memory;
	struct irq line[IRQ_WIRES];
	u8 kept[4];
	u8 level[IRQ_WIRES];		/* of line[], 0 or 1, while it is saved */
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

	mem_flush(dev_mem(&t->dev), val);
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

static const struct state_field testdev_state[] = {
	STATE(struct testdev, kept),
	STATE(struct testdev, mem),
	STATE(struct testdev, level),
	STATE_END
};

static void testdev_saving(struct device *dev)
{
	struct testdev *t = container_of(dev, struct testdev, dev);
	unsigned int i;

	for (i = 0; i < IRQ_WIRES; i++)
		t->level[i] = t->line[i].level;
}

static int testdev_loaded(struct device *dev, enum state_kind kind)
{
	struct testdev *t = container_of(dev, struct testdev, dev);
	unsigned int i;

	for (i = 0; i < IRQ_WIRES; i++)
		irq_set(&t->line[i], t->level[i]);
	return 0;
}

static int testdev_init(struct device *dev)
{
	struct testdev *t = container_of(dev, struct testdev, dev);
	struct arch_place base[4];	/* of data, flush, irq, memory */
	unsigned int i;
	int ret;

	for (i = 0; i < IRQ_WIRES; i++) {
		ret = dev_irq_hidden(dev, &t->line[i], i);
		if (ret)
			return ret;
	}
	t->flush.name = "pc-testdev-flush";
	t->lines.name = "pc-testdev-irq";
	t->memory.name = "pc-testdev-memory";
	for (i = 0; i < ARRAY_SIZE(base); i++)
		if (!arch_place(dev->type->name, i, &base[i]))
			return dev_err(dev, -EINVAL, "this machine has no place for it");
	ret = dev_regs(dev, &t->data, base[0].base, 4, &testdev_keep_ops, t->kept);
	if (!ret)
		ret = dev_regs(dev, &t->flush, base[1].base, 4, &testdev_flush_ops, t);
	if (!ret)
		ret = dev_regs(dev, &t->lines, base[2].base, IRQ_WIRES, &testdev_line_ops, t);
	if (!ret)
		ret = dev_mmio(dev, &t->memory, base[3].base, TESTDEV_MEM, &testdev_keep_ops, t->mem);
	return ret;
}

DEVICE_TYPE(testdev) = {
	.name = "pc-testdev",
	.help = "ports and memory that tests of KVM use; there is one unless Linux is booted",
	.size = sizeof(struct testdev),
	.init = testdev_init,
	.state = testdev_state,
	.saving = testdev_saving,
	.loaded = testdev_loaded,
};
