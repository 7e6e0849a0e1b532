// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-rng: an entropy source (virtio 1.2, 5.4). A request is a buffer, and
 * the buffer is filled from the host's getrandom(2). Runs on the queue thread.
 */
#include <linux/virtio_ids.h>

#include <linux/kernel.h>
#include <kvm/virtio.h>

/* As much as one request gets: it may ask for gigabytes, 5.4.6.2 lets us give less. */
#define RNG_MAX		(64 * KIB)

static int rng_request(struct virtio_dev *dev, struct vq *vq, struct vq_req *req)
{
	ssize_t n = iov_iter_getrandom(&req->in, RNG_MAX);

	return n < 0 ? n : 0;
}

static const struct vq_ops rng_queue = {
	.name = "request",
	.depth = 64,
	.request = rng_request,
};

static const struct virtio_ops rng_ops = {
	.id = VIRTIO_ID_RNG,
	.queues = 1, .vq = &rng_queue,
	.pci_class = 0x00ff00,		/* other */
};

DEVICE_TYPE(rng_type) = {
	.name = "virtio-rng",
	.help = "entropy from the host's getrandom(2)",
	.size = sizeof(struct virtio_dev),
	.state = STATELESS,
	.init = virtio_init,
	.ops = &rng_ops,
};
