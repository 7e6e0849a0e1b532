// SPDX-License-Identifier: GPL-2.0
/*
 * TCP towards the guest: RFC 9293, with window scaling and timestamps (RFC 7323),
 * retransmission (RFC 6298, RFC 6582), unpredictable sequence numbers (RFC 6528) and
 * blind resets (RFC 5961). The guest's end is close and loses next to nothing, so what
 * arrives out of order is not kept: the guest sends it again. SACK is not offered.
 *
 * Nothing is sent from here: see tcp_out.c. A connection that has something to say is put on a list,
 * and says it when the guest has a buffer. So one ACK stands for all that came before.
 * The network's loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "pairs.h"

#define TCP_RTO_FIRST	(1 * SECOND)	/* RFC 6298, 2.1 */
#define TCP_RTO_MIN	(200 * MS)
#define TCP_RTO_MAX	(60 * SECOND)
#define TCP_RETRIES	8
#define TCP_MSS_DEFAULT	536		/* RFC 9293, 3.7.1; 1220 for IPv6 is more than this */
#define TCP_CONNECT_NS	(75 * SECOND)	/* RFC 1122, 4.2.3.5: at least three minutes for the host's own SYN, which goes on */
#define TCP_WAIT_NS	(1 * SECOND)	/* twice the lifetime of a segment, which never leaves this machine */
#define TCP_IDLE_NS	(7440 * SECOND)	/* RFC 5382, REQ-5: before that no connection makes room for another */
/* RFC 1122, 4.2.3.6: an idle guest is asked after two hours, and then each time the host's Linux would. */
#define TCP_KEEP_NS	(7200 * SECOND)
#define TCP_KEEP_EACH	(75 * SECOND)

/* RFC 6528, 3 */
static u32 tcp_isn(const struct tcp_table *t, const struct flow *f)
{
	return (u32)tcp_hash(t, f) + (u32)(loop_now() / 4000);
}

/* Connections */

void ring_rewind(struct ring *r)
{
	r->head = r->len ? r->head : 0;
}

void tcp_ready(struct tcp *c)
{
	if (list_empty(&c->ready))
		list_add_tail(&c->ready, &c->table->ready);
	user_wake(c->table->user);
}

static bool tcp_is_opening(enum tcp_state state)
{
	return state == CONN_CONNECTING || state == CONN_SYN_SENT || state == CONN_SYN_RECEIVED;
}

void tcp_state_set(struct tcp *c, enum tcp_state state)
{
	c->table->opening += tcp_is_opening(state) - tcp_is_opening(c->state);
	c->state = state;
}

static struct list_head *tcp_bucket(struct tcp_table *t, const struct flow *f)
{
	return &t->bucket[(tcp_hash(t, f) >> 32) % TCP_BUCKETS];
}

static struct tcp *tcp_find(struct tcp_table *t, const struct flow *f)
{
	struct tcp *c;

	list_for_each_entry(c, tcp_bucket(t, f), node)
		if (c->flow.guest_port == f->guest_port && c->flow.host_port == f->host_port &&
		    addr_eq(&c->flow.guest, &f->guest) && addr_eq(&c->flow.host, &f->host))
			return c;
	return NULL;
}

/* The guest has ended it. To the peer it is an abort, unless the guest had closed it before. */
static void tcp_abort(struct tcp *c)
{
	struct linger now = { .l_onoff = 1 };

	if (c->watch.fd >= 0 && !c->host_shut)
		setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	tcp_drop(c);
}

void tcp_drop(struct tcp *c)
{
	struct tcp_table *t = c->table;
	u8 *rings = c->to_guest.data;

	tcp_host_close(c);
	if (t->user->loop)
		loop_timer_cancel(t->user->loop, &c->timer);
	tcp_state_set(c, CONN_FREE);
	pairs_del(c);
	list_del(&c->node);
	list_del(&c->age);
	list_del_init(&c->ready);
	list_add(&c->node, &t->free);
	/* What a connection has touched is not the next one's to pay for, nor to read. */
	madvise(rings, 2 * TCP_RING, MADV_DONTNEED);
}

static void tcp_due(struct timer *timer);

/* NULL: there are too many. */
static struct tcp *tcp_add(struct tcp_table *t, const struct flow *flow)
{
	struct ring to_guest, to_host;
	struct tcp *c;

	if (t->opening >= TCP_OPENING_MAX)
		return NULL;
	if (list_empty(&t->free) && t->touched < TCP_MAX) {
		c = &t->tcp[t->touched];
		c->to_guest.data = t->arena + (size_t)t->touched++ * 2 * TCP_RING;
		c->to_host.data = c->to_guest.data + TCP_RING;
		list_add(&c->node, &t->free);
	}
	if (list_empty(&t->free)) {
		c = list_first_entry(&t->used, struct tcp, age);
		if (c->state != CONN_TIME_WAIT && loop_now() - c->used < TCP_IDLE_NS)
			return NULL;
		tcp_drop(c);
	}
	c = list_first_entry(&t->free, struct tcp, node);
	list_del(&c->node);
	to_guest = (struct ring) { .data = c->to_guest.data };
	to_host = (struct ring) { .data = c->to_host.data };
	*c = (struct tcp) { .table = t, .flow = *flow, .watch.fd = -1, .timer.fn = tcp_due, .to_guest = to_guest,
			    .to_host = to_host, .rto = TCP_RTO_FIRST, .mss = TCP_MSS_DEFAULT, .used = loop_now() };
	list_add(&c->node, tcp_bucket(t, flow));
	pairs_add(c);
	list_add_tail(&c->age, &t->used);
	INIT_LIST_HEAD(&c->ready);
	c->iss = c->snd_una = c->snd_nxt = c->snd_max = tcp_isn(t, flow);
	return c;
}

static void tcp_timer(struct tcp *c, u64 ns)
{
	if (c->table->user->loop)
		loop_timer(c->table->user->loop, &c->timer, loop_now() + ns);
}

/* Bytes that fit into what the guest may still send: RFC 9293, 3.8.6. */
u32 tcp_window(const struct tcp *c)
{
	u32 room = ring_room(&c->to_host);
	u32 edge = c->rcv_adv - c->rcv_nxt;

	/* What has been offered stays so (3.8.6: the window is not shrunk). */
	return max(room, (s32)edge > 0 ? edge : 0);
}

/* Small frames: RST and answers for which there is no connection */

static void tcp_say(struct user *u, const struct flow *f, u8 flags, u32 seq, u32 ack)
{
	u8 *h = user_frame_new(u, &f->host, &f->guest, IPPROTO_TCP, TCP_HEADER, IP_HOPS);

	if (!h)
		return;
	memset(h, 0, TCP_HEADER);
	put16(h, f->host_port);
	put16(h + 2, f->guest_port);
	put32(h + 4, seq);
	put32(h + 8, ack);
	h[12] = TCP_HEADER / 4 << 4;
	h[13] = flags;
	user_frame_send(u, 16);
}

void tcp_reset(struct tcp *c)
{
	struct user *u = c->table->user;

	if (c->state == CONN_SYN_SENT)
		tcp_say(u, &c->flow, TCP_RST, c->snd_nxt, 0);
	else
		tcp_say(u, &c->flow, TCP_RST | TCP_ACK, c->snd_nxt, c->rcv_nxt);
	tcp_drop(c);
}

void tcp_failed(struct tcp *c, int err)
{
	struct user *u = c->table->user;
	struct packet p;

	u->stats.refused++;
	ip_quote(u, &p, &c->flow, IPPROTO_TCP, c->irs);
	/* Nobody has answered, as nobody does here. A router says what it knows; a host resets. */
	if (err == -ETIMEDOUT || ip_failed(u, &p, err, u->mtu))
		tcp_drop(c);
	else
		tcp_reset(c);
}

/* A segment of the guest */

struct segment {
	u8 flags;
	u32 seq, ack, len;		/* len: of data, without SYN and FIN */
	u16 window, mss;		/* mss 0: not said */
	s8 scale;			/* -1: not said */
	bool stamps;
	u32 ts, ts_echo;
	struct iov_iter *data;
};

/* RFC 9293, 3.2; options that are cut off or of length 0 end the list. */
static void tcp_options(struct segment *s, const u8 *p, size_t len)
{
	while (len) {
		if (*p == 0)
			return;
		if (*p == 1) {
			p++;
			len--;
			continue;
		}
		if (len < 2 || p[1] < 2 || p[1] > len)
			return;
		if (p[0] == 2 && p[1] == 4) {
			s->mss = get16(p + 2);
		} else if (p[0] == 3 && p[1] == 3) {
			s->scale = min(p[2], (u8)14);
		} else if (p[0] == 8 && p[1] == 10) {
			s->stamps = true;
			s->ts = get32(p + 2);
			s->ts_echo = get32(p + 6);
		}
		len -= p[1];
		p += p[1];
	}
}

static bool tcp_parse(struct user *u, struct packet *p, struct segment *s, struct flow *flow)
{
	struct iov_iter whole = p->data;
	u8 h[60];
	size_t len;

	if (copy_from_iter(h, TCP_HEADER, &p->data) < TCP_HEADER)
		goto bad;
	len = (h[12] >> 4) * 4;
	if (len < TCP_HEADER || len > p->len || copy_from_iter(h + TCP_HEADER, len - TCP_HEADER, &p->data) < len - TCP_HEADER)
		goto bad;
	if (!p->checked && sum_fold(sum_iter(sum_pseudo(&p->src, &p->dst, IPPROTO_TCP, p->len), &whole))) {
		u->stats.bad_checksum++;
		return false;
	}
	*flow = (struct flow) { .guest = p->src, .host = p->dst, .guest_port = get16(h), .host_port = get16(h + 2) };
	*s = (struct segment) { .flags = h[13], .seq = get32(h + 4), .ack = get32(h + 8), .window = get16(h + 14),
				.len = p->len - len, .scale = -1, .data = &p->data };
	tcp_options(s, h + TCP_HEADER, len - TCP_HEADER);
	return true;
bad:
	u->stats.short_frames++;
	return false;
}

/* RFC 9293, 3.5.2: a segment of no connection. */
static void tcp_refuse(struct user *u, const struct flow *f, const struct segment *s)
{
	u32 len = s->len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);

	if (s->flags & TCP_RST)
		return;
	if (s->flags & TCP_ACK)
		tcp_say(u, f, TCP_RST, s->ack, 0);
	else
		tcp_say(u, f, TCP_RST | TCP_ACK, 0, s->seq + len);
}

/* The options that both SYNs have. */
static void tcp_agree(struct tcp *c, const struct segment *s)
{
	u32 headers = ip_header_len(&c->flow.guest) - ETH_HEADER + TCP_HEADER;
	u32 mss = s->mss ? s->mss : TCP_MSS_DEFAULT;

	c->irs = s->seq;
	c->rcv_nxt = c->rcv_adv = s->seq + 1;
	c->snd_wnd = s->window;		/* RFC 7323, 2.2: that of a SYN is not scaled */
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	if (s->scale >= 0) {
		c->snd_scale = s->scale;
		c->rcv_scale = TCP_SCALE;
	}
	c->stamps = s->stamps;
	c->ts_recent = s->ts;
	mss = min(mss, (u32)c->table->user->mtu - headers);
	c->mss = max(mss, 88U) - (c->stamps ? TCP_OPT_STAMPS : 0);
}

static void tcp_connect(struct user *u, struct packet *p, const struct flow *flow, const struct segment *s)
{
	struct tcp *c;
	addr_t to;
	int ret;

	if (!user_route(u, &flow->host, flow->host_port, &to)) {
		ip_unreachable(u, p, UNREACH4_ADMIN, UNREACH6_ADMIN, 0);
		tcp_refuse(u, flow, s);
		return;
	}
	c = tcp_add(u->tcp, flow);
	if (!c) {
		u->stats.no_room++;	/* the guest tries again */
		return;
	}
	tcp_agree(c, s);
	tcp_state_set(c, CONN_CONNECTING);
	ret = tcp_host_connect(c, &to, flow->host_port);
	if (ret)
		tcp_failed(c, ret);
	else
		tcp_timer(c, TCP_CONNECT_NS);
}

void tcp_accepted(struct user *u, int fd, const struct flow *flow)
{
	struct flow own = *flow;
	struct tcp *c;

	/* Another peer may have the port, at another address or at another forward. At most TCP_MAX ports are in use. */
	while (tcp_find(u->tcp, &own))
		own.host_port = 32768 + u->forward_port++ % 28000;
	c = tcp_add(u->tcp, &own);
	if (!c) {
		u->stats.no_room++;
		close(fd);
		return;
	}
	c->watch.fd = fd;
	tcp_host_options(fd);
	tcp_state_set(c, CONN_SYN_SENT);
	tcp_timer(c, c->rto);
	tcp_ready(c);
}

/* How long the segment was on its way that @s acknowledges, in ns; 0: nobody knows. */
static u64 tcp_trip(struct tcp *c, const struct segment *s)
{
	u64 sent = c->timed_at;

	if (c->stamps && s->stamps && s->ts_echo)
		return (u64)(tcp_stamp() - s->ts_echo) * MS + 1;
	if (!sent || seq_lt(s->ack, c->timed))
		return 0;
	c->timed_at = 0;
	return loop_now() - sent + 1;
}

/* RFC 6298, 2; by timestamps (RFC 7323, 4.1), else by one segment at a time. */
static void tcp_measure(struct tcp *c, const struct segment *s)
{
	u64 rtt = tcp_trip(c, s), delta;

	if (!rtt || rtt > TCP_RTO_MAX)
		return;
	if (!c->srtt) {
		c->srtt = max(rtt, MS);
		c->rttvar = c->srtt / 2;
	} else {
		delta = c->srtt > rtt ? c->srtt - rtt : rtt - c->srtt;
		c->rttvar = (3 * c->rttvar + delta) / 4;
		c->srtt = (7 * c->srtt + rtt) / 8;
	}
	c->rto = min(max(c->srtt + max(4 * c->rttvar, MS), (u64)TCP_RTO_MIN), (u64)TCP_RTO_MAX);
}

/* Nothing is out that wants an ACK, and nothing waits for a window (RFC 9293, 3.8.6.1). */
static bool tcp_is_idle(const struct tcp *c)
{
	return c->state == CONN_OPEN && c->snd_una == c->snd_max && (!c->to_guest.len || c->snd_wnd);
}

void tcp_arm(struct tcp *c)
{
	c->keeping = tcp_is_idle(c);
	if (c->keeping)
		tcp_timer(c, c->retries ? TCP_KEEP_EACH : TCP_KEEP_NS);
	else if (c->state == CONN_OPEN || c->state == CONN_SYN_SENT || c->state == CONN_SYN_RECEIVED)
		tcp_timer(c, min(c->rto << min(c->retries, (u8)8), TCP_RTO_MAX));
}

/* RFC 1122, 4.2.3.6: a number that the guest has acknowledged makes it answer. */
static void tcp_keep(struct tcp *c)
{
	u64 idle = loop_now() - c->used;

	if (idle < TCP_KEEP_NS) {
		tcp_timer(c, TCP_KEEP_NS - idle);
		return;
	}
	if (++c->retries > TCP_RETRIES) {
		tcp_reset(c);
		return;
	}
	c->keep = true;
	tcp_arm(c);
	tcp_ready(c);
}

static void tcp_due(struct timer *timer)
{
	struct tcp *c = container_of(timer, struct tcp, timer);

	if (c->state == CONN_TIME_WAIT) {
		tcp_drop(c);
		return;
	}
	if (c->state == CONN_CONNECTING) {
		tcp_failed(c, -ETIMEDOUT);
		return;
	}
	if (tcp_is_idle(c)) {
		tcp_keep(c);
		return;
	}
	if (++c->retries > TCP_RETRIES) {
		tcp_reset(c);
		return;
	}
	/* RFC 6298, 5.4 to 5.6: the oldest one, and with each ACK the next. */
	c->srtt = c->timed_at = 0;	/* 3: what was sent twice is not timed */
	c->recover = c->snd_max;
	c->duplicates = 0;
	c->again = true;
	c->probe = c->state == CONN_OPEN && !c->snd_wnd;
	tcp_arm(c);
	tcp_ready(c);
}

void tcp_done(struct tcp *c)
{
	if (c->fin_acked && c->fin_received && c->host_shut && c->state == CONN_OPEN) {
		tcp_host_close(c);
		tcp_state_set(c, CONN_TIME_WAIT);
		tcp_timer(c, TCP_WAIT_NS);
	}
}

static void tcp_acked(struct tcp *c, const struct segment *s)
{
	u32 n = s->ack - c->snd_una, data;

	if (c->state == CONN_SYN_RECEIVED || c->state == CONN_SYN_SENT) {
		n--;			/* our SYN */
		c->snd_una++;
		tcp_state_set(c, CONN_OPEN);
	}
	data = min(n, c->to_guest.len);
	if (n > data && c->fin_sent)
		c->fin_acked = true;
	c->snd_una = s->ack;
	if (seq_lt(c->snd_nxt, c->snd_una))
		c->snd_nxt = c->snd_una;
	c->retries = 0;
	c->duplicates = 0;
	tcp_measure(c, s);
	tcp_host_taken(c, data);
	/* RFC 6582, 3.2: an ACK of a part says that the next is missing, too. */
	if (c->recover && seq_lt(c->snd_una, c->recover))
		c->again = true;
	else
		c->recover = 0;
	tcp_arm(c);
}

/* RFC 5681, 2: what counts as a duplicate, and 3.2. */
static void tcp_duplicate(struct tcp *c, const struct segment *s, u32 window)
{
	if (s->len || window != c->snd_wnd || c->snd_una == c->snd_max || s->flags & TCP_FIN)
		return;
	if (++c->duplicates != 3 || c->recover)
		return;
	c->recover = c->snd_max;
	c->again = true;
	tcp_ready(c);
}

/* The ACK of a segment: false: the segment goes no further. RFC 9293, 3.10.7.4; RFC 5961, 5.2. */
static bool tcp_ack(struct tcp *c, const struct segment *s)
{
	u32 window = (u32)s->window << (s->flags & TCP_SYN ? 0 : c->snd_scale);

	if (seq_lt(c->snd_max, s->ack)) {
		c->ack = true;
		return false;
	}
	if (c->state == CONN_SYN_RECEIVED && !seq_lt(c->snd_una, s->ack)) {
		tcp_say(c->table->user, &c->flow, TCP_RST, s->ack, 0);
		return false;
	}
	if (seq_lt(c->snd_una, s->ack))
		tcp_acked(c, s);
	else if (s->ack == c->snd_una)
		tcp_duplicate(c, s, window);
	if (seq_lt(c->snd_wl1, s->seq) || (c->snd_wl1 == s->seq && seq_le(c->snd_wl2, s->ack))) {
		bool more = window > c->snd_wnd, opens = more && !c->snd_wnd;

		c->snd_wnd = window;
		c->snd_wl1 = s->seq;
		c->snd_wl2 = s->ack;
		if (more)
			c->retries = 0;
		/* The byte of a probe is still to come, and now. */
		if (opens && c->snd_una != c->snd_max) {
			c->again = true;
			tcp_arm(c);
		}
	}
	/* RFC 9293, 3.8.6.1: who answers probes is there, and may keep the window closed. */
	if (!c->snd_wnd && s->ack == c->snd_una && c->retries == TCP_RETRIES)
		c->retries--;
	return true;
}

/* Our SYN waits: RFC 9293, 3.10.7.3. */
static void tcp_answered(struct tcp *c, const struct segment *s)
{
	bool right = (s->flags & TCP_ACK) && s->ack == c->iss + 1 && c->snd_max == c->iss + 1;

	if ((s->flags & TCP_ACK) && !right) {
		if (!(s->flags & TCP_RST))
			tcp_say(c->table->user, &c->flow, TCP_RST, s->ack, 0);
		return;
	}
	if (s->flags & TCP_RST) {
		if (right)
			tcp_abort(c);
		return;
	}
	if (!right || !(s->flags & TCP_SYN))
		return;
	tcp_agree(c, s);
	tcp_acked(c, s);
	c->ack = true;
	tcp_ready(c);
	if (tcp_host_watch(c))
		tcp_reset(c);
}

/* RFC 9293, 3.10.7.4: is any of it in the window? */
static bool tcp_acceptable(const struct tcp *c, const struct segment *s)
{
	u32 len = s->len + !!(s->flags & TCP_FIN), window = tcp_window(c);

	if (!window)
		return !len && s->seq == c->rcv_nxt;
	if (seq_le(c->rcv_nxt, s->seq))
		return seq_lt(s->seq, c->rcv_nxt + window);
	return len && seq_lt(c->rcv_nxt, s->seq + len);
}

/* The data of a segment, and its FIN. False: the connection is no more. */
static bool tcp_data(struct tcp *c, struct segment *s)
{
	u32 skip = c->rcv_nxt - s->seq, len = s->len;
	bool fin = s->flags & TCP_FIN;
	ssize_t n;

	if (!len && !fin)
		return true;
	c->ack = true;
	tcp_ready(c);
	/* What comes too early is sent again; RFC 5681, 4.2: at once an ACK for what is missing. */
	if (seq_lt(c->rcv_nxt, s->seq) || c->fin_received)
		return true;
	if (skip > len)
		return true;		/* all of it is here already */
	iov_iter_advance(s->data, skip);
	len -= skip;
	if (len > tcp_window(c)) {
		len = tcp_window(c);
		fin = false;
	}
	if (len) {
		n = tcp_host_write(c, s->data, len);
		if (n < 0) {
			tcp_reset(c);
			return false;
		}
		c->rcv_nxt += n;
		fin = fin && n == (ssize_t)len;
	}
	if (fin) {
		c->rcv_nxt++;
		c->fin_received = true;
		tcp_host_fin(c);
		return c->state != CONN_FREE;
	}
	return true;
}

/* RFC 5961, 3.2 and 4.2: only the very next number resets; others are answered. False: it ends here. */
static bool tcp_blind(struct tcp *c, const struct segment *s)
{
	if (s->flags & TCP_RST) {
		if (s->seq == c->rcv_nxt) {
			tcp_abort(c);
		} else if (tcp_acceptable(c, s)) {
			c->ack = true;
			tcp_ready(c);
		}
		return false;
	}
	if (s->flags & TCP_SYN) {
		/* The SYN of this connection once more: so our answer was lost. */
		if (c->state == CONN_SYN_RECEIVED && s->seq == c->irs)
			c->again = true;
		else
			c->ack = true;
		tcp_ready(c);
		return false;
	}
	return s->flags & TCP_ACK;
}

static void tcp_segment(struct tcp *c, struct segment *s)
{
	if (c->state == CONN_SYN_SENT) {
		tcp_answered(c, s);
		return;
	}
	/* The guest's own SYN, again: the host's answer is still to come. */
	if (c->state == CONN_CONNECTING) {
		if ((s->flags & TCP_RST) && s->seq == c->rcv_nxt)
			tcp_abort(c);
		return;
	}
	/* RFC 7323, 5.3: too old; a RST is looked at all the same. */
	if (c->stamps && s->stamps && !(s->flags & TCP_RST) && seq_lt(s->ts, c->ts_recent)) {
		c->ack = true;
		tcp_ready(c);
		return;
	}
	if ((s->flags & (TCP_RST | TCP_SYN)) || !(s->flags & TCP_ACK)) {
		tcp_blind(c, s);
		return;
	}
	if (!tcp_acceptable(c, s)) {
		c->ack = true;
		tcp_ready(c);
		/* RFC 9293, 3.10.7.4: the ACK of one that is beside a closed window counts. */
		if (s->seq + s->len != c->rcv_nxt && tcp_window(c))
			return;
	}
	if (s->stamps && seq_le(s->seq, c->rcv_nxt))
		c->ts_recent = s->ts;
	if (!tcp_ack(c, s)) {
		tcp_ready(c);
		return;
	}
	if (c->state == CONN_OPEN && !tcp_data(c, s))
		return;
	tcp_done(c);
	tcp_ready(c);
}

void tcp_input(struct user *u, struct packet *p)
{
	struct segment s;
	struct flow flow;
	struct tcp *c;

	if (!tcp_parse(u, p, &s, &flow))
		return;
	c = tcp_find(u->tcp, &flow);
	/* RFC 9293, 3.6.1: a new connection over one that only waits. */
	if (c && c->state == CONN_TIME_WAIT && (s.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
	    seq_lt(c->rcv_nxt, s.seq)) {
		tcp_drop(c);
		c = NULL;
	}
	if (!c) {
		if ((s.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN)
			tcp_connect(u, p, &flow, &s);
		else
			tcp_refuse(u, &flow, &s);
		return;
	}
	c->used = loop_now();
	if (tcp_is_idle(c))
		c->retries = 0;
	list_del(&c->age);
	list_add_tail(&c->age, &u->tcp->used);
	tcp_segment(c, &s);
}

/* Start and stop */

void tcp_attach(struct user *u, struct loop *loop)
{
	struct tcp *c;

	list_for_each_entry(c, &u->tcp->used, age) {
		if (c->state != CONN_SYN_SENT)
			tcp_host_watch(c);
		if (c->state == CONN_CONNECTING)
			tcp_timer(c, TCP_CONNECT_NS);
		else if (c->state == CONN_TIME_WAIT)
			tcp_timer(c, TCP_WAIT_NS);
		else
			tcp_arm(c);
	}
}

void tcp_detach(struct user *u)
{
	struct tcp *c;

	list_for_each_entry(c, &u->tcp->used, age) {
		if (c->added)
			loop_del(u->loop, &c->watch);
		c->added = false;
		loop_timer_cancel(u->loop, &c->timer);
	}
}

int tcp_new(struct user *u)
{
	struct tcp_table *t = calloc(1, sizeof(*t));
	size_t size = (size_t)TCP_MAX * 2 * TCP_RING;
	unsigned int i;

	if (!t)
		return -ENOMEM;
	t->user = u;
	t->arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->arena == MAP_FAILED || getrandom(t->secret, sizeof(t->secret), 0) != sizeof(t->secret)) {
		if (t->arena != MAP_FAILED)
			munmap(t->arena, size);
		free(t);
		return -ENOMEM;
	}
	madvise(t->arena, size, MADV_DONTDUMP);
	for (i = 0; i < TCP_BUCKETS; i++)
		INIT_LIST_HEAD(&t->bucket[i]);
	INIT_LIST_HEAD(&t->used);
	INIT_LIST_HEAD(&t->free);
	INIT_LIST_HEAD(&t->ready);
	u->tcp = t;
	return 0;
}

void tcp_forget(struct user *u)
{
	struct tcp *c, *next;

	list_for_each_entry_safe(c, next, &u->tcp->used, age)
		tcp_drop(c);
}

void tcp_free(struct user *u)
{
	struct tcp_table *t = u->tcp;

	if (!t)
		return;
	tcp_forget(u);
	munmap(t->arena, (size_t)TCP_MAX * 2 * TCP_RING);
	free(t);
	u->tcp = NULL;
}
