// SPDX-License-Identifier: GPL-2.0
/*
 * One end of a wire between two cards of a guest. "lkvm run -n loop" makes the pair of
 * sockets, and a card for each.
 */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "packet.h"

struct loop_net {
	struct packet packet;
	int fd;
};

static int loop_open(struct net *n, struct net_card *card, struct opt_err *err)
{
	struct loop_net *l = container_of(n, struct loop_net, packet.net);
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(l->fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_SEQPACKET)
		return net_bad(err, -EINVAL, "loop is two cards, which lkvm run -n loop makes");
	packet_reuse(n, card);
	return packet_open(&l->packet, l->fd, err);
}

static const struct opt loop_opts[] = {
	OPT_INT(0, "mtu", struct loop_net, packet.mtu, NET_MTU_MIN, NET_MTU_MAX, "N", "bytes of a packet (default: 1500)"),
	OPT_INT(0, "fd", struct loop_net, fd, 0, INT_MAX, "N", "this end, which lkvm run fills in"),
	OPT_END
};

const struct net_type net_loop = {
	.name = "loop",
	.help = "two cards of the guest, with a wire between them",
	.opts = loop_opts,
	.size = sizeof(struct loop_net),
	.offloads = NET_OFF_CSUM | NET_OFF_TSO4 | NET_OFF_TSO6,
	.open = loop_open,
	.close = packet_close,
	.reuse = packet_reuse,
	.attach = packet_attach,
	.detach = packet_detach,
	.set_offloads = packet_set_offloads,
	.pending = packet_pending,
	.receive = packet_receive,
	.send = packet_send,
};
