/* SPDX-License-Identifier: GPL-2.0 */
/* For virtio/net.c: which frames the guest's driver wants (virtio 1.2, 5.1.6.5.1 to 5.1.6.5.3). */
#ifndef VIRTIO_NET_FILTER_H
#define VIRTIO_NET_FILTER_H

#include <kvm/iov.h>
#include <kvm/net.h>

#define NET_MACS	64		/* of each kind */
#define NET_VLANS	4096

/* In the order of the commands: 5.1.6.5.1. */
enum { MODE_PROMISCUOUS, MODE_ALL_MULTICAST, MODE_ALL_UNICAST, MODE_NO_MULTICAST, MODE_NO_UNICAST, MODE_NO_BROADCAST,
       NET_MODES };

/* Without padding: it is state. */
struct net_filter {
	u32 nr_unicast, nr_multicast;
	u8 mac[NET_MAC];		/* of the card, as the driver has set it */
	u8 mode[NET_MODES];
	u8 overflow_unicast, overflow_multicast;	/* the table has no room for all */
	u8 vlan_on;			/* the driver filters VLANs */
	u8 unused;
	u8 unicast[NET_MACS][NET_MAC], multicast[NET_MACS][NET_MAC];
	u8 vlan[NET_VLANS / 8];
};

/* As after a reset, for a driver that accepted @features. */
void net_filter_reset(struct net_filter *f, const u8 mac[NET_MAC], u64 features);
/* Is the frame of @len bytes, whose first 18 (or all, then zeroes) are at @eth, for this driver? */
bool net_filter_wants(const struct net_filter *f, const u8 *eth, size_t len);
/* A command of VIRTIO_NET_CTRL_RX, _MAC, _VLAN with its data; false: it is none, or data are missing. */
bool net_filter_command(struct net_filter *f, u8 class, u8 cmd, struct iov_iter *data);

#endif
