// SPDX-License-Identifier: GPL-2.0
/*
 * The user-mode network behind several pairs of queues, each with a thread. The test is
 * the guest: it sends by the pair that it likes, and looks what comes to each.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/opt.h>

#include "../../hw/net/user/pairs.h"
#include "tap.h"

#define PAIRS	3
#define HDR	sizeof(struct net_hdr)
#define IP4	(HDR + ETH_HEADER)
#define L4	(IP4 + 20)
#define DATA	(L4 + 20)

static struct net *net;
static struct loop *loop[PAIRS];
static struct net_card card = { .mac = { 2, 0x15, 0x15, 0x15, 0x15, 0x15 } };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;

/* What has come to each pair, newest last. */
static struct {
	u8 data[256];
	size_t len;
} got[PAIRS][64];
static unsigned int nr[PAIRS], seen[PAIRS];

static u8 scratch_frame[PAIRS][NET_FRAME_MAX];

/* On the pair's thread. */
static void take(unsigned int pair)
{
	while (net_pending(net, pair)) {
		struct iovec iov = { .iov_base = scratch_frame[pair], .iov_len = NET_FRAME_MAX };
		struct iov_iter i;
		ssize_t n;

		iov_iter_init(&i, &iov, 1);
		n = net_receive(net, pair, &i);
		if (n < 0)
			return;
		pthread_mutex_lock(&lock);
		got[pair][nr[pair] % 64].len = n;
		memcpy(got[pair][nr[pair]++ % 64].data, scratch_frame[pair], min((size_t)n, (size_t)256));
		pthread_cond_broadcast(&change);
		pthread_mutex_unlock(&lock);
	}
}

static void on_readable(void *obj, unsigned int pair)
{
	take(pair);
}

static const struct net_ops ops = { .readable = on_readable };

struct call {
	unsigned int pair;
	u8 *data;
	size_t len;
	int ret;
};

static void attach(void *arg)
{
	struct call *c = arg;

	CHECK_EQ(net_attach(net, c->pair, loop[c->pair]), 0);
}

static void detach(void *arg)
{
	struct call *c = arg;

	net_detach(net, c->pair);
}

static void sent(void *arg)
{
	struct call *c = arg;
	struct iovec iov = { .iov_base = c->data, .iov_len = c->len };
	struct iov_iter i;

	iov_iter_init(&i, &iov, 1);
	c->ret = net_send(net, c->pair, &i);
	take(c->pair);
}

static void start(void)
{
	struct opt_err err;

	CHECK_EQ(net_open(&net, "user,host=loopback,queues=3", &card, &ops, NULL, &err), 0);
	CHECK_EQ(card.pairs, PAIRS);
	for (unsigned int i = 0; i < PAIRS; i++) {
		struct call c = { .pair = i };

		CHECK_EQ(loop_new(&loop[i], NULL), 0);
		CHECK_EQ(loop_thread_start(loop[i], "pair"), 0);
		loop_call(loop[i], attach, &c);
	}
	net_set_pairs(net, PAIRS);
}

static void end(void)
{
	for (unsigned int i = 0; i < PAIRS; i++) {
		struct call c = { .pair = i };

		loop_call(loop[i], detach, &c);
		loop_thread_stop(loop[i]);
	}
	net_close(net);
	for (unsigned int i = 0; i < PAIRS; i++)
		loop_free(loop[i]);
}

/* The next frame that comes to @pair. */
static u8 *frame(unsigned int pair)
{
	u8 *f;

	pthread_mutex_lock(&lock);
	while (nr[pair] == seen[pair])
		pthread_cond_wait(&change, &lock);
	f = got[pair][seen[pair]++ % 64].data;
	pthread_mutex_unlock(&lock);
	return f;
}

static u8 out[2048];

static int send_ip(unsigned int pair, u8 proto, size_t len)
{
	struct user *u = container_of(net, struct user, net);
	struct call c = { .pair = pair, .data = out, .len = L4 + len };
	int at = proto == IPPROTO_TCP ? 16 : 6;
	u8 *ip = out + IP4;

	memset(out, 0, HDR);
	memcpy(out + HDR, u->host_mac, NET_MAC);
	memcpy(out + HDR + NET_MAC, card.mac, NET_MAC);
	put16(out + HDR + 12, 0x0800);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, &u->guest_ip, 4);
	memcpy(ip + 16, &u->host_ip, 4);
	put16(ip + 10, sum_fold(sum_add(0, ip, 20)));
	put16(out + L4 + at, 0);
	put16(out + L4 + at, sum_fold(sum_add(sum_pseudo(&u->guest4, &u->host4, proto, len), out + L4, len)));
	loop_call(loop[pair], sent, &c);
	return c.ret;
}

static u32 seq, ack;

static int tcp_send(unsigned int pair, u16 from, u16 to, u8 flags, const char *text)
{
	u8 *tcp = out + L4;

	memset(tcp, 0, 20);
	put16(tcp, from);
	put16(tcp + 2, to);
	put32(tcp + 4, seq);
	put32(tcp + 8, flags & TCP_ACK ? ack : 0);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 0xffff);
	memcpy(out + DATA, text, strlen(text));
	return send_ip(pair, IPPROTO_TCP, 20 + strlen(text));
}

static int listener(u16 *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(!bind(fd, (struct sockaddr *)&a, sizeof(a)));
	CHECK(!listen(fd, 16));
	CHECK(!getsockname(fd, (struct sockaddr *)&a, &len));
	*port = ntohs(a.sin_port);
	return fd;
}

static int connected(unsigned int pair, u16 from, int l, u16 port)
{
	u8 *f;
	int fd;

	seq = 1000;
	tcp_send(pair, from, port, TCP_SYN, "");
	f = frame(pair);
	CHECK_EQ(f[L4 + 13], TCP_SYN | TCP_ACK);
	ack = get32(f + L4 + 4) + 1;
	seq++;
	tcp_send(pair, from, port, TCP_ACK, "");
	fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

/* A connection is that of the pair that it began on, also when the guest sends by another. */
TEST(connections_belong_to_a_pair)
{
	char buf[16];
	u16 port;
	int l = listener(&port), fd;
	u8 *f;

	start();
	fd = connected(1, 2000, l, port);
	CHECK_EQ(tcp_send(2, 2000, port, TCP_ACK | TCP_PSH, "hello"), 0);
	CHECK_EQ(recv(fd, buf, sizeof(buf), 0), 5);
	CHECK_MEM(buf, "hello", 5);
	f = frame(1);
	CHECK_EQ(f[L4 + 13], TCP_ACK);
	CHECK_EQ(get32(f + L4 + 8), seq + 5);
	CHECK_EQ(send(fd, "world", 5, 0), 5);
	f = frame(1);
	CHECK_MEM(f + L4 + (f[L4 + 12] >> 4) * 4, "world", 5);
	/* A segment of no connection is refused where it came. */
	tcp_send(2, 2001, port, TCP_ACK, "");
	CHECK_EQ(frame(2)[L4 + 13], TCP_RST);
	close(fd);
	end();
	close(l);
}

/* Datagrams are the first pair's. */
TEST(services_belong_to_the_first_pair)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_storage peer;
	socklen_t len = sizeof(a), peer_len = sizeof(peer);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char buf[16];
	u8 *f;

	start();
	CHECK(!bind(fd, (struct sockaddr *)&a, sizeof(a)));
	CHECK(!getsockname(fd, (struct sockaddr *)&a, &len));
	for (unsigned int pair = 0; pair < PAIRS; pair++) {
		memset(out + L4, 0, 8);
		put16(out + L4, 4000);
		put16(out + L4 + 2, ntohs(a.sin_port));
		put16(out + L4 + 4, 9);
		out[L4 + 8] = 'a' + pair;
		CHECK_EQ(send_ip(pair, IPPROTO_UDP, 9), 0);
		CHECK_EQ(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&peer, &peer_len), 1);
		CHECK_EQ(buf[0], 'a' + pair);
		CHECK_EQ(sendto(fd, buf, 1, 0, (struct sockaddr *)&peer, peer_len), 1);
		f = frame(0);
		CHECK_EQ(f[L4 + 8], 'a' + pair);
	}
	close(fd);
	end();
}

/* The driver gives pairs up: their connections end, others do not. */
TEST(fewer_pairs)
{
	char buf[16];
	u16 port;
	int l = listener(&port), first, last;

	start();
	last = connected(2, 2000, l, port);
	first = connected(0, 2001, l, port);
	net_set_pairs(net, 1);
	CHECK(recv(last, buf, sizeof(buf), 0) <= 0);
	tcp_send(0, 2001, port, TCP_ACK | TCP_PSH, "hello");
	CHECK_EQ(recv(first, buf, sizeof(buf), 0), 5);
	/* The guest's next segment of the other is refused. */
	tcp_send(0, 2000, port, TCP_ACK, "");
	while (frame(0)[L4 + 13] != TCP_RST)
		;
	close(first);
	close(last);
	end();
	close(l);
}

struct sender {
	pthread_t thread;
	unsigned int pair;
	u16 port;
};

static void junk(void *arg)
{
	struct sender *s = arg;
	u8 f[DATA + 8] = { 0 };
	struct user *u = container_of(net, struct user, net);

	for (unsigned int i = 0; i < 3000; i++) {
		struct iovec iov = { .iov_base = f, .iov_len = sizeof(f) };
		struct iov_iter it;

		memcpy(f + HDR, u->host_mac, NET_MAC);
		f[0] = NET_CSUM;
		put16(f + HDR + 12, 0x0800);
		f[IP4] = 0x45;
		put16(f + IP4 + 2, 20 + 28);
		f[IP4 + 8] = 64;
		f[IP4 + 9] = i % 7 ? IPPROTO_TCP : IPPROTO_UDP;
		memcpy(f + IP4 + 12, &u->guest_ip, 4);
		memcpy(f + IP4 + 16, &u->host_ip, 4);
		put16(f + IP4 + 10, 0);
		put16(f + IP4 + 10, sum_fold(sum_add(0, f + IP4, 20)));
		put16(f + L4, 3000 + i % 20);
		put16(f + L4 + 2, s->port);
		put32(f + L4 + 4, i);
		put16(f + L4 + 4 + 0, i % 7 ? 0 : 16);
		f[L4 + 12] = 5 << 4;
		f[L4 + 13] = i % 5 == 0 ? TCP_SYN : i % 5 == 1 ? TCP_RST : TCP_ACK;
		iov_iter_init(&it, &iov, 1);
		net_send(net, s->pair, &it);
		take(s->pair);
	}
}

static void *sender(void *arg)
{
	struct sender *s = arg;

	loop_call(loop[s->pair], junk, s);
	return NULL;
}

/* All pairs at once send what they like of the same connections. */
TEST_TIMEOUT(pairs_do_not_disturb_each_other, 60)
{
	struct sender s[PAIRS];
	u16 port;
	int l = listener(&port);

	start();
	for (unsigned int i = 0; i < PAIRS; i++) {
		s[i] = (struct sender) { .pair = i, .port = port };
		CHECK(!pthread_create(&s[i].thread, NULL, sender, &s[i]));
	}
	for (unsigned int i = 0; i < PAIRS; i++)
		pthread_join(s[i].thread, NULL);
	end();
	close(l);
}
