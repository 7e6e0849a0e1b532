/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The next frame for the guest. A wire that gets its frames from another process reads
 * each whole into an inbox, which checks it before the guest sees it, and does the work
 * that the sender left undone and the guest's driver does not do: checksums and
 * segmentation. Embedded in the wire; the wire's loop.
 */
#ifndef HW_NET_INBOX_H
#define HW_NET_INBOX_H

#include "net.h"

struct net_inbox {
	u8 *frame;		/* NET_FRAME_MAX bytes: a struct net_hdr, then Ethernet */
	size_t len;		/* with net_hdr; 0: there is no frame */
	atomic_uint offloads;	/* NET_OFF_* that the guest takes undone */
	/* The frame is cut into segments: */
	size_t mss;		/* bytes of payload of each; 0: it is not cut */
	size_t l3, l4, head;	/* offsets from the Ethernet header on: IP, TCP, payload */
	size_t at;		/* of the next segment's payload */
	u16 segments;		/* that were taken */
};

/* 0 or -ENOMEM. Zeroed at first. */
int net_inbox_new(struct net_inbox *in);
void net_inbox_free(struct net_inbox *in);

/* From the next frame on. Any thread. */
void net_inbox_set_offloads(struct net_inbox *in, u32 offloads);

/* in->frame has @len bytes now. False: they are no frame, and forgotten. The inbox was empty. */
bool net_inbox_put(struct net_inbox *in, size_t len);
/* The same for a frame without net_hdr, which is at in->frame + sizeof(struct net_hdr), of @len bytes. */
bool net_inbox_put_plain(struct net_inbox *in, size_t len);

/* Forget the frame, or what is left of it. */
void net_inbox_drop(struct net_inbox *in);

/* As net_pending() and net_receive(): 0 and -EAGAIN if it is empty. */
size_t net_inbox_pending(const struct net_inbox *in);
ssize_t net_inbox_receive(struct net_inbox *in, struct iov_iter *to);

#endif
