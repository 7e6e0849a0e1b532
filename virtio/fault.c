// SPDX-License-Identifier: GPL-2.0
/*
 * A virtio device that has failed: its driver broke a rule, or the host did not give
 * what a queue needs. It sets DEVICE_NEEDS_RESET and is silent until the driver resets
 * it (virtio 1.2, 2.1.2: a configuration interrupt tells the driver). Any thread.
 */
#include <stdatomic.h>
#include <string.h>

#include <kvm/virtio.h>

#include "queue.h"

void virtio_break(struct virtio_dev *dev, const char *why)
{
	if (atomic_exchange(&dev->broken, true))
		return;
	log_limited(&dev->limit, LOG_WARNING,
		    "%s: the guest's driver made %s; it has to reset the device", dev->dev.name, why);
	dev->config_irq(dev);
}

void virtio_fail(struct virtio_dev *dev, const char *what, int err)
{
	if (atomic_exchange(&dev->broken, true))
		return;
	log_limited(&dev->limit, LOG_ERROR,
		    "%s: %s failed on the host: %s; the driver has to reset the device",
		    dev->dev.name, what, log_reason(err));
	dev->config_irq(dev);
}
