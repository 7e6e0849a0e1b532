/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For virtio/core.c: the queues, from DRIVER_OK to reset, and the state. All with the
 * machine lock held.
 */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

struct state;
struct virtio_dev;

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

/* The part of the device's state that is the core's, for dev_state(). */
int virtio_state(void *vdev, struct state *s);

#endif
