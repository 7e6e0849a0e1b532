// SPDX-License-Identifier: GPL-2.0
/*
 * Wires between machines, driven by frames: the switch, the loop. Each test is all
 * machines, on one loop.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/net.h>
#include <kvm/opt.h>

#include "../../hw/net/switch.h"
#include "../../hw/net/user/user.h"
#include "scratch.h"
#include "tap.h"

#define HDR	sizeof(struct net_hdr)
#define ALL	"\xff\xff\xff\xff\xff\xff"

/* A machine's card. */
struct end {
	struct net *net;
	struct net_card card;
	struct net_guest guest;
	unsigned int readable, writable;
	bool down;
};

static struct loop *loop;
static u8 in[NET_FRAME_MAX], out[NET_FRAME_MAX];
static char dir[64];

static void on_readable(void *obj, unsigned int pair)
{
	((struct end *)obj)->readable++;
}

static void on_writable(void *obj, unsigned int pair)
{
	((struct end *)obj)->writable++;
}

static void on_link(void *obj)
{
	struct end *e = obj;

	e->down = !net_link(e->net);
}

static const struct net_ops ops = { .readable = on_readable, .writable = on_writable, .link = on_link };

static int try(struct end *e, const char *spec, const char *name, struct opt_err *err)
{
	static const u8 mac[NET_MAC] = { 2, 0x15, 0x15, 0x15, 0x15, 0x15 };
	int ret;

	*e = (struct end) { .card.host_name = name };
	memcpy(e->card.mac, mac, NET_MAC);
	ret = net_open(&e->net, spec, &e->card, &ops, e, err);
	return ret ? ret : net_guest(e->net, &e->card, &e->guest, err);
}

static void plug(struct end *e, const char *spec, const char *name)
{
	struct opt_err err;

	if (try(e, spec, name, &err))
		tap_fail(__FILE__, __LINE__, "%s: %s", spec, err.text);
	net_set_offloads(e->net, net_offloads(e->net));
	if (!loop)
		CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(net_attach(e->net, 0, loop), 0);
}

static void unplug(struct end *e)
{
	net_detach(e->net, 0);
	net_close(e->net);
}

/* A user's own directory of sockets. */
static void home(void)
{
	snprintf(dir, sizeof(dir), "%s", scratch_dir());
	setenv("XDG_RUNTIME_DIR", dir, 1);
}

static void stop(struct timer *t)
{
	loop_stop(loop);
}

/* Rounds of the loop, for a moment. */
static void turn(void)
{
	struct timer t = { .fn = stop };

	loop_timer(loop, &t, loop_now() + 1000000);
	loop_run(loop);
}

static ssize_t frame_now(struct end *e)
{
	struct iovec iov = { .iov_base = in, .iov_len = sizeof(in) };
	struct iov_iter i;
	size_t want = net_pending(e->net, 0);
	ssize_t n;

	if (!want)
		return -EAGAIN;
	iov_iter_init(&i, &iov, 1);
	n = net_receive(e->net, 0, &i);
	CHECK(n <= (ssize_t)want);
	return n;
}

/* Wait for the next frame; its length. */
static size_t frame(struct end *e)
{
	ssize_t n;

	while ((n = frame_now(e)) <= 0)
		turn();
	return n;
}

static void quiet(struct end *e)
{
	turn();
	CHECK_EQ(frame_now(e), -EAGAIN);
}

static int send_len(struct end *e, size_t len)
{
	struct iovec iov = { .iov_base = out, .iov_len = len };
	struct iov_iter i;

	iov_iter_init(&i, &iov, 1);
	return net_send(e->net, 0, &i);
}

/* A frame of @e to @dst that says @text. */
static void say(struct end *e, const void *dst, const char *text)
{
	memset(out, 0, HDR);
	memcpy(out + HDR, dst, NET_MAC);
	memcpy(out + HDR + NET_MAC, e->card.mac, NET_MAC);
	put16(out + HDR + 12, 0x88b6);
	strcpy((char *)out + HDR + 14, text);
	CHECK_EQ(send_len(e, HDR + 14 + strlen(text) + 1), 0);
}

static void hears(struct end *e, const char *text)
{
	size_t len = frame(e);

	CHECK_EQ(len, HDR + 14 + strlen(text) + 1);
	CHECK_STR((char *)in + HDR + 14, text);
}

/* Frames that only connect: all know each other. */
static void meet(struct end *e, unsigned int nr)
{
	unsigned int i, j;

	for (j = 0; j < 4 + nr; j++) {
		for (i = 0; i < nr; i++)
			frame_now(&e[i]);
		turn();
	}
}

static unsigned int sockets(void)
{
	char path[96];
	struct dirent *d;
	unsigned int n = 0;
	DIR *list;

	snprintf(path, sizeof(path), "%s/lkvm", dir);
	list = opendir(path);
	while (list && (d = readdir(list)))
		n += strstr(d->d_name, ".switch") != NULL;
	closedir(list);
	return n;
}

TEST(switch_three_members)
{
	struct end e[3];

	home();
	plug(&e[0], "switch=lan", "a");
	plug(&e[1], "switch=lan", "b");
	plug(&e[2], "switch=lan", "c");
	meet(e, 3);
	CHECK(memcmp(e[0].card.mac, e[1].card.mac, NET_MAC) && memcmp(e[1].card.mac, e[2].card.mac, NET_MAC));
	CHECK(strcmp(e[0].guest.addr, e[1].guest.addr) && strcmp(e[0].guest.addr6, e[1].guest.addr6));
	CHECK_STR(e[0].guest.dns, e[2].guest.dns);
	CHECK_STR(e[0].guest.gateway, "");
	say(&e[0], ALL, "to all");
	hears(&e[1], "to all");
	hears(&e[2], "to all");
	quiet(&e[0]);
	say(&e[1], e[2].card.mac, "to c");
	hears(&e[2], "to c");
	quiet(&e[0]);
	CHECK_EQ(sockets(), 3);
	/* The first leaves, and nobody else notices. */
	unplug(&e[0]);
	say(&e[2], e[1].card.mac, "still here");
	hears(&e[1], "still here");
	CHECK_EQ(sockets(), 2);
	/* Its slot is free, another switch is another network. */
	plug(&e[0], "switch=lan", "d");
	meet(e, 3);
	say(&e[0], e[1].card.mac, "d to b");
	hears(&e[1], "d to b");
	unplug(&e[0]);
	plug(&e[0], "switch=other", "d");
	say(&e[0], ALL, "nobody");
	quiet(&e[1]);
	quiet(&e[2]);
	unplug(&e[0]);
	unplug(&e[1]);
	unplug(&e[2]);
	CHECK_EQ(sockets(), 0);
}

/* The one that has made the switch is killed between two frames of the others. */
TEST(switch_survives_kill)
{
	struct end first, e[3];
	int ready[2];
	char byte;
	pid_t pid;

	home();
	CHECK_EQ(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		plug(&first, "switch=lan", "first");
		CHECK_EQ(write(ready[1], "", 1), 1);
		for (;;)
			turn();
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	plug(&e[0], "switch=lan", "a");
	plug(&e[1], "switch=lan", "b");
	meet(e, 2);
	say(&e[0], e[1].card.mac, "before");
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	say(&e[0], e[1].card.mac, "after");
	hears(&e[1], "before");
	hears(&e[1], "after");
	say(&e[1], ALL, "anybody");
	hears(&e[0], "anybody");
	/* Its socket is there still; who comes next takes it over. */
	CHECK_EQ(sockets(), 3);
	plug(&e[2], "switch=lan", "c");
	CHECK_EQ(sockets(), 3);
	meet(e, 3);
	say(&e[2], ALL, "new");
	hears(&e[0], "new");
	hears(&e[1], "new");
	unplug(&e[0]);
	unplug(&e[1]);
	unplug(&e[2]);
}

/* A member that takes nothing stops the sender for a moment, once, and nobody else at all. */
TEST(switch_stalled_member)
{
	struct end e[3];
	unsigned int i, sent;

	home();
	plug(&e[0], "switch=lan", "a");
	plug(&e[1], "switch=lan", "b");
	plug(&e[2], "switch=lan", "c");
	meet(e, 3);
	say(&e[0], e[1].card.mac, "fill");
	for (sent = 1; send_len(&e[0], 60000) == 0; sent++)
		CHECK(sent < 10000);
	CHECK_EQ(send_len(&e[0], 60000), -EAGAIN);
	e[0].writable = 0;
	while (!e[0].writable)
		turn();
	for (i = 0; i < 1000; i++)
		CHECK_EQ(send_len(&e[0], 60000), 0);
	say(&e[0], e[2].card.mac, "past it");
	hears(&e[2], "past it");
	/* It reads what it has missed the rest of, and is one of them again. */
	e[0].writable = 0;
	for (i = 0; i < sent; i++)
		CHECK_EQ(frame(&e[1]), i ? 60000 : HDR + 14 + 5);
	quiet(&e[1]);
	say(&e[0], e[1].card.mac, "again");
	hears(&e[1], "again");
	unplug(&e[0]);
	unplug(&e[1]);
	unplug(&e[2]);
}

/* A machine that starts again keeps its place, and the others see no change. */
TEST(switch_reboot)
{
	struct end e[2];

	home();
	plug(&e[0], "switch=lan", "a");
	plug(&e[1], "switch=lan", "b");
	meet(e, 2);
	net_detach(e[1].net, 0);
	say(&e[0], e[1].card.mac, "early");
	net_reuse(e[1].net, &e[1].card, &ops, &e[1]);
	CHECK_EQ(net_attach(e[1].net, 0, loop), 0);
	hears(&e[1], "early");
	say(&e[1], e[0].card.mac, "back");
	hears(&e[0], "back");
	unplug(&e[0]);
	unplug(&e[1]);
}

/* One who speaks the protocol as a member does, and lies. */
static int stranger(const char *path, const void *first, size_t len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(addr.sun_path, path);
	CHECK_EQ(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (len)
		CHECK_EQ(send(fd, first, len, 0), len);
	return fd;
}

static bool hung_up(int fd)
{
	char buf[256];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		;
	return !n || errno == ECONNRESET;
}

TEST(switch_hostile_member)
{
	struct end e[2];
	struct switch_net *sw;
	u8 hello[HDR + 14 + 8 + 2 + 4 + 64], gateway[NET_MAC];
	const char *path;
	int fd, i;

	home();
	plug(&e[0], "switch=lan", "a");
	plug(&e[1], "switch=lan", "b");
	meet(e, 2);
	sw = container_of(e[0].net, struct switch_net, net);
	path = sw->path.sun_path;
	memcpy(gateway, sw->gateway_mac, NET_MAC);
	/* A first packet that is no greeting, an empty one, one that is too long; none at all. */
	for (i = 0; i < 4; i++) {
		size_t len[] = { 40, 0, sizeof(out), 13 };

		fd = stranger(path, out, 0);
		CHECK(send(fd, out, len[i], 0) >= 0);
		turn();
		frame_now(&e[0]);
		/* What cannot be a frame is as if it had not been sent. */
		CHECK(i > 1 || hung_up(fd));
		close(fd);
	}
	/* A proper greeting, then lies about whose frames they are. */
	memset(hello, 0, sizeof(hello));
	memcpy(hello + HDR + NET_MAC, "\2\0\0\0\0\7", NET_MAC);
	put16(hello + HDR + 12, 0x88b5);
	memcpy(hello + HDR + 14, "lkvmsw1", 8);
	hello[HDR + 22] = 9;
	hello[HDR + 23] = sw->bits;
	memcpy(hello + HDR + 24, &sw->addr, 4);
	memset(hello + HDR + 28, 'x', 64);
	fd = stranger(path, hello, sizeof(hello));
	turn();
	frame_now(&e[0]);
	for (i = 0; i < 2; i++) {
		memset(out, 0, 80);
		memcpy(out + HDR, e[0].card.mac, NET_MAC);
		memcpy(out + HDR + NET_MAC, i ? gateway : e[1].card.mac, NET_MAC);
		CHECK_EQ(send(fd, out, 80, 0), 80);
		quiet(&e[0]);
	}
	/* A checksum and segments outside of the frame. */
	memcpy(out + HDR + NET_MAC, "\2\0\0\0\0\7", NET_MAC);
	out[0] = NET_CSUM;
	out[6] = out[7] = 0xff;
	CHECK_EQ(send(fd, out, 80, 0), 80);
	out[1] = NET_GSO_TCP4;
	out[4] = 1;
	CHECK_EQ(send(fd, out, 80, 0), 80);
	quiet(&e[0]);
	/* A hundred thousand addresses do not push the others' out. */
	for (i = 0; i < 100000; i++) {
		memset(out, 0, HDR);
		put32(out + HDR + NET_MAC + 2, i);
		while (send(fd, out, 80, 0) < 0) {
			turn();
			while (frame_now(&e[0]) > 0)
				;
		}
	}
	turn();
	while (frame_now(&e[0]) > 0)
		;
	say(&e[0], e[1].card.mac, "to b");
	hears(&e[1], "to b");
	CHECK(hung_up(fd) == false);
	close(fd);
	unplug(&e[0]);
	unplug(&e[1]);
}

TEST(switch_full)
{
	static struct end e[SWITCH_MEMBERS + 1];
	struct opt_err err;
	unsigned int i;

	home();
	for (i = 0; i < SWITCH_MEMBERS; i++)
		plug(&e[i], "switch=lan", "m");
	CHECK_EQ(try(&e[i], "switch=lan", "m", &err), -ENOSPC);
	CHECK(strstr(err.text, "no more"));
	meet(e, SWITCH_MEMBERS);
	say(&e[0], e[SWITCH_MEMBERS - 1].card.mac, "last");
	hears(&e[SWITCH_MEMBERS - 1], "last");
	for (i = 0; i < SWITCH_MEMBERS; i++)
		unplug(&e[i]);
}

/* A UDP datagram to the gateway's port 53 that asks for @name. */
static size_t ask(struct end *e, const char *name, u16 type)
{
	struct user *u = container_of(container_of(e->net, struct switch_net, net)->gateway, struct user, net);
	u8 *ip = out + HDR + 14, *udp = ip + 20, *q = udp + 8 + 12;
	const char *dot;
	size_t len;

	memset(out, 0, 400);
	memcpy(out + HDR, u->host_mac, NET_MAC);
	memcpy(out + HDR + NET_MAC, e->card.mac, NET_MAC);
	put16(out + HDR + 12, 0x0800);
	for (; *name; name = *dot ? dot + 1 : dot) {
		dot = name + strcspn(name, ".");
		*q++ = dot - name;
		memcpy(q, name, dot - name);
		q += dot - name;
	}
	put16(q + 1, type);
	put16(q + 3, 1);
	len = q + 5 - udp;
	put16(udp + 8, 0x1234);
	put16(udp + 10, 0x0100);
	put16(udp + 12, 1);
	put16(udp, 40000);
	put16(udp + 2, 53);
	put16(udp + 4, len);
	ip[0] = 0x45;
	put16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, &u->guest_ip, 4);
	memcpy(ip + 16, &u->host_ip, 4);
	put16(ip + 10, sum_fold(sum_add(0, ip, 20)));
	CHECK_EQ(send_len(e, HDR + 14 + 20 + len), 0);
	return frame(e);
}

TEST(switch_names)
{
	u8 *dns = in + HDR + 14 + 20 + 8;
	char text[INET_ADDRSTRLEN];
	struct end e[2];
	size_t len;

	home();
	plug(&e[0], "switch=lan", "alpha");
	plug(&e[1], "switch=lan", "Beta");
	meet(e, 2);
	len = ask(&e[0], "beta", 1);
	CHECK_EQ(get16(dns), 0x1234);
	CHECK_EQ(get16(dns + 2) & 0xf, 0);
	CHECK_EQ(get16(dns + 6), 1);
	inet_ntop(AF_INET, in + len - 4, text, sizeof(text));
	CHECK(!strncmp(e[1].guest.addr, text, strlen(text)));
	len = ask(&e[0], "beta.lkvm", 28);
	CHECK_EQ(get16(dns + 6), 1);
	ask(&e[0], "alpha", 1);
	CHECK_EQ(get16(dns + 6), 1);
	/* It exists, with no record of that type; it does not exist. */
	ask(&e[0], "beta", 15);
	CHECK_EQ(get16(dns + 2) & 0xf, 0);
	CHECK_EQ(get16(dns + 6), 0);
	ask(&e[0], "gamma", 1);
	CHECK_EQ(get16(dns + 2) & 0xf, 3);
	ask(&e[0], "www.example.org", 1);
	CHECK_EQ(get16(dns + 2) & 0xf, 3);
	unplug(&e[1]);
	quiet(&e[0]);
	ask(&e[0], "beta", 1);
	CHECK_EQ(get16(dns + 2) & 0xf, 3);
	unplug(&e[0]);
}

/* A TCP segment of @payload bytes that its sender has not cut; @v6 */
static size_t large(struct end *e, const u8 *dst, bool v6, size_t payload, u16 mss)
{
	struct net_hdr *hdr = (struct net_hdr *)out;
	size_t l3 = 14, l4 = l3 + (v6 ? 40 : 20), len = l4 + 20 + payload, i;
	u8 *eth = out + HDR, *ip = eth + l3, *tcp = eth + l4;

	memset(out, 0, HDR + l4 + 20);
	*hdr = (struct net_hdr) { .flags = NET_CSUM, .gso_type = v6 ? NET_GSO_TCP6 : NET_GSO_TCP4, .gso_size = mss,
				  .csum_start = l4, .csum_offset = 16, .hdr_len = l4 + 20 };
	memcpy(eth, dst, NET_MAC);
	memcpy(eth + NET_MAC, e->card.mac, NET_MAC);
	put16(eth + 12, v6 ? 0x86dd : 0x0800);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, 20 + payload);
		ip[6] = IPPROTO_TCP;
		ip[23] = 1;
		ip[39] = 2;
	} else {
		ip[0] = 0x45;
		put16(ip + 2, 40 + payload);
		put16(ip + 4, 100);
		ip[9] = IPPROTO_TCP;
		ip[12] = ip[16] = 10;
		ip[19] = 1;
	}
	put32(tcp + 4, 0xfffffff0);
	tcp[12] = 5 << 4;
	tcp[13] = 0x19 | 0x80;		/* FIN, PSH, ACK; CWR */
	for (i = 0; i < payload; i++)
		tcp[20 + i] = i * 7;
	return HDR + len;
}

static void check_segment(bool v6, size_t at, size_t n, unsigned int nr, bool last)
{
	size_t l4 = 14 + (v6 ? 40 : 20), i;
	u8 *eth = in + HDR, *ip = eth + 14, *tcp = eth + l4;

	CHECK_EQ(in[0], 0);
	CHECK_EQ(in[1], 0);
	if (v6) {
		CHECK_EQ(get16(ip + 4), 20 + n);
	} else {
		CHECK_EQ(get16(ip + 2), 40 + n);
		CHECK_EQ(get16(ip + 4), 100 + nr);
		CHECK_EQ(sum_fold(sum_add(0, ip, 20)), 0);
	}
	CHECK_EQ(get32(tcp + 4), (u32)(0xfffffff0 + at));
	CHECK_EQ(tcp[13], 0x10 | (last ? 0x09 : 0) | (nr ? 0 : 0x80));
	CHECK_EQ(sum_fold(sum_add(sum_add(IPPROTO_TCP + 20 + n, ip + (v6 ? 8 : 12), v6 ? 32 : 8), tcp, 20 + n)), 0);
	for (i = 0; i < n; i++)
		CHECK_EQ(tcp[20 + i], (u8)((at + i) * 7));
}

/* A guest whose driver takes no large frames gets them cut, with checksums. */
TEST(loop_offloads)
{
	struct end e[2];
	char spec[2][32];
	int pair[2], v6;
	size_t at, n;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	for (n = 0; n < 2; n++) {
		snprintf(spec[n], sizeof(spec[n]), "loop,fd=%d", pair[n]);
		plug(&e[n], spec[n], "x");
	}
	CHECK_EQ(e[0].card.mtu, 1500);
	say(&e[0], ALL, "over the wire");
	hears(&e[1], "over the wire");
	n = large(&e[0], e[1].card.mac, false, 10000, 1448);
	CHECK_EQ(send_len(&e[0], n), 0);
	CHECK_EQ(frame(&e[1]), n);
	CHECK_EQ(in[1], NET_GSO_TCP4);
	net_set_offloads(e[1].net, NET_OFF_CSUM);
	for (v6 = 0; v6 < 2; v6++) {
		CHECK_EQ(send_len(&e[0], large(&e[0], e[1].card.mac, v6, 10000, 1448)), 0);
		for (at = n = 0; at < 10000; at += 1448, n++) {
			CHECK_EQ(frame(&e[1]), HDR + 14 + (v6 ? 40 : 20) + 20 + min((size_t)1448, 10000 - at));
			check_segment(v6, at, min((size_t)1448, 10000 - at), n, at + 1448 >= 10000);
		}
		quiet(&e[1]);
	}
	/* Lies: no frames, and not the end of the wire. */
	for (n = 0; n < 6; n++) {
		size_t len = large(&e[0], e[1].card.mac, false, 3000, 1448);
		struct net_hdr *hdr = (struct net_hdr *)out;

		if (n == 0)
			hdr->gso_size = 0;
		if (n == 1)
			hdr->csum_start = 0xffff;
		if (n == 2)
			hdr->gso_type = 3;
		if (n == 3)
			out[HDR + 14] = 0x4f;
		if (n == 4)
			out[HDR + 34 + 12] = 0xf0;
		if (n == 5)
			len = HDR + 14 + 25;
		CHECK_EQ(send_len(&e[0], len), 0);
		/* A header that says more than there is, is a payload less: all but that are refused. */
		if (n != 4)
			quiet(&e[1]);
		turn();
		while (frame_now(&e[1]) > 0)
			;
	}
	say(&e[0], ALL, "still there");
	hears(&e[1], "still there");
	unplug(&e[0]);
	unplug(&e[1]);
}

/* A network of the test's own, in which it may make interfaces. */
static void network(void)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		SKIP("no network namespace: %s", strerror(errno));
	if (access("/dev/net/tun", R_OK | W_OK))
		SKIP("/dev/net/tun: %s", strerror(errno));
}

/* The host's kernel answers an ARP request for @addr. */
static void arp(struct end *e, const char *addr)
{
	u8 *eth = out + HDR, *a = eth + 14;

	memset(out, 0, 100);
	memcpy(eth, ALL, NET_MAC);
	memcpy(eth + NET_MAC, e->card.mac, NET_MAC);
	put16(eth + 12, 0x0806);
	put16(a, 1);
	put16(a + 2, 0x0800);
	a[4] = 6;
	a[5] = 4;
	put16(a + 6, 1);
	memcpy(a + 8, e->card.mac, NET_MAC);
	inet_pton(AF_INET, "10.1.1.2", a + 14);
	inet_pton(AF_INET, addr, a + 24);
	CHECK_EQ(send_len(e, HDR + 14 + 28), 0);
	do {
		frame(e);
	} while (get16(in + HDR + 12) != 0x0806 || get16(in + HDR + 14 + 6) != 2);
	CHECK(!memcmp(in + HDR, e->card.mac, NET_MAC));
}

TEST(tap_reaches_the_host)
{
	struct opt_err err;
	struct end e;

	network();
	plug(&e, "tap=t0,host_ip=10.1.1.1/24,guest_ip=10.1.1.2,gateway=10.1.1.1", "x");
	CHECK(if_nametoindex("t0"));
	CHECK_STR(e.guest.addr, "10.1.1.2/24");
	CHECK_STR(e.guest.gateway, "10.1.1.1");
	CHECK_EQ(e.card.mtu, 1500);
	arp(&e, "10.1.1.1");
	/* A machine that starts again. */
	net_detach(e.net, 0);
	net_reuse(e.net, &e.card, &ops, &e);
	CHECK_EQ(net_attach(e.net, 0, loop), 0);
	arp(&e, "10.1.1.1");
	unplug(&e);
	CHECK(!if_nametoindex("t0"));
	/* Nothing said: kvmtool's addresses. */
	plug(&e, "tap", "x");
	CHECK_STR(e.guest.addr, "192.168.33.15/24");
	arp(&e, "192.168.33.1");
	unplug(&e);
	CHECK(try(&e, "tap=lo", "x", &err));
	CHECK(strstr(err.text, "no tap device"));
	CHECK(try(&e, "tap=t1,bridge=none", "x", &err));
	CHECK(strstr(err.text, "no such bridge"));
	CHECK(try(&e, "tap=/dev/tap99", "x", &err));
	CHECK(try(&e, "tap,host_ip=10.1.1.1.1", "x", &err));
	CHECK(try(&e, "tap,fd=0", "x", &err));
	CHECK(try(&e, "tap=a-name-that-is-too-long", "x", &err));
}

TEST(tap_has_queues)
{
	struct opt_err err;
	struct end e, other;
	unsigned int i;

	network();
	plug(&e, "tap=t0,host_ip=10.1.1.1,queues=4", "x");
	CHECK_EQ(e.card.pairs, 4);
	/* One queue is in use, then all are, then one is. */
	for (i = 0; i < 8; i++)
		arp(&e, "10.1.1.1");
	net_set_pairs(e.net, 4);
	net_set_pairs(e.net, 1);
	for (i = 0; i < 8; i++)
		arp(&e, "10.1.1.1");
	CHECK(try(&other, "tap=t0", "y", &err) == 0);
	net_close(other.net);
	unplug(&e);
}

TEST(tap_link_ends)
{
	struct end e;

	network();
	plug(&e, "tap=t0", "x");
	arp(&e, "192.168.33.1");
	CHECK_EQ(system("PATH=$PATH:/sbin:/usr/sbin; ip link del t0"), 0);
	while (!e.down) {
		turn();
		frame_now(&e);
	}
	say(&e, ALL, "into nothing");
	unplug(&e);
}

static void script(const char *name, const char *text)
{
	scratch_file(name, text);
	chmod(scratch(name), 0755);
}

TEST(tap_scripts)
{
	char spec[300], text[400], byte;
	struct opt_err err;
	struct end e;
	int fd;

	network();
	snprintf(text, sizeof(text), "#!/bin/sh\necho $1 > %s\nPATH=$PATH:/sbin:/usr/sbin; ip addr add 10.1.1.1/24 dev $1; ip link set $1 up\n",
		 scratch("up.out"));
	script("up", text);
	mkfifo(scratch("down.out"), 0600);
	snprintf(text, sizeof(text), "#!/bin/sh\nif [ -e /sys/class/net/$1 ]; then echo $1; fi > %s\n", scratch("down.out"));
	script("down", text);
	snprintf(spec, sizeof(spec), "tap=t0,script=%s,downscript=%s", scratch("up"), scratch("down"));
	plug(&e, spec, "x");
	fd = open(scratch("up.out"), O_RDONLY);
	CHECK_EQ(read(fd, text, sizeof(text)), 3);
	CHECK(!memcmp(text, "t0\n", 3));
	arp(&e, "10.1.1.1");
	unplug(&e);
	/* Opening waits for the script that opens it to write. */
	fd = open(scratch("down.out"), O_RDONLY);
	CHECK(read(fd, &byte, 1) >= 0);
	script("fails", "#!/bin/sh\nexit 3\n");
	snprintf(spec, sizeof(spec), "tap=t0,script=%s", scratch("fails"));
	CHECK(try(&e, spec, "x", &err));
	CHECK(strstr(err.text, "status 3"));
	CHECK(try(&e, "tap=t0,script=/nowhere", "x", &err));
}

/* Peers of other programs: the test is one. */

static int peer_stream(const char *path, bool listens)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (listens) {
		CHECK_EQ(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
		CHECK_EQ(listen(fd, 4), 0);
	} else {
		CHECK_EQ(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	}
	return fd;
}

static void stream_say(int fd, const char *text)
{
	u8 data[128] = { 0 };
	size_t len = 14 + strlen(text) + 1;

	put32(data, len);
	memset(data + 4, 0xff, 6);
	strcpy((char *)data + 4 + 14, text);
	CHECK_EQ(send(fd, data, 4 + len, 0), 4 + len);
}

static void stream_hears(int fd, const char *text)
{
	u8 data[128];
	size_t len = 14 + strlen(text) + 1;

	CHECK_EQ(recv(fd, data, 4 + len, MSG_WAITALL), 4 + len);
	CHECK_EQ(get32(data), len);
	CHECK_STR((char *)data + 4 + 14, text);
}

TEST(stream_connects)
{
	char spec[200], path[128];
	struct opt_err err;
	unsigned int sent;
	struct end e;
	size_t got;
	int l, fd;

	snprintf(path, sizeof(path), "%s", scratch("peer"));
	snprintf(spec, sizeof(spec), "stream=%s,guest_ip=10.2.0.9/16", path);
	CHECK(try(&e, spec, "x", &err));
	CHECK(strstr(err.text, "nobody listens there"));
	l = peer_stream(path, true);
	plug(&e, spec, "x");
	CHECK_EQ(net_offloads(e.net), 0);
	CHECK_STR(e.guest.addr, "10.2.0.9/16");
	fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	say(&e, ALL, "to the peer");
	stream_hears(fd, "to the peer");
	/* Two at once, one in pieces. */
	stream_say(fd, "one");
	stream_say(fd, "two");
	hears(&e, "one");
	hears(&e, "two");
	CHECK_EQ(send(fd, "\0\0", 2, 0), 2);
	quiet(&e);
	CHECK_EQ(send(fd, "\0\x12\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0abc", 20, 0), 20);
	hears(&e, "abc");
	/* A peer that reads nothing stops the guest, and loses nothing. */
	memset(out, 0, HDR);
	for (sent = 0; send_len(&e, 60000) == 0; sent++)
		CHECK(sent < 1000);
	for (got = 0; got < sent * (60000 - HDR + 4); ) {
		ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);

		if (n > 0)
			got += n;
		turn();
	}
	CHECK_EQ(got, sent * (60000 - HDR + 4));
	CHECK(e.writable);
	say(&e, ALL, "again");
	stream_hears(fd, "again");
	/* A length that no frame has, and the carrier is gone. */
	CHECK_EQ(send(fd, "\xff\xff\xff\xff", 4, 0), 4);
	while (!e.down) {
		turn();
		frame_now(&e);
	}
	say(&e, ALL, "into nothing");
	unplug(&e);
	close(fd);
	close(l);
}

TEST(stream_listens)
{
	char spec[200], path[128];
	struct end e, other;
	struct opt_err err;
	int fd, i;

	snprintf(path, sizeof(path), "%s", scratch("mine"));
	snprintf(spec, sizeof(spec), "stream=%s,listen", path);
	plug(&e, spec, "x");
	e.down = !net_link(e.net);
	CHECK(e.down);
	CHECK(try(&other, spec, "y", &err));
	CHECK(strstr(err.text, "in use"));
	/* Peers come and go. */
	for (i = 0; i < 3; i++) {
		fd = peer_stream(path, false);
		stream_say(fd, "hello");
		hears(&e, "hello");
		CHECK(!e.down);
		say(&e, ALL, "and back");
		stream_hears(fd, "and back");
		close(fd);
		while (!e.down) {
			turn();
			frame_now(&e);
		}
	}
	unplug(&e);
	CHECK(access(path, F_OK) < 0);
	/* Of one that was killed the socket is left. */
	close(peer_stream(path, true));
	plug(&e, spec, "x");
	unplug(&e);
}

TEST(dgram_goes_both_ways)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX }, from;
	socklen_t len = sizeof(from);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char spec[300], text[64];
	struct opt_err err;
	struct end e;

	snprintf(spec, sizeof(spec), "dgram=%s", scratch("peer"));
	CHECK(try(&e, spec, "x", &err));
	CHECK(strstr(err.text, "nobody listens there"));
	strcpy(addr.sun_path, scratch("peer"));
	CHECK_EQ(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	plug(&e, spec, "x");
	say(&e, ALL, "to the peer");
	CHECK_EQ(recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &len), 26);
	CHECK_STR(text + 14, "to the peer");
	CHECK_EQ(sendto(fd, text, 26, 0, (struct sockaddr *)&from, len), 26);
	hears(&e, "to the peer");
	/* Too short, and too long: no frames. */
	CHECK_EQ(sendto(fd, text, 5, 0, (struct sockaddr *)&from, len), 5);
	CHECK_EQ(sendto(fd, out, sizeof(out), 0, (struct sockaddr *)&from, len), sizeof(out));
	quiet(&e);
	/* The peer is gone: nothing but frames is lost. */
	close(fd);
	say(&e, ALL, "into nothing");
	quiet(&e);
	say(&e, ALL, "into nothing");
	unplug(&e);
	snprintf(spec, sizeof(spec), "dgram=%s,local=%s", scratch("peer2"), scratch("local"));
	strcpy(addr.sun_path, scratch("peer2"));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	plug(&e, spec, "x");
	CHECK_EQ(access(scratch("local"), F_OK), 0);
	unplug(&e);
	CHECK(access(scratch("local"), F_OK) < 0);
	close(fd);
}

/* Debian's passt at the other end answers ARP for every address but the guest's. */
TEST(stream_speaks_with_passt)
{
	char spec[200], path[128];
	struct opt_err err;
	struct end e;
	int status;
	pid_t pid;

	if (system("command -v passt > /dev/null"))
		SKIP("passt is not installed");
	snprintf(path, sizeof(path), "%s", scratch("passt"));
	snprintf(spec, sizeof(spec), "stream=%s", path);
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		if (geteuid())
			execlp("passt", "passt", "-f", "-1", "-s", path, NULL);
		execlp("passt", "passt", "-f", "-1", "-s", path, "--runas", "0", NULL);
		_exit(127);
	}
	/* It listens when it is there, or has ended, as where it has no network to look like. */
	while (try(&e, spec, "x", &err)) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			SKIP("passt does not start here");
		sched_yield();
	}
	CHECK_EQ(loop_new(&loop, NULL), 0);
	CHECK_EQ(net_attach(e.net, 0, loop), 0);
	arp(&e, "10.1.1.77");
	/* -1: it ends with its connection. */
	unplug(&e);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
}
