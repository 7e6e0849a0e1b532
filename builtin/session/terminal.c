// SPDX-License-Identifier: GPL-2.0
/*
 * Raw mode of the terminal, restored whatever happens, and the escape key: see
 * kvm/terminal.h. Main thread; terminal_restore() also in signal handlers.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/terminal.h>

/*
 * The process has one terminal, and neither a signal handler nor exit() can be
 * passed an argument. So this state is at file scope.
 */
static struct {
	volatile sig_atomic_t raw;
	int fd;
	struct termios saved;
	bool prepared;
} terminal;

/* tcsetattr() by a job in the background would stop it, except with SIGTTOU blocked. */
static int terminal_set(int fd, const struct termios *tio)
{
	sigset_t set, old;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	do
		ret = tcsetattr(fd, TCSANOW, tio) < 0 ? -errno : 0;
	while (ret == -EINTR);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

void terminal_restore(void)
{
	int err = errno;

	if (terminal.raw)
		terminal_set(terminal.fd, &terminal.saved);
	terminal.raw = false;
	errno = err;
}

static void terminal_died(int sig)
{
	terminal_restore();
	raise(sig);		/* SA_RESETHAND: the default action now, after our return */
}

/* For what ends a process and is not caught elsewhere, unless somebody (a sanitizer) listens already. */
static void terminal_prepare(void)
{
	static const int fatal[] = {
		SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGALRM, SIGVTALRM,
		SIGPROF, SIGUSR1, SIGUSR2, SIGIO, SIGPWR, SIGSTKFLT,
	};
	struct sigaction sa = { .sa_handler = terminal_died, .sa_flags = SA_RESETHAND }, old;

	for (unsigned int i = 0; i < ARRAY_SIZE(fatal); i++)
		if (!sigaction(fatal[i], NULL, &old) && old.sa_handler == SIG_DFL)
			sigaction(fatal[i], &sa, NULL);
	atexit(terminal_restore);
	terminal.prepared = true;
}

int terminal_raw(int fd)
{
	struct termios tio;

	if (tcgetattr(fd, &tio) < 0)
		return -errno;
	if (!terminal.prepared)
		terminal_prepare();
	if (!terminal.raw) {
		terminal.saved = tio;
		terminal.fd = fd;
		terminal.raw = true;
	}
	cfmakeraw(&tio);
	return terminal_set(fd, &tio);
}

bool terminal_is_foreground(int fd)
{
	pid_t group = tcgetpgrp(fd);

	/* A terminal that is not our controlling one stops nobody. */
	return group < 0 || group == getpgrp();
}

int terminal_size(int fd, u16 *rows, u16 *cols)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) < 0 || !ws.ws_row || !ws.ws_col)
		return -ENOTTY;
	*rows = ws.ws_row;
	*cols = ws.ws_col;
	return 0;
}

enum escape_action escape_key(struct escape *e, char c)
{
	if (!e->pressed) {
		e->pressed = c == ESCAPE_KEY;
		return e->pressed ? ESCAPE_DROP : ESCAPE_PASS;
	}
	e->pressed = false;
	switch (c) {
	case 'x':
	case 'X':
		return ESCAPE_EXIT;
	case 'b':
	case 'B':
		return ESCAPE_BREAK;
	case 'z':
	case 'Z':
		return ESCAPE_SUSPEND;
	case 'a':
	case ESCAPE_KEY:
		return ESCAPE_PASS;	/* one Ctrl-a, which the caller sends */
	}
	return ESCAPE_HELP;
}
