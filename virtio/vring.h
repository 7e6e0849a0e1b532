/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For virtio/vring_state.c: pieces of virtio/vring.c. On the queue's thread.
 */
#ifndef VIRTIO_VRING_H
#define VIRTIO_VRING_H

#include <kvm/vring.h>

/* Map the ring of @num entries at the queue's addresses. False: a part of it is not in memory. */
bool vq_map(struct vq *vq, const struct mem *mem, u16 num);
/* The fault of the chain at req->head, for the log; or NULL, and @req describes the chain. */
const char *vq_walk(struct vq *vq, struct vq_req *req);
/* Give back the long array of segments that vq_walk() may have taken. */
void vq_long_put(struct vq *vq, struct vq_req *req);

/* Take the chain at @head < num for the device; its fault, or NULL. */
const char *vq_take(struct vq *vq, u16 head);
/* The device no longer has @req. */
void vq_release(struct vq *vq, struct vq_req *req);

#endif
