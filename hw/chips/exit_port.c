// SPDX-License-Identifier: GPL-2.0
/*
 * The exit port, for guests that are tests: a write ends the machine, and the
 * value decides lkvm's exit status. It is the isa-debug-exit convention, by
 * which a status is odd and so never that of a success by accident:
 * (value << 1) | 1. Runs on the vCPU thread that writes, machine lock held.
 */
#include <limits.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/opt.h>

struct debug_exit {
	struct device dev;
	struct region ports;
	int base;
};

static u64 debug_exit_read(void *obj, u64 off, unsigned int len)
{
	return 0;
}

static void debug_exit_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct debug_exit *d = obj;

	dev_end(&d->dev, VM_EXIT, (val << 1 | 1) & 0xff);
}

static const struct region_ops debug_exit_ops = {
	.read = debug_exit_read, .write = debug_exit_write, .max = 4,
};

static int debug_exit_init(struct device *dev)
{
	struct debug_exit *d = container_of(dev, struct debug_exit, dev);
	int ret = dev_place(dev, dev->type->name, dev->index, &d->base, NULL);

	return ret ? ret : dev_regs(dev, &d->ports, d->base, 4, &debug_exit_ops, d);
}

static const struct opt debug_exit_opts[] = {
	OPT_INT(0, "base", struct debug_exit, base, 1, INT_MAX, "ADDR", "the first of four ports, or bytes (the board's)"),
	OPT_END
};

DEVICE_TYPE(debug_exit) = {
	.name = "debug-exit",
	.help = "port that ends the machine: a write of N is exit status (N << 1) | 1",
	.size = sizeof(struct debug_exit),
	.opts = debug_exit_opts,
	.init = debug_exit_init,
	.state = STATELESS,
};
