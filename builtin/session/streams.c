// SPDX-License-Identifier: GPL-2.0
/* The streams of a session, and the guest's end of them: see streams.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/agent.h>
#include <kvm/log.h>
#include <kvm/pid1.h>

#include "streams.h"

static const char *const streams_modes[] = { "null", "pipe", "tty", "stdout" };

static int streams_errno(const char *what)
{
	int err = -errno;

	pr_err("%s: %s", what, strerror(-err));
	return err;
}

bool stream_is_null(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static bool fd_same(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool fd_writable(int fd)
{
	return (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
}

/* Is @fd open, and not for the other direction only (@other: O_RDONLY or O_WRONLY)? */
static bool fd_usable(int fd, int other)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != other;
}

static int fd_move(int from, int to)
{
	if (from < 0 || (from != to && (dup2(from, to) < 0 || close(from) < 0)))
		return -errno;
	return 0;
}

/*
 * No other file may get the numbers 0 to 2. If stdin is closed or cannot be read, as
 * after nohup, the guest's stdin is empty. If stdout is closed or cannot be written,
 * writing to it is an error, as to a pipe without a reader.
 */
int streams_fill(bool no_stdin)
{
	int fd, p[2];

	if ((no_stdin || !fd_usable(STDIN_FILENO, O_WRONLY)) &&
	    fd_move(open("/dev/null", O_RDONLY), STDIN_FILENO))
		return streams_errno("/dev/null");
	for (fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fd_usable(fd, O_RDONLY))
			continue;
		if (pipe(p) < 0 || fd_move(p[1], fd))
			return streams_errno("pipe");
		if (p[0] != fd)
			close(p[0]);
	}
	return 0;
}

void streams_choose(struct session *s, const struct session_guest *guest)
{
	bool tty = isatty(STDIN_FILENO);

	for (int i = 0; guest && i < 3; i++)
		s->mode[i] = streams_modes[guest->mode[i]];
	if (guest)
		return;

	for (int i = 0; i < 3; i++)
		s->mode[i] = stream_is_null(i) ? "null" : tty && isatty(i) ? "tty" : "pipe";
	if (!strcmp(s->mode[1], "pipe") && !strcmp(s->mode[2], "pipe") &&
	    fd_same(STDOUT_FILENO, STDERR_FILENO))
		s->mode[2] = "stdout";
}

/* The descriptor that shows the output of the guest's pty, or -1. */
static int streams_screen(const struct session *s)
{
	if (!strcmp(s->mode[1], "tty"))
		return STDOUT_FILENO;
	if (!strcmp(s->mode[2], "tty"))
		return STDERR_FILENO;
	return fd_writable(STDIN_FILENO) ? STDIN_FILENO : -1;
}

/* Of the suboptions: a port that leads nowhere if it is there for another time only. */
static size_t streams_port(char *buf, size_t size, const char *name, const char *tty)
{
	return snprintf(buf, size, "port=%s:%s,", name, *tty ? tty : "null");
}

void streams_ports(const struct session *s, const struct streams *st, char *buf, size_t size)
{
	static const char *const name[] = {
		GUEST_PORT_STDIN, GUEST_PORT_STDOUT, GUEST_PORT_STDERR,
	};
	char tty[3][32] = { "" };
	size_t len = 0;

	for (int i = 0; i < 3; i++) {
		bool pipe = !strcmp(s->mode[i], "pipe");

		if (pipe)
			snprintf(tty[0], sizeof(tty[0]), i ? "fd::%d" : "fd:%d:", i);
		if (pipe || st->all)
			len += streams_port(buf + len, size - len, name[i], pipe ? tty[0] : "");
	}
	if (st->keys >= 0) {
		int screen = streams_screen(s);

		if (screen < 0)
			snprintf(tty[1], sizeof(tty[1]), "fd:%d:", st->keys);
		else
			snprintf(tty[1], sizeof(tty[1]), "fd:%d:%d", st->keys, screen);
	}
	if (st->keys >= 0 || st->all)
		len += streams_port(buf + len, size - len, GUEST_PORT_TTY, tty[1]);
	if (st->agent >= 0)
		len += snprintf(buf + len, size - len, "port=%s:fd:%d,", AGENT_PORT, st->agent);
	snprintf(buf + len, size - len, "port=%s:fd:%d", GUEST_PORT_CONTROL, st->control);
}

/* What a snapshot has of it */

void session_guest(const struct session *s, const struct session_config *cfg, struct session_guest *guest)
{
	*guest = (struct session_guest) { .console = cfg->console, .command = cfg->command, .oops_fail = cfg->oops_fail };
	for (unsigned int i = 0; !cfg->console && i < 3; i++)
		for (unsigned int m = 0; m < ARRAY_SIZE(streams_modes); m++)
			if (!strcmp(s->mode[i], streams_modes[m]))
				guest->mode[i] = m;
}

static const struct state_field guest_fields[] = {
	STATE(struct session_guest, mode),
	STATE(struct session_guest, tty),
	STATE(struct session_guest, console),
	STATE(struct session_guest, command),
	STATE(struct session_guest, oops_fail),
	STATE(struct session_guest, started),
	STATE(struct session_guest, waits),
	STATE_END
};

int session_guest_state(void *guest, struct state *s)
{
	struct session_guest *g = guest;

	state_fields(s, guest_fields, g);
	for (unsigned int i = 0; !state_status(s) && i < 3; i++)
		if (g->mode[i] >= ARRAY_SIZE(streams_modes))
			state_refuse(s, "an impossible stream");
	return state_status(s);
}
