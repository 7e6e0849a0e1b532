// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI's fixed hardware (ACPI 6.4, 4.8.3): the PM1a event and control blocks,
 * the PM timer, and their interrupt, the SCI. It is not part of the board: a machine
 * without it is hardware-reduced, and its kernel makes no accesses here. With it
 * there is also S3: the vCPUs are held until an enabled event happens (hw/life.c).
 *
 * Twelve ports: status (2 bytes), enable (2), control (2),
 * none (2), timer (4). Registers on vCPU threads, events and the timer on the
 * main loop, all under the machine lock.
 */
#include <errno.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/acpi.h>
#include <kvm/device.h>
#include <kvm/event.h>
#include <kvm/loop.h>
#include <kvm/vm.h>

/* Tables 4.15 and 4.16, status and enable */
#define PM1_TIMER	(1U << 0)
#define PM1_GLOBAL	(1U << 5)
#define PM1_WAKE	(1U << 15)	/* status only */
#define PM1_ENABLES	(PM1_TIMER | PM1_GLOBAL | FIXED_POWER_BUTTON | FIXED_RTC)

/* Table 4.17, control */
#define PM1_SCI_EN	(1U << 0)	/* always: there is nothing but ACPI (5.2.9, SMI_CMD) */
#define PM1_KEPT	(1U << 1 | 7U << 10)	/* BM_RLD, and the sleep type */
#define PM1_SLEEP_TYPE(v) ((v) >> 10 & 7)
#define PM1_SLEEP	(1U << 13)	/* reads as 0 */

#define PM_TIMER_HZ	3579545ULL
#define PM_TIMER_HALF	(1ULL << 31)	/* ticks after which its highest bit changes */
#define NS_PER_SECOND	1000000000ULL

struct acpi_pm {
	struct device dev;
	struct region ports;
	struct irq sci;
	int base, gsi;
	u16 status, enable, control;
	u64 start;			/* loop_now() at which the timer was 0 */
	u64 elapsed;			/* since then in ns, while it is saved */
	u64 halves;			/* changes of its highest bit up to the last look */
	struct timer timer;
	struct work work;		/* have the loop look at the timer */
};

static u64 acpi_pm_ticks(const struct acpi_pm *pm)
{
	return (unsigned __int128)(loop_now() - pm->start) * PM_TIMER_HZ / NS_PER_SECOND;
}

/* The timer does not tick: its overflows are found when a register is read. */
static void acpi_pm_update(struct acpi_pm *pm)
{
	u64 halves = acpi_pm_ticks(pm) / PM_TIMER_HALF;

	if (halves != pm->halves)
		pm->status |= PM1_TIMER;
	pm->halves = halves;
	irq_set(&pm->sci, pm->status & pm->enable);
}

static void acpi_pm_arm(struct acpi_pm *pm)
{
	unsigned __int128 ticks = (unsigned __int128)(pm->halves + 1) * PM_TIMER_HALF;

	loop_timer_cancel(dev_loop(&pm->dev), &pm->timer);
	if (pm->enable & ~pm->status & PM1_TIMER)
		loop_timer(dev_loop(&pm->dev), &pm->timer,
			   pm->start + (u64)(ticks * NS_PER_SECOND / PM_TIMER_HZ) + 1);
}

static void acpi_pm_due(struct timer *t)
{
	struct acpi_pm *pm = container_of(t, struct acpi_pm, timer);

	acpi_pm_update(pm);
	acpi_pm_arm(pm);
}

static void acpi_pm_work(struct work *w)
{
	acpi_pm_arm(container_of(w, struct acpi_pm, work));
}

/* 4.8.2.2 and 4.8.2.4: an event that is enabled ends the sleep. */
static void acpi_pm_wake(struct acpi_pm *pm)
{
	if (!(vm_held(pm->dev.vm) & HOLD_SLEEP) ||
	    !(pm->status & pm->enable & (FIXED_POWER_BUTTON | FIXED_RTC)))
		return;
	pm->status |= PM1_WAKE;
	dev_end(&pm->dev, VM_WAKE, 0);
}

bool event_fixed(struct vm *vm, u16 event)
{
	struct acpi_pm *pm = vm->acpi_pm;

	if (!pm)
		return false;
	pm->status |= event;
	acpi_pm_update(pm);
	acpi_pm_wake(pm);
	return true;
}

static void acpi_pm_sleep(struct acpi_pm *pm)
{
	unsigned int type = PM1_SLEEP_TYPE(pm->control);

	if (type == ACPI_SLEEP_S5)
		dev_end(&pm->dev, VM_POWEROFF, 0);
	if (type != ACPI_SLEEP_S3)
		return;
	vm_hold(pm->dev.vm, HOLD_SLEEP);
	acpi_pm_wake(pm);
}

/* The registers as they lie: the first eight bytes, and the timer. */
static u64 acpi_pm_read(void *obj, u64 off, unsigned int len)
{
	struct acpi_pm *pm = obj;
	u64 regs[2], val = 0;

	acpi_pm_update(pm);
	regs[0] = pm->status | (u64)pm->enable << 16 | (u64)pm->control << 32;
	regs[1] = acpi_pm_ticks(pm) & 0xffffffff;
	memcpy(&val, (u8 *)regs + off, len);
	return val;
}

static void acpi_pm_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct acpi_pm *pm = obj;
	u64 bits[2] = { 0 }, keep[2] = { ~0ULL, ~0ULL };

	memcpy((u8 *)bits + off, &val, len);
	memset((u8 *)keep + off, 0, len);
	acpi_pm_update(pm);
	pm->status &= ~bits[0];			/* a 1 clears */
	pm->enable = (pm->enable & keep[0] >> 16) | (bits[0] >> 16 & PM1_ENABLES);
	pm->control = (pm->control & keep[0] >> 32) | (bits[0] >> 32 & PM1_KEPT) | PM1_SCI_EN;
	acpi_pm_update(pm);
	if (pm->enable & PM1_TIMER || pm->timer.due)
		loop_post(dev_loop(&pm->dev), &pm->work);
	if (bits[0] >> 32 & PM1_SLEEP)
		acpi_pm_sleep(pm);
}

static const struct region_ops acpi_pm_ops = {
	.read = acpi_pm_read, .write = acpi_pm_write, .max = 4,
};

/* Status is kept in S3: it says what has ended it. */
static const struct state_field acpi_pm_state[] = {
	STATE_KEPT(struct acpi_pm, status),
	STATE(struct acpi_pm, enable),
	STATE(struct acpi_pm, control),
	STATE(struct acpi_pm, elapsed),
	STATE(struct acpi_pm, halves),
	STATE_END
};

static void acpi_pm_saving(struct device *dev)
{
	struct acpi_pm *pm = container_of(dev, struct acpi_pm, dev);

	pm->elapsed = loop_now() - pm->start;
}

static int acpi_pm_loaded(struct device *dev, enum state_kind kind)
{
	struct acpi_pm *pm = container_of(dev, struct acpi_pm, dev);

	/* The timer goes on where it was; 2^60 ns are 36 years. */
	pm->start = loop_now() - pm->elapsed;
	if (pm->status & ~(PM1_ENABLES | PM1_WAKE) || pm->enable & ~PM1_ENABLES ||
	    pm->control & ~(PM1_KEPT | PM1_SCI_EN) || pm->elapsed >> 60 ||
	    pm->halves > acpi_pm_ticks(pm) / PM_TIMER_HALF)
		return -EINVAL;
	acpi_pm_update(pm);
	loop_post(dev_loop(dev), &pm->work);
	return 0;
}

static void acpi_pm_stop(void *arg)
{
	struct acpi_pm *pm = arg;

	pm->dev.vm->acpi_pm = NULL;
}

static int acpi_pm_init(struct device *dev)
{
	struct acpi_pm *pm = container_of(dev, struct acpi_pm, dev);
	int ret;

	if (dev->vm->acpi_pm)
		return dev_err(dev, -EINVAL, "there is one already, and ACPI knows only one");
	pm->control = PM1_SCI_EN;
	pm->start = loop_now();
	ret = dev_place(dev, dev->type->name, 0, &pm->base, &pm->gsi);
	if (!ret)
		ret = dev_regs(dev, &pm->ports, pm->base, 12, &acpi_pm_ops, pm);
	if (!ret)
		ret = dev_irq_level(dev, &pm->sci, pm->gsi);
	if (!ret)
		ret = dev_timer(dev, &pm->timer, acpi_pm_due);
	if (!ret)
		ret = dev_work(dev, &pm->work, acpi_pm_work);
	if (ret)
		return ret;
	dev->vm->acpi_pm = pm;
	return dev_defer(dev, acpi_pm_stop, pm);
}

DEVICE_TYPE(acpi_pm) = {
	.name = "acpi-pm",
	.help = "ACPI's fixed hardware, with suspend to RAM; there is one unless Linux is booted that reads KVM's clock",
	.size = sizeof(struct acpi_pm),
	.init = acpi_pm_init,
	.state = acpi_pm_state,
	.saving = acpi_pm_saving,
	.loaded = acpi_pm_loaded,
};
