// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio device: status, features, configuration, queues and the thread
 * that serves them (virtio 1.2, 2.1 to 2.6 and 3.1). Registers come in from a
 * transport under the machine lock; requests are served on the queue thread,
 * which exists from DRIVER_OK to reset and is reached by loop_call().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <linux/kernel.h>
#include <kvm/transport.h>
#include <kvm/virtio.h>
#include <kvm/vm.h>
#include <kvm/wait.h>

/* Requests served before the loop looks at other things. */
#define VQ_BATCH	256
/* How long a reset waits for requests that block in the host, and how often it interrupts them. */
#define STOP_ROUNDS	50
#define STOP_ROUND	WAIT_MS(100)

static const u64 virtio_core_features =
	1ULL << VIRTIO_F_VERSION_1 |
	1ULL << VIRTIO_RING_F_INDIRECT_DESC |
	1ULL << VIRTIO_RING_F_EVENT_IDX;

/* Serving: the queue thread */

/* 2.1.2: a configuration interrupt says that DEVICE_NEEDS_RESET is set. */
static void virtio_needs_reset(struct virtio_dev *dev)
{
	pthread_mutex_lock(&dev->config_lock);
	dev->broken = true;
	pthread_mutex_unlock(&dev->config_lock);
	dev->config_irq(dev);
}

void virtio_break(struct virtio_dev *dev, const char *why)
{
	log_limited(&dev->limit, LOG_WARNING, "%s: the guest's driver made %s; it has to reset the device",
		    dev->dev.name, why);
	virtio_needs_reset(dev);
}

/* The host could not do @what: nothing that the driver is to blame for. */
static void virtio_fail(struct virtio_dev *dev, const char *what, int err)
{
	log_limited(&dev->limit, LOG_ERROR, "%s: %s failed on the host: %s; the driver has to reset the device",
		    dev->dev.name, what, strerror(-err));
	virtio_needs_reset(dev);
}

static void vq_complete(struct vq *vq, struct vq_req *req, int ret)
{
	if (ret < 0)
		log_limited(&vq->dev->limit, LOG_WARNING, "%s: queue %s: a request failed: %s",
			    vq->dev->dev.name, vq->ops->name, strerror(-ret));
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

void vq_kick(struct vq *vq)
{
	u64 one = 1;

	if (write(vq->kick_fd, &one, sizeof(one)) < 0)
		return;		/* full: it is kicked already */
}

/* The way back of a request whose thread has lost the loop meanwhile. */
static void vq_late(struct work *w)
{
	struct vq_req *req = container_of(w, struct vq_req, work);
	struct virtio_dev *dev = req->vq->dev;
	unsigned int i;

	vq_complete(req->vq, req, req->ret);
	for (i = 0; i < dev->nr_vqs; i++) {
		if (dev->vq[i].held)
			vq_kick(&dev->vq[i]);
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
		int ret;

		/* What nobody could take over from stays in the ring: see vq_late(). */
		vq->held = ops->blocking && !loop_block_ready(loop);
		if (vq->held)
			break;
		req = vq_next(vq);
		if (!req)
			break;

		if (ops->blocking)
			loop_block_begin(loop);
		ret = ops->request(vq->dev, vq, req);
		if (ops->blocking && !loop_block_end(loop)) {
			/* The queue belongs to another thread now: hand the result over. */
			if (ret == VIRTIO_PENDING)
				return;
			req->ret = ret;
			req->work.fn = vq_late;
			loop_post(loop, &req->work);
			return;
		}
		if (ret == VIRTIO_PENDING)
			continue;
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

/* 0 or -errno: -EINVAL is the driver's doing. */
static int virtio_start_queue(struct virtio_dev *dev, struct vq *vq)
{
	int ret = vq_start(vq, &dev->dev.vm->mem, dev->driver_features);

	if (!ret)
		ret = loop_add(dev->loop, &vq->kick, EPOLLIN);
	if (!ret && vq->ops->start) {
		ret = vq->ops->start(dev, vq);
		ret = ret == -EINVAL ? -EIO : ret;
	}
	return ret;
}

static void virtio_start_queues(void *arg)
{
	struct virtio_dev *dev = arg;
	int ret = dev->ops->start ? dev->ops->start(dev) : 0;
	unsigned int i;

	if (ret) {
		virtio_fail(dev, "its start", ret);
		return;
	}
	for (i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = &dev->vq[i];

		if (!vq->enabled)
			continue;
		ret = virtio_start_queue(dev, vq);
		if (ret == -EINVAL)
			virtio_break(dev, "a queue of impossible size or place");
		else if (ret)
			virtio_fail(dev, "the start of a queue", ret);
		if (ret)
			return;
	}
	/* Buffers may have been made available before DRIVER_OK, with the kick unheard. */
	for (i = 0; i < dev->nr_vqs; i++)
		if (dev->vq[i].running)
			vq_kick(&dev->vq[i]);
}

static void virtio_quiesce(void *arg)
{
	struct virtio_dev *dev = arg;
	unsigned int i;

	for (i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = &dev->vq[i];

		if (!vq->running)
			continue;
		loop_del(dev->loop, &vq->kick);
		if (vq->ops->stop)
			vq->ops->stop(dev, vq);
	}
	if (dev->ops->stop)
		dev->ops->stop(dev);
}

static void virtio_stop_queues(void *arg)
{
	struct virtio_dev *dev = arg;
	unsigned int i;

	for (i = 0; i < dev->nr_vqs; i++)
		if (dev->vq[i].running)
			vq_stop(&dev->vq[i]);
}

struct virtio_inflight {
	struct virtio_dev *dev;
	unsigned int n;
};

static void virtio_count_inflight(void *arg)
{
	struct virtio_inflight *count = arg;
	unsigned int i;

	count->n = 0;
	for (i = 0; i < count->dev->nr_vqs; i++)
		if (count->dev->vq[i].running)
			count->n += count->dev->vq[i].inflight;
}

/* Wait until a queue has given something back since @returns was read, but not for long. */
static void virtio_wait_return(struct virtio_dev *dev, unsigned int returns)
{
	struct timespec end = wait_deadline(STOP_ROUND);

	pthread_mutex_lock(&dev->config_lock);
	while (atomic_load(&dev->returns) == returns)
		if (wait_until(&dev->returned, &dev->config_lock, &end))
			break;
	pthread_mutex_unlock(&dev->config_lock);
}

/* True once no request is in flight any more. */
static bool virtio_drain(struct virtio_dev *dev)
{
	struct virtio_inflight count = { .dev = dev };
	unsigned int round;

	for (round = 0; round < STOP_ROUNDS; round++) {
		unsigned int returns = atomic_load(&dev->returns);

		loop_call(dev->loop, virtio_count_inflight, &count);
		if (!count.n)
			return true;
		virtio_wait_return(dev, returns);
		/* An interruption that came just before the system call is lost: again. */
		loop_call(dev->loop, virtio_quiesce, dev);
	}
	return false;
}

static void virtio_stop(void *arg)
{
	struct virtio_dev *dev = arg;

	if (!dev->started)
		return;
	dev->started = false;
	atomic_store(&dev->draining, true);
	loop_call(dev->loop, virtio_quiesce, dev);
	if (!virtio_drain(dev)) {
		/*
		 * The host holds a request in an uninterruptible sleep, and
		 * guest memory with it. Neither may be reused: the machine
		 * ends, and the process gives back what it can by ending.
		 */
		pr_err("%s: the host's file system does not give a request back", dev->dev.name);
		vm_end(dev->dev.vm, VM_FAILED, 0);
		dev->abandoned = true;
		return;
	}
	loop_call(dev->loop, virtio_stop_queues, dev);
	loop_thread_stop(dev->loop);
	atomic_store(&dev->draining, false);
}

static void virtio_start(struct virtio_dev *dev)
{
	int ret;

	if (dev->abandoned)
		return;
	ret = loop_thread_start(dev->loop, dev->dev.name);
	if (ret) {
		virtio_fail(dev, "the start of its thread", ret);
		return;
	}
	dev->started = true;
	loop_call(dev->loop, virtio_start_queues, dev);
}

/* Registers: the machine lock */

static void virtio_reset(struct virtio_dev *dev)
{
	unsigned int i;

	virtio_stop(dev);
	dev->driver_features = 0;
	dev->status = 0;
	pthread_mutex_lock(&dev->config_lock);
	dev->broken = false;
	pthread_mutex_unlock(&dev->config_lock);
	for (i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = &dev->vq[i];

		vq->size = vq->size_max;
		vq->enabled = false;
		vq->desc_gpa = vq->avail_gpa = vq->used_gpa = 0;
	}
}

void virtio_set_status(struct virtio_dev *dev, u8 status)
{
	u8 set;

	if (!status) {
		virtio_reset(dev);
		return;
	}
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
		virtio_start(dev);
}

u8 virtio_get_status(struct virtio_dev *dev)
{
	u8 status = dev->status;

	pthread_mutex_lock(&dev->config_lock);
	if (dev->broken)
		status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	pthread_mutex_unlock(&dev->config_lock);
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

	/* A configuration nobody listens to is read-only. */
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
	unsigned int i;

	for (i = 0; dev->vq && i < dev->nr_vqs; i++)
		if (dev->vq[i].kick_fd >= 0)
			close(dev->vq[i].kick_fd);
	free(dev->vq);
	if (dev->loop && !dev->abandoned)
		loop_free(dev->loop);
	pthread_cond_destroy(&dev->returned);
	pthread_mutex_destroy(&dev->config_lock);
}

static int virtio_add_queues(struct virtio_dev *dev)
{
	unsigned int i;

	dev->vq = calloc(dev->nr_vqs, sizeof(*dev->vq));
	if (!dev->vq)
		return dev_err(&dev->dev, -ENOMEM, "queues");
	for (i = 0; i < dev->nr_vqs; i++)
		dev->vq[i].kick_fd = -1;
	for (i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = &dev->vq[i];

		vq->dev = dev;
		vq->index = i;
		vq->ops = dev->ops->queue ? dev->ops->queue(dev, i) : &dev->ops->vq[i];
		vq->size = vq->size_max = vq->ops->depth;
		vq->loop = dev->loop;
		vq->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (vq->kick_fd < 0)
			return dev_err(&dev->dev, -errno, "doorbell");
		vq->kick = (struct watch) { .fd = vq->kick_fd, .fn = vq_kicked };
		vq->flush = (struct work) { .fn = vq_round };
	}
	return 0;
}

int virtio_init(struct device *device)
{
	struct virtio_dev *dev = container_of(device, struct virtio_dev, dev);
	int ret;

	dev->ops = device->type->ops;
	dev->features = virtio_core_features | dev->ops->features;
	dev->nr_vqs = dev->ops->queues;
	pthread_mutex_init(&dev->config_lock, NULL);
	wait_init(&dev->returned);
	ret = dev_defer(device, virtio_free, dev);
	if (ret)
		return ret;
	ret = loop_new(&dev->loop, NULL);
	if (ret)
		return dev_err(device, ret, "event loop");
	loop_set_threads(dev->loop, device->vm->cfg->spawner, dev->ops->thread);
	dev->config = dev_alloc(device, dev->ops->config_size + 1);
	if (!dev->config)
		return -ENOMEM;
	ret = dev->ops->init ? dev->ops->init(dev) : 0;
	if (!ret)
		ret = virtio_add_queues(dev);
	if (!ret)
		ret = virtio_pci_attach(dev);
	/* Last, so first: nothing is served any more when the rest goes. */
	if (!ret)
		ret = dev_defer(device, virtio_stop, dev);
	return ret;
}
