// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-net: a network card (virtio 1.2, 5.1) with one or more pairs of queues and a
 * control queue, in front of a wire (kvm/net.h). Frames go between the guest's buffers
 * and the wire without a copy here. Each pair of queues has a thread. The pairs share
 * only what is under net_dev.lock, and atomic flags.
 *
 * A frame for the guest may take several buffers (5.1.6.4). The wire says how long its
 * next frame is at most; so many buffers are taken, and those that it did not need go
 * back unserved.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
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
#include <kvm/nic.h>
#include <kvm/opt.h>
#include <kvm/virtio.h>

#include "net_filter.h"

#define NET_DEPTH	256
/* Frames of one queue before the others have their turn. */
#define NET_BATCH	64
/* Buffers and their segments that a frame may take: Linux gives pages, or 64 KiB in 19 pieces. */
#define NET_BUFFERS	64
#define NET_SEGMENTS	256

/* 5.1.2: 2i and 2i + 1 are pair i's; the control queue is behind those that the driver uses. */
enum { NET_RX, NET_TX };

struct net_pair {
	struct net_dev *dev;
	unsigned int index;
	bool attached;
	u64 seen;			/* net_dev.version that filter is a copy of */
	struct net_filter filter;
	unsigned int most;		/* buffers that the driver has had available at one time */
	struct vq_req *rx[NET_BUFFERS];
	struct iovec iov[NET_SEGMENTS];
	atomic_ullong unwanted, no_room, unsent;	/* frames that were dropped */
};

struct net_dev {
	struct virtio_dev vdev;
	const char *spec, *mac_text;	/* suboptions */
	int mtu;
	struct net *net;
	struct net_card card;
	struct net_pair *pair;		/* [card.pairs] */
	atomic_uint active;		/* pairs whose receive queues may be used: 5.1.6.5.5 */
	atomic_bool link;
	atomic_ullong version;		/* counts changes of the filter */
	pthread_mutex_t lock;		/* of the rest: a leaf but for config_lock */
	struct net_filter filter;
	u64 offloads;			/* features that are on: 5.1.6.5.6 */
	u16 pairs;			/* that the driver has asked for, == active */
	bool announce;
};

static struct net_dev *net_of(struct virtio_dev *vdev)
{
	return container_of(vdev, struct net_dev, vdev);
}

static struct vq *net_vq(struct net_pair *p, unsigned int direction)
{
	return &p->dev->vdev.vq[2 * p->index + direction];
}

/* To the guest */

/* Give back what was not needed: the last one taken first. */
static void net_untake(struct net_pair *p, struct vq *vq, unsigned int from, unsigned int nr)
{
	while (nr-- > from)
		vq_untake(vq, p->rx[nr]);
}

/*
 * Take buffers for @want bytes: their number, and their segments in @iov; 0: there are
 * not so many now. Without mergeable buffers one has to do, whatever its size. A driver
 * that has as many available as ever has no more: those have to do, too.
 */
static unsigned int net_gather(struct net_pair *p, struct vq *vq, size_t want, unsigned int *nr_iov)
{
	unsigned int most = virtio_has_feature(&p->dev->vdev, VIRTIO_NET_F_MRG_RXBUF) ? NET_BUFFERS : 1;
	unsigned int available = vq_available(vq), nr = 0, segments = 0, i;
	size_t have = 0;

	p->most = max(p->most, available);
	while (nr < most && have < want) {
		struct vq_req *req = vq_next(vq);

		if (!req)
			break;
		p->rx[nr++] = req;
		have += iov_iter_count(&req->in);
		for (i = 0; i < req->in.nr && segments < NET_SEGMENTS; i++)
			p->iov[segments++] = req->in.iov[i];
	}
	*nr_iov = segments;
	if (!nr || (have < want && nr < most && nr < p->most)) {
		net_untake(p, vq, 0, nr);
		return 0;
	}
	return nr;
}

/* The frame of @len bytes is in the first of @nr buffers: complete those. */
static void net_deliver(struct net_pair *p, struct vq *vq, unsigned int nr, size_t len)
{
	struct iov_iter first = p->rx[0]->in;
	unsigned int used = 0, i;
	__le16 buffers;

	for (i = 0; i < nr && (len || !i); i++, used++)
		len -= iov_iter_advance(&p->rx[i]->in, len);
	net_untake(p, vq, used, nr);
	/* 5.1.6.4: 1 where buffers are not merged. */
	buffers = htole16(used);
	iov_iter_advance(&first, offsetof(struct net_hdr, num_buffers));
	copy_to_iter(&buffers, sizeof(buffers), &first);
	for (i = 0; i < used; i++)
		vq_done(vq, p->rx[i]);
}

static bool net_is_wanted(struct net_pair *p, unsigned int nr_iov)
{
	u64 version = atomic_load(&p->dev->version);
	u8 eth[18] = { 0 };
	struct iov_iter i;
	size_t len;

	if (p->seen != version) {
		pthread_mutex_lock(&p->dev->lock);
		p->filter = p->dev->filter;
		pthread_mutex_unlock(&p->dev->lock);
		p->seen = version;
	}
	iov_iter_init(&i, p->iov, nr_iov);
	iov_iter_advance(&i, sizeof(struct net_hdr));
	len = copy_from_iter(eth, sizeof(eth), &i);
	return net_filter_wants(&p->filter, eth, len);
}

/* False: the guest has no room, or the wire nothing. */
static bool net_receive_one(struct net_pair *p, struct vq *vq)
{
	struct net *net = p->dev->net;
	unsigned int nr, nr_iov;
	struct iov_iter i;
	size_t want = net_pending(net, p->index);
	ssize_t len;

	if (!want)
		return false;
	nr = net_gather(p, vq, want, &nr_iov);
	if (!nr)
		return false;
	iov_iter_init(&i, p->iov, nr_iov);
	len = net_receive(net, p->index, &i);
	if (len > 0 && net_is_wanted(p, nr_iov)) {
		net_deliver(p, vq, nr, len);
		return true;
	}
	net_untake(p, vq, 0, nr);
	if (len > 0)
		atomic_fetch_add_explicit(&p->unwanted, 1, memory_order_relaxed);
	else if (len == -EMSGSIZE)
		atomic_fetch_add_explicit(&p->no_room, 1, memory_order_relaxed);
	return len != -EAGAIN;
}

static void net_rx(struct net_pair *p)
{
	struct vq *vq = net_vq(p, NET_RX);
	unsigned int i;

	for (i = 0; i < NET_BATCH; i++)
		if (!atomic_load(&p->dev->link) || p->index >= atomic_load(&p->dev->active) || !net_receive_one(p, vq))
			return;
	vq_kick(vq);
}

static void net_readable(void *obj, unsigned int pair)
{
	struct net_dev *n = obj;

	net_rx(&n->pair[pair]);
}

/* From the guest */

static void net_tx(struct net_pair *p)
{
	struct vq *vq = net_vq(p, NET_TX);
	unsigned int i;

	for (i = 0; i < NET_BATCH; i++) {
		struct vq_req *req = vq_next(vq);
		struct iov_iter frame;
		int ret;

		if (!req)
			return;
		frame = req->out;
		ret = p->attached && atomic_load(&p->dev->link) ? net_send(p->dev->net, p->index, &frame) : -ENETDOWN;
		/* It stays in the ring until the wire has room. */
		if (ret == -EAGAIN) {
			vq_untake(vq, req);
			return;
		}
		if (ret)
			atomic_fetch_add_explicit(&p->unsent, 1, memory_order_relaxed);
		vq_done(vq, req);
	}
	vq_kick(vq);
}

static void net_writable(void *obj, unsigned int pair)
{
	struct net_dev *n = obj;

	net_tx(&n->pair[pair]);
}

/* Commands: 5.1.6.5 */

static const struct {
	unsigned int feature;
	u32 offload;
} net_offload_bits[] = {
	{ VIRTIO_NET_F_GUEST_CSUM, NET_OFF_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO4, NET_OFF_TSO4 },
	{ VIRTIO_NET_F_GUEST_TSO6, NET_OFF_TSO6 },
};

static void net_apply_offloads(struct net_dev *n)
{
	u32 offloads = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(net_offload_bits); i++)
		if (n->offloads & 1ULL << net_offload_bits[i].feature)
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
	n->offloads = le64toh(offloads);
	net_apply_offloads(n);
	return true;
}

static __le16 net_status(const struct net_dev *n)
{
	return htole16((atomic_load(&n->link) ? VIRTIO_NET_S_LINK_UP : 0) | (n->announce ? VIRTIO_NET_S_ANNOUNCE : 0));
}

/* The configuration as the driver reads it, without an interrupt. */
static void net_config(struct net_dev *n)
{
	struct virtio_net_config *config = n->vdev.config;

	pthread_mutex_lock(&n->vdev.config_lock);
	memcpy(config->mac, n->filter.mac, NET_MAC);
	config->status = net_status(n);
	pthread_mutex_unlock(&n->vdev.config_lock);
}

static bool net_announced(struct net_dev *n, u8 cmd)
{
	if (cmd != VIRTIO_NET_CTRL_ANNOUNCE_ACK)
		return false;
	n->announce = false;
	net_config(n);
	return true;
}

/* 5.1.6.5.1 to 5.1.6.5.3; the address is in the configuration before the command is done. */
static bool net_filter_set(struct net_dev *n, u8 class, u8 cmd, struct iov_iter *out)
{
	bool ok = net_filter_command(&n->filter, class, cmd, out);

	atomic_fetch_add(&n->version, 1);
	net_config(n);
	return ok;
}

static void net_apply_pairs(struct net_dev *n)
{
	atomic_store(&n->active, n->pairs);
	net_set_pairs(n->net, n->pairs);
}

/* 5.1.6.5.5.1 */
static bool net_pairs(struct net_dev *n, u8 cmd, struct iov_iter *out)
{
	__le16 pairs;

	if (!virtio_has_feature(&n->vdev, VIRTIO_NET_F_MQ) || cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
	    copy_from_iter(&pairs, sizeof(pairs), out) != sizeof(pairs) || !pairs || le16toh(pairs) > n->card.pairs)
		return false;
	n->pairs = le16toh(pairs);
	net_apply_pairs(n);
	return true;
}

static void net_nothing(void *arg)
{
}

/* 5.1.6.5.5.1: when the command is done nothing more comes on the other pairs. */
static void net_settle(struct net_dev *n)
{
	unsigned int i;

	for (i = n->pairs; i < n->vdev.nr_loops; i++)
		loop_call(n->vdev.loop[i], net_nothing, NULL);
}

static bool net_command(struct net_dev *n, u8 class, u8 cmd, struct iov_iter *out)
{
	switch (class) {
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return net_announced(n, cmd);
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		return net_guest_offloads(n, cmd, out);
	case VIRTIO_NET_CTRL_MQ:
		return net_pairs(n, cmd, out);
	default:
		return net_filter_set(n, class, cmd, out);
	}
}

static void net_control_one(struct net_dev *n, struct vq_req *req)
{
	u8 head[2], ack = VIRTIO_NET_ERR;

	if (copy_from_iter(head, sizeof(head), &req->out) == sizeof(head)) {
		pthread_mutex_lock(&n->lock);
		if (net_command(n, head[0], head[1], &req->out))
			ack = VIRTIO_NET_OK;
		pthread_mutex_unlock(&n->lock);
		if (head[0] == VIRTIO_NET_CTRL_MQ)
			net_settle(n);
	}
	copy_to_iter(&ack, 1, &req->in);
}

static void net_control(struct net_dev *n, struct vq *vq)
{
	struct vq_req *req;
	unsigned int i;

	for (i = 0; i < NET_BATCH; i++) {
		req = vq_next(vq);
		if (!req)
			return;
		net_control_one(n, req);
		vq_done(vq, req);
	}
	vq_kick(vq);
}

/* Queues, start and stop */

/* 5.1.2: of pairs, the driver uses one unless it accepts more. */
static unsigned int net_control_queue(const struct net_dev *n)
{
	return virtio_has_feature(&n->vdev, VIRTIO_NET_F_MQ) ? 2 * n->card.pairs : 2;
}

static void net_kick(struct virtio_dev *vdev, struct vq *vq)
{
	struct net_dev *n = net_of(vdev);

	if (vq->index == net_control_queue(n))
		net_control(n, vq);
	else if (vq->index / 2 >= n->card.pairs)
		return;
	else if (vq->index % 2 == NET_RX)
		net_rx(&n->pair[vq->index / 2]);
	else
		net_tx(&n->pair[vq->index / 2]);
}

/* A pair begins with its receive queue. */
static bool net_begins_pair(const struct net_dev *n, const struct vq *vq)
{
	return vq->index % 2 == NET_RX && vq->index / 2 < n->card.pairs && vq->index != net_control_queue(n);
}

static int net_queue_start(struct virtio_dev *vdev, struct vq *vq)
{
	struct net_dev *n = net_of(vdev);
	struct net_pair *p;
	int ret;

	if (!net_begins_pair(n, vq))
		return 0;
	p = &n->pair[vq->index / 2];
	p->seen = 0;
	p->most = 0;
	ret = net_attach(n->net, p->index, vq->loop);
	p->attached = !ret;
	return ret;
}

static void net_queue_stop(struct virtio_dev *vdev, struct vq *vq)
{
	struct net_dev *n = net_of(vdev);
	struct net_pair *p = &n->pair[vq->index / 2];

	if (!net_begins_pair(n, vq) || !p->attached)
		return;
	p->attached = false;
	net_detach(n->net, p->index);
}

/* The wire has come or gone: any thread. */
static void net_link_changed(void *obj)
{
	struct net_dev *n = obj;
	unsigned int i;
	__le16 status;
	bool up;

	pthread_mutex_lock(&n->lock);
	/* Under the lock: of two changes at a time, the later one sees both. */
	up = net_link(n->net);
	if (up == atomic_load(&n->link)) {
		pthread_mutex_unlock(&n->lock);
		return;
	}
	atomic_store(&n->link, up);
	/* 5.1.6.5.4: who has moved on the network says where it is. */
	n->announce = up && virtio_has_feature(&n->vdev, VIRTIO_NET_F_GUEST_ANNOUNCE);
	status = net_status(n);
	virtio_config_set(&n->vdev, offsetof(struct virtio_net_config, status), &status, sizeof(status));
	pthread_mutex_unlock(&n->lock);
	for (i = 0; up && i < n->card.pairs; i++)
		vq_kick(&n->vdev.vq[2 * i + NET_RX]);
}

static int net_start(struct virtio_dev *vdev)
{
	struct net_dev *n = net_of(vdev);

	pthread_mutex_lock(&n->lock);
	net_filter_reset(&n->filter, n->card.mac, vdev->driver_features);
	atomic_fetch_add(&n->version, 1);
	n->offloads = vdev->driver_features;
	n->pairs = 1;
	net_apply_offloads(n);
	net_apply_pairs(n);
	pthread_mutex_unlock(&n->lock);
	return 0;
}

static void net_stop(struct virtio_dev *vdev)
{
	struct net_dev *n = net_of(vdev);

	pthread_mutex_lock(&n->lock);
	memcpy(n->filter.mac, n->card.mac, NET_MAC);
	n->announce = false;
	net_config(n);
	pthread_mutex_unlock(&n->lock);
}

/* Creation */

static void net_closed(void *arg)
{
	net_close(arg);
}

static void net_free(void *arg)
{
	struct net_dev *n = arg;

	pthread_mutex_destroy(&n->lock);
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

static u64 net_features(u32 offloads, unsigned int pairs)
{
	u64 features = 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS | 1ULL << VIRTIO_NET_F_MTU |
		       1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_NET_F_CTRL_VQ | 1ULL << VIRTIO_NET_F_CTRL_RX |
		       1ULL << VIRTIO_NET_F_CTRL_RX_EXTRA | 1ULL << VIRTIO_NET_F_CTRL_VLAN |
		       1ULL << VIRTIO_NET_F_CTRL_MAC_ADDR | 1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE |
		       1ULL << VIRTIO_NET_F_SPEED_DUPLEX;

	if (pairs > 1)
		features |= 1ULL << VIRTIO_NET_F_MQ;
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
	path = net_removes(n->net);
	if (!ret && path)
		ret = dev_allow(&n->vdev.dev, path, LANDLOCK_SOCKET);
	if (net_connects(n->net))
		dev_allow_tcp(&n->vdev.dev);
	return ret;
}

static int net_wire(struct net_dev *n)
{
	static const struct net_ops ops = { .readable = net_readable, .writable = net_writable, .link = net_link_changed };
	struct device *dev = &n->vdev.dev;
	struct opt_err err;
	int ret;

	if (!n->spec)
		n->spec = "user";
	n->net = keep_take(dev_keep(dev), dev->name);
	if (n->net) {
		net_reuse(n->net, &n->card, &ops, n);
		return 0;
	}
	ret = net_open(&n->net, n->spec, &n->card, &ops, n, &err);
	if (ret)
		dev_err(dev, -EINVAL, "%s", err.text);
	return ret;
}

static int net_pairs_new(struct net_dev *n)
{
	unsigned int i;

	n->pair = dev_alloc(&n->vdev.dev, n->card.pairs * sizeof(*n->pair));
	if (!n->pair)
		return -ENOMEM;
	for (i = 0; i < n->card.pairs; i++) {
		n->pair[i].dev = n;
		n->pair[i].index = i;
	}
	n->vdev.nr_loops = n->card.pairs;
	n->vdev.nr_vqs = 2 * n->card.pairs + 1;
	return 0;
}

/* State */

static const struct state_field net_fields[] = {
	STATE(struct net_dev, filter),
	STATE(struct net_dev, offloads),
	STATE(struct net_dev, pairs),
	STATE_END
};

/* The loaded values are the guest's, or forged. */
static int net_loaded(struct net_dev *n)
{
	if (n->filter.nr_unicast > NET_MACS || n->filter.nr_multicast > NET_MACS || n->pairs > n->card.pairs ||
	    (n->vdev.started && !n->pairs) || (n->offloads & ~n->vdev.driver_features))
		return -EINVAL;
	pthread_mutex_lock(&n->lock);
	atomic_fetch_add(&n->version, 1);
	if (n->vdev.started) {
		net_apply_offloads(n);
		net_apply_pairs(n);
	}
	/* It may be elsewhere now. */
	n->announce = virtio_has_feature(&n->vdev, VIRTIO_NET_F_GUEST_ANNOUNCE);
	net_config(n);
	n->vdev.config_changed |= n->announce;
	pthread_mutex_unlock(&n->lock);
	return 0;
}

/* Behind the state of the queues: their start has set the card up for a new driver. */
static int net_state(void *obj, struct state *s)
{
	struct net_dev *n = obj;

	if (!state_fields(s, net_fields, n) && state_reads(s) && net_loaded(n))
		state_refuse(s, "its values are impossible");
	return state_status(s);
}

static int net_init(struct virtio_dev *vdev)
{
	struct net_dev *n = net_of(vdev);
	struct virtio_net_config *config = vdev->config;
	int ret;

	pthread_mutex_init(&n->lock, NULL);
	ret = dev_defer(&vdev->dev, net_free, n);
	if (!ret)
		ret = net_card(n);
	if (!ret)
		ret = net_wire(n);
	if (!ret)
		ret = net_pairs_new(n);
	if (!ret)
		ret = net_allow(n);
	if (!ret)
		ret = dev_state(&vdev->dev, "card", net_state, n);
	if (ret)
		return ret;
	vdev->features |= net_features(net_offloads(n->net), n->card.pairs);
	memcpy(n->filter.mac, n->card.mac, NET_MAC);
	atomic_store(&n->link, net_link(n->net));
	net_config(n);
	config->max_virtqueue_pairs = htole16(n->card.pairs);
	config->mtu = htole16(n->card.mtu);
	config->speed = htole32(SPEED_UNKNOWN);
	config->duplex = DUPLEX_FULL;
	return 0;
}

static const struct vq_ops net_queues[] = {
	[NET_RX] = { .name = "receive", .depth = NET_DEPTH, .kick = net_kick, .start = net_queue_start, .stop = net_queue_stop },
	[NET_TX] = { .name = "transmit", .depth = NET_DEPTH, .kick = net_kick },
	{ .name = "control", .depth = 64, .kick = net_kick },
};

/* Which queue is the control queue is not known before the driver has chosen. */
static const struct vq_ops *net_queue(const struct virtio_dev *vdev, unsigned int q)
{
	return &net_queues[q == vdev->nr_vqs - 1u ? 2 : q % 2];
}

static unsigned int net_loop_of(const struct virtio_dev *vdev, unsigned int q)
{
	return q == vdev->nr_vqs - 1u ? 0 : q / 2;
}

static const struct virtio_ops net_ops_virtio = {
	.id = VIRTIO_ID_NET,
	.queue = net_queue,
	.loop_of = net_loop_of,
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

/* The card and its wire from outside: see kvm/nic.h. */

static struct net_dev *nic_of(struct device *dev)
{
	return container_of(container_of(dev, struct virtio_dev, dev), struct net_dev, vdev);
}

void nic_look(struct device *dev, struct nic *out)
{
	struct net_dev *n = nic_of(dev);
	unsigned int i;

	*out = (struct nic) { .mode = net_mode(n->net), .link = net_link(n->net), .pairs = n->card.pairs };
	pthread_mutex_lock(&n->lock);
	memcpy(out->mac, n->filter.mac, NET_MAC);
	pthread_mutex_unlock(&n->lock);
	for (i = 0; i < n->card.pairs; i++)
		out->dropped += atomic_load(&n->pair[i].unwanted) + atomic_load(&n->pair[i].no_room) +
				atomic_load(&n->pair[i].unsent);
}

void nic_plug(struct device *dev, bool in)
{
	net_plug(nic_of(dev)->net, in);
}

struct nic_call {
	struct net *net;
	const char *text;
	int fd, ret;
	struct opt_err *err;
	unsigned int i;
	char *out;
	size_t size;
};

static void nic_forward_call(void *arg)
{
	struct nic_call *c = arg;

	c->ret = net_forward(c->net, c->text, c->fd, c->err);
}

static void nic_unforward_call(void *arg)
{
	struct nic_call *c = arg;

	c->ret = net_unforward(c->net, c->text, c->err);
}

static void nic_text_call(void *arg)
{
	struct nic_call *c = arg;

	c->ret = net_forward_text(c->net, c->i, c->out, c->size);
}

static int nic_call(struct device *dev, void (*fn)(void *arg), struct nic_call *c)
{
	struct net_dev *n = nic_of(dev);

	c->net = n->net;
	loop_call(n->vdev.loop[0], fn, c);
	return c->ret;
}

int nic_forward(struct device *dev, const char *text, int fd, struct opt_err *err)
{
	return nic_call(dev, nic_forward_call, &(struct nic_call) { .text = text, .fd = fd, .err = err });
}

int nic_unforward(struct device *dev, const char *text, struct opt_err *err)
{
	return nic_call(dev, nic_unforward_call, &(struct nic_call) { .text = text, .err = err });
}

bool nic_forward_text(struct device *dev, unsigned int i, char *out, size_t size)
{
	return nic_call(dev, nic_text_call, &(struct nic_call) { .i = i, .out = out, .size = size });
}

DEVICE_TYPE(net_type) = {
	.name = "virtio-net",
	.help = "a network card",
	.size = sizeof(struct net_dev),
	.opts = net_opts,
	.init = virtio_init,
	.state = STATELESS,		/* of its own: see net_state() */
	.ops = &net_ops_virtio,
};
