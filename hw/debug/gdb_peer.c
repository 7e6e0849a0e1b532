// SPDX-License-Identifier: GPL-2.0
/* A connection to a debugger: see gdb_peer.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "gdb_peer.h"

static bool peer_drained(const struct gdb_peer *p)
{
	return p->out_at == p->out_len;
}

/* What the socket takes now; the rest when it has room. False: the other side has gone. */
static bool peer_flush(struct gdb_peer *p)
{
	while (!peer_drained(p)) {
		ssize_t n = send(p->watch.fd, p->out + p->out_at, p->out_len - p->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		p->out_at += n;
	}
	return true;
}

static void peer_events(struct gdb_peer *p)
{
	u32 events = peer_drained(p) ? EPOLLIN : EPOLLOUT;

	if (p->loop && gdb_peer_is_open(p) && p->watch.events != events)
		loop_mod(p->loop, &p->watch, events);
}

static void peer_byte(struct gdb_peer *p, char c)
{
	if (peer_drained(p))
		p->out_at = p->out_len = p->last = 0;
	if (p->out_len < sizeof(p->out))
		p->out[p->out_len++] = c;
}

/* The packet whose checksum was wrong on the way: what is left of it has not moved. */
static void peer_again(struct gdb_peer *p)
{
	if (peer_drained(p) && !p->no_ack)
		p->out_at = p->last;
}

void gdb_peer_send(struct gdb_peer *p, const void *data, size_t len)
{
	if (!gdb_peer_is_open(p))
		return;
	/* An acknowledgement may be under way, and nothing else: see peer_serve(). */
	if (peer_drained(p))
		p->out_at = p->out_len = 0;
	if (sizeof(p->out) - p->out_len < GDB_WIRE_MAX)
		return;
	p->last = p->out_len;
	p->out_len += gdb_encode(p->out + p->out_len, data, len);
	/* An error comes back with the next event. */
	peer_flush(p);
	peer_events(p);
}

static void peer_decoded(struct gdb_peer *p, enum gdb_event event)
{
	switch (event) {
	case GDB_PACKET:
		if (!p->no_ack)
			peer_byte(p, '+');
		p->ops->packet(p->obj, p->decoder.data, p->decoder.len);
		break;
	case GDB_CORRUPT:
		peer_byte(p, '-');
		break;
	case GDB_NAK:
		peer_again(p);
		break;
	case GDB_INTERRUPT:
		p->ops->interrupt(p->obj);
		break;
	case GDB_ALIEN:
		p->ops->lost(p->obj);
		break;
	case GDB_ACK:
	case GDB_NOTHING:
		break;
	}
}

static void peer_serve(struct gdb_peer *p)
{
	bool sent = peer_flush(p);

	while (sent && gdb_peer_is_open(p) && peer_drained(p) && p->in_at < p->in_len) {
		peer_decoded(p, gdb_decode(&p->decoder, p->in[p->in_at++]));
		if (gdb_peer_is_open(p))
			sent = peer_flush(p);
	}
	if (!sent)
		p->ops->lost(p->obj);
	peer_events(p);
}

static void peer_event(struct watch *w, u32 events)
{
	struct gdb_peer *p = container_of(w, struct gdb_peer, watch);
	ssize_t n;

	if (peer_drained(p) && p->in_at == p->in_len) {
		n = recv(w->fd, p->in, sizeof(p->in), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			p->ops->lost(p->obj);
			return;
		}
		p->in_at = 0;
		p->in_len = n;
	}
	peer_serve(p);
}

void gdb_peer_open(struct gdb_peer *p, int fd)
{
	p->watch = (struct watch) { .fd = fd, .fn = peer_event };
	p->no_ack = false;
	p->decoder.state = GDB_BETWEEN;
	p->in_at = p->in_len = p->out_at = p->out_len = p->last = 0;
}

void gdb_peer_close(struct gdb_peer *p)
{
	if (!gdb_peer_is_open(p))
		return;
	gdb_peer_detach(p);
	close(p->watch.fd);
	p->watch.fd = -1;
}

int gdb_peer_attach(struct gdb_peer *p, struct loop *loop)
{
	int ret;

	if (!gdb_peer_is_open(p))
		return 0;
	ret = loop_add(loop, &p->watch, peer_drained(p) ? EPOLLIN : EPOLLOUT);
	if (!ret)
		p->loop = loop;
	return ret;
}

void gdb_peer_detach(struct gdb_peer *p)
{
	if (p->loop)
		loop_del(p->loop, &p->watch);
	p->loop = NULL;
}
