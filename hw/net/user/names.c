// SPDX-License-Identifier: GPL-2.0
/*
 * Names of the machines on a switch, and of guests that said theirs to the DHCP server (RFC
 * 1035, 3596): questions about them are answered here, others are for the host's name
 * servers. On a switch whose machines may not ask those, all other names do not exist, so
 * that nobody waits. The network's loop.
 */
#include <string.h>
#include <strings.h>

#include <linux/kernel.h>

#include "user.h"

#define DNS_HEADER	12
#define DNS_NAME_MAX	255
#define DNS_TTL		5		/* s */

enum { DNS_A = 1, DNS_AAAA = 28, DNS_IN = 1 };
enum { DNS_QR = 0x8000, DNS_OPCODE = 0x7800, DNS_AA = 0x0400, DNS_RD = 0x0100, DNS_RA = 0x0080, DNS_NXDOMAIN = 3 };

void user_share(struct net *n, bool (*find)(void *obj, const char *name, struct in_addr *v4, struct in6_addr *v6),
		void *obj, u8 mac[NET_MAC], struct in6_addr *prefix6)
{
	struct user *u = container_of(n, struct user, net);

	u->find = find;
	u->find_obj = obj;
	u->max_leases = 1;
	memcpy(mac, u->host_mac, NET_MAC);
	*prefix6 = u->prefix6;
}

/* The name at q[@at] as text; returns the offset behind it, or 0: there is none. */
static size_t names_parse(const u8 *q, size_t len, size_t at, char name[DNS_NAME_MAX + 1])
{
	size_t n = 0, i;

	while (at < len && q[at]) {
		size_t label = q[at++];

		/* Compression (4.1.4) has no place in a question. */
		if (label > 63 || label > len - at || n + label + 1 > DNS_NAME_MAX)
			return 0;
		for (i = 0; i < label; i++, at++)
			name[n++] = q[at] && q[at] != '.' ? q[at] : '?';
		name[n++] = '.';
	}
	name[n ? n - 1 : 0] = '\0';
	return at < len ? at + 1 : 0;
}

/* Is @name in the domain that only the switch knows? */
static bool names_own(const char *name)
{
	size_t len = strlen(name), n = strlen(NET_DOMAIN);

	return len >= n && !strcmp(name + len - n, NET_DOMAIN) && (len == n || name[len - n - 1] == '.');
}

static u8 *names_record(u8 *p, u16 type, const void *data, u16 len)
{
	put16(p, 0xc000 | DNS_HEADER);	/* the question's name */
	put16(p + 2, type);
	put16(p + 4, DNS_IN);
	put32(p + 6, DNS_TTL);
	put16(p + 10, len);
	memcpy(p + 12, data, len);
	return p + 12 + len;
}

static bool names_find(const struct user *u, const char *name, struct in_addr *v4, struct in6_addr *v6)
{
	if (u->find)
		return u->find(u->find_obj, name, v4, v6);
	for (unsigned int i = 0; i < u->nr_leases; i++) {
		if (!*u->lease[i].name || strcasecmp(u->lease[i].name, name))
			continue;
		*v4 = u->lease[i].addr;
		return true;
	}
	return false;
}

bool names_input(struct user *u, struct packet *pkt, u16 sport)
{
	u8 msg[DNS_HEADER + DNS_NAME_MAX + 5 + 12 + 16], *p;
	struct iov_iter data = pkt->data;
	char name[DNS_NAME_MAX + 1];
	struct in6_addr v6;
	struct in_addr v4;
	size_t len, end;
	bool found, six;
	u16 type;

	if (!pkt->to_host)
		return false;
	len = copy_from_iter(msg, DNS_HEADER + DNS_NAME_MAX + 5, &data);
	if (len < DNS_HEADER || (get16(msg + 2) & (DNS_QR | DNS_OPCODE)) || get16(msg + 4) != 1)
		return false;
	end = names_parse(msg, len, DNS_HEADER, name);
	if (!end || end + 4 > len || get16(msg + end + 2) != DNS_IN)
		return false;
	found = names_find(u, name, &v4, &v6);
	if (!found && (!u->find || (!names_own(name) && !u->restricted)))
		return false;
	type = get16(msg + end);
	/* Guests choose their IPv6 addresses themselves. */
	six = type == DNS_AAAA && u->find;
	p = msg + end + 4;
	put16(msg + 2, DNS_QR | DNS_AA | DNS_RA | (get16(msg + 2) & DNS_RD) | (found ? 0 : DNS_NXDOMAIN));
	put16(msg + 6, found && (type == DNS_A || six));
	memset(msg + 8, 0, 4);
	if (found && type == DNS_A)
		p = names_record(p, DNS_A, &v4, sizeof(v4));
	else if (found && six)
		p = names_record(p, DNS_AAAA, &v6, sizeof(v6));
	udp_reply(u, &pkt->dst, 53, &pkt->src, sport, msg, p - msg);
	return true;
}
