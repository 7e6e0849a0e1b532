// SPDX-License-Identifier: GPL-2.0
/*
 * Frames through a unix datagram socket, one each: what QEMU's "-netdev dgram" and
 * other VMMs speak. Frames are plain Ethernet.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "packet.h"

struct dgram {
	struct packet packet;
	const char *remote, *local;
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	bool bound;
};

static struct dgram *dgram_of(struct net *n)
{
	return container_of(n, struct dgram, packet.net);
}

static int dgram_check(struct net *n, struct net_guest *out, struct opt_err *err)
{
	struct dgram *d = dgram_of(n);

	if (!d->remote || !*d->remote)
		return net_bad(err, -EINVAL, "which socket? -n dgram=PATH");
	if (strlen(d->remote) >= sizeof(d->dir) || (d->local && strlen(d->local) >= sizeof(d->dir)))
		return net_bad(err, -EINVAL, "dgram=%s: a path is longer than %zu bytes", d->remote, sizeof(d->dir) - 1);
	return packet_describe(n, out, err);
}

/* The own address, to which the peer answers: @local, or one without a name in a directory. */
static int dgram_bind(struct dgram *d, int fd, struct opt_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char *slash;

	if (!d->local)
		return bind(fd, (struct sockaddr *)&addr, offsetof(struct sockaddr_un, sun_path)) < 0 ?
			net_bad(err, -errno, "dgram=%s: %m", d->remote) : 0;
	strcpy(addr.sun_path, d->local);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return net_bad(err, -errno, errno == EADDRINUSE ? "local=%s: it is there already: remove it, or choose another" :
			       "local=%s: %m", d->local);
	d->bound = true;
	chmod(d->local, 0600);
	strcpy(d->dir, d->local);
	slash = strrchr(d->dir, '/');
	strcpy(slash ? slash + (slash == d->dir) : d->dir, slash ? "" : ".");
	return 0;
}

static int dgram_open(struct net *n, struct net_card *card, struct opt_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct dgram *d = dgram_of(n);
	struct net_guest ignored;
	int fd, ret = dgram_check(n, &ignored, err);

	if (ret)
		return ret;
	packet_reuse(n, card);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return net_bad(err, -errno, "dgram=%s: %m", d->remote);
	ret = packet_open(&d->packet, fd, err);
	d->packet.pair[0].port.plain = true;
	if (!ret)
		ret = dgram_bind(d, fd, err);
	strcpy(addr.sun_path, d->remote);
	if (!ret && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		ret = net_bad(err, -errno, errno == ENOENT || errno == ECONNREFUSED ?
			      "dgram=%s: nobody listens there: start the peer first" : "dgram=%s: %m", d->remote);
	return ret;
}

static void dgram_close(struct net *n)
{
	struct dgram *d = dgram_of(n);

	if (d->bound)
		unlink(d->local);
	packet_close(n);
}

static const char *dgram_removes(const struct net *n)
{
	const struct dgram *d = container_of(n, struct dgram, packet.net);

	return d->bound ? d->dir : NULL;
}

static const struct opt dgram_opts[] = {
	OPT_STR_FIRST("path", struct dgram, remote, "PATH", "of the peer's unix socket"),
	OPT_STR(0, "local", struct dgram, local, "PATH", "of the own one, for a peer that has to be told (default: none)"),
	OPT_TABLE(packet_guest_opts, struct packet_guest, struct dgram, packet.guest),
	OPT_INT(0, "mtu", struct dgram, packet.mtu, NET_MTU_MIN, NET_MTU_MAX, "N", "bytes of a packet (default: 1500)"),
	OPT_END
};

const struct net_type net_dgram = {
	.name = "dgram",
	.help = "frames through a unix datagram socket, one each",
	.opts = dgram_opts,
	.size = sizeof(struct dgram),
	.open = dgram_open,
	.close = dgram_close,
	.describe = dgram_check,
	.reuse = packet_reuse,
	.removes = dgram_removes,
	.attach = packet_attach,
	.detach = packet_detach,
	.set_offloads = packet_set_offloads,
	.pending = packet_pending,
	.receive = packet_receive,
	.send = packet_send,
};
