// SPDX-License-Identifier: GPL-2.0
/* A wire that is a descriptor for each pair of queues: see packet.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/kernel.h>

#include "packet.h"

static struct packet *packet_of(struct net *n)
{
	return container_of(n, struct packet, net);
}

static void packet_readable(struct net_port *port)
{
	struct packet_pair *pair = container_of(port, struct packet_pair, port);
	struct net *n = &pair->packet->net;

	if (n->ops->readable)
		n->ops->readable(n->obj, pair - pair->packet->pair);
}

static void packet_writable(struct net_port *port)
{
	struct packet_pair *pair = container_of(port, struct packet_pair, port);
	struct net *n = &pair->packet->net;

	if (n->ops->writable)
		n->ops->writable(n->obj, pair - pair->packet->pair);
}

int packet_open(struct packet *p, int fd, struct opt_err *err)
{
	static const struct net_port_ops ops = { .readable = packet_readable, .writable = packet_writable };
	struct packet_pair *pair = &p->pair[p->nr_pairs++];

	pair->packet = p;
	net_port_init(&pair->port, fd, &ops);
	return net_inbox_new(&pair->inbox) ? net_bad(err, -ENOMEM, "out of memory") : 0;
}

void packet_close(struct net *n)
{
	struct packet *p = packet_of(n);

	while (p->nr_pairs) {
		struct packet_pair *pair = &p->pair[--p->nr_pairs];

		net_port_close(&pair->port);
		net_inbox_free(&pair->inbox);
	}
}

void packet_reuse(struct net *n, struct net_card *card)
{
	struct packet *p = packet_of(n);

	if (p->mtu || !card->mtu)
		card->mtu = p->mtu ? p->mtu : PACKET_MTU;
}

int packet_attach(struct net *n, unsigned int pair, struct loop *loop)
{
	struct packet_pair *p = &packet_of(n)->pair[pair];

	return p->down ? 0 : net_port_attach(&p->port, loop);
}

void packet_detach(struct net *n, unsigned int pair)
{
	struct packet_pair *p = &packet_of(n)->pair[pair];

	net_port_detach(&p->port);
	net_inbox_drop(&p->inbox);
}

void packet_set_offloads(struct net *n, u32 offloads)
{
	struct packet *p = packet_of(n);
	unsigned int i;

	for (i = 0; i < p->nr_pairs; i++)
		net_inbox_set_offloads(&p->pair[i].inbox, offloads);
}

size_t packet_pending(struct net *n, unsigned int pair)
{
	struct packet_pair *p = &packet_of(n)->pair[pair];

	if (!net_inbox_pending(&p->inbox) && !p->down && net_port_read(&p->port, &p->inbox) == -EPIPE) {
		net_port_detach(&p->port);
		p->down = true;
		net_link_set(n, false);
	}
	return net_inbox_pending(&p->inbox);
}

ssize_t packet_receive(struct net *n, unsigned int pair, struct iov_iter *in)
{
	return packet_pending(n, pair) ? net_inbox_receive(&packet_of(n)->pair[pair].inbox, in) : -EAGAIN;
}

int packet_send(struct net *n, unsigned int pair, struct iov_iter *out)
{
	struct packet_pair *p = &packet_of(n)->pair[pair];
	size_t len = iov_iter_count(out);

	if (len < sizeof(struct net_hdr) + 14 || len > NET_FRAME_MAX)
		return -EINVAL;
	return p->down ? 0 : net_port_send(&p->port, out);
}

/* Addresses */

static bool packet_addr(const char *text, bool bits, char *out, size_t size)
{
	char addr[INET_ADDRSTRLEN], rest;
	const char *slash = strchr(text, '/');
	struct in_addr a;
	int n = 24;

	snprintf(addr, sizeof(addr), "%.*s", (int)strcspn(text, "/"), text);
	if (inet_pton(AF_INET, addr, &a) != 1 || (slash && !bits))
		return false;
	if (slash && (sscanf(slash + 1, "%d%c", &n, &rest) != 1 || n < 1 || n > 32))
		return false;
	if (bits)
		snprintf(out, size, "%s/%d", addr, n);
	else
		snprintf(out, size, "%s", addr);
	return true;
}

int packet_guest_describe(const struct packet_guest *g, struct net_guest *out, struct opt_err *err)
{
	if (g->guest_ip && !packet_addr(g->guest_ip, true, out->addr, sizeof(out->addr)))
		return net_bad(err, -EINVAL, "guest_ip=%s: an IPv4 address, with /1 to /32 for another network than /24",
			       g->guest_ip);
	if (g->gateway && !packet_addr(g->gateway, false, out->gateway, sizeof(out->gateway)))
		return net_bad(err, -EINVAL, "gateway=%s: not an IPv4 address", g->gateway);
	if (g->dns && !packet_addr(g->dns, false, out->dns, sizeof(out->dns)))
		return net_bad(err, -EINVAL, "dns=%s: not an IPv4 address", g->dns);
	if (g->gateway && !g->guest_ip)
		return net_bad(err, -EINVAL, "gateway=%s: it needs guest_ip=, too", g->gateway);
	return 0;
}

int packet_describe(struct net *n, struct net_guest *out, struct opt_err *err)
{
	return packet_guest_describe(&packet_of(n)->guest, out, err);
}

const struct opt packet_guest_opts[] = {
	OPT_STR(0, "guest_ip", struct packet_guest, guest_ip, "ADDR[/BITS]",
		"of the guest, which lkvm's PID 1 configures (default: none)"),
	OPT_STR(0, "gateway", struct packet_guest, gateway, "ADDR", "of the guest's default route"),
	OPT_STR(0, "dns", struct packet_guest, dns, "ADDR", "of the guest's name server"),
	OPT_END
};
