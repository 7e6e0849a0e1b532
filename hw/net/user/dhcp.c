// SPDX-License-Identifier: GPL-2.0
/*
 * DHCP (RFC 2131, 2132, 3442) and stateless DHCPv6 (RFC 8415, 6.1) on the gateway's
 * address. The first guest gets the configured address; others, on a shared network,
 * get the following ones by their MAC address, and keep them. The network's loop.
 */
#include <ctype.h>
#include <string.h>

#include <linux/kernel.h>

#include "user.h"

#define DHCP_FIXED	236		/* bytes before the magic cookie */
#define DHCP_COOKIE	0x63825363
#define DHCP_LEASE	86400		/* s */
#define DHCP_MAX	576		/* RFC 2131, 2: bytes that every client takes, with headers */

enum { BOOT_REQUEST = 1, BOOT_REPLY = 2 };
enum { DHCP_DISCOVER = 1, DHCP_OFFER, DHCP_REQUEST, DHCP_DECLINE, DHCP_ACK, DHCP_NAK, DHCP_RELEASE, DHCP_INFORM };
enum {
	OPT_PAD = 0, OPT_MASK = 1, OPT_ROUTER = 3, OPT_DNS = 6, OPT_HOST_NAME = 12, OPT_MTU = 26, OPT_BROADCAST = 28,
	OPT_ADDRESS = 50, OPT_LEASE = 51, OPT_TYPE = 53, OPT_SERVER = 54, OPT_ROUTES = 121, OPT_LAST = 255,
};

struct dhcp {
	u8 type;
	bool has_address, has_server;
	struct in_addr address, server;
	char name[64];
};

/* A label of a name (RFC 1035, 2.3.1); anything else is none. */
static void dhcp_name(char *name, const u8 *p, u8 len)
{
	for (u8 i = 0; i < len; i++)
		if (len > 63 || !(isalnum(p[i]) || (p[i] == '-' && i)))
			return;
	memcpy(name, p, len);
	name[len] = '\0';
}

static void dhcp_options(struct dhcp *d, const u8 *p, size_t len)
{
	while (len && *p != OPT_LAST) {
		if (*p == OPT_PAD) {
			p++;
			len--;
			continue;
		}
		if (len < 2 || p[1] > len - 2)
			return;
		if (p[0] == OPT_TYPE && p[1] == 1) {
			d->type = p[2];
		} else if (p[0] == OPT_HOST_NAME) {
			dhcp_name(d->name, p + 2, p[1]);
		} else if (p[0] == OPT_ADDRESS && p[1] == 4) {
			memcpy(&d->address, p + 2, 4);
			d->has_address = true;
		} else if (p[0] == OPT_SERVER && p[1] == 4) {
			memcpy(&d->server, p + 2, 4);
			d->has_server = true;
		}
		len -= 2 + p[1];
		p += 2 + p[1];
	}
}

/* The lease of the guest with @mac; NULL: there is none left. */
static struct lease *dhcp_lease(struct user *u, const u8 *mac)
{
	struct in_addr a = u->guest_ip;
	unsigned int i;
	u32 host;

	for (i = 0; i < u->nr_leases; i++)
		if (!memcmp(u->lease[i].mac, mac, NET_MAC))
			return &u->lease[i];
	if (u->nr_leases == u->max_leases)
		return NULL;
	if (u->nr_leases) {
		host = ntohl(u->lease[u->nr_leases - 1].addr.s_addr) + 1;
		if (host == ntohl(u->host_ip.s_addr))
			host++;
		a.s_addr = htonl(host);
		/* Within the network, and not its broadcast address. */
		if (((a.s_addr ^ u->host_ip.s_addr) & u->mask.s_addr) || !~(a.s_addr | u->mask.s_addr))
			return NULL;
	}
	u->lease[u->nr_leases] = (struct lease) { .addr = a };
	memcpy(u->lease[u->nr_leases].mac, mac, NET_MAC);
	return &u->lease[u->nr_leases++];
}

static u8 *dhcp_put(u8 *p, u8 option, const void *data, u8 len)
{
	*p++ = option;
	*p++ = len;
	memcpy(p, data, len);
	return p + len;
}

static u8 *dhcp_put_network(const struct user *u, u8 *p)
{
	struct in_addr broadcast = { .s_addr = u->host_ip.s_addr | ~u->mask.s_addr };
	u8 mtu[2], routes[5] = { 0 };

	put16(mtu, u->mtu);
	p = dhcp_put(p, OPT_MASK, &u->mask, 4);
	p = dhcp_put(p, OPT_BROADCAST, &broadcast, 4);
	if (!u->restricted) {
		p = dhcp_put(p, OPT_ROUTER, &u->host_ip, 4);
		memcpy(routes + 1, &u->host_ip, 4);	/* RFC 3442: 0.0.0.0/0 */
		p = dhcp_put(p, OPT_ROUTES, routes, sizeof(routes));
	}
	p = dhcp_put(p, OPT_DNS, &u->host_ip, 4);
	p = dhcp_put(p, OPT_MTU, mtu, sizeof(mtu));
	if (u->host_name)
		p = dhcp_put(p, OPT_HOST_NAME, u->host_name, min(strlen(u->host_name), (size_t)64));
	return p;
}

/* RFC 2131, table 3 */
static void dhcp_answer(struct user *u, const u8 *in, u8 type, struct in_addr yours)
{
	static const struct in_addr all = { .s_addr = INADDR_BROADCAST };
	addr_t to = addr_v4(all);
	u8 out[DHCP_MAX] = { 0 }, *p = out + DHCP_FIXED + 4;
	u32 lease = htonl(DHCP_LEASE);

	out[0] = BOOT_REPLY;
	memcpy(out + 1, in + 1, 2);		/* hardware type, length */
	memcpy(out + 4, in + 4, 4);		/* transaction */
	memcpy(out + 10, in + 10, 2);		/* flags */
	memcpy(out + 28, in + 28, 16);		/* hardware address */
	put32(out + DHCP_FIXED, DHCP_COOKIE);
	p = dhcp_put(p, OPT_TYPE, &type, 1);
	p = dhcp_put(p, OPT_SERVER, &u->host_ip, 4);
	if (type != DHCP_NAK) {
		memcpy(out + 12, in + 12, 4);	/* the client's address */
		memcpy(out + 16, &yours, 4);
		memcpy(out + 20, &u->host_ip, 4);
		if (yours.s_addr)
			p = dhcp_put(p, OPT_LEASE, &lease, 4);
		p = dhcp_put_network(u, p);
	}
	*p++ = OPT_LAST;
	udp_reply(u, &u->host4, 67, &to, 68, out, max(p - out, (ptrdiff_t)300));
}

void dhcp_input(struct user *u, struct packet *pkt)
{
	struct in_addr none = { 0 }, yours, asked;
	struct dhcp d = { 0 };
	struct lease *lease;
	u8 in[1500];
	size_t len = copy_from_iter(in, sizeof(in), &pkt->data);

	if (len < DHCP_FIXED + 4 || in[0] != BOOT_REQUEST || in[1] != 1 || in[2] != NET_MAC ||
	    get32(in + DHCP_FIXED) != DHCP_COOKIE) {
		u->stats.short_frames++;
		return;
	}
	dhcp_options(&d, in + DHCP_FIXED + 4, len - DHCP_FIXED - 4);
	if (d.has_server && d.server.s_addr != u->host_ip.s_addr)
		return;			/* it has chosen another server */
	if (d.type == DHCP_INFORM) {
		dhcp_answer(u, in, DHCP_ACK, none);
		return;
	}
	if (d.type != DHCP_DISCOVER && d.type != DHCP_REQUEST)
		return;
	lease = dhcp_lease(u, in + 28);
	if (!lease)
		return;
	yours = lease->addr;
	/* Other guests find it by its name. */
	if (*d.name)
		memcpy(lease->name, d.name, sizeof(lease->name));
	memcpy(&asked, in + 12, 4);
	if (d.has_address)
		asked = d.address;
	if (d.type == DHCP_DISCOVER)
		dhcp_answer(u, in, DHCP_OFFER, yours);
	else if (asked.s_addr == yours.s_addr)
		dhcp_answer(u, in, DHCP_ACK, yours);
	else
		dhcp_answer(u, in, DHCP_NAK, none);
}

/* DHCPv6: only what is not in router advertisements */

enum { DHCP6_REPLY = 7, DHCP6_INFORMATION = 11 };
enum { OPT6_CLIENT = 1, OPT6_SERVER = 2, OPT6_DNS = 23 };

void dhcp6_input(struct user *u, struct packet *pkt, u16 sport)
{
	u8 in[1024], out[4 + 4 + 130 + 4 + 10 + 4 + 16], *p = out + 4;
	size_t len = copy_from_iter(in, sizeof(in), &pkt->data), at, n;

	if (len < 4 || in[0] != DHCP6_INFORMATION)
		return;
	memcpy(out, in, 4);
	out[0] = DHCP6_REPLY;
	for (at = 4; at + 4 <= len && (n = get16(in + at + 2)) <= len - at - 4; at += 4 + n) {
		/* RFC 8415, 11.1: a DUID has at most 130 bytes. */
		if (get16(in + at) != OPT6_CLIENT || n > 130 || p != out + 4)
			continue;
		memcpy(p, in + at, 4 + n);
		p += 4 + n;
	}
	put16(p, OPT6_SERVER);
	put16(p + 2, 10);
	put16(p + 4, 3);		/* RFC 8415, 11.4: DUID-LL, of Ethernet */
	put16(p + 6, 1);
	memcpy(p + 8, u->host_mac, NET_MAC);
	p += 14;
	put16(p, OPT6_DNS);
	put16(p + 2, 16);
	memcpy(p + 4, &u->host6, 16);
	p += 20;
	udp_reply(u, &u->link6, 547, &pkt->src, sport, out, p - out);
}
