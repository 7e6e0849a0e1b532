// SPDX-License-Identifier: GPL-2.0
/*
 * The host side of a session: see kvm/session.h. It handles the bytes that lkvm has
 * to look at: keys of a terminal (the escape key), the kernel's console (signs of
 * trouble) and the lines on the control port; also signals and the timeout. Main
 * thread; on the main loop once that runs.
 *
 * A byte's way to stdout
 *
 * The command's output takes the short way, as nobody has to look at it:
 *
 *	command -> pipe or pty -> PID 1's pump (builtin/init/relay.c)
 *	-> queue of a virtio console's port (virtio/console.c)
 *	-> lkvm's own descriptor 1 (hw/tty/tty.c, on the queue's thread)
 *
 * The bytes are written from guest memory. If the reader is slow, the request waits
 * in the device, then the driver, PID 1's pump and the command wait. Nothing is
 * lost, and nothing is buffered in lkvm.
 *
 * The kernel's console takes the long way, as lkvm reads along:
 *
 *	kernel -> UART's buffer (hw/chips/serial.c, on a vCPU thread)
 *	-> main loop, a millisecond later -> tty -> pipe (console_out)
 *	-> tty -> relay p->out -> console_filter(): --kmsg, panic, oops, halt, "lkvm console"
 *	-> stdout, if the guest has no PID 1 of ours; else stderr with -v
 *
 * The pipe keeps the serial port ignorant of the session: it has a terminal as any
 * other. At the end some bytes are still in buffers. vm_destroy() has the UART write
 * its rest, and session_status() reads the pipe until it is empty. PID 1 reports
 * the status only after its pumps are empty, and session_reported() drains the
 * virtio console before the machine ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>
#include <kvm/log.h>
#include <kvm/session.h>
#include <kvm/terminal.h>

#include "agent.h"
#include "kmsg.h"
#include "pid1.h"
#include "relay.h"
#include "rest.h"
#include "screen.h"
#include "streams.h"

#define SECOND			(1000ULL * 1000 * 1000)
/* How often a background job checks whether it is in the foreground: there is no signal for that. */
#define FOREGROUND_LOOK_NS	(SECOND / 2)
/* PID 1 may report within it, and then the lines that look like a panic were none. */
#define PANIC_GRACE_NS		SECOND
/* Lines of the console that are shown when something went wrong. */
#define LAST_LINES		25

struct session_private {
	struct session *s;
	struct session_config cfg;
	struct session_guest guest;	/* of cfg, if it goes on */
	const char *conf;		/* for a guest that waits */
	size_t conf_len;
	bool tty;			/* the command's terminal has a port */
	const struct session_ops *ops;
	void *obj;
	struct loop *loop;		/* while started */

	struct relay in, out;		/* to the console or the tty port; from the console */
	struct escape escape;
	bool breaks;			/* the next key is sent after a BREAK */
	int terminal;			/* descriptor of the terminal that is read, or -1 */
	struct timer look;

	struct pid1 pid1;
	struct work drained;

	struct kmsg kmsg;
	bool halted;			/* the kernel has stopped, and so the machine is ended */
	int kmsg_fd;			/* --kmsg, or -1 */
	int outcome_fd;			/* --outcome, or -1 */
	bool booted;			/* and something was printed since */
	size_t boot_end;		/* kmsg.total before that */

	sigset_t signals, old_mask;
	int signal_fd;
	struct watch signal_watch;
	struct timer timeout;
	u64 deadline;			/* 0: none, or not started */
	struct timer panic;		/* the end, some time after a panic */
	bool panic_due;

	struct session_outcome outcome;
	bool ending;
	bool waited;			/* PID 1 waits for a command */
	struct rest rest;
	bool died;			/* ops->died() was called */
	const struct splat *judged;	/* the report that outcome.fault is, or NULL */
	bool went_on;			/* to PID 1's report, whatever the console said */
	int console_out[2], keys[2], control_fd[2];
	char console[32], device[384];
};

static int session_errno(const char *what)
{
	int err = -errno;

	pr_err("%s: %s", what, strerror(-err));
	return err;
}

static void session_end(struct session_private *p)
{
	if (!p->ending)
		p->ops->end(p->obj);
	p->ending = true;
}

static void session_drained(struct work *w)
{
	struct session_private *p = container_of(w, struct session_private, drained);

	/* A kernel that has panicked runs no PID 1: a line that looked like a panic was none. */
	p->went_on = true;
	pid1_say(&p->pid1, "bye");
	session_end(p);
}

/* PID 1 has reported: end the machine once all earlier output has been written. */
static void session_reported(void *obj)
{
	struct session_private *p = obj;

	p->ops->drain(p->obj, &p->drained);
}

/* PID 1 waits for a command: that is all that was wanted, or is the way it was. */
static void session_waits(void *obj)
{
	struct session_private *p = obj;

	if (p->cfg.wait && !p->ending) {
		p->waited = true;
		p->ops->waits(p->obj);
		session_end(p);
	}
}

/* Keys */

static void terminal_suspend(struct session_private *p)
{
	if (p->terminal >= 0) {
		terminal_restore();
		log_set_raw(false);
	}
	/* The guest's clock goes on, and its watchdogs are told of the pause. */
	p->ops->hold(p->obj, true);
	raise(SIGSTOP);
	/* Here again after SIGCONT, which is in the signalfd too. */
	p->ops->hold(p->obj, false);
}

static void session_help(void)
{
	static const char text[] = "\r\n"
		"Ctrl-a x   end the machine\r\n"
		"Ctrl-a b   a BREAK, and the next key, to the guest's serial console: SysRq\r\n"
		"Ctrl-a z   suspend lkvm, the guest stands still\r\n"
		"Ctrl-a a   send Ctrl-a to the guest\r\n"
		"Ctrl-a h   this help\r\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return;
}

/* The key after "Ctrl-a b": of a SysRq. */
static void session_break(struct session_private *p, char key)
{
	int ret = p->ops->brk(p->obj, key);

	p->breaks = false;
	if (ret)
		pr_warn("no BREAK: %s", ret == -ENOTCONN ? "the guest does not listen on its serial console" :
			"there is no serial console");
}

static size_t keys_filter(void *obj, char *buf, size_t len)
{
	struct session_private *p = obj;
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		bool escaped = p->escape.pressed;

		if (p->breaks) {
			session_break(p, buf[i]);
			continue;
		}
		switch (escape_key(&p->escape, buf[i])) {
		case ESCAPE_PASS:
			buf[kept++] = escaped ? ESCAPE_KEY : buf[i];
			break;
		case ESCAPE_EXIT:
			p->outcome.quit = true;
			session_end(p);
			break;
		case ESCAPE_HELP:
			session_help();
			break;
		case ESCAPE_BREAK:
			p->breaks = true;
			break;
		case ESCAPE_SUSPEND:
			terminal_suspend(p);
			break;
		case ESCAPE_DROP:
			break;
		}
	}
	return kept;
}

/* The reader of the pipe sees it. */
static void input_eof(void *obj)
{
	struct session_private *p = obj;

	relay_end(&p->in);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The terminal is ours to read and change, or it is not at the moment. */
static void terminal_update(struct session_private *p)
{
	bool ours = terminal_is_foreground(p->terminal);

	if (ours) {
		terminal_raw(p->terminal);
		log_set_raw(isatty(STDERR_FILENO));
	}
	relay_pause(&p->in, !ours);
	if (!ours)
		loop_timer(p->loop, &p->look, loop_now() + FOREGROUND_LOOK_NS);
}

static void terminal_look(struct timer *t)
{
	terminal_update(container_of(t, struct session_private, look));
}

static void terminal_resized(struct session_private *p)
{
	struct session *s = p->s;
	char line[32];

	if (p->terminal < 0 || terminal_size(p->terminal, &s->rows, &s->cols))
		return;
	p->ops->resize(p->obj, s->rows, s->cols);
	snprintf(line, sizeof(line), "winsize %u %u", s->rows, s->cols);
	pid1_say(&p->pid1, line);
}

/* Signals */

static void signal_event(struct watch *w, u32 events)
{
	struct session_private *p = container_of(w, struct session_private, signal_watch);
	struct signalfd_siginfo info;

	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGWINCH:
		terminal_resized(p);
		break;
	case SIGTSTP:
		terminal_suspend(p);
		break;
	case SIGCONT:
		if (p->terminal >= 0) {
			loop_timer_cancel(p->loop, &p->look);
			terminal_update(p);
			terminal_resized(p);
		}
		break;
	default:
		p->outcome.signal = info.ssi_signo;
		session_end(p);
	}
}

/* Before any thread, which inherits the mask: they come to signal_fd only. */
static int signals_open(struct session_private *p)
{
	static const int signals[] = {
		SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGXCPU, SIGWINCH, SIGTSTP, SIGCONT,
	};
	struct sigaction old;

	sigemptyset(&p->signals);
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++) {
		/* nohup, and a shell's "&", have them ignored: a signalfd would not. */
		sigaction(signals[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaddset(&p->signals, signals[i]);
	}
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &p->signals, &p->old_mask);
	p->signal_fd = signalfd(-1, &p->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signal_fd < 0 ? session_errno("signalfd") : 0;
}

static void timeout_due(struct timer *t)
{
	struct session_private *p = container_of(t, struct session_private, timeout);

	p->outcome.timeout = true;
	if (!p->ending) {
		terminal_restore();
		log_set_raw(false);
		p->ops->dump(p->obj);
	}
	session_end(p);
}

/* The kernel's console */

static void stderr_line(void *obj, const char *text, size_t len)
{
	char line[KMSG_LINE + 2];

	memcpy(line, text, len);
	/* A terminal in raw mode needs both, and no other minds in the middle of kernel messages. */
	if (isatty(STDERR_FILENO))
		line[len++] = '\r';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

static void console_line(void *obj, const char *text, size_t len)
{
	struct session_private *p = obj;

	if (p->cfg.verbose && !p->cfg.console)
		stderr_line(NULL, text, len);
	pid1_console(&p->pid1, text);
	/* "halt -f": the processors stop for good, and this line is the only sign. */
	if (kmsg_is_halt(text)) {
		p->halted = true;
		session_end(p);
	}
}

static size_t console_filter(void *obj, char *buf, size_t len)
{
	struct session_private *p = obj;

	if (p->kmsg_fd >= 0 && write(p->kmsg_fd, buf, len) < 0 && errno != EAGAIN) {
		pr_err("%s: %s", p->cfg.kmsg, strerror(errno));
		close_fd(&p->kmsg_fd);
	}
	if (p->pid1.started && !p->booted) {
		p->booted = true;
		p->boot_end = p->kmsg.total;
	}
	screen_put(p->s->screen, buf, len);
	kmsg_feed(&p->kmsg, buf, len);
	if (p->kmsg.told && !p->died && !p->ending) {
		p->died = true;
		p->ops->died(p->obj);
	}
	/* A kernel that hangs after its panic: with a command, nobody watches it, so end it. */
	if (p->kmsg.panic_over && p->cfg.command && !p->ending && !p->panic_due) {
		p->panic_due = true;
		loop_timer(p->loop, &p->panic, loop_now() + PANIC_GRACE_NS);
	}
	return len;
}

static void panic_due(struct timer *t)
{
	session_end(container_of(t, struct session_private, panic));
}

/* Opening */

static int session_open_control(struct session_private *p)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->control_fd) < 0)
		return session_errno("socketpair");
	return pid1_open(&p->pid1, p->control_fd[0]);
}

/* The relay of what is typed or piped in, to @to, a pipe for a device to read. */
static int session_open_input(struct session_private *p, int to)
{
	int ret = relay_open(&p->in, STDIN_FILENO, to);

	p->in.eof = input_eof;
	if (p->terminal >= 0) {
		p->in.filter = keys_filter;
		p->in.lossy = true;
		p->in.paused = true;	/* until the terminal is raw */
	}
	return ret;
}

static int session_open_console(struct session_private *p)
{
	int screen = p->cfg.console && !stream_is_null(STDOUT_FILENO) ? STDOUT_FILENO : -1;
	int ret;

	ret = screen_new(&p->s->screen);
	if (ret || pipe2(p->console_out, O_CLOEXEC) < 0)
		return session_errno("pipe");
	ret = relay_open(&p->out, p->console_out[0], screen);
	if (ret)
		return ret;
	p->out.filter = console_filter;
	snprintf(p->console, sizeof(p->console), "fd:%d:%d", screen_in(p->s->screen), p->console_out[1]);
	p->s->console = p->console;
	return p->cfg.console ? session_open_input(p, screen_keys(p->s->screen)) : 0;
}

/* O_NONBLOCK: what a FIFO or a terminal does not take is lost, and the guest goes on. */
static int session_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
}

static int session_open_all(struct session_private *p)
{
	struct session *s = p->s;
	int ret;

	ret = streams_fill(p->cfg.no_stdin);
	if (ret)
		return ret;
	ret = signals_open(p);
	if (ret)
		return ret;
	/* A guest that waits for a command has no streams yet, and gets those that there are then. */
	streams_choose(s, p->cfg.wait || (p->cfg.guest && !p->guest.waits) ? &p->guest : NULL);
	/* Of a guest that goes on: its terminal, if it has one, may be a pipe now. */
	p->tty = p->cfg.wait || (p->cfg.guest && !p->guest.waits) ? p->guest.tty : isatty(STDIN_FILENO);
	if (isatty(STDIN_FILENO) && (p->tty || p->cfg.console)) {
		p->terminal = STDIN_FILENO;
		terminal_size(p->terminal, &s->rows, &s->cols);
	}
	if (p->cfg.kmsg && (p->kmsg_fd = session_file(p->cfg.kmsg)) < 0)
		return session_errno(p->cfg.kmsg);
	if (p->cfg.outcome && (p->outcome_fd = session_file(p->cfg.outcome)) < 0)
		return session_errno(p->cfg.outcome);
	if (!p->cfg.console || p->cfg.init) {
		p->kmsg.line = console_line;
		p->kmsg.obj = p;
	}
	ret = session_open_console(p);
	if (ret || p->cfg.console)
		return ret;
	if (p->tty) {
		if (pipe2(p->keys, O_CLOEXEC) < 0)
			return session_errno("pipe");
		ret = session_open_input(p, p->keys[1]);
		/* The relay has its own: the pipe ends when that is closed. */
		close_fd(&p->keys[1]);
		if (ret)
			return ret;
	}
	ret = session_open_control(p);
	if (ret)
		return ret;
	if (!p->cfg.init && agent_new(&s->agent))
		return session_errno("the agent's port");
	streams_ports(s, &(struct streams){
		.keys = p->keys[0], .agent = agent_port(s->agent), .control = p->control_fd[1], .all = p->cfg.wait || p->guest.waits,
	}, p->device, sizeof(p->device));
	s->device = p->device;
	return 0;
}

int session_open(struct session *s, const struct session_config *cfg)
{
	struct session_private *p = calloc(1, sizeof(*p));
	int i;

	*s = (struct session) { .priv = p };
	if (!p) {
		pr_err("session: out of memory");
		return -ENOMEM;
	}
	p->s = s;
	p->cfg = *cfg;
	if (cfg->guest)
		p->guest = *cfg->guest;
	p->terminal = p->kmsg_fd = p->outcome_fd = p->signal_fd = -1;
	for (i = 0; i < 2; i++)
		p->console_out[i] = p->keys[i] = p->control_fd[i] = -1;
	p->signal_watch.fn = signal_event;
	p->timeout.fn = timeout_due;
	p->panic.fn = panic_due;
	p->look.fn = terminal_look;
	p->in.obj = p->out.obj = p;
	p->pid1 = (struct pid1) { .s = s, .other = cfg->init, .reported = session_reported,
				  .waits = session_waits, .obj = p };
	p->outcome.console = cfg->console;
	p->outcome.command = cfg->command;
	p->outcome.oops_fail = cfg->oops_fail;
	return session_open_all(p);
}

int session_kmsg(const struct session *s)
{
	return s->priv->kmsg_fd;
}

int session_start(struct session *s, struct loop *loop, const struct session_ops *ops, void *obj)
{
	struct session_private *p = s->priv;
	int ret;

	p->ops = ops;
	p->obj = obj;
	p->loop = loop;
	p->ending = p->booted = false;
	p->drained = (struct work) { .fn = session_drained };
	p->signal_watch.fd = p->signal_fd;
	ret = loop_add(loop, &p->signal_watch, EPOLLIN);
	if (ret) {
		p->loop = NULL;
		pr_err("session: signals: %s", strerror(-ret));
		return ret;
	}
	if (p->cfg.timeout && !p->deadline)
		p->deadline = loop_now() + p->cfg.timeout * SECOND;
	if (p->deadline)
		loop_timer(loop, &p->timeout, p->deadline);
	relay_start(&p->in, loop);
	relay_start(&p->out, loop);
	screen_attach(s->screen, loop);
	pid1_start(&p->pid1, loop);
	if (p->cfg.guest)
		pid1_resume(&p->pid1, &p->guest, p->conf, p->conf_len);
	if (p->terminal >= 0) {
		terminal_update(p);
		terminal_resized(p);
	}
	return 0;
}

/* How long a reader of stdout may take for the guest's last output: ns, -1: forever. */
static s64 session_patience(const struct session_private *p)
{
	u64 now = loop_now();

	if (p->outcome.timeout || p->outcome.signal || p->outcome.quit)
		return 0;
	if (!p->deadline)
		return -1;
	return p->deadline > now ? (s64)(p->deadline - now) : 0;
}

/* Read the guest's last output from our pipes, unless lkvm has to end at once. */
static void session_read_rest(struct session_private *p)
{
	struct relay *r = &p->out;
	s64 ns;

	p->rest.serve = p->s->rest;
	p->rest.obj = p->s->rest_obj;
	for (;;) {
		u64 before = r->moved;

		relay_run(r);
		if (!r->len) {
			if (r->moved == before)
				break;
			continue;
		}
		ns = session_patience(p);
		if (!ns)
			break;
		if (!rest_wait(&p->rest, STDOUT_FILENO, p->signal_fd, max(ns, (s64)0))) {
			p->outcome.timeout |= p->deadline && loop_now() >= p->deadline;
			break;
		}
	}
	pid1_read_rest(&p->pid1);
}

void session_leave(struct session *s)
{
	struct session_private *p = s->priv;

	if (!p->loop)
		return;
	p->ending = true;	/* there is nothing left to end */
	loop_del(p->loop, &p->signal_watch);
	loop_timer_cancel(p->loop, &p->timeout);
	loop_timer_cancel(p->loop, &p->panic);
	loop_timer_cancel(p->loop, &p->look);
	relay_stop(&p->in);
	relay_stop(&p->out);
	pid1_leave(&p->pid1);
	agent_leave(s->agent, "the machine has ended, or starts again");
	screen_attach(s->screen, NULL);
	session_read_rest(p);
	p->loop = NULL;
}

int session_stop(struct session *s)
{
	return pid1_stop(&s->priv->pid1);
}

void session_conf(struct session *s, const char *conf, size_t len)
{
	s->priv->conf = conf;
	s->priv->conf_len = len;
}

void session_guest_now(const struct session *s, struct session_guest *guest)
{
	const struct session_private *p = s->priv;

	session_guest(s, &p->cfg, guest);
	guest->tty = p->tty;
	guest->started = p->pid1.started;
	guest->waits = p->waited;
}

void session_kill(struct session *s)
{
	s->priv->outcome.signal = SIGTERM;
	session_end(s->priv);
	if (s->priv->rest.loop)
		loop_stop(s->priv->rest.loop);
}

bool session_died(const struct session *s, enum vm_end end)
{
	const struct session_private *p = s->priv;

	if (p->went_on)
		return p->kmsg.oops || p->pid1.oops;
	return p->outcome.timeout || p->kmsg.panic || p->kmsg.oops || p->pid1.oops || end == VM_PANIC ||
	       end == VM_SHUTDOWN || end == VM_FAILED ||
	       (end == VM_RESET && p->cfg.command && p->pid1.report == REPORT_NONE);
}

bool session_reboot(const struct session *s)
{
	const struct session_outcome *o = &s->priv->outcome;

	/* A kernel that resets before PID 1 is ready would do so for ever. */
	return !s->priv->cfg.command && (o->console || s->priv->pid1.started) && !o->panic && !s->priv->kmsg.panic && !o->timeout &&
	       !o->quit && !o->signal && s->priv->pid1.report == REPORT_NONE;
}

static const char *const session_faults[] = {
	[FAULT_PANIC] = "a panic", [FAULT_OOPS] = "an oops", [FAULT_WARN] = "a WARNING",
	[FAULT_UBSAN] = "a UBSAN report", [FAULT_LOCKDEP] = "a lockdep report", [FAULT_RCU] = "an RCU stall",
	[FAULT_HUNG] = "a hung task", [FAULT_LOCKUP] = "a lockup",
};

/* One of those that the user does not accept: it is as an oops. Others are only told. */
static void session_judge(struct session_private *p)
{
	struct session_outcome *o = &p->outcome;
	char text[SPLAT_TEXT_MAX];

	for (unsigned int i = FAULT_WARN; i < FAULT_CLASSES; i++) {
		const struct splat *splat = &p->kmsg.splats.of[i];

		if (!splat->count || o->panic)
			continue;
		if (p->cfg.fails & 1U << i && !(o->oops && o->oops_fail)) {
			o->oops = o->oops_fail = true;
			o->fault = session_faults[i];
			p->judged = splat;
			continue;
		}
		splat_text(splat, text);
		if (splat->count > 1)
			pr_warn("the guest's kernel had %s, %u times, first: %s", session_faults[i], splat->count, text);
		else
			pr_warn("the guest's kernel had %s: %s", session_faults[i], text);
	}
}

/* The same line whenever the same happens: for those who sort reports. */
static void session_fingerprint(const struct session_private *p)
{
	const struct splat *of = p->kmsg.splats.of;
	char text[SPLAT_TEXT_MAX];

	splat_text(p->judged ? p->judged : of[FAULT_OOPS].count ? &of[FAULT_OOPS] : &of[FAULT_PANIC], text);
	if (*text && (p->outcome.panic || p->outcome.oops))
		pr_err("fingerprint: %s", text);
}

int session_status(struct session *s, enum vm_end end, int status)
{
	struct session_private *p = s->priv;
	struct session_outcome *o = &p->outcome;
	char text[256];
	int ret;

	/* The serial port has handed over its last bytes as the machine went. */
	session_read_rest(p);
	terminal_restore();
	log_set_raw(false);
	kmsg_end(&p->kmsg);
	o->end = p->halted ? VM_POWEROFF : end;
	o->exit_port = status;
	o->panic |= (p->kmsg.panic && !p->went_on) || end == VM_PANIC;
	o->release = s->release;
	o->oops |= p->kmsg.oops || p->pid1.oops;
	session_judge(p);
	o->started = p->pid1.started;
	o->report = p->pid1.report;
	o->value = p->pid1.value;
	ret = session_decide(o, text, sizeof(text));
	if (p->outcome_fd >= 0 &&
	    session_outcome_write(p->outcome_fd, o, ret, text, o->panic || o->oops ? p->kmsg.cause : ""))
		pr_err("%s: %s", p->cfg.outcome, strerror(errno));
	if (!*text)
		return ret;
	/* Messages of the boot do not explain a later power-off or reset: leave them out. */
	if (o->started && !o->panic && !o->oops && (end == VM_RESET || end == VM_POWEROFF))
		p->kmsg.from = p->booted ? p->boot_end : p->kmsg.total;
	/* A user who has just seen the console need not see it again. */
	if ((o->panic || o->oops || ret == STATUS_PANIC || ret == STATUS_TIMEOUT) &&
	    !p->cfg.console && !p->cfg.verbose && p->kmsg.total != p->kmsg.from) {
		pr_err("the last lines of the guest's kernel:");
		kmsg_last(&p->kmsg, LAST_LINES, stderr_line, NULL);
	}
	if (*p->kmsg.cause && (o->panic || (o->oops && !p->kmsg.panic && !o->fault)))
		pr_err("%s: %s", text, p->kmsg.cause);
	else
		pr_err("%s", text);
	session_fingerprint(p);
	return ret;
}

void session_abort(void)
{
	terminal_restore();
	_exit(STATUS_FAILED);
}

void session_close(struct session *s)
{
	struct session_private *p = s->priv;

	if (!p)
		return;
	if (p->loop)
		session_leave(s);
	terminal_restore();
	log_set_raw(false);
	relay_close(&p->in);
	relay_close(&p->out);
	pid1_close(&p->pid1);
	agent_free(s->agent);
	screen_free(s->screen);
	for (int i = 0; i < 2; i++) {
		close_fd(&p->console_out[i]);
		close_fd(&p->keys[i]);
		close_fd(&p->control_fd[i]);
	}
	close_fd(&p->kmsg_fd);
	close_fd(&p->outcome_fd);
	if (p->signal_fd >= 0) {
		close_fd(&p->signal_fd);
		pthread_sigmask(SIG_SETMASK, &p->old_mask, NULL);
	}
	free(p);
	s->priv = NULL;
}
