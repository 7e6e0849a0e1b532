// SPDX-License-Identifier: GPL-2.0
/*
 * Ports of the host that lead to the guest: each has a socket that listens, or one
 * that all datagrams of the port go through. The network's loop.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/kernel.h>

#include "user.h"

/* How long nothing is accepted when the host has no descriptor or no memory for it. */
#define FORWARD_REST_NS	(100ULL * 1000 * 1000)

static void forward_rested(struct timer *t)
{
	struct user_forward *fw = container_of(t, struct user_forward, rest);

	loop_mod(fw->user->loop, &fw->watch, EPOLLIN);
}

/* The connection stays in the queue of the socket, which would be readable all the time. */
static void forward_failed(struct user_forward *fw, int err)
{
	struct user *u = fw->user;

	if (err != EMFILE && err != ENFILE && err != ENOBUFS && err != ENOMEM)
		return;
	u->stats.no_files++;
	loop_mod(u->loop, &fw->watch, 0);
	loop_timer(u->loop, &fw->rest, loop_now() + FORWARD_REST_NS);
}

static void forward_event(struct watch *w, u32 events)
{
	struct user_forward *fw = container_of(w, struct user_forward, watch);
	struct user *u = fw->user;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct flow flow = { .guest = fw->guest, .guest_port = fw->guest_port };
	int fd = accept4(w->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		forward_failed(fw, errno);
		return;
	}
	flow.host = addr_is_v4(&fw->guest) ? u->host4 : u->host6;
	/* The port at the gateway stands for the peer, whose address the guest has no route to. */
	addr_from_socket(&from, &(addr_t){ 0 }, &flow.host_port);
	if (from.ss_family == AF_UNIX || flow.host_port < 1024)
		flow.host_port = 32768 + u->forward_port++ % 28000;
	tcp_accepted(u, fd, &flow);
}

/* "[HOSTADDR:]PORT:[GUEST:]PORT", IPv6 addresses in brackets; or "unix:PATH:[GUEST:]PORT". */
static bool forward_address(const char *text, size_t len, addr_t *a)
{
	char copy[64];
	struct in_addr v4;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, &v4) == 1) {
		*a = addr_v4(v4);
		return true;
	}
	return *copy == '[' && copy[len - 1] == ']' && (copy[len - 1] = '\0', inet_pton(AF_INET6, copy + 1, a) == 1);
}

static bool forward_port(const char *text, const char *end, bool zero, u16 *port)
{
	char *rest;
	unsigned long n;

	if (text == end || *text < '0' || *text > '9')
		return false;
	n = strtoul(text, &rest, 10);
	*port = n;
	return rest == end && n <= 65535 && (n || zero);
}

/* The colon that ends an item, brackets skipped; the end of the text if there is none. */
static const char *forward_item(const char *p)
{
	if (*p == '[')
		p += strcspn(p, "]");
	return p + strcspn(p, ":");
}

static bool forward_parse(struct user_forward *fw, const char *text, addr_t *host)
{
	const char *item[4], *end[4];
	unsigned int nr = 0, i = 0;
	struct in_addr loopback = { .s_addr = htonl(INADDR_LOOPBACK) };

	fw->udp = !strncmp(text, "udp:", 4);
	if (!fw->udp && strncmp(text, "tcp:", 4))
		return false;
	for (text += 4; nr < 4; text = end[nr - 1] + 1) {
		item[nr] = text;
		end[nr] = forward_item(text);
		if (!*end[nr++])
			break;
	}
	if (*end[nr - 1])
		return false;
	*host = addr_v4(loopback);
	if (nr > 2 && forward_address(item[0], end[0] - item[0], host))
		i++;
	if (i + 2 > nr || !forward_port(item[i], end[i], true, &fw->host_port))
		return false;
	if (++i + 1 < nr && !forward_address(item[i], end[i] - item[i], &fw->guest))
		return false;
	i += i + 1 < nr;
	return i + 1 == nr && forward_port(item[i], end[i], false, &fw->guest_port);
}

static int forward_listen(struct user_forward *fw, const addr_t *host, struct opt_err *err)
{
	struct sockaddr_storage addr;
	socklen_t len = addr_socket(host, fw->host_port, &addr);
	int on = 1;
	addr_t any;

	fw->fd = socket(addr.ss_family, (fw->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fw->fd < 0)
		return net_bad(err, -errno, "forward=%s: %s", fw->text, strerror(errno));
	if (!fw->udp)
		setsockopt(fw->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fw->fd, (struct sockaddr *)&addr, len) < 0 || (!fw->udp && listen(fw->fd, 128) < 0))
		return net_bad(err, -errno, errno == EADDRINUSE ? "forward=%s: port %u is in use: another one, or 0 for any" :
			       errno == EACCES ? "forward=%s: port %u is for root: one from 1024 on" :
			       "forward=%s: port %u cannot be had: %m", fw->text, fw->host_port);
	if (!getsockname(fw->fd, (struct sockaddr *)&addr, &len))
		addr_from_socket(&addr, &any, &fw->host_port);
	return 0;
}

int forward_open(struct user *u, const char *text, struct opt_err *err)
{
	struct user_forward *fw;
	addr_t host;

	for (fw = u->forward; fw < u->forward + USER_FORWARDS && fw->fd >= 0; fw++)
		;
	if (fw == u->forward + USER_FORWARDS)
		return net_bad(err, -ENOSPC, "forward=%s: more than %d forwards", text, USER_FORWARDS);
	*fw = (struct user_forward) { .user = u, .fd = -1, .text = text, .guest = u->guest4,
				      .watch.fn = forward_event, .rest.fn = forward_rested };
	if (!forward_parse(fw, text, &host))
		return net_bad(err, -EINVAL, "forward=%s: it is tcp|udp:[HOSTADDR:]PORT:[GUEST:]PORT, as in tcp:2222:22", text);
	if (!user_is_local(u, &fw->guest))
		return net_bad(err, -EINVAL, "forward=%s: the guest's address is not of its network", text);
	return forward_listen(fw, &host, err);
}

void forward_start(struct user_forward *fw)
{
	struct user *u = fw->user;

	if (fw->udp) {
		udp_forward_add(u, fw, fw - u->forward);
		return;
	}
	fw->watch.fd = fw->fd;
	loop_add(u->loop, &fw->watch, EPOLLIN);
}

void forward_stop(struct user_forward *fw)
{
	if (fw->udp)
		return;			/* udp_detach() has seen to it */
	loop_del(fw->user->loop, &fw->watch);
	loop_timer_cancel(fw->user->loop, &fw->rest);
}
