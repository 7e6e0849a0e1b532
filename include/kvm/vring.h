/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Split virtqueues (virtio 1.2, 2.7), the device's side. virtio/vring.c is
 * the only file that sees a descriptor: a chain comes out of vq_next() vetted,
 * as two byte streams, and goes back with vq_done(). What a device cannot
 * express it cannot get wrong.
 *
 * A queue belongs to one thread while it runs: only that one calls vq_next() and
 * vq_done().
 */
#ifndef KVM_VRING_H
#define KVM_VRING_H

#include <kvm/iov.h>
#include <kvm/irq.h>
#include <kvm/log.h>
#include <kvm/loop.h>
#include <kvm/memory.h>
#include <kvm/types.h>

#define VQ_SIZE_MAX	1024

struct virtio_dev;
struct vq;
struct vq_ops;

/* A chain in the hands of the device, between vq_next() and vq_done(). */
struct vq_req {
	struct iov_iter out;	/* driver to device */
	struct iov_iter in;	/* device to driver */
	struct vq *vq;
	void *priv;		/* the device's */
	/* private */
	struct work work;	/* the way back from another thread */
	struct iovec *iov;	/* [num of the queue] */
	size_t in_len;
	int ret;
	u16 head;
	bool busy;
};

struct vq {
	struct virtio_dev *dev;
	const struct vq_ops *ops;
	void *priv;		/* the device's */
	unsigned int index;
	u16 size_max;		/* what the device offers, power of two */

	/* Registers: written under the machine lock while the queue is not enabled. */
	u16 size;
	bool enabled;
	u64 desc_gpa, avail_gpa, used_gpa;
	u16 vector;		/* MSI-X vector or VIRTIO_MSI_NO_VECTOR */

	/* Latched when the queue starts; the queue's thread only. */
	const struct mem *mem;
	void __guest *desc, *avail, *used;
	u16 num;		/* latched size */
	u16 avail_idx, used_idx;
	u16 used_published;	/* used_idx as last written to memory */
	u16 used_signalled;	/* used_idx at the last interrupt decision */
	bool event_idx, indirect;
	bool quiet;		/* the driver has been told not to kick */
	bool running;
	bool held;		/* requests wait for a thread that may block */
	struct vq_req *req;	/* [num], by head */
	struct iovec *iov;	/* [num * num], touched as far as used */
	unsigned int inflight;

	/* Set up by the transport: the interrupt and the doorbell. */
	struct irq *irq;	/* NULL: none; read by the queue's thread */
	int kick_fd;		/* eventfd */
	struct watch kick;

	struct loop *loop;	/* whose thread the queue's is */
	struct work flush;	/* the core's: vq_done() defers it */
};

/*
 * The next request, or NULL: the ring is empty and notifications are on, or
 * the queue is broken or stopped. A chain that violates the specification
 * breaks the device (virtio_break()) and gives NULL.
 */
struct vq_req *vq_next(struct vq *vq);

/*
 * Give a request back; the used length is what was copied into req->in. The
 * driver sees it when the loop has made its round, or before it blocks, with
 * what else is done by then and one interrupt for all.
 */
void vq_done(struct vq *vq, struct vq_req *req);

/* True if vq_next() would find something; does not change notifications. */
bool vq_pending(struct vq *vq);

/* For virtio/core.c: latch and check the registers; 0, -EINVAL (addresses, size), -ENOMEM. */
int vq_start(struct vq *vq, const struct mem *mem, u64 features);
void vq_stop(struct vq *vq);
/* For virtio/core.c: publish what is done and interrupt the driver if it wants that. */
void vq_flush(struct vq *vq);

#endif
