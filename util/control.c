// SPDX-License-Identifier: GPL-2.0
/*
 * Control sockets: see kvm/control.h. The server runs on the loop that it is
 * attached to. It trusts nobody but root and its own user, holds a bounded
 * number of connections with a bounded line each, and never waits for a peer:
 * one that does not read its replies is dropped.
 *
 * A socket file outlives a process that was killed. connect() tells whether its machine
 * is alive. Testing, replacing and removing a socket happen under a lock on the
 * directory. Otherwise two processes that find the same stale socket could remove each
 * other's new one.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/control.h>
#include <kvm/user_dir.h>

#include "control_fds.h"

#define CONTROL_SUFFIX	".sock"
#define CONTROL_WHAT	"the control sockets"

struct peer {
	struct control *control;
	struct watch watch;		/* fd -1: free */
	char *line;			/* CONTROL_LINE_MAX bytes, while there is a connection */
	size_t len;
	struct control_fds fds;		/* of the request that is not complete yet */
	u32 later;			/* the request that is answered later, or 0: see control_later() */
};

struct control {
	void *obj;
	struct loop *loop;		/* while attached */
	const struct control_verb *verbs;
	struct watch listen;
	struct peer peer[CONTROL_PEERS_MAX];
	struct sockaddr_un addr;
	u32 later;			/* the last number of control_later() */
};

static int control_err(struct opt_err *err, int ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int control_err(struct opt_err *err, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return ret;
}

static void control_clean(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '.';
}

void control_value(struct control_reply *reply, const char *key, const char *fmt, ...)
{
	size_t room = sizeof(reply->values) - reply->len;
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	control_clean(text);
	n = snprintf(reply->values + reply->len, room, "%s=%s\n", key, text);
	if (n > 0 && (size_t)n < room)
		reply->len += n;
	else
		reply->values[reply->len] = '\0';
}

int control_refuse(struct control_reply *reply, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reply->err.text, sizeof(reply->err.text), fmt, ap);
	va_end(ap);
	return err;
}

/* Names and places */

static int control_addr(struct sockaddr_un *addr, const char *dir, const char *name,
			struct opt_err *err)
{
	int n;

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%s" CONTROL_SUFFIX, dir, name);
	if ((size_t)n < sizeof(addr->sun_path))
		return 0;
	return control_err(err, -ENAMETOOLONG, "the name is too long: a socket in %s has room for %zu bytes",
			   dir, sizeof(addr->sun_path) - strlen(dir) - sizeof("/" CONTROL_SUFFIX));
}

/* A connected socket, or -errno: -ECONNREFUSED is a ghost. Never waits for the other side. */
static int control_dial(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ret;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/* Sockets of debuggers that a machine that was killed has left (hw/debug/gdb.c, qmp.c). */
static void control_remove_beside(const struct sockaddr_un *addr)
{
	static const char *const ends[] = { ".gdb", ".qmp" };
	struct sockaddr_un beside = *addr;
	size_t len = strlen(addr->sun_path) - strlen(CONTROL_SUFFIX);
	struct stat st;

	for (unsigned int i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(beside.sun_path + len, sizeof(beside.sun_path) - len, "%s", ends[i]);
		if (!lstat(beside.sun_path, &st) && S_ISSOCK(st.st_mode))
			unlink(beside.sun_path);
	}
}

/*
 * Whether a machine lives at @addr; a ghost is removed. The directory is
 * locked. Returns -ENOENT if there is nothing (any more), 0 if it lives.
 */
static int control_probe(const struct sockaddr_un *addr)
{
	int fd = control_dial(addr);
	struct stat st;

	if (fd >= 0)
		close(fd);
	/* Too many connections at once: the machine is alive. */
	if (fd >= 0 || fd == -EAGAIN)
		return 0;
	if (fd != -ECONNREFUSED)
		return fd;
	if (lstat(addr->sun_path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	if (unlink(addr->sun_path) < 0)
		return -errno;
	control_remove_beside(addr);
	return -ENOENT;
}

/* The server */

static void peer_free(struct peer *p)
{
	struct control *c = p->control;

	if (c->loop)
		loop_del(c->loop, &p->watch);
	close(p->watch.fd);
	p->watch.fd = -1;
	free(p->line);
	p->line = NULL;
	p->len = 0;
	p->later = 0;
	control_fds_close(&p->fds);
	/* Somebody may wait for a descriptor: look again. */
	if (c->loop && !loop_mod(c->loop, &c->listen, 0))
		loop_mod(c->loop, &c->listen, EPOLLIN | EPOLLET);
}

/* False if the peer does not take it. */
static bool peer_send(int fd, const char *text, size_t len)
{
	return send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

static void peer_help(const struct control *c, struct control_reply *reply)
{
	const struct control_verb *v;

	for (v = c->verbs; v->verb; v++)
		control_value(reply, v->verb, "%s", v->help);
}

/* Call @v with the descriptors that have come; those that it does not take are closed. */
static int peer_call(struct peer *p, const struct control_verb *v, const char *arg,
		     struct control_reply *reply)
{
	int ret = control_fds_check(v, &p->fds, &reply->err);
	unsigned int i;

	if (ret)
		return ret;
	reply->nr_fds = p->fds.nr;
	p->fds.nr = 0;
	memcpy(reply->fd, p->fds.fd, reply->nr_fds * sizeof(*reply->fd));
	ret = v->fn(p->control->obj, arg, reply);
	for (i = 0; i < reply->nr_fds; i++)
		if (reply->fd[i] >= 0)
			close(reply->fd[i]);
	return ret;
}

/* Serve one request. False if the connection is to end. */
static bool peer_serve(struct peer *p, char *line)
{
	struct control *c = p->control;
	const struct control_verb *v;
	struct control_reply reply = { .len = 0 };
	char text[CONTROL_REPLY_MAX], *arg;
	int ret, n;

	line[strcspn(line, "\r")] = '\0';
	arg = line + strcspn(line, " ");
	if (*arg)
		*arg++ = '\0';
	for (v = c->verbs; v->verb && strcmp(v->verb, line); v++)
		;
	if (v->verb)
		ret = peer_call(p, v, arg, &reply);
	else if (!strcmp(line, "help"))
		peer_help(c, &reply), ret = 0;
	else
		ret = control_refuse(&reply, -EINVAL, "there is no verb \"%.32s\", \"help\" lists them", line);
	control_fds_close(&p->fds);
	if (!ret && reply.later) {
		p->later = reply.later;
		return !loop_mod(c->loop, &p->watch, 0);
	}
	control_clean(reply.err.text);
	if (ret)
		n = snprintf(text, sizeof(text), "error: %s\n", reply.err.text);
	else
		n = snprintf(text, sizeof(text), "%sok\n", reply.values);
	return peer_send(p->watch.fd, text, n);
}

/* The whole lines that have come. */
static void peer_lines(struct peer *p)
{
	static const char too_long[] = "error: the line is too long\n";
	char *lf;

	while (!p->later && (lf = memchr(p->line, '\n', p->len))) {
		size_t used = lf + 1 - p->line;

		*lf = '\0';
		if (!peer_serve(p, p->line)) {
			peer_free(p);
			return;
		}
		p->len -= used;
		memmove(p->line, p->line + used, p->len);
	}
	if (!p->later && p->len == CONTROL_LINE_MAX) {
		peer_send(p->watch.fd, too_long, sizeof(too_long) - 1);
		peer_free(p);
	}
}

u32 control_later(struct control *c, struct control_reply *reply)
{
	if (!++c->later)
		c->later++;
	reply->later = c->later;
	return reply->later;
}

void control_finish(struct control *c, u32 id, const char *why)
{
	char text[sizeof(struct opt_err) + 16] = "ok\n";
	struct peer *p = c->peer, *end = c->peer + CONTROL_PEERS_MAX;
	int n = 3;

	while (p < end && (p->watch.fd < 0 || p->later != id))
		p++;
	if (p == end)
		return;
	if (why) {
		n = snprintf(text, sizeof(text), "error: %.500s", why);
		control_clean(text);
		n += snprintf(text + n, sizeof(text) - n, "\n");
	}
	p->later = 0;
	if (!peer_send(p->watch.fd, text, n) || loop_mod(c->loop, &p->watch, EPOLLIN))
		peer_free(p);
	else
		peer_lines(p);
}

static void peer_event(struct watch *w, u32 events)
{
	struct peer *p = container_of(w, struct peer, watch);
	static const char too_many[] = "error: too many descriptors\n";
	ssize_t n;

	n = control_fds_recv(w->fd, p->line + p->len, CONTROL_LINE_MAX - p->len, &p->fds);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n == -E2BIG)
		peer_send(w->fd, too_many, sizeof(too_many) - 1);
	if (n <= 0) {
		peer_free(p);
		return;
	}
	p->len += n;
	peer_lines(p);
}

static bool control_trusts(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) &&
	       (cred.uid == geteuid() || !cred.uid);
}

static void control_welcome(struct control *c, int fd)
{
	static const char stranger[] = "error: this machine belongs to another user\n";
	static const char busy[] = "error: too many connections\n";
	struct peer *p = c->peer, *end = c->peer + CONTROL_PEERS_MAX;

	if (!control_trusts(fd)) {
		peer_send(fd, stranger, sizeof(stranger) - 1);
		close(fd);
		return;
	}
	while (p < end && p->watch.fd >= 0)
		p++;
	if (p < end)
		p->line = malloc(CONTROL_LINE_MAX);
	if (p == end || !p->line) {
		peer_send(fd, busy, sizeof(busy) - 1);
		close(fd);
		return;
	}
	p->watch.fd = fd;
	if (loop_add(c->loop, &p->watch, EPOLLIN))
		peer_free(p);
}

/* Edge-triggered: without a free descriptor a connection waits, and the loop does not spin. */
static void control_accept(struct watch *w, u32 events)
{
	struct control *c = container_of(w, struct control, listen);
	int fd;

	while ((fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		control_welcome(c, fd);
}

int control_attach(struct control *c, struct loop *loop, const struct control_verb *verbs)
{
	struct peer *p;
	int ret;

	ret = loop_add(loop, &c->listen, EPOLLIN | EPOLLET);
	if (ret)
		return ret;
	c->loop = loop;
	c->verbs = verbs;
	for (p = c->peer; p < c->peer + CONTROL_PEERS_MAX; p++)
		if (p->watch.fd >= 0 && loop_add(loop, &p->watch, EPOLLIN))
			peer_free(p);
	return 0;
}

void control_detach(struct control *c)
{
	struct peer *p;

	if (!c->loop)
		return;
	loop_del(c->loop, &c->listen);
	for (p = c->peer; p < c->peer + CONTROL_PEERS_MAX; p++)
		if (p->watch.fd >= 0)
			loop_del(c->loop, &p->watch);
	c->loop = NULL;
}

static int control_listen(struct control *c, const char *name, struct opt_err *err)
{
	int fd, ret = control_probe(&c->addr);

	if (!ret)
		return control_err(err, -EADDRINUSE,
			"a machine called \"%s\" is running: choose another --name, or end it (lkvm stop %s)",
			name, name);
	if (ret != -ENOENT)
		return control_err(err, ret, "%s: %s", c->addr.sun_path, strerror(-ret));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return control_err(err, -errno, "control socket: %s", strerror(errno));
	c->listen.fd = fd;
	/* The directory is closed to others, so what umask does until chmod() harms nobody. */
	if (bind(fd, (struct sockaddr *)&c->addr, sizeof(c->addr)) < 0 ||
	    chmod(c->addr.sun_path, 0600) < 0 || listen(fd, 2 * CONTROL_PEERS_MAX) < 0) {
		ret = -errno;
		return control_err(err, ret, "%s: %s", c->addr.sun_path, strerror(-ret));
	}
	return 0;
}

int control_open(struct control **out, const char *name, void *obj, struct opt_err *err)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct control *c;
	int dirfd, ret;

	ret = user_dir_name(name, "a machine", err);
	if (ret)
		return ret;
	dirfd = user_dir_open(dir, sizeof(dir), true, CONTROL_WHAT, err);
	if (dirfd < 0)
		return dirfd;
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(dirfd);
		return control_err(err, -ENOMEM, "control socket: out of memory");
	}
	c->obj = obj;
	c->listen = (struct watch) { .fd = -1, .fn = control_accept };
	for (unsigned int i = 0; i < CONTROL_PEERS_MAX; i++) {
		c->peer[i].control = c;
		c->peer[i].watch = (struct watch) { .fd = -1, .fn = peer_event };
	}
	ret = control_addr(&c->addr, dir, name, err);
	if (!ret && flock(dirfd, LOCK_EX) < 0)
		ret = control_err(err, -errno, "%s: %s", dir, strerror(errno));
	if (!ret)
		ret = control_listen(c, name, err);
	close(dirfd);
	if (ret) {
		if (c->listen.fd >= 0)
			close(c->listen.fd);
		free(c);
		return ret;
	}
	*out = c;
	return 0;
}

void control_close(struct control *c)
{
	struct peer *p;

	if (!c)
		return;
	control_detach(c);
	/* First the name: a process that waits for the end of the connection may reuse it at once. */
	unlink(c->addr.sun_path);
	close(c->listen.fd);
	for (p = c->peer; p < c->peer + CONTROL_PEERS_MAX; p++)
		if (p->watch.fd >= 0)
			peer_free(p);
	free(c);
}

const char *control_path(const struct control *c)
{
	return c->addr.sun_path;
}

/* The client */

int control_connect(const char *name, struct opt_err *err)
{
	struct sockaddr_un addr;
	char dir[sizeof(addr.sun_path)];
	int dirfd, ret;

	ret = user_dir_name(name, "a machine", err);
	if (ret)
		return ret;
	dirfd = user_dir_open(dir, sizeof(dir), false, CONTROL_WHAT, err);
	if (dirfd < 0 && dirfd != -ENOENT)
		return dirfd;
	if (dirfd < 0) {
		ret = -ENOENT;
	} else {
		close(dirfd);
		ret = control_addr(&addr, dir, name, err);
		if (ret)
			return ret;
		ret = control_dial(&addr);
	}
	if (ret == -ENOENT || ret == -ECONNREFUSED)
		return control_err(err, -ENOENT, "there is no machine called \"%s\", 'lkvm list' shows those there are",
				   name);
	if (ret < 0)
		return control_err(err, ret, "%s: %s", name, strerror(-ret));
	return ret;
}

void control_ask(int fd, const char *line, const int *fds, unsigned int nr)
{
	char text[CONTROL_LINE_MAX + 1];
	int n = snprintf(text, sizeof(text), "%s\n", line);

	/* It may have closed already, and have said why. It refuses a line that is too long. */
	control_fds_send(fd, text, min(n, (int)sizeof(text) - 1), fds, nr);
}

int control_answer(int fd, u64 deadline, char *values, size_t len, struct opt_err *err)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char text[CONTROL_REPLY_MAX + 1], *last;
	size_t got = 0;
	ssize_t n;

	do {
		u64 now = loop_now();

		if (poll(&pfd, 1, deadline > now ? (deadline - now) / 1000000 + 1 : 0) <= 0)
			return control_err(err, -ETIMEDOUT, "it does not answer");
		n = recv(fd, text + got, sizeof(text) - 1 - got, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return control_err(err, -EPIPE, "it has just ended");
		got += n;
		text[got] = '\0';
		if (text[got - 1] != '\n')
			continue;
		text[got - 1] = '\0';
		last = strrchr(text, '\n');
		last = last ? last + 1 : text;
		if (!strcmp(last, "ok")) {
			*last = '\0';
			snprintf(values, len, "%s", text);
			return 0;
		}
		if (!strncmp(last, "error: ", 7))
			return control_err(err, -EPROTO, "%.500s", last + 7);
		text[got - 1] = '\n';
	} while (got < sizeof(text) - 1);
	return control_err(err, -EMSGSIZE, "its answer is too long");
}

int control_request(int fd, const char *line, char *values, size_t len, struct opt_err *err)
{
	control_ask(fd, line, NULL, 0);
	return control_answer(fd, loop_now() + CONTROL_PATIENCE_NS, values, len, err);
}

bool control_wait(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char text[256];
	ssize_t n;

	do {
		if (!poll(&pfd, 1, ms))
			return false;
		n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	} while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	return true;
}

int control_each(void (*fn)(void *obj, const char *name), void *obj, struct opt_err *err)
{
	struct sockaddr_un addr;
	char path[sizeof(addr.sun_path)];
	struct dirent *d;
	struct opt_err skip;
	int fd, ret;
	DIR *dir;

	fd = user_dir_open(path, sizeof(path), false, CONTROL_WHAT, err);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir(fd);
	if (!dir) {
		ret = control_err(err, -errno, "%s: %s", path, strerror(errno));
		close(fd);
		return ret;
	}
	while ((d = readdir(dir))) {
		size_t len = strlen(d->d_name);

		if (*d->d_name == '.' || len <= strlen(CONTROL_SUFFIX) ||
		    strcmp(d->d_name + len - strlen(CONTROL_SUFFIX), CONTROL_SUFFIX))
			continue;
		d->d_name[len - strlen(CONTROL_SUFFIX)] = '\0';
		if (control_addr(&addr, path, d->d_name, &skip))
			continue;
		flock(fd, LOCK_EX);
		ret = control_probe(&addr);
		flock(fd, LOCK_UN);
		if (!ret)
			fn(obj, d->d_name);
	}
	closedir(dir);
	return 0;
}
