// SPDX-License-Identifier: GPL-2.0
/*
 * The user-mode network as a wire (kvm/net.h): frames from the guest go up to the
 * protocols at once; frames for it are made when it has a buffer. First come the small
 * ones that wait in a ring, then datagrams, then segments of connections. The
 * network's loop.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "pairs.h"

#define ETHERTYPE_IP4	0x0800
#define ETHERTYPE_ARP	0x0806
#define ETHERTYPE_IP6	0x86dd

/* kvmtool's addresses; the IPv6 prefix is a unique local one (RFC 4193). */
#define USER_HOST_IP	"192.168.33.1"
#define USER_GUEST_IP	"192.168.33.15"
#define USER_PREFIX6	"fd00:6c6b:766d:33::"

static const u8 user_host_mac[NET_MAC] = { 0x02, 0x01, 0x01, 0x01, 0x01, 0x01 };

/* Addresses */

bool user_is_host(const struct user *u, const addr_t *a)
{
	if (addr_is_v4(a)) {
		struct in_addr v4 = addr_to_v4(a);

		return v4.s_addr == u->host_ip.s_addr || v4.s_addr == INADDR_BROADCAST ||
		       v4.s_addr == (u->host_ip.s_addr | ~u->mask.s_addr);
	}
	return addr_eq(a, &u->host6) || addr_eq(a, &u->link6) || a->s6_addr[0] == 0xff;
}

bool user_is_local(const struct user *u, const addr_t *a)
{
	if (addr_is_v4(a))
		return !((addr_to_v4(a).s_addr ^ u->host_ip.s_addr) & u->mask.s_addr);
	return !memcmp(a, &u->prefix6, 8) || IN6_IS_ADDR_LINKLOCAL(a);
}

/* Addresses of the host that mean itself, or nothing outside. */
static bool user_is_special(const addr_t *a)
{
	if (addr_is_v4(a)) {
		u32 v4 = ntohl(addr_to_v4(a).s_addr);

		return v4 >> 24 == 127 || v4 >> 24 == 0 || IN_MULTICAST(v4) || v4 == INADDR_BROADCAST;
	}
	return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_MULTICAST(a) ||
	       IN6_IS_ADDR_LINKLOCAL(a);
}

bool user_route(struct user *u, const addr_t *dst, u16 port, addr_t *to)
{
	struct in_addr loopback = { .s_addr = htonl(INADDR_LOOPBACK) };

	if (u->restricted)
		return false;
	if (user_is_host(u, dst) && port == 53)
		return dns_server(u, 0, to);
	if (addr_eq(dst, &u->host4) || addr_eq(dst, &u->host6)) {
		*to = addr_is_v4(dst) ? addr_v4(loopback) : in6addr_loopback;
		return u->loopback;
	}
	if (user_is_special(dst) || user_is_local(u, dst))
		return false;
	*to = *dst;
	return true;
}

void user_learn(struct user *u, const addr_t *a, const u8 *mac)
{
	struct neighbour *n;
	unsigned int i;

	if (!user_is_local(u, a))
		return;
	for (i = 0; i < USER_NEIGHBOURS; i++)
		if (u->neighbour[i].known && addr_eq(&u->neighbour[i].addr, a))
			break;
	if (i == USER_NEIGHBOURS)
		i = u->neighbour_next++ % USER_NEIGHBOURS;
	n = &u->neighbour[i];
	n->addr = *a;
	n->known = true;
	memcpy(n->mac, mac, NET_MAC);
}

const u8 *user_mac_of(const struct user *u, const addr_t *a)
{
	unsigned int i;

	for (i = 0; i < USER_NEIGHBOURS; i++)
		if (u->neighbour[i].known && addr_eq(&u->neighbour[i].addr, a))
			return u->neighbour[i].mac;
	return u->guest_mac;
}

/* Small frames for the guest */

void user_wake(struct user *u)
{
	if (!u->empty)
		return;
	u->empty = false;
	/* Not from here: the card would read what is being made, or read while it reads. */
	if (u->loop)
		loop_defer(u->loop, &u->wake);
}

static void user_woken(struct work *w)
{
	struct user *u = container_of(w, struct user, wake);

	const struct net *n = &u->main->net;

	if (n->ops->readable)
		n->ops->readable(n->obj, u->index);
}

static struct user_frame *user_frame_next(struct user *u, size_t len)
{
	struct user_frame *f;

	if (u->frame_nr == USER_FRAMES || len > USER_FRAME_MAX) {
		u->stats.no_room++;
		return NULL;
	}
	f = &u->frame[(u->frame_head + u->frame_nr) % USER_FRAMES];
	f->len = len;
	return f;
}

u8 *user_frame_new(struct user *u, const addr_t *src, const addr_t *dst, u8 proto, size_t len, u8 hops)
{
	size_t head = ip_header_len(dst);
	struct user_frame *f = user_frame_next(u, head + len);

	if (!f)
		return NULL;
	u->frame_proto = proto;
	u->frame_src = *src;
	u->frame_dst = *dst;
	ip_header(u, f->data, src, dst, proto, len, hops);
	return f->data + head;
}

void user_frame_send(struct user *u, int sum_at)
{
	struct user_frame *f = &u->frame[(u->frame_head + u->frame_nr) % USER_FRAMES];
	size_t head = ip_header_len(&u->frame_dst), len = f->len - head;
	u16 sum;

	if (sum_at >= 0) {
		/* ICMP for IPv4 is the one without a pseudo header (RFC 792). */
		sum = sum_fold(sum_add(u->frame_proto == IPPROTO_ICMP ? 0 :
				       sum_pseudo(&u->frame_src, &u->frame_dst, u->frame_proto, len),
				       f->data + head, len));
		if (!sum && u->frame_proto == IPPROTO_UDP)
			sum = 0xffff;
		put16(f->data + head + sum_at, sum);
	}
	u->frame_nr++;
	user_wake(u);
}

u8 *user_frame_raw(struct user *u, const u8 *dst_mac, u16 ethertype, size_t len)
{
	struct user_frame *f = user_frame_next(u, ETH_HEADER + len);

	if (!f)
		return NULL;
	memcpy(f->data, dst_mac, NET_MAC);
	memcpy(f->data + NET_MAC, u->host_mac, NET_MAC);
	put16(f->data + 2 * NET_MAC, ethertype);
	return f->data + ETH_HEADER;
}

void user_frame_raw_send(struct user *u)
{
	u->frame_nr++;
	user_wake(u);
}

/* The wire */

static struct user *user_of(struct net *n)
{
	return container_of(n, struct user, net);
}

/* That of @pair. */
static struct user *user_pair(struct net *n, unsigned int pair)
{
	return pairs_user(user_of(n), pair);
}

static int user_send(struct net *n, unsigned int pair, struct iov_iter *out)
{
	struct user *u = user_of(n);
	unsigned int owner = u->pairs ? pairs_owner(u, pair, out) : pair;

	return owner == pair ? user_input(pairs_user(u, pair), out) : pairs_post(u, owner, pair, out);
}

int user_input(struct user *u, struct iov_iter *out)
{
	struct net_hdr hdr;
	u8 eth[ETH_HEADER];

	if (copy_from_iter(&hdr, sizeof(hdr), out) < sizeof(hdr) || copy_from_iter(eth, sizeof(eth), out) < sizeof(eth)) {
		u->stats.short_frames++;
		return -EINVAL;
	}
	u->stats.in++;
	if (!(eth[0] & 1) && memcmp(eth, u->host_mac, NET_MAC)) {
		u->stats.not_ours++;
		return 0;
	}
	switch (get16(eth + 12)) {
	case ETHERTYPE_IP4:
		ip_input(u, out, eth + NET_MAC, &hdr, false);
		break;
	case ETHERTYPE_IP6:
		ip_input(u, out, eth + NET_MAC, &hdr, true);
		break;
	case ETHERTYPE_ARP:
		arp_input(u, out);
		break;
	default:
		u->stats.not_ours++;
	}
	return 0;
}

static size_t user_pending(struct net *n, unsigned int pair)
{
	struct user *u = user_pair(n, pair);

	if (u->frame_nr)
		return sizeof(struct net_hdr) + u->frame[u->frame_head].len;
	if (tcp_pending(u) && (u->offloads & (NET_OFF_TSO4 | NET_OFF_TSO6)))
		return NET_FRAME_MAX;
	if ((u->udp && udp_pending(u)) || tcp_pending(u))
		return sizeof(struct net_hdr) + ETH_HEADER + u->mtu;
	u->empty = true;
	return 0;
}

static ssize_t user_receive(struct net *n, unsigned int pair, struct iov_iter *in)
{
	struct user *u = user_pair(n, pair);
	struct net_hdr hdr = { 0 };
	ssize_t len;

	if (u->frame_nr) {
		const struct user_frame *f = &u->frame[u->frame_head];

		u->frame_head = (u->frame_head + 1) % USER_FRAMES;
		u->frame_nr--;
		if (iov_iter_count(in) < sizeof(hdr) + f->len)
			return -EMSGSIZE;
		copy_to_iter(&hdr, sizeof(hdr), in);
		copy_to_iter(f->data, f->len, in);
		len = sizeof(hdr) + f->len;
	} else {
		len = u->udp ? udp_output(u, in) : 0;
		if (!len)
			len = tcp_output(u, in);
	}
	if (len <= 0) {
		u->empty = true;
		return -EAGAIN;
	}
	u->stats.out++;
	return len;
}

static void user_set_offloads(struct net *n, u32 offloads)
{
	for (int i = 0; i < n->pairs; i++)
		user_pair(n, i)->offloads = offloads & NET_OFF_CSUM ? offloads : 0;
}

/* Start and stop */

static int user_attach(struct net *n, unsigned int pair, struct loop *loop)
{
	struct user *u = user_pair(n, pair);
	struct user_forward *fw;

	u->loop = loop;
	u->empty = true;
	u->wake.fn = user_woken;
	pairs_attach(u, loop);
	tcp_attach(u, loop);
	if (pair)
		return 0;
	udp_attach(u, loop);
	icmp_attach(u, loop);
	for (fw = u->forward; fw < u->forward + USER_FORWARDS; fw++)
		if (fw->fd >= 0)
			forward_start(fw);
	return 0;
}

static void user_detach_services(struct user *u)
{
	struct user_forward *fw;

	udp_detach(u);
	icmp_detach(u);
	dns_detach(u);
	for (fw = u->forward; fw < u->forward + USER_FORWARDS; fw++)
		if (fw->fd >= 0)
			forward_stop(fw);
}

static void user_detach(struct net *n, unsigned int pair)
{
	struct user *u = user_pair(n, pair);

	pairs_detach(u);
	loop_undefer(u->loop, &u->wake);
	tcp_detach(u);
	if (!pair)
		user_detach_services(u);
	u->frame_nr = 0;
	u->loop = NULL;
}

static void user_set_pairs(struct net *n, unsigned int nr)
{
	pairs_set(user_of(n), nr);
}

/* Creation */

static bool user_mac(const char *text, u8 *mac)
{
	unsigned int b[NET_MAC], i;
	char rest;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &rest) != NET_MAC)
		return false;
	for (i = 0; i < NET_MAC; i++)
		mac[i] = b[i];
	return !(mac[0] & 1);
}

static bool user_has_route6(void)
{
	/* A documentation address (RFC 3849): connecting a UDP socket asks the routing table, nothing is sent. */
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has;

	inet_pton(AF_INET6, "2001:db8::1", &to.sin6_addr);
	has = fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof(to));
	if (fd >= 0)
		close(fd);
	return has;
}

/* "ADDR[/BITS]" */
static bool user_network(struct user *u, const char *text)
{
	char copy[32], *slash;
	int bits = 24;
	char rest;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (slash) {
		*slash = '\0';
		if (sscanf(slash + 1, "%d%c", &bits, &rest) != 1 || bits < 8 || bits > 30)
			return false;
	}
	u->mask.s_addr = htonl(~0U << (32 - bits));
	return inet_pton(AF_INET, copy, &u->host_ip) == 1 && u->host_ip.s_addr & ~u->mask.s_addr;
}

static int user_addresses(struct user *u, struct net_card *card, struct opt_err *err)
{
	const char *host = u->host_ip_text ? u->host_ip_text : USER_HOST_IP;
	bool own = !u->guest_ip_text && u->host_ip_text;
	const char *guest = u->guest_ip_text ? u->guest_ip_text : USER_GUEST_IP;

	if (!user_network(u, host))
		return net_bad(err, -EINVAL, "host_ip=%s: an IPv4 address, with /8 to /30 for another network than /24", host);
	if (own)
		u->guest_ip.s_addr = (u->host_ip.s_addr & u->mask.s_addr) | (htonl(15) & ~u->mask.s_addr);
	else if (inet_pton(AF_INET, guest, &u->guest_ip) != 1)
		return net_bad(err, -EINVAL, "guest_ip=%s: not an IPv4 address", guest);
	if (((u->guest_ip.s_addr ^ u->host_ip.s_addr) & u->mask.s_addr) || u->guest_ip.s_addr == u->host_ip.s_addr ||
	    !(u->guest_ip.s_addr & ~u->mask.s_addr))
		return net_bad(err, -EINVAL, "guest_ip=%s and host_ip=%s: two addresses of one network are wanted", guest, host);
	memcpy(u->host_mac, user_host_mac, NET_MAC);
	if (u->host_mac_text && !user_mac(u->host_mac_text, u->host_mac))
		return net_bad(err, -EINVAL, "host_mac=%s: six bytes, as in 02:01:01:01:01:01", u->host_mac_text);
	if (u->guest_mac_text && !user_mac(u->guest_mac_text, card->mac))
		return net_bad(err, -EINVAL, "guest_mac=%s: six bytes, as in 02:15:15:15:15:15", u->guest_mac_text);
	memcpy(u->guest_mac, card->mac, NET_MAC);
	u->host4 = addr_v4(u->host_ip);
	u->guest4 = addr_v4(u->guest_ip);
	inet_pton(AF_INET6, USER_PREFIX6, &u->prefix6);
	u->host6 = u->prefix6;
	u->host6.s6_addr[15] = 1;
	inet_pton(AF_INET6, "fe80::1", &u->link6);
	return 0;
}

static int user_forward(struct net *n, const char *text, int fd, struct opt_err *err)
{
	return forward_add(user_of(n), text, fd, err);
}

static int user_unforward(struct net *n, const char *text, struct opt_err *err)
{
	return forward_remove(user_of(n), text, err);
}

static bool user_forward_text(struct net *n, unsigned int i, char *out, size_t size)
{
	return forward_text(user_of(n), i, out, size);
}

static int user_open(struct net *n, struct net_card *card, struct opt_err *err)
{
	struct user *u = user_of(n);
	unsigned int i;
	int ret;

	for (i = 0; i < USER_FORWARDS; i++)
		u->forward[i].fd = -1;
	u->main = u;
	u->mtu = card->mtu = u->mtu_option ? u->mtu_option : card->mtu ? card->mtu : NET_MTU_MAX;
	u->host_name = card->host_name;
	u->max_leases = USER_LEASES;
	if (u->host_text && strcmp(u->host_text, "loopback"))
		return net_bad(err, -EINVAL, "host=%s: loopback is the only word", u->host_text);
	u->loopback = u->host_text != NULL;
	ret = user_addresses(u, card, err);
	if (ret)
		return ret;
	u->route6 = user_has_route6();
	u->frame = calloc(USER_FRAMES, sizeof(*u->frame));
	if (!u->frame || tcp_new(u) || udp_new(u) || dns_new(u) || (n->pairs > 1 && pairs_new(u, n->pairs)))
		return net_bad(err, -ENOMEM, "out of memory");
	for (i = 0; !ret && i < u->forwards.nr; i++)
		ret = user_forward(n, u->forwards.item[i], -1, err);
	return ret;
}

static void user_reuse(struct net *n, struct net_card *card)
{
	struct user *u = user_of(n);

	tcp_forget(u);
	pairs_forget(u);
	udp_forget(u);
	icmp_free(u);
	u->nr_leases = 0;
	u->frame_nr = 0;
	memset(u->neighbour, 0, sizeof(u->neighbour));
	card->mtu = u->mtu;
	memcpy(card->mac, u->guest_mac, NET_MAC);
}

static const char *user_reads(const struct net *n, unsigned int i)
{
	return dns_reads(container_of(n, struct user, net), i);
}

static bool user_connects(const struct net *n)
{
	return !container_of(n, struct user, net)->restricted;
}

static int user_describe(struct net *n, struct net_guest *out, struct opt_err *err)
{
	struct user *u = user_of(n);
	struct net_card card = { 0 };
	char text[INET6_ADDRSTRLEN];
	int ret;

	memcpy(card.mac, out->mac, NET_MAC);
	ret = user_addresses(u, &card, err);
	if (ret)
		return ret;
	memcpy(out->mac, card.mac, NET_MAC);
	snprintf(out->addr, sizeof(out->addr), "%s/%d", inet_ntop(AF_INET, &u->guest_ip, text, sizeof(text)),
		 __builtin_popcount(u->mask.s_addr));
	inet_ntop(AF_INET, &u->host_ip, out->dns, sizeof(out->dns));
	snprintf(out->addr6, sizeof(out->addr6), USER_PREFIX6 "15/64");
	/* A restricted guest reaches the gateway and nothing behind it. */
	if (!u->restricted)
		inet_ntop(AF_INET, &u->host_ip, out->gateway, sizeof(out->gateway));
	if (!u->restricted && user_has_route6())
		inet_ntop(AF_INET6, &u->link6, out->gateway6, sizeof(out->gateway6));
	return 0;
}

static void user_close(struct net *n)
{
	struct user *u = user_of(n);
	unsigned int i;

	for (i = 0; u->main && i < (unsigned int)n->pairs; i++)
		if (pairs_user(u, i) && pairs_user(u, i)->loop)
			user_detach(n, i);
	for (i = 0; i < USER_FORWARDS; i++)
		if (u->frame && u->forward[i].fd >= 0)
			close(u->forward[i].fd);
	tcp_free(u);
	pairs_free(u);
	udp_free(u);
	icmp_free(u);
	dns_free(u);
	free(u->frame);
}

static const struct opt user_opts[] = {
	OPT_STR(0, "host_ip", struct user, host_ip_text, "ADDR[/BITS]", "of the gateway (default: " USER_HOST_IP "/24)"),
	OPT_STR(0, "guest_ip", struct user, guest_ip_text, "ADDR", "of the guest (default: " USER_GUEST_IP ")"),
	OPT_STR(0, "host_mac", struct user, host_mac_text, "MAC", "of the gateway"),
	OPT_STR(0, "guest_mac", struct user, guest_mac_text, "MAC", "of the guest"),
	OPT_STR(0, "host", struct user, host_text, "loopback", "the gateway's address is the host's loopback"),
	OPT_BOOL(0, "restrict", struct user, restricted, "nothing goes out; forwards come in"),
	OPT_LIST(0, "forward", struct user, forwards, "tcp|udp:[HOSTADDR:]PORT:[GUEST:]PORT",
		 "a port of the host that leads to the guest; host port 0: any; also unix:PATH:[GUEST:]PORT; again for more"),
	OPT_INT(0, "mtu", struct user, mtu_option, 1280, NET_MTU_MAX, "N", "bytes of a packet (default: 65520)"),
	OPT_END
};

const struct net_type net_user = {
	.name = "user",
	.help = "addresses, names and connections by the host's sockets; needs no rights",
	.opts = user_opts,
	.size = sizeof(struct user),
	.offloads = NET_OFF_CSUM | NET_OFF_TSO4 | NET_OFF_TSO6,
	.open = user_open,
	.describe = user_describe,
	.reuse = user_reuse,
	.reads = user_reads,
	.connects = user_connects,
	.close = user_close,
	.attach = user_attach,
	.detach = user_detach,
	.set_offloads = user_set_offloads,
	.set_pairs = user_set_pairs,
	.pairs = NET_PAIRS_MAX,
	.pending = user_pending,
	.receive = user_receive,
	.send = user_send,
	.forward = user_forward,
	.unforward = user_unforward,
	.forward_text = user_forward_text,
};
