/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The balloon from outside, while the machine runs: for commands that look at it or
 * change it. @dev is of the type BALLOON_TYPE. Machine lock.
 */
#ifndef KVM_BALLOON_H
#define KVM_BALLOON_H

#include <kvm/device.h>
#include <kvm/types.h>

#define BALLOON_TYPE	"virtio-balloon"
#define BALLOON_STATS	10		/* virtio 1.2, 5.5.6.3: VIRTIO_BALLOON_S_... */

struct balloon {
	u64 target;			/* bytes that the guest is asked to give back */
	u64 actual;			/* that it has given back, as it says */
	u64 discarded;			/* of free pages that it has reported, since the machine's start */
	/* What the guest says of its memory: bytes or events. @answers counts its answers; 0: it never has. */
	u64 answers;
	bool has[BALLOON_STATS];
	u64 stat[BALLOON_STATS];
};

void balloon_look(struct device *dev, struct balloon *out);
/* Ask the guest for new statistics. balloon.answers grows when it answers. */
void balloon_ask(struct device *dev);
/* Ask the guest to give so many bytes back, rounded down to pages of 4 KiB. -ERANGE: more than its RAM. */
int balloon_target(struct device *dev, u64 bytes);

#endif
