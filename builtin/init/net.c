// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's network: loopback, and each card that lkvm.conf has a net= for, by
 * ioctls, so that neither a DHCP client nor CONFIG_IP_PNP is needed. A card that is
 * not there is a note; the command runs without it.
 */
#include <linux/sockios.h>

#include "init.h"

#define NET_CARDS	16
#define AF_INET_	2
#define AF_INET6_	10
#define SOCK_DGRAM_	2
#define IFF_UP_		1
#define RTF_UP_GATEWAY	3

/*
 * The structures of these ioctls as <linux/if.h>, <linux/route.h>, <linux/ipv6.h> and
 * <linux/ipv6_route.h> have them, which cannot be included without a libc.
 */
struct net_addr {			/* sockaddr_in */
	u16 family, port;
	u8 addr[4], zero[8];
};

struct net_ifreq {
	char name[16];
	union {
		struct net_addr addr;
		struct {
			u16 family;
			u8 mac[14];
		} hw;
		short flags;
		int index;
		char room[24];
	};
};

struct net_route {			/* rtentry */
	unsigned long pad1;
	struct net_addr dst, gateway, mask;
	u16 flags;
	short pad2;
	unsigned long pad3;
	void *pad4;
	short metric;
	char *dev;
	unsigned long mtu, window;
	u16 irtt;
};

struct net_addr6 {			/* in6_ifreq */
	u8 addr[16];
	u32 bits;
	int index;
};

struct net_route6 {			/* in6_rtmsg */
	u8 dst[16], src[16], gateway[16];
	u32 type;
	u16 dst_len, src_len;
	u32 metric;
	unsigned long info;
	u32 flags;
	int index;
};

struct card {
	u8 mac[6];
	u8 addr[4], gateway[4], addr6[16], gateway6[16];
	long bits, bits6;
	bool has_addr, has_gateway, has_addr6, has_gateway6;
};

/* The next word of *@s as bytes in hexadecimal; false: it is "-". */
static bool net_bytes(const char **s, u8 *out, size_t n)
{
	const char *p = *s;
	size_t i;

	for (i = 0; *p && *p != ' '; p++, i++) {
		u8 digit = *p <= '9' ? *p - '0' : *p - 'a' + 10;

		if (i < 2 * n)
			out[i / 2] = i % 2 ? out[i / 2] | digit : digit << 4;
	}
	*s = *p ? p + 1 : p;
	return i == 2 * n;
}

static long net_bits(const char **s)
{
	long n = str_number(*s, s);

	if (**s)
		(*s)++;
	return n;
}

static void net_parse(struct card *c, const char *s)
{
	net_bytes(&s, c->mac, 6);
	c->has_addr = net_bytes(&s, c->addr, 4);
	c->bits = net_bits(&s);
	c->has_gateway = net_bytes(&s, c->gateway, 4);
	c->has_addr6 = net_bytes(&s, c->addr6, 16);
	c->bits6 = net_bits(&s);
	c->has_gateway6 = net_bytes(&s, c->gateway6, 16);
}

static void net_up(long fd, struct net_ifreq *ifr)
{
	if (sys_ioctl(fd, SIOCGIFFLAGS, ifr))
		return;
	ifr->flags |= IFF_UP_;
	sys_ioctl(fd, SIOCSIFFLAGS, ifr);
}

/* The interface with @mac in @ifr: false if there is none. */
static bool net_find(long fd, const u8 *mac, struct net_ifreq *ifr)
{
	for (long n = 0; n < NET_CARDS; n++) {
		memset(ifr, 0, sizeof(*ifr));
		str_format(ifr->name, sizeof(ifr->name), "eth%ld", n);
		if (sys_ioctl(fd, SIOCGIFHWADDR, ifr))
			continue;
		for (int i = 0; i < 6; i++) {
			if (ifr->hw.mac[i] != mac[i])
				break;
			if (i == 5)
				return true;
		}
	}
	return false;
}

static void net_address(struct net_addr *a, const u8 *addr)
{
	memset(a, 0, sizeof(*a));
	a->family = AF_INET_;
	if (addr)
		memcpy(a->addr, addr, 4);
}

static void net_v4(long fd, struct net_ifreq *ifr, const struct card *c)
{
	struct net_route route = { .flags = RTF_UP_GATEWAY };
	u8 mask[4];

	for (int i = 0; i < 4; i++) {
		long left = c->bits - 8 * i;

		mask[i] = left >= 8 ? 0xff : left <= 0 ? 0 : 0xff << (8 - left);
	}
	net_address(&ifr->addr, c->addr);
	sys_ioctl(fd, SIOCSIFADDR, ifr);
	net_address(&ifr->addr, mask);
	sys_ioctl(fd, SIOCSIFNETMASK, ifr);
	net_up(fd, ifr);
	if (!c->has_gateway)
		return;
	net_address(&route.dst, NULL);
	net_address(&route.mask, NULL);
	net_address(&route.gateway, c->gateway);
	sys_ioctl(fd, SIOCADDRT, &route);
}

/* A kernel without IPv6 has no such socket: nothing is said. */
static void net_v6(long fd, struct net_ifreq *ifr, const struct card *c)
{
	struct net_addr6 address = { .bits = c->bits6 };
	struct net_route6 route = { .flags = RTF_UP_GATEWAY, .metric = 1024 };
	long six = sys_call(__NR_socket, AF_INET6_, SOCK_DGRAM_ | O_CLOEXEC, 0, 0, 0, 0);


	if (six < 0)
		return;
	if (!sys_ioctl(fd, SIOCGIFINDEX, ifr)) {
		memcpy(address.addr, c->addr6, 16);
		address.index = route.index = ifr->index;
		sys_ioctl(six, SIOCSIFADDR, &address);
		memcpy(route.gateway, c->gateway6, 16);
		if (c->has_gateway6)
			sys_ioctl(six, SIOCADDRT, &route);
	}
	sys_close(six);
}

void network_setup(void)
{
	long fd = sys_call(__NR_socket, AF_INET_, SOCK_DGRAM_ | O_CLOEXEC, 0, 0, 0, 0);
	struct net_ifreq ifr = { .name = "lo" };
	const char *net = NULL;

	if (fd < 0) {
		if (conf_next("net", NULL))
			note("no network: the kernel lacks CONFIG_INET");
		return;
	}
	net_up(fd, &ifr);
	/* Everybody may ping, as distributions have it. */
	file_write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
	while ((net = conf_next("net", net))) {
		struct card c = { .bits = 0 };
		char path[64];

		net_parse(&c, net);
		if (!net_find(fd, c.mac, &ifr)) {
			note("no network card: %s", option_trouble("CONFIG_VIRTIO_NET"));
			continue;
		}
		/* Nobody else can have the address: it is usable at once. */
		str_format(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_dad", ifr.name);
		file_write(path, "0");
		if (c.has_addr)
			net_v4(fd, &ifr, &c);
		else
			net_up(fd, &ifr);
		if (c.has_addr6)
			net_v6(fd, &ifr, &c);
	}
	sys_close(fd);
}
