/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Split virtqueues (virtio 1.2, 2.7), the device's side. virtio/vring.c is
 * the only file that sees a descriptor. vq_next() checks a chain and returns it as two
 * byte streams; vq_done() gives it back. A device cannot get descriptors wrong, as it
 * never sees them.
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
#define VQ_SHORT	16	/* segments of most requests */

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
	struct vq_req *next;	/* vq->again */
	struct work work;	/* the way back from another thread */
	struct iovec *iov;	/* segments: VQ_SHORT, or a long array of the queue */
	size_t out_len, in_len;
	int ret;
	u16 head;
	bool busy;
	bool is_long;
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
	bool on_hold;		/* see virtio_hold(): the device touches neither ring nor requests */
	unsigned int inflight;
	struct vq_req *again;	/* to be served again when the hold ends: VIRTIO_AGAIN */
	unsigned int nr_again;

	/*
	 * Requests and their segments: each has VQ_SHORT of its own, and a long one
	 * gets an array of num from a pool. If the pool is empty, the rest of the ring
	 * waits until a long request is done. Pages become resident only as the driver
	 * uses them.
	 */
	struct vq_req *req;	/* [num], by head */
	struct iovec *short_iov;	/* [num * VQ_SHORT] */
	struct iovec *long_iov;	/* [nr_long * num] */
	struct iovec *long_free;	/* given back; each begins with a pointer to the next */
	u16 nr_long, long_used;	/* in all, and ever handed out */
	bool starved;		/* a long request waits in the ring */

	/* Set up by the transport: the interrupt and the doorbell. */
	struct irq *irq;	/* NULL: none; read by the queue's thread */
	int kick_fd;		/* eventfd */
	struct watch kick;

	struct loop *loop;	/* its thread is the queue's */
	struct work flush;	/* the core's: vq_done() defers it */
};

/*
 * The next request, or NULL: the ring is empty and notifications are on, or
 * the queue is broken or stopped. A chain that violates the specification
 * breaks the device (virtio_break()) and gives NULL.
 */
struct vq_req *vq_next(struct vq *vq);

/*
 * Give a request back; the used length is the bytes copied into req->in. The driver sees
 * it at the end of the loop's round, or before the loop may block, together with all
 * others that are done by then, and gets one interrupt for all.
 */
void vq_done(struct vq *vq, struct vq_req *req);

/*
 * Put the last request of vq_next() back, unserved: vq_next() returns it again. The
 * device has to call it by itself, as the driver does not kick a second time.
 */
void vq_untake(struct vq *vq, struct vq_req *req);

/* True if vq_next() would find something; does not change notifications. */
bool vq_pending(struct vq *vq);

/* Requests that the driver has made available and vq_next() has not returned. */
unsigned int vq_available(struct vq *vq);

/* A queue as another owner needs it, one in the host's kernel or another process. */
struct vq_ring {
	u16 num;		/* a power of two */
	u16 avail_idx;		/* the next entry to take */
	gpa_t desc, avail, used;	/* aligned, and within RAM as a whole */
	int kick_fd;		/* the driver's notifications; remains the queue's */
	int call_fd;		/* interrupts; -1: none are wanted. Changes: see vq_ops.irq_moved */
};

/*
 * Hand the running queue out for good: this side never touches the ring again. Its
 * vq_ops have neither request() nor kick(). On the queue's thread, from start() on.
 */
void vq_export(struct vq *vq, struct vq_ring *out);
/*
 * The other owner may have requests of the queue in hand (@lent), or has none any more: as long
 * as it has, a reset and a hold wait. On the queue's thread.
 */
void vq_lend(struct vq *vq, bool lent);

/* For virtio/queue.c: latch and check the registers; 0, -EINVAL (addresses, size), -ENOMEM. */
int vq_start(struct vq *vq, const struct mem *mem, u64 features);
void vq_stop(struct vq *vq);
/*
 * For virtio/hold.c, on the thread of a running queue at the end of a hold: RAM may have
 * changed. Map the ring anew, and what the device has of it. NULL, or the fault: then the
 * device has to be broken, and requests in flight have no bytes left.
 */
const char *vq_map_again(struct vq *vq);
/* A request in flight: its head, and the bytes of it that the device has done with. */
struct vq_flight {
	u64 out, in;
	u32 head;
	u32 zero;
};

/* For virtio/state.c, on the thread of a queue on hold: fill in @flight[num]; how many there are. */
unsigned int vq_save(const struct vq *vq, struct vq_flight *flight);
/* Load what vq_save() saved into a queue that has just started; walks all chains again. 0 or -EINVAL. */
int vq_load(struct vq *vq, u16 avail_idx, u16 used_idx, const struct vq_flight *flight, unsigned int n);

/* For virtio/queue.c: publish completed requests and interrupt the driver if it wants that. */
void vq_flush(struct vq *vq);

#endif
