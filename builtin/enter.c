// SPDX-License-Identifier: GPL-2.0
/*
 * The client of the agent in a guest: see enter.h, and kvm/agent.h for the frames. One
 * thread, one poll(). What the guest sends is written before credit for more is given, so
 * a slow reader here stops the command there, and nothing else.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/agent.h>
#include <kvm/control.h>
#include <kvm/log.h>
#include <kvm/terminal.h>

#include "client.h"
#include "enter.h"

#define HEADER		sizeof(struct agent_frame)
/* A guest that has said nothing for so long is still booting, or paused: the user is told once. */
#define ENTER_QUIET_MS	3000

const struct opt enter_opts[] = {
	OPT_STR('u', "user", struct enter, user, "NAME", "user who runs the command (default: root)"),
	OPT_STR(0, "cwd", struct enter, cwd, "DIR", "directory of the guest that it runs in (default: that of the machine's command)"),
	OPT_LIST(0, "env", struct enter, env, "NAME[=VALUE]",
		 "set an environment variable of it; without a value, to that of lkvm's"),
	OPT_END
};

struct entry {
	const struct enter *e;
	const char *name;
	int sock, signals;
	u32 credit;			/* for stdin */
	bool input;			/* stdin is open */
	bool heard;			/* the guest has said something */
	unsigned int signalled;		/* signals since then */
	struct escape escape;
	int status;			/* -1: it runs */
	u8 frame[HEADER + AGENT_FRAME_MAX];
	size_t len;
};

static int enter_failed(struct entry *t, const char *text)
{
	terminal_restore();
	log_set_raw(false);
	pr_err("%s: %s", t->name, text);
	t->status = STATUS_FAILED;
	return -EPIPE;
}

static void enter_send(struct entry *t, u8 type, u8 stream, const void *data, u32 len)
{
	struct { struct agent_frame f; u8 data[AGENT_FRAME_MAX]; } out;

	out.f = (struct agent_frame) { AGENT_MAGIC, type, stream, 0, len };
	if (len)
		memcpy(out.data, data, len);
	/* If nobody takes it, reading will say so. */
	if (!client_write(t->sock, &out, HEADER + len))
		t->input = false;
}

static void enter_send_u32(struct entry *t, u8 type, u8 stream, u32 value)
{
	enter_send(t, type, stream, &value, sizeof(value));
}

/* The request: records of lkvm.conf */

static void enter_record(FILE *f, const char *key, const char *value)
{
	fprintf(f, "%s=%s", key, value);
	fputc('\0', f);
}

static void enter_env(FILE *f, const struct enter *e)
{
	static const char *const passed[] = { "TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES" };
	unsigned int i;
	char text[32];

	/* The first that is said of a variable holds, and the last on the command line. */
	for (i = e->env.nr; i--; ) {
		const char *item = e->env.item[i], *value = strchr(item, '=') ? NULL : getenv(item);

		if (!value && strchr(item, '=')) {
			enter_record(f, "env", item);
		} else if (value) {
			fprintf(f, "env=%s=%s", item, value);
			fputc('\0', f);
		}
	}
	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		if (!getenv(passed[i]) || (!e->tty && i < 2))
			continue;
		snprintf(text, sizeof(text), "env=%s", passed[i]);
		enter_record(f, text, getenv(passed[i]));
	}
}

static int enter_request(struct entry *t, char *const *argv)
{
	const struct enter *e = t->e;
	char *text = NULL, size[32];
	u16 rows, cols;
	size_t len, at;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return enter_failed(t, "out of memory");
	for (; *argv; argv++)
		enter_record(f, "arg", *argv);
	if (e->user)
		enter_record(f, "user", e->user);
	if (e->cwd)
		enter_record(f, "cwd", e->cwd);
	enter_env(f, e);
	if (e->tty) {
		enter_record(f, "tty", "yes");
		if (!terminal_size(e->fd[0], &rows, &cols)) {
			snprintf(size, sizeof(size), "%u %u", rows, cols);
			enter_record(f, "winsize", size);
		}
	}
	fclose(f);
	if (len > AGENT_REQUEST_MAX - 1) {
		free(text);
		return enter_failed(t, "the command line is too long");
	}
	/* One at least: it begins the session, also of a shell of which nothing is said. */
	at = 0;
	do {
		enter_send(t, AGENT_REQUEST, 0, text + at, min((size_t)AGENT_FRAME_MAX, len - at));
		at += AGENT_FRAME_MAX;
	} while (at < len);
	enter_send(t, AGENT_START, 0, NULL, 0);
	free(text);
	return 0;
}

/* To the guest */

/* Ctrl-a x ends this command, Ctrl-a a is a Ctrl-a. The length that is left. */
static size_t enter_keys(struct entry *t, u8 *data, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		bool escaped = t->escape.pressed;

		switch (escape_key(&t->escape, data[i])) {
		case ESCAPE_PASS:
			data[n++] = escaped ? ESCAPE_KEY : data[i];
			break;
		case ESCAPE_EXIT:
			enter_failed(t, "left by Ctrl-a x");
			return 0;
		case ESCAPE_HELP:
			client_write(STDERR_FILENO, "\r\nCtrl-a x: leave, Ctrl-a a: Ctrl-a\r\n", 37);
			break;
		default:
			break;
		}
	}
	return n;
}

static void enter_input(struct entry *t)
{
	u8 data[AGENT_FRAME_MAX - HEADER];
	size_t room = min((size_t)t->credit - HEADER, sizeof(data));
	ssize_t n = read(t->e->fd[0], data, room);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		t->input = false;
		enter_send(t, AGENT_EOF, 0, NULL, 0);
		return;
	}
	if (t->e->tty)
		n = enter_keys(t, data, n);
	if (!n)
		return;
	enter_send(t, AGENT_DATA, 0, data, n);
	t->credit -= n + HEADER;
}

static void enter_left(struct entry *t, int sig)
{
	char text[64];

	snprintf(text, sizeof(text), "left by a second signal, %s", strsignal(sig));
	enter_failed(t, text);
	t->status = 128 + sig;
}

static void enter_signal(struct entry *t)
{
	struct signalfd_siginfo info;
	u16 rows, cols;

	if (read(t->signals, &info, sizeof(info)) != sizeof(info))
		return;
	/* A guest that hangs passes no signal on: the second one is for this program. */
	if (info.ssi_signo != SIGWINCH && t->signalled++)
		enter_left(t, info.ssi_signo);
	else if (info.ssi_signo != SIGWINCH)
		enter_send_u32(t, AGENT_SIGNAL, 0, info.ssi_signo);
	else if (t->e->tty && !terminal_size(t->e->fd[0], &rows, &cols))
		enter_send_u32(t, AGENT_WINSIZE, 0, rows | (u32)cols << 16);
}

/* From the guest, which may send anything */

static int enter_frame(struct entry *t, const struct agent_frame *f, const u8 *data)
{
	u32 value = 0;

	t->heard = true;
	t->signalled = 0;
	if (f->len >= sizeof(value))
		memcpy(&value, data, sizeof(value));
	switch (f->type) {
	case AGENT_DATA:
		if (f->stream != 1 && f->stream != 2)
			break;
		/* Nobody reads it: the command goes on, as one whose output is thrown away. */
		client_write(t->e->fd[f->stream], data, f->len);
		enter_send_u32(t, AGENT_CREDIT, f->stream, f->len + HEADER);
		return 0;
	case AGENT_EOF:
		return 0;
	case AGENT_CREDIT:
		t->credit = min((u64)t->credit + value, (u64)AGENT_WINDOW);
		return 0;
	case AGENT_ERROR: {
		char text[256];
		size_t i, n = min((size_t)f->len, sizeof(text) - 1);

		for (i = 0; i < n; i++)
			text[i] = data[i] < ' ' || data[i] == 127 ? '.' : data[i];
		text[n] = '\0';
		return enter_failed(t, text);
	}
	case AGENT_EXIT:
		t->status = WIFEXITED(value) ? WEXITSTATUS(value) : 128 + WTERMSIG(value);
		if (WIFSIGNALED(value)) {
			terminal_restore();
			log_set_raw(false);
			pr_err("%s: the command was ended by signal %d (%s)", t->name, WTERMSIG(value), strsignal(WTERMSIG(value)));
		}
		return 0;
	}
	return enter_failed(t, "the guest's answer makes no sense");
}

static int enter_hear(struct entry *t)
{
	ssize_t n = recv(t->sock, t->frame + t->len, sizeof(t->frame) - t->len, MSG_DONTWAIT);
	struct agent_frame f;
	size_t at = 0;
	int ret = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return enter_failed(t, "the machine has ended");
	t->len += n;
	while (!ret && t->status < 0 && t->len - at >= HEADER) {
		memcpy(&f, t->frame + at, HEADER);
		if (f.magic != AGENT_MAGIC || f.len > AGENT_FRAME_MAX)
			return enter_failed(t, "the guest's answer makes no sense");
		if (t->len - at < HEADER + f.len)
			break;
		ret = enter_frame(t, &f, t->frame + at + HEADER);
		at += HEADER + f.len;
	}
	memmove(t->frame, t->frame + at, t->len - at);
	t->len -= at;
	return ret;
}

/* The whole of it */

static void enter_serve(struct entry *t)
{
	while (t->status < 0) {
		bool input = t->input && t->credit > HEADER;
		struct pollfd p[] = {
			{ .fd = t->sock, .events = POLLIN },
			{ .fd = t->signals, .events = POLLIN },
			{ .fd = input ? t->e->fd[0] : -1, .events = POLLIN },
		};
		int n = poll(p, ARRAY_SIZE(p), t->heard ? -1 : ENTER_QUIET_MS);

		if (!n) {
			pr_warn("%s: waiting for the guest, which is starting, busy or paused", t->name);
			t->heard = true;
		}
		if (n <= 0)
			continue;
		if (p[0].revents && enter_hear(t))
			return;
		if (p[1].revents)
			enter_signal(t);
		if (p[2].revents && t->status < 0)
			enter_input(t);
	}
}

static int enter_connect(struct entry *t)
{
	char values[CONTROL_REPLY_MAX];
	int pair[2], fd, ret;
	struct opt_err err;

	fd = control_connect(t->name, &err);
	if (fd < 0) {
		pr_err("%s", err.text);
		return fd;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		close(fd);
		return enter_failed(t, strerror(errno));
	}
	control_ask(fd, "exec", &pair[1], 1);
	ret = control_answer(fd, loop_now() + CONTROL_PATIENCE_NS, values, sizeof(values), &err);
	close(pair[1]);
	close(fd);
	t->sock = pair[0];
	return ret ? enter_failed(t, err.text) : 0;
}

/* nohup, and a shell's "&", have some ignored: a signalfd would not. */
static void enter_signals(sigset_t *set)
{
	static const int signals[] = { SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction old;

	sigemptyset(set);
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaddset(set, signals[i]);
}

int enter_run(const struct enter *e, const char *name, char *const *argv)
{
	struct entry *t = calloc(1, sizeof(*t));
	int status = STATUS_FAILED;
	sigset_t set;

	if (!t) {
		pr_err("out of memory");
		return status;
	}
	*t = (struct entry) { .e = e, .name = name, .sock = -1, .credit = AGENT_WINDOW, .input = !e->no_stdin, .status = -1 };
	enter_signals(&set);
	signal(SIGPIPE, SIG_IGN);
	if (!enter_connect(t) && !enter_request(t, argv)) {
		sigprocmask(SIG_BLOCK, &set, NULL);
		t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
		if (e->no_stdin)
			enter_send(t, AGENT_EOF, 0, NULL, 0);
		if (e->tty && !terminal_raw(e->fd[0]))
			log_set_raw(true);
		enter_serve(t);
		terminal_restore();
		log_set_raw(false);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		status = t->status;
	}
	if (t->sock >= 0)
		close(t->sock);
	free(t);
	return status;
}
