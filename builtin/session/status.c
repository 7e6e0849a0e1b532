// SPDX-License-Identifier: GPL-2.0
/*
 * The exit status of "lkvm run", from the machine's end, PID 1's report, the kernel's
 * console and the user's doing. It depends only on its argument, so that every case can
 * be tested.
 */
#include <stdarg.h>
#include <stdio.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>
#include <kvm/session.h>

#define STATUS_SIGNAL	128	/* plus the signal, as a shell says it */
#define STATUS_QUIT	(STATUS_SIGNAL + 2)	/* as by Ctrl-C */

static int status_say(char *text, size_t len, int status, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int status_say(char *text, size_t len, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, len, fmt, ap);
	va_end(ap);
	return status;
}

/* As kill -l of the guest, an x86 or arm64 Linux, has them (asm-generic/signal.h). */
static const char *status_signal(int sig, char buf[16])
{
	static const char *const names[] = {
		"signal 0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS",
		"SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM",
		"SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG",
		"SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
	};

	if (sig < (int)ARRAY_SIZE(names))
		return names[sig];
	snprintf(buf, 16, "signal %d", sig);
	return buf;
}

static const char *status_fault(const struct session_outcome *o)
{
	return o->fault ? o->fault : "an oops";
}

/* The guest has said what its status is. */
static int status_own(const struct session_outcome *o, int status, const char *whose,
		      char *text, size_t len)
{
	if (o->oops && o->oops_fail)
		return status_say(text, len, STATUS_PANIC,
				  "the guest's kernel had %s; the status of %s was %d", status_fault(o), whose, status);
	if (o->oops)
		return status_say(text, len, status, "the guest's kernel had %s", status_fault(o));
	if (status >= STATUS_PANIC && status <= STATUS_FAILED)
		return status_say(text, len, status, "the status %d is that of %s", status, whose);
	return status;
}

/* PID 1 says that @sig ended the command. */
static int status_killed(const struct session_outcome *o, int sig, char *text, size_t len)
{
	int status = status_own(o, STATUS_SIGNAL + sig, "the command", text, len);
	char buf[16];

	if (o->oops)
		return status;
	return status_say(text, len, status, "%s was killed by %s",
			  o->command ? "the command" : "the shell", status_signal(sig, buf));
}

int session_decide(const struct session_outcome *o, char *text, size_t len)
{
	bool failed = o->oops && o->oops_fail;

	*text = 0;
	/* First what the guest's kernel says of itself: it is why the rest happened. */
	if (o->panic)
		return status_say(text, len, STATUS_PANIC, "the guest's kernel%s%s panicked",
				  o->release && *o->release ? " " : "", o->release ? o->release : "");
	if (o->oops)
		status_say(text, len, 0, "the guest's kernel had %s", status_fault(o));
	if (o->signal)
		return STATUS_SIGNAL + o->signal;
	if (o->timeout && failed)
		return status_say(text, len, STATUS_PANIC,
				  "the guest's kernel had %s, and then the time of --timeout was over", status_fault(o));
	if (o->timeout)
		return status_say(text, len, STATUS_TIMEOUT, "the time of --timeout is over");
	if (o->quit)
		return o->command ? STATUS_QUIT : 0;
	/* The reason has been said; but a crash may well be why PID 1 could not go on. */
	if (o->report == REPORT_ERROR && failed)
		return STATUS_PANIC;
	if (o->end == VM_FAILED || o->end == VM_RUNNING || o->report == REPORT_ERROR)
		return STATUS_FAILED;
	if (o->report == REPORT_EXIT)
		return status_own(o, o->value & 0xff, "the command", text, len);
	if (o->report == REPORT_SIGNAL)
		return status_killed(o, o->value & 0x7f, text, len);
	if (o->end == VM_SHUTDOWN)
		return status_say(text, len, STATUS_PANIC, "the guest died of a triple fault");
	if (o->end == VM_EXIT)
		return status_own(o, o->exit_port & 0xff, "the guest", text, len);
	/* It has switched itself off, or reset. */
	if (failed)
		return STATUS_PANIC;
	/* The kernel is well, but our PID 1 could not even say what it lacks. */
	if (!o->console && !o->started && o->end == VM_POWEROFF)
		return status_say(text, len, STATUS_FAILED,
				  "the guest switched itself off before its PID 1 was ready");
	if (!o->console && (o->command || !o->started))
		return status_say(text, len, STATUS_PANIC, "the guest %s before %s",
				  o->end == VM_RESET ? "reset itself" : "switched itself off",
				  o->started ? "the command had ended" : "its PID 1 was ready");
	return 0;
}

static const char *session_word(const struct session_outcome *o, int status)
{
	if (o->panic || o->end == VM_SHUTDOWN)
		return "panic";
	if (o->signal || o->quit)
		return "interrupted";
	if (o->oops && o->oops_fail)
		return "oops";
	if (o->timeout)
		return "timeout";
	if (o->end == VM_FAILED || o->end == VM_RUNNING || o->report == REPORT_ERROR)
		return "error";
	if (o->report == REPORT_EXIT || o->report == REPORT_SIGNAL || o->end == VM_EXIT)
		return "exit";
	return status == STATUS_FAILED ? "error" : status == STATUS_PANIC ? "gone" : "exit";
}

int session_outcome_write(int fd, const struct session_outcome *o, int status, const char *text, const char *cause)
{
	return dprintf(fd, "%s %d\n%s%s%s\n", session_word(o, status), status, text, *text && *cause ? ": " : "",
		       cause) < 0 ? -1 : 0;
}
