// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio device: status, features, configuration and the registers of its
 * queues (virtio 1.2, 2.1 to 2.6 and 3.1). Registers come in from a transport
 * under the machine lock. virtio/queue.c serves the queues.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <linux/kernel.h>
#include <kvm/transport.h>
#include <kvm/virtio.h>
#include <kvm/wait.h>

#include "queue.h"

static const u64 virtio_core_features =
	1ULL << VIRTIO_F_VERSION_1 |
	1ULL << VIRTIO_RING_F_INDIRECT_DESC |
	1ULL << VIRTIO_RING_F_EVENT_IDX;

/* How long a vCPU that resets a device waits for the host; afterwards its driver does (4.1.4.3.2). */
#define RESET_WAIT	WAIT_S(1)
/*
 * How long the end of a machine waits. What a disk of the guest has written to a slow disk
 * of the host may take minutes, and the guest that reboots wants to find it.
 */
#define END_WAIT	WAIT_S(5)
#define END_WAIT_DISK	WAIT_S(120)

/* Registers: the machine lock */

static void virtio_reset_done(struct virtio_dev *dev)
{
	unsigned int i;

	dev->driver_features = 0;
	dev->status = 0;
	atomic_store(&dev->broken, false);
	for (i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = &dev->vq[i];

		vq->size = vq->size_max;
		vq->enabled = false;
		vq->desc_gpa = vq->avail_gpa = vq->used_gpa = 0;
	}
}

/* The driver may not use the device before its status is 0. */
static void virtio_reset(struct virtio_dev *dev, u64 ns)
{
	bool first = !dev->resetting;

	if (queues_stop(dev, ns))
		virtio_reset_done(dev);
	else if (first)
		log_limited(&dev->limit, LOG_WARNING, "%s: its reset waits for the host to complete a request",
			    dev->dev.name);
}

void virtio_set_status(struct virtio_dev *dev, u8 status)
{
	u8 set;

	if (!status)
		virtio_reset(dev, dev->resetting ? 0 : RESET_WAIT);
	if (!status || dev->resetting)
		return;
	/* 2.1.1: the driver does not clear bits, except by a reset. */
	set = status & ~dev->status;
	/* 2.2.2, 3.1.1: what was not offered, or a driver from before version 1, is refused. */
	if ((set & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    ((dev->driver_features & ~dev->features) ||
	     !virtio_has_feature(dev, VIRTIO_F_VERSION_1)))
		set &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	dev->status |= set;
	if ((set & VIRTIO_CONFIG_S_DRIVER_OK) && (dev->status & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    !(dev->status & VIRTIO_CONFIG_S_FAILED) && !dev->started)
		queues_start(dev);
}

u8 virtio_get_status(struct virtio_dev *dev)
{
	u8 status;

	if (dev->resetting)
		virtio_reset(dev, 0);
	status = dev->status;
	if (virtio_is_broken(dev))
		status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	return status;
}

static u32 virtio_features_half(u64 features, u32 sel)
{
	return sel > 1 ? 0 : features >> (sel * 32);
}

u32 virtio_get_features(const struct virtio_dev *dev, u32 sel)
{
	return virtio_features_half(dev->features, sel);
}

u32 virtio_get_driver_features(const struct virtio_dev *dev, u32 sel)
{
	return virtio_features_half(dev->driver_features, sel);
}

void virtio_set_driver_features(struct virtio_dev *dev, u32 sel, u32 val)
{
	if (sel > 1 || (dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	dev->driver_features &= ~(0xffffffffULL << (sel * 32));
	dev->driver_features |= (u64)val << (sel * 32);
}

u64 virtio_config_read(struct virtio_dev *dev, u32 off, unsigned int len)
{
	u32 size = dev->ops->config_size;
	u64 val = 0;

	if (off >= size)
		return 0;
	pthread_mutex_lock(&dev->config_lock);
	memcpy(&val, (char *)dev->config + off, min(len, size - off));
	pthread_mutex_unlock(&dev->config_lock);
	return le64toh(val);
}

void virtio_config_write(struct virtio_dev *dev, u32 off, unsigned int len, u64 val)
{
	u32 size = dev->ops->config_size;

	/* Without config_written() the configuration is read-only. */
	if (off >= size || !dev->ops->config_written)
		return;
	len = min(len, size - off);
	val = htole64(val);
	pthread_mutex_lock(&dev->config_lock);
	memcpy((char *)dev->config + off, &val, len);
	pthread_mutex_unlock(&dev->config_lock);
	dev->ops->config_written(dev, off, len);
}

u8 virtio_config_generation(struct virtio_dev *dev)
{
	u8 generation;

	pthread_mutex_lock(&dev->config_lock);
	generation = dev->generation;
	pthread_mutex_unlock(&dev->config_lock);
	return generation;
}

void virtio_config_set(struct virtio_dev *dev, u32 off, const void *src, u32 len)
{
	pthread_mutex_lock(&dev->config_lock);
	memcpy((char *)dev->config + off, src, len);
	dev->generation++;
	pthread_mutex_unlock(&dev->config_lock);
	dev->config_irq(dev);
}

/* R7: what is latched by enabling a queue cannot be changed before a reset. */
void virtio_queue_set_size(struct virtio_dev *dev, unsigned int q, u16 size)
{
	if (!dev->vq[q].enabled)
		dev->vq[q].size = size;
}

void virtio_queue_set_addr(struct virtio_dev *dev, unsigned int q, enum virtio_queue_area area,
			   bool high, u32 val)
{
	struct vq *vq = &dev->vq[q];
	u64 *gpa = area == VQ_DESC ? &vq->desc_gpa : area == VQ_AVAIL ? &vq->avail_gpa :
		   &vq->used_gpa;

	if (vq->enabled)
		return;
	if (high)
		*gpa = (u64)val << 32 | (u32)*gpa;
	else
		*gpa = (*gpa & ~0xffffffffULL) | val;
}

void virtio_queue_set_irq(struct virtio_dev *dev, unsigned int q, struct irq *irq)
{
	struct vq *vq = &dev->vq[q];

	if (vq->irq == irq)
		return;
	__atomic_store_n(&vq->irq, irq, __ATOMIC_RELEASE);
	if (dev->started && vq->enabled && vq->ops->irq_moved)
		vq->ops->irq_moved(dev, vq);
}

void virtio_queue_enable(struct virtio_dev *dev, unsigned int q)
{
	/* 3.1.1: queues are set up before DRIVER_OK. */
	if (!(dev->status & VIRTIO_CONFIG_S_DRIVER_OK))
		dev->vq[q].enabled = true;
}

/* Creation */

static void virtio_free(void *arg)
{
	struct virtio_dev *dev = arg;

	queues_free(dev);
	pthread_mutex_destroy(&dev->config_lock);
}

static void virtio_stop(void *arg)
{
	struct virtio_dev *dev = arg;

	if (queues_stop(dev, END_WAIT))
		return;
	if (dev->ops->thread == THREAD_DISK) {
		pr_warn("%s: waiting for the host to complete a request", dev->dev.name);
		if (queues_stop(dev, END_WAIT_DISK))
			return;
	}
	/*
	 * The host holds a request in an uninterruptible sleep, and guest memory with it.
	 * Neither may be reused: the machine ends, and the process gives back what it can
	 * by ending. The thread comes back to all that the device has.
	 */
	pr_err("%s: the host does not complete a request: the machine ends", dev->dev.name);
	dev_end(&dev->dev, VM_FAILED, 0);
	dev->abandoned = true;
	device_abandon(&dev->dev);
}

static int device_hold(struct device *dev)
{
	return virtio_hold(container_of(dev, struct virtio_dev, dev));
}

static bool device_quiet(struct device *dev)
{
	return queues_stop(container_of(dev, struct virtio_dev, dev), RESET_WAIT);
}

static void device_release(struct device *dev)
{
	virtio_release(container_of(dev, struct virtio_dev, dev));
}

int virtio_init(struct device *device)
{
	struct virtio_dev *dev = container_of(device, struct virtio_dev, dev);
	int ret;

	dev->ops = device->type->ops;
	dev->features = virtio_core_features | dev->ops->features;
	dev->nr_vqs = dev->ops->queues;
	dev->nr_loops = 1;
	pthread_mutex_init(&dev->config_lock, NULL);
	ret = dev_defer(device, virtio_free, dev);
	if (ret)
		return ret;
	dev->config = dev_alloc(device, dev->ops->config_size + 1);
	if (!dev->config)
		return -ENOMEM;
	device->hold = device_hold;
	device->release = device_release;
	device->quiet = device_quiet;
	/* Before that of the device itself and of the transport. */
	ret = dev_state(device, "virtio", virtio_state, dev);
	if (!ret && remote_wanted(dev))
		ret = remote_init(dev);
	else if (!ret && dev->ops->init)
		ret = dev->ops->init(dev);
	if (!ret)
		ret = queues_new(dev);
	if (!ret)
		ret = dev_transport(device)->attach(dev);
	/* Last, so first: nothing is served any more when the rest goes. */
	if (!ret)
		ret = dev_defer(device, virtio_stop, dev);
	return ret;
}
