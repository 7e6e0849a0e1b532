// SPDX-License-Identifier: GPL-2.0
/*
 * Confinement before the first instruction of the guest, by three means: the kernel's
 * no_new_privs and capabilities, Landlock for files, and a filter of system calls for
 * each kind of thread, whose tables are in confine_rules.c.
 *
 * A call that no rule allows raises SIGSYS in its thread. The handler names the call,
 * and the main thread ends the process.
 * With CONFINE_LOG the kernel asks a thread of this file instead, which names the call
 * and lets it be made.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/confine.h>
#include <kvm/log.h>
#include <kvm/seccomp.h>

#include "confine_drop.h"
#include "confine_rules.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP	1	/* si_code of SIGSYS */
#endif

#define CONFINE_FDS	128

struct confine {
	enum confine_mode mode;
	int log_fd;
	void (*end)(void);
	struct threads *threads;
	pid_t pid, main;
	bool entered;
	bool apart;			/* file servers are processes of their own */
	bool server;			/* this is one of these */
	bool filters;			/* the host's kernel has them */
	int listen;			/* epoll of all listeners, or -1 */
	struct seccomp_filter *filter[THREAD_KINDS];
	struct {
		int fd;
		unsigned int what;
	} allowed[CONFINE_FDS];
	unsigned int nr_allowed;
	bool connect, bind;
	bool capable;			/* it has capabilities left */
};

/* For the signal handler, which has nothing else to know its thread by. */
static __thread struct confine_self {
	const struct confine *confine;
	enum thread_kind kind;
} confine_self;

/* Violations */

/* The next functions run in a signal handler: no locks, no stdio. */
static char *confine_text(char *p, const char *end, const char *text)
{
	while (*text && p < end)
		*p++ = *text++;
	return p;
}

static char *confine_number(char *p, const char *end, u64 val, unsigned int base)
{
	char digit[24];
	unsigned int n = 0;

	do
		digit[n++] = "0123456789abcdef"[val % base];
	while (val /= base);
	while (n && p < end)
		*p++ = digit[--n];
	return p;
}

static void confine_report(const struct confine *c, enum thread_kind kind, int nr, const u64 args[6],
			   const char *what)
{
	const char *name = seccomp_call_name(nr);
	char text[512], *p = text, *end = text + sizeof(text) - 2;
	unsigned int i;

	p = confine_text(p, end, "lkvm: confinement: a ");
	p = confine_text(p, end, thread_kind_name(kind));
	p = confine_text(p, end, " thread called ");
	p = confine_text(p, end, name ? name : "system call");
	p = confine_text(p, end, " (");
	p = confine_number(p, end, nr, 10);
	p = confine_text(p, end, ") with");
	for (i = 0; i < 6; i++) {
		p = confine_text(p, end, " 0x");
		p = confine_number(p, end, args[i], 16);
	}
	p = confine_text(p, end, what);
	*p++ = '\n';
	if (write(STDERR_FILENO, text, p - text) < 0 || c->log_fd < 0 ||
	    write(c->log_fd, text, p - text) < 0)
		return;		/* there is nowhere left to say it */
}

/* The main thread ends the process, whatever it is waiting for; the others wait for that. */
static void confine_end(const struct confine *c)
{
	if (syscall(SYS_gettid) == c->main)
		c->end();
	syscall(SYS_tgkill, c->pid, c->main, SIGSYS);
	for (;;)
		syscall(SYS_futex, &c->main, FUTEX_WAIT_PRIVATE, c->main, NULL, NULL, 0);
}

static void confine_signal(int sig, siginfo_t *info, void *context)
{
	const struct confine *c = confine_self.confine;
	u64 args[6];

	if (!c)
		return;
	if (info->si_code == SYS_SECCOMP) {
		arch_syscall_args(context, args);
		confine_report(c, confine_self.kind, info->si_syscall, args,
			       ", which it has no use for: please report this; --confine off runs without");
	}
	confine_end(c);
}

/* CONFINE_LOG: a thread that answers for the kernel */

static void confine_answer(struct confine *c, int fd, enum thread_kind kind)
{
	struct seccomp_notif_resp resp = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct seccomp_notif req = { 0 };
	u64 args[6];

	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &req) < 0)
		return;
	memcpy(args, req.data.args, sizeof(args));
	confine_report(c, kind, req.data.nr, args, "");
	resp.id = req.id;
	ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

static void *confine_listener(void *arg)
{
	struct confine *c = arg;
	struct epoll_event ev;

	prctl(PR_SET_NAME, "confine-log");
	while (epoll_wait(c->listen, &ev, 1, -1) >= 0 || errno == EINTR) {
		int fd = ev.data.u64 & INT32_MAX;

		if (ev.events & EPOLLIN)
			confine_answer(c, fd, ev.data.u64 >> 32);
		else if (ev.events)
			close(fd);	/* its thread has ended */
	}
	return NULL;
}

static int confine_listen(struct confine *c)
{
	pthread_t thread;
	int ret;

	c->listen = epoll_create1(EPOLL_CLOEXEC);
	if (c->listen < 0)
		return -errno;
	ret = -pthread_create(&thread, NULL, confine_listener, c);
	if (!ret)
		pthread_detach(thread);
	return ret;
}

/* Filters */

/* The filter of @kind, compiled when the first thread asks for it. Any thread. 0 or -errno. */
static int confine_filter(struct confine *c, enum thread_kind kind, struct seccomp_filter **out)
{
	/* Reports go out by epoll_ctl(), so a thread that is asked about makes that call. */
	static const struct seccomp_rule log_rules[] = { SECCOMP_CALL(epoll_ctl), SECCOMP_END };
	const struct seccomp_rule self[] = { SECCOMP_EQ(tgkill, 0, c->pid), SECCOMP_END };
	const struct seccomp_rule *tables[CONFINE_TABLES + 2];
	struct seccomp_filter *f, *first = NULL;
	unsigned int nr;
	int ret;

	*out = __atomic_load_n(&c->filter[kind], __ATOMIC_ACQUIRE);
	if (*out)
		return 0;
	nr = confine_rules(kind, (c->connect ? CONFINE_CONNECT : 0) | (c->server ? CONFINE_SERVER : 0) |
			   (c->apart ? 0 : CONFINE_FILES), tables);
	tables[nr++] = self;
	if (c->mode == CONFINE_LOG)
		tables[nr++] = log_rules;
	ret = seccomp_filter_new(&f, arch_audit(), tables, nr,
				 c->mode == CONFINE_LOG ? SECCOMP_DENY_NOTIFY : SECCOMP_DENY_TRAP);
	if (ret)
		return ret;
	*out = f;
	if (__atomic_compare_exchange_n(&c->filter[kind], &first, f, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return 0;
	seccomp_filter_free(f);
	*out = first;
	return 0;
}

/* The first thing that each thread does. */
static void confine_begin(void *obj, enum thread_kind kind)
{
	struct confine *c = obj;
	struct epoll_event ev = { .events = EPOLLIN };
	struct seccomp_filter *f;
	int ret;

	confine_self = (struct confine_self) { c, kind };
	/* The main thread and the keeper make file servers, the spawner their threads. */
	if (c->capable && kind != THREAD_FILES && kind != THREAD_MAIN && kind != THREAD_SPAWNER &&
	    kind != THREAD_KEEPER)
		drop_capabilities(0);
	/* A listener is inherited too, and a thread can have only one. */
	if (!c->filters || (c->mode == CONFINE_LOG && kind == THREAD_SPAWNER))
		return;
	ret = confine_filter(c, kind, &f);
	if (!ret)
		ret = seccomp_enter(f);
	if (ret < 0) {
		pr_err("a %s thread cannot be confined: %s", thread_kind_name(kind), strerror(-ret));
		confine_end(c);
	} else if (c->mode == CONFINE_LOG) {
		ev.data.u64 = (u64)kind << 32 | ret;
		epoll_ctl(c->listen, EPOLL_CTL_ADD, ret, &ev);
	}
}

/* Creation */

int confine_new(struct confine **out, const struct confine_config *cfg)
{
	struct confine *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	c->mode = cfg->mode;
	c->apart = cfg->apart;
	c->log_fd = cfg->log_fd < 0 ? -1 : fcntl(cfg->log_fd, F_DUPFD_CLOEXEC, 3);
	c->end = cfg->end;
	c->listen = -1;
	ret = threads_new(&c->threads, confine_begin, c);
	if (!ret)
		*out = c;
	else if (c->log_fd >= 0)
		close(c->log_fd);
	if (ret)
		free(c);
	return ret;
}

static void confine_forget(struct confine *c)
{
	while (c->nr_allowed)
		close(c->allowed[--c->nr_allowed].fd);
}

void confine_free(struct confine *c)
{
	unsigned int kind;

	threads_free(c->threads);
	confine_forget(c);
	/* The signal handler and the listener stay, and look at @c only while its threads live. */
	for (kind = 0; kind < THREAD_KINDS; kind++)
		seccomp_filter_free(c->filter[kind]);
	confine_self.confine = NULL;
	if (c->listen >= 0)
		return;
	if (c->log_fd >= 0)
		close(c->log_fd);
	free(c);
}

struct threads *confine_threads(struct confine *c)
{
	return c->threads;
}

int confine_allow(struct confine *c, const char *path, unsigned int what)
{
	int fd;

	if (!c || c->entered || c->mode != CONFINE_ON)
		return 0;
	if (c->nr_allowed == CONFINE_FDS)
		return -ENOSPC;
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	c->allowed[c->nr_allowed].fd = fd;
	c->allowed[c->nr_allowed++].what = what;
	return 0;
}

void confine_allow_tcp(struct confine *c, bool connect, bool bind)
{
	if (!c)
		return;
	c->connect |= connect;
	c->bind |= bind;
}

/* Giving up */

static int confine_files(struct confine *c)
{
	int abi = min(landlock_abi(), 7), set, ret = 0;
	const char *missing;
	unsigned int i;

	for (i = 0; (missing = landlock_missing(abi, i)); i++)
		pr_info("confinement: the host does not prevent that %s", missing);
	if (!abi)
		return 0;
	set = landlock_new(abi, c->connect, c->bind);
	if (set < 0)
		return set;
	for (i = 0; !ret && i < c->nr_allowed; i++)
		ret = landlock_allow(set, abi, c->allowed[i].fd, c->allowed[i].what);
	if (!ret)
		ret = landlock_enter(set);
	close(set);
	return ret;
}

static int confine_calls(struct confine *c)
{
	struct sigaction sa = { .sa_sigaction = confine_signal, .sa_flags = SA_SIGINFO };
	int ret = 0;

	if (!seccomp_available(c->mode == CONFINE_LOG ? SECCOMP_DENY_NOTIFY : SECCOMP_DENY_TRAP)) {
		pr_info("confinement: the host has no filters of system calls");
		return 0;
	}
	c->filters = true;
	if (c->mode == CONFINE_LOG)
		ret = confine_listen(c);
	else
		sigaction(SIGSYS, &sa, NULL);
	return ret;
}

/* What the process gives up; @keep are capabilities that stay. 0 or -errno. */
static int confine_process(struct confine *c, u64 keep)
{
	bool traced = drop_is_traced();
	int ret;

	c->entered = true;
	c->pid = getpid();
	c->main = syscall(SYS_gettid);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	ret = c->mode == CONFINE_ON ? confine_files(c) : 0;
	confine_forget(c);
	if (!ret && c->mode == CONFINE_ON) {
		c->capable = drop_capabilities(keep);
		drop_limits();
		drop_inherited();
		/* A debugger that is there already stays; the process is not for others to look into. */
		if (!traced)
			prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	}
	if (!ret && c->mode == CONFINE_ON)
		log_set_confined();
	return ret ? ret : confine_calls(c);
}

static int confine_failed(int err)
{
	pr_err("confinement: %s; --confine off runs without", strerror(-err));
	return err;
}

int confine_enter(struct confine *c)
{
	struct seccomp_filter *f;
	int ret;

	if (c->mode == CONFINE_OFF || c->entered)
		return 0;
	/* gmtime_r() would read the file of the time zone, which nobody here asks for. */
	setenv("TZ", "UTC0", 1);
	tzset();
	ret = confine_process(c, c->apart ? 0 : DROP_FILE_CAPS);
	/* A vCPU's thread then needs no memory of its own for that. */
	if (!ret && c->filters)
		ret = confine_filter(c, THREAD_VCPU, &f);
	if (!ret)
		ret = threads_seal(c->threads);
	if (ret)
		return confine_failed(ret);
	confine_begin(c, THREAD_MAIN);
	return 0;
}

/* A file server in a process of its own */

void confine_forked(struct confine *c, void (*end)(void))
{
	if (!c)
		return;
	confine_forget(c);
	c->log_fd = -1;
	c->connect = c->bind = false;
	c->server = true;
	c->end = end;
}

int confine_keeper(struct confine *c)
{
	int ret;

	if (!c || c->mode != CONFINE_ON)
		return 0;
	ret = confine_process(c, DROP_FILE_CAPS);
	if (ret)
		return confine_failed(ret);
	confine_begin(c, THREAD_KEEPER);
	return 0;
}

int confine_server(struct confine *c)
{
	int ret;

	if (!c || c->mode != CONFINE_ON)
		return 0;
	c->pid = getpid();
	c->main = syscall(SYS_gettid);
	ret = threads_seal(c->threads);
	if (ret)
		return confine_failed(ret);
	confine_begin(c, THREAD_SERVER);
	return 0;
}
