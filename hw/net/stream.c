// SPDX-License-Identifier: GPL-2.0
/*
 * Frames through a unix stream socket, each after its length in four bytes in network order:
 * what QEMU's "-netdev stream" and passt speak. Frames are plain Ethernet, so the guest
 * leaves nothing undone. lkvm connects when it is configured; with listen it lets
 * one peer at a time connect, also later.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>

#include "frame.h"
#include "packet.h"

#define PREFIX		4
#define HDR		sizeof(struct net_hdr)
#define STREAM_FRAME	(NET_FRAME_MAX - HDR)
/* Frames that nobody can want, in a row, before others of the loop have their turn. */
#define STREAM_BATCH	64

struct stream {
	struct net net;
	struct packet_guest guest;
	const char *path;
	bool listens;
	int mtu;

	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	bool bound;
	struct watch listen;		/* fd -1: none */
	struct watch watch;		/* the peer; fd -1: none */
	struct timer again;
	struct loop *loop;		/* while attached */
	bool ready;			/* there may be something to read */
	struct net_inbox inbox;
	u8 *in, *out;			/* PREFIX + STREAM_FRAME each: what has come; what is not taken */
	size_t in_len, out_head, out_len;
};

static struct stream *stream_of(struct net *n)
{
	return container_of(n, struct stream, net);
}

/* The peer */

static void stream_disconnect(struct stream *s)
{
	if (s->watch.fd < 0)
		return;
	if (s->loop)
		loop_del(s->loop, &s->watch);
	close(s->watch.fd);
	s->watch.fd = -1;
	s->in_len = s->out_len = 0;
	net_link_set(&s->net, false);
}

static void stream_flush(struct stream *s)
{
	ssize_t n = s->out_len ? send(s->watch.fd, s->out + s->out_head, s->out_len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

	if (n > 0) {
		s->out_head += n;
		s->out_len -= n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		s->out_len = 0;		/* reading says that it is gone */
	}
}

static void stream_readable(struct stream *s)
{
	if (s->net.ops->readable)
		s->net.ops->readable(s->net.obj, 0);
}

static void stream_event(struct watch *w, u32 events)
{
	struct stream *s = container_of(w, struct stream, watch);
	bool full = s->out_len;

	if ((events & EPOLLOUT) && full) {
		stream_flush(s);
		if (!s->out_len && s->net.ops->writable)
			s->net.ops->writable(s->net.obj, 0);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		s->ready = true;
		stream_readable(s);
	}
}

static void stream_again(struct timer *t)
{
	stream_readable(container_of(t, struct stream, again));
}

static void stream_connected(struct stream *s, int fd)
{
	s->watch.fd = fd;
	s->ready = true;
	if (!loop_add(s->loop, &s->watch, EPOLLIN | EPOLLOUT | EPOLLET)) {
		net_link_set(&s->net, true);
		return;
	}
	close(fd);
	s->watch.fd = -1;
}

/* Edge-triggered: without a free descriptor a connection waits, and the loop does not spin. */
static void stream_accept(struct watch *w, u32 events)
{
	struct stream *s = container_of(w, struct stream, listen);
	char byte;
	int fd;

	while ((fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		/* The end of the peer before may not have been read yet. */
		if (s->watch.fd >= 0 && !recv(s->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT))
			stream_disconnect(s);
		if (s->watch.fd >= 0)
			close(fd);		/* it has one */
		else
			stream_connected(s, fd);
	}
}

/* To the guest */

/* False: nothing has come, or the peer is gone. */
static bool stream_read(struct stream *s)
{
	ssize_t n;

	if (s->watch.fd < 0 || !s->ready)
		return false;
	n = recv(s->watch.fd, s->in + s->in_len, PREFIX + STREAM_FRAME - s->in_len, MSG_DONTWAIT);
	if (n > 0) {
		s->in_len += n;
		return true;
	}
	s->ready = false;
	if (!n || (errno != EAGAIN && errno != EINTR))
		stream_disconnect(s);
	return false;
}

/* The next whole frame is taken from @in, into the inbox if it is good. False: there is none yet. */
static bool stream_take(struct stream *s)
{
	size_t len;

	if (s->in_len < PREFIX)
		return false;
	len = get32(s->in);
	if (!len || len > STREAM_FRAME) {
		/* Where the next one begins is not to be known any more. */
		stream_disconnect(s);
		return false;
	}
	if (s->in_len < PREFIX + len)
		return false;
	memcpy(s->inbox.frame + HDR, s->in + PREFIX, len);
	net_inbox_put_plain(&s->inbox, len);
	s->in_len -= PREFIX + len;
	memmove(s->in, s->in + PREFIX + len, s->in_len);
	return true;
}

static size_t stream_pending(struct net *n, unsigned int pair)
{
	struct stream *s = stream_of(n);
	unsigned int i;

	for (i = 0; !net_inbox_pending(&s->inbox) && i < STREAM_BATCH; i++)
		if (!stream_take(s) && !stream_read(s))
			return 0;
	if (!net_inbox_pending(&s->inbox) && s->loop)
		loop_timer(s->loop, &s->again, loop_now());
	return net_inbox_pending(&s->inbox);
}

static ssize_t stream_receive(struct net *n, unsigned int pair, struct iov_iter *in)
{
	return stream_pending(n, pair) ? net_inbox_receive(&stream_of(n)->inbox, in) : -EAGAIN;
}

/* From the guest */

static int stream_send(struct net *n, unsigned int pair, struct iov_iter *out)
{
	struct stream *s = stream_of(n);
	size_t len = iov_iter_count(out);

	if (len < HDR + ETH_HEADER || len > NET_FRAME_MAX)
		return -EINVAL;
	if (s->watch.fd < 0)
		return 0;
	if (s->out_len)
		return -EAGAIN;
	iov_iter_advance(out, HDR);
	put32(s->out, len - HDR);
	copy_from_iter(s->out + PREFIX, len - HDR, out);
	s->out_head = 0;
	s->out_len = PREFIX + len - HDR;
	stream_flush(s);
	return 0;
}

/* Start and stop */

static int stream_attach(struct net *n, unsigned int pair, struct loop *loop)
{
	struct stream *s = stream_of(n);
	int ret = 0;

	if (s->listen.fd >= 0)
		ret = loop_add(loop, &s->listen, EPOLLIN | EPOLLET);
	if (!ret && s->watch.fd >= 0)
		ret = loop_add(loop, &s->watch, EPOLLIN | EPOLLOUT | EPOLLET);
	if (ret && s->listen.fd >= 0)
		loop_del(loop, &s->listen);
	if (!ret)
		s->loop = loop;
	return ret;
}

static void stream_detach(struct net *n, unsigned int pair)
{
	struct stream *s = stream_of(n);

	if (s->listen.fd >= 0)
		loop_del(s->loop, &s->listen);
	if (s->watch.fd >= 0)
		loop_del(s->loop, &s->watch);
	loop_timer_cancel(s->loop, &s->again);
	net_inbox_drop(&s->inbox);
	s->loop = NULL;
}

/* Creation */

static int stream_listen(struct stream *s, const struct sockaddr_un *addr, int fd, struct opt_err *err)
{
	int ret = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	struct stat st;

	/* A socket that nobody listens at is left from one who was killed. Any other file refuses as well: unix(7). */
	if (ret < 0 && errno == EADDRINUSE && !lstat(s->path, &st) && S_ISSOCK(st.st_mode) &&
	    connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 && errno == ECONNREFUSED && !unlink(s->path))
		ret = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	s->listen.fd = fd;
	if (ret < 0)
		return net_bad(err, -EADDRINUSE, "stream=%s: the socket is in use, or cannot be made there", s->path);
	s->bound = true;
	if (chmod(s->path, 0600) < 0 || listen(fd, 1) < 0)
		return net_bad(err, -errno, "stream=%s: %m", s->path);
	/* There is no card yet that could be told. */
	atomic_store(&s->net.cut, true);
	return 0;
}

static int stream_check(struct net *n, struct net_guest *out, struct opt_err *err)
{
	struct stream *s = stream_of(n);

	if (!s->path || !*s->path)
		return net_bad(err, -EINVAL, "which socket? -n stream=PATH");
	if (strlen(s->path) >= sizeof(s->dir))
		return net_bad(err, -EINVAL, "stream=%s: the path is longer than %zu bytes", s->path, sizeof(s->dir) - 1);
	return packet_guest_describe(&s->guest, out, err);
}

static int stream_open(struct net *n, struct net_card *card, struct opt_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stream *s = stream_of(n);
	struct net_guest ignored;
	int fd, ret = stream_check(n, &ignored, err);
	char *slash;

	s->listen = (struct watch) { .fd = -1, .fn = stream_accept };
	s->watch = (struct watch) { .fd = -1, .fn = stream_event };
	s->again.fn = stream_again;
	if (ret)
		return ret;
	card->mtu = s->mtu ? s->mtu : card->mtu ? card->mtu : PACKET_MTU;
	strcpy(addr.sun_path, s->path);
	strcpy(s->dir, s->path);
	slash = strrchr(s->dir, '/');
	strcpy(slash ? slash + (slash == s->dir) : s->dir, slash ? "" : ".");
	s->in = malloc(PREFIX + STREAM_FRAME);
	s->out = malloc(PREFIX + STREAM_FRAME);
	if (!s->in || !s->out || net_inbox_new(&s->inbox))
		return net_bad(err, -ENOMEM, "out of memory");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return net_bad(err, -errno, "stream=%s: %m", s->path);
	if (s->listens)
		return stream_listen(s, &addr, fd, err);
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		s->watch.fd = fd;
		s->ready = true;
		return 0;
	}
	ret = -errno;
	close(fd);
	return net_bad(err, ret, ret == -ENOENT || ret == -ECONNREFUSED ?
		       "stream=%s: nobody listens there: start the peer first, or add listen" : "stream=%s: %s",
		       s->path, log_reason(ret));
}

static void stream_close(struct net *n)
{
	struct stream *s = stream_of(n);

	/* Before open() there are no buffers, and descriptor 0 is not its. */
	if (s->in) {
		n->ops = NULL;
		stream_disconnect(s);
		if (s->bound)
			unlink(s->path);
		if (s->listen.fd >= 0)
			close(s->listen.fd);
	}
	net_inbox_free(&s->inbox);
	free(s->in);
	free(s->out);
}

static void stream_reuse(struct net *n, struct net_card *card)
{
	struct stream *s = stream_of(n);

	card->mtu = s->mtu ? s->mtu : card->mtu ? card->mtu : PACKET_MTU;
}

static const char *stream_removes(const struct net *n)
{
	const struct stream *s = container_of(n, struct stream, net);

	return s->bound ? s->dir : NULL;
}

static void stream_set_offloads(struct net *n, u32 offloads)
{
}

static const struct opt stream_opts[] = {
	OPT_STR_FIRST("path", struct stream, path, "PATH", "of the unix socket of the peer"),
	OPT_BOOL(0, "listen", struct stream, listens, "the socket is made, and the peer connects, again and again"),
	OPT_TABLE(packet_guest_opts, struct packet_guest, struct stream, guest),
	OPT_INT(0, "mtu", struct stream, mtu, NET_MTU_MIN, NET_MTU_MAX, "N", "bytes of a packet (default: 1500)"),
	OPT_END
};

const struct net_type net_stream = {
	.name = "stream",
	.help = "frames through a unix stream socket: passt, QEMU's -netdev stream",
	.opts = stream_opts,
	.size = sizeof(struct stream),
	.open = stream_open,
	.close = stream_close,
	.describe = stream_check,
	.reuse = stream_reuse,
	.removes = stream_removes,
	.attach = stream_attach,
	.detach = stream_detach,
	.set_offloads = stream_set_offloads,
	.pending = stream_pending,
	.receive = stream_receive,
	.send = stream_send,
};
