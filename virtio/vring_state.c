// SPDX-License-Identifier: GPL-2.0
/*
 * Rings that stop and go on: saved and loaded with their requests in flight, mapped
 * anew after RAM has changed, or handed to another owner. On the queue's thread, while
 * the queue is on hold or has just started.
 */
#include <errno.h>

#include <kvm/irq.h>
#include <kvm/virtio.h>

#include "vring.h"

/* Walk the chain of a request in flight again, up to where its iterators were. */
static const char *vq_walk_again(struct vq *vq, struct vq_req *req)
{
	size_t out = req->out_len - iov_iter_count(&req->out), in = req->in_len - iov_iter_count(&req->in);
	const char *why;

	vq_long_put(vq, req);
	req->iov = vq->short_iov + (size_t)req->head * VQ_SHORT;
	why = vq_walk(vq, req);
	if (!why && (iov_iter_advance(&req->out, out) != out || iov_iter_advance(&req->in, in) != in))
		why = "a change of a chain that is in use";
	if (why) {
		/* The device still has it, and may read and write nothing by it. */
		iov_iter_init(&req->out, req->iov, 0);
		iov_iter_init(&req->in, req->iov, 0);
		req->out_len = req->in_len = 0;
	}
	return why;
}

const char *vq_map_again(struct vq *vq)
{
	const char *why = vq_map(vq, vq->mem, vq->num) ? NULL : "a ring in memory that is gone";
	unsigned int head;

	for (head = 0; head < vq->num; head++) {
		struct vq_req *req = &vq->req[head];
		const char *fault;

		if (!req->busy)
			continue;
		/* Without the table of descriptors each is a fault. */
		fault = vq_walk_again(vq, req);
		why = why ? why : fault;
	}
	return why;
}

void vq_export(struct vq *vq, struct vq_ring *out)
{
	struct irq *irq = __atomic_load_n(&vq->irq, __ATOMIC_ACQUIRE);

	*out = (struct vq_ring) {
		.num = vq->num, .avail_idx = vq->avail_idx,
		.desc = vq->desc_gpa, .avail = vq->avail_gpa, .used = vq->used_gpa,
		.kick_fd = vq->kick_fd, .call_fd = irq ? irq_fd(irq) : -1,
	};
}

void vq_lend(struct vq *vq, bool lent)
{
	vq->inflight = lent;
	if (!lent)
		loop_defer(vq->loop, &vq->flush);
}

unsigned int vq_save(const struct vq *vq, struct vq_flight *flight)
{
	unsigned int n = 0, head;

	for (head = 0; head < vq->num; head++) {
		const struct vq_req *req = &vq->req[head];

		if (req->busy)
			flight[n++] = (struct vq_flight) {
				.head = head,
				.out = req->out_len - iov_iter_count(&req->out),
				.in = req->in_len - iov_iter_count(&req->in),
			};
	}
	return n;
}

/* Give a loaded request to the device, or keep it for when the hold ends: VIRTIO_AGAIN. */
static int vq_resume(struct vq *vq, struct vq_req *req)
{
	if (vq->ops->resume)
		return vq->ops->resume(vq->dev, vq, req);
	req->next = vq->again;
	vq->again = req;
	vq->nr_again++;
	return 0;
}

int vq_load(struct vq *vq, u16 avail_idx, u16 used_idx, const struct vq_flight *flight, unsigned int n)
{
	unsigned int i;

	/* Requests in flight were taken, and not given back. */
	if ((u16)(avail_idx - used_idx) != n || (n && !vq->ops->resume && !vq->ops->blocking))
		return -EINVAL;
	vq->avail_idx = avail_idx;
	vq->used_idx = vq->used_published = vq->used_signalled = used_idx;
	for (i = 0; i < n; i++) {
		struct vq_req *req;

		if (flight[i].head >= vq->num || vq_take(vq, flight[i].head))
			return -EINVAL;
		req = &vq->req[flight[i].head];
		if (iov_iter_advance(&req->out, flight[i].out) != flight[i].out ||
		    iov_iter_advance(&req->in, flight[i].in) != flight[i].in ||
		    vq_resume(vq, req)) {
			vq_release(vq, req);	/* the device does not have it */
			return -EINVAL;
		}
	}
	return 0;
}
