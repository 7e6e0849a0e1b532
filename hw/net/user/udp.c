// SPDX-License-Identifier: GPL-2.0
/*
 * UDP (RFC 768): each flow of the guest has a connected socket, so that the host's
 * kernel says what became of it. Flows end after a while without traffic (RFC 4787,
 * 4.3); when all are in use the one that was used longest ago makes room. A datagram
 * goes from the socket straight into the guest's buffer. The network's loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "user.h"

#define SECOND		(1000ULL * 1000 * 1000)
#define UDP_HEADER	8
#define UDP_PAYLOAD_MAX	65507
#define UDP_BUCKETS	256
/* RFC 4787, 4.3: at least two minutes; a question to a name server is answered or not (section 4.3, REQ-5 c). */
#define UDP_IDLE_NS	(300 * SECOND)
#define UDP_DNS_NS	(20 * SECOND)
#define UDP_LOOK_NS	(10 * SECOND)

enum { PORT_DNS = 53, PORT_DHCP = 67, PORT_DHCP6 = 547 };

/* Where datagrams for the guest come from: a flow's own socket, or that of a forward, which all its flows share. */
struct udp_source {
	struct udp_table *table;
	struct watch watch;
	struct list_head ready;		/* in table->ready, or empty */
	struct udp_flow *flow;		/* NULL: a forward */
	struct user_forward *forward;
};

struct udp_flow {
	struct list_head node;		/* of its bucket, or of the free ones */
	struct list_head age;		/* in table->used, the oldest first */
	struct flow flow;
	addr_t peer;			/* whom the host's socket talks to */
	u16 peer_port;
	struct udp_source source;	/* watch.fd is -1 if it is a forward's */
	u64 used;
};

struct udp_table {
	struct user *user;
	struct list_head bucket[UDP_BUCKETS], used, free, ready;
	struct udp_source forward[USER_FORWARDS];
	struct timer timer;
	unsigned int touched;		/* of flow[]: those behind have never been used */
	struct udp_flow flow[USER_UDP_MAX];
};

static struct list_head *udp_bucket(struct udp_table *t, const struct flow *f)
{
	u32 hash = f->guest_port * 31 + f->host_port;
	unsigned int i;

	for (i = 0; i < 16; i++)
		hash = hash * 31 + (f->host.s6_addr[i] ^ f->guest.s6_addr[i] << 1);
	return &t->bucket[(hash ^ hash >> 12) % UDP_BUCKETS];
}

static bool flow_eq(const struct flow *a, const struct flow *b)
{
	return a->guest_port == b->guest_port && a->host_port == b->host_port &&
	       addr_eq(&a->guest, &b->guest) && addr_eq(&a->host, &b->host);
}

static void udp_drop(struct udp_table *t, struct udp_flow *f)
{
	if (f->source.watch.fd >= 0) {
		if (t->user->loop)
			loop_del(t->user->loop, &f->source.watch);
		close(f->source.watch.fd);
	}
	f->source.watch.fd = -1;
	list_del_init(&f->source.ready);
	list_del(&f->age);
	list_del(&f->node);
	list_add(&f->node, &t->free);
}

static bool udp_is_dns(const struct udp_flow *f)
{
	return f->flow.host_port == PORT_DNS;
}

static void udp_due(struct timer *timer)
{
	struct udp_table *t = container_of(timer, struct udp_table, timer);
	struct udp_flow *f, *next;
	u64 now = loop_now();

	list_for_each_entry_safe(f, next, &t->used, age)
		if (now - f->used > (udp_is_dns(f) ? UDP_DNS_NS : UDP_IDLE_NS))
			udp_drop(t, f);
	if (!list_empty(&t->used))
		loop_timer(t->user->loop, timer, now + UDP_LOOK_NS);
}

static void udp_touch(struct udp_table *t, struct udp_flow *f)
{
	f->used = loop_now();
	list_del(&f->age);
	list_add_tail(&f->age, &t->used);
	if (!t->timer.due && t->user->loop)
		loop_timer(t->user->loop, &t->timer, f->used + UDP_LOOK_NS);
}

static void udp_readable(struct watch *w, u32 events)
{
	struct udp_source *s = container_of(w, struct udp_source, watch);

	/* Silent until the guest has taken what is there. */
	loop_mod(s->table->user->loop, w, 0);
	if (list_empty(&s->ready))
		list_add_tail(&s->ready, &s->table->ready);
	user_wake(s->table->user);
}

static struct udp_flow *udp_find(struct udp_table *t, const struct flow *flow)
{
	struct udp_flow *f;

	list_for_each_entry(f, udp_bucket(t, flow), node)
		if (flow_eq(&f->flow, flow))
			return f;
	return NULL;
}

static struct udp_flow *udp_add(struct udp_table *t, const struct flow *flow)
{
	struct udp_flow *f;

	if (list_empty(&t->free) && t->touched < USER_UDP_MAX)
		list_add(&t->flow[t->touched++].node, &t->free);
	if (list_empty(&t->free))
		udp_drop(t, list_first_entry(&t->used, struct udp_flow, age));
	f = list_first_entry(&t->free, struct udp_flow, node);
	list_del(&f->node);
	list_add(&f->node, udp_bucket(t, flow));
	INIT_LIST_HEAD(&f->age);
	INIT_LIST_HEAD(&f->source.ready);
	f->flow = *flow;
	f->source = (struct udp_source) { .table = t, .flow = f,
					  .watch = { .fd = -1, .fn = udp_readable } };
	INIT_LIST_HEAD(&f->source.ready);
	list_add_tail(&f->age, &t->used);
	return f;
}

/* A socket to @f's peer: 0 or -errno. */
static int udp_connect(struct udp_table *t, struct udp_flow *f)
{
	struct sockaddr_storage to;
	socklen_t len = addr_socket(&f->peer, f->peer_port, &to);
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ret;
	int on = 1;

	if (fd < 0)
		return -errno;
	/* Where it is refused, datagrams to a broadcast address are. */
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	ret = connect(fd, (struct sockaddr *)&to, len) < 0 ? -errno : 0;
	f->source.watch.fd = fd;
	if (!ret && t->user->loop)
		ret = loop_add(t->user->loop, &f->source.watch, EPOLLIN);
	return ret;
}

static struct udp_flow *udp_open(struct user *u, const struct packet *p, const struct flow *flow, int *err)
{
	struct udp_table *t = u->udp;
	struct udp_flow *f;
	addr_t to;

	if (!user_route(u, &flow->host, flow->host_port, &to)) {
		*err = -EACCES;
		return NULL;
	}
	f = udp_add(t, flow);
	f->peer = to;
	f->peer_port = flow->host_port;
	*err = udp_connect(t, f);
	if (!*err)
		return f;
	udp_drop(t, f);
	return NULL;
}

/* Report a socket's error to the guest by ICMP, as a router does. */
static void udp_refused(struct user *u, const struct packet *p, struct udp_flow *f, int err)
{
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	u->stats.refused++;
	if (err == -ECONNREFUSED) {
		ip_unreachable(u, p, UNREACH4_PORT, UNREACH6_PORT, 0);
		return;
	}
	if (err == -EMSGSIZE && f)
		getsockopt(f->source.watch.fd, p->v6 ? IPPROTO_IPV6 : IPPROTO_IP, p->v6 ? 24 /* IPV6_MTU */ :
			   14 /* IP_MTU */, &mtu, &len);
	ip_failed(u, p, err, mtu > 0 ? mtu : 1280);
}

static int udp_write(struct udp_flow *f, struct iov_iter *data, size_t len)
{
	int fd = f->source.watch.fd;
	struct sockaddr_storage to;
	struct msghdr msg = { 0 };
	ssize_t ret;

	if (fd < 0) {
		fd = f->source.forward->fd;
		msg.msg_name = &to;
		msg.msg_namelen = addr_socket(&f->peer, f->peer_port, &to);
	}
	ret = iov_iter_sendmsg(data, fd, len, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* An error of an earlier datagram was said instead: this one has not been sent. */
	if (ret == -ECONNREFUSED)
		ret = iov_iter_sendmsg(data, fd, len, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	return ret < 0 ? ret : 0;
}

void udp_input(struct user *u, struct packet *p)
{
	struct flow flow = { .guest = p->src, .host = p->dst };
	struct iov_iter whole = p->data;
	u8 h[UDP_HEADER];
	struct udp_flow *f;
	size_t len;
	int err = 0;

	if (copy_from_iter(h, sizeof(h), &p->data) < sizeof(h) || get16(h + 4) < sizeof(h) || get16(h + 4) > p->len) {
		u->stats.short_frames++;
		return;
	}
	len = get16(h + 4);
	iov_iter_truncate(&whole, len);
	/* RFC 768: no checksum is 0; RFC 8200, 8.1: there always is one. */
	if (!p->checked && (get16(h + 6) || p->v6) &&
	    sum_fold(sum_iter(sum_pseudo(&p->src, &p->dst, IPPROTO_UDP, len), &whole))) {
		u->stats.bad_checksum++;
		return;
	}
	iov_iter_truncate(&p->data, len - sizeof(h));
	flow.guest_port = get16(h);
	flow.host_port = get16(h + 2);
	if (flow.host_port == PORT_DHCP && !p->v6) {
		dhcp_input(u, p);
		return;
	}
	if (flow.host_port == PORT_DHCP6 && p->v6) {
		dhcp6_input(u, p, flow.guest_port);
		return;
	}
	if (flow.host_port == PORT_DNS && names_input(u, p, flow.guest_port))
		return;
	if (flow.host_port == PORT_DNS && p->to_host) {
		dns_input(u, p, &flow);
		return;
	}
	f = udp_find(u->udp, &flow);
	if (!f)
		f = udp_open(u, p, &flow, &err);
	if (f) {
		udp_touch(u->udp, f);
		err = udp_write(f, &p->data, len - sizeof(h));
	}
	if (err)
		udp_refused(u, p, f, err);
}

void udp_reply(struct user *u, const addr_t *src, u16 sport, const addr_t *dst, u16 dport, const void *data,
	       size_t len)
{
	u8 *udp = user_frame_new(u, src, dst, IPPROTO_UDP, UDP_HEADER + len, IP_HOPS);

	if (!udp)
		return;
	put16(udp, sport);
	put16(udp + 2, dport);
	put16(udp + 4, UDP_HEADER + len);
	put16(udp + 6, 0);
	memcpy(udp + UDP_HEADER, data, len);
	user_frame_send(u, 6);
}

/* To the guest */

/* The flow of a datagram that came to a forward from @peer. */
static struct udp_flow *udp_forwarded(struct udp_table *t, struct user_forward *fw, const addr_t *peer, u16 port)
{
	struct user *u = t->user;
	struct flow flow = { .guest = fw->guest, .guest_port = fw->guest_port, .host_port = port };
	struct udp_flow *f;

	/* Loopback addresses of the host are not those of the guest. */
	flow.host = *peer;
	if (IN6_IS_ADDR_LOOPBACK(peer))
		flow.host = u->host6;
	else if (addr_is_v4(peer) && peer->s6_addr[12] == 127)
		flow.host = u->host4;
	if (addr_is_v4(&flow.guest) != addr_is_v4(&flow.host))
		flow.host = addr_is_v4(&flow.guest) ? u->host4 : u->host6;
	f = udp_find(t, &flow);
	if (!f) {
		f = udp_add(t, &flow);
		f->peer = *peer;
		f->peer_port = port;
		f->source.forward = fw;
	}
	return f;
}

/* The error of the last datagram of @f, as if a router had sent it. */
static void udp_error(struct user *u, const struct udp_flow *f, int err)
{
	struct packet p;

	ip_quote(u, &p, &f->flow, IPPROTO_UDP, UDP_HEADER << 16);
	udp_refused(u, &p, NULL, err);
}

/* Headers in front of @len bytes of payload that are in the guest's buffer already, at @payload. */
static void udp_headers(struct user *u, struct iov_iter *in, const struct iov_iter *payload,
			const struct udp_flow *f, size_t len)
{
	u8 h[sizeof(struct net_hdr) + ETH_HEADER + 40 + UDP_HEADER] = { 0 };
	size_t ip = ip_header_len(&f->flow.guest);
	struct net_hdr *hdr = (struct net_hdr *)h;
	u8 *eth = h + sizeof(*hdr), *udp = eth + ip;
	u32 sum = sum_pseudo(&f->flow.host, &f->flow.guest, IPPROTO_UDP, UDP_HEADER + len);

	ip_header(u, eth, &f->flow.host, &f->flow.guest, IPPROTO_UDP, UDP_HEADER + len, IP_HOPS);
	put16(udp, f->flow.host_port);
	put16(udp + 2, f->flow.guest_port);
	put16(udp + 4, UDP_HEADER + len);
	if (u->offloads & NET_OFF_CSUM) {
		hdr->flags = NET_CSUM;
		hdr->csum_start = htole16(ip);
		hdr->csum_offset = htole16(6);
		put16(udp + 6, ~sum_fold(sum));
	} else {
		struct iov_iter data = *payload;
		u16 check;

		iov_iter_truncate(&data, len);
		check = sum_fold(sum_iter(sum_add(sum, udp, UDP_HEADER), &data));
		put16(udp + 6, check ? check : 0xffff);
	}
	copy_to_iter(h, sizeof(*hdr) + ip + UDP_HEADER, in);
}

/* One datagram of @s: its bytes in @in, 0: there was an error, -EAGAIN: there is none. */
static ssize_t udp_receive(struct udp_table *t, struct udp_source *s, struct iov_iter *in)
{
	struct user *u = t->user;
	bool v6 = s->flow ? !addr_is_v4(&s->flow->flow.guest) : !addr_is_v4(&s->forward->guest);
	size_t head = sizeof(struct net_hdr) + ETH_HEADER + (v6 ? 40 : 20) + UDP_HEADER;
	struct iov_iter payload = *in, at;
	struct sockaddr_storage from;
	struct msghdr msg = { .msg_name = s->flow ? NULL : &from, .msg_namelen = s->flow ? 0 : sizeof(from) };
	struct udp_flow *f = s->flow;
	ssize_t n;
	addr_t peer;
	u16 port;

	if (iov_iter_advance(&payload, head) < head)
		return -EMSGSIZE;
	at = payload;
	n = iov_iter_recvmsg(&payload, s->watch.fd, UDP_PAYLOAD_MAX, &msg, MSG_DONTWAIT);
	if (n < 0) {
		if (f && n != -EAGAIN && n != -EINTR)
			udp_error(u, f, n);
		return n == -EAGAIN ? n : 0;
	}
	if (!f) {
		addr_from_socket(&from, &peer, &port);
		f = udp_forwarded(t, s->forward, &peer, port);
	}
	if (msg.msg_flags & MSG_TRUNC || head + n - sizeof(struct net_hdr) > u->mtu + (size_t)ETH_HEADER) {
		u->stats.no_room++;
		return 0;
	}
	udp_touch(t, f);
	udp_headers(u, in, &at, f, n);
	iov_iter_advance(in, n);
	return head + n;
}

bool udp_pending(const struct user *u)
{
	return !list_empty(&u->udp->ready);
}

ssize_t udp_output(struct user *u, struct iov_iter *in)
{
	struct udp_table *t = u->udp;

	while (!list_empty(&t->ready)) {
		struct udp_source *s = list_first_entry(&t->ready, struct udp_source, ready);
		struct iov_iter copy = *in;
		ssize_t n = udp_receive(t, s, &copy);

		if (n > 0) {
			/* The others have their turn. */
			list_move_tail(&s->ready, &t->ready);
			return n;
		}
		if (n == -EMSGSIZE)
			return 0;
		if (n == -EAGAIN) {
			list_del_init(&s->ready);
			if (u->loop)
				loop_mod(u->loop, &s->watch, EPOLLIN);
		}
	}
	return 0;
}

/* Forwards, start and stop */

void udp_forward_add(struct user *u, struct user_forward *fw, unsigned int n)
{
	struct udp_source *s = &u->udp->forward[n];

	if (s->watch.fd >= 0)
		return;			/* udp_attach() has seen to it */
	*s = (struct udp_source) { .table = u->udp, .forward = fw,
				   .watch = { .fd = fw->fd, .fn = udp_readable } };
	INIT_LIST_HEAD(&s->ready);
	if (u->loop)
		loop_add(u->loop, &s->watch, EPOLLIN);
}

/* Its flows end with it. */
void udp_forward_remove(struct user *u, struct user_forward *fw, unsigned int n)
{
	struct udp_source *s = &u->udp->forward[n];
	struct udp_flow *f, *next;

	list_for_each_entry_safe(f, next, &u->udp->used, age)
		if (f->source.forward == fw)
			udp_drop(u->udp, f);
	if (s->watch.fd < 0)
		return;
	if (u->loop)
		loop_del(u->loop, &s->watch);
	s->watch.fd = -1;
	list_del_init(&s->ready);
}

void udp_attach(struct user *u, struct loop *loop)
{
	struct udp_table *t = u->udp;
	struct udp_flow *f;
	unsigned int i;

	list_for_each_entry(f, &t->used, age)
		if (f->source.watch.fd >= 0)
			loop_add(loop, &f->source.watch, EPOLLIN);
	for (i = 0; i < USER_FORWARDS; i++)
		if (t->forward[i].watch.fd >= 0)
			loop_add(loop, &t->forward[i].watch, EPOLLIN);
	if (!list_empty(&t->used))
		loop_timer(loop, &t->timer, loop_now() + UDP_LOOK_NS);
}

void udp_detach(struct user *u)
{
	struct udp_table *t = u->udp;
	struct udp_flow *f;
	unsigned int i;

	list_for_each_entry(f, &t->used, age)
		if (f->source.watch.fd >= 0)
			loop_del(u->loop, &f->source.watch);
	for (i = 0; i < USER_FORWARDS; i++)
		if (t->forward[i].watch.fd >= 0)
			loop_del(u->loop, &t->forward[i].watch);
	loop_timer_cancel(u->loop, &t->timer);
}

int udp_new(struct user *u)
{
	struct udp_table *t = calloc(1, sizeof(*t));
	unsigned int i;

	if (!t)
		return -ENOMEM;
	t->user = u;
	t->timer.fn = udp_due;
	for (i = 0; i < UDP_BUCKETS; i++)
		INIT_LIST_HEAD(&t->bucket[i]);
	INIT_LIST_HEAD(&t->used);
	INIT_LIST_HEAD(&t->free);
	INIT_LIST_HEAD(&t->ready);
	for (i = 0; i < USER_FORWARDS; i++)
		t->forward[i].watch.fd = -1;
	u->udp = t;
	return 0;
}

void udp_forget(struct user *u)
{
	struct udp_flow *f, *next;

	list_for_each_entry_safe(f, next, &u->udp->used, age)
		udp_drop(u->udp, f);
}

void udp_free(struct user *u)
{
	if (!u->udp)
		return;
	udp_forget(u);
	free(u->udp);
	u->udp = NULL;
}
