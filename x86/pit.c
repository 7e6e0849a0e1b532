// SPDX-License-Identifier: GPL-2.0
/*
 * The interval timer (Intel 8254) with the PC's port 0x61: KVM's own. A Linux that
 * reads KVM's clock does not need it; programs for old PCs do. Created on the main
 * thread; the rest is in the kernel.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <kvm/device.h>
#include <kvm/log.h>
#include <kvm/vm.h>

#include "x86.h"

/* Intel 8254: how the control word numbers them */
#define PIT_RATE_GENERATOR	2	/* mode */
#define PIT_LOW_THEN_HIGH	3	/* how a count is read and written */
#define PIT_COUNT_MAX		0x10000

/*
 * Channel 0 as a PC's firmware leaves it: 18.2 times a second for ever. Out of reset it
 * has no mode, and a program that writes a count and nothing else waits for good. Its
 * interrupt is masked at the PIC, as there is no firmware to take it.
 */
static int pit_start(struct device *dev)
{
	struct kvm_pit_state2 state;

	if (ioctl(dev->vm->vm_fd, KVM_GET_PIT2, &state) < 0)
		return dev_err(dev, -errno, "cannot read the state of KVM's timer");
	state.channels[0].mode = PIT_RATE_GENERATOR;
	state.channels[0].rw_mode = PIT_LOW_THEN_HIGH;
	state.channels[0].read_state = PIT_LOW_THEN_HIGH;
	state.channels[0].write_state = PIT_LOW_THEN_HIGH;
	state.channels[0].count = PIT_COUNT_MAX;
	if (ioctl(dev->vm->vm_fd, KVM_SET_PIT2, &state) < 0)
		return dev_err(dev, -errno, "KVM cannot start its timer");
	return 0;
}

static int pit_state(void *obj, struct state *s)
{
	struct device *dev = obj;
	struct kvm_pit_state2 pit = { 0 };

	return state_ioctl(s, dev->vm->vm_fd, "pit", KVM_GET_PIT2, KVM_SET_PIT2, &pit, sizeof(pit));
}

static int pit_init(struct device *dev)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	/* A tick that comes too late is lost, as in hardware: to make up for it costs KVM its AVIC. */
	struct kvm_reinject_control control = { .pit_reinject = 0 };

	if (vm_x86(dev->vm)->ioapic)
		return dev_err(dev, -EINVAL, "its interrupt needs KVM's interrupt controllers: leave --irqchip split out");
	if (ioctl(dev->vm->vm_fd, KVM_CREATE_PIT2, &config) < 0)
		return dev_err(dev, -errno, "KVM has no timer");
	if (ioctl(dev->vm->vm_fd, KVM_REINJECT_CONTROL, &control) < 0)
		pr_debug("KVM_REINJECT_CONTROL: error %d", errno);
	if (dev_state(dev, "kvm", pit_state, dev))
		return -ENOMEM;
	return pit_start(dev);
}

DEVICE_TYPE(pit) = {
	.name = "pit",
	.help = "the PC's interval timer; there is one unless Linux is booted that reads KVM's clock",
	.size = sizeof(struct device),
	.init = pit_init,
	.state = STATELESS,		/* but for what KVM has */
};
