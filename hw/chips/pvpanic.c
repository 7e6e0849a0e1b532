// SPDX-License-Identifier: GPL-2.0
/*
 * The panic device (QEMU, docs/specs/pvpanic). The guest's kernel writes to its port
 * that it has panicked, or that it has crashed and a crash kernel takes over. A read
 * returns the events that are supported. Linux has a driver for the ACPI device
 * QEMU0001, which makes one exit when it starts. On the vCPU threads, machine lock held.
 */
#include <limits.h>
#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/opt.h>

#define PVPANIC_PANICKED	(1u << 0)
#define PVPANIC_CRASH_LOADED	(1u << 1)

struct pvpanic {
	struct device dev;
	int base;
	struct region ports;
};

static u64 pvpanic_read(void *obj, u64 off, unsigned int len)
{
	return PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void pvpanic_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct pvpanic *p = obj;

	if (val & (PVPANIC_PANICKED | PVPANIC_CRASH_LOADED))
		vm_panic(p->dev.vm, val & PVPANIC_CRASH_LOADED);
}

static const struct region_ops pvpanic_ops = {
	.read = pvpanic_read, .write = pvpanic_write, .max = 1,
};

static int pvpanic_init(struct device *dev)
{
	struct pvpanic *p = container_of(dev, struct pvpanic, dev);

	return dev_regs(dev, &p->ports, p->base, 1, &pvpanic_ops, p);
}

static const struct opt pvpanic_opts[] = {
	OPT_INT(0, "base", struct pvpanic, base, 1, INT_MAX, "ADDR", "its port, or byte"),
	OPT_END
};

DEVICE_TYPE(pvpanic) = {
	.name = "pvpanic",
	.help = "port by which the guest's kernel says that it panicked",
	.size = sizeof(struct pvpanic),
	.opts = pvpanic_opts,
	.init = pvpanic_init,
	.state = STATELESS,
	.acpi_hid = "QEMU0001",
	.internal = true,
};
