// SPDX-License-Identifier: GPL-2.0
/*
 * Terminals: the host ends of serial and console ports (kvm/tty.h). A terminal
 * is two ends, in and out, each a descriptor of its own. Everything runs on
 * the thread of the loop that it is attached to.
 *
 * Not to block is the difficult part. O_NONBLOCK belongs to the open file
 * description, and that of stdin, stdout or fd:N is shared with the shell and
 * whoever else inherited it: a flag set by lkvm would break them, long after it
 * has ended. So pipes and terminals are opened once more through /proc/self/fd,
 * which makes a description that is ours; sockets have MSG_DONTWAIT; regular
 * files never block. Other files (the pipe or the terminal of another user, which may
 * not be opened again) are polled before every call. They are written in pieces that
 * fit if poll() reports them ready: PIPE_BUF for a pipe, single bytes for a terminal,
 * which does not report its room.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/keep.h>
#include <kvm/log.h>
#include <kvm/tty.h>

#define TTY_SEGMENTS	64	/* of one message to a socket */

enum tty_kind {
	TTY_FILES,		/* null, stdio, fd, file: what is open at first is all there is */
	TTY_PTY,
	TTY_UNIX,
};

struct tty_end {
	int fd;			/* owned, -1: there is none */
	bool socket;
	size_t poll_first;	/* a call could block, but not for so many bytes when it is ready; 0: cannot block */
	bool added;		/* the watch is on the loop */
	struct watch watch;
};

struct tty {
	enum tty_kind kind;
	struct tty_end in, out;
	struct tty_end door;	/* where peers come from: the listening socket, the pty's inotify */
	bool announced;		/* it has been said where its other end is */
	bool connected;
	bool eof;		/* in has ended */
	bool broken;		/* out has failed */
	bool want_read, want_write;
	struct loop *loop;
	const struct tty_ops *ops;
	void *obj;
	char *spec;
	struct keep *keep;	/* where it stays when it is closed, or NULL */
	/* unix: the socket in the file system, to remove that and no other. */
	struct sockaddr_un addr;
	dev_t dev;
	ino_t ino;
};

/* Watches */

static void tty_end_watch(struct tty *t, struct tty_end *e, u32 events)
{
	int ret = 0;

	if (!t->loop || e->fd < 0)
		return;
	if (e->added) {
		ret = loop_mod(t->loop, &e->watch, events);
	} else if (events) {
		e->watch.fd = e->fd;
		ret = loop_add(t->loop, &e->watch, events);
		e->added = !ret;
	}
	if (ret)
		pr_err("terminal %s: cannot wait for it: %s", t->spec, strerror(-ret));
}

static void tty_end_unwatch(struct tty *t, struct tty_end *e)
{
	if (e->added)
		loop_del(t->loop, &e->watch);
	e->added = false;
}

/* Have the loop wait for what is of interest now. */
static void tty_update(struct tty *t)
{
	tty_end_watch(t, &t->door, t->connected ? 0 : EPOLLIN);
	tty_end_watch(t, &t->in, t->want_read && t->connected && !t->eof ? EPOLLIN : 0);
	tty_end_watch(t, &t->out, t->want_write && t->connected ? EPOLLOUT : 0);
}

static void tty_end_close(struct tty *t, struct tty_end *e)
{
	tty_end_unwatch(t, e);
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

/* Ends */

/* A file description of our own for @fd, or -errno. */
static int tty_reopen(int fd, int access)
{
	int flags = access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, ret, ours, theirs;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = open(path, flags);
	if (ret >= 0 || !isatty(fd))
		return ret < 0 ? -errno : ret;
	/* After su or sudo the terminal belongs to another user, but the controlling one can be had by name. */
	ret = open("/dev/tty", flags);
	if (ret < 0)
		return -errno;
	if (!ioctl(ret, TIOCGDEV, &ours) && !ioctl(fd, TIOCGDEV, &theirs) && ours == theirs)
		return ret;
	close(ret);
	return -EACCES;
}

/* Regular files, and /dev/null, zero and full. */
static bool tty_never_waits(const struct stat *st)
{
	return S_ISREG(st->st_mode) ||
		(S_ISCHR(st->st_mode) && (st->st_rdev == makedev(1, 3) ||
		 st->st_rdev == makedev(1, 5) || st->st_rdev == makedev(1, 7)));
}

static int tty_end_open(struct tty *t, struct tty_end *e, int fd, int access)
{
	int flags = fcntl(fd, F_GETFL), mode = flags & O_ACCMODE;
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0) {
		pr_err("terminal %s: descriptor %d is not open", t->spec, fd);
		return -EBADF;
	}
	if ((flags & O_PATH) || (mode != O_RDWR && mode != access)) {
		pr_err("terminal %s: descriptor %d is not open for %s", t->spec, fd,
		       access == O_RDONLY ? "reading" : "writing");
		return -EBADF;
	}
	e->socket = S_ISSOCK(st.st_mode);
	/* A pty's master cannot be opened twice: that would make another pty. */
	if (S_ISFIFO(st.st_mode) || (isatty(fd) && st.st_rdev != makedev(5, 2)))
		e->fd = tty_reopen(fd, access);
	if (e->fd < 0) {
		if (!e->socket && !tty_never_waits(&st))
			e->poll_first = isatty(fd) ? 1 : PIPE_BUF;
		e->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (e->fd < 0) {
			int err = -errno;

			pr_err("terminal %s: %s", t->spec, strerror(-err));
			return err;
		}
	}
	return 0;
}

static bool tty_end_ready(const struct tty_end *e, short events)
{
	struct pollfd p = { .fd = e->fd, .events = events };

	return poll(&p, 1, 0) > 0;
}

/* The next bytes of @i for a message; what is moved is advanced by the caller. */
static int tty_segments(const struct iov_iter *i, size_t len, struct iovec *iov)
{
	size_t off = i->off, n;
	int nr = 0;

	len = min(len, i->count);
	for (unsigned int s = 0; len && s < i->nr && nr < TTY_SEGMENTS; s++, off = 0) {
		n = min(i->iov[s].iov_len - off, len);
		if (!n)
			continue;
		iov[nr].iov_base = (char *)i->iov[s].iov_base + off;
		iov[nr++].iov_len = n;
		len -= n;
	}
	return nr;
}

static ssize_t tty_socket_io(const struct tty_end *e, struct iov_iter *i, size_t len, bool in)
{
	struct iovec iov[TTY_SEGMENTS];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = tty_segments(i, len, iov) };
	ssize_t n = in ? recvmsg(e->fd, &msg, MSG_DONTWAIT) :
		sendmsg(e->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	iov_iter_advance(i, n);
	return n;
}

static ssize_t tty_end_read(const struct tty_end *e, struct iov_iter *to, size_t len)
{
	if (e->socket)
		return tty_socket_io(e, to, len, true);
	if (e->poll_first && !tty_end_ready(e, POLLIN))
		return -EAGAIN;
	return iov_iter_read(to, e->fd, len, -1, 0);
}

/* At most PIPE_BUF bytes: the owner comes again for more. */
static ssize_t tty_polled_write(const struct tty_end *e, struct iov_iter *from, size_t len)
{
	size_t done = 0;

	len = min(len, (size_t)PIPE_BUF);
	while (done < len) {
		ssize_t n = -EAGAIN;

		if (tty_end_ready(e, POLLOUT))
			n = iov_iter_write(from, e->fd, min(len - done, e->poll_first), -1, 0);
		if (n <= 0)
			return done ? (ssize_t)done : n ? n : -EAGAIN;
		done += n;
	}
	return done;
}

static ssize_t tty_end_write(const struct tty_end *e, struct iov_iter *from, size_t len)
{
	if (e->socket)
		return tty_socket_io(e, from, len, false);
	if (e->poll_first)
		return tty_polled_write(e, from, len);
	return iov_iter_write(from, e->fd, len, -1, 0);
}

/* Peers that come and go */

static void tty_connect(struct tty *t)
{
	t->connected = true;
	t->eof = t->broken = t->want_write = false;
	tty_update(t);
	if (t->ops && t->ops->connected)
		t->ops->connected(t->obj);
}

static void tty_disconnect(struct tty *t)
{
	t->connected = false;
	if (t->kind == TTY_UNIX) {
		tty_end_close(t, &t->in);
		tty_end_close(t, &t->out);
	}
	tty_update(t);
}

static void tty_accept(struct tty *t)
{
	int fd = accept4(t->door.fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		/* It would stay ready, and the loop would spin. */
		pr_err("terminal %s: %s: no peer can connect any more", t->spec, strerror(errno));
		tty_end_close(t, &t->door);
		return;
	}
	t->in.fd = fd;
	/* One descriptor for each end: an epoll set has a descriptor once. */
	t->out.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	t->in.socket = t->out.socket = true;
	if (t->out.fd < 0) {
		pr_err("terminal %s: %s", t->spec, strerror(errno));
		tty_end_close(t, &t->in);
		return;
	}
	tty_connect(t);
}

/*
 * epoll says nothing about a pty whose slave is opened, only, and all the
 * time, that it is not open: so it is inotify that is waited for.
 */
static void tty_pty_opened(struct tty *t)
{
	char events[1024] __attribute__((aligned(__alignof__(struct inotify_event))));

	if (read(t->door.fd, events, sizeof(events)) > 0)
		tty_connect(t);
}

static bool tty_pty_hung_up(const struct tty *t)
{
	struct pollfd p = { .fd = t->out.fd };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

/* Callbacks of the loop */

static void tty_door_event(struct watch *w, u32 events)
{
	struct tty *t = container_of(w, struct tty, door.watch);

	if (t->kind == TTY_UNIX)
		tty_accept(t);
	else
		tty_pty_opened(t);
}

static void tty_in_event(struct watch *w, u32 events)
{
	struct tty *t = container_of(w, struct tty, in.watch);

	if (t->ops && t->ops->readable)
		t->ops->readable(t->obj);
	else
		tty_want_read(t, false);
}

static void tty_out_event(struct watch *w, u32 events)
{
	struct tty *t = container_of(w, struct tty, out.watch);

	t->want_write = false;
	tty_update(t);
	if (t->ops && t->ops->writable)
		t->ops->writable(t->obj);
}

/* Opening */

static int tty_open_fds(struct tty *t, int in, int out)
{
	int ret = 0;

	t->connected = true;
	if (in >= 0)
		ret = tty_end_open(t, &t->in, in, O_RDONLY);
	if (!ret && out >= 0)
		ret = tty_end_open(t, &t->out, out, O_WRONLY);
	return ret;
}

/* A number or nothing up to @end: the number, -1 or -EINVAL. */
static int tty_parse_fd(const char *p, const char *end)
{
	long n = 0;

	if (p == end)
		return -1;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9' || n > INT_MAX / 10 - 1)
			return -EINVAL;
		n = n * 10 + *p - '0';
	}
	return n;
}

static int tty_open_numbers(struct tty *t, const char *text)
{
	const char *colon = strchrnul(text, ':');
	int in = tty_parse_fd(text, colon), out = in;

	if (*colon)
		out = tty_parse_fd(colon + 1, colon + strlen(colon));
	if (in < -1 || out < -1 || (in < 0 && out < 0)) {
		pr_err("terminal %s: descriptors are numbers: fd:N or fd:IN:OUT", t->spec);
		return -EINVAL;
	}
	return tty_open_fds(t, in, out);
}

static int tty_open_file(struct tty *t, const char *path)
{
	/* O_NONBLOCK: a FIFO that nobody reads is an error and not a wait. */
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
	int ret;

	if (fd < 0) {
		ret = -errno;
		pr_err("terminal %s: %s", t->spec,
		       ret == -ENXIO ? "nobody reads this FIFO" : strerror(-ret));
		return ret;
	}
	ret = tty_open_fds(t, -1, fd);
	close(fd);
	return ret;
}

static int tty_open_pty(struct tty *t)
{
	struct termios tio;
	char name[64];
	int slave;

	t->kind = TTY_PTY;
	t->in.fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (t->in.fd < 0 || unlockpt(t->in.fd) || ptsname_r(t->in.fd, name, sizeof(name)))
		goto fail;
	/* Raw from the start, or what the guest says is echoed back to it. */
	if (tcgetattr(t->in.fd, &tio))
		goto fail;
	cfmakeraw(&tio);
	if (tcsetattr(t->in.fd, TCSANOW, &tio))
		goto fail;
	/* Open and close the slave: the master then reports a hang-up until a peer opens it. */
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		goto fail;
	close(slave);
	t->out.fd = fcntl(t->in.fd, F_DUPFD_CLOEXEC, 3);
	t->door.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (t->out.fd < 0 || t->door.fd < 0 ||
	    inotify_add_watch(t->door.fd, name, IN_OPEN) < 0)
		goto fail;
	return 0;
fail:
	slave = -errno;
	pr_err("terminal pty: %s", strerror(-slave));
	return slave;
}

/* Does anybody listen there? Only then, or if in doubt, the socket stays. */
static bool tty_socket_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int tty_open_unix(struct tty *t, const char *path)
{
	const struct sockaddr *addr = (const struct sockaddr *)&t->addr;
	struct stat st;
	int ret;

	t->kind = TTY_UNIX;
	if (!*path || strlen(path) >= sizeof(t->addr.sun_path)) {
		pr_err("terminal %s: a socket's path has 1 to %zu bytes", t->spec,
		       sizeof(t->addr.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	t->addr.sun_family = AF_UNIX;
	strcpy(t->addr.sun_path, path);
	t->door.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->door.fd < 0)
		goto fail;
	/* Before bind(), whose result has the mode of the socket: never open to others. */
	if (fchmod(t->door.fd, 0600) < 0)
		goto fail;
	ret = bind(t->door.fd, addr, sizeof(t->addr));
	if (ret < 0 && errno == EADDRINUSE) {
		if (!tty_socket_stale(&t->addr)) {
			pr_err("terminal %s: %s is there already%s", t->spec, path,
			       lstat(path, &st) || !S_ISSOCK(st.st_mode) ? " and is no socket" :
			       ", somebody listens on it");
			return -EADDRINUSE;
		}
		unlink(path);
		ret = bind(t->door.fd, addr, sizeof(t->addr));
	}
	if (ret < 0)
		goto fail;
	if (lstat(path, &st) < 0)
		goto fail;
	t->dev = st.st_dev;
	t->ino = st.st_ino;
	if (listen(t->door.fd, 1) < 0)
		goto fail;
	return 0;
fail:
	ret = -errno;
	pr_err("terminal %s: %s", t->spec, strerror(-ret));
	return ret;
}

static int tty_open_spec(struct tty *t)
{
	const char *arg = strchr(t->spec, ':');
	size_t len = arg ? (size_t)(arg++ - t->spec) : strlen(t->spec);

	if (!arg && !strcmp(t->spec, "null"))
		return tty_open_fds(t, -1, -1);
	if (!arg && !strcmp(t->spec, "stdio"))
		return tty_open_fds(t, STDIN_FILENO, STDOUT_FILENO);
	if (!arg && !strcmp(t->spec, "pty"))
		return tty_open_pty(t);
	if (arg && len == 2 && !strncmp(t->spec, "fd", len))
		return tty_open_numbers(t, arg);
	if (arg && *arg && len == 4 && !strncmp(t->spec, "file", len))
		return tty_open_file(t, arg);
	if (arg && len == 4 && !strncmp(t->spec, "unix", len))
		return tty_open_unix(t, arg);
	pr_err("terminal \"%s\" is none of null, stdio, pty, fd:N, fd:IN:OUT, file:PATH, unix:PATH",
	       t->spec);
	return -EINVAL;
}

static struct tty *tty_new(const char *spec)
{
	struct tty *t = calloc(1, sizeof(*t));

	if (!t || !(t->spec = strdup(spec))) {
		free(t);
		pr_err("terminal %s: out of memory", spec);
		return NULL;
	}
	t->in.fd = t->out.fd = t->door.fd = -1;
	t->in.watch.fn = tty_in_event;
	t->out.watch.fn = tty_out_event;
	t->door.watch.fn = tty_door_event;
	return t;
}

static void tty_free(void *arg)
{
	struct tty *t = arg;
	struct stat st;

	if (t->ino && !lstat(t->addr.sun_path, &st) && st.st_dev == t->dev && st.st_ino == t->ino)
		unlink(t->addr.sun_path);
	tty_end_close(t, &t->in);
	tty_end_close(t, &t->out);
	tty_end_close(t, &t->door);
	free(t->spec);
	free(t);
}

void tty_close(struct tty *t)
{
	tty_detach(t);
	t->ops = NULL;
	t->want_read = t->want_write = false;
	if (!t->keep || keep_put(t->keep, t->spec, t, tty_free))
		tty_free(t);
}

int tty_open_kept(struct tty **out, struct keep *keep, const char *spec, struct loop *loop,
		  const struct tty_ops *ops, void *obj)
{
	struct tty *t = keep_take(keep, spec);
	int ret;

	if (!t) {
		t = tty_new(spec);
		if (!t)
			return -ENOMEM;
		ret = tty_open_spec(t);
		if (ret) {
			tty_free(t);
			return ret;
		}
	}
	t->keep = keep;
	t->ops = ops;
	t->obj = obj;
	if (loop)
		tty_attach(t, loop);
	*out = t;
	return 0;
}

int tty_open(struct tty **out, const char *spec, struct loop *loop,
	     const struct tty_ops *ops, void *obj)
{
	return tty_open_kept(out, NULL, spec, loop, ops, obj);
}

void tty_attach(struct tty *t, struct loop *loop)
{
	t->loop = loop;
	tty_update(t);
}

void tty_detach(struct tty *t)
{
	tty_end_unwatch(t, &t->in);
	tty_end_unwatch(t, &t->out);
	tty_end_unwatch(t, &t->door);
	t->loop = NULL;
}

/* Bytes */

ssize_t tty_read(struct tty *t, struct iov_iter *to, size_t len)
{
	ssize_t n;

	if (!t->connected || (t->in.fd < 0 && t->kind == TTY_FILES))
		return -EAGAIN;
	if (!len || !iov_iter_count(to))
		return -EAGAIN;
	if (t->eof)
		return 0;
	n = tty_end_read(&t->in, to, len);
	if (n > 0)
		return n;
	if (n == -EAGAIN || n == -EINTR)
		return -EAGAIN;
	/* -EIO is how a terminal hangs up; others are as final. */
	if (n < 0 && n != -EIO && n != -ECONNRESET)
		pr_err("terminal %s: read: %s", t->spec, strerror(-n));
	t->eof = true;
	if (t->kind == TTY_FILES)
		tty_update(t);
	else
		tty_disconnect(t);
	return 0;
}

ssize_t tty_write(struct tty *t, struct iov_iter *from, size_t len)
{
	ssize_t n;

	len = min(len, iov_iter_count(from));
	if (!len)
		return 0;
	if (!t->connected || t->broken)
		return -EPIPE;
	if (t->out.fd < 0)
		return iov_iter_advance(from, len);
	/* The kernel would keep it for whoever opens the slave next. */
	if (t->kind == TTY_PTY && tty_pty_hung_up(t)) {
		tty_disconnect(t);
		return -EPIPE;
	}
	n = tty_end_write(&t->out, from, len);
	if (n == (ssize_t)len)
		return n;
	if (n > 0 || n == -EAGAIN || n == -EINTR) {
		t->want_write = true;
		tty_update(t);
		return n > 0 ? n : -EAGAIN;
	}
	if (n != -EPIPE && n != -ECONNRESET && n != -EIO)
		pr_err("terminal %s: write: %s", t->spec, strerror(-n));
	t->broken = true;
	return -EPIPE;
}

void tty_announce(struct tty *t, const char *who)
{
	char name[64];

	/* Not a warning, but printed even without -v: the user needs the name. */
	if (t->kind == TTY_PTY && !t->announced && !ptsname_r(t->in.fd, name, sizeof(name)))
		pr_err("%s: pty %s", who, name);
	t->announced = true;
}

void tty_want_read(struct tty *t, bool want)
{
	if (t->want_read == want)
		return;
	t->want_read = want;
	tty_update(t);
}

bool tty_is_connected(const struct tty *t)
{
	return t->connected;
}

bool tty_has_input(const struct tty *t)
{
	return t->in.fd >= 0 || t->kind != TTY_FILES;
}

bool tty_has_output(const struct tty *t)
{
	return t->out.fd >= 0 || t->kind != TTY_FILES;
}

int tty_size(const struct tty *t, u16 *rows, u16 *cols)
{
	struct winsize ws;

	if (ioctl(t->out.fd, TIOCGWINSZ, &ws) < 0 && ioctl(t->in.fd, TIOCGWINSZ, &ws) < 0)
		return -ENOTTY;
	if (!ws.ws_row || !ws.ws_col)
		return -ENOTTY;
	*rows = ws.ws_row;
	*cols = ws.ws_col;
	return 0;
}
