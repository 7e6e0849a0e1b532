/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio device as its author sees it (virtio 1.2): a const struct virtio_ops
 * for the device, a const struct vq_ops for each of its queues, and a
 * little-endian config structure. The core handles status, features, queues, threads,
 * interrupts and resets; the transports handle registers.
 *
 *	static int rng_request(struct virtio_dev *dev, struct vq *vq, struct vq_req *req);
 *	static const struct vq_ops rng_queue = { .name = "request", .depth = 64, .request = rng_request };
 *	static const struct virtio_ops rng_ops = { .id = 4, .queues = 1, .vq = &rng_queue };
 *	DEVICE_TYPE(rng) = { .name = "virtio-rng", .size = sizeof(struct virtio_dev), .init = virtio_init, .ops = &rng_ops, ... };
 */
#ifndef KVM_VIRTIO_H
#define KVM_VIRTIO_H

#include <stdatomic.h>

#include <kvm/device.h>
#include <kvm/log.h>
#include <kvm/loop.h>
#include <kvm/types.h>
#include <kvm/vring.h>

struct remote;
struct virtio_dev;

/* request() returns this to complete the request later with vq_done(), on the queue's thread. */
#define VIRTIO_PENDING	1
/* Or this: a hold begins, nothing has been done yet, and the core calls request() again when it ends. */
#define VIRTIO_AGAIN	2

/* One queue's functions, called on the queue's thread. */
struct vq_ops {
	const char *name;	/* "request", "receive": for messages */
	u16 depth;		/* its largest size, a power of two */
	bool blocking;		/* request() may block: see loop_block_begin() */

	/*
	 * Serve one request. 0: completed by the core; VIRTIO_PENDING; VIRTIO_AGAIN; -errno:
	 * logged (rate limited) and completed with what was copied into req->in.
	 */
	int (*request)(struct virtio_dev *dev, struct vq *vq, struct vq_req *req);
	/* Or NULL: the request that request() completed has been given back to the driver. */
	void (*delivered)(struct virtio_dev *dev, struct vq_req *req);
	/*
	 * Instead of request(), for a queue that the device pulls from: the driver has
	 * added buffers. A queue with neither has another owner: start() hands it out
	 * by vq_export(), stop() has it stop.
	 */
	void (*kick)(struct virtio_dev *dev, struct vq *vq);

	/*
	 * May be NULL. start(): at DRIVER_OK, if the driver uses the queue, and
	 * before the first request; 0 or -errno. stop(): before a reset. It
	 * completes or interrupts the requests that the device has of this queue. The
	 * core waits for those that block on the host, and calls stop() again from time
	 * to time until all are back.
	 */
	int (*start)(struct virtio_dev *dev, struct vq *vq);
	void (*stop)(struct virtio_dev *dev, struct vq *vq);
	/*
	 * For a device that keeps requests until its host end is ready. A hold does not
	 * wait for them. While vq->on_hold the device does not touch them: they may be
	 * saved. After they were loaded, resume() gives each back to the device, with its
	 * iterators where they were; 0, or -EINVAL if the device could not have had it.
	 * When the hold ends the queue is kicked. NULL: the device keeps none.
	 */
	int (*resume)(struct virtio_dev *dev, struct vq *vq, struct vq_req *req);
	/* May be NULL. vq->irq has changed. Under the machine lock, not on the queue's thread. */
	void (*irq_moved)(struct virtio_dev *dev, struct vq *vq);
};

struct virtio_ops {
	u16 id;			/* virtio 1.2, section 5 */
	u16 queues;		/* number of queues; or init() sets vdev->nr_vqs */
	u64 features;		/* the device's own bits; the core adds the rest */
	u16 config_size;	/* bytes at vdev->config */
	enum thread_kind thread; /* of its threads, for their confinement */
	u32 pci_class;		/* 24 bits, 0: "other" */

	/* The functions of each queue: an array [queues], or a function of the number. */
	const struct vq_ops *vq;
	const struct vq_ops *(*queue)(const struct virtio_dev *dev, unsigned int q);
	/* The index (of vdev->nr_loops) of the loop that serves queue @q. NULL: q % nr_loops. */
	unsigned int (*loop_of)(const struct virtio_dev *dev, unsigned int q);

	/* All may be NULL. */
	/* Under the machine lock, at creation: set config, vdev->nr_vqs, nr_loops, features. */
	int (*init)(struct virtio_dev *dev);
	/* For data that the queues share: on loop[0], before the queues' start(), after their stop(). */
	int (*start)(struct virtio_dev *dev);
	void (*stop)(struct virtio_dev *dev);
	/*
	 * Under the machine lock: a hold begins, or ends. From now on request() returns
	 * VIRTIO_AGAIN in place of waiting without limit, also where it waits already.
	 */
	void (*hold)(struct virtio_dev *dev, bool on);
	/* Under the machine lock: the driver wrote [off, off + len) of the config. */
	void (*config_written)(struct virtio_dev *dev, u32 off, u32 len);
};

struct virtio_dev {
	struct device dev;
	const struct virtio_ops *ops;
	void *config;			/* ops->config_size bytes, little-endian; not guest memory */
	u64 features;			/* offered */
	u64 driver_features;		/* accepted */
	u8 status;
	u32 generation;			/* of the config */
	atomic_bool broken;		/* DEVICE_NEEDS_RESET */
	struct vq *vq;			/* [nr_vqs] */
	unsigned int nr_vqs;
	struct loop **loop;		/* [nr_loops]; the threads of those in use run while started */
	unsigned int nr_loops;		/* 1, or set by init() */
	bool started;
	bool resetting;			/* the driver has reset it, but the host has not given all requests back */
	unsigned int holds;		/* virtio_hold() less virtio_release() */
	bool config_changed;		/* while it was held: the driver gets an interrupt afterwards */
	bool abandoned;			/* the host did not give a request back: see queues_stop() */
	struct remote *remote;		/* its queues are served by another process (virtio/remote.h), or NULL */
	struct log_limit limit;
	/* the transport's */
	void *transport;
	void (*config_irq)(struct virtio_dev *dev);	/* raise the configuration interrupt; any thread */
	pthread_mutex_t config_lock;	/* config[], generation: a leaf */
	atomic_bool draining;		/* a thread waits for requests to complete */
	atomic_uint returns;		/* counts completions meanwhile */
	pthread_cond_t returned;	/* returns has changed; with config_lock */
};

static inline bool virtio_has_feature(const struct virtio_dev *dev, unsigned int bit)
{
	return dev->driver_features & (1ULL << bit);
}

static inline bool virtio_is_broken(struct virtio_dev *dev)
{
	return atomic_load_explicit(&dev->broken, memory_order_relaxed);
}

/* init of every virtio device type: the core, ops->init(), then the transport. */
int virtio_init(struct device *dev);

/* Kick the queue as the driver does: it is served again, after other callbacks. Any thread. */
void vq_kick(struct vq *vq);

/*
 * Hold the device, for snapshots and changes of RAM: its queues take no new requests,
 * and it waits for those in flight without interrupting them. The device keeps its
 * state. 0; after five seconds -ETIMEDOUT with the message printed, and it is not held.
 * Holds nest. virtio_init() makes these the device's hold() and release(). Machine lock.
 */
int virtio_hold(struct virtio_dev *dev);
void virtio_release(struct virtio_dev *dev);

/*
 * Change the config and tell the driver: memcpy(config + off, src, len) as one
 * generation, then the configuration interrupt. Any thread.
 */
void virtio_config_set(struct virtio_dev *dev, u32 off, const void *src, u32 len);

/* The driver broke the rules: NEEDS_RESET, one line in the log, silence until reset. Queue thread. */
void virtio_break(struct virtio_dev *dev, const char *why);

#endif
