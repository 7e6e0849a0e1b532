// SPDX-License-Identifier: GPL-2.0
/*
 * Power management registers of a hardware-reduced ACPI machine: the reset
 * register (ACPI 6.4, 4.8.3.6) and the sleep control and status registers
 * (4.8.3.7). Runs on the vCPU thread that writes, machine lock held.
 */
#include <errno.h>
#include <limits.h>

#include <linux/kernel.h>
#include <kvm/acpi.h>
#include <kvm/device.h>
#include <kvm/opt.h>

/* The value that the FADT tells the guest to write: full reset, as at port 0xcf9 of a PC. */
#define PM_RESET_CPU	(1U << 2)

#define PM_SLEEP_TYPE(v)	((v) >> 2 & 7)
#define PM_SLEEP_ENABLE		(1U << 5)	/* reads as 0 */
#define PM_SLEEP_READABLE	(7U << 2)

struct pm {
	struct device dev;
	int reset, control, status;	/* ports, 0: none */
	struct region reset_region, control_region, status_region;
	u8 sleep;
};

static u64 pm_reset_read(void *obj, u64 off, unsigned int len)
{
	return 0;
}

static void pm_reset_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct pm *pm = obj;

	if (val & PM_RESET_CPU)
		dev_end(&pm->dev, VM_RESET, 0);
}

static u64 pm_control_read(void *obj, u64 off, unsigned int len)
{
	struct pm *pm = obj;

	return pm->sleep;
}

static void pm_control_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct pm *pm = obj;

	pm->sleep = val & PM_SLEEP_READABLE;
	if (val & PM_SLEEP_ENABLE && PM_SLEEP_TYPE(val) == ACPI_SLEEP_S5)
		dev_end(&pm->dev, VM_POWEROFF, 0);
}

/* The only bit says that the machine woke up, which S5 never does. */
static u64 pm_status_read(void *obj, u64 off, unsigned int len)
{
	return 0;
}

static void pm_status_write(void *obj, u64 off, unsigned int len, u64 val)
{
}

static const struct region_ops pm_reset_ops = {
	.read = pm_reset_read, .write = pm_reset_write, .max = 1,
};
static const struct region_ops pm_control_ops = {
	.read = pm_control_read, .write = pm_control_write, .max = 1,
};
static const struct region_ops pm_status_ops = {
	.read = pm_status_read, .write = pm_status_write, .max = 1,
};

static int pm_add(struct pm *pm, struct region *r, const char *name, int port,
		  const struct region_ops *ops)
{
	if (!port)
		return 0;
	r->name = name;
	return dev_regs(&pm->dev, r, port, 1, ops, pm);
}

static int pm_init(struct device *dev)
{
	struct pm *pm = container_of(dev, struct pm, dev);
	int ret;

	ret = pm_add(pm, &pm->reset_region, "reset", pm->reset, &pm_reset_ops);
	if (!ret)
		ret = pm_add(pm, &pm->control_region, "sleep control", pm->control, &pm_control_ops);
	if (!ret)
		ret = pm_add(pm, &pm->status_region, "sleep status", pm->status, &pm_status_ops);
	return ret;
}

static const struct state_field pm_state[] = { STATE(struct pm, sleep), STATE_END };

static int pm_loaded(struct device *dev, enum state_kind kind)
{
	const struct pm *pm = container_of(dev, struct pm, dev);

	return pm->sleep & ~PM_SLEEP_READABLE ? -EINVAL : 0;
}

static const struct opt pm_opts[] = {
	OPT_INT(0, "reset", struct pm, reset, 1, INT_MAX, "ADDR", "ACPI reset register"),
	OPT_INT(0, "sleep-control", struct pm, control, 1, INT_MAX, "ADDR", "ACPI sleep control register"),
	OPT_INT(0, "sleep-status", struct pm, status, 1, INT_MAX, "ADDR", "ACPI sleep status register"),
	OPT_END
};

DEVICE_TYPE(pm) = {
	.name = "pm",
	.help = "reset and power-off registers",
	.size = sizeof(struct pm),
	.opts = pm_opts,
	.init = pm_init,
	.state = pm_state,
	.loaded = pm_loaded,
	.internal = true,
};
