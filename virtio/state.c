// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a virtio device: its status, the registers of its queues, and for each
 * running queue its ring indexes and the requests in flight. The device is on hold
 * while it is saved, and after it was loaded. A loaded state is not trusted: queues
 * start with all the checks of a driver's start, and chains in flight are walked
 * again. So RAM has to be loaded first. Machine lock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>

#include <kvm/state.h>
#include <kvm/virtio.h>

#include "queue.h"

static const struct state_field device_fields[] = {
	STATE(struct virtio_dev, status),
	STATE(struct virtio_dev, driver_features),
	STATE(struct virtio_dev, generation),
	STATE_END
};

static const struct state_field queue_fields[] = {
	STATE(struct vq, size),
	STATE(struct vq, enabled),
	STATE(struct vq, desc_gpa),
	STATE(struct vq, avail_gpa),
	STATE(struct vq, used_gpa),
	STATE_END
};

/* The configuration is the host's: if it is another one now, the driver is told. */
static int config_state(struct virtio_dev *dev, struct state *s)
{
	u32 size = dev->ops->config_size;
	void *config = calloc(1, size + 1);
	int ret;

	if (!config)
		return state_refuse(s, "%s: out of memory", dev->dev.name);
	pthread_mutex_lock(&dev->config_lock);
	memcpy(config, dev->config, size);
	pthread_mutex_unlock(&dev->config_lock);
	ret = state_value(s, "config", config, size);
	pthread_mutex_lock(&dev->config_lock);
	if (!ret && memcmp(config, dev->config, size)) {
		dev->generation++;
		dev->config_changed = true;
	}
	pthread_mutex_unlock(&dev->config_lock);
	free(config);
	return ret;
}

static int queue_state(struct vq *vq, struct state *s)
{
	char name[16];
	int ret;

	snprintf(name, sizeof(name), "queue%u", vq->index);
	ret = state_begin(s, name);
	if (!ret)
		ret = state_fields(s, queue_fields, vq);
	return ret ? ret : state_end(s);
}

struct ring_call {
	struct vq *vq;
	struct state *s;
	int ret;
};

static void ring_state(void *arg)
{
	struct ring_call *call = arg;
	struct vq *vq = call->vq;
	struct state *s = call->s;
	u16 avail_idx = vq->avail_idx, used_idx = vq->used_idx;
	struct vq_flight *flight = calloc(vq->num, sizeof(*flight));
	size_t len;

	if (!flight) {
		call->ret = state_refuse(s, "out of memory");
		return;
	}
	len = vq_save(vq, flight) * sizeof(*flight);
	state_value(s, "avail_idx", &avail_idx, sizeof(avail_idx));
	state_value(s, "used_idx", &used_idx, sizeof(used_idx));
	call->ret = state_bytes(s, "in_flight", flight, &len, vq->num * sizeof(*flight));
	if (!call->ret && state_reads(s) &&
	    (len % sizeof(*flight) || vq_load(vq, avail_idx, used_idx, flight, len / sizeof(*flight))))
		call->ret = state_refuse(s, "impossible indexes of a ring");
	free(flight);
}

/* The rings of what runs, each on its own thread. */
static int rings_state(struct virtio_dev *dev, struct state *s)
{
	unsigned int q;
	int ret = 0;

	for (q = 0; !ret && q < dev->nr_vqs; q++) {
		struct ring_call call = { .vq = &dev->vq[q], .s = s };
		char name[16];

		if (!call.vq->enabled)
			continue;
		snprintf(name, sizeof(name), "ring%u", q);
		ret = state_begin(s, name);
		if (!ret)
			loop_call(call.vq->loop, ring_state, &call);
		ret = ret ? ret : call.ret;
		if (!ret)
			ret = state_end(s);
	}
	return ret;
}

/* It is as after DRIVER_OK, if the driver was there, but on hold. */
static int virtio_loaded(struct virtio_dev *dev, struct state *s, bool runs)
{
	dev->holds++;
	if (dev->driver_features & ~dev->features)
		return state_refuse(s, "the driver accepted features that are not offered");
	if (!runs)
		return 0;
	queues_start(dev);
	return virtio_is_broken(dev) ? state_refuse(s, "its queues do not start") : 0;
}

int virtio_state(void *vdev, struct state *s)
{
	struct virtio_dev *dev = vdev;
	u8 runs = dev->started && !virtio_is_broken(dev);
	u8 broken = virtio_is_broken(dev);
	unsigned int q;
	int ret;

	if (dev->remote)
		return state_refuse(s, "%s: the session of a server in a process of its own cannot be saved (--confine files=process)",
				    dev->dev.name);
	state_fields(s, device_fields, dev);
	state_value(s, "broken", &broken, sizeof(broken));
	ret = state_value(s, "runs", &runs, sizeof(runs));
	if (!ret)
		ret = config_state(dev, s);
	for (q = 0; !ret && q < dev->nr_vqs; q++)
		ret = queue_state(&dev->vq[q], s);
	if (!ret && state_reads(s))
		ret = virtio_loaded(dev, s, runs);
	if (!ret && runs)
		ret = rings_state(dev, s);
	if (!ret && broken)
		atomic_store(&dev->broken, true);
	return ret;
}
