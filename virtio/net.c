// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-net: a network card (virtio 1.2, 5.1) with one pair of queues and a control
 * queue, in front of a wire (kvm/net.h). Frames go between the guest's buffers and the
 * wire without a copy here. All runs on the device's thread.
 *
 * A frame for the guest may take several buffers (5.1.6.4). The wire says how long its
 * next frame is at most; so many buffers are taken, and those that it did not need go
 * back unserved.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/ethtool.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#include <linux/kernel.h>
#include <kvm/keep.h>
#include <kvm/landlock.h>
#include <kvm/net.h>
#include <kvm/opt.h>
#include <kvm/virtio.h>

#define NET_DEPTH	256
/* Frames of one queue before the others have their turn. */
#define NET_BATCH	64
/* Buffers and their segments that a frame may take: Linux gives pages, or 64 KiB in 19 pieces. */
#define NET_BUFFERS	64
#define NET_SEGMENTS	256
#define NET_MACS	64		/* of each kind in the filter */
#define NET_VLANS	4096

enum { NET_RX, NET_TX, NET_CONTROL, NET_QUEUES };

/* 5.1.6.5.1, in the order of the commands. */
enum { MODE_PROMISCUOUS, MODE_ALL_MULTICAST, MODE_ALL_UNICAST, MODE_NO_MULTICAST, MODE_NO_UNICAST, MODE_NO_BROADCAST,
       NET_MODES };

/* Without padding: it is state. */
struct net_filter {
	u32 nr_unicast, nr_multicast;
	u8 mode[NET_MODES];
	u8 overflow_unicast, overflow_multicast;	/* the table has no room for all */
	u8 vlan_on;			/* the driver filters VLANs */
	u8 unused[3];
	u8 unicast[NET_MACS][NET_MAC], multicast[NET_MACS][NET_MAC];
	u8 vlan[NET_VLANS / 8];
};

struct net_dev {
	struct virtio_dev vdev;
	const char *spec, *mac_text;	/* suboptions */
	int mtu;
	struct net *net;
	struct net_card card;
	struct net_filter filter;
	u8 mac[NET_MAC];		/* as the driver has set it */
	bool link, announce;
	struct vq_req *rx[NET_BUFFERS];
	struct iovec iov[NET_SEGMENTS];
	u64 dropped, too_long;
};

static struct net_dev *net_of(struct virtio_dev *vdev)
{
	return container_of(vdev, struct net_dev, vdev);
}

/* To the guest */

static bool net_listed(const u8 (*list)[NET_MAC], u32 nr, const u8 *mac)
{
	while (nr--)
		if (!memcmp(list[nr], mac, NET_MAC))
			return true;
	return false;
}

/* 5.1.6.5.1 to 5.1.6.5.3: is a frame to @eth for this driver? */
static bool net_wanted(const struct net_dev *n, const u8 *eth, size_t len)
{
	static const u8 all[NET_MAC] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct net_filter *f = &n->filter;
	unsigned int vlan = (eth[14] << 8 | eth[15]) & (NET_VLANS - 1);

	if (f->vlan_on && len >= 18 && eth[12] == 0x81 && !eth[13] && !(f->vlan[vlan / 8] & 1 << vlan % 8))
		return false;
	if (f->mode[MODE_PROMISCUOUS])
		return true;
	if (!memcmp(eth, all, NET_MAC))
		return !f->mode[MODE_NO_BROADCAST];
	if (eth[0] & 1)
		return !f->mode[MODE_NO_MULTICAST] && (f->mode[MODE_ALL_MULTICAST] || f->overflow_multicast ||
					    net_listed(f->multicast, f->nr_multicast, eth));
	return !f->mode[MODE_NO_UNICAST] && (f->mode[MODE_ALL_UNICAST] || f->overflow_unicast || !memcmp(eth, n->mac, NET_MAC) ||
				  net_listed(f->unicast, f->nr_unicast, eth));
}

/* Give back what was not needed: the last one taken first. */
static void net_untake(struct net_dev *n, struct vq *vq, unsigned int from, unsigned int nr)
{
	while (nr-- > from)
		vq_untake(vq, n->rx[nr]);
}

/*
 * Take buffers for @want bytes: their number, and their segments in @iov; 0: there are
 * not so many now. Without mergeable buffers one has to do, whatever its size.
 */
static unsigned int net_gather(struct net_dev *n, struct vq *vq, size_t want, unsigned int *nr_iov)
{
	unsigned int most = virtio_has_feature(&n->vdev, VIRTIO_NET_F_MRG_RXBUF) ? NET_BUFFERS : 1;
	unsigned int nr = 0, segments = 0, i;
	size_t have = 0;

	while (nr < most && have < want) {
		struct vq_req *req = vq_next(vq);

		if (!req)
			break;
		n->rx[nr++] = req;
		have += iov_iter_count(&req->in);
		for (i = 0; i < req->in.nr && segments < NET_SEGMENTS; i++)
			n->iov[segments++] = req->in.iov[i];
	}
	*nr_iov = segments;
	if (!nr || (have < want && nr < most)) {
		net_untake(n, vq, 0, nr);
		return 0;
	}
	return nr;
}

/* The frame of @len bytes is in the first of @nr buffers: complete those. */
static void net_deliver(struct net_dev *n, struct vq *vq, unsigned int nr, size_t len)
{
	struct iov_iter first = n->rx[0]->in;
	unsigned int used = 0, i;
	__le16 buffers;

	for (i = 0; i < nr && (len || !i); i++, used++)
		len -= iov_iter_advance(&n->rx[i]->in, len);
	net_untake(n, vq, used, nr);
	/* 5.1.6.4: 1 where buffers are not merged. */
	buffers = htole16(used);
	iov_iter_advance(&first, offsetof(struct net_hdr, num_buffers));
	copy_to_iter(&buffers, sizeof(buffers), &first);
	for (i = 0; i < used; i++)
		vq_done(vq, n->rx[i]);
}

static bool net_is_wanted(const struct net_dev *n, unsigned int nr_iov)
{
	u8 eth[18] = { 0 };
	struct iov_iter i;
	size_t len;

	iov_iter_init(&i, n->iov, nr_iov);
	iov_iter_advance(&i, sizeof(struct net_hdr));
	len = copy_from_iter(eth, sizeof(eth), &i);
	return len >= NET_MAC && net_wanted(n, eth, len);
}

/* False: the guest has no room, or the wire nothing. */
static bool net_receive_one(struct net_dev *n, struct vq *vq)
{
	unsigned int nr, nr_iov;
	struct iov_iter i;
	size_t want = net_pending(n->net);
	ssize_t len;

	if (!want || !n->link)
		return false;
	nr = net_gather(n, vq, want, &nr_iov);
	if (!nr)
		return false;
	iov_iter_init(&i, n->iov, nr_iov);
	len = net_receive(n->net, &i);
	if (len > 0 && net_is_wanted(n, nr_iov)) {
		net_deliver(n, vq, nr, len);
		return true;
	}
	net_untake(n, vq, 0, nr);
	n->dropped += len > 0;
	n->too_long += len == -EMSGSIZE;
	return len != -EAGAIN;
}

static void net_rx(struct virtio_dev *vdev, struct vq *vq)
{
	struct net_dev *n = net_of(vdev);
	unsigned int i;

	for (i = 0; i < NET_BATCH; i++)
		if (!net_receive_one(n, vq))
			return;
	vq_kick(vq);
}

static void net_readable(void *obj)
{
	struct net_dev *n = obj;

	net_rx(&n->vdev, &n->vdev.vq[NET_RX]);
}

/* From the guest */

static void net_tx(struct virtio_dev *vdev, struct vq *vq)
{
	struct net_dev *n = net_of(vdev);
	unsigned int i;

	for (i = 0; i < NET_BATCH; i++) {
		struct vq_req *req = vq_next(vq);
		struct iov_iter frame;

		if (!req)
			return;
		frame = req->out;
		/* It stays in the ring until the wire has room. */
		if (n->link && net_send(n->net, &frame) == -EAGAIN) {
			vq_untake(vq, req);
			return;
		}
		vq_done(vq, req);
	}
	vq_kick(vq);
}

static void net_writable(void *obj)
{
	struct net_dev *n = obj;

	net_tx(&n->vdev, &n->vdev.vq[NET_TX]);
}

/* Commands: 5.1.6.5 */

static bool net_mode(struct net_filter *f, u8 cmd, struct iov_iter *out)
{
	u8 on;

	if (cmd >= NET_MODES || copy_from_iter(&on, 1, out) != 1)
		return false;
	f->mode[cmd] = on != 0;
	return true;
}

/* 5.1.6.5.2: a table that does not fit is as if all of its kind were wanted. */
static bool net_table(u8 (*table)[NET_MAC], u32 *nr, u8 *overflow, struct iov_iter *out)
{
	__le32 entries;
	u64 n;

	if (copy_from_iter(&entries, sizeof(entries), out) != sizeof(entries))
		return false;
	n = le32toh(entries);
	if (iov_iter_count(out) < n * NET_MAC)
		return false;
	*overflow = n > NET_MACS;
	*nr = min(n, (u64)NET_MACS);
	copy_from_iter(table, *nr * NET_MAC, out);
	return iov_iter_advance(out, (n - *nr) * NET_MAC) == (n - *nr) * NET_MAC;
}

static bool net_mac(struct net_dev *n, u8 cmd, struct iov_iter *out)
{
	struct net_filter *f = &n->filter;

	if (cmd == VIRTIO_NET_CTRL_MAC_ADDR_SET && iov_iter_count(out) >= NET_MAC) {
		u8 mac[NET_MAC];

		copy_from_iter(mac, NET_MAC, out);
		if (mac[0] & 1)
			return false;
		memcpy(n->mac, mac, NET_MAC);
		return true;
	}
	return cmd == VIRTIO_NET_CTRL_MAC_TABLE_SET &&
	       net_table(f->unicast, &f->nr_unicast, &f->overflow_unicast, out) &&
	       net_table(f->multicast, &f->nr_multicast, &f->overflow_multicast, out);
}

static bool net_vlan(struct net_filter *f, u8 cmd, struct iov_iter *out)
{
	__le16 id;
	u16 n;

	if (cmd > VIRTIO_NET_CTRL_VLAN_DEL || copy_from_iter(&id, sizeof(id), out) != sizeof(id))
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

static const struct {
	unsigned int feature;
	u32 offload;
} net_offload_bits[] = {
	{ VIRTIO_NET_F_GUEST_CSUM, NET_OFF_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO4, NET_OFF_TSO4 },
	{ VIRTIO_NET_F_GUEST_TSO6, NET_OFF_TSO6 },
};

static void net_apply_offloads(struct net_dev *n, u64 features)
{
	u32 offloads = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(net_offload_bits); i++)
		if (features & 1ULL << net_offload_bits[i].feature)
			offloads |= net_offload_bits[i].offload;
	net_set_offloads(n->net, offloads);
}

/* 5.1.6.5.6: only what was negotiated may be switched. */
static bool net_guest_offloads(struct net_dev *n, u8 cmd, struct iov_iter *out)
{
	__le64 offloads;

	if (cmd != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET || copy_from_iter(&offloads, sizeof(offloads), out) != sizeof(offloads) ||
	    (le64toh(offloads) & ~n->vdev.driver_features))
		return false;
	net_apply_offloads(n, le64toh(offloads));
	return true;
}

static bool net_announced(struct net_dev *n, u8 cmd)
{
	if (cmd != VIRTIO_NET_CTRL_ANNOUNCE_ACK)
		return false;
	n->announce = false;
	return true;
}

static int net_control(struct virtio_dev *vdev, struct vq *vq, struct vq_req *req)
{
	struct net_dev *n = net_of(vdev);
	u8 head[2], ack = VIRTIO_NET_ERR;
	bool ok = false;

	if (copy_from_iter(head, sizeof(head), &req->out) == sizeof(head)) {
		switch (head[0]) {
		case VIRTIO_NET_CTRL_RX:
			ok = net_mode(&n->filter, head[1], &req->out);
			break;
		case VIRTIO_NET_CTRL_MAC:
			ok = net_mac(n, head[1], &req->out);
			break;
		case VIRTIO_NET_CTRL_VLAN:
			ok = net_vlan(&n->filter, head[1], &req->out);
			break;
		case VIRTIO_NET_CTRL_ANNOUNCE:
			ok = net_announced(n, head[1]);
			break;
		case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
			ok = net_guest_offloads(n, head[1], &req->out);
			break;
		}
	}
	if (ok)
		ack = VIRTIO_NET_OK;
	copy_to_iter(&ack, 1, &req->in);
	return 0;
}

/* Link, start and stop */

static void net_status(struct net_dev *n)
{
	__le16 status = htole16((n->link ? VIRTIO_NET_S_LINK_UP : 0) | (n->announce ? VIRTIO_NET_S_ANNOUNCE : 0));

	virtio_config_set(&n->vdev, offsetof(struct virtio_net_config, status), &status, sizeof(status));
}

static void net_link(void *obj, bool up)
{
	struct net_dev *n = obj;

	n->link = up;
	net_status(n);
	if (up)
		net_readable(n);
}

static int net_start(struct virtio_dev *vdev)
{
	struct net_dev *n = net_of(vdev);

	/* 5.1.6.5.1: without the control queue there is nothing to filter by. */
	memset(&n->filter, 0, sizeof(n->filter));
	n->filter.mode[MODE_PROMISCUOUS] = !virtio_has_feature(vdev, VIRTIO_NET_F_CTRL_RX);
	n->filter.vlan_on = virtio_has_feature(vdev, VIRTIO_NET_F_CTRL_VLAN);
	memcpy(n->mac, n->card.mac, NET_MAC);
	net_apply_offloads(n, vdev->driver_features);
	return net_attach(n->net, vdev->loop[0]);
}

static void net_stop(struct virtio_dev *vdev)
{
	struct net_dev *n = net_of(vdev);

	net_detach(n->net);
}

/* Creation */

static void net_closed(void *arg)
{
	net_close(arg);
}

static void net_free(void *arg)
{
	struct net_dev *n = arg;

	if (n->net && keep_put(dev_keep(&n->vdev.dev), n->vdev.dev.name, n->net, net_closed))
		net_close(n->net);
}

/* kvmtool's address, the last byte counted on. */
static int net_card(struct net_dev *n)
{
	static const u8 mac[NET_MAC] = { 0x02, 0x15, 0x15, 0x15, 0x15, 0x15 };
	unsigned int b[NET_MAC], i;
	char rest;

	memcpy(n->card.mac, mac, NET_MAC);
	n->card.mac[NET_MAC - 1] += n->vdev.dev.index;
	n->card.mtu = n->mtu;
	if (!n->mac_text)
		return 0;
	if (sscanf(n->mac_text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &rest) != NET_MAC ||
	    b[0] & 1)
		return dev_err(&n->vdev.dev, -EINVAL, "mac=%s: six bytes that are no group's, as in 02:15:15:15:15:15", n->mac_text);
	for (i = 0; i < NET_MAC; i++)
		n->card.mac[i] = b[i];
	return 0;
}

static u64 net_features(u32 offloads)
{
	u64 features = 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS | 1ULL << VIRTIO_NET_F_MTU |
		       1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_NET_F_CTRL_VQ | 1ULL << VIRTIO_NET_F_CTRL_RX |
		       1ULL << VIRTIO_NET_F_CTRL_RX_EXTRA | 1ULL << VIRTIO_NET_F_CTRL_VLAN |
		       1ULL << VIRTIO_NET_F_CTRL_MAC_ADDR | 1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE |
		       1ULL << VIRTIO_NET_F_SPEED_DUPLEX;

	if (offloads & NET_OFF_CSUM)
		features |= 1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM |
			    1ULL << VIRTIO_NET_F_CTRL_GUEST_OFFLOADS;
	if (offloads & NET_OFF_TSO4)
		features |= 1ULL << VIRTIO_NET_F_HOST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO4;
	if (offloads & NET_OFF_TSO6)
		features |= 1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_GUEST_TSO6;
	return features;
}

/* Events of the wire while the guest runs. */
static int net_allow(struct net_dev *n)
{
	const char *path;
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && (path = net_reads(n->net, i)); i++)
		ret = dev_allow(&n->vdev.dev, path, LANDLOCK_READ);
	if (net_connects(n->net))
		dev_allow_tcp(&n->vdev.dev);
	return ret;
}

static int net_init(struct virtio_dev *vdev)
{
	static const struct net_ops ops = { .readable = net_readable, .writable = net_writable, .link = net_link };
	struct net_dev *n = net_of(vdev);
	struct virtio_net_config *config = vdev->config;
	struct opt_err err;
	int ret = dev_defer(&vdev->dev, net_free, n);

	if (!ret)
		ret = net_card(n);
	if (ret)
		return ret;
	if (!n->spec)
		n->spec = "user";
	n->net = keep_take(dev_keep(&vdev->dev), vdev->dev.name);
	if (n->net)
		net_reuse(n->net, &n->card, &ops, n);
	else
		ret = net_open(&n->net, n->spec, &n->card, &ops, n, &err);
	if (ret) {
		dev_err(&vdev->dev, -EINVAL, "%s", err.text);
		return ret;
	}
	ret = net_allow(n);
	if (ret)
		return ret;
	n->link = true;
	vdev->features |= net_features(net_offloads(n->net));
	memcpy(config->mac, n->card.mac, NET_MAC);
	config->status = htole16(VIRTIO_NET_S_LINK_UP);
	config->max_virtqueue_pairs = htole16(1);
	config->mtu = htole16(n->card.mtu);
	config->speed = htole32(SPEED_UNKNOWN);
	config->duplex = DUPLEX_FULL;
	return 0;
}

static const struct vq_ops net_queues[NET_QUEUES] = {
	[NET_RX] = { .name = "receive", .depth = NET_DEPTH, .kick = net_rx },
	[NET_TX] = { .name = "transmit", .depth = NET_DEPTH, .kick = net_tx },
	[NET_CONTROL] = { .name = "control", .depth = 64, .request = net_control },
};

static const struct virtio_ops net_ops_virtio = {
	.id = VIRTIO_ID_NET,
	.queues = NET_QUEUES,
	.vq = net_queues,
	.config_size = sizeof(struct virtio_net_config),
	.thread = THREAD_NET,
	.pci_class = 0x020000,		/* Ethernet */
	.init = net_init,
	.start = net_start,
	.stop = net_stop,
};

static const struct opt net_opts[] = {
	OPT_STR(0, "net", struct net_dev, spec, "MODE[,,OPTION...]", "the wire (default: user)"),
	OPT_STR(0, "mac", struct net_dev, mac_text, "MAC", "its address (default: 02:15:15:15:15:15, counted on)"),
	OPT_INT(0, "mtu", struct net_dev, mtu, NET_MTU_MIN, NET_MTU_MAX, "N", "bytes of a packet (default: the wire's)"),
	OPT_END
};

/* The loaded values are the guest's, or forged. */
static int net_loaded(struct device *dev, enum state_kind kind)
{
	struct net_dev *n = container_of(container_of(dev, struct virtio_dev, dev), struct net_dev, vdev);

	return n->filter.nr_unicast > NET_MACS || n->filter.nr_multicast > NET_MACS ? -EINVAL : 0;
}

static const struct state_field net_state[] = {
	STATE(struct net_dev, filter),
	STATE(struct net_dev, mac),
	STATE(struct net_dev, link),
	STATE(struct net_dev, announce),
	STATE_END
};

DEVICE_TYPE(net_type) = {
	.name = "virtio-net",
	.help = "a network card",
	.size = sizeof(struct net_dev),
	.opts = net_opts,
	.init = virtio_init,
	.state = net_state,
	.loaded = net_loaded,
	.ops = &net_ops_virtio,
};
