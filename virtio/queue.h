/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files of the core: the queues, from DRIVER_OK to reset, holds, and the
 * state. All with the machine lock held.
 */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

#include <kvm/log.h>
#include <kvm/types.h>

struct loop;
struct state;
struct virtio_dev;
struct vq;

/* Create dev->vq[] and dev->loop[] when the device has said how many. 0 or -errno with the message printed. */
int queues_new(struct virtio_dev *dev);
void queues_free(struct virtio_dev *dev);

/* At DRIVER_OK: start the threads, serve what the driver has enabled. A failure breaks the device. */
void queues_start(struct virtio_dev *dev);
/*
 * Before a reset: interrupt what is under way, wait up to @ns for it, end the threads. False:
 * the host has not given everything back, and no thread has ended. The next call goes on.
 */
bool queues_stop(struct virtio_dev *dev, u64 ns);

/* A visit of the queues of one loop, on its thread. */
struct visit {
	struct virtio_dev *dev;
	struct loop *loop;
	unsigned int inflight;
};

/* The next queue of the visited loop after @vq, or the first; NULL: that is all. */
struct vq *visit_next(const struct visit *v, struct vq *vq);
/* Call @fn with a struct visit for each loop, on its thread; the sum of what they add to inflight. */
unsigned int queues_visit(struct virtio_dev *dev, void (*fn)(void *visit));
/*
 * Wait until @count finds nothing in flight: true, or false after @ns. With @interrupt
 * requests that block in the host are interrupted, again and again.
 */
bool queues_settle(struct virtio_dev *dev, void (*count)(void *visit), u64 ns, bool interrupt);
/* On the queue's thread: watch for the driver's kicks. A queue with another owner is not served here. 0 or -errno. */
int queue_watch(struct vq *vq);

/* The device is silent until its driver resets it. The message says why; @fmt NULL: that has been said. Any thread. */
void virtio_need_reset(struct virtio_dev *dev, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The host failed at @what: the device is broken as by virtio_break(). The driver is not to blame. Any thread. */
void virtio_fail(struct virtio_dev *dev, const char *what, int err);

/* The part of the device's state that is the core's, for dev_state(). */
int virtio_state(void *vdev, struct state *s);

/* For virtio/core.c: virtio/remote.h. In place of ops->init() for a device that another process serves. */
bool remote_wanted(const struct virtio_dev *dev);
int remote_init(struct virtio_dev *dev);

#endif
