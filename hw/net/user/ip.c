// SPDX-License-Identifier: GPL-2.0
/*
 * IPv4 (RFC 791) and IPv6 (RFC 8200) headers, the Internet checksum (RFC 1071), and
 * errors by ICMP. Fragments are dropped and counted: a guest whose MTU is ours sends
 * none but on purpose, and reassembly is memory that others fill. The network's loop.
 */
#include <errno.h>
#include <string.h>

#include <linux/kernel.h>

#include "user.h"

#define ETHERTYPE_IP4	0x0800
#define ETHERTYPE_IP6	0x86dd

#define IP4_HEADER	20
#define IP6_HEADER	40
#define IP4_MORE	0x2000		/* more fragments */
#define IP4_OFFSET	0x1fff

/* Extension headers that are skipped (RFC 8200, 4): how many at most. */
#define IP6_EXTENSIONS	8

addr_t addr_v4(struct in_addr a)
{
	addr_t addr = { 0 };

	addr.s6_addr[10] = addr.s6_addr[11] = 0xff;
	memcpy(addr.s6_addr + 12, &a, 4);
	return addr;
}

bool addr_is_v4(const addr_t *a)
{
	return IN6_IS_ADDR_V4MAPPED(a);
}

struct in_addr addr_to_v4(const addr_t *a)
{
	struct in_addr v4;

	memcpy(&v4, a->s6_addr + 12, 4);
	return v4;
}

bool addr_eq(const addr_t *a, const addr_t *b)
{
	return !memcmp(a, b, sizeof(*a));
}

socklen_t addr_socket(const addr_t *a, u16 port, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (addr_is_v4(a)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		v4->sin_addr = addr_to_v4(a);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	v6->sin6_addr = *a;
	return sizeof(*v6);
}

void addr_from_socket(const struct sockaddr_storage *in, addr_t *a, u16 *port)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)in;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)in;

	if (in->ss_family == AF_INET) {
		*a = addr_v4(v4->sin_addr);
		*port = ntohs(v4->sin_port);
	} else {
		*a = v6->sin6_addr;
		*port = ntohs(v6->sin6_port);
	}
}

/* Checksums: RFC 1071, of 16-bit words in network order, added up in 32 bits. */

/* RFC 9293, 3.1; RFC 8200, 8.1 */
u32 sum_pseudo(const addr_t *src, const addr_t *dst, u8 proto, size_t len)
{
	u32 sum = proto + (len >> 16) + (len & 0xffff);

	if (addr_is_v4(dst)) {
		sum = sum_add(sum, src->s6_addr + 12, 4);
		return sum_add(sum, dst->s6_addr + 12, 4);
	}
	sum = sum_add(sum, src, sizeof(*src));
	return sum_add(sum, dst, sizeof(*dst));
}

u32 sum_iter(u32 sum, const struct iov_iter *i)
{
	struct iov_iter copy = *i;
	u8 buf[2048];		/* even, so that pieces add up */
	size_t n;

	while ((n = copy_from_iter(buf, sizeof(buf), &copy)))
		sum = sum_add(sum, buf, n);
	return sum;
}

/* To the guest */

size_t ip_header_len(const addr_t *dst)
{
	return ETH_HEADER + (addr_is_v4(dst) ? IP4_HEADER : IP6_HEADER);
}

static void ip4_header(struct user *u, u8 *p, const addr_t *src, const addr_t *dst, u8 proto, size_t len,
		       u8 hops)
{
	memset(p, 0, IP4_HEADER);
	p[0] = 0x45;
	/* A frame that is to be cut may be longer than the field; who cuts it computes it anew. */
	put16(p + 2, min(IP4_HEADER + len, (size_t)0xffff));
	put16(p + 4, u->ip_id++);
	put16(p + 6, 0x4000);		/* do not fragment */
	p[8] = hops;
	p[9] = proto;
	memcpy(p + 12, src->s6_addr + 12, 4);
	memcpy(p + 16, dst->s6_addr + 12, 4);
	put16(p + 10, sum_fold(sum_add(0, p, IP4_HEADER)));
}

static void ip6_header(u8 *p, const addr_t *src, const addr_t *dst, u8 proto, size_t len, u8 hops)
{
	put32(p, 0x60000000);
	put16(p + 4, min(len, (size_t)0xffff));
	p[6] = proto;
	p[7] = hops;
	memcpy(p + 8, src, 16);
	memcpy(p + 24, dst, 16);
}

/* RFC 2464, 7; RFC 1112, 6.4 */
static void eth_dst(const struct user *u, u8 *mac, const addr_t *dst)
{
	if (!addr_is_v4(dst) && dst->s6_addr[0] == 0xff) {
		put16(mac, 0x3333);
		memcpy(mac + 2, dst->s6_addr + 12, 4);
	} else if (addr_is_v4(dst) && addr_to_v4(dst).s_addr == INADDR_BROADCAST) {
		memset(mac, 0xff, NET_MAC);
	} else {
		memcpy(mac, user_mac_of(u, dst), NET_MAC);
	}
}

void ip_header(struct user *u, u8 *p, const addr_t *src, const addr_t *dst, u8 proto, size_t len, u8 hops)
{
	bool v4 = addr_is_v4(dst);

	eth_dst(u, p, dst);
	memcpy(p + 6, u->host_mac, NET_MAC);
	put16(p + 12, v4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
	if (v4)
		ip4_header(u, p + ETH_HEADER, src, dst, proto, len, hops);
	else
		ip6_header(p + ETH_HEADER, src, dst, proto, len, hops);
}

/* Errors: RFC 792; RFC 4443, 3. Never about another error, nor about what was sent to all (RFC 1122, 3.2.2). */

static bool ip_error_wanted(const struct packet *p)
{
	const u8 *l4 = p->head + (p->v6 ? IP6_HEADER : IP4_HEADER);

	if (addr_is_v4(&p->dst) ? addr_to_v4(&p->dst).s_addr == INADDR_BROADCAST ||
	    IN_MULTICAST(ntohl(addr_to_v4(&p->dst).s_addr)) : p->dst.s6_addr[0] == 0xff)
		return false;
	if (p->proto == IPPROTO_ICMPV6)
		return l4[0] & 0x80;
	return p->proto != IPPROTO_ICMP || l4[0] == 8 || l4[0] == 0;
}

void ip_unreachable(struct user *u, const struct packet *p, u16 v4, u16 v6, u32 info)
{
	u8 *icmp;

	if (!ip_error_wanted(p))
		return;
	icmp = user_frame_new(u, p->v6 ? &u->host6 : &u->host4, &p->src, p->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			      8 + p->head_len, IP_HOPS);
	if (!icmp)
		return;
	put16(icmp, p->v6 ? v6 : v4);
	put16(icmp + 2, 0);
	put32(icmp + 4, info);
	memcpy(icmp + 8, p->head, p->head_len);
	user_frame_send(u, 2);
}

bool ip_failed(struct user *u, const struct packet *p, int err, u32 mtu)
{
	switch (-err) {
	case EMSGSIZE:
		ip_unreachable(u, p, UNREACH4_TOO_BIG, TOO_BIG6, mtu);
		return true;
	case EACCES:
	case EPERM:
		ip_unreachable(u, p, UNREACH4_ADMIN, UNREACH6_ADMIN, 0);
		return true;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		ip_unreachable(u, p, UNREACH4_HOST, UNREACH6_ADDR, 0);
		return true;
	case ENETUNREACH:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		ip_unreachable(u, p, UNREACH4_NET, UNREACH6_ROUTE, 0);
		return true;
	default:
		return false;
	}
}

void ip_quote(struct user *u, struct packet *p, const struct flow *f, u8 proto, u32 word)
{
	size_t header = ip_header_len(&f->guest) - ETH_HEADER;
	u8 frame[ETH_HEADER + sizeof(p->head)], *l4 = frame + ETH_HEADER + header;

	*p = (struct packet) { .src = f->guest, .dst = f->host, .proto = proto, .v6 = !addr_is_v4(&f->guest),
			       .head_len = header + 8 };
	ip_header(u, frame, &p->src, &p->dst, proto, 8, IP_HOPS);
	put16(l4, f->guest_port);
	put16(l4 + 2, f->host_port);
	put32(l4 + 4, word);
	memcpy(p->head, frame + ETH_HEADER, p->head_len);
}

/* From the guest */

static bool ip_local4(const struct user *u, struct in_addr a)
{
	return a.s_addr == INADDR_ANY || !((a.s_addr ^ u->host_ip.s_addr) & u->mask.s_addr);
}

/* The length of the header; 0: it is no packet that goes further. */
static size_t ip4_parse(struct user *u, struct packet *p, const u8 *h, size_t have, size_t *total)
{
	size_t len = (h[0] & 15) * 4;
	struct in_addr src, dst;

	*total = get16(h + 2);
	if (h[0] >> 4 != 4 || len < IP4_HEADER || len > have || *total < len) {
		u->stats.short_frames++;
		return 0;
	}
	if (sum_fold(sum_add(0, h, len))) {
		u->stats.bad_checksum++;
		return 0;
	}
	if (get16(h + 6) & (IP4_MORE | IP4_OFFSET)) {
		u->stats.fragments++;
		return 0;
	}
	memcpy(&src, h + 12, 4);
	memcpy(&dst, h + 16, 4);
	/* A guest has addresses of this network; RFC 2827. */
	if (!ip_local4(u, src) || src.s_addr == u->host_ip.s_addr) {
		u->stats.not_ours++;
		return 0;
	}
	p->src = addr_v4(src);
	p->dst = addr_v4(dst);
	p->proto = h[9];
	p->hops = h[8];
	return len;
}

/* The header and the extensions that a host skips (RFC 8200, 4); @h holds @have bytes. */
static size_t ip6_parse(struct user *u, struct packet *p, const u8 *h, size_t have, size_t *total)
{
	size_t len = IP6_HEADER;
	unsigned int n;
	u8 next;

	if (have < IP6_HEADER || h[0] >> 4 != 6) {
		u->stats.short_frames++;
		return 0;
	}
	*total = IP6_HEADER + get16(h + 4);
	memcpy(&p->src, h + 8, 16);
	memcpy(&p->dst, h + 24, 16);
	p->hops = h[7];
	next = h[6];
	/* Mapped addresses are for sockets only (RFC 4291, 2.5.5.2), and nobody is a group. */
	if (addr_is_v4(&p->src) || addr_is_v4(&p->dst) || p->src.s6_addr[0] == 0xff || addr_eq(&p->src, &u->host6)) {
		u->stats.not_ours++;
		return 0;
	}
	for (n = 0; next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING; n++) {
		if (n == IP6_EXTENSIONS || len + 8 > have || (next == IPPROTO_ROUTING && h[len + 3])) {
			u->stats.short_frames++;
			return 0;
		}
		next = h[len];
		len += (h[len + 1] + 1) * 8;
	}
	if (next == IPPROTO_FRAGMENT || len > have || *total < len) {
		u->stats.fragments++;
		return 0;
	}
	p->proto = next;
	return len;
}

static void ip_deliver(struct user *u, struct packet *p)
{
	/* The guest may change a packet after pairs_owner() has looked at it: others have TCP alone. */
	if (u->index && p->proto != IPPROTO_TCP)
		return;
	/* A router takes one hop; what ends here has arrived (RFC 1812, 5.2.2). */
	if (!p->to_host && p->hops <= 1) {
		ip_unreachable(u, p, TIME4_EXCEEDED, TIME6_EXCEEDED, 0);
		return;
	}
	switch (p->proto) {
	case IPPROTO_TCP:
		tcp_input(u, p);
		break;
	case IPPROTO_UDP:
		udp_input(u, p);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (p->v6 == (p->proto == IPPROTO_ICMPV6))
			icmp_input(u, p);
		break;
	default:
		/* RFC 792: protocol unreachable; RFC 4443, 3.4: unrecognized next header. */
		ip_unreachable(u, p, 3 << 8 | 2, 4 << 8 | 1, p->v6 ? 6 : 0);
	}
}

void ip_input(struct user *u, struct iov_iter *frame, const u8 *src_mac, const struct net_hdr *hdr, bool v6)
{
	struct packet p = { .v6 = v6, .checked = hdr->flags & (NET_CSUM | NET_CSUM_VALID),
			    .gso_size = hdr->gso_type != NET_GSO_NONE ? le16toh(hdr->gso_size) : 0 };
	struct iov_iter copy = *frame;
	size_t have, len, total;
	u8 h[256];

	have = copy_from_iter(h, sizeof(h), &copy);
	if (have < IP4_HEADER) {
		u->stats.short_frames++;
		return;
	}
	len = v6 ? ip6_parse(u, &p, h, have, &total) : ip4_parse(u, &p, h, have, &total);
	if (!len)
		return;
	/* A packet longer than its frame was cut on the way; a shorter one is padded (RFC 894). */
	if (total > iov_iter_count(frame)) {
		u->stats.short_frames++;
		return;
	}
	iov_iter_truncate(frame, total);
	p.head_len = min(have, min(total, len + 8));
	if (p.head_len > sizeof(p.head))
		p.head_len = sizeof(p.head);
	memcpy(p.head, h, p.head_len);
	iov_iter_advance(frame, len);
	p.data = *frame;
	p.len = total - len;
	memcpy(p.src_mac, src_mac, NET_MAC);
	p.to_host = user_is_host(u, &p.dst);
	user_learn(u, &p.src, src_mac);
	ip_deliver(u, &p);
}
