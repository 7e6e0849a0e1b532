// SPDX-License-Identifier: GPL-2.0
/*
 * The queues of a virtio device and the threads that serve them. A loop has a
 * thread from DRIVER_OK to reset. A queue belongs to one loop. The device chooses
 * how many loops it has: one for all queues, one for each, or one for some. Only
 * its loop's thread touches a queue. Other threads, with the machine lock held,
 * get there by loop_call().
 *
 * A request's life
 *
 * 1. The driver writes a doorbell. KVM turns that into a write of vq->kick_fd, and
 *    the vCPU runs on. The loop watches that eventfd and calls vq_kicked().
 * 2. vq_next() (virtio/vring.c) takes a chain from the available ring. It copies
 *    and checks the descriptors, and asks the driver for no more kicks.
 * 3. The device's request() sees two bounded streams, req->out and req->in, and
 *    nothing of the ring. It serves the request, or keeps it (VIRTIO_PENDING) and
 *    calls vq_done() later on the same loop.
 * 4. vq_done() writes the used element, but not yet the used index. It has the
 *    loop call vq_round() at the end of this round.
 * 5. The loop serves whatever else is ready. Then vq_round() publishes the index,
 *    and one interrupt covers all requests of the round, if the driver wants one.
 *
 * A request of an ops->blocking queue may block on the host. loop_block_begin()
 * publishes first what is done. If the request takes long, a standby thread takes
 * the loop over and serves the rest (util/loop.c). The first thread learns that
 * from loop_block_end(), touches the queue no more, and posts the result to the
 * loop: vq_late() completes it. vq->held marks a queue that leaves its requests in
 * the ring because too many threads are blocked.
 *
 * The driver's reset stops the loop's watching, interrupts the device, and waits
 * until nothing is in flight (queues_stop()). Only then is the memory free. If the
 * host takes long, the driver waits: the status reads as 0 only after that.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/virtio.h>
#include <kvm/vm.h>
#include <kvm/wait.h>

#include "queue.h"

/* Requests served before the loop looks at other things. */
#define VQ_BATCH	256
/* How often a reset interrupts requests that block in the host. */
#define STOP_ROUND	WAIT_MS(100)

/* Serving: the queue thread */

static void vq_complete(struct vq *vq, struct vq_req *req, int ret)
{
	if (ret < 0)
		log_limited(&vq->dev->limit, LOG_WARNING, "%s: queue %s: a request failed: %s",
			    vq->dev->dev.name, vq->ops->name, log_reason(ret));
	vq_done(vq, req);
	if (vq->ops->delivered)
		vq->ops->delivered(vq->dev, req);
}

/* The end of the loop's round: all that is done by now is published, with one interrupt. */
static void vq_round(struct work *w)
{
	struct vq *vq = container_of(w, struct vq, flush);
	struct virtio_dev *dev = vq->dev;

	vq_flush(vq);
	if (!atomic_load(&dev->draining))
		return;
	pthread_mutex_lock(&dev->config_lock);
	atomic_fetch_add(&dev->returns, 1);
	pthread_cond_signal(&dev->returned);
	pthread_mutex_unlock(&dev->config_lock);
}

/* Requests that are to be served again when the hold ends */

static void vq_put_back(struct vq *vq, struct vq_req *req)
{
	req->next = vq->again;
	vq->again = req;
	vq->nr_again++;
	/* Who waits for the hold is told. */
	loop_post(vq->loop, &vq->flush);
}

/* The next request to be served: of those first, then of the ring. */
static struct vq_req *vq_next_request(struct vq *vq)
{
	struct vq_req *req = vq->on_hold ? NULL : vq->again;

	if (!req)
		return vq_next(vq);
	vq->again = req->next;
	vq->nr_again--;
	return req;
}

/* Completes a request whose thread lost the loop while serving it. */
static void vq_late(struct work *w)
{
	struct vq_req *req = container_of(w, struct vq_req, work);
	struct virtio_dev *dev = req->vq->dev;
	unsigned int i;

	if (req->ret == VIRTIO_AGAIN)
		vq_put_back(req->vq, req);
	else
		vq_complete(req->vq, req, req->ret);
	/* Other loops have threads of their own. */
	for (i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = &dev->vq[i];

		if (vq->loop == req->vq->loop && vq->held)
			vq_kick(vq);
	}
}

static void vq_serve(struct vq *vq)
{
	const struct vq_ops *ops = vq->ops;
	struct loop *loop = vq->loop;
	struct vq_req *req;
	unsigned int n;

	if (ops->kick) {
		ops->kick(vq->dev, vq);
		return;
	}
	for (n = 0; n < VQ_BATCH; n++) {
		struct iov_iter out, in;
		int ret;

		/* If no thread is left to take over, requests stay in the ring: see vq_late(). */
		vq->held = ops->blocking && !loop_block_ready(loop);
		if (vq->held)
			break;
		req = vq_next_request(vq);
		if (!req)
			break;

		out = req->out;
		in = req->in;
		if (ops->blocking)
			loop_block_begin(loop);
		ret = ops->request(vq->dev, vq, req);
		if (ret == VIRTIO_AGAIN) {
			req->out = out;
			req->in = in;
		}
		if (ops->blocking && !loop_block_end(loop)) {
			/* The queue belongs to another thread now: hand the result over. */
			if (ret == VIRTIO_PENDING)
				return;
			req->ret = ret;
			req->work.fn = vq_late;
			loop_post(loop, &req->work);
			return;
		}
		if (ret == VIRTIO_AGAIN)
			vq_put_back(vq, req);
		else if (ret != VIRTIO_PENDING)
			vq_complete(vq, req, ret);
	}
	if (n == VQ_BATCH)
		vq_kick(vq);
}

static void vq_kicked(struct watch *w, u32 events)
{
	struct vq *vq = container_of(w, struct vq, kick);
	u64 count;

	/* Empty when another thread was kicked, lost the loop and left the rest to us. */
	if (read(vq->kick_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	vq_serve(vq);
}

/* On each loop's thread in turn */

struct vq *visit_next(const struct visit *v, struct vq *vq)
{
	struct vq *end = v->dev->vq + v->dev->nr_vqs;

	for (vq = vq ? vq + 1 : v->dev->vq; vq < end; vq++)
		if (vq->loop == v->loop)
			return vq;
	return NULL;
}

unsigned int queues_visit(struct virtio_dev *dev, void (*fn)(void *visit))
{
	struct visit v = { .dev = dev };
	unsigned int i;

	for (i = 0; i < dev->nr_loops; i++) {
		v.loop = dev->loop[i];
		loop_call(v.loop, fn, &v);
	}
	return v.inflight;
}

int queue_watch(struct vq *vq)
{
	return vq->ops->request || vq->ops->kick ? loop_add(vq->loop, &vq->kick, EPOLLIN) : 0;
}

/* 0 or -errno: -EINVAL is the driver's doing. */
static int queue_start(struct virtio_dev *dev, struct vq *vq)
{
	int ret = vq_start(vq, &dev->dev.vm->mem, dev->driver_features);

	vq->on_hold = dev->holds;
	if (!ret && !vq->on_hold)
		ret = queue_watch(vq);
	if (!ret && vq->ops->start) {
		ret = vq->ops->start(dev, vq);
		ret = ret == -EINVAL ? -EIO : ret;
	}
	return ret;
}

static void visit_start(void *visit)
{
	struct virtio_dev *dev = ((struct visit *)visit)->dev;
	struct vq *vq = NULL;

	while (!virtio_is_broken(dev) && (vq = visit_next(visit, vq))) {
		int ret = vq->enabled ? queue_start(dev, vq) : 0;

		if (ret == -EINVAL)
			virtio_break(dev, "a queue of impossible size or place");
		else if (ret)
			virtio_fail(dev, "the start of a queue", ret);
		/* Buffers may have been made available before DRIVER_OK, with the kick unheard. */
		else if (vq->running)
			vq_kick(vq);
	}
}

static void visit_quiesce(void *visit)
{
	struct virtio_dev *dev = ((struct visit *)visit)->dev;
	struct vq *vq = NULL;

	while ((vq = visit_next(visit, vq))) {
		if (!vq->running)
			continue;
		loop_del(vq->loop, &vq->kick);
		if (vq->ops->stop)
			vq->ops->stop(dev, vq);
		for (; vq->again; vq->again = vq->again->next)
			vq_done(vq, vq->again);
		vq->nr_again = 0;
	}
}

static void visit_stop(void *visit)
{
	struct vq *vq = NULL;

	while ((vq = visit_next(visit, vq)))
		if (vq->running)
			vq_stop(vq);
}

static void visit_inflight(void *visit)
{
	struct visit *v = visit;
	struct vq *vq = NULL;

	while ((vq = visit_next(v, vq)))
		if (vq->running)
			v->inflight += vq->inflight;
}

/* The device's own start and stop: on its first loop */

static void device_start(void *arg)
{
	struct virtio_dev *dev = arg;
	int ret = dev->ops->start ? dev->ops->start(dev) : 0;

	if (ret)
		virtio_fail(dev, "its start", ret);
}

static void device_stop(void *arg)
{
	struct virtio_dev *dev = arg;

	if (dev->ops->stop)
		dev->ops->stop(dev);
}

static void queues_quiesce(struct virtio_dev *dev)
{
	queues_visit(dev, visit_quiesce);
	loop_call(dev->loop[0], device_stop, dev);
}

/* From DRIVER_OK to reset: the machine lock */

/* Wait until a queue has given something back since @returns was read, but not for long. */
static void queues_wait(struct virtio_dev *dev, unsigned int returns)
{
	struct timespec end = wait_deadline(STOP_ROUND);

	pthread_mutex_lock(&dev->config_lock);
	while (atomic_load(&dev->returns) == returns)
		if (wait_until(&dev->returned, &dev->config_lock, &end))
			break;
	pthread_mutex_unlock(&dev->config_lock);
}

/* Requests may come back one by one, so the time counts and not the number of looks. */
bool queues_settle(struct virtio_dev *dev, void (*count)(void *visit), u64 ns, bool interrupt)
{
	u64 end = loop_now() + ns;

	do {
		unsigned int returns = atomic_load(&dev->returns);

		if (!queues_visit(dev, count))
			return true;
		queues_wait(dev, returns);
		/* An interruption that came just before the system call is lost: again. */
		if (interrupt)
			queues_quiesce(dev);
	} while (loop_now() < end);
	return !queues_visit(dev, count);
}

static void loops_stop(struct virtio_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_loops; i++)
		loop_thread_stop(dev->loop[i]);
}

bool queues_stop(struct virtio_dev *dev, u64 ns)
{
	if (!dev->started && !dev->resetting)
		return true;
	dev->started = false;
	atomic_store(&dev->draining, true);
	queues_quiesce(dev);
	dev->resetting = ns ? !queues_settle(dev, visit_inflight, ns, true) : queues_visit(dev, visit_inflight) != 0;
	if (dev->resetting)
		return false;
	queues_visit(dev, visit_stop);
	loops_stop(dev);
	atomic_store(&dev->draining, false);
	return true;
}

/* The first one always, the device's own things are done there; others if the driver uses a queue of theirs. */
static bool loop_wanted(const struct virtio_dev *dev, unsigned int i)
{
	unsigned int q;

	for (q = 0; i && q < dev->nr_vqs; q++)
		if (dev->vq[q].enabled && dev->vq[q].loop == dev->loop[i])
			return true;
	return !i;
}

void queues_start(struct virtio_dev *dev)
{
	unsigned int i;

	if (dev->abandoned)
		return;
	for (i = 0; i < dev->nr_loops; i++) {
		char name[48];
		int ret = 0;

		snprintf(name, sizeof(name), i ? "%s/%u" : "%s", dev->dev.name, i);
		if (loop_wanted(dev, i))
			ret = loop_thread_start(dev->loop[i], name);
		if (ret) {
			virtio_fail(dev, "the start of a thread", ret);
			loops_stop(dev);
			return;
		}
	}
	dev->started = true;
	loop_call(dev->loop[0], device_start, dev);
	queues_visit(dev, visit_start);
}

/* Creation */

void queues_free(struct virtio_dev *dev)
{
	unsigned int i;

	for (i = 0; dev->vq && i < dev->nr_vqs; i++)
		if (dev->vq[i].kick_fd >= 0)
			close(dev->vq[i].kick_fd);
	free(dev->vq);
	if (!dev->loop)
		return;
	for (i = 0; i < dev->nr_loops; i++)
		if (dev->loop[i])
			loop_free(dev->loop[i]);
	free(dev->loop);
	pthread_cond_destroy(&dev->returned);
}

static int loops_new(struct virtio_dev *dev)
{
	unsigned int i;

	dev->loop = calloc(dev->nr_loops, sizeof(*dev->loop));
	if (!dev->loop)
		return dev_err(&dev->dev, -ENOMEM, "event loops");
	wait_init(&dev->returned);
	for (i = 0; i < dev->nr_loops; i++) {
		int ret = loop_new(&dev->loop[i], NULL);

		if (ret)
			return dev_err(&dev->dev, ret, "event loop");
		loop_set_threads(dev->loop[i], dev->dev.vm->cfg->spawner, dev->ops->thread);
	}
	return 0;
}

static int queue_new(struct virtio_dev *dev, unsigned int q)
{
	const struct virtio_ops *ops = dev->ops;
	unsigned int loop = ops->loop_of ? ops->loop_of(dev, q) : q % dev->nr_loops;
	struct vq *vq = &dev->vq[q];

	vq->dev = dev;
	vq->index = q;
	vq->ops = ops->queue ? ops->queue(dev, q) : &ops->vq[q];
	vq->size = vq->size_max = vq->ops->depth;
	vq->loop = dev->loop[loop];
	vq->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vq->kick_fd < 0)
		return dev_err(&dev->dev, -errno, "doorbell");
	vq->kick = (struct watch) { .fd = vq->kick_fd, .fn = vq_kicked };
	vq->flush = (struct work) { .fn = vq_round };
	return 0;
}

int queues_new(struct virtio_dev *dev)
{
	unsigned int i;
	int ret = loops_new(dev);

	if (ret)
		return ret;
	dev->vq = calloc(dev->nr_vqs, sizeof(*dev->vq));
	if (!dev->vq)
		return dev_err(&dev->dev, -ENOMEM, "queues");
	for (i = 0; i < dev->nr_vqs; i++)
		dev->vq[i].kick_fd = -1;
	for (i = 0; !ret && i < dev->nr_vqs; i++)
		ret = queue_new(dev, i);
	return ret;
}
