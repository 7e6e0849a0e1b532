// SPDX-License-Identifier: GPL-2.0
/* The session that is asked for: see watch.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/log.h>

#include "watch.h"

static const char *const watch_levels[] = { "error", "warning", "info", "debug", NULL };
static const char *const watch_oopses[] = { "fail", "report", NULL };

/* The suboptions of --oops. */
struct watch_faults {
	bool fail, report;
	int of[FAULT_CLASSES];		/* OOPS_*, -1: not said */
};

#define WATCH_FAULT(name, class, help) \
	OPT_CHOICE(0, name, struct watch_faults, of[class], watch_oopses, help)

static const struct opt watch_faults[] = {
	OPT_BOOL(0, "fail", struct watch_faults, fail, "an oops ends with status 123, KASAN, KFENCE and KMSAN too"),
	OPT_BOOL(0, "report", struct watch_faults, report, "it is only reported"),
	WATCH_FAULT("warn", FAULT_WARN, "a WARNING (default: report)"),
	WATCH_FAULT("ubsan", FAULT_UBSAN, "undefined behaviour"),
	WATCH_FAULT("lockdep", FAULT_LOCKDEP, "locks in a wrong order, or in a wrong context"),
	WATCH_FAULT("rcu", FAULT_RCU, "an RCU stall"),
	WATCH_FAULT("hung", FAULT_HUNG, "a hung task"),
	WATCH_FAULT("lockup", FAULT_LOCKUP, "a soft, hard or workqueue lockup"),
	OPT_END
};

/* The first ones are about the command, so they follow its options. */
const struct opt watch_opts[] = {
	OPT_BOOL(0, "no-stdin", struct run_watch, no_stdin, "do not read stdin: the command's is empty"),
	OPT_TIME(0, "timeout", struct run_watch, timeout, 1, INT_MAX / 1000, "SECONDS[s|m|h|d]",
		"end the guest after this time, with status 124"),
	OPT_STR(0, "oops", struct run_watch, faults, "fail|report[,WHAT=fail|report...]",
		"after an oops of the guest's kernel end with status 123 (default with a COMMAND), or only report it; WHAT: warn, ubsan, lockdep, rcu, hung, lockup"),
	OPT_GROUP("Messages"),
	OPT_COUNT('v', "verbose", struct run_watch, verbose,
		  "print the kernel's messages to stderr; -vv: also what lkvm does"),
	OPT_CHOICE(0, "loglevel", struct run_watch, level, watch_levels,
		   "what lkvm itself says (default: warning; with -v info, with -vv debug)"),
	OPT_STR(0, "kmsg", struct run_watch, kmsg, "FILE", "write the kernel's messages to FILE"),
	OPT_STR(0, "outcome", struct run_watch, outcome, "FILE",
		"write how the guest ended to FILE: a word, the status and what is known"),
	OPT_END
};

void watch_log(const struct run_watch *own)
{
	static const int levels[] = { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

	log_set_level(own->level >= 0 ? levels[own->level] :
		      own->verbose > 1 ? LOG_DEBUG : own->verbose ? LOG_INFO : LOG_WARNING);
}

int watch_oops(struct run_watch *own)
{
	struct watch_faults faults = { .of = { 0 } };
	struct opt_err err;
	char *text;
	int ret;

	own->oops = -1;
	if (!own->faults)
		return 0;
	text = strdup(own->faults);
	for (unsigned int i = 0; i < FAULT_CLASSES; i++)
		faults.of[i] = -1;
	ret = text ? opt_parse_sub(watch_faults, &faults, text, &err) : -ENOMEM;
	free(text);
	if (ret)
		return plan_err(ret, "--oops %s: %s", own->faults, ret == -ENOMEM ? "out of memory" : err.text);
	if (faults.fail && faults.report)
		return plan_err(-EINVAL, "--oops %s: fail or report, not both", own->faults);
	if (faults.fail || faults.report)
		own->oops = faults.fail ? OOPS_FAIL : OOPS_REPORT;
	for (unsigned int i = FAULT_WARN; i < FAULT_CLASSES; i++)
		own->fails |= (faults.of[i] == OOPS_FAIL) << i;
	return 0;
}

int watch_config(struct plan *plan, struct run_watch *own)
{
	int ret = watch_oops(own);
	/* A script's caller looks for signs of a crash in what is printed. */
	bool verbose = own->verbose || plan->sandbox;
	struct session_config cfg = {
		.console = !plan_commands(plan),
		.init = plan->init,
		.command = plan->argv[0] && !plan->init,
		.fails = own->fails,
		.oops_fail = own->oops < 0 ? plan->argv[0] && !plan->init : own->oops == OOPS_FAIL,
		.verbose = verbose,
		.kmsg = own->kmsg,
		.outcome = own->outcome,
		.no_stdin = own->no_stdin,
		.timeout = own->timeout,
		.wait = plan->waits,
	};

	plan->messages = verbose || own->kmsg;
	return ret ? ret : session_open(&plan->session, &cfg);
}
