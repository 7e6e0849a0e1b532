// SPDX-License-Identifier: GPL-2.0
/*
 * A tap or macvtap of the host's kernel (Linux: Documentation/networking/tuntap.rst,
 * <linux/if_tun.h>): a network interface whose other end is the guest's card. It is
 * made, or one that exists is used. All that needs rights happens in open().
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "packet.h"
#include "script.h"

#define TAP_DEV		"/dev/net/tun"
#define TAP_HOST_IP	"192.168.33.1"		/* as in kvmtool */
#define TAP_GUEST_IP	"192.168.33.15"

struct tap {
	struct packet packet;
	const char *tapif, *script, *downscript, *bridge, *host_ip;
	struct opt_list fds;
	int mq;
	char ifname[IFNAMSIZ];
	bool plain;			/* the interface has no net_hdr, and no offloads */
	bool made;			/* by open() */
	int down;			/* closed at the end: downscript runs; 0: none */
};

static struct tap *tap_of(struct net *n)
{
	return container_of(n, struct tap, packet.net);
}

static bool tap_is_macvtap(const struct tap *t)
{
	return t->tapif && *t->tapif == '/';
}

/* An ioctl about the interface. 0 or -errno. */
static int tap_ifreq(const struct tap *t, unsigned long call, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return -errno;
	if (call != SIOCBRADDIF)
		memcpy(ifr->ifr_name, t->ifname, IFNAMSIZ);
	ret = ioctl(fd, call, ifr) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* Messages */

static int tap_open_error(const struct tap *t, int ret, struct opt_err *err)
{
	const char *dev = tap_is_macvtap(t) ? t->tapif : TAP_DEV;

	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		return net_bad(err, ret, tap_is_macvtap(t) ? "tapif=%s: there is no such macvtap" :
			       "%s: the host's kernel has no tap devices: 'modprobe tun' as root", dev);
	if (ret == -EACCES || ret == -EPERM)
		return net_bad(err, ret, "%s: no permission: 'sudo chown %u %s' gives it to you", dev, geteuid(), dev);
	return net_bad(err, ret, "%s: %s", dev, strerror(-ret));
}

static int tap_set_error(const struct tap *t, int ret, struct opt_err *err)
{
	const char *name = t->tapif ? t->tapif : "tap0";

	if (ret == -EPERM)
		return net_bad(err, ret, "no permission to %s: 'sudo ip tuntap add dev %s mode tap user %u%s' makes one for you, for tapif=%s",
			       t->tapif && !t->made ? "use this tap device" : "make a tap device", name, geteuid(),
			       t->packet.net.pairs > 1 ? " multi_queue" : "", name);
	if (ret == -EBUSY)
		return net_bad(err, ret, "tapif=%s: another program uses it", name);
	if (ret == -EINVAL && t->tapif)
		return net_bad(err, ret, "tapif=%s: it is no tap device%s", name,
			       t->packet.net.pairs > 1 ? ", or has not been made with multi_queue" : "");
	return net_bad(err, ret, "tapif=%s: %s", name, strerror(-ret));
}

/* Opening */

static int tap_unit(const struct tap *t, int fd, short flags)
{
	struct ifreq ifr = { .ifr_flags = flags };

	memcpy(ifr.ifr_name, t->ifname, IFNAMSIZ);
	return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

/* The interface's name and kind, as the kernel has them; its frames have our net_hdr from now on. */
static int tap_adopt(struct tap *t, int fd)
{
	int size = sizeof(struct net_hdr);
	struct ifreq ifr = { .ifr_flags = 0 };

	if (ioctl(fd, TUNGETIFF, &ifr) < 0 || !(ifr.ifr_flags & IFF_TAP))
		return -EINVAL;
	memcpy(t->ifname, ifr.ifr_name, IFNAMSIZ);
	t->plain = !(ifr.ifr_flags & IFF_VNET_HDR);
	if (t->plain)
		return 0;
	/* Where the guest takes less, the inbox does the rest. */
	if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 || ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0)
		return -errno;
	return 0;
}

static int tap_add(struct tap *t, int fd, struct opt_err *err)
{
	struct packet_pair *pair = &t->packet.pair[t->packet.nr_pairs];
	int ret = packet_open(&t->packet, fd, err);

	pair->port.file = true;
	pair->port.plain = t->plain;
	return ret;
}

static int tap_open_one(struct tap *t, struct opt_err *err)
{
	short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, many = t->packet.net.pairs > 1 ? IFF_MULTI_QUEUE : 0;
	int fd = open(tap_is_macvtap(t) ? t->tapif : TAP_DEV, O_RDWR | O_NONBLOCK | O_CLOEXEC), ret;

	if (fd < 0)
		return tap_open_error(t, -errno, err);
	ret = tap_unit(t, fd, flags | many);
	/* One that exists may have been made for several queues. */
	if (ret == -EINVAL && !many)
		ret = tap_unit(t, fd, flags | IFF_MULTI_QUEUE);
	if (!ret)
		ret = tap_adopt(t, fd);
	if (ret) {
		close(fd);
		return tap_set_error(t, ret, err);
	}
	return tap_add(t, fd, err);
}

static int tap_open_fds(struct tap *t, struct opt_err *err)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < t->fds.nr; i++) {
		char *rest;
		long nr = strtol(t->fds.item[i], &rest, 10);
		int fd = *rest || rest == t->fds.item[i] ? -1 : fcntl(nr, F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			return net_bad(err, -EINVAL, "fd=%s: not an open descriptor", t->fds.item[i]);
		if (tap_adopt(t, fd) || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
			close(fd);
			return net_bad(err, -EINVAL, "fd=%s: no tap device", t->fds.item[i]);
		}
		ret = tap_add(t, fd, err);
	}
	return ret;
}

/* The host's side */

static int tap_address(struct tap *t, const char *text, struct opt_err *err)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char addr[INET_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	struct ifreq ifr = { .ifr_flags = 0 };
	int bits = slash ? atoi(slash + 1) : 24, ret;

	snprintf(addr, sizeof(addr), "%.*s", (int)strcspn(text, "/"), text);
	inet_pton(AF_INET, addr, &sin.sin_addr);
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	ret = tap_ifreq(t, SIOCSIFADDR, &ifr);
	sin.sin_addr.s_addr = htonl(~0U << (32 - bits));
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	if (!ret)
		ret = tap_ifreq(t, SIOCSIFNETMASK, &ifr);
	return ret ? net_bad(err, ret, "host_ip=%s: %s: %s", text, t->ifname, strerror(-ret)) : 0;
}

static int tap_bridge(struct tap *t, struct opt_err *err)
{
	struct ifreq ifr = { .ifr_ifindex = if_nametoindex(t->ifname) };
	int ret;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", t->bridge);
	ret = tap_ifreq(t, SIOCBRADDIF, &ifr);
	/* It may have been put there when it was made. */
	if (!ret || ret == -EBUSY)
		return 0;
	if (ret == -EPERM)
		return net_bad(err, ret, "bridge=%s: no permission: 'sudo ip link set %s master %s' does it for a tap device of yours",
			       t->bridge, t->ifname, t->bridge);
	return net_bad(err, ret, "bridge=%s: %s", t->bridge,
		       ret == -ENODEV || ret == -EOPNOTSUPP ? "there is no such bridge" : strerror(-ret));
}

static int tap_up(struct tap *t, struct opt_err *err)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	int ret = tap_ifreq(t, SIOCGIFFLAGS, &ifr);

	if (ret || (ifr.ifr_flags & IFF_UP))
		return 0;
	ifr.ifr_flags |= IFF_UP;
	ret = tap_ifreq(t, SIOCSIFFLAGS, &ifr);
	return ret ? net_bad(err, ret, "tapif=%s: it is down: 'sudo ip link set %s up'", t->ifname, t->ifname) : 0;
}

static bool tap_said(const char *script)
{
	return script && *script && strcmp(script, "none");
}

static int tap_host(struct tap *t, struct opt_err *err)
{
	int ret = 0;

	if (tap_said(t->script))
		ret = script_run(t->script, t->ifname, err);
	if (!ret && t->host_ip)
		ret = tap_address(t, t->host_ip, err);
	if (!ret && t->bridge)
		ret = tap_bridge(t, err);
	if (!ret && !tap_said(t->script) && !tap_is_macvtap(t) && !t->fds.nr)
		ret = tap_up(t, err);
	if (!ret && tap_said(t->downscript)) {
		ret = t->down = script_later(t->downscript, t->ifname, t->packet.pair[0].port.fd, err);
		if (ret < 0)
			t->down = 0;
	}
	return ret < 0 ? ret : 0;
}

/* What the card has of the interface: a macvtap passes only frames to its own address. */
static void tap_card(struct tap *t, struct net_card *card)
{
	struct ifreq ifr = { .ifr_flags = 0 };

	if (!t->packet.mtu && !card->mtu && !tap_ifreq(t, SIOCGIFMTU, &ifr) && ifr.ifr_mtu >= NET_MTU_MIN &&
	    ifr.ifr_mtu <= NET_MTU_MAX)
		t->packet.mtu = ifr.ifr_mtu;
	packet_reuse(&t->packet.net, card);
	if (tap_is_macvtap(t) && !tap_ifreq(t, SIOCGIFHWADDR, &ifr))
		memcpy(card->mac, ifr.ifr_hwaddr.sa_data, NET_MAC);
}

/* The kernel spreads frames over the queues that are attached. */
static void tap_set_pairs(struct net *n, unsigned int nr)
{
	struct tap *t = tap_of(n);
	unsigned int i;

	for (i = 0; t->packet.nr_pairs > 1 && i < t->packet.nr_pairs; i++) {
		struct ifreq ifr = { .ifr_flags = i < nr ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

		/* One that is so already is not so twice. */
		ioctl(t->packet.pair[i].port.fd, TUNSETQUEUE, &ifr);
	}
}

static int tap_describe(struct net *n, struct net_guest *out, struct opt_err *err)
{
	struct tap *t = tap_of(n);
	struct packet_guest host = { .guest_ip = t->host_ip };
	struct net_guest ignored;

	if (t->host_ip && packet_guest_describe(&host, &ignored, err))
		return net_bad(err, -EINVAL, "host_ip=%s: an IPv4 address, with /1 to /32 for another network than /24", t->host_ip);
	if (t->fds.nr && (t->tapif || t->bridge || t->host_ip || tap_said(t->script)))
		return net_bad(err, -EINVAL, "fd=%s: who has opened it has set it up, too", t->fds.item[0]);
	if (t->tapif && !tap_is_macvtap(t) && strlen(t->tapif) >= IFNAMSIZ)
		return net_bad(err, -EINVAL, "tapif=%s: an interface's name has at most %d characters", t->tapif, IFNAMSIZ - 1);
	if (t->fds.nr > NET_PAIRS_MAX)
		return net_bad(err, -EINVAL, "fd=: at most %d", NET_PAIRS_MAX);
	return packet_describe(n, out, err);
}

static int tap_open(struct net *n, struct net_card *card, struct opt_err *err)
{
	struct tap *t = tap_of(n);
	struct net_guest ignored;
	int i, ret = tap_describe(n, &ignored, err);

	if (ret)
		return ret;
	if (t->mq)
		n->pairs = t->mq;
	if (t->fds.nr)
		n->pairs = t->fds.nr;
	card->pairs = n->pairs;
	t->made = !t->fds.nr && !tap_is_macvtap(t) && !(t->tapif && if_nametoindex(t->tapif));
	if (t->tapif && !tap_is_macvtap(t))
		snprintf(t->ifname, sizeof(t->ifname), "%s", t->tapif);
	else
		strcpy(t->ifname, "tap%d");
	if (t->fds.nr)
		ret = tap_open_fds(t, err);
	for (i = 0; !ret && !t->fds.nr && i < n->pairs; i++)
		ret = tap_open_one(t, err);
	/* Nobody has said anything: a network of the two, as in kvmtool. */
	if (t->made && !t->host_ip && !t->bridge && !tap_said(t->script)) {
		t->host_ip = TAP_HOST_IP;
		if (!t->packet.guest.guest_ip)
			t->packet.guest = (struct packet_guest) { .guest_ip = TAP_GUEST_IP, .gateway = TAP_HOST_IP };
	}
	if (!ret)
		ret = tap_host(t, err);
	if (ret)
		return ret;
	tap_set_pairs(n, 1);
	tap_card(t, card);
	return 0;
}

static void tap_close(struct net *n)
{
	struct tap *t = tap_of(n);

	packet_close(n);
	if (t->down)
		close(t->down);
}

static void tap_reuse(struct net *n, struct net_card *card)
{
	tap_card(tap_of(n), card);
}

static u32 tap_offloads(const struct net *n)
{
	return container_of(n, struct tap, packet.net)->plain ? 0 : NET_OFF_CSUM | NET_OFF_TSO4 | NET_OFF_TSO6;
}

static const struct opt tap_opts[] = {
	OPT_STR_FIRST("tapif", struct tap, tapif, "NAME",
		      "an interface of the host, made if it is not there; /dev/tapN: a macvtap (default: a new one)"),
	OPT_STR(0, "host_ip", struct tap, host_ip, "ADDR[/BITS]", "of the host on it (default: " TAP_HOST_IP "/24 on a new one)"),
	OPT_TABLE(packet_guest_opts, struct packet_guest, struct tap, packet.guest),
	OPT_STR(0, "bridge", struct tap, bridge, "NAME", "a bridge of the host that it is put on"),
	OPT_STR(0, "script", struct tap, script, "FILE", "run with the interface's name, to set it up"),
	OPT_STR(0, "downscript", struct tap, downscript, "FILE", "the same when lkvm has ended"),
	OPT_LIST(0, "fd", struct tap, fds, "N", "a tap device that is open; again for more queues"),
	OPT_INT(0, "mq", struct tap, mq, 1, NET_PAIRS_MAX, "N", "the same as queues=, as in kvmtool"),
	OPT_INT(0, "mtu", struct tap, packet.mtu, NET_MTU_MIN, NET_MTU_MAX, "N", "bytes of a packet (default: the interface's)"),
	OPT_END
};

const struct net_type net_tap = {
	.name = "tap",
	.help = "an interface of the host, or a macvtap; needs root to make one",
	.opts = tap_opts,
	.size = sizeof(struct tap),
	.pairs = NET_PAIRS_MAX,
	.offloads_of = tap_offloads,
	.open = tap_open,
	.close = tap_close,
	.describe = tap_describe,
	.reuse = tap_reuse,
	.attach = packet_attach,
	.detach = packet_detach,
	.set_pairs = tap_set_pairs,
	.set_offloads = packet_set_offloads,
	.pending = packet_pending,
	.receive = packet_receive,
	.send = packet_send,
};
