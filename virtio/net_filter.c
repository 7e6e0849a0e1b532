// SPDX-License-Identifier: GPL-2.0
/*
 * The receive filter of a network card (virtio 1.2, 5.1.6.5.1 to 5.1.6.5.3): modes,
 * addresses, VLANs. It is plain data; its owner sees to threads.
 */
#include <endian.h>
#include <string.h>

#include <linux/virtio_net.h>

#include <linux/kernel.h>

#include "net_filter.h"

void net_filter_reset(struct net_filter *f, const u8 mac[NET_MAC], u64 features)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->mac, mac, NET_MAC);
	/* 5.1.6.5.1: without the control queue there is nothing to filter by. */
	f->mode[MODE_PROMISCUOUS] = !(features & 1ULL << VIRTIO_NET_F_CTRL_RX);
	f->vlan_on = !!(features & 1ULL << VIRTIO_NET_F_CTRL_VLAN);
}

static bool net_listed(const u8 (*list)[NET_MAC], u32 nr, const u8 *mac)
{
	while (nr--)
		if (!memcmp(list[nr], mac, NET_MAC))
			return true;
	return false;
}

bool net_filter_wants(const struct net_filter *f, const u8 *eth, size_t len)
{
	static const u8 all[NET_MAC] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	unsigned int vlan = (eth[14] << 8 | eth[15]) & (NET_VLANS - 1);

	if (len < NET_MAC)
		return false;
	if (f->vlan_on && len >= 18 && eth[12] == 0x81 && !eth[13] && !(f->vlan[vlan / 8] & 1 << vlan % 8))
		return false;
	if (f->mode[MODE_PROMISCUOUS])
		return true;
	if (!memcmp(eth, all, NET_MAC))
		return !f->mode[MODE_NO_BROADCAST];
	if (eth[0] & 1)
		return !f->mode[MODE_NO_MULTICAST] && (f->mode[MODE_ALL_MULTICAST] || f->overflow_multicast ||
					    net_listed(f->multicast, f->nr_multicast, eth));
	return !f->mode[MODE_NO_UNICAST] && (f->mode[MODE_ALL_UNICAST] || f->overflow_unicast ||
				  !memcmp(eth, f->mac, NET_MAC) || net_listed(f->unicast, f->nr_unicast, eth));
}

static bool net_rx_mode(struct net_filter *f, u8 cmd, struct iov_iter *data)
{
	u8 on;

	if (cmd >= NET_MODES || copy_from_iter(&on, 1, data) != 1)
		return false;
	f->mode[cmd] = on != 0;
	return true;
}

/* 5.1.6.5.2: a table that does not fit is as if all of its kind were wanted. */
static bool net_table(u8 (*table)[NET_MAC], u32 *nr, u8 *overflow, struct iov_iter *data)
{
	__le32 entries;
	u64 n;

	if (copy_from_iter(&entries, sizeof(entries), data) != sizeof(entries))
		return false;
	n = le32toh(entries);
	if (iov_iter_count(data) < n * NET_MAC)
		return false;
	*overflow = n > NET_MACS;
	*nr = min(n, (u64)NET_MACS);
	copy_from_iter(table, *nr * NET_MAC, data);
	return iov_iter_advance(data, (n - *nr) * NET_MAC) == (n - *nr) * NET_MAC;
}

static bool net_mac(struct net_filter *f, u8 cmd, struct iov_iter *data)
{
	u8 mac[NET_MAC];

	if (cmd == VIRTIO_NET_CTRL_MAC_ADDR_SET) {
		if (copy_from_iter(mac, NET_MAC, data) != NET_MAC || mac[0] & 1)
			return false;
		memcpy(f->mac, mac, NET_MAC);
		return true;
	}
	return cmd == VIRTIO_NET_CTRL_MAC_TABLE_SET &&
	       net_table(f->unicast, &f->nr_unicast, &f->overflow_unicast, data) &&
	       net_table(f->multicast, &f->nr_multicast, &f->overflow_multicast, data);
}

static bool net_vlan(struct net_filter *f, u8 cmd, struct iov_iter *data)
{
	__le16 id;
	u16 n;

	if (cmd > VIRTIO_NET_CTRL_VLAN_DEL || copy_from_iter(&id, sizeof(id), data) != sizeof(id))
		return false;
	n = le16toh(id);
	if (n >= NET_VLANS)
		return false;
	if (cmd == VIRTIO_NET_CTRL_VLAN_ADD)
		f->vlan[n / 8] |= 1 << n % 8;
	else
		f->vlan[n / 8] &= ~(1 << n % 8);
	return true;
}

bool net_filter_command(struct net_filter *f, u8 class, u8 cmd, struct iov_iter *data)
{
	switch (class) {
	case VIRTIO_NET_CTRL_RX:
		return net_rx_mode(f, cmd, data);
	case VIRTIO_NET_CTRL_MAC:
		return net_mac(f, cmd, data);
	case VIRTIO_NET_CTRL_VLAN:
		return net_vlan(f, cmd, data);
	default:
		return false;
	}
}
