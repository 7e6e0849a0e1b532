// SPDX-License-Identifier: GPL-2.0
/*
 * A watchdog: that of the Intel 6300ESB I/O controller hub (data sheet 300641,
 * chapter 14, "Watchdog Timer"; Linux has a driver, i6300esb). A PCI function with
 * two stages that count down one after the other, 20 bits each. At the end of the
 * first there may be an interrupt; at the end of the second the user's action is
 * taken. Writing the reload bit starts again. Except for the values 0x80 and 0x86, a
 * write takes effect only after these two were written to the reload register.
 *
 * Time is the machine's: it stands still during a pause. Registers on vCPU
 * threads, the timer on the main loop, all under the machine lock.
 */
#include <errno.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/log.h>
#include <kvm/loop.h>
#include <kvm/opt.h>
#include <kvm/pci.h>

/* Configuration space */
#define ESB_CONFIG		0x60	/* 16 bits */
#define ESB_INT_TYPE		(3u << 0)	/* 0: interrupt; SMI and none are none */
#define ESB_FAST		(1u << 2)	/* count at 1 MHz, not at 1 kHz */
#define ESB_NO_OUTPUT		(1u << 5)	/* nothing happens at the end */
#define ESB_LOCK		0x68	/* 8 bits */
#define ESB_LOCKED		(1u << 0)	/* this register cannot be written any more */
#define ESB_ENABLE		(1u << 1)
#define ESB_FREE		(1u << 2)	/* a square wave instead, which leads nowhere here */

/* The BAR */
#define ESB_BAR			16
#define ESB_PRELOAD1		0x0
#define ESB_PRELOAD2		0x4
#define ESB_INTERRUPT		0x8	/* bit 0: it is pending, written to clear it */
#define ESB_RELOAD		0xc
#define ESB_RELOAD_NOW		(1u << 8)
#define ESB_TIMEOUT		(1u << 9)	/* there has been one; written to clear it */
#define ESB_UNLOCK1		0x80
#define ESB_UNLOCK2		0x86

#define ESB_PRELOAD_MASK	0xfffff
/* The PCI clock of 33 MHz, divided by 2^15 or by 2^5. */
#define ESB_SLOW_NS		992970
#define ESB_FAST_NS		970
#define ESB_PAUSED_NS		(100 * 1000 * 1000ULL)	/* how often to look whether a pause is over */

enum esb_action { ESB_RESET, ESB_POWEROFF, ESB_PAUSE, ESB_NONE };
static const char *const esb_actions[] = { "reset", "poweroff", "pause", "none", NULL };

struct esb {
	struct device dev;
	struct pci_dev pci;
	int action;		/* suboption */
	u32 preload[2];
	unsigned int unlocked;	/* how many of the two words have come */
	bool interrupt, timeout;
	unsigned int stage;	/* 1 or 2, 0: does not count */
	u64 due;		/* end of the stage, vm_running_ns() */
	u64 left;		/* until then, while it is saved */
	struct work work;
	struct timer timer;
};

/* Does the machine's time stand still? */
static bool esb_stands(const struct esb *e)
{
	return vm_held(e->dev.vm) & ~HOLD_SLEEP;
}

/* On the loop. */
static void esb_arm(struct esb *e)
{
	struct loop *loop = dev_loop(&e->dev);
	u64 now = vm_running_ns(e->dev.vm), left = e->due > now ? e->due - now : 0;

	loop_timer_cancel(loop, &e->timer);
	if (e->stage)
		loop_timer(loop, &e->timer, loop_now() +
			   (esb_stands(e) ? max(left, (u64)ESB_PAUSED_NS) : left));
}

static void esb_work(struct work *w)
{
	esb_arm(container_of(w, struct esb, work));
}

static void esb_stage(struct esb *e, unsigned int stage)
{
	u64 tick = e->pci.cfg[ESB_CONFIG] & ESB_FAST ? ESB_FAST_NS : ESB_SLOW_NS;

	e->stage = stage;
	if (stage)
		e->due = vm_running_ns(e->dev.vm) + max(e->preload[stage - 1], 1u) * tick;
	loop_post(dev_loop(&e->dev), &e->work);
}

static void esb_update(struct esb *e)
{
	pci_intx(&e->pci, e->interrupt && !(e->pci.cfg[ESB_CONFIG] & ESB_INT_TYPE));
}

static void esb_act(struct esb *e)
{
	static const char *const what[] = {
		"it is reset", "it is switched off", "it is paused", "nothing is done about it",
	};

	log_limited(&e->pci.limit, LOG_WARNING, "the guest has not come to its watchdog in time: %s",
		    what[e->action]);
	switch (e->action) {
	case ESB_RESET:
		dev_end(&e->dev, VM_RESET, 0);
		break;
	case ESB_POWEROFF:
		dev_end(&e->dev, VM_POWEROFF, 0);
		break;
	case ESB_PAUSE:
		vm_hold(e->dev.vm, HOLD_USER);
		break;
	}
}

static void esb_timer(struct timer *t)
{
	struct esb *e = container_of(t, struct esb, timer);

	if (!e->stage)
		return;
	if (esb_stands(e) || vm_running_ns(e->dev.vm) < e->due) {
		esb_arm(e);
		return;
	}
	if (e->stage == 1) {
		e->interrupt = true;
		esb_update(e);
		esb_stage(e, 2);
		return;
	}
	e->timeout = true;
	e->stage = 0;
	if (!(e->pci.cfg[ESB_CONFIG] & ESB_NO_OUTPUT))
		esb_act(e);
}

static bool esb_counts(const struct esb *e)
{
	return (e->pci.cfg[ESB_LOCK] & (ESB_ENABLE | ESB_FREE)) == ESB_ENABLE;
}

static void esb_cfg_written(struct pci_dev *pci, u32 off, unsigned int len)
{
	struct esb *e = container_of(pci, struct esb, pci);

	esb_update(e);
	if (pci->cfg[ESB_LOCK] & ESB_LOCKED)
		pci->wmask[ESB_LOCK] = 0;
	if (esb_counts(e) && !e->stage && off <= ESB_LOCK && off + len > ESB_LOCK)
		esb_stage(e, 1);
	else if (!esb_counts(e) && e->stage)
		esb_stage(e, 0);
}

static u64 esb_read(void *obj, u64 off, unsigned int len)
{
	const struct esb *e = obj;

	switch (off) {
	case ESB_PRELOAD1:
	case ESB_PRELOAD2:
		return e->preload[off / 4];
	case ESB_INTERRUPT:
		return e->interrupt;
	case ESB_RELOAD:
		return e->timeout ? ESB_TIMEOUT : 0;
	}
	return 0;
}

static void esb_write(void *obj, u64 off, unsigned int len, u64 val)
{
	struct esb *e = obj;
	unsigned int unlocked = e->unlocked;

	e->unlocked = 0;
	if (off == ESB_RELOAD && val == ESB_UNLOCK1) {
		e->unlocked = 1;
		return;
	}
	if (off == ESB_RELOAD && val == ESB_UNLOCK2 && unlocked == 1) {
		e->unlocked = 2;
		return;
	}
	if (unlocked != 2)
		return;
	switch (off) {
	case ESB_PRELOAD1:
	case ESB_PRELOAD2:
		e->preload[off / 4] = val & ESB_PRELOAD_MASK;
		break;
	case ESB_INTERRUPT:
		e->interrupt &= !(val & 1);
		esb_update(e);
		break;
	case ESB_RELOAD:
		e->timeout &= !(val & ESB_TIMEOUT);
		if (val & ESB_RELOAD_NOW && esb_counts(e))
			esb_stage(e, 1);
		break;
	}
}

static const struct region_ops esb_ops = {
	.read = esb_read, .write = esb_write, .max = 4,
};

static const struct state_field esb_state[] = {
	STATE(struct esb, preload),
	STATE(struct esb, unlocked),
	STATE(struct esb, interrupt),
	STATE(struct esb, timeout),
	STATE(struct esb, stage),
	STATE(struct esb, left),
	STATE_END
};

static void esb_saving(struct device *dev)
{
	struct esb *e = container_of(dev, struct esb, dev);
	u64 now = vm_running_ns(dev->vm);

	e->left = e->stage && e->due > now ? e->due - now : 0;
}

static int esb_loaded(struct device *dev, enum state_kind kind)
{
	struct esb *e = container_of(dev, struct esb, dev);

	if (e->stage > 2 || e->unlocked > 2 || e->left > (u64)ESB_PRELOAD_MASK * ESB_SLOW_NS ||
	    e->preload[0] > ESB_PRELOAD_MASK || e->preload[1] > ESB_PRELOAD_MASK)
		return -EINVAL;
	if (e->pci.cfg[ESB_LOCK] & ESB_LOCKED)
		e->pci.wmask[ESB_LOCK] = 0;
	e->due = vm_running_ns(dev->vm) + e->left;
	loop_post(dev_loop(dev), &e->work);
	return 0;
}

static int esb_init(struct device *dev)
{
	static const struct pci_ids ids = {
		.vendor = 0x8086, .device = 0x25ab, .class = 0x088000,
	};
	struct esb *e = container_of(dev, struct esb, dev);
	int ret;

	e->preload[0] = e->preload[1] = ESB_PRELOAD_MASK;
	ret = dev_timer(dev, &e->timer, esb_timer);
	if (!ret)
		ret = dev_work(dev, &e->work, esb_work);
	if (!ret)
		ret = pci_add(&e->pci, dev, &ids);
	if (!ret)
		ret = pci_add_bar(&e->pci, 0, ESB_BAR, false, false, &esb_ops, e, "i6300esb");
	if (!ret)
		ret = pci_add_intx(&e->pci);
	if (ret)
		return ret;
	e->pci.wmask[ESB_CONFIG] = ESB_INT_TYPE | ESB_FAST | ESB_NO_OUTPUT;
	e->pci.wmask[ESB_LOCK] = ESB_LOCKED | ESB_ENABLE | ESB_FREE;
	e->pci.cfg_written = esb_cfg_written;
	return pci_enable(&e->pci);
}

static const struct opt esb_opts[] = {
	OPT_CHOICE(0, "action", struct esb, action, esb_actions,
		   "what is done with a machine that does not come in time (reset)"),
	OPT_END
};

DEVICE_TYPE(esb) = {
	.name = "i6300esb",
	.help = "watchdog of the Intel 6300ESB",
	.size = sizeof(struct esb),
	.opts = esb_opts,
	.init = esb_init,
	.state = esb_state,
	.saving = esb_saving,
	.loaded = esb_loaded,
};
