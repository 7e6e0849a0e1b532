// SPDX-License-Identifier: GPL-2.0
/*
 * The agent: commands in the running guest, for "lkvm exec". See kvm/agent.h for the
 * frames. One process and one loop for all of them: a session is a command, its pipes or
 * its pty, and what the host has sent for its stdin. What a command writes is read only
 * when the host has given credit for it and the port has room, so it stays in the pipe.
 */
#include <asm/ioctls.h>
#include <linux/poll.h>
#include <linux/signalfd.h>
#include <linux/wait.h>

#include <kvm/agent.h>

#include "init.h"

#define HEADER		sizeof(struct agent_frame)
#define AGENT_OUT	(128 << 10)	/* frames that the port has not taken yet */
#define AGENT_REST	(1 << 20)	/* the most that a pipe has: what more comes is not the command's */
#define AGENT_INHERITED	64		/* descriptors that PID 1 may have */
#define AGENT_FD	3		/* instead of the port, for a program that is not PID 1's child */

struct session {
	u32 id;
	int pid;			/* 0: not started */
	bool ended;			/* it has, with @status */
	bool tty;
	int status;
	int in;				/* its stdin, or the pty; -1: closed */
	int out[2];			/* its stdout and stderr; the pty */
	u32 credit[2];			/* that the host has given */
	u32 rest[2];			/* bytes that were read since it has ended */
	u32 owed;			/* credit for stdin that is not given yet */
	bool in_eof;			/* after what is in the ring */
	u32 in_head, in_len;
	u32 request_len;
	u8 ring[AGENT_WINDOW];
	u8 request[AGENT_REQUEST_MAX];
};

static struct session *sessions[AGENT_SESSIONS];
static int port = -1;

/* From the host. */
static u8 heard[HEADER + AGENT_FRAME_MAX];
static u32 heard_len;

/* To the host: a ring would need two writes; what is left is moved to the front. */
static u8 out[AGENT_OUT];
static u32 out_head, out_len;

static void out_flush(void)
{
	long n;

	while (out_len) {
		n = sys_write(port, out + out_head, out_len);
		if (n <= 0)
			return;
		out_head += n;
		out_len -= n;
	}
	out_head = 0;
}

/* Room for @n bytes at the end of @out, after what waits there. */
static void out_room(u32 n)
{
	struct pollfd p = { .fd = port, .events = POLLOUT };

	while (out_head + out_len + n > sizeof(out)) {
		out_flush();
		for (u32 i = 0; out_head && i < out_len; i++)
			out[i] = out[out_head + i];
		out_head = 0;
		if (out_len + n > sizeof(out))
			sys_call(__NR_ppoll, (long)&p, 1, 0, 0, 0, 0);
	}
}

static void frame_send(u32 id, u8 type, u8 stream, const void *data, u32 len)
{
	struct agent_frame f = { AGENT_MAGIC, type, stream, id, len };

	out_room(HEADER + len);
	memcpy(out + out_head + out_len, &f, HEADER);
	memcpy(out + out_head + out_len + HEADER, data, len);
	out_len += HEADER + len;
}

static void frame_send_u32(u32 id, u8 type, u8 stream, u32 value)
{
	frame_send(id, type, stream, &value, sizeof(value));
}

static void frame_send_error(u32 id, const char *what, long ret)
{
	char text[128];
	u32 len = str_format(text, sizeof(text), "%s%s", what, ret ? str_error(ret) : "");

	frame_send(id, AGENT_ERROR, 0, text, len);
}

/* Sessions */

static void fd_close(int *fd)
{
	if (*fd >= 0)
		sys_close(*fd);
	*fd = -1;
}

static struct session **session_find(u32 id)
{
	for (size_t i = 0; i < AGENT_SESSIONS; i++)
		if (sessions[i] && sessions[i]->id == id)
			return &sessions[i];
	return NULL;
}

static struct session **session_new(u32 id)
{
	for (size_t i = 0; i < AGENT_SESSIONS; i++) {
		if (sessions[i])
			continue;
		sessions[i] = mem_try(sizeof(struct session));
		if (!sessions[i])
			return NULL;
		sessions[i]->id = id;
		sessions[i]->in = sessions[i]->out[0] = sessions[i]->out[1] = -1;
		sessions[i]->credit[0] = sessions[i]->credit[1] = AGENT_WINDOW;
		return &sessions[i];
	}
	return NULL;
}

static void session_free(struct session **at)
{
	struct session *s = *at;

	fd_close(&s->in);
	if (!s->tty)
		fd_close(&s->out[0]);
	fd_close(&s->out[1]);
	sys_call(__NR_munmap, (long)s, sizeof(*s), 0, 0, 0, 0);
	*at = NULL;
}

static void session_error(struct session **at, const char *what, long ret)
{
	frame_send_error((*at)->id, what, ret);
	session_free(at);
}

/* A process that was just forked leads no session yet, and has the signal before it is the command. */
static void session_signal(const struct session *s, int sig)
{
	if (sys_kill(-s->pid, sig))
		sys_kill(s->pid, sig);
}

/* The client is gone: so is the terminal, or the readers and writers of the pipes. */
static void session_hangup(struct session **at)
{
	struct session *s = *at;

	if (s->pid && !s->ended) {
		session_signal(s, SIGHUP);
		session_signal(s, SIGCONT);
	}
	session_free(at);
}

/* Starting */

static void session_winsize(const struct session *s, u16 rows, u16 cols)
{
	u16 ws[4] = { rows, cols };

	if (s->tty && s->in >= 0)
		sys_ioctl(s->in, TIOCSWINSZ, ws);
}

/* In the child: what goes wrong from here on is said on the command's stderr. */
static void __attribute__((noreturn)) session_child(const struct session *s, int fds[3], int tty)
{
	struct user user = { 0 };

	conf_use((const char *)s->request, s->request_len);
	for (int i = 0; i < 3; i++)
		sys_dup3(fds[i], i);
	fail_as_child();
	user_find(&user);
	for (int i = 0; i < 3; i++)
		sys_call(__NR_fchown, i, user.uid, tty >= 0 ? 5 : user.gid, 0, 0, 0);
	command_chdir(&user);
	for (int i = 0; i < 3; i++)
		fds[i] = i;
	command_exec(&user, fds, tty);
}

static long session_pty(struct session *s, int fds[3])
{
	char name[32];
	unsigned int n, unlock = 0;
	long fd = sys_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return fd;
	s->in = s->out[0] = fd;
	s->tty = true;
	sys_ioctl(fd, TIOCSPTLCK, &unlock);
	if (sys_ioctl(fd, TIOCGPTN, &n))
		return -ENODEV;
	str_format(name, sizeof(name), "/dev/pts/%lu", (unsigned long)n);
	fd = sys_open(name, O_RDWR | O_NOCTTY);
	if (fd < 0)
		return fd;
	fds[0] = fds[1] = fds[2] = fd;
	return 0;
}

static long session_pipes(struct session *s, int fds[3])
{
	int ends[2];

	for (int i = 0; i < 3; i++) {
		long ret = sys_call(__NR_pipe2, (long)ends, O_CLOEXEC, 0, 0, 0, 0);

		if (ret)
			return ret;
		fds[i] = ends[i ? 1 : 0];
		sys_fcntl(ends[i ? 0 : 1], F_SETFL, O_NONBLOCK);
		if (i)
			s->out[i - 1] = ends[0];
		else
			s->in = ends[1];
	}
	return 0;
}

/* The value of @key in the request. */
static const char *session_value(const struct session *s, const char *key)
{
	const char *p = (const char *)s->request, *end = p + s->request_len, *value;

	for (; p < end; p += strlen(p) + 1) {
		value = str_after(p, key);
		if (value && *value == '=')
			return value + 1;
	}
	return NULL;
}

static void session_start(struct session **at)
{
	struct session *s = *at;
	const char *size = session_value(s, "winsize"), *end;
	int fds[3] = { -1, -1, -1 };
	bool tty = session_value(s, "tty");
	long ret = tty ? session_pty(s, fds) : session_pipes(s, fds), rows, cols;

	if (!ret) {
		if (size && (rows = str_number(size, &end)) >= 0 && *end == ' ' && (cols = str_number(end + 1, &end)) >= 0)
			session_winsize(s, rows, cols);
		ret = sys_fork();
		if (!ret)
			session_child(s, fds, tty ? fds[0] : -1);
	}
	for (int i = 0; i < (tty ? 1 : 3); i++)
		if (fds[i] >= 0)
			sys_close(fds[i]);
	if (ret < 0)
		session_error(at, tty ? "a terminal: " : "a process: ", ret);
	else
		s->pid = ret;
}

/* From the host */

static void session_request(struct session **at, u32 id, const u8 *data, u32 len)
{
	struct session *s;

	if (!at)
		at = session_new(id);
	if (!at) {
		frame_send_error(id, "the guest runs too many commands at a time", 0);
		return;
	}
	s = *at;
	if (s->pid || len >= sizeof(s->request) - s->request_len) {
		session_error(at, "the command line is too long", 0);
		return;
	}
	memcpy(s->request + s->request_len, data, len);
	s->request_len += len;
}

static bool session_data(struct session *s, const u8 *data, u32 len)
{
	if (len > sizeof(s->ring) - s->in_len || s->in_eof)
		return false;
	s->owed += HEADER;
	if (s->in < 0) {
		s->owed += len;		/* nobody reads it */
		return true;
	}
	for (u32 i = 0; i < len; i++)
		s->ring[(s->in_head + s->in_len + i) % sizeof(s->ring)] = data[i];
	s->in_len += len;
	return true;
}

static void frame_heard(const struct agent_frame *f, const u8 *data)
{
	struct session **at = session_find(f->session), *s = at ? *at : NULL;
	u32 value = 0;
	bool good = true;

	if (f->len >= sizeof(value))
		memcpy(&value, data, sizeof(value));
	if (f->type == AGENT_REQUEST)
		session_request(at, f->session, data, f->len);
	if (!s)
		return;			/* it has ended meanwhile */
	if (f->type == AGENT_START && !s->pid)
		session_start(at);
	else if (f->type == AGENT_CLOSE)
		session_hangup(at);
	else if (f->type == AGENT_SIGNAL && s->pid && !s->ended && value > 0 && value <= 64)
		session_signal(s, value);
	else if (f->type == AGENT_WINSIZE)
		session_winsize(s, value & 0xffff, value >> 16);
	else if (f->type == AGENT_DATA && !f->stream)
		good = session_data(s, data, f->len);
	else if (f->type == AGENT_EOF && !f->stream)
		s->in_eof = true;
	else if (f->type == AGENT_CREDIT && (f->stream == 1 || f->stream == 2))
		s->credit[f->stream - 1] += value;
	if (!good) {
		frame_send_error(f->session, "more data than there was credit for", 0);
		session_hangup(at);
	}
}

/* False: the host is gone. */
static bool port_read(void)
{
	struct agent_frame f;
	u32 at = 0;
	long n = sys_read(port, heard + heard_len, sizeof(heard) - heard_len);

	if (!n)
		return false;
	if (n < 0)
		return n == -EAGAIN || n == -EINTR;
	heard_len += n;
	while (heard_len - at >= HEADER) {
		memcpy(&f, heard + at, HEADER);
		if (f.magic != AGENT_MAGIC || f.len > AGENT_FRAME_MAX) {
			at++;		/* the beginning of it was for a machine that was before */
			continue;
		}
		if (heard_len - at < HEADER + f.len)
			break;
		frame_heard(&f, heard + at + HEADER);
		at += HEADER + f.len;
	}
	for (u32 i = 0; at && i < heard_len - at; i++)
		heard[i] = heard[at + i];
	heard_len -= at;
	return true;
}

/* Pumps */

static void session_write(struct session *s)
{
	u32 chunk;
	long n;

	while (s->in >= 0 && s->in_len) {
		chunk = sizeof(s->ring) - s->in_head;
		n = sys_write(s->in, s->ring + s->in_head, chunk < s->in_len ? chunk : s->in_len);
		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n < 0) {
			/* Nobody reads: what comes is thrown away, as the host may be in the middle of it. */
			s->owed += s->in_len;
			s->in_len = 0;
			if (!s->tty)
				fd_close(&s->in);
			break;
		}
		s->in_head = (s->in_head + n) % sizeof(s->ring);
		s->in_len -= n;
		s->owed += n;
	}
	if (s->in_eof && !s->in_len && s->in >= 0) {
		if (!s->tty)
			fd_close(&s->in);
		else if (sys_write(s->in, "\004", 1) == 1)	/* what ends input there */
			s->in_eof = false;
	}
	if (s->owed >= AGENT_WINDOW / 4) {
		frame_send_u32(s->id, AGENT_CREDIT, 0, s->owed);
		s->owed = 0;
	}
}

static void session_out_end(struct session *s, int i)
{
	fd_close(&s->out[i]);
	if (s->tty)
		s->in = -1;		/* it was the same */
	frame_send(s->id, AGENT_EOF, i + 1, NULL, 0);
}

/* Is there room for a frame of data, and something for others besides? */
static bool out_has_room(void)
{
	return out_len <= sizeof(out) / 2;
}

/* False: there is nothing to read now. */
static bool session_read(struct session *s, int i)
{
	static u8 data[AGENT_FRAME_MAX];
	u32 most = s->credit[i] > HEADER ? s->credit[i] - HEADER : 0;
	long n;

	if (s->out[i] < 0 || !most || !out_has_room())
		return false;
	n = sys_read(s->out[i], data, most < sizeof(data) ? most : sizeof(data));
	if (n == -EAGAIN || n == -EINTR)
		return false;
	/* EIO: nobody has the terminal open any more. */
	if (n <= 0) {
		session_out_end(s, i);
		return false;
	}
	frame_send(s->id, AGENT_DATA, i + 1, data, n);
	s->credit[i] -= HEADER + n;
	if (s->ended)
		s->rest[i] += n;
	return true;
}

/*
 * The command has ended. What it wrote is in the pipe and goes first. Others may hold the
 * pipe; they are not waited for.
 */
static void session_finish(struct session **at)
{
	struct session *s = *at;

	for (int i = 0; i < 2; i++) {
		while (s->rest[i] < AGENT_REST && session_read(s, i))
			;
		/* No credit, or no room: later. */
		if (s->out[i] >= 0 && s->rest[i] < AGENT_REST && (s->credit[i] <= HEADER || !out_has_room()))
			return;
	}
	frame_send_u32(s->id, AGENT_EXIT, 0, s->status);
	session_free(at);
}

static void agent_reap(void)
{
	int status;
	long pid;

	while ((pid = sys_call(__NR_wait4, -1, (long)&status, WNOHANG, 0, 0, 0)) > 0) {
		for (size_t i = 0; i < AGENT_SESSIONS; i++) {
			if (!sessions[i] || sessions[i]->pid != pid)
				continue;
			sessions[i]->ended = true;
			sessions[i]->status = status;
		}
	}
}

/* The loop */

#define POLL_SESSION	2	/* the first of a session's three */

static size_t agent_poll(struct pollfd *pfds, int sigs)
{
	struct pollfd *p = pfds + POLL_SESSION;
	bool room = out_has_room();

	pfds[0] = (struct pollfd){ .fd = sigs, .events = POLLIN };
	pfds[1] = (struct pollfd){ .fd = port, .events = POLLIN | (out_len ? POLLOUT : 0) };
	for (size_t i = 0; i < AGENT_SESSIONS; i++) {
		const struct session *s = sessions[i];

		if (!s)
			continue;
		p[0] = (struct pollfd){ .fd = s->in_len ? s->in : -1, .events = POLLOUT };
		for (int k = 0; k < 2; k++)
			p[1 + k] = (struct pollfd){ .fd = room && s->credit[k] > HEADER ? s->out[k] : -1, .events = POLLIN };
		p += 3;
	}
	return p - pfds;
}

static void agent_serve(int sigs)
{
	static struct pollfd pfds[POLL_SESSION + 3 * AGENT_SESSIONS];
	struct signalfd_siginfo info;
	size_t nr;

	for (;;) {
		nr = agent_poll(pfds, sigs);
		sys_call(__NR_ppoll, (long)pfds, nr, 0, 0, 0, 0);
		if (pfds[0].revents) {
			while (sys_read(sigs, &info, sizeof(info)) > 0)
				;
			agent_reap();
		}
		if ((pfds[1].revents & (POLLIN | POLLHUP)) && !port_read())
			return;
		for (size_t i = 0; i < AGENT_SESSIONS; i++) {
			struct session *s = sessions[i];

			if (!s || !s->pid)
				continue;
			session_write(s);
			session_read(s, 0);
			session_read(s, 1);
			if (s->ended)
				session_finish(&sessions[i]);
		}
		out_flush();
	}
}

static void agent_main(void) __attribute__((noreturn));
static void agent_main(void)
{
	/* It is there until the machine ends, and reports how commands have ended. */
	u64 mask = 1ULL << (SIGCHLD - 1) | 1ULL << (SIGPIPE - 1) | 1ULL << (SIGHUP - 1) | 1ULL << (SIGTERM - 1);
	u64 child = 1ULL << (SIGCHLD - 1);
	long sigs;

	sys_fcntl(port, F_SETFL, O_NONBLOCK);
	/* Not one of the command's session, whose terminal and signals are no concern of this. */
	sys_call(__NR_setsid, 0, 0, 0, 0, 0, 0);
	sys_call(__NR_rt_sigprocmask, SIG_BLOCK, (long)&mask, 0, sizeof(mask), 0, 0);
	sigs = sys_call(__NR_signalfd4, -1, (long)&child, sizeof(child), O_CLOEXEC | O_NONBLOCK, 0, 0);
	if (sigs >= 0)
		agent_serve(sigs);
	for (size_t i = 0; i < AGENT_SESSIONS; i++)
		if (sessions[i])
			session_hangup(&sessions[i]);
	for (;;)
		sys_exit(0);
}

void agent_start(void)
{
	int fd = port_try(AGENT_PORT);
	long pid;

	if (fd < 0)
		return;
	pid = sys_fork();
	if (!pid) {
		control_forget();
		/* The command's pipes end when PID 1 closes them. */
		for (int i = 3; i < AGENT_INHERITED; i++)
			if (i != fd)
				sys_close(i);
		port = fd;
		agent_main();
	}
	sys_close(fd);
}

void agent_alone(void)
{
	/* A program that talks to it has put its end here. */
	port = sys_fcntl(AGENT_FD, F_GETFD, 0) >= 0 ? AGENT_FD : port_try(AGENT_PORT);
	if (port < 0)
		sys_exit(1);
	sys_fcntl(port, F_SETFD, FD_CLOEXEC);
	agent_main();
}
