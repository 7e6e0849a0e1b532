// SPDX-License-Identifier: GPL-2.0
/*
 * net_tap SPEC -- COMMAND ...: run a command in a network namespace of its own whose
 * only card is a tap device with the wire SPEC (kvm/net.h) at its other end. So the
 * host's own TCP, ping and curl are the guest of the user-mode network, without a
 * guest. Needs root, or a user namespace in which it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/net.h>
#include <kvm/opt.h>

struct tap {
	int fd;
	struct watch watch, signal;
	struct net *net;
	struct loop *loop;
	bool full;			/* the tap takes no more now */
	pid_t child;
	int status;
};

static char frame[NET_FRAME_MAX], back[NET_FRAME_MAX];

static void fail(const char *what)
{
	fprintf(stderr, "net_tap: %s: %s\n", what, strerror(errno));
	exit(125);
}

/* To the namespace. */
static void tap_push(struct tap *t)
{
	while (!t->full && net_pending(t->net, 0)) {
		struct iovec iov = { .iov_base = back, .iov_len = sizeof(back) };
		struct iov_iter i;
		ssize_t n;

		iov_iter_init(&i, &iov, 1);
		n = net_receive(t->net, 0, &i);
		if (n < 0)
			break;
		if (write(t->fd, back, n) < 0 && errno != EINVAL && errno != EIO)
			break;
	}
}

static void tap_readable(void *obj, unsigned int pair)
{
	tap_push(obj);
}

static void tap_event(struct watch *w, u32 events)
{
	struct tap *t = container_of(w, struct tap, watch);
	ssize_t n;
	int i;

	for (i = 0; i < 64; i++) {
		struct iovec iov = { .iov_base = frame };
		struct iov_iter it;

		n = read(t->fd, frame, sizeof(frame));
		if (n <= 0)
			break;
		iov.iov_len = n;
		iov_iter_init(&it, &iov, 1);
		net_send(t->net, 0, &it);
	}
	tap_push(t);
}

static void child_event(struct watch *w, u32 events)
{
	struct tap *t = container_of(w, struct tap, signal);
	struct signalfd_siginfo info;

	if (read(w->fd, &info, sizeof(info)) < 0 || waitpid(t->child, &t->status, WNOHANG) != t->child)
		return;
	loop_stop(t->loop);
}

static void tap_open(struct tap *t, int *ns)
{
	int old = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), size = sizeof(struct net_hdr);
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	if (unshare(CLONE_NEWNET) < 0)
		fail("a network namespace");
	*ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	t->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	strcpy(ifr.ifr_name, "eth0");
	if (t->fd < 0 || ioctl(t->fd, TUNSETIFF, &ifr) < 0 || ioctl(t->fd, TUNSETVNETHDRSZ, &size) < 0 ||
	    ioctl(t->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0)
		fail("/dev/net/tun");
	if (setns(old, CLONE_NEWNET) < 0)
		fail("setns");
	close(old);
}

static void run(char **argv, int ns, unsigned int mtu)
{
	char set[512];

	if (setns(ns, CLONE_NEWNET) < 0)
		fail("setns");
	snprintf(set, sizeof(set), "PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && ip link set eth0 mtu %u up txqueuelen 10000 && "
		 "ip addr add 192.168.33.15/24 dev eth0 && ip route add default via 192.168.33.1 && "
		 "ip -6 addr add fd00:6c6b:766d:33::15/64 dev eth0 nodad && ip -6 route add default via fe80::1 dev eth0", mtu);
	if (system(set))
		fail("ip");
	execvp(argv[0], argv);
	fail(argv[0]);
}

int main(int argc, char **argv)
{
	static const struct net_ops ops = { .readable = tap_readable };
	struct net_card card = { .mac = { 2, 0x15, 0x15, 0x15, 0x15, 0x15 } };
	struct tap t = { .watch.fn = tap_event, .signal.fn = child_event };
	struct opt_err err;
	sigset_t set, old;
	int ns;

	if (argc < 4 || strcmp(argv[2], "--")) {
		fprintf(stderr, "usage: net_tap SPEC -- COMMAND ...\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	tap_open(&t, &ns);
	if (net_open(&t.net, argv[1], &card, &ops, &t, &err)) {
		fprintf(stderr, "net_tap: %s\n", err.text);
		return 125;
	}
	net_set_offloads(t.net, net_offloads(t.net));
	t.child = fork();
	if (!t.child) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		run(argv + 3, ns, card.mtu);
	}
	close(ns);
	if (loop_new(&t.loop, NULL))
		fail("loop");
	t.watch.fd = t.fd;
	t.signal.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop_add(t.loop, &t.watch, EPOLLIN) || loop_add(t.loop, &t.signal, EPOLLIN) || net_attach(t.net, 0, t.loop))
		fail("loop");
	loop_run(t.loop);
	net_detach(t.net, 0);
	net_close(t.net);
	loop_free(t.loop);
	return WIFEXITED(t.status) ? WEXITSTATUS(t.status) : 128 + WTERMSIG(t.status);
}
