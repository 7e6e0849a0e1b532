// SPDX-License-Identifier: GPL-2.0
/*
 * Ports of the host that lead to the guest: each has a socket that listens, or one
 * that all datagrams of the port go through. The network's loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>

#include "../forward.h"
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
	if (!fw->local)
		addr_from_socket(&from, &(addr_t){ 0 }, &flow.host_port);
	if (flow.host_port < 1024)
		flow.host_port = 32768 + u->forward_port++ % 28000;
	tcp_accepted(u, fd, &flow);
}

/* Bring @fw up to date with its socket, which may be another one than was asked for. */
static int forward_look(struct user_forward *fw, const struct forward *f, struct opt_err *err)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr), one = sizeof(int);
	int type = 0, listens = 0;
	addr_t any;

	if (getsockname(fw->fd, (struct sockaddr *)&addr, &len) ||
	    getsockopt(fw->fd, SOL_SOCKET, SO_TYPE, &type, &one) ||
	    getsockopt(fw->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &one) || type != f->type ||
	    !(fcntl(fw->fd, F_GETFL) & O_NONBLOCK) ||
	    addr.ss_family != f->host.ss_family || listens != (type == SOCK_STREAM))
		return net_bad(err, -EINVAL, "forward=%s: that is no socket for it", fw->text);
	fw->udp = type == SOCK_DGRAM;
	fw->local = addr.ss_family == AF_UNIX;
	if (!fw->local)
		addr_from_socket(&addr, &any, &fw->host_port);
	forward_where(f, fw->fd, fw->host, sizeof(fw->host));
	return 0;
}

/* The port that was asked for. */
static u16 forward_port(const struct forward *f)
{
	addr_t any;
	u16 port;

	addr_from_socket(&f->host, &any, &port);
	return port;
}

int forward_add(struct user *u, const char *text, int fd, struct opt_err *err)
{
	struct user_forward *fw;
	struct forward f;
	bool mine;
	int ret;

	for (fw = u->forward; fw < u->forward + USER_FORWARDS && fw->fd >= 0; fw++)
		;
	ret = fw == u->forward + USER_FORWARDS ?
	      net_bad(err, -ENOSPC, "forward=%s: more than %d forwards", text, USER_FORWARDS) : forward_parse(text, &f, err);
	if (!ret && f.has_guest && !user_is_local(u, &f.guest))
		ret = net_bad(err, -EINVAL, "forward=%s: the guest's address is not of its network", text);
	mine = fd < 0;
	if (!ret && mine)
		ret = fd = forward_socket(text, &f, err);
	if (ret < 0) {
		if (fd >= 0)
			close(fd);
		return ret;
	}
	*fw = (struct user_forward) { .user = u, .fd = fd, .guest = f.has_guest ? f.guest : u->guest4,
				      .guest_port = f.guest_port, .watch = { .fd = fd, .fn = forward_event },
				      .rest.fn = forward_rested };
	snprintf(fw->text, sizeof(fw->text), "%s", text);
	ret = forward_look(fw, &f, err);
	if (ret) {
		close(fd);
		fw->fd = -1;
		return ret;
	}
	/* Which port it is only the host knows. */
	if (mine && !fw->local && !forward_port(&f))
		log_msg(LOG_ERROR, "forward=%s: the host listens at %s", text, fw->host);
	if (u->loop)
		forward_start(fw);
	return 0;
}

/* @text is as it was asked for, or as it is listed, or what of that is the host's. */
static bool forward_is(const struct user_forward *fw, const char *text)
{
	size_t len = strlen(text);

	return !strcmp(fw->text, text) || !strcmp(fw->host, text) || (!strncmp(fw->text, text, len) && fw->text[len] == ':');
}

int forward_remove(struct user *u, const char *text, struct opt_err *err)
{
	struct user_forward *fw;

	for (fw = u->forward; fw < u->forward + USER_FORWARDS; fw++) {
		if (fw->fd < 0 || !forward_is(fw, text))
			continue;
		if (u->loop)
			forward_stop(fw);
		if (fw->udp)
			udp_forward_remove(u, fw, fw - u->forward);
		close(fw->fd);
		fw->fd = -1;
		return 0;
	}
	return net_bad(err, -ENOENT, "there is no forward %s; 'list' shows those there are", text);
}

bool forward_text(struct user *u, unsigned int n, char *out, size_t size)
{
	struct sockaddr_storage addr;
	struct user_forward *fw;
	char guest[64];

	for (fw = u->forward; fw < u->forward + USER_FORWARDS; fw++) {
		if (fw->fd < 0 || n--)
			continue;
		forward_address(&addr, addr_socket(&fw->guest, fw->guest_port, &addr), guest, sizeof(guest));
		snprintf(out, size, "%s %s", fw->host, guest);
		return true;
	}
	return false;
}

void forward_start(struct user_forward *fw)
{
	struct user *u = fw->user;

	if (fw->udp)
		udp_forward_add(u, fw, fw - u->forward);
	else
		loop_add(u->loop, &fw->watch, EPOLLIN);
}

void forward_stop(struct user_forward *fw)
{
	if (fw->udp)
		return;			/* udp_detach() has seen to it */
	loop_del(fw->user->loop, &fw->watch);
	loop_timer_cancel(fw->user->loop, &fw->rest);
}
