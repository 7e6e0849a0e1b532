// SPDX-License-Identifier: GPL-2.0
/* --gdb: see gdb.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/builtin.h>
#include <kvm/gdb.h>
#include <kvm/log.h>

#include "gdb.h"

const struct opt debugger_opts[] = {
	OPT_STR_ALONE("gdb", struct run_gdb, where, "ADDRESS:PORT|unix:PATH|stdio",
		      "let gdb debug the guest (default: NAME.gdb beside the control socket); stdio: for its 'target remote | lkvm run ...'"),
	OPT_BOOL(0, "gdb-wait", struct run_gdb, wait,
		 "the same, and do not start the guest before gdb says so"),
	OPT_END
};

/* "unix:DIRECTORY/NAME.gdb" beside NAME.sock. */
static int debugger_beside(char *where, size_t size, const char *control)
{
	const char *dot = control ? strrchr(control, '.') : NULL;

	if (!dot)
		return plan_err(-ENOENT, "--gdb: this machine has no control socket, beside which gdb's would be: --gdb=unix:PATH says where");
	if ((size_t)snprintf(where, size, "unix:%.*s.gdb", (int)(dot - control), control) >= size)
		return plan_err(-ENAMETOOLONG, "--gdb: the machine's name is too long: --gdb=unix:PATH says where");
	return 0;
}

/* The debugger has stdin, so the guest's is empty; and what the guest would write to stdout goes to stderr. */
int debugger_streams(struct plan *plan, struct run_gdb *own)
{
	struct stat st;
	int null;

	if (!own->where || strcmp(own->where, "stdio"))
		return 0;
	if (fstat(STDIN_FILENO, &st) < 0 || !S_ISSOCK(st.st_mode))
		return plan_err(-EINVAL, "--gdb=stdio: stdin has to be a socket, as gdb's 'target remote | lkvm run --gdb=stdio ...' makes one");
	own->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (own->fd < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return plan_err(-errno, "--gdb=stdio: %s", strerror(errno));
	close(null);
	return 0;
}

/* Whoever is at the other end of stdin is told nothing: its protocol has no greeting. */
static int debugger_stdio(struct run_gdb *own)
{
	int fd = own->fd;

	own->fd = -1;
	return gdb_connected(&own->gdb, fd, lkvm_version(), own->wait) ? plan_err(-ENOMEM, "--gdb: out of memory") : 0;
}

int debugger_config(struct plan *plan, struct run_gdb *own)
{
	const char *where = own->where, *dot;
	char beside[256];
	struct opt_err err;
	int ret;

	if (!where && !own->wait)
		return 0;
	if (own->fd >= 0)
		return debugger_stdio(own);
	if (!where || !*where) {
		ret = debugger_beside(beside, sizeof(beside), plan->control);
		if (ret)
			return ret;
		where = beside;
	}
	ret = gdb_open(&own->gdb, where, lkvm_version(), own->wait, &err);
	if (ret)
		return plan_err(ret, "--gdb: %s", err.text);
	plan->gdb = own->where;
	/* Somebody has to be told while nothing else happens, or where that is. */
	dot = strrchr(where, ':');
	log_msg(own->wait || (dot && !strcmp(dot, ":0")) ? LOG_WARNING : LOG_INFO, "gdb: target remote %s", gdb_address(own->gdb));
	return 0;
}

void debugger_free(struct run_gdb *own)
{
	gdb_close(own->gdb);
	own->gdb = NULL;
	if (own->fd >= 0)
		close(own->fd);
	own->fd = -1;
}
