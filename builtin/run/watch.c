// SPDX-License-Identifier: GPL-2.0
/* The session that is asked for: see watch.h. */
#include <limits.h>

#include <kvm/log.h>

#include "watch.h"

static const char *const watch_levels[] = { "error", "warning", "info", "debug", NULL };
static const char *const watch_oopses[] = { "fail", "report", NULL };

/* The first ones are about the command, so they follow its options. */
const struct opt watch_opts[] = {
	OPT_BOOL(0, "no-stdin", struct run_watch, no_stdin, "do not read stdin: the command's is empty"),
	OPT_TIME(0, "timeout", struct run_watch, timeout, 1, INT_MAX / 1000, "SECONDS[s|m|h|d]",
		"end the guest after this time, with status 124"),
	OPT_CHOICE(0, "oops", struct run_watch, oops, watch_oopses,
		   "after an oops of the guest's kernel end with status 123 (default with a COMMAND), or only report it"),
	OPT_GROUP("Messages"),
	OPT_COUNT('v', "verbose", struct run_watch, verbose,
		  "print the kernel's messages to stderr; -vv: also what lkvm does"),
	OPT_CHOICE(0, "loglevel", struct run_watch, level, watch_levels,
		   "what lkvm itself says (default: warning; with -v info, with -vv debug)"),
	OPT_STR(0, "kmsg", struct run_watch, kmsg, "FILE", "write the kernel's messages to FILE"),
	OPT_END
};

void watch_log(const struct run_watch *own)
{
	static const int levels[] = { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

	log_set_level(own->level >= 0 ? levels[own->level] :
		      own->verbose > 1 ? LOG_DEBUG : own->verbose ? LOG_INFO : LOG_WARNING);
}

int watch_config(struct plan *plan, struct run_watch *own)
{
	/* A script's caller looks for signs of a crash in what is printed. */
	bool verbose = own->verbose || plan->sandbox;
	struct session_config cfg = {
		.console = !plan_commands(plan),
		.init = plan->init,
		.command = plan->argv[0] && !plan->init,
		.oops_fail = own->oops < 0 ? plan->argv[0] && !plan->init : own->oops == OOPS_FAIL,
		.verbose = verbose,
		.kmsg = own->kmsg,
		.no_stdin = own->no_stdin,
		.timeout = own->timeout,
		.wait = plan->waits,
	};

	plan->messages = verbose || own->kmsg;
	return session_open(&plan->session, &cfg);
}
