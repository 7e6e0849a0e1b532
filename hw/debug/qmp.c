// SPDX-License-Identifier: GPL-2.0
/*
 * QMP for drgn: see kvm/qmp.h. The protocol: QEMU, docs/interop/qmp-spec.rst; its commands:
 * qapi/dump.json, qapi/misc.json; what drgn does with the monitor's text is in its
 * documentation of --qemu. One object a line. A client that breaks a rule, or does not read, loses
 * its connection.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/dump.h>
#include <kvm/loop.h>
#include <kvm/memory.h>
#include <kvm/qmp.h>
#include <kvm/socket_fds.h>
#include <kvm/vm.h>

#include "gdb_socket.h"
#include "json.h"

#define QMP_LINE	4096		/* bytes of a request */
#define QMP_REPLY	(64 * 1024)	/* of a reply */
#define QMP_XP_MAX	4096		/* bytes that are read at a time */
#define QMP_NAME	64		/* of a descriptor */

struct qmp {
	char *path;
	const char *version;
	struct vm *vm;			/* while started */
	struct watch listen, peer;	/* fd -1: nobody is connected */
	int fd;				/* that has come and has no name yet, or -1 */
	int named;			/* getfd: -1: none */
	char name[QMP_NAME];
	size_t len, reply_len;
	char line[QMP_LINE];
	char reply[QMP_REPLY];
};

static void qmp_fd(int *fd, int with)
{
	if (*fd >= 0)
		close(*fd);
	*fd = with;
}

static void qmp_drop(struct qmp *q)
{
	if (q->peer.fd < 0)
		return;
	if (q->vm)
		loop_del(q->vm->loop, &q->peer);
	qmp_fd(&q->peer.fd, -1);
	qmp_fd(&q->fd, -1);
	qmp_fd(&q->named, -1);
	q->len = 0;
}

/* Replies */

static void qmp_add(struct qmp *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void qmp_add(struct qmp *q, const char *fmt, ...)
{
	size_t room = sizeof(q->reply) - q->reply_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(q->reply + q->reply_len, room, fmt, ap);
	va_end(ap);
	q->reply_len += min((size_t)max(n, 0), room - 1);
}

static bool qmp_send(struct qmp *q)
{
	ssize_t n;

	qmp_add(q, "\r\n");
	n = send(q->peer.fd, q->reply, q->reply_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n == (ssize_t)q->reply_len;
}

/* @text is of this file, or printable: nothing in it needs an escape. */
static void qmp_fail(struct qmp *q, const char *class, const char *text)
{
	q->reply_len = 0;
	qmp_add(q, "{\"error\":{\"class\":\"%s\",\"desc\":\"%s\"}}", class, text);
}

static void qmp_greet(struct qmp *q)
{
	q->reply_len = 0;
	qmp_add(q, "{\"QMP\":{\"version\":{\"qemu\":{\"major\":8,\"minor\":0,\"micro\":0},\"package\":\"lkvm %s\"},\"capabilities\":[]}}",
		q->version);
}

/* The monitor */

static int qmp_region(void *obj, const struct mem_region *r)
{
	if (r->use == MEM_RAM || r->use == MEM_PLUGGABLE)
		qmp_add(obj, "  %016" PRIx64 "-%016" PRIx64 " (prio 0, ram): ram\\r\\n", (uint64_t)r->gpa,
			(uint64_t)(r->gpa + r->len - 1));
	return 0;
}

static void qmp_mtree(struct qmp *q)
{
	qmp_add(q, "FlatView #0\\r\\n AS \\\"memory\\\", root: system\\r\\n Root memory region: system\\r\\n");
	mem_each(&q->vm->mem, qmp_region, q);
}

static void qmp_xp(struct qmp *q, u64 len, u64 addr)
{
	u8 bytes[8];

	for (u64 at = 0; at < len; at += sizeof(bytes)) {
		u64 part = min(len - at, (u64)sizeof(bytes));

		qmp_add(q, "%016" PRIx64 ":", (uint64_t)(addr + at));
		if (mem_read(&q->vm->mem, addr + at, bytes, part)) {
			qmp_add(q, " Cannot access memory\\r\\n");
			return;
		}
		for (u64 i = 0; i < part; i++)
			qmp_add(q, " 0x%02x", bytes[i]);
		qmp_add(q, "\\r\\n");
	}
}

static void qmp_monitor(struct qmp *q, const struct json *args)
{
	unsigned long long len, addr;
	struct json val;
	char text[128];
	int end = 0;

	if (!json_member(args, "command-line", &val) || !json_string(&val, text, sizeof(text))) {
		qmp_fail(q, "GenericError", "command-line is missing");
		return;
	}
	qmp_add(q, "{\"return\":\"");
	if (!strcmp(text, "info mtree -f"))
		qmp_mtree(q);
	else if (sscanf(text, "xp /%lluxb 0x%llx%n", &len, &addr, &end) == 2 && end && !text[end] && len <= QMP_XP_MAX)
		qmp_xp(q, len, addr);
	else if (!strncmp(text, "gpa2hva ", 8))
		qmp_add(q, "the memory of this process is not for others to read: use xp\\r\\n");
	else
		qmp_add(q, "there are: info mtree -f, xp /Nxb 0xADDRESS, gpa2hva\\r\\n");
	qmp_add(q, "\"}");
}

/* Commands */

static void qmp_target(struct qmp *q, const struct json *args)
{
	qmp_add(q, "{\"return\":{\"arch\":\"%s\"}}", arch_name);
}

static void qmp_nothing(struct qmp *q, const struct json *args)
{
	qmp_add(q, "{\"return\":{}}");
}

static void qmp_version(struct qmp *q, const struct json *args)
{
	qmp_add(q, "{\"return\":{\"qemu\":{\"major\":8,\"minor\":0,\"micro\":0},\"package\":\"lkvm %s\"}}", q->version);
}

static void qmp_status(struct qmp *q, const struct json *args)
{
	bool held = vm_held(q->vm);

	qmp_add(q, "{\"return\":{\"running\":%s,\"singlestep\":false,\"status\":\"%s\"}}", held ? "false" : "true",
		held ? "paused" : "running");
}

static void qmp_getfd(struct qmp *q, const struct json *args)
{
	struct json val;

	if (q->fd < 0 || !json_member(args, "fdname", &val) || !json_string(&val, q->name, sizeof(q->name))) {
		qmp_fail(q, "GenericError", "getfd needs a descriptor and its fdname");
		return;
	}
	qmp_fd(&q->named, q->fd);
	q->fd = -1;
	qmp_nothing(q, args);
}

static bool qmp_is_named(const struct qmp *q, const struct json *args, const char *key, const char *before)
{
	char text[QMP_NAME + 8];
	struct json val;

	return q->named >= 0 && json_member(args, key, &val) && json_string(&val, text, sizeof(text)) &&
	       !strncmp(text, before, strlen(before)) && !strcmp(text + strlen(before), q->name);
}

static void qmp_closefd(struct qmp *q, const struct json *args)
{
	if (!qmp_is_named(q, args, "fdname", "")) {
		qmp_fail(q, "GenericError", "there is no descriptor of that name");
		return;
	}
	qmp_fd(&q->named, -1);
	qmp_nothing(q, args);
}

/* With a range, which drgn gives to get the notes only, there is no memory in it. */
static void qmp_dump(struct qmp *q, const struct json *args)
{
	struct dump_report report;
	struct opt_err err;
	struct json val;
	int ret;

	if (!qmp_is_named(q, args, "protocol", "fd:")) {
		qmp_fail(q, "GenericError", "protocol has to be fd:NAME of getfd");
		return;
	}
	ret = json_member(args, "begin", &val) ? dump_write_notes(q->vm, q->named, &err) :
	      dump_write(q->vm, q->named, &report, &err);
	qmp_fd(&q->named, -1);
	if (ret)
		qmp_fail(q, "GenericError", err.text);
	else
		qmp_nothing(q, args);
}

static const struct {
	const char *name;
	void (*fn)(struct qmp *q, const struct json *args);
} qmp_commands[] = {
	{ "qmp_capabilities", qmp_nothing }, { "query-target", qmp_target }, { "query-version", qmp_version },
	{ "query-status", qmp_status }, { "human-monitor-command", qmp_monitor }, { "getfd", qmp_getfd },
	{ "closefd", qmp_closefd }, { "dump-guest-memory", qmp_dump },
};

static void qmp_execute(struct qmp *q, const char *line, size_t len)
{
	struct json request, val, args = { "{}", NULL };
	char name[64];

	args.end = args.p + 2;
	q->reply_len = 0;
	if (!json_read(&request, line, len) || !json_member(&request, "execute", &val) ||
	    !json_string(&val, name, sizeof(name))) {
		qmp_fail(q, "GenericError", "a line with an object that has execute is needed");
		return;
	}
	json_member(&request, "arguments", &args);
	for (unsigned int i = 0; i < ARRAY_SIZE(qmp_commands); i++) {
		if (strcmp(qmp_commands[i].name, name))
			continue;
		qmp_commands[i].fn(q, &args);
		return;
	}
	qmp_fail(q, "CommandNotFound", "there is no such command");
}

/* The connection */

static void qmp_lines(struct qmp *q)
{
	char *lf;

	while (q->peer.fd >= 0 && (lf = memchr(q->line, '\n', q->len))) {
		size_t used = lf + 1 - q->line;

		qmp_execute(q, q->line, used);
		qmp_fd(&q->fd, -1);
		if (!qmp_send(q)) {
			qmp_drop(q);
			return;
		}
		q->len -= used;
		memmove(q->line, lf + 1, q->len);
	}
	if (q->len == sizeof(q->line))
		qmp_drop(q);
}

/* A descriptor comes with the bytes of its request; only one is kept. */
static void qmp_event(struct watch *w, u32 events)
{
	struct qmp *q = container_of(w, struct qmp, peer);
	int fd;
	struct socket_fds come = { .fd = &fd, .max = 1 };
	ssize_t n = socket_recv_fds(w->fd, q->line + q->len, sizeof(q->line) - q->len, MSG_DONTWAIT, &come);

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (come.nr)
		qmp_fd(&q->fd, fd);
	if (n <= 0) {
		qmp_drop(q);
		return;
	}
	q->len += n;
	qmp_lines(q);
}

static void qmp_welcome(struct qmp *q, int fd)
{
	if (q->peer.fd >= 0) {
		close(fd);
		return;
	}
	q->peer = (struct watch) { .fd = fd, .fn = qmp_event };
	qmp_greet(q);
	if (loop_add(q->vm->loop, &q->peer, EPOLLIN))
		qmp_fd(&q->peer.fd, -1);
	else if (!qmp_send(q))
		qmp_drop(q);
}

/* Edge-triggered: without a free descriptor a connection waits, and the loop does not spin. */
static void qmp_accept(struct watch *w, u32 events)
{
	struct qmp *q = container_of(w, struct qmp, listen);
	int fd;

	while ((fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		qmp_welcome(q, fd);
}

/* Its life */

int qmp_adopt(struct qmp **out, int fd, const char *path, const char *version, struct opt_err *err)
{
	int ret = gdb_listens(fd);
	struct qmp *q = ret ? NULL : calloc(1, sizeof(*q));

	*out = NULL;
	if (q)
		q->path = strdup(path);
	if (!q || !q->path) {
		free(q);
		close(fd);
		snprintf(err->text, sizeof(err->text), ret ?
			 "a unix socket that listens and does not block is needed" : "out of memory");
		return ret ? ret : -ENOMEM;
	}
	q->version = version;
	q->listen = (struct watch) { .fd = fd, .fn = qmp_accept };
	q->peer.fd = q->fd = q->named = -1;
	*out = q;
	return 0;
}

void qmp_close(struct qmp *q)
{
	if (!q)
		return;
	qmp_drop(q);
	close(q->listen.fd);
	unlink(q->path);
	free(q->path);
	free(q);
}

const char *qmp_path(const struct qmp *q)
{
	return q->path;
}

int qmp_start(struct qmp *q, struct vm *vm)
{
	q->vm = vm;
	return loop_add(vm->loop, &q->listen, EPOLLIN | EPOLLET);
}

void qmp_leave(struct qmp *q)
{
	if (!q->vm)
		return;
	/* The next machine is another one. */
	qmp_drop(q);
	loop_del(q->vm->loop, &q->listen);
	q->vm = NULL;
}
