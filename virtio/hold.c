// SPDX-License-Identifier: GPL-2.0
/*
 * A virtio device on hold, for those who save the machine or change its RAM: it takes
 * no new requests, and waits for those in flight without interrupting them. Requests
 * that the device keeps until its host end is ready do not count. Machine lock.
 */
#include <errno.h>
#include <stdatomic.h>

#include <kvm/virtio.h>
#include <kvm/wait.h>

#include "queue.h"

/* How long a hold waits for requests that block in the host. */
#define HOLD_WAIT	WAIT_S(5)

static void visit_hold(void *visit)
{
	struct vq *vq = NULL;

	while ((vq = visit_next(visit, vq))) {
		if (!vq->running)
			continue;
		vq->on_hold = true;
		loop_del(vq->loop, &vq->kick);
	}
}

static void visit_unsettled(void *visit)
{
	struct visit *v = visit;
	struct vq *vq = NULL;

	while ((vq = visit_next(v, vq)))
		if (vq->running && !vq->ops->resume)
			v->inflight += vq->inflight - vq->nr_again;
}

static void visit_flush(void *visit)
{
	struct vq *vq = NULL;

	while ((vq = visit_next(visit, vq)))
		vq_flush(vq);
}

static void visit_release(void *visit)
{
	struct virtio_dev *dev = ((struct visit *)visit)->dev;
	struct vq *vq = NULL;

	while ((vq = visit_next(visit, vq))) {
		const char *why;
		int ret;

		if (!vq->running || !vq->on_hold)
			continue;
		why = vq_map_again(vq);
		if (why)
			virtio_break(dev, why);
		vq->on_hold = false;
		ret = queue_watch(vq);
		if (ret)
			virtio_fail(dev, "the release of a queue", ret);
		vq_kick(vq);
	}
}

int virtio_hold(struct virtio_dev *dev)
{
	bool settled;

	if (dev->resetting && !queues_stop(dev, HOLD_WAIT))
		return dev_err(&dev->dev, -ETIMEDOUT, "the host has not completed a request");
	if (dev->holds++ || !dev->started)
		return 0;
	atomic_store(&dev->draining, true);
	queues_visit(dev, visit_hold);
	if (dev->ops->hold)
		dev->ops->hold(dev, true);
	settled = queues_settle(dev, visit_unsettled, HOLD_WAIT, false);
	atomic_store(&dev->draining, false);
	if (settled) {
		queues_visit(dev, visit_flush);
		return 0;
	}
	virtio_release(dev);
	return dev_err(&dev->dev, -ETIMEDOUT, "the host has not completed a request");
}

void virtio_release(struct virtio_dev *dev)
{
	if (--dev->holds)
		return;
	if (dev->ops->hold)
		dev->ops->hold(dev, false);
	if (dev->started)
		queues_visit(dev, visit_release);
	if (dev->config_changed)
		dev->config_irq(dev);
	dev->config_changed = false;
}
