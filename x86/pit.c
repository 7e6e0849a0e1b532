// SPDX-License-Identifier: GPL-2.0
/*
 * The interval timer (Intel 8254) with the PC's port 0x61: KVM's own. Not part
 * of the board, as Linux does without; what knows only the PC of old does not.
 * Created on the main thread; the rest is in the kernel.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <kvm/device.h>
#include <kvm/log.h>
#include <kvm/vm.h>

#include "x86.h"

static int pit_init(struct device *dev)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	/* A tick that comes too late is lost, as in hardware: to make up for it costs KVM its AVIC. */
	struct kvm_reinject_control control = { .pit_reinject = 0 };

	if (vm_x86(dev->vm)->ioapic)
		return dev_err(dev, -EINVAL, "only KVM's interrupt controllers take its interrupt: leave --irqchip split out");
	if (ioctl(dev->vm->vm_fd, KVM_CREATE_PIT2, &config) < 0)
		return dev_err(dev, -errno, "KVM has no timer");
	if (ioctl(dev->vm->vm_fd, KVM_REINJECT_CONTROL, &control) < 0)
		pr_debug("KVM_REINJECT_CONTROL: error %d", errno);
	return 0;
}

DEVICE_TYPE(pit) = {
	.name = "pit",
	.help = "the PC's interval timer; there is one unless Linux is booted",
	.size = sizeof(struct device),
	.init = pit_init,
};
