// SPDX-License-Identifier: GPL-2.0
/*
 * Frames of a hostile guest into the user-mode network. The input is a list of
 * frames, each a length and so many bytes; the guest takes what comes back. The first
 * byte of a frame chooses how much of its headers is made right, so that what lies
 * behind them is reached. Nothing leaves the process: the network is restricted.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/net.h>
#include <kvm/opt.h>

#include "../../hw/net/user/tcp.h"

#define HDR	sizeof(struct net_hdr)

static const struct net_ops ops = { .readable = NULL };

static u8 frame[2048], back[NET_FRAME_MAX];

/* Ethernet and IP headers that are right around what the fuzzer says. */
static void mend(struct user *u, u8 how, size_t len)
{
	u8 *eth = frame + HDR, *ip = eth + ETH_HEADER;

	if (len < HDR + ETH_HEADER + 20)
		return;
	if (how & 1)
		memcpy(eth, u->host_mac, NET_MAC);
	if (how & 2)
		put16(eth + 12, how & 4 ? 0x86dd : how & 8 ? 0x0806 : 0x0800);
	if (how & 16)
		frame[0] = NET_CSUM;
	if ((how & 32) && !(how & 4)) {
		ip[0] = 0x45;
		put16(ip + 2, len - HDR - ETH_HEADER);
		put16(ip + 6, 0);
		memcpy(ip + 12, &u->guest_ip, 4);
		if (how & 64)
			memcpy(ip + 16, &u->host_ip, 4);
		put16(ip + 10, 0);
		put16(ip + 10, sum_fold(sum_add(0, ip, 20)));
	}
}

static void drain(struct net *net)
{
	unsigned int n;

	for (n = 0; n < 100 && net_pending(net, 0); n++) {
		struct iovec iov = { .iov_base = back, .iov_len = sizeof(back) };
		struct iov_iter i;

		iov_iter_init(&i, &iov, 1);
		if (net_receive(net, 0, &i) < 0)
			break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct net_card card = { .mac = { 2, 0x15, 0x15, 0x15, 0x15, 0x15 } };
	struct flow flow = { .guest_port = 22, .host_port = 40000 };
	struct opt_err err;
	struct loop *loop;
	struct net *net;
	struct user *u;
	int pair[2];

	if (net_open(&net, "user,restrict", &card, &ops, NULL, &err) || loop_new(&loop, NULL))
		abort();
	net_attach(net, 0, loop);
	u = container_of(net, struct user, net);
	net_set_offloads(net, size & 1 ? net_offloads(net) : 0);
	/* A connection that came in, for the fuzzer to answer. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		abort();
	flow.guest = u->guest4;
	flow.host = u->host4;
	tcp_accepted(u, pair[0], &flow);
	while (size > 3) {
		size_t len = min((size_t)((data[1] << 8 | data[2]) % sizeof(frame)), size - 3);
		struct iovec iov = { .iov_base = frame, .iov_len = len };
		struct iov_iter i;

		memcpy(frame, data + 3, len);
		mend(u, data[0], len);
		iov_iter_init(&i, &iov, 1);
		net_send(net, 0, &i);
		drain(net);
		data += 3 + len;
		size -= 3 + len;
	}
	net_detach(net, 0);
	net_close(net);
	loop_free(loop);
	close(pair[1]);
	return 0;
}
