// SPDX-License-Identifier: GPL-2.0
/*
 * Address resolution: ARP (RFC 826) for IPv4, neighbour discovery (RFC 4861) and
 * router advertisements with RDNSS (RFC 8106) for IPv6. The router answers for its own
 * addresses only. Where the host has no way out by IPv6 the advertised router lifetime
 * is 0, so that no guest takes it for a default route. The network's loop.
 */
#include <string.h>

#include <linux/kernel.h>

#include "user.h"

#define ETHERTYPE_ARP	0x0806
#define ARP_LEN		28

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };
enum { ND_RS = 133, ND_RA = 134, ND_NS = 135, ND_NA = 136 };
enum { ND_OPT_SOURCE = 1, ND_OPT_TARGET = 2, ND_OPT_PREFIX = 3, ND_OPT_MTU = 5, ND_OPT_RDNSS = 25 };

#define ND_LIFETIME	1800		/* s, of the router */
#define ND_PREFIX_LIFETIME 86400

static const addr_t all_nodes = { .s6_addr = { 0xff, 2, [15] = 1 } };

void arp_input(struct user *u, struct iov_iter *frame)
{
	u8 in[ARP_LEN], *out;
	struct in_addr src, dst;
	addr_t sender;

	if (copy_from_iter(in, sizeof(in), frame) < sizeof(in) || get16(in) != 1 || get16(in + 2) != 0x0800 ||
	    in[4] != NET_MAC || in[5] != 4) {
		u->stats.short_frames++;
		return;
	}
	memcpy(&src, in + 14, 4);
	memcpy(&dst, in + 24, 4);
	sender = addr_v4(src);
	/* 0.0.0.0 asks whether an address is free (RFC 5227, 2.1.1). */
	if (src.s_addr != INADDR_ANY && !user_is_host(u, &sender))
		user_learn(u, &sender, in + 8);
	if (get16(in + 6) != ARP_REQUEST || dst.s_addr != u->host_ip.s_addr)
		return;
	out = user_frame_raw(u, in + 8, ETHERTYPE_ARP, ARP_LEN);
	if (!out)
		return;
	memcpy(out, in, 6);
	put16(out + 6, ARP_REPLY);
	memcpy(out + 8, u->host_mac, NET_MAC);
	memcpy(out + 14, &u->host_ip, 4);
	memcpy(out + 18, in + 8, NET_MAC + 4);
	user_frame_raw_send(u);
}

static void nd_solicited(struct user *u, const struct packet *p, const addr_t *target)
{
	bool unspecified = IN6_IS_ADDR_UNSPECIFIED(&p->src);
	u8 *na;

	if (!addr_eq(target, &u->host6) && !addr_eq(target, &u->link6))
		return;
	na = user_frame_new(u, target, unspecified ? &all_nodes : &p->src, IPPROTO_ICMPV6, 32, 255);
	if (!na)
		return;
	memset(na, 0, 32);
	na[0] = ND_NA;
	na[4] = 0x80 | 0x20 | (unspecified ? 0 : 0x40);	/* router, override, solicited */
	memcpy(na + 8, target, 16);
	na[24] = ND_OPT_TARGET;
	na[25] = 1;
	memcpy(na + 26, u->host_mac, NET_MAC);
	user_frame_send(u, 2);
}

/* RFC 4861, 4.2, 4.6; RFC 8106, 5.1. One prefix of 64 bits, for addresses that guests choose (RFC 4862). */
void nd_advertise(struct user *u)
{
	size_t len = 16 + 8 + 8 + 32 + 24;
	u8 *ra = user_frame_new(u, &u->link6, &all_nodes, IPPROTO_ICMPV6, len, 255), *p;

	if (!ra)
		return;
	memset(ra, 0, len);
	ra[0] = ND_RA;
	ra[4] = IP_HOPS;
	ra[5] = 0x40;			/* other configuration by DHCPv6 */
	put16(ra + 6, u->route6 && !u->restricted ? ND_LIFETIME : 0);
	p = ra + 16;
	p[0] = ND_OPT_SOURCE;
	p[1] = 1;
	memcpy(p + 2, u->host_mac, NET_MAC);
	p += 8;
	p[0] = ND_OPT_MTU;
	p[1] = 1;
	put32(p + 4, u->mtu);
	p += 8;
	p[0] = ND_OPT_PREFIX;
	p[1] = 4;
	p[2] = 64;
	p[3] = 0x80 | 0x40;		/* on the link, autonomous */
	put32(p + 4, ND_PREFIX_LIFETIME);
	put32(p + 8, ND_PREFIX_LIFETIME);
	memcpy(p + 16, &u->prefix6, 8);
	p += 32;
	p[0] = ND_OPT_RDNSS;
	p[1] = 3;
	put32(p + 4, ND_PREFIX_LIFETIME);
	memcpy(p + 8, &u->host6, 16);
	user_frame_send(u, 2);
}

/* RFC 4861, 7.1.1: from a neighbour, whose packets have all their hops. */
void nd_input(struct user *u, struct packet *p)
{
	u8 in[24];
	addr_t target;

	if (p->hops != 255)
		return;
	if (copy_from_iter(in, sizeof(in), &p->data) < 8 || in[1])
		return;
	if (in[0] == ND_RS) {
		nd_advertise(u);
	} else if (in[0] == ND_NS && p->len >= sizeof(in)) {
		memcpy(&target, in + 8, sizeof(target));
		nd_solicited(u, p, &target);
	}
}
