// SPDX-License-Identifier: GPL-2.0
/* The lines from and to the guest's PID 1: see pid1.h. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/tty.h>

#include "pid1.h"

/* Lines that come from the guest, for a person's eyes. */
static void pid1_clean(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '.';
}

void pid1_say(struct pid1 *p, const char *line)
{
	struct iovec iov[] = {
		{ .iov_base = (char *)line, .iov_len = strlen(line) },
		{ .iov_base = "\n", .iov_len = 1 },
	};
	struct iov_iter i;

	iov_iter_init(&i, iov, ARRAY_SIZE(iov));
	if (p->tty)
		tty_write(p->tty, &i, iov[0].iov_len + 1);	/* a guest that does not listen need not know */
}

static void pid1_report(struct pid1 *p, enum session_report report, int value)
{
	if (p->report != REPORT_NONE)
		return;
	p->report = report;
	p->value = value;
	p->s->report_at = loop_now();
	p->reported(p->obj);
}

/* The rest of @line behind the word @word and a space, or NULL. */
static char *pid1_word(char *line, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(line, word, len) || (line[len] && line[len] != ' '))
		return NULL;
	return line + len + (line[len] == ' ');
}

static void pid1_time(struct pid1 *p)
{
	struct timespec ts;
	char line[48];

	clock_gettime(CLOCK_REALTIME, &ts);
	snprintf(line, sizeof(line), "time %lld %ld", (long long)ts.tv_sec, ts.tv_nsec);
	pid1_say(p, line);
}

static void pid1_line(struct pid1 *p, char *line)
{
	unsigned long long init, ready;
	char *arg;
	int n;

	pid1_clean(line);
	if ((arg = pid1_word(line, "ready"))) {
		p->started = true;
		p->s->ready_at = loop_now();
		if (sscanf(arg, "%llu %llu", &init, &ready) == 2) {
			p->s->init_ns = init;
			p->s->ready_ns = ready;
		}
		if (p->stop)
			pid1_say(p, "stop");
	} else if (pid1_word(line, "waiting")) {
		p->waits(p->obj);
	} else if (pid1_word(line, "time")) {
		pid1_time(p);
	} else if ((arg = pid1_word(line, "note"))) {
		log_limited(&p->limit, LOG_WARNING, "guest: %s", arg);
	} else if ((arg = pid1_word(line, "error"))) {
		if (p->report == REPORT_NONE)
			pr_err("guest: %s", arg);
		pid1_report(p, REPORT_ERROR, 0);
	} else if (pid1_word(line, "oops")) {
		p->oops = true;
	} else if ((arg = pid1_word(line, "exit")) && sscanf(arg, "%d", &n) == 1) {
		pid1_report(p, REPORT_EXIT, n);
	} else if ((arg = pid1_word(line, "signal")) && sscanf(arg, "%d", &n) == 1) {
		pid1_report(p, REPORT_SIGNAL, n);
	} else {
		log_limited(&p->limit, LOG_WARNING, "the guest's PID 1 says \"%.40s\", which means nothing",
			    line);
	}
}

void pid1_console(struct pid1 *p, const char *text)
{
	const char *stamp = *text == '[' ? strstr(text, "] ") : NULL;
	char line[GUEST_LINE_MAX];

	if ((!p->tty && !p->other) || p->started || p->report != REPORT_NONE)
		return;
	if (stamp)
		text = stamp + 2;
	if (strncmp(text, GUEST_CONSOLE, strlen(GUEST_CONSOLE)))
		return;
	snprintf(line, sizeof(line), "%s", text + strlen(GUEST_CONSOLE));
	/* On the console that is stdout the user has read it. */
	if (p->other && pid1_word(line, "error"))
		p->report = REPORT_ERROR;
	if (p->other)
		return;
	if (pid1_word(line, "note") || pid1_word(line, "error"))
		pid1_line(p, line);
}

static void pid1_bytes(struct pid1 *p, const char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] == '\n') {
			p->line[p->line_len] = 0;
			if (!p->line_bad)
				pid1_line(p, p->line);
			p->line_len = 0;
			p->line_bad = false;
		} else if (p->line_len == sizeof(p->line) - 1) {
			p->line_bad = true;
		} else {
			p->line[p->line_len++] = buf[i];
		}
	}
}

static void pid1_readable(void *obj)
{
	struct pid1 *p = obj;
	char buf[1024];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct iov_iter i;
	ssize_t n;

	/* One piece at a time: a guest that talks without end must not hold the loop. */
	iov_iter_init(&i, &iov, 1);
	n = tty_read(p->tty, &i, sizeof(buf));
	if (n > 0)
		pid1_bytes(p, buf, n);
}

static const struct tty_ops pid1_ops = { .readable = pid1_readable };

int pid1_open(struct pid1 *p, int fd)
{
	int room = 2 * SESSION_CONF_MAX;
	char spec[32];

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));

	snprintf(spec, sizeof(spec), "fd:%d", fd);
	return tty_open(&p->tty, spec, NULL, &pid1_ops, p);
}

void pid1_start(struct pid1 *p, struct loop *loop)
{
	struct session *s = p->s;

	p->report = REPORT_NONE;
	p->started = p->stop = p->line_bad = false;
	p->line_len = 0;
	s->init_ns = s->ready_ns = s->ready_at = s->report_at = 0;
	if (!p->tty)
		return;
	tty_attach(p->tty, loop);
	tty_want_read(p->tty, true);
}

void pid1_resume(struct pid1 *p, const struct session_guest *guest, const char *conf, size_t len)
{
	struct iovec iov = { .iov_base = (char *)conf, .iov_len = len };
	struct iov_iter i;
	char line[48];

	p->started = guest->started;
	if (!p->tty)
		return;
	if (!guest->waits) {
		/* The guest's clock is where it stopped. */
		if (guest->started)
			pid1_time(p);
		return;
	}
	snprintf(line, sizeof(line), "conf %zu", len);
	pid1_say(p, line);
	iov_iter_init(&i, &iov, 1);
	tty_write(p->tty, &i, len);	/* the socket has room for SESSION_CONF_MAX */
}

void pid1_leave(struct pid1 *p)
{
	if (p->tty)
		tty_detach(p->tty);
}

void pid1_read_rest(struct pid1 *p)
{
	for (int i = 0; p->tty && i < 64; i++)
		pid1_readable(p);
}

int pid1_stop(struct pid1 *p)
{
	if (!p->tty)
		return -ENOTSUP;
	p->stop = true;
	if (p->started)
		pid1_say(p, "stop");
	return 0;
}

void pid1_close(struct pid1 *p)
{
	if (p->tty)
		tty_close(p->tty);
	p->tty = NULL;
}
