// SPDX-License-Identifier: GPL-2.0
/*
 * A virtio device that has failed: its driver broke a rule, or the host did not give
 * what a queue needs. It sets DEVICE_NEEDS_RESET and is silent until the driver resets
 * it (virtio 1.2, 2.1.2: a configuration interrupt tells the driver). Any thread.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <kvm/virtio.h>

#include "queue.h"

void virtio_need_reset(struct virtio_dev *dev, enum log_level level, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (atomic_exchange(&dev->broken, true))
		return;
	if (fmt) {
		va_start(ap, fmt);
		vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
		log_limited(&dev->limit, level, "%s: %s", dev->dev.name, text);
	}
	dev->config_irq(dev);
}

void virtio_break(struct virtio_dev *dev, const char *why)
{
	virtio_need_reset(dev, LOG_WARNING, "the guest's driver made %s; it has to reset the device", why);
}

void virtio_fail(struct virtio_dev *dev, const char *what, int err)
{
	virtio_need_reset(dev, LOG_ERROR, "%s failed on the host: %s; the driver has to reset the device", what,
			  log_reason(err));
}
