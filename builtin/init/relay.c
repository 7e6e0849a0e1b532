// SPDX-License-Identifier: GPL-2.0
/*
 * The command's streams. The command has pipes or a pty, never the ports
 * themselves: programs do not expect a port as their stdout. A pump moves bytes from
 * one to the other through one buffer. It reads no more before the buffer has been
 * written, so a fast writer waits, as in any pipeline.
 *
 * When a pump ends, it closes both of its fds. So the command sees the end of stdin,
 * and gets SIGPIPE if the host has closed stdout.
 */
#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <linux/poll.h>
#include <linux/signalfd.h>
#include <linux/wait.h>

#include <kvm/pid1.h>

#include "init.h"

/* How long the command may take to end when it is asked to. */
#define STOP_WAIT_S	5

struct winsize_ {
	u16 rows, cols, xpixel, ypixel;
};

struct pump {
	int from, to;
	bool out;		/* from the command to the host */
	bool tty;		/* both pumps of a pty share its fds */
	bool live, eof;
	u32 head, len;		/* what is in buf and not yet written */
	u8 buf[32768];		/* the driver takes no more at once */
};

/* stdin, stdout, stderr, and the pty's input and output. */
static struct pump pumps[5];
static int child_fds[3];	/* to be closed after the fork, or -1 */
static int pty = -1, pty_slave = -1;
static bool stopped;		/* the host has said stop */

static const char *const stream_ports[] = {
	GUEST_PORT_STDIN, GUEST_PORT_STDOUT, GUEST_PORT_STDERR
};

static enum stream_mode stream_mode(const char *key)
{
	const char *mode = conf_get(key, "null");

	if (!strcmp(mode, "pipe"))
		return STREAM_PIPE;
	if (!strcmp(mode, "tty"))
		return STREAM_TTY;
	if (!strcmp(mode, "stdout"))
		return STREAM_STDOUT;
	return STREAM_NULL;
}

static void pump_start(struct pump *p, int from, int to, bool out, bool tty)
{
	p->from = from;
	p->to = to;
	p->out = out;
	p->tty = tty;
	p->live = true;
}

static void tty_resize(const char *rows_cols)
{
	struct winsize_ ws = { 0 };
	const char *end;
	long rows = str_number(rows_cols, &end), cols;

	if (pty < 0 || rows < 0 || *end != ' ')
		return;
	cols = str_number(end + 1, &end);
	if (cols < 0 || rows > 0xffff || cols > 0xffff)
		return;
	ws.rows = rows;
	ws.cols = cols;
	sys_ioctl(pty, TIOCSWINSZ, &ws);
}

static void tty_setup(const struct user *u)
{
	char slave[32];
	unsigned int n, unlock = 0;
	int port;
	long fd;

	fd = sys_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		fail("no pseudo terminal (CONFIG_UNIX98_PTYS): /dev/ptmx: %s", str_error(fd));
	pty = fd;
	sys_ioctl(pty, TIOCSPTLCK, &unlock);
	if (sys_ioctl(pty, TIOCGPTN, &n))
		fail("no pseudo terminal: TIOCGPTN");
	str_format(slave, sizeof(slave), "/dev/pts/%lu", (unsigned long)n);
	/* Kept open here, so that the master does not see a hangup when the command closes it. */
	fd = sys_open(slave, O_RDWR | O_NOCTTY);
	if (fd < 0)
		fail("no pseudo terminal: %s: %s", slave, str_error(fd));
	pty_slave = fd;
	sys_call(__NR_fchown, pty_slave, u->uid, 5, 0, 0, 0);
	tty_resize(conf_get("winsize", ""));

	port = port_open(GUEST_PORT_TTY);
	pump_start(&pumps[3], port, pty, false, true);
	pump_start(&pumps[4], pty, port, true, true);
}

void relay_setup(const struct user *u, int fds[3], int *tty)
{
	static const char *const keys[] = { "stdin", "stdout", "stderr" };
	int ends[2], port;
	long ret;

	for (int i = 0; i < 3; i++) {
		enum stream_mode mode = stream_mode(keys[i]);

		child_fds[i] = -1;
		if (mode == STREAM_STDOUT) {
			fds[i] = fds[1];
			continue;
		}
		if (mode == STREAM_TTY) {
			if (pty < 0)
				tty_setup(u);
			fds[i] = pty_slave;
			continue;
		}
		if (mode == STREAM_NULL) {
			fds[i] = ret = sys_open("/dev/null", O_RDWR);
			if (ret < 0)
				fail("/dev/null: %s", str_error(ret));
			child_fds[i] = fds[i];
			continue;
		}
		port = port_open(stream_ports[i]);
		ret = sys_call(__NR_pipe2, (long)ends, O_CLOEXEC, 0, 0, 0, 0);
		if (ret)
			fail("pipe: %s", str_error(ret));
		/* The command may open /dev/stdout once more, whoever it runs as. */
		sys_call(__NR_fchown, ends[0], u->uid, u->gid, 0, 0, 0);
		fds[i] = child_fds[i] = i ? ends[1] : ends[0];
		/* Each end has flags of its own: the command's stays blocking. */
		sys_fcntl(i ? ends[0] : ends[1], F_SETFL, O_NONBLOCK);
		if (i)
			pump_start(&pumps[i], ends[0], port, true, false);
		else
			pump_start(&pumps[i], port, ends[1], false, false);
	}
	*tty = pty_slave;
}

void relay_started(void)
{
	for (int i = 0; i < 3; i++)
		if (child_fds[i] >= 0)
			sys_close(child_fds[i]);
}

static void pump_end(struct pump *p)
{
	if (!p->live)
		return;
	p->live = false;
	if (!p->tty) {
		sys_close(p->from);
		sys_close(p->to);
		return;
	}
	/* The terminal's other side is gone: a hangup, SIGHUP for its processes. */
	pumps[3].live = pumps[4].live = false;
	sys_close(pumps[3].from);
	sys_close(pty_slave);
	sys_close(pty);
	pty = pty_slave = -1;
}

/* Read if the buffer is empty. Returns false if there is nothing now. */
static bool pump_read(struct pump *p)
{
	long n;

	if (p->eof || p->len)
		return true;
	n = sys_read(p->from, p->buf, sizeof(p->buf));
	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n <= 0)
		p->eof = true;
	else
		p->len = n;
	p->head = 0;
	return true;
}

/* Write the buffer; the pump ends when the reader has gone, or when all is written. */
static void pump_write(struct pump *p)
{
	long n;

	if (p->len) {
		n = sys_write(p->to, p->buf + p->head, p->len);
		if (n < 0 && n != -EAGAIN && n != -EINTR) {
			pump_end(p);
			return;
		}
		if (n > 0) {
			p->head += n;
			p->len -= n;
		}
	}
	if (p->eof && !p->len)
		pump_end(p);
}

/*
 * The command has ended; what it wrote must still arrive. Background processes
 * may hold the pipe and go on writing: they are not waited for, and what can be
 * in a pipe at once (its largest size) is all that is taken.
 */
static void pump_drain(struct pump *p)
{
	struct pollfd pfd = { .fd = p->to, .events = POLLOUT };
	u32 taken = 0;

	while (p->live && taken <= 1 << 20) {
		if (!p->len && !pump_read(p))
			break;
		taken += p->len;
		while (p->live && p->len) {
			pump_write(p);
			if (!p->live || !p->len)
				break;
			sys_call(__NR_ppoll, (long)&pfd, 1, 0, 0, 0, 0);
			if (pfd.revents & (POLLHUP | POLLERR))
				pump_end(p);
		}
		if (p->eof)
			break;
	}
	pump_end(p);
}

/* Collect what has died. Returns true if @pid has, with its status. */
static bool reap(int pid, int *status)
{
	bool ended = false;
	int any;
	long ret;

	while ((ret = sys_call(__NR_wait4, -1, (long)&any, WNOHANG, 0, 0, 0)) > 0) {
		if (ret == pid) {
			*status = any;
			ended = true;
		}
	}
	return ended;
}

/* All processes hear that the system goes down; an interactive shell ends by SIGHUP only. */
static void command_stop(void)
{
	sys_kill(-1, SIGTERM);
	if (pty >= 0)
		sys_kill(-1, SIGHUP);
	sys_kill(-1, SIGCONT);
}

bool relay_heard(const char *line)
{
	const char *size = str_after(line, "winsize ");

	const char *time = str_after(line, "time ");

	if (size)
		tty_resize(size);
	if (time)
		clock_step(time, 0);
	if (strcmp(line, "stop"))
		return false;
	stopped = true;
	command_stop();
	return true;
}

bool relay_stopped(void)
{
	return stopped;
}

int relay_run(int pid)
{
	u64 mask = 1ULL << (SIGCHLD - 1);
	struct signalfd_siginfo info;
	struct pollfd pfds[2 + 2 * ARRAY_SIZE(pumps)], *pfd;
	struct __kernel_timespec wait = { .tv_sec = STOP_WAIT_S };
	bool stopping = false;
	int status = 0;
	char *line;
	long sigs;

	sigs = sys_call(__NR_signalfd4, -1, (long)&mask, sizeof(mask), O_CLOEXEC | O_NONBLOCK, 0, 0);
	if (sigs < 0)
		fail("the kernel lacks CONFIG_SIGNALFD");

	/* The signal was blocked before the fork, so this first look misses nothing. */
	while (!reap(pid, &status)) {
		pfds[0] = (struct pollfd){ .fd = sigs, .events = POLLIN };
		pfds[1] = (struct pollfd){ .fd = control_fd(), .events = POLLIN };
		for (size_t i = 0; i < ARRAY_SIZE(pumps); i++) {
			struct pump *p = &pumps[i];

			pfd = &pfds[2 + 2 * i];
			/* A hangup shows whether it is asked for or not: ask only when it helps. */
			pfd[0].fd = p->live && !p->len && !p->eof ? p->from : -1;
			pfd[0].events = POLLIN;
			pfd[1].fd = p->live ? p->to : -1;
			pfd[1].events = p->len ? POLLOUT : 0;
		}
		/* The kernel leaves in the timespec what remains of it. */
		if (!sys_call(__NR_ppoll, (long)pfds, ARRAY_SIZE(pfds), stopping ? (long)&wait : 0,
			      0, 0, 0)) {
			sys_kill(pid, SIGKILL);
			stopping = false;
		}

		while (sys_read(sigs, &info, sizeof(info)) > 0)
			;
		while ((line = control_line()))
			stopping |= relay_heard(line);
		for (size_t i = 0; i < ARRAY_SIZE(pumps); i++) {
			struct pump *p = &pumps[i];

			pfd = &pfds[2 + 2 * i];
			if (p->live && pfd[1].fd >= 0 && pfd[1].revents & (POLLHUP | POLLERR))
				pump_end(p);
			if (p->live && pfd[0].fd >= 0 && pfd[0].revents)
				pump_read(p);
			if (p->live)
				pump_write(p);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(pumps); i++) {
		if (pumps[i].out)
			pump_drain(&pumps[i]);
		else if (!pumps[i].tty)
			pump_end(&pumps[i]);
	}
	sys_close(sigs);
	return status;
}

/*
 * The command has ended, and the machine is kept: for "lkvm exec" and whatever the
 * command has left. Until the host says stop.
 */
void relay_keep(void)
{
	u64 mask = 1ULL << (SIGCHLD - 1);
	struct signalfd_siginfo info;
	long sigs = sys_call(__NR_signalfd4, -1, (long)&mask, sizeof(mask), O_CLOEXEC | O_NONBLOCK, 0, 0);
	struct pollfd pfds[2] = { { .fd = sigs, .events = POLLIN }, { .fd = control_fd(), .events = POLLIN } };
	bool stopping = false;
	int ignored;
	char *line;

	while (!stopping) {
		while ((line = control_line()))
			stopping |= relay_heard(line);
		while (sys_read(sigs, &info, sizeof(info)) > 0)
			;
		reap(0, &ignored);
		if (!stopping)
			sys_call(__NR_ppoll, (long)pfds, ARRAY_SIZE(pfds), 0, 0, 0, 0);
	}
	sys_close(sigs);
}
