// SPDX-License-Identifier: GPL-2.0
/*
 * The user-mode network, driven by frames. The test is the guest: it builds each
 * frame, sends it, and reads what comes back; the other side are sockets of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/net.h>
#include <kvm/opt.h>

#include "../../hw/net/user/tcp.h"
#include "scratch.h"
#include "tap.h"

#define GUEST	"192.168.33.15"
#define GATEWAY	"192.168.33.1"
#define HDR	sizeof(struct net_hdr)
#define IP4	(HDR + ETH_HEADER)
#define L4	(IP4 + 20)
#define DATA	(L4 + 20)

static struct net *net;
static struct loop *loop;
static struct net_card card = { .mac = { 2, 0x15, 0x15, 0x15, 0x15, 0x15 } };
static u8 in[NET_FRAME_MAX], out[NET_FRAME_MAX];
static size_t in_len;
static bool readable, sending, nested;

static struct user *user(void)
{
	return container_of(net, struct user, net);
}

static void on_readable(void *obj, unsigned int pair)
{
	readable = true;
	nested |= sending;
}

static const struct net_ops ops = { .readable = on_readable };

static void start(const char *spec)
{
	struct opt_err err;
	int ret = net_open(&net, spec, &card, &ops, NULL, &err);

	if (ret)
		tap_note("%s", err.text);
	CHECK_EQ(ret, 0);
	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(net_attach(net, 0, loop), 0);
}

static void end(void)
{
	net_detach(net, 0);
	net_close(net);
	loop_free(loop);
}

/* One round of the loop. */
static void stop_work(struct timer *t)
{
	loop_stop(loop);
}

static void turn(unsigned int ms)
{
	struct timer t = { .fn = stop_work };

	loop_timer(loop, &t, loop_now() + ms * 1000000ULL);
	loop_run(loop);
}

/* The next frame for the guest; false: there is none now. */
static bool frame_now(void)
{
	struct iovec iov = { .iov_base = in, .iov_len = sizeof(in) };
	struct iov_iter i;
	ssize_t n;

	if (!net_pending(net, 0))
		return false;
	iov_iter_init(&i, &iov, 1);
	n = net_receive(net, 0, &i);
	if (n < 0)
		return false;
	in_len = n;
	return true;
}

/* Wait for one. */
static void frame(void)
{
	unsigned int i;

	for (i = 0; i < 4000; i++) {
		if (frame_now())
			return;
		turn(1);
	}
	tap_fail(__FILE__, __LINE__, "no frame came");
}

static void no_frame(void)
{
	turn(2);
	CHECK(!frame_now());
}

static int send_raw(size_t len)
{
	struct iovec iov = { .iov_base = out, .iov_len = len };
	struct iov_iter i;
	int ret;

	iov_iter_init(&i, &iov, 1);
	sending = true;
	ret = net_send(net, 0, &i);
	sending = false;
	return ret;
}

static void eth(u16 type)
{
	memset(out, 0, sizeof(out));
	memcpy(out + HDR, user()->host_mac, NET_MAC);
	memcpy(out + HDR + NET_MAC, card.mac, NET_MAC);
	put16(out + HDR + 12, type);
}

/* An IPv4 packet with @len bytes of layer 4, which are at out + L4. Checksums are made here. */
static void send_ip(const char *dst, u8 proto, size_t len)
{
	struct in_addr a, b;
	addr_t src, to;
	u8 *ip = out + IP4;
	int at = proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2;

	inet_pton(AF_INET, GUEST, &a);
	inet_pton(AF_INET, dst, &b);
	src = addr_v4(a);
	to = addr_v4(b);
	ip[0] = 0x45;
	put16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, &a, 4);
	memcpy(ip + 16, &b, 4);
	put16(ip + 10, 0);
	put16(ip + 10, sum_fold(sum_add(0, ip, 20)));
	put16(out + L4 + at, 0);
	put16(out + L4 + at, sum_fold(sum_add(proto == IPPROTO_ICMP ? 0 : sum_pseudo(&src, &to, proto, len), out + L4, len)));
	send_raw(L4 + len);
}

/* What came is IPv4 of @proto with right checksums. */
static void check_ip(u8 proto)
{
	struct in_addr a, b;
	addr_t src, dst;
	size_t len;

	CHECK(in_len >= L4);
	CHECK_EQ(get16(in + HDR + 12), 0x0800);
	CHECK_EQ(in[IP4 + 9], proto);
	CHECK_EQ(sum_fold(sum_add(0, in + IP4, 20)), 0);
	len = get16(in + IP4 + 2) - 20;
	CHECK_EQ(L4 + len, in_len);
	memcpy(&a, in + IP4 + 12, 4);
	memcpy(&b, in + IP4 + 16, 4);
	src = addr_v4(a);
	dst = addr_v4(b);
	CHECK_EQ(sum_fold(sum_add(proto == IPPROTO_ICMP ? 0 : sum_pseudo(&src, &dst, proto, len), in + L4, len)), 0);
}

TEST(arp_is_answered_for_the_gateway)
{
	struct in_addr a;

	start("user");
	eth(0x0806);
	put16(out + IP4, 1);
	put16(out + IP4 + 2, 0x0800);
	out[IP4 + 4] = 6;
	out[IP4 + 5] = 4;
	put16(out + IP4 + 6, 1);
	memcpy(out + IP4 + 8, card.mac, 6);
	inet_pton(AF_INET, GUEST, out + IP4 + 14);
	inet_pton(AF_INET, GATEWAY, &a);
	memcpy(out + IP4 + 24, &a, 4);
	CHECK_EQ(send_raw(IP4 + 28), 0);
	frame();
	CHECK_EQ(get16(in + IP4 + 6), 2);
	CHECK_MEM(in + IP4 + 8, user()->host_mac, 6);
	CHECK_MEM(in + IP4 + 14, &a, 4);
	/* Nobody else's address is answered for. */
	out[IP4 + 27] = 77;
	send_raw(IP4 + 28);
	no_frame();
	end();
}

TEST(gateway_answers_ping)
{
	start("user");
	eth(0x0800);
	out[L4] = 8;
	put16(out + L4 + 4, 0x1234);
	memcpy(out + L4 + 8, "payload", 7);
	send_ip(GATEWAY, IPPROTO_ICMP, 15);
	frame();
	check_ip(IPPROTO_ICMP);
	CHECK_EQ(in[L4], 0);
	CHECK_EQ(get16(in + L4 + 4), 0x1234);
	CHECK_MEM(in + L4 + 8, "payload", 7);
	end();
}

/* What is damaged, cut off or in pieces is counted and goes nowhere. */
TEST(bad_packets_are_dropped)
{
	start("user");
	eth(0x0800);
	out[L4] = 8;
	send_ip(GATEWAY, IPPROTO_ICMP, 16);
	frame();
	out[L4 + 8] ^= 1;
	send_raw(L4 + 16);
	no_frame();
	CHECK_EQ(user()->stats.bad_checksum, 1);
	out[L4 + 8] ^= 1;
	out[IP4 + 8] ^= 1;
	send_raw(L4 + 16);
	no_frame();
	CHECK_EQ(user()->stats.bad_checksum, 2);
	out[IP4 + 8] ^= 1;
	send_raw(L4 + 15);
	no_frame();
	CHECK_EQ(user()->stats.short_frames, 1);
	put16(out + IP4 + 6, 0x2000);
	put16(out + IP4 + 10, 0);
	put16(out + IP4 + 10, sum_fold(sum_add(0, out + IP4, 20)));
	send_raw(L4 + 16);
	no_frame();
	CHECK_EQ(user()->stats.fragments, 1);
	for (size_t len = 0; len < L4; len++)
		send_raw(len);
	no_frame();
	end();
}

/* A guest that says to be somebody else, or sends to loopback, gets nowhere. */
TEST(addresses_are_those_of_the_network)
{
	start("user");
	eth(0x0800);
	out[L4] = 8;
	send_ip("127.0.0.1", IPPROTO_ICMP, 16);
	frame();
	CHECK_EQ(in[L4], 3);
	CHECK_EQ(in[L4 + 1], 13);
	inet_pton(AF_INET, "10.1.1.1", out + IP4 + 12);
	put16(out + IP4 + 10, 0);
	put16(out + IP4 + 10, sum_fold(sum_add(0, out + IP4, 20)));
	send_raw(L4 + 16);
	no_frame();
	CHECK_EQ(user()->stats.not_ours, 1);
	end();
}

/* DHCP */

static size_t dhcp(u8 type, const char *address)
{
	u8 *b = out + L4 + 8, *p = b + 240;

	eth(0x0800);
	b[0] = 1;
	b[1] = 1;
	b[2] = 6;
	put32(b + 4, 0xabcd1234);
	memcpy(b + 28, card.mac, 6);
	put32(b + 236, 0x63825363);
	*p++ = 53;
	*p++ = 1;
	*p++ = type;
	if (address) {
		*p++ = 50;
		*p++ = 4;
		inet_pton(AF_INET, address, p);
		p += 4;
	}
	*p++ = 255;
	return p - b;
}

static void dhcp_send(size_t len)
{
	put16(out + L4, 68);
	put16(out + L4 + 2, 67);
	put16(out + L4 + 4, 8 + len);
	send_ip("255.255.255.255", IPPROTO_UDP, 8 + len);
}

static const u8 *dhcp_option(u8 option)
{
	const u8 *p = in + L4 + 8 + 240;

	while (*p != 255 && p < in + in_len) {
		if (*p == option)
			return p + 1;
		p += *p ? 2 + p[1] : 1;
	}
	return NULL;
}

TEST(dhcp_gives_the_address)
{
	struct in_addr guest;

	start("user");
	inet_pton(AF_INET, GUEST, &guest);
	dhcp_send(dhcp(1, NULL));
	frame();
	check_ip(IPPROTO_UDP);
	CHECK_EQ(dhcp_option(53)[1], 2);
	CHECK_MEM(in + L4 + 8 + 16, &guest, 4);
	CHECK_EQ(get16(dhcp_option(26) + 1), NET_MTU_MAX);
	CHECK_EQ(dhcp_option(121)[0], 5);
	dhcp_send(dhcp(3, GUEST));
	frame();
	CHECK_EQ(dhcp_option(53)[1], 5);
	dhcp_send(dhcp(3, "192.168.33.99"));
	frame();
	CHECK_EQ(dhcp_option(53)[1], 6);
	/* Another guest gets the next one. */
	card.mac[5]++;
	dhcp_send(dhcp(1, NULL));
	card.mac[5]--;
	frame();
	CHECK_EQ(in[L4 + 8 + 19], 16);
	end();
}

TEST(dhcp_survives_junk)
{
	size_t len;
	unsigned int i, n;
	u32 seed = 1;

	start("user");
	for (i = 0; i < 3000; i++) {
		len = dhcp(1 + i % 9, i % 2 ? GUEST : NULL);
		for (n = 0; n < 40; n++) {
			seed = seed * 1103515245 + 12345;
			out[L4 + 8 + 240 + (seed >> 8) % 60] = seed >> 24;
		}
		dhcp_send(len + i % 60);
		while (frame_now())
			;
	}
	end();
}

/* UDP */

static int bound(int type, u16 *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	CHECK(!bind(fd, (struct sockaddr *)&a, sizeof(a)));
	if (type == SOCK_STREAM)
		CHECK(!listen(fd, 16));
	CHECK(!getsockname(fd, (struct sockaddr *)&a, &len));
	*port = ntohs(a.sin_port);
	return fd;
}

static void udp_send(u16 from, u16 to, const char *text)
{
	eth(0x0800);
	put16(out + L4, from);
	put16(out + L4 + 2, to);
	put16(out + L4 + 4, 8 + strlen(text));
	memcpy(out + L4 + 8, text, strlen(text));
	send_ip(GATEWAY, IPPROTO_UDP, 8 + strlen(text));
}

TEST(udp_goes_both_ways)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	char buf[64];
	u16 port;
	int fd = bound(SOCK_DGRAM, &port);

	start("user,host=loopback");
	udp_send(1111, port, "question");
	CHECK_EQ(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&peer, &len), 8);
	CHECK_EQ(sendto(fd, "answer", 6, 0, (struct sockaddr *)&peer, len), 6);
	frame();
	check_ip(IPPROTO_UDP);
	CHECK_EQ(get16(in + L4), port);
	CHECK_EQ(get16(in + L4 + 2), 1111);
	CHECK_MEM(in + L4 + 8, "answer", 6);
	/* Nobody listens there any more: the guest hears it as from a router. */
	close(fd);
	udp_send(1111, port, "anybody?");
	frame();
	check_ip(IPPROTO_ICMP);
	CHECK_EQ(in[L4], 3);
	CHECK_EQ(in[L4 + 1], 3);
	end();
}

TEST(udp_flows_are_bounded)
{
	u16 port;
	int fd = bound(SOCK_DGRAM, &port);

	start("user,host=loopback");
	for (unsigned int i = 0; i < 2 * USER_UDP_MAX; i++)
		udp_send(1024 + i, port, "x");
	end();
	close(fd);
}

TEST(host_is_not_reached_unless_told)
{
	u16 port;
	int fd = bound(SOCK_DGRAM, &port);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	start("user");
	udp_send(1111, port, "x");
	frame();
	CHECK_EQ(in[L4 + 1], 13);	/* prohibited */
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	end();
}

/* TCP: the guest's end by hand */

static u16 tcp_port;
static u32 seq, ack;
static u16 guest_port = 2000, guest_window = 0xffff;

static void tcp_send(u8 flags, const void *data, size_t len)
{
	u8 *tcp = out + L4;

	eth(0x0800);
	put16(tcp, guest_port);
	put16(tcp + 2, tcp_port);
	put32(tcp + 4, seq);
	put32(tcp + 8, flags & TCP_ACK ? ack : 0);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, guest_window);
	if (len)
		memcpy(out + DATA, data, len);
	send_ip(GATEWAY, IPPROTO_TCP, 20 + len);
}

static u8 tcp_flags(void)
{
	check_ip(IPPROTO_TCP);
	CHECK_EQ(get16(in + L4), tcp_port);
	CHECK_EQ(get16(in + L4 + 2), guest_port);
	return in[L4 + 13];
}

static size_t tcp_data_len(void)
{
	return in_len - L4 - (in[L4 + 12] >> 4) * 4;
}

/* A connection that is open at both ends; returns the host's. */
static int connected(int listener)
{
	int fd;

	seq = 1000;
	tcp_send(TCP_SYN, NULL, 0);
	frame();
	CHECK_EQ(tcp_flags(), TCP_SYN | TCP_ACK);
	CHECK_EQ(get32(in + L4 + 8), 1001);
	ack = get32(in + L4 + 4) + 1;
	seq++;
	tcp_send(TCP_ACK, NULL, 0);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

TEST(tcp_carries_data_both_ways)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;
	char buf[64];

	start("user,host=loopback");
	fd = connected(listener);
	tcp_send(TCP_ACK | TCP_PSH, "hello", 5);
	CHECK_EQ(recv(fd, buf, sizeof(buf), 0), 5);
	CHECK_MEM(buf, "hello", 5);
	seq += 5;
	frame();
	CHECK_EQ(tcp_flags(), TCP_ACK);
	CHECK_EQ(get32(in + L4 + 8), seq);
	CHECK_EQ(send(fd, "world!", 6, 0), 6);
	frame();
	CHECK_EQ(tcp_flags() & ~TCP_PSH, TCP_ACK);
	CHECK_EQ(tcp_data_len(), 6);
	CHECK_EQ(get32(in + L4 + 4), ack);
	CHECK_MEM(in + DATA, "world!", 6);
	ack += 6;
	tcp_send(TCP_ACK, NULL, 0);
	/* Half closed: the guest's FIN is the host's end of file, and data still come. */
	tcp_send(TCP_ACK | TCP_FIN, NULL, 0);
	seq++;
	CHECK_EQ(recv(fd, buf, sizeof(buf), 0), 0);
	CHECK_EQ(send(fd, "late", 4, 0), 4);
	do
		frame();
	while (!tcp_data_len());
	CHECK_MEM(in + DATA, "late", 4);
	ack += 4;
	close(fd);
	tcp_send(TCP_ACK, NULL, 0);
	do
		frame();
	while (!(tcp_flags() & TCP_FIN));
	ack++;
	tcp_send(TCP_ACK, NULL, 0);
	no_frame();
	end();
	close(listener);
}

/* The card reads when it is told: a frame is whole by then, and no read is within another. */
TEST(readable_comes_when_the_frame_is_done)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;

	start("user,host=loopback");
	fd = connected(listener);
	no_frame();
	nested = readable = false;
	tcp_send(TCP_ACK | TCP_PSH, "hello", 5);
	CHECK(!nested);
	turn(1);
	CHECK(readable);
	/* After the network is detached nothing is said any more. */
	seq += 5;
	frame();
	no_frame();
	readable = false;
	tcp_send(TCP_ACK | TCP_PSH, "hello", 5);
	net_detach(net, 0);
	turn(1);
	CHECK(!readable);
	CHECK_EQ(net_attach(net, 0, loop), 0);
	close(fd);
	end();
	close(listener);
}

TEST(tcp_refusals_are_real)
{
	int listener = bound(SOCK_STREAM, &tcp_port);

	close(listener);
	start("user,host=loopback");
	seq = 5;
	tcp_send(TCP_SYN, NULL, 0);
	frame();
	CHECK_EQ(tcp_flags(), TCP_RST | TCP_ACK);
	CHECK_EQ(get32(in + L4 + 8), 6);
	/* A segment of no connection. */
	ack = 77;
	tcp_send(TCP_ACK, "x", 1);
	frame();
	CHECK_EQ(tcp_flags(), TCP_RST);
	CHECK_EQ(get32(in + L4 + 4), 77);
	tcp_send(TCP_RST, NULL, 0);
	no_frame();
	end();
}

/* RFC 5961: who does not know the next number does not end a connection. */
TEST(tcp_resets_only_by_the_right_number)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;
	u32 right;
	char c;

	start("user,host=loopback");
	fd = connected(listener);
	right = seq;
	seq = right + 100;
	tcp_send(TCP_RST, NULL, 0);
	frame();
	CHECK_EQ(tcp_flags(), TCP_ACK);
	CHECK_EQ(get32(in + L4 + 8), right);
	seq = right + 100;
	tcp_send(TCP_SYN, NULL, 0);
	frame();
	CHECK_EQ(tcp_flags(), TCP_ACK);
	seq = right + 0x10000000;
	tcp_send(TCP_RST, NULL, 0);
	no_frame();
	CHECK_EQ(send(fd, "x", 1, 0), 1);
	frame();
	CHECK_EQ(tcp_data_len(), 1);
	seq = right;
	tcp_send(TCP_RST, NULL, 0);
	no_frame();
	/* The host's end is closed. */
	CHECK(recv(fd, &c, 1, 0) <= 0);
	close(fd);
	end();
}

/* What was lost is sent again; what was not acknowledged is still there. */
TEST(tcp_retransmits)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;

	start("user,host=loopback");
	fd = connected(listener);
	CHECK_EQ(send(fd, "once", 4, 0), 4);
	frame();
	CHECK_MEM(in + DATA, "once", 4);
	frame();			/* by the timer */
	CHECK_EQ(get32(in + L4 + 4), ack);
	CHECK_MEM(in + DATA, "once", 4);
	ack += 4;
	tcp_send(TCP_ACK, NULL, 0);
	no_frame();
	/* Out of order: an ACK for what is missing, and it is taken when it comes again. */
	seq += 3;
	tcp_send(TCP_ACK, "def", 3);
	frame();
	CHECK_EQ(get32(in + L4 + 8), seq - 3);
	seq -= 3;
	tcp_send(TCP_ACK, "abcdef", 6);
	frame();
	CHECK_EQ(get32(in + L4 + 8), seq + 6);
	close(fd);
	end();
}

TEST(tcp_zero_window_is_probed)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;

	start("user,host=loopback");
	fd = connected(listener);
	/* An ACK that closes the window. */
	tcp_send(TCP_ACK, NULL, 0);
	put16(out + L4 + 14, 0);
	put16(out + L4 + 16, 0);
	send_ip(GATEWAY, IPPROTO_TCP, 20);
	CHECK_EQ(send(fd, "abc", 3, 0), 3);
	no_frame();
	frame();			/* a byte, by the timer */
	CHECK_EQ(tcp_data_len(), 1);
	tcp_send(TCP_ACK, NULL, 0);	/* and it opens */
	do
		frame();
	while (get32(in + L4 + 4) + tcp_data_len() != ack + 3);
	close(fd);
	end();
}

static struct tcp *only_connection(void)
{
	return list_first_entry(&user()->tcp->used, struct tcp, age);
}

static void tcp_send_closed(void)
{
	guest_window = 0;
	tcp_send(TCP_ACK, NULL, 0);
	guest_window = 0xffff;
}

/* RFC 9293, 3.8.6.1: a guest that answers keeps the window closed as long as it likes. */
TEST(tcp_zero_window_may_last)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;

	start("user,host=loopback");
	fd = connected(listener);
	tcp_send_closed();
	only_connection()->rto = 1000 * 1000;
	CHECK_EQ(send(fd, "abc", 3, 0), 3);
	for (unsigned int i = 0; i < 12; i++) {
		frame();
		CHECK_EQ(tcp_flags() & ~TCP_PSH, TCP_ACK);
		/* A segment without data would not be answered. */
		CHECK_EQ(tcp_data_len(), 1);
		CHECK_EQ(get32(in + L4 + 4), ack);
		tcp_send_closed();
	}
	/* When it opens all comes at once, also the byte of the probes. */
	only_connection()->rto = 60000000000ULL;
	tcp_send(TCP_ACK, NULL, 0);
	frame();
	CHECK_EQ(get32(in + L4 + 4), ack);
	CHECK_EQ(tcp_data_len(), 3);
	close(fd);
	end();
	close(listener);
}

/* The guest has closed, the host too: when the host has read the rest there is no connection left. */
TEST(tcp_ends_when_the_host_has_read_all)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd, small = 4096;
	static u8 data[8192];
	ssize_t n;

	CHECK(!setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	start("user,host=loopback");
	fd = connected(listener);
	shutdown(fd, SHUT_WR);
	do
		frame();
	while (!(tcp_flags() & TCP_FIN));
	ack++;
	while (only_connection()->to_host.len < sizeof(data)) {
		tcp_send(TCP_ACK, data, sizeof(data));
		seq += sizeof(data);
		frame();
	}
	tcp_send(TCP_ACK | TCP_FIN, NULL, 0);
	do {
		n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
		turn(1);
	} while (n > 0 || (n < 0 && errno == EAGAIN));
	CHECK_EQ(n, 0);
	CHECK(list_empty(&user()->tcp->used) || only_connection()->state == CONN_TIME_WAIT);
	close(fd);
	end();
	close(listener);
}

/* A connection that the guest aborts does not look complete to its peer. */
TEST(tcp_reset_is_one_for_the_peer)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;
	char c;

	start("user,host=loopback");
	fd = connected(listener);
	tcp_send(TCP_RST, NULL, 0);
	no_frame();
	CHECK_EQ(recv(fd, &c, 1, 0), -1);
	CHECK_EQ(errno, ECONNRESET);
	close(fd);
	/* One that it has closed before is. */
	guest_port++;
	fd = connected(listener);
	tcp_send(TCP_ACK | TCP_FIN, "x", 1);
	seq += 2;
	frame();
	tcp_send(TCP_RST | TCP_ACK, NULL, 0);
	CHECK_EQ(recv(fd, &c, 1, 0), 1);
	CHECK_EQ(recv(fd, &c, 1, 0), 0);
	close(fd);
	end();
	close(listener);
}

/* RFC 1122, 4.2.3.6: a guest that is gone without a word is noticed, one that is there is not. */
TEST(tcp_idle_guests_are_asked)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;
	struct tcp *c;
	char b;

	start("user,host=loopback");
	fd = connected(listener);
	c = only_connection();
	no_frame();
	CHECK(c->timer.due > loop_now() + 7000ULL * 1000000000);
	for (unsigned int i = 0; i < 20; i++) {
		c->used -= 7200ULL * 1000000000;
		c->timer.fn(&c->timer);
		frame();
		CHECK_EQ(tcp_flags(), TCP_ACK);
		CHECK_EQ(get32(in + L4 + 4), ack - 1);
		CHECK_EQ(tcp_data_len(), 0);
		tcp_send(TCP_ACK, NULL, 0);
		no_frame();
	}
	c->used -= 7200ULL * 1000000000;
	for (unsigned int i = 0; i < 8; i++) {
		c->timer.fn(&c->timer);
		frame();
	}
	c->timer.fn(&c->timer);
	frame();
	CHECK_EQ(tcp_flags(), TCP_RST | TCP_ACK);
	CHECK(recv(fd, &b, 1, 0) <= 0);
	close(fd);
	end();
	close(listener);
}

/* What the host learns late the guest learns, too, and as a router would say it. */
TEST(tcp_unreachable_is_no_reset)
{
	int listener = bound(SOCK_STREAM, &tcp_port);
	struct tcp *c;

	start("user,host=loopback");
	seq = 5;
	tcp_send(TCP_SYN, NULL, 0);
	c = only_connection();
	CHECK_EQ(c->state, CONN_CONNECTING);
	tcp_failed(c, -EHOSTUNREACH);
	frame();
	check_ip(IPPROTO_ICMP);
	CHECK_EQ(in[L4], 3);
	CHECK_EQ(in[L4 + 1], 1);
	/* The packet that it is about: ports and number. */
	CHECK_EQ(in[L4 + 8 + 9], IPPROTO_TCP);
	CHECK_EQ(get16(in + L4 + 28), guest_port);
	CHECK_EQ(get16(in + L4 + 30), tcp_port);
	CHECK_EQ(get32(in + L4 + 32), 5);
	no_frame();
	end();
	close(listener);
}

/* RFC 6298 without timestamps: one segment at a time is timed. */
TEST(tcp_measures_without_timestamps)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;

	start("user,host=loopback");
	fd = connected(listener);
	CHECK_EQ(send(fd, "once", 4, 0), 4);
	frame();
	ack += 4;
	tcp_send(TCP_ACK, NULL, 0);
	CHECK(only_connection()->srtt > 0);
	close(fd);
	end();
	close(listener);
}

/* The answer to a wrong reset says the window, as each ACK does. */
TEST(tcp_challenge_leaves_the_window)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;

	start("user,host=loopback");
	fd = connected(listener);
	seq += 100;
	tcp_send(TCP_RST, NULL, 0);
	frame();
	CHECK_EQ(tcp_flags(), TCP_ACK);
	CHECK(get16(in + L4 + 14) > 0);
	close(fd);
	end();
	close(listener);
}

/* Segments are made for the room that there is. */
TEST(tcp_segments_fit_the_buffer)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;
	struct iovec iov = { .iov_base = in, .iov_len = DATA + 3 };
	struct iov_iter i;

	start("user,host=loopback");
	fd = connected(listener);
	CHECK_EQ(send(fd, "abcdef", 6, 0), 6);
	while (!only_connection()->to_guest.len)
		turn(1);
	iov_iter_init(&i, &iov, 1);
	CHECK(net_pending(net, 0) > 0);
	CHECK_EQ(net_receive(net, 0, &i), DATA + 3);
	in_len = DATA + 3;
	CHECK_EQ(tcp_flags(), TCP_ACK);
	frame();
	CHECK_MEM(in + DATA, "def", 3);
	close(fd);
	end();
	close(listener);
}

TEST(tcp_floods_are_bounded)
{
	int listener = bound(SOCK_STREAM, &tcp_port);

	start("user,host=loopback");
	for (guest_port = 1024; guest_port < 1024 + 3 * TCP_OPENING_MAX; guest_port++) {
		seq = guest_port;
		tcp_send(TCP_SYN, NULL, 0);
	}
	CHECK(user()->tcp->opening <= TCP_OPENING_MAX);
	CHECK(user()->stats.no_room > 0);
	end();
	close(listener);
}

TEST(forwards_lead_to_the_guest)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char buf[16];

	start("user,restrict,forward=tcp:0:22");
	a.sin_port = htons(user()->forward[0].host_port);
	CHECK(!connect(fd, (struct sockaddr *)&a, sizeof(a)));
	frame();
	check_ip(IPPROTO_TCP);
	CHECK_EQ(in[L4 + 13], TCP_SYN);
	CHECK_EQ(get16(in + L4 + 2), 22);
	tcp_port = get16(in + L4);
	guest_port = 22;
	ack = get32(in + L4 + 4) + 1;
	seq = 500;
	tcp_send(TCP_SYN | TCP_ACK, NULL, 0);
	seq++;
	frame();
	CHECK_EQ(tcp_flags(), TCP_ACK);
	tcp_send(TCP_ACK | TCP_PSH, "banner", 6);
	CHECK_EQ(recv(fd, buf, sizeof(buf), 0), 6);
	close(fd);
	end();
}

/* A host without descriptors: connections wait, and nobody turns in circles meanwhile. */
TEST(forwards_wait_for_descriptors)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), next;
	struct rlimit old, low;

	start("user,restrict,forward=tcp:0:22");
	a.sin_port = htons(user()->forward[0].host_port);
	CHECK(!connect(fd, (struct sockaddr *)&a, sizeof(a)));
	CHECK(!getrlimit(RLIMIT_NOFILE, &old));
	next = dup(0);
	close(next);
	low = (struct rlimit) { .rlim_cur = next, .rlim_max = old.rlim_max };
	CHECK(!setrlimit(RLIMIT_NOFILE, &low));
	turn(20);
	CHECK(user()->stats.no_files >= 1 && user()->stats.no_files <= 2);
	CHECK(!setrlimit(RLIMIT_NOFILE, &old));
	frame();
	CHECK_EQ(in[L4 + 13], TCP_SYN);
	close(fd);
	end();
}

/* The machine starts again: nothing is left of the guest before it, but the forwards. */
TEST(a_new_guest_starts_from_nothing)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd;
	char b;
	u16 port = tcp_port;

	start("user,host=loopback,forward=tcp:0:22");
	dhcp_send(dhcp(1, NULL));
	frame();
	fd = connected(listener);
	udp_send(1111, port, "x");
	eth(0x0800);
	out[L4] = 8;
	put16(out + L4 + 4, 0x1234);
	send_ip("127.0.0.2", IPPROTO_ICMP, 15);
	net_detach(net, 0);
	net_reuse(net, &card, &ops, NULL);
	CHECK_EQ(net_attach(net, 0, loop), 0);
	CHECK(list_empty(&user()->tcp->used));
	CHECK_EQ(user()->nr_leases, 0);
	CHECK(!user()->ping);
	CHECK(user()->forward[0].fd >= 0);
	CHECK(recv(fd, &b, 1, 0) <= 0);
	no_frame();
	close(fd);
	end();
	close(listener);
}

/* A driver starts the card again while a datagram waits for it. */
TEST(udp_forwards_survive_a_reset)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	start("user,restrict,forward=udp:0:53");
	a.sin_port = htons(user()->forward[0].host_port);
	CHECK_EQ(sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)), 1);
	while (!udp_pending(user()))
		turn(1);
	net_detach(net, 0);
	CHECK_EQ(net_attach(net, 0, loop), 0);
	frame();
	check_ip(IPPROTO_UDP);
	no_frame();
	CHECK_EQ(sendto(fd, "y", 1, 0, (struct sockaddr *)&a, sizeof(a)), 1);
	frame();
	CHECK_EQ(in[L4 + 8], 'y');
	close(fd);
	end();
}

/* Names: the host's servers are the test's. */

static int dns_fd[3];

/* Name servers at 127.0.0.1 to 127.0.0.3, and a network that takes the scratch directory for /etc. */
static void dns_start(void)
{
	/* Its helper must not have the sockets, too. */
	scratch_dir();
	if (unshare(CLONE_NEWNET) < 0)
		SKIP("no network namespace: %s", strerror(errno));
	for (int i = 0; i < 3; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0x7f000001 + i) };

		dns_fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (!i) {
			struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };

			CHECK(!ioctl(dns_fd[0], SIOCSIFFLAGS, &ifr));
		}
		CHECK(!bind(dns_fd[i], (struct sockaddr *)&a, sizeof(a)));
	}
	start("user");
	dns_use(user(), scratch_dir());
	scratch_file("resolv.conf", "nameserver 127.0.0.1\n# nameserver 1.1.1.1\nnameserver 127.0.0.2\nsearch example\n");
}

/* A question for @name, labels with their lengths. */
static size_t dns_question(u8 *msg, u16 id, const char *name, u16 type)
{
	size_t len = strlen(name) + 1;

	memset(msg, 0, 12);
	put16(msg, id);
	msg[2] = 1;
	put16(msg + 4, 1);
	memcpy(msg + 12, name, len);
	put16(msg + 12 + len, type);
	put16(msg + 14 + len, 1);
	return 16 + len;
}

static void dns_ask(u16 port, u16 id, const char *name, u16 type)
{
	size_t len = dns_question(out + L4 + 8, id, name, type);
	u8 msg[512];

	memcpy(msg, out + L4 + 8, len);
	eth(0x0800);
	memcpy(out + L4 + 8, msg, len);
	put16(out + L4, port);
	put16(out + L4 + 2, 53);
	put16(out + L4 + 4, 8 + len);
	send_ip(GATEWAY, IPPROTO_UDP, 8 + len);
}

/* The server @i gets a question and answers with @rcode, and @more bytes behind the question. */
static void dns_serve(int i, u8 rcode, size_t more)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct pollfd pfd = { .fd = dns_fd[i], .events = POLLIN };
	u8 msg[4096] = { 0 };
	ssize_t n;

	while (!poll(&pfd, 1, 0))
		turn(1);
	n = recvfrom(dns_fd[i], msg, sizeof(msg), 0, (struct sockaddr *)&from, &len);

	CHECK(n > 12);
	msg[2] |= 0x80;
	msg[3] = rcode;
	CHECK_EQ(sendto(dns_fd[i], msg, n + more, 0, (struct sockaddr *)&from, len), n + more);
}

static u8 *dns_answer(u16 port, u16 id)
{
	frame();
	check_ip(IPPROTO_UDP);
	CHECK_EQ(get16(in + L4), 53);
	CHECK_EQ(get16(in + L4 + 2), port);
	CHECK_EQ(get16(in + L4 + 8), id);
	CHECK(in[L4 + 8 + 2] & 0x80);
	return in + L4 + 8;
}

TEST(names_are_asked_for)
{
	dns_start();
	dns_ask(4000, 7, "\3www\7example", 1);
	/* The same again, before the answer: one question is enough. */
	dns_ask(4000, 7, "\3www\7example", 1);
	dns_serve(0, 0, 16);
	CHECK_EQ(dns_answer(4000, 7)[3] & 15, 0);
	CHECK_EQ(in_len, L4 + 8 + 16 + 13 + 16);
	no_frame();
	/* An answer that is too long for a datagram says that it is cut. */
	dns_ask(4000, 8, "\3www\7example", 1);
	dns_serve(0, 0, 3000);
	CHECK(dns_answer(4000, 8)[2] & 2);
	CHECK_EQ(in_len, L4 + 8 + 16 + 13);
	/* A reverse question does no harm, nor does one without a question. */
	dns_ask(4000, 9, "", 0xffff);
	end();
}

TEST(the_next_name_server_is_asked)
{
	dns_start();
	dns_ask(4000, 7, "\3www\7example", 1);
	dns_serve(0, 2, 0);		/* it failed */
	dns_serve(1, 0, 16);
	CHECK_EQ(dns_answer(4000, 7)[3] & 15, 0);
	/* Nobody listens at the first. */
	close(dns_fd[0]);
	dns_ask(4000, 8, "\3www\7example", 1);
	dns_serve(1, 3, 0);
	CHECK_EQ(dns_answer(4000, 8)[3] & 15, 3);
	/* Nor at any other: the guest is told. */
	close(dns_fd[1]);
	dns_ask(4000, 9, "\3www\7example", 1);
	CHECK_EQ(dns_answer(4000, 9)[3] & 15, 2);
	end();
}

TEST(a_silent_name_server_is_left)
{
	dns_start();
	dns_ask(4000, 7, "\3www\7example", 1);
	dns_serve(1, 0, 16);
	dns_answer(4000, 7);
	end();
}

TEST(a_changed_resolv_conf_is_noticed)
{
	dns_start();
	dns_ask(4000, 7, "\3www\7example", 1);
	dns_serve(0, 0, 0);
	dns_answer(4000, 7);
	scratch_file("resolv.conf", "nameserver 127.0.0.3\n");
	dns_ask(4000, 8, "\3www\7example", 1);
	dns_serve(2, 0, 0);
	dns_answer(4000, 8);
	end();
}

/* Guests that said their names to the DHCP server have them. */
TEST(names_of_guests)
{
	struct in_addr guest;
	size_t len;
	u8 *p;

	start("user,restrict");
	len = dhcp(1, NULL);
	p = out + L4 + 8 + len - 1;
	memcpy(p, "\14\4Web1\377", 7);
	dhcp_send(len + 6);
	frame();
	dns_ask(4000, 7, "\4web1", 1);
	p = dns_answer(4000, 7);
	CHECK_EQ(p[3] & 15, 0);
	CHECK_EQ(get16(p + 6), 1);
	inet_pton(AF_INET, GUEST, &guest);
	CHECK_MEM(in + in_len - 4, &guest, 4);
	/* It has no IPv6 address that is known: no answer, but the name is there. */
	dns_ask(4000, 8, "\4web1", 28);
	p = dns_answer(4000, 8);
	CHECK_EQ(p[3] & 15, 0);
	CHECK_EQ(get16(p + 6), 0);
	end();
}

/* Names are a way out, too. */
TEST(restricted_asks_no_name_server)
{
	start("user,restrict");
	dns_ask(4000, 1, "\3www\7example", 1);
	frame();
	check_ip(IPPROTO_ICMP);
	CHECK_EQ(in[L4], 3);
	CHECK_EQ(in[L4 + 1], 13);
	end();
}

/* What is added while the guest runs, with a socket that came from elsewhere. */
TEST(forwards_come_and_go)
{
	static const char *const text[] = {
		"tcp:0:22", "tcp:127.0.0.1:0:22", "tcp:0:192.168.33.20:22", "tcp:[::1]:0:[fd00:6c6b:766d:33::15]:80", "udp:0:53",
	};
	struct opt_err err;
	char where[192], list[256];
	int fd;

	start("user,restrict");
	for (unsigned int i = 0; i < ARRAY_SIZE(text); i++) {
		fd = net_forward_socket(text[i], where, sizeof(where), &err);
		CHECK(fd >= 0);
		CHECK_EQ(net_forward(net, text[i], fd, &err), 0);
		CHECK(net_forward_text(net, i, list, sizeof(list)));
		CHECK(!strncmp(list, where, strlen(where)));
	}
	CHECK(strstr(list, " 192.168.33.15:53"));
	CHECK(!net_forward_text(net, ARRAY_SIZE(text), list, sizeof(list)));
	CHECK(net_forward_text(net, 3, list, sizeof(list)));
	CHECK(strstr(list, " [fd00:6c6b:766d:33::15]:80"));
	CHECK_EQ(net_unforward(net, where, &err), 0);
	CHECK_EQ(net_unforward(net, where, &err), -ENOENT);
	CHECK_EQ(net_unforward(net, "tcp:0:22", &err), 0);
	CHECK(!net_forward_text(net, 3, list, sizeof(list)));
	/* Not the socket that it says to be. */
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(net_forward(net, "tcp:0:22", fd, &err), -EINVAL);
	fd = net_forward_socket("udp:0:53", where, sizeof(where), &err);
	CHECK_EQ(net_forward(net, "tcp:0:22", fd, &err), -EINVAL);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK_EQ(net_forward(net, "tcp:0:22", fd, &err), -EINVAL);
	/* One that would make the network wait. */
	fd = net_forward_socket("tcp:0:22", where, sizeof(where), &err);
	CHECK(!fcntl(fd, F_SETFL, 0));
	CHECK_EQ(net_forward(net, "tcp:0:22", fd, &err), -EINVAL);
	/* As many as there may be, and one more. */
	for (unsigned int i = 3; i < USER_FORWARDS; i++)
		CHECK_EQ(net_forward(net, "udp:0:53", -1, &err), 0);
	CHECK_EQ(net_forward(net, "udp:0:53", -1, &err), -ENOSPC);
	end();
}

TEST(forwards_by_a_unix_socket)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), old = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char spec[512], buf[16];

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/a:b.sock", scratch_dir());
	/* One that is left from somebody who is dead makes room. */
	CHECK(!bind(old, (struct sockaddr *)&un, sizeof(un)));
	close(old);
	snprintf(spec, sizeof(spec), "user,restrict,forward=unix:%s:192.168.33.15:22", un.sun_path);
	start(spec);
	CHECK(!connect(fd, (struct sockaddr *)&un, sizeof(un)));
	frame();
	CHECK_EQ(in[L4 + 13], TCP_SYN);
	CHECK_EQ(get16(in + L4 + 2), 22);
	tcp_port = get16(in + L4);
	CHECK(tcp_port >= 1024);
	guest_port = 22;
	ack = get32(in + L4 + 4) + 1;
	seq = 500;
	tcp_send(TCP_SYN | TCP_ACK, NULL, 0);
	seq++;
	frame();
	tcp_send(TCP_ACK | TCP_PSH, "banner", 6);
	CHECK_EQ(recv(fd, buf, sizeof(buf), 0), 6);
	close(fd);
	end();
}

/* A capture: a section, an interface, and each frame with its direction and its checksum. */

static u8 pcap[256 * 1024];
static size_t pcap_len;

/* The block at @at; the offset of the next one. */
static size_t pcap_block(size_t at, u32 type)
{
	u32 word[2], last;

	CHECK(at + 12 <= pcap_len);
	memcpy(word, pcap + at, 8);
	CHECK_EQ(word[0], type);
	CHECK(word[1] >= 12 && !(word[1] % 4) && at + word[1] <= pcap_len);
	memcpy(&last, pcap + at + word[1] - 4, 4);
	CHECK_EQ(last, word[1]);
	return at + word[1];
}

static void pcap_read(void)
{
	int fd = open(scratch("frames.pcapng"), O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	pcap_len = read(fd, pcap, sizeof(pcap));
	close(fd);
}

/* A frame of TCP with a right checksum; the offset of the next block. */
static size_t pcap_frame(size_t at, u32 direction)
{
	size_t next = pcap_block(at, 6);
	u8 *frame = pcap + at + 28;
	struct in_addr a, b;
	addr_t src, dst;
	u32 len, flags;

	memcpy(&len, pcap + at + 20, 4);
	memcpy(&flags, frame + ALIGN(len, 4) + 4, 4);
	CHECK_EQ(flags, direction);
	memcpy(&a, frame + 26, 4);
	memcpy(&b, frame + 30, 4);
	src = addr_v4(a);
	dst = addr_v4(b);
	CHECK_EQ(sum_fold(sum_add(sum_pseudo(&src, &dst, IPPROTO_TCP, len - 34), frame + 34, len - 34)), 0);
	return next;
}

TEST(frames_are_captured)
{
	int listener = bound(SOCK_STREAM, &tcp_port), fd, file;
	static u8 data[20000];
	struct opt_err err;
	size_t at, got = 0;

	CHECK_EQ(net_capture_open("/dev/null", &err), -EINVAL);
	CHECK_EQ(net_capture_open(scratch("none/frames.pcapng"), &err), -ENOENT);
	file = net_capture_open(scratch("frames.pcapng"), &err);
	CHECK(file >= 0);
	start("user,host=loopback");
	CHECK_EQ(net_capture(net, file, 0, "nic0"), 0);
	close(file);
	fd = connected(listener);
	pcap_read();
	at = pcap_block(pcap_block(0, 0x0a0d0d0a), 1);
	at = pcap_frame(at, 2);
	at = pcap_frame(at, 1);
	at = pcap_frame(at, 2);
	CHECK_EQ(at, pcap_len);
	/* Checksums that are left to the guest are done in the file. */
	net_set_offloads(net, net_offloads(net));
	CHECK_EQ(send(fd, data, sizeof(data), 0), sizeof(data));
	while (got < sizeof(data)) {
		frame();
		CHECK_EQ(in[0], NET_CSUM);
		got += in_len - DATA;
	}
	pcap_read();
	CHECK(at < pcap_len);
	while (at < pcap_len)
		at = pcap_frame(at, 1);
	close(fd);
	end();
	close(listener);
}

TEST(mistakes_are_said)
{
	static const struct {
		const char *spec, *text;
	} bad[] = {
		{ "usr", "there is no network" },
		{ "user,forward=tcp:22", "tcp|udp:[HOSTADDR:]PORT" },
		{ "user,forward=sctp:1:2", "tcp|udp:[HOSTADDR:]PORT" },
		{ "user,forward=tcp:70000:22", "tcp|udp:[HOSTADDR:]PORT" },
		{ "user,forward=tcp:0:10.0.0.1:22", "not of its network" },
		{ "user,forward=unix:/tmp/x", "unix:PATH" },
		{ "user,forward=unix::22", "unix:PATH" },
		{ "user,forward=tcp:[::1:22:22", "tcp|udp" },
		{ "user,forward=tcp:1.2.3.4:0:22", "cannot be had" },
		{ "user,queues=17", "queues" },
		{ "user,host_ip=1.2.3", "an IPv4 address" },
		{ "user,guest_ip=10.0.0.1", "one network" },
		{ "user,guest_ip=192.168.33.1", "one network" },
		{ "user,host=localhost", "loopback" },
		{ "user,guest_mac=01:00:00:00:00:00", "six bytes" },
		{ "user,mtu=10", "mtu" },
	};
	struct net_card c = card;
	struct opt_err err;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK(net_open(&net, bad[i].spec, &c, &ops, NULL, &err) < 0);
		if (!strstr(err.text, bad[i].text))
			tap_fail(__FILE__, __LINE__, "%s: %s", bad[i].spec, err.text);
	}
}
