// SPDX-License-Identifier: GPL-2.0
/*
 * The sockets' side of TCP connections. connect() is never waited for. Data of the
 * guest go from its memory into the socket; what the socket does not take goes into a
 * ring, whose room is the window that the guest sees. Data for the guest are kept in a
 * ring until it has acknowledged them. The network's loop.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "tcp.h"

unsigned int ring_pieces(const struct ring *r, u32 off, u32 len, struct iovec iov[2])
{
	u32 at = (r->head + off) & (TCP_RING - 1), first = min(len, TCP_RING - at);

	iov[0] = (struct iovec) { r->data + at, first };
	iov[1] = (struct iovec) { r->data, len - first };
	return len ? 1 + (first < len) : 0;
}

static void ring_taken(struct ring *r, u32 n)
{
	r->head = (r->head + n) & (TCP_RING - 1);
	r->len -= n;
}

/* What the callback is wanted for now. */
static u32 tcp_host_events(const struct tcp *c)
{
	u32 events = 0;

	if (c->state == CONN_CONNECTING || (c->to_host.len && c->state == CONN_OPEN))
		events |= EPOLLOUT;
	if (c->state == CONN_OPEN && !c->host_eof && ring_room(&c->to_guest))
		events |= EPOLLIN;
	return events;
}

static void tcp_host_update(struct tcp *c)
{
	if (c->added)
		loop_mod(c->table->user->loop, &c->watch, tcp_host_events(c));
}

/* A name server that does not take it is followed by the next one. */
static bool tcp_host_next(struct tcp *c)
{
	struct user *u = c->table->user;
	addr_t to;

	while (c->flow.host_port == 53 && user_is_host(u, &c->flow.host) && dns_server(u, ++c->server, &to)) {
		tcp_host_close(c);
		if (!tcp_host_connect(c, &to, c->flow.host_port))
			return true;
	}
	return false;
}

static void tcp_host_connected(struct tcp *c)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err) {
		if (!tcp_host_next(c))
			tcp_failed(c, -err);
		return;
	}
	tcp_state_set(c, CONN_SYN_RECEIVED);
	tcp_host_update(c);
	tcp_ready(c);
}

/* False: the connection is no more. */
static bool tcp_host_read(struct tcp *c)
{
	struct iovec iov[2];
	u32 room = ring_room(&c->to_guest);
	ssize_t n;

	if (!room || c->host_eof)
		return true;
	ring_rewind(&c->to_guest);
	n = readv(c->watch.fd, iov, ring_pieces(&c->to_guest, c->to_guest.len, room, iov));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0) {
		tcp_reset(c);
		return false;
	}
	if (!n)
		c->host_eof = true;
	c->to_guest.len += n;
	tcp_ready(c);
	return true;
}

/* Write the bytes that the socket did not take at once. False: there is no socket any more. */
static bool tcp_host_flush(struct tcp *c)
{
	struct msghdr msg = { 0 };
	struct iovec iov[2];
	ssize_t n;

	if (c->to_host.len) {
		u32 before = tcp_window(c);

		msg.msg_iov = iov;
		msg.msg_iovlen = ring_pieces(&c->to_host, 0, c->to_host.len, iov);
		n = sendmsg(c->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			tcp_reset(c);
			return false;
		}
		if (n > 0)
			ring_taken(&c->to_host, n);
		/* RFC 9293, 3.8.6.2.2: the window opens by steps that are worth a segment. */
		if (before < TCP_RING / 2 && tcp_window(c) >= TCP_RING / 2) {
			c->ack = true;
			tcp_ready(c);
		}
	}
	if (!c->to_host.len && c->fin_received && !c->host_shut) {
		shutdown(c->watch.fd, SHUT_WR);
		c->host_shut = true;
		tcp_done(c);
	}
	return c->state != CONN_TIME_WAIT;
}

static void tcp_host_event(struct watch *w, u32 events)
{
	struct tcp *c = container_of(w, struct tcp, watch);

	if (c->state == CONN_CONNECTING) {
		tcp_host_connected(c);
		return;
	}
	if ((events & EPOLLOUT) && !tcp_host_flush(c))
		return;
	/* An error is said by the read. */
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) && !tcp_host_read(c))
		return;
	tcp_host_update(c);
}

int tcp_host_watch(struct tcp *c)
{
	int ret;

	c->watch.fn = tcp_host_event;
	if (!c->table->user->loop || c->watch.fd < 0)
		return 0;
	ret = loop_add(c->table->user->loop, &c->watch, EPOLLIN);
	c->added = !ret;
	tcp_host_update(c);
	return ret;
}

void tcp_host_options(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* A peer that is gone is noticed some time (RFC 1122, 4.2.3.6). */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

int tcp_host_connect(struct tcp *c, const addr_t *to, u16 port)
{
	struct sockaddr_storage addr;
	socklen_t len = addr_socket(to, port, &addr);
	int ret;

	c->watch.fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->watch.fd < 0)
		return -errno;
	tcp_host_options(c->watch.fd);
	ret = connect(c->watch.fd, (struct sockaddr *)&addr, len) < 0 ? -errno : 0;
	if (ret && ret != -EINPROGRESS)
		return ret;
	return tcp_host_watch(c);
}

void tcp_host_close(struct tcp *c)
{
	if (c->added)
		loop_del(c->table->user->loop, &c->watch);
	c->added = false;
	if (c->watch.fd >= 0)
		close(c->watch.fd);
	c->watch.fd = -1;
}

ssize_t tcp_host_write(struct tcp *c, struct iov_iter *data, size_t len)
{
	struct iovec iov[2];
	ssize_t done = 0;
	unsigned int i, nr;
	u32 rest;

	if (!c->to_host.len && c->state == CONN_OPEN) {
		struct msghdr msg = { 0 };

		done = iov_iter_sendmsg(data, c->watch.fd, len, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		/* More pieces than a system call takes: they go by the ring. */
		if (done == -EAGAIN || done == -EINTR || done == -EMSGSIZE)
			done = 0;
		if (done < 0)
			return done;
	}
	rest = min(len - (size_t)done, (size_t)ring_room(&c->to_host));
	if (rest) {
		ring_rewind(&c->to_host);
		nr = ring_pieces(&c->to_host, c->to_host.len, rest, iov);
		for (i = 0; i < nr; i++)
			copy_from_iter(iov[i].iov_base, iov[i].iov_len, data);
		c->to_host.len += rest;
		tcp_host_update(c);
	}
	return done + rest;
}

void tcp_host_fin(struct tcp *c)
{
	if (tcp_host_flush(c))
		tcp_host_update(c);
}

void tcp_host_taken(struct tcp *c, u32 n)
{
	ring_taken(&c->to_guest, n);
	tcp_host_update(c);
}
