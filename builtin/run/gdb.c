// SPDX-License-Identifier: GPL-2.0
/* --gdb: see gdb.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <kvm/builtin.h>
#include <kvm/gdb.h>
#include <kvm/log.h>

#include "gdb.h"

const struct opt debugger_opts[] = {
	OPT_STR_ALONE("gdb", struct run_gdb, where, "ADDRESS:PORT|unix:PATH",
		      "let gdb debug the guest (default: NAME.gdb beside the control socket)"),
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

int debugger_config(struct plan *plan, struct run_gdb *own)
{
	const char *where = own->where, *dot;
	char beside[256];
	struct opt_err err;
	int ret;

	if (!where && !own->wait)
		return 0;
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
}
