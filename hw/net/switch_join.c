// SPDX-License-Identifier: GPL-2.0
/* Members of a switch come and go: see switch.h. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/user_dir.h>

#include "frame.h"
#include "switch.h"

#define SWITCH_SUFFIX	".switch"
/* IEEE 802, Local Experimental Ethertype 1 */
#define SWITCH_ETHERTYPE 0x88b5
#define SWITCH_FIRST	15		/* the host's part of the address in slot 1 */

/* What each side of a connection sends first, so that a guest's frame cannot pass for it. */
struct switch_greeting {
	struct net_hdr hdr;
	u8 eth[ETH_HEADER];
	char magic[8];
	u8 slot, bits;
	u8 addr[4];
	char name[SWITCH_NAME_MAX];
} __attribute__((packed));

static const char switch_magic[8] = "lkvmsw1";

static int switch_greet(struct switch_link *l)
{
	const struct switch_net *sw = l->sw;
	struct switch_greeting g = { .slot = sw->slot, .bits = sw->bits };

	memcpy(g.eth + NET_MAC, sw->mac, NET_MAC);
	put16(g.eth + 2 * NET_MAC, SWITCH_ETHERTYPE);
	memcpy(g.magic, switch_magic, sizeof(g.magic));
	memcpy(g.addr, &sw->addr, 4);
	memcpy(g.name, sw->host_name, strlen(sw->host_name));
	return send(l->port.fd, &g, sizeof(g), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(g) ? 0 : -EPIPE;
}

bool switch_hello(struct switch_link *l, const u8 *frame, size_t len)
{
	const struct switch_net *sw = l->sw;
	struct switch_greeting g;
	u32 mask = htonl(~0U << (32 - sw->bits));

	if (len != sizeof(g))
		return false;
	memcpy(&g, frame, sizeof(g));
	if (memcmp(g.magic, switch_magic, sizeof(g.magic)) || get16(g.eth + 2 * NET_MAC) != SWITCH_ETHERTYPE ||
	    !g.slot || g.slot > SWITCH_MEMBERS || (g.eth[NET_MAC] & 1))
		return false;
	l->slot = g.slot;
	memcpy(&l->addr, g.addr, 4);
	memcpy(l->mac[0], g.eth + NET_MAC, NET_MAC);
	l->nr_macs = 1;
	l->next_mac = 0;
	memcpy(l->name, g.name, SWITCH_NAME_MAX);
	l->name[SWITCH_NAME_MAX] = '\0';
	l->known = true;
	if ((l->addr.s_addr ^ sw->addr.s_addr) & mask || g.bits != sw->bits)
		pr_warn("switch %s: another machine has an address of another network: give all the same host_ip=",
			sw->name);
	return true;
}

static void switch_welcome(struct switch_net *sw, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct switch_link *l;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || (cred.uid && cred.uid != sw->uid)) {
		close(fd);
		return;
	}
	if (switch_link_open(sw, fd, &l))
		return;
	if (switch_greet(l) || net_port_attach(&l->port, sw->loop))
		switch_link_close(l);
}

/* Edge-triggered: without a free descriptor a connection waits, and the loop does not spin. */
void switch_accept(struct watch *w, u32 events)
{
	struct switch_net *sw = container_of(w, struct switch_net, listen);
	int fd;

	while ((fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		switch_welcome(sw, fd);
}

/* The network */

/* 10.64.0.0/10 has room for a /24 of each name; the same name is the same network. */
static void switch_derive(struct switch_net *sw)
{
	u32 hash = 2166136261;		/* FNV-1a */
	const char *p;

	for (p = sw->name; *p; p++)
		hash = (hash ^ (u8)*p) * 16777619;
	hash ^= hash >> 16;
	sw->network.s_addr = htonl(10u << 24 | 64u << 16 | (hash & 0x3fff) << 8 | 1);
	sw->bits = 24;
}

int switch_network(struct switch_net *sw, struct opt_err *err)
{
	char text[INET_ADDRSTRLEN], rest;
	const char *slash;
	u32 host, room;

	if (!sw->name)
		return net_bad(err, -EINVAL, "which switch? -n switch=NAME");
	if (user_dir_name(sw->name, "a switch", err))
		return -EINVAL;
	switch_derive(sw);
	if (!sw->host_ip_text)
		return 0;
	slash = strchr(sw->host_ip_text, '/');
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(sw->host_ip_text, "/"), sw->host_ip_text);
	if (inet_pton(AF_INET, text, &sw->network) != 1 ||
	    (slash && sscanf(slash + 1, "%d%c", &sw->bits, &rest) != 1) || sw->bits < 8 || sw->bits > 24)
		return net_bad(err, -EINVAL, "host_ip=%s: an IPv4 address, with /8 to /24 for another network than /24",
			       sw->host_ip_text);
	host = ntohl(sw->network.s_addr) & (~0U >> sw->bits);
	room = SWITCH_FIRST + SWITCH_MEMBERS;
	if (!host || (host >= SWITCH_FIRST && host < room) || host == ~0U >> sw->bits)
		return net_bad(err, -EINVAL, "host_ip=%s: guests have numbers %d to %d of that network, and the gateway another one",
			       sw->host_ip_text, SWITCH_FIRST, room - 1);
	return 0;
}

/* Addresses of the guest in @sw->slot; that of the card only if the user has not said one. */
static void switch_address(struct switch_net *sw, struct net_card *card)
{
	static const u8 standard[NET_MAC - 1] = { 0x02, 0x15, 0x15, 0x15, 0x15 };
	u32 mask = ~0U << (32 - sw->bits), network = ntohl(sw->network.s_addr);

	sw->addr.s_addr = htonl((network & mask) | (SWITCH_FIRST - 1 + sw->slot));
	/* Every machine's first card has the same address, which would not do here. */
	if (!memcmp(card->mac, standard, sizeof(standard))) {
		card->mac[2] = network >> 16;
		card->mac[3] = network >> 8;
		card->mac[4] = 0;
		card->mac[5] = sw->slot;
	}
	memcpy(sw->mac, card->mac, NET_MAC);
}

/* Joining, with the directory locked */

static int switch_dial(struct switch_net *sw, const char *file)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct switch_link *l;
	int fd, ret;

	if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", sw->dir, file) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return switch_link_open(sw, fd, &l);
	ret = -errno;
	close(fd);
	/* Nobody listens: its machine was killed. */
	if (ret == -ECONNREFUSED && !unlink(addr.sun_path))
		return -ENOENT;
	return ret;
}

/* The slot of the member whose socket is @file, 0: it is none of this switch's. */
static unsigned int switch_slot(const struct switch_net *sw, const char *file)
{
	size_t len = strlen(sw->name);
	char *end;
	unsigned long slot;

	if (strncmp(file, sw->name, len) || file[len] != '.' || file[len + 1] < '1' || file[len + 1] > '9')
		return 0;
	slot = strtoul(file + len + 1, &end, 10);
	return !strcmp(end, SWITCH_SUFFIX) && slot <= SWITCH_MEMBERS ? slot : 0;
}

/* Connect to all members; taken[slot] says which there are. */
static int switch_members(struct switch_net *sw, int dirfd, bool taken[SWITCH_MEMBERS + 1], struct opt_err *err)
{
	int fd = dup(dirfd), ret = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (!dir) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return net_bad(err, ret, "switch %s: %s: %s", sw->name, sw->dir, strerror(-ret));
	}
	while (!ret && (d = readdir(dir))) {
		unsigned int slot = switch_slot(sw, d->d_name);

		if (!slot)
			continue;
		ret = switch_dial(sw, d->d_name);
		taken[slot] = ret != -ENOENT;
		if (ret == -EAGAIN)
			pr_warn("switch %s: machine %u on it does not answer, and is left out", sw->name, slot);
		else if (ret && ret != -ENOENT && ret != -ENOSPC)
			net_bad(err, ret, "switch %s: %s/%s: %s", sw->name, sw->dir, d->d_name, strerror(-ret));
		if (ret == -EAGAIN || ret == -ENOENT || ret == -ENOSPC)
			ret = 0;
	}
	closedir(dir);
	return ret;
}

static int switch_listen(struct switch_net *sw, struct opt_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s.%u" SWITCH_SUFFIX, sw->dir, sw->name,
			     sw->slot) >= sizeof(addr.sun_path))
		return net_bad(err, -ENAMETOOLONG, "switch %s: the name is too long for a socket in %s", sw->name, sw->dir);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return net_bad(err, -errno, "switch %s: %m", sw->name);
	sw->listen.fd = fd;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return net_bad(err, -errno, "switch %s: %s: %m", sw->name, addr.sun_path);
	sw->path = addr;
	return listen(fd, SWITCH_MEMBERS) < 0 ? net_bad(err, -errno, "switch %s: %m", sw->name) : 0;
}

static int switch_join_locked(struct switch_net *sw, int dirfd, struct net_card *card, struct opt_err *err)
{
	bool taken[SWITCH_MEMBERS + 1] = { false };
	int ret = switch_members(sw, dirfd, taken, err);
	unsigned int i;

	if (ret)
		return ret;
	for (sw->slot = 1; sw->slot <= SWITCH_MEMBERS && taken[sw->slot]; sw->slot++)
		;
	if (sw->slot > SWITCH_MEMBERS)
		return net_bad(err, -ENOSPC, "switch %s: %d machines are on it, and it has room for no more", sw->name,
			       SWITCH_MEMBERS);
	switch_address(sw, card);
	ret = switch_listen(sw, err);
	/* One that has gone meanwhile is noticed later. */
	for (i = 0; !ret && i < ARRAY_SIZE(sw->link); i++)
		if (sw->link[i].port.fd >= 0)
			switch_greet(&sw->link[i]);
	return ret;
}

int switch_join(struct switch_net *sw, struct net_card *card, struct opt_err *err)
{
	int dirfd = user_dir_open(sw->dir, sizeof(sw->dir), true, "the switches", err), ret;

	if (dirfd < 0)
		return dirfd;
	sw->uid = geteuid();
	snprintf(sw->host_name, sizeof(sw->host_name), "%s", card->host_name ? card->host_name : "");
	if (flock(dirfd, LOCK_EX) < 0)
		ret = net_bad(err, -errno, "switch %s: %s: %m", sw->name, sw->dir);
	else
		ret = switch_join_locked(sw, dirfd, card, err);
	close(dirfd);
	return ret;
}

void switch_leave(struct switch_net *sw)
{
	/* First the name: the slot may be taken at once. */
	if (*sw->path.sun_path)
		unlink(sw->path.sun_path);
	if (sw->listen.fd >= 0)
		close(sw->listen.fd);
	sw->listen.fd = -1;
}
