// SPDX-License-Identifier: GPL-2.0
/*
 * Frames through a descriptor: see port.h. The watch is edge-triggered, so a guest that
 * has no buffers for a while causes neither wake-ups nor system calls.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "port.h"

/* Packets that are no frames, one after the other, before others of the loop have their turn. */
#define PORT_BATCH	64

static void port_event(struct watch *w, u32 events)
{
	struct net_port *p = container_of(w, struct net_port, watch);

	if ((events & EPOLLOUT) && p->full) {
		p->full = p->stuck = false;
		loop_timer_cancel(p->loop, &p->patience);
		p->ops->writable(p);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		p->ready = true;
		p->ops->readable(p);
	}
}

static void port_impatient(struct timer *t)
{
	struct net_port *p = container_of(t, struct net_port, patience);

	p->stuck = true;
	p->ops->writable(p);
}

static void port_again(struct timer *t)
{
	struct net_port *p = container_of(t, struct net_port, again);

	p->ops->readable(p);
}

void net_port_init(struct net_port *p, int fd, const struct net_port_ops *ops)
{
	p->fd = fd;
	p->ops = ops;
	p->watch = (struct watch) { .fd = fd, .fn = port_event };
	p->patience.fn = port_impatient;
	p->again.fn = port_again;
	p->ready = true;
	p->full = p->stuck = false;
}

void net_port_close(struct net_port *p)
{
	if (p->fd < 0)
		return;
	net_port_detach(p);
	close(p->fd);
	p->fd = -1;
}

int net_port_attach(struct net_port *p, struct loop *loop)
{
	int ret = loop_add(loop, &p->watch, EPOLLIN | EPOLLOUT | EPOLLET);

	if (!ret)
		p->loop = loop;
	return ret;
}

void net_port_detach(struct net_port *p)
{
	if (!p->loop)
		return;
	loop_del(p->loop, &p->watch);
	loop_timer_cancel(p->loop, &p->patience);
	loop_timer_cancel(p->loop, &p->again);
	p->full = p->stuck = false;
	p->loop = NULL;
}

/* One packet: its length in @len; -EAGAIN; -EPIPE: nothing comes any more; another -errno: try again. */
static int port_packet(struct net_port *p, u8 *to, size_t room, size_t *len)
{
	/* A packet that is too long counts with its full length, and is refused by that. */
	ssize_t n = p->file ? read(p->fd, to, room) : recv(p->fd, to, room, MSG_DONTWAIT | MSG_TRUNC);
	int type = 0;
	socklen_t size = sizeof(type);

	if (n < 0)
		return errno == EAGAIN || errno == ECONNREFUSED || errno == EINTR ? -errno : -EPIPE;
	/* No byte: the end, but of datagrams. */
	if (!n && !getsockopt(p->fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_SEQPACKET)
		return -EPIPE;
	*len = n;
	return 0;
}

int net_port_read(struct net_port *p, struct net_inbox *in)
{
	size_t skip = p->plain ? sizeof(struct net_hdr) : 0, len;
	unsigned int i;
	int ret;

	for (i = 0; p->ready && i < PORT_BATCH; i++) {
		ret = port_packet(p, in->frame + skip, NET_FRAME_MAX - skip, &len);
		if (ret == -EPIPE)
			return ret;
		if (ret == -EAGAIN)
			p->ready = false;
		else if (!ret && (skip ? net_inbox_put_plain(in, len) : net_inbox_put(in, len)))
			return 0;
	}
	if (p->ready)
		net_port_later(p);
	return -EAGAIN;
}

void net_port_later(struct net_port *p)
{
	if (p->loop)
		loop_timer(p->loop, &p->again, loop_now());
}

int net_port_send(struct net_port *p, struct iov_iter *out)
{
	struct iov_iter frame = *out;
	struct msghdr msg = { 0 };
	ssize_t n;

	if (p->plain)
		iov_iter_advance(&frame, sizeof(struct net_hdr));
	if (p->full && !p->stuck)
		return -EAGAIN;
	n = p->file ? iov_iter_write_packet(&frame, p->fd) :
		      iov_iter_sendmsg(&frame, p->fd, iov_iter_count(&frame), &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n != -EAGAIN || p->stuck)
		return 0;
	p->full = true;
	loop_timer(p->loop, &p->patience, loop_now() + PORT_PATIENCE_NS);
	return -EAGAIN;
}
