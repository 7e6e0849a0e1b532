// SPDX-License-Identifier: GPL-2.0
/*
 * A virtual switch as a wire: see switch.h. A frame of the guest goes to the member
 * whose address it has, or to all. Others' addresses are learned from their frames; a
 * member can take neither the gateway's address nor that of another member's card.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "frame.h"
#include "switch.h"

#define HDR	sizeof(struct net_hdr)

static struct switch_net *switch_of(struct net *n)
{
	return container_of(n, struct switch_net, net);
}

static void switch_readable(struct switch_net *sw)
{
	if (sw->net.ops->readable)
		sw->net.ops->readable(sw->net.obj, 0);
}

static void switch_writable(struct switch_net *sw)
{
	if (sw->net.ops->writable)
		sw->net.ops->writable(sw->net.obj, 0);
}

/* Links */

static void link_readable(struct net_port *p)
{
	switch_readable(container_of(p, struct switch_link, port)->sw);
}

static void link_writable(struct net_port *p)
{
	switch_writable(container_of(p, struct switch_link, port)->sw);
}

int switch_link_open(struct switch_net *sw, int fd, struct switch_link **out)
{
	static const struct net_port_ops ops = { .readable = link_readable, .writable = link_writable };
	struct switch_link *l = sw->link, *end = sw->link + ARRAY_SIZE(sw->link);

	while (l < end && l->port.fd >= 0)
		l++;
	if (l == end) {
		close(fd);
		return -ENOSPC;
	}
	*l = (struct switch_link) { .sw = sw };
	net_port_init(&l->port, fd, &ops);
	*out = l;
	return 0;
}

void switch_link_close(struct switch_link *l)
{
	net_port_close(&l->port);
	l->known = false;
	l->nr_macs = 0;
}

static bool link_has(const struct switch_link *l, const u8 *mac)
{
	unsigned int i;

	for (i = 0; i < l->nr_macs; i++)
		if (!memcmp(l->mac[i], mac, NET_MAC))
			return true;
	return false;
}

static struct switch_link *switch_find(struct switch_net *sw, const u8 *mac)
{
	struct switch_link *l;

	for (l = sw->link; l < sw->link + ARRAY_SIZE(sw->link); l++)
		if (l->known && link_has(l, mac))
			return l;
	return NULL;
}

/* False: the frame says that it comes from somebody else. */
static bool link_learn(struct switch_link *l, const u8 *mac)
{
	struct switch_net *sw = l->sw;
	struct switch_link *old;
	unsigned int i;

	if ((mac[0] & 1) || !memcmp(mac, sw->mac, NET_MAC) || !memcmp(mac, sw->gateway_mac, NET_MAC))
		return false;
	if (link_has(l, mac))
		return true;
	old = switch_find(sw, mac);
	if (old && !memcmp(old->mac[0], mac, NET_MAC))
		return false;
	/* It has moved, as behind a bridge. */
	for (i = 1; old && i < old->nr_macs; i++)
		if (!memcmp(old->mac[i], mac, NET_MAC))
			memset(old->mac[i], 0, NET_MAC);
	i = 1 + l->next_mac++ % (SWITCH_MACS - 1);
	memcpy(l->mac[i], mac, NET_MAC);
	l->nr_macs = max(l->nr_macs, i + 1);
	return true;
}

/* To the guest */

/* The link's next frame is in the inbox; false: it has none. */
static bool link_read(struct switch_net *sw, struct switch_link *l)
{
	struct net_inbox *in = &sw->inbox;
	unsigned int i;

	for (i = 0; l->port.fd >= 0 && i < SWITCH_MEMBERS; i++) {
		bool known = l->known;
		int ret = net_port_read(&l->port, in);

		if (ret == -EAGAIN)
			return false;
		if (!ret && known && link_learn(l, in->frame + HDR + NET_MAC))
			return true;
		if (ret || (!known && !switch_hello(l, in->frame, in->len)))
			switch_link_close(l);
		net_inbox_drop(in);
	}
	/* So many in a row that are for nobody: the others have their turn. */
	if (l->port.fd >= 0)
		net_port_later(&l->port);
	return false;
}

static size_t switch_pending(struct net *n, unsigned int pair)
{
	struct switch_net *sw = switch_of(n);
	unsigned int nr = ARRAY_SIZE(sw->link) + 1, i;
	size_t len;

	if (net_inbox_pending(&sw->inbox))
		return net_inbox_pending(&sw->inbox);
	for (i = 0; i < nr; i++, sw->turn = (sw->turn + 1) % nr) {
		if (sw->turn) {
			if (link_read(sw, &sw->link[sw->turn - 1]))
				return net_inbox_pending(&sw->inbox);
			continue;
		}
		len = net_pending(sw->gateway, 0);
		if (len)
			return len;
	}
	return 0;
}

static ssize_t switch_receive(struct net *n, unsigned int pair, struct iov_iter *in)
{
	struct switch_net *sw = switch_of(n);
	ssize_t len;

	if (!net_inbox_pending(&sw->inbox) && !switch_pending(n, 0))
		return -EAGAIN;
	len = net_inbox_pending(&sw->inbox) ? net_inbox_receive(&sw->inbox, in) : net_receive(sw->gateway, 0, in);
	/* A frame that is cut is one frame. */
	if (!net_inbox_pending(&sw->inbox))
		sw->turn = (sw->turn + 1) % (ARRAY_SIZE(sw->link) + 1);
	return len;
}

/* From the guest */

static void switch_flood(struct switch_net *sw, const struct iov_iter *out)
{
	struct switch_link *l;

	for (l = sw->link; l < sw->link + ARRAY_SIZE(sw->link); l++) {
		struct iov_iter frame = *out;

		/* One that takes none now loses it. */
		if (l->known)
			net_port_send(&l->port, &frame);
	}
}

static int switch_send(struct net *n, unsigned int pair, struct iov_iter *out)
{
	struct switch_net *sw = switch_of(n);
	struct iov_iter look = *out;
	struct switch_link *l;
	u8 eth[ETH_HEADER];

	iov_iter_advance(&look, HDR);
	if (copy_from_iter(eth, sizeof(eth), &look) < sizeof(eth) || iov_iter_count(out) > NET_FRAME_MAX)
		return -EINVAL;
	if (!memcmp(eth, sw->gateway_mac, NET_MAC))
		return net_send(sw->gateway, 0, out);
	l = eth[0] & 1 ? NULL : switch_find(sw, eth);
	if (l)
		return net_port_send(&l->port, out);
	switch_flood(sw, out);
	return eth[0] & 1 ? net_send(sw->gateway, 0, out) : 0;
}

static void switch_set_offloads(struct net *n, u32 offloads)
{
	struct switch_net *sw = switch_of(n);

	net_inbox_set_offloads(&sw->inbox, offloads);
	net_set_offloads(sw->gateway, offloads);
}

/* Start and stop */

static void switch_detach(struct net *n, unsigned int pair)
{
	struct switch_net *sw = switch_of(n);
	struct switch_link *l;

	net_detach(sw->gateway, 0);
	loop_del(sw->loop, &sw->listen);
	for (l = sw->link; l < sw->link + ARRAY_SIZE(sw->link); l++)
		net_port_detach(&l->port);
	net_inbox_drop(&sw->inbox);
	sw->loop = NULL;
}

static int switch_attach(struct net *n, unsigned int pair, struct loop *loop)
{
	struct switch_net *sw = switch_of(n);
	struct switch_link *l;
	int ret = net_attach(sw->gateway, 0, loop);

	if (ret)
		return ret;
	ret = loop_add(loop, &sw->listen, EPOLLIN | EPOLLET);
	if (ret) {
		net_detach(sw->gateway, 0);
		return ret;
	}
	sw->loop = loop;
	for (l = sw->link; l < sw->link + ARRAY_SIZE(sw->link); l++)
		if (l->port.fd >= 0 && net_port_attach(&l->port, loop))
			switch_link_close(l);
	return 0;
}

/* The gateway: a user-mode network that only this guest sees */

static void gateway_readable(void *obj, unsigned int pair)
{
	switch_readable(obj);
}

static void gateway_writable(void *obj, unsigned int pair)
{
	switch_writable(obj);
}

static const struct net_ops gateway_ops = { .readable = gateway_readable, .writable = gateway_writable };

static struct in6_addr switch_addr6(const struct switch_net *sw, unsigned int slot)
{
	struct in6_addr a = sw->prefix6;

	a.s6_addr[15] = 0x14 + slot;
	return a;
}

/* A machine's name, or its name in the domain of the switches. */
static bool switch_name_is(const char *name, const char *asked)
{
	size_t len = strlen(name);

	return len && !strncasecmp(asked, name, len) && (!asked[len] || !strcasecmp(asked + len, "." NET_DOMAIN));
}

static bool switch_name(void *obj, const char *asked, struct in_addr *v4, struct in6_addr *v6)
{
	struct switch_net *sw = obj;
	const struct switch_link *l, *found = NULL;

	if (switch_name_is(sw->host_name, asked)) {
		*v4 = sw->addr;
		*v6 = switch_addr6(sw, sw->slot);
		return true;
	}
	for (l = sw->link; l < sw->link + ARRAY_SIZE(sw->link) && !found; l++)
		if (l->known && switch_name_is(l->name, asked))
			found = l;
	if (!found)
		return false;
	*v4 = found->addr;
	*v6 = switch_addr6(sw, found->slot);
	return true;
}

static int switch_gateway(struct switch_net *sw, struct net_card *card, struct opt_err *err)
{
	char gateway[INET_ADDRSTRLEN], guest[INET_ADDRSTRLEN], *spec, *more;
	unsigned int i;
	int ret;

	inet_ntop(AF_INET, &sw->network, gateway, sizeof(gateway));
	inet_ntop(AF_INET, &sw->addr, guest, sizeof(guest));
	if (asprintf(&spec, "user,host_ip=%s/%d,guest_ip=%s%s", gateway, sw->bits, guest, sw->out ? "" : ",restrict") < 0)
		return net_bad(err, -ENOMEM, "out of memory");
	for (i = 0; i < sw->forwards.nr; i++) {
		ret = asprintf(&more, "%s,forward=%s", spec, sw->forwards.item[i]);
		free(spec);
		if (ret < 0)
			return net_bad(err, -ENOMEM, "out of memory");
		spec = more;
	}
	ret = net_open(&sw->gateway, spec, card, &gateway_ops, sw, err);
	free(spec);
	if (ret)
		return ret;
	user_share(sw->gateway, switch_name, sw, sw->gateway_mac, &sw->prefix6);
	return 0;
}

/* Creation */

static int switch_open(struct net *n, struct net_card *card, struct opt_err *err)
{
	struct switch_net *sw = switch_of(n);
	struct switch_link *l;
	int ret;

	sw->listen = (struct watch) { .fd = -1, .fn = switch_accept };
	for (l = sw->link; l < sw->link + ARRAY_SIZE(sw->link); l++)
		l->port.fd = -1;
	ret = switch_network(sw, err);
	if (ret)
		return ret;
	if (net_inbox_new(&sw->inbox))
		return net_bad(err, -ENOMEM, "out of memory");
	ret = switch_join(sw, card, err);
	return ret ? ret : switch_gateway(sw, card, err);
}

static void switch_close(struct net *n)
{
	struct switch_net *sw = switch_of(n);
	struct switch_link *l;

	if (sw->loop)
		switch_detach(n, 0);
	switch_leave(sw);
	/* Before open() has said that they are free, none is. */
	for (l = sw->link; sw->inbox.frame && l < sw->link + ARRAY_SIZE(sw->link); l++)
		switch_link_close(l);
	if (sw->gateway)
		net_close(sw->gateway);
	net_inbox_free(&sw->inbox);
}

static void switch_reuse(struct net *n, struct net_card *card)
{
	struct switch_net *sw = switch_of(n);

	net_reuse(sw->gateway, card, &gateway_ops, sw);
}

static int switch_describe(struct net *n, struct net_guest *out, struct opt_err *err)
{
	struct switch_net *sw = switch_of(n);
	struct in6_addr addr6;
	char text[INET6_ADDRSTRLEN];
	int ret = sw->gateway ? net_user.describe(sw->gateway, out, err) : switch_network(sw, err);

	if (ret || !sw->gateway)
		return ret;
	memcpy(out->mac, sw->mac, NET_MAC);
	addr6 = switch_addr6(sw, sw->slot);
	snprintf(out->addr6, sizeof(out->addr6), "%s/64", inet_ntop(AF_INET6, &addr6, text, sizeof(text)));
	return 0;
}

static const char *switch_reads(const struct net *n, unsigned int i)
{
	return net_reads(container_of(n, struct switch_net, net)->gateway, i);
}

static const char *switch_removes(const struct net *n)
{
	return container_of(n, struct switch_net, net)->dir;
}

static bool switch_connects(const struct net *n)
{
	return container_of(n, struct switch_net, net)->out;
}

/* Forwards are the gateway's. */

static int switch_forward(struct net *n, const char *text, int fd, struct opt_err *err)
{
	return net_forward(switch_of(n)->gateway, text, fd, err);
}

static int switch_unforward(struct net *n, const char *text, struct opt_err *err)
{
	return net_unforward(switch_of(n)->gateway, text, err);
}

static bool switch_forward_text(struct net *n, unsigned int i, char *out, size_t size)
{
	return net_forward_text(switch_of(n)->gateway, i, out, size);
}

static const struct opt switch_opts[] = {
	OPT_STR_FIRST("name", struct switch_net, name, "NAME", "of the switch; the first machine on it makes it"),
	OPT_BOOL(0, "out", struct switch_net, out, "a way out by the user-mode network, too"),
	OPT_STR(0, "host_ip", struct switch_net, host_ip_text, "ADDR[/BITS]",
		"of the gateway, the same for all machines (default: a /24 of 10.64.0.0/10, by NAME)"),
	OPT_LIST(0, "forward", struct switch_net, forwards, "tcp|udp:[HOSTADDR:]PORT:[GUEST:]PORT",
		 "a port of the host that leads to this guest; again for more"),
	OPT_END
};

const struct net_type net_switch = {
	.name = "switch",
	.help = "a network of machines of yours, with addresses and names; needs no rights",
	.opts = switch_opts,
	.size = sizeof(struct switch_net),
	.offloads = NET_OFF_CSUM | NET_OFF_TSO4 | NET_OFF_TSO6,
	.open = switch_open,
	.describe = switch_describe,
	.reuse = switch_reuse,
	.reads = switch_reads,
	.removes = switch_removes,
	.connects = switch_connects,
	.close = switch_close,
	.attach = switch_attach,
	.detach = switch_detach,
	.set_offloads = switch_set_offloads,
	.pending = switch_pending,
	.receive = switch_receive,
	.send = switch_send,
	.forward = switch_forward,
	.unforward = switch_unforward,
	.forward_text = switch_forward_text,
};
