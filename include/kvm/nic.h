/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Network cards from outside, while the machine runs or not: for commands that look at
 * them or change them. @dev is of the type NIC_TYPE. Machine lock.
 */
#ifndef KVM_NIC_H
#define KVM_NIC_H

#include <kvm/device.h>
#include <kvm/net.h>

#define NIC_TYPE	"virtio-net"

struct nic {
	const char *mode;		/* the kind of wire */
	u8 mac[NET_MAC];		/* as the driver has set it */
	bool link;
	unsigned int pairs;		/* of queues */
	u64 dropped;			/* frames, both ways, since the machine's start */
};

void nic_look(struct device *dev, struct nic *out);
/* The user plugs the wire in, or pulls it out. */
void nic_plug(struct device *dev, bool in);

/* net_forward() and the others, on the right thread. */
int nic_forward(struct device *dev, const char *text, int fd, struct opt_err *err);
int nic_unforward(struct device *dev, const char *text, struct opt_err *err);
bool nic_forward_text(struct device *dev, unsigned int i, char *out, size_t size);

#endif
