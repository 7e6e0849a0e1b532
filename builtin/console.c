// SPDX-License-Identifier: GPL-2.0
/* lkvm console: attach to the guest's console (builtin/session/screen.h). One thread, one poll(). */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/terminal.h>

#include "client.h"

struct console {
	const char *name;
	bool print, read_only;
	/* While attached */
	int sock, signals;
	bool input;			/* stdin is open */
	bool terminal;			/* and is one, in raw mode */
	bool breaks;			/* the next key goes after a BREAK */
	struct escape escape;
	int status;			/* -1: attached */
};

static const struct opt console_opts[] = {
	OPT_BOOL('p', "print", struct console, print, "print what the console has said until now, and end"),
	OPT_BOOL('r', "read-only", struct console, read_only, "watch: send no keys"),
	OPT_END
};

static void console_raw(struct console *c, bool raw)
{
	if (!c->terminal)
		return;
	if (raw)
		terminal_raw(STDIN_FILENO);
	else
		terminal_restore();
	log_set_raw(raw && isatty(STDERR_FILENO));
}

static void console_detach(struct console *c, int status, const char *why)
{
	console_raw(c, false);
	if (c->terminal && why)
		pr_err("%s: %s", c->name, why);
	c->status = status;
}

static void console_say(const char *text)
{
	client_write(STDERR_FILENO, text, strlen(text));
}

/* The key after "Ctrl-a b": of a SysRq, on the guest's serial console. */
static void console_break(struct console *c, char key)
{
	char line[] = "sysrq x", values[CONTROL_REPLY_MAX];
	struct opt_err err;
	int fd, ret;

	c->breaks = false;
	if (key <= ' ' || key > '~')
		return;
	line[6] = key;
	fd = control_connect(c->name, &err);
	ret = fd < 0 ? fd : control_request(fd, line, values, sizeof(values), &err);
	if (ret)
		pr_err("%s: no BREAK: %s", c->name, err.text);
	if (fd >= 0)
		close(fd);
}

static void console_suspend(struct console *c)
{
	console_raw(c, false);
	raise(SIGSTOP);
	console_raw(c, true);
}

/* Act on the keys that are for this command; the length of what is left for the guest. */
static size_t console_keys(struct console *c, char *data, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && c->status < 0; i++) {
		bool escaped = c->escape.pressed;

		if (c->breaks) {
			console_break(c, data[i]);
			continue;
		}
		switch (escape_key(&c->escape, data[i])) {
		case ESCAPE_PASS:
			data[n++] = escaped ? ESCAPE_KEY : data[i];
			break;
		case ESCAPE_EXIT:
			console_detach(c, 0, "detached, the machine runs on");
			break;
		case ESCAPE_HELP:
			console_say("\r\n"
				"Ctrl-a x   detach, the machine runs on\r\n"
				"Ctrl-a b   a BREAK, and the next key: SysRq\r\n"
				"Ctrl-a z   suspend this command\r\n"
				"Ctrl-a a   send Ctrl-a to the guest\r\n"
				"Ctrl-a h   this help\r\n");
			break;
		case ESCAPE_BREAK:
			c->breaks = true;
			break;
		case ESCAPE_SUSPEND:
			console_suspend(c);
			break;
		case ESCAPE_DROP:
			break;
		}
	}
	return c->read_only ? 0 : n;
}

static void console_typed(struct console *c)
{
	char data[512];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		c->input = false;
		shutdown(c->sock, SHUT_WR);
		return;
	}
	if (c->terminal)
		n = console_keys(c, data, n);
	/* If nobody takes it, reading will say so. */
	client_write(c->sock, data, n);
}

static void console_heard(struct console *c)
{
	char data[65536];
	ssize_t n = recv(c->sock, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		console_detach(c, 0, "the machine has ended");
	else if (!client_write(STDOUT_FILENO, data, n))
		console_detach(c, errno == EPIPE ? 0 : 1, strerror(errno));
}

static void console_signal(struct console *c)
{
	struct signalfd_siginfo info;

	if (read(c->signals, &info, sizeof(info)) == sizeof(info))
		console_detach(c, 128 + info.ssi_signo, NULL);
}

static void console_serve(struct console *c)
{
	while (c->status < 0) {
		struct pollfd p[] = {
			{ .fd = c->sock, .events = POLLIN },
			{ .fd = c->signals, .events = POLLIN },
			{ .fd = c->input ? STDIN_FILENO : -1, .events = POLLIN },
		};

		if (poll(p, ARRAY_SIZE(p), -1) <= 0)
			continue;
		if (p[1].revents)
			console_signal(c);
		if (p[0].revents && c->status < 0)
			console_heard(c);
		if (p[2].revents && c->status < 0)
			console_typed(c);
	}
}

/* 0, or -errno with the message printed. */
static int console_connect(struct console *c)
{
	char values[CONTROL_REPLY_MAX];
	struct opt_err err;
	int pair[2], fd = client_connect(c->name), ret;

	if (fd < 0)
		return fd;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		ret = -errno;
		pr_err("socketpair: %s", strerror(-ret));
		close(fd);
		return ret;
	}
	control_ask(fd, c->print ? "console print" : "console", &pair[1], 1);
	close(pair[1]);
	ret = control_answer(fd, loop_now() + CONTROL_PATIENCE_NS, values, sizeof(values), &err);
	if (ret)
		pr_err("%s: %s", c->name, err.text);
	close(fd);
	c->sock = pair[0];
	return ret;
}

static int console_attach(struct console *c)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;

	sigemptyset(&set);
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	c->signals = signalfd(-1, &set, SFD_CLOEXEC);
	c->status = -1;
	c->terminal = !c->print && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	c->input = !c->print && (c->terminal || !c->read_only);
	if (!c->input)
		shutdown(c->sock, SHUT_WR);
	if (c->terminal)
		pr_err("%s: attached, Ctrl-a x detaches", c->name);
	console_raw(c, true);
	console_serve(c);
	return c->status;
}

static int console_main(const struct command *cmd, int argc, char **argv)
{
	struct console c = { .sock = -1 };
	int status, n = command_parse(cmd, &c, argc, argv, &status);

	if (n < 0)
		return status;
	if (n != 1)
		return command_usage(cmd, n ? "one machine" : "which machine? 'lkvm list' shows them");
	c.name = argv[0];
	return console_connect(&c) ? 1 : console_attach(&c);
}

const struct command command_console = {
	.name = "console",
	.synopsis = "[OPTION...] NAME",
	.summary = "attach to the console of a running machine",
	.about =
	"The command first prints the last 256 KiB of the guest's output. It sends keys\n"
	"to the guest's console. Several may be attached at a time, and one that does\n"
	"not read loses bytes rather than delay the guest. Ctrl-a x detaches, Ctrl-a h\n"
	"lists the other keys. If lkvm runs a command, the kernel's messages are on the\n"
	"console; 'lkvm shell' gives a shell in the guest.\n"
	"\n"
	"Examples:\n"
	"    lkvm console vm                attach; Ctrl-a x detaches\n"
	"    lkvm console -p vm | grep BUG  what the kernel has said until now\n"
	"    lkvm console -r vm >log &      all that it says from now on, too\n",
	.opts = console_opts,
	.usage_status = STATUS_USAGE,
	.fn = console_main,
};
