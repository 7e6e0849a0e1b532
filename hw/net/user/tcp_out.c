// SPDX-License-Identifier: GPL-2.0
/*
 * Segments for the guest. They are made when it has a buffer, from what the
 * connections that are ready have to say by then: data from the ring, or an ACK for all
 * that has come before. The network's loop.
 */
#include <errno.h>

#include <linux/kernel.h>

#include "tcp.h"

#define TCP_SEGMENT_MAX	65000		/* of data, with segmentation offload */

struct out {
	u32 seq, off, len;		/* of data, at @off in the ring */
	u8 flags;
};

/* Find the next segment to send; false: there is none. */
static bool tcp_next(struct tcp *c, struct out *o)
{
	struct user *u = c->table->user;
	bool tso = u->offloads & (addr_is_v4(&c->flow.guest) ? NET_OFF_TSO4 : NET_OFF_TSO6);
	u32 most = tso ? max((u32)TCP_SEGMENT_MAX / c->mss, 1U) * c->mss : c->mss;
	u32 window, left;

	*o = (struct out) { .seq = c->snd_nxt, .flags = TCP_ACK };
	if (c->state == CONN_SYN_SENT || c->state == CONN_SYN_RECEIVED) {
		o->seq = c->iss;
		o->flags = TCP_SYN | (c->state == CONN_SYN_RECEIVED ? TCP_ACK : 0);
		return c->snd_max == c->iss || c->again;
	}
	if (c->state != CONN_OPEN)
		return c->ack;
	if (c->keep) {
		o->seq = c->snd_una - 1;
		return true;
	}
	if (c->again) {
		o->seq = c->snd_una;
		most = c->mss;
	}
	o->off = o->seq - c->snd_una;
	left = c->to_guest.len > o->off ? c->to_guest.len - o->off : 0;
	window = c->snd_wnd > o->off ? c->snd_wnd - o->off : 0;
	if (c->probe && !window)
		window = 1;
	o->len = min(min(left, window), most);
	if (o->len == left && c->host_eof && !c->fin_acked && (!c->fin_sent || c->again))
		o->flags |= TCP_FIN;
	if (o->len && o->len == left)
		o->flags |= TCP_PSH;
	return o->len || (o->flags & TCP_FIN) || c->ack || c->again;
}

static u8 *tcp_put_options(const struct tcp *c, u8 *p, u8 flags)
{
	if (flags & TCP_SYN) {
		u32 headers = ip_header_len(&c->flow.guest) - ETH_HEADER + TCP_HEADER;

		p[0] = 2;
		p[1] = 4;
		put16(p + 2, c->table->user->mtu - headers);
		p += 4;
		/* RFC 7323, 1.3: in an answer only if the other side has said it. */
		if (!(flags & TCP_ACK) || c->rcv_scale) {
			p[0] = 1;
			p[1] = 3;
			p[2] = 3;
			p[3] = TCP_SCALE;
			p += 4;
		}
	}
	if (c->stamps || (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		p[0] = p[1] = 1;
		p[2] = 8;
		p[3] = 10;
		put32(p + 4, tcp_stamp());
		put32(p + 8, flags & TCP_ACK ? c->ts_recent : 0);
		p += TCP_OPT_STAMPS;
	}
	return p;
}

/* The window field, and that the guest knows it now. */
static u16 tcp_put_window(struct tcp *c, u8 flags)
{
	u32 window = tcp_window(c), scale = flags & TCP_SYN ? 0 : c->rcv_scale;

	window = min(window >> scale, 0xffffU);
	if (flags & TCP_ACK && seq_lt(c->rcv_adv, c->rcv_nxt + (window << scale)))
		c->rcv_adv = c->rcv_nxt + (window << scale);
	return window;
}

/* Checksum and segmentation: done here, or left to the guest, which does neither. */
static void tcp_undone(struct tcp *c, const struct out *o, u8 *h, size_t ip, size_t tcp_len, const struct iovec *iov,
		       unsigned int nr)
{
	struct net_hdr *hdr = (struct net_hdr *)h;
	u8 *tcp = h + sizeof(*hdr) + ip;
	u32 sum = sum_pseudo(&c->flow.host, &c->flow.guest, IPPROTO_TCP, tcp_len + o->len);
	unsigned int i;

	if (c->table->user->offloads & NET_OFF_CSUM) {
		hdr->flags = NET_CSUM;
		hdr->csum_start = htole16(ip);
		hdr->csum_offset = htole16(16);
		put16(tcp + 16, ~sum_fold(sum));
		if (o->len > c->mss) {
			hdr->gso_type = addr_is_v4(&c->flow.guest) ? NET_GSO_TCP4 : NET_GSO_TCP6;
			hdr->gso_size = htole16(c->mss);
			hdr->hdr_len = htole16(ip + tcp_len);
		}
		return;
	}
	sum = sum_add(sum, tcp, tcp_len);
	for (i = 0; i < nr; i++) {
		/* Where the first piece is of odd length, the words of the second are the other way round. */
		u32 part = sum_add(0, iov[i].iov_base, iov[i].iov_len);

		if (i && (iov[0].iov_len & 1)) {
			part = (u16)~sum_fold(part);
			part = (part << 8 | part >> 8) & 0xffff;
		}
		sum += (u16)~sum_fold(part);
	}
	put16(tcp + 16, sum_fold(sum));
}

/* Cut what is too long for @room bytes; false: then there would be nothing left. */
static bool tcp_fit(struct out *o, size_t head, size_t room)
{
	if (room < head || (o->len && room == head))
		return false;
	if (room - head < o->len) {
		o->len = room - head;
		o->flags &= ~(TCP_FIN | TCP_PSH);
	}
	return true;
}

/* Its bytes in @in, @o is then what went; -EMSGSIZE: it has no room. */
static ssize_t tcp_put(struct tcp *c, struct out *o, struct iov_iter *in)
{
	struct user *u = c->table->user;
	u8 h[sizeof(struct net_hdr) + ETH_HEADER + 40 + 60] = { 0 };
	size_t ip = ip_header_len(&c->flow.guest), len;
	u8 *tcp = h + sizeof(struct net_hdr) + ip, *end;
	struct iovec iov[2];
	unsigned int nr, i;

	end = tcp_put_options(c, tcp + TCP_HEADER, o->flags);
	len = end - tcp;
	if (!tcp_fit(o, end - h, iov_iter_count(in)))
		return -EMSGSIZE;
	tcp[13] = o->flags;
	nr = ring_pieces(&c->to_guest, o->off, o->len, iov);
	put16(tcp, c->flow.host_port);
	put16(tcp + 2, c->flow.guest_port);
	put32(tcp + 4, o->seq);
	put32(tcp + 8, o->flags & TCP_ACK ? c->rcv_nxt : 0);
	tcp[12] = len / 4 << 4;
	put16(tcp + 14, tcp_put_window(c, o->flags));
	ip_header(u, h + sizeof(struct net_hdr), &c->flow.host, &c->flow.guest, IPPROTO_TCP, len + o->len, IP_HOPS);
	tcp_undone(c, o, h, ip, len, iov, nr);
	copy_to_iter(h, end - h, in);
	for (i = 0; i < nr; i++)
		copy_to_iter(iov[i].iov_base, iov[i].iov_len, in);
	return end - h + o->len;
}

/* The segment is out. */
static void tcp_sent(struct tcp *c, const struct out *o)
{
	u32 end = o->seq + o->len + !!(o->flags & TCP_SYN) + !!(o->flags & TCP_FIN);
	bool first = c->snd_una == c->snd_max;

	c->ack = false;
	c->keep = false;
	c->probe = false;
	c->again = false;
	if (o->flags & TCP_FIN)
		c->fin_sent = true;
	if (!c->timed_at && seq_le(c->snd_max, o->seq) && o->len) {
		c->timed_at = loop_now();
		c->timed = end;
	}
	if (seq_lt(c->snd_nxt, end))
		c->snd_nxt = end;
	if (seq_lt(c->snd_max, end))
		c->snd_max = end;
	if ((first && end != o->seq) || (c->to_guest.len && !c->snd_wnd && (c->keeping || !c->timer.due)))
		tcp_arm(c);
}

bool tcp_pending(const struct user *u)
{
	return !list_empty(&u->tcp->ready);
}

ssize_t tcp_output(struct user *u, struct iov_iter *in)
{
	struct tcp_table *t = u->tcp;

	while (!list_empty(&t->ready)) {
		struct tcp *c = list_first_entry(&t->ready, struct tcp, ready);
		struct iov_iter copy = *in;
		struct out o;
		ssize_t n;

		if (!tcp_next(c, &o)) {
			list_del_init(&c->ready);
			/* The window is closed: a timer opens it, or asks. */
			if (c->state == CONN_OPEN && c->to_guest.len && !c->snd_wnd && (c->keeping || !c->timer.due))
				tcp_arm(c);
			continue;
		}
		n = tcp_put(c, &o, &copy);
		if (n < 0)
			return 0;
		tcp_sent(c, &o);
		list_move_tail(&c->ready, &t->ready);
		return n;
	}
	return 0;
}
