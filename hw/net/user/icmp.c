// SPDX-License-Identifier: GPL-2.0
/*
 * Echo (RFC 792, RFC 4443) by the host's ping sockets, where its
 * net.ipv4.ping_group_range lets the user have them: answers are real, and so are
 * failures. The router answers for its own addresses. The network's loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "user.h"

#define SECOND		(1000ULL * 1000 * 1000)
#define PING_IDLE_NS	(30 * SECOND)
#define PING_DATA_MAX	1472

enum { ECHO4 = 8, ECHO4_REPLY = 0, ECHO6 = 128, ECHO6_REPLY = 129 };

struct ping {
	struct user *user;
	struct flow flow;		/* guest_port: the identifier */
	struct watch watch;		/* fd -1: not in use */
	u64 used;
};

struct ping_table {
	struct timer timer;
	struct user *user;
	struct ping ping[USER_PING_MAX];
};

static void ping_drop(struct ping *p)
{
	if (p->user->loop)
		loop_del(p->user->loop, &p->watch);
	close(p->watch.fd);
	p->watch.fd = -1;
}

static void ping_due(struct timer *timer)
{
	struct ping_table *t = container_of(timer, struct ping_table, timer);
	u64 now = loop_now();
	bool some = false;

	for (struct ping *p = t->ping; p < t->ping + USER_PING_MAX; p++) {
		if (p->watch.fd < 0)
			continue;
		if (now - p->used > PING_IDLE_NS)
			ping_drop(p);
		else
			some = true;
	}
	if (some)
		loop_timer(t->user->loop, timer, now + PING_IDLE_NS);
}

/* An echo reply of @len bytes with its header, from @src; dropped where there is no room. */
static void echo_reply(struct user *u, const struct flow *f, const u8 *data, size_t len)
{
	bool v6 = !addr_is_v4(&f->guest);
	u8 *icmp = user_frame_new(u, &f->host, &f->guest, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, len, IP_HOPS);

	if (!icmp)
		return;
	memcpy(icmp, data, len);
	icmp[0] = v6 ? ECHO6_REPLY : ECHO4_REPLY;
	put16(icmp + 2, 0);
	put16(icmp + 4, f->guest_port);
	user_frame_send(u, 2);
}

static void ping_readable(struct watch *w, u32 events)
{
	struct ping *p = container_of(w, struct ping, watch);
	u8 data[8 + PING_DATA_MAX];
	ssize_t n;

	while ((n = recv(w->fd, data, sizeof(data), MSG_DONTWAIT)) >= 0 || errno == EINTR)
		if (n >= 8)
			echo_reply(p->user, &p->flow, data, n);
}

static struct ping *ping_find(struct ping_table *t, const struct flow *f, struct ping **spare)
{
	*spare = NULL;
	for (struct ping *p = t->ping; p < t->ping + USER_PING_MAX; p++) {
		if (p->watch.fd >= 0 && p->flow.guest_port == f->guest_port && addr_eq(&p->flow.host, &f->host) &&
		    addr_eq(&p->flow.guest, &f->guest))
			return p;
		/* One that is free, else the one that was used longest ago. */
		if (!*spare || ((*spare)->watch.fd >= 0 && (p->watch.fd < 0 || p->used < (*spare)->used)))
			*spare = p;
	}
	return NULL;
}

/* NULL: *err says why there can be none. */
static struct ping *ping_open(struct user *u, struct ping_table *t, const struct flow *f, int *err)
{
	struct sockaddr_storage addr;
	struct ping *p, *spare;
	addr_t to;

	p = ping_find(t, f, &spare);
	if (p)
		return p;
	p = spare;
	if (p->watch.fd >= 0)
		ping_drop(p);
	if (!user_route(u, &f->host, 0, &to)) {
		*err = -EACCES;
		return NULL;
	}
	*p = (struct ping) { .user = u, .flow = *f, .watch = { .fd = -1, .fn = ping_readable } };
	p->watch.fd = socket(addr_is_v4(&to) ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			     addr_is_v4(&to) ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (p->watch.fd >= 0 && !connect(p->watch.fd, (struct sockaddr *)&addr, addr_socket(&to, 0, &addr))) {
		if (u->loop)
			loop_add(u->loop, &p->watch, EPOLLIN);
		if (u->loop && !t->timer.due)
			loop_timer(u->loop, &t->timer, loop_now() + PING_IDLE_NS);
		return p;
	}
	*err = -errno;
	if (p->watch.fd >= 0)
		close(p->watch.fd);
	p->watch.fd = -1;
	return NULL;
}

static struct ping_table *ping_table(struct user *u)
{
	struct ping_table *t = u->ping;

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->user = u;
	t->timer.fn = ping_due;
	for (unsigned int i = 0; i < USER_PING_MAX; i++) {
		t->ping[i].user = u;
		t->ping[i].watch.fd = -1;
	}
	return u->ping = t;
}

static void echo_outside(struct user *u, struct packet *p, const struct flow *f, const u8 *data, size_t len)
{
	struct ping_table *t = ping_table(u);
	struct ping *ping;
	int err = -ENOMEM;

	ping = t ? ping_open(u, t, f, &err) : NULL;
	if (ping) {
		ping->used = loop_now();
		err = send(ping->watch.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
	}
	ip_failed(u, p, err, u->mtu);
}

void icmp_input(struct user *u, struct packet *p)
{
	struct flow f = { .guest = p->src, .host = p->dst };
	struct iov_iter whole = p->data;
	u8 data[8 + PING_DATA_MAX];
	size_t len;

	if (!p->checked && sum_fold(sum_iter(p->v6 ? sum_pseudo(&p->src, &p->dst, IPPROTO_ICMPV6, p->len) : 0, &whole))) {
		u->stats.bad_checksum++;
		return;
	}
	len = copy_from_iter(data, sizeof(data), &whole);
	if (len < 8) {
		u->stats.short_frames++;
		return;
	}
	if (p->v6 && data[0] >= 133 && data[0] <= 137) {
		nd_input(u, p);
		return;
	}
	/* Other messages are errors of the guest's, which sockets have no use for. */
	if (data[0] != (p->v6 ? ECHO6 : ECHO4) || data[1])
		return;
	if (p->len > sizeof(data)) {
		u->stats.no_room++;	/* an answer would not fit into a small frame */
		return;
	}
	f.guest_port = get16(data + 4);
	if (p->to_host)
		echo_reply(u, &f, data, len);
	else
		echo_outside(u, p, &f, data, len);
}

void icmp_attach(struct user *u, struct loop *loop)
{
	struct ping_table *t = u->ping;

	for (unsigned int i = 0; t && i < USER_PING_MAX; i++)
		if (t->ping[i].watch.fd >= 0)
			loop_add(loop, &t->ping[i].watch, EPOLLIN);
	if (t)
		loop_timer(loop, &t->timer, loop_now() + PING_IDLE_NS);
}

void icmp_detach(struct user *u)
{
	struct ping_table *t = u->ping;

	for (unsigned int i = 0; t && i < USER_PING_MAX; i++)
		if (t->ping[i].watch.fd >= 0)
			loop_del(u->loop, &t->ping[i].watch);
	if (t)
		loop_timer_cancel(u->loop, &t->timer);
}

void icmp_free(struct user *u)
{
	struct ping_table *t = u->ping;

	for (unsigned int i = 0; t && i < USER_PING_MAX; i++)
		if (t->ping[i].watch.fd >= 0)
			close(t->ping[i].watch.fd);
	free(t);
	u->ping = NULL;
}
