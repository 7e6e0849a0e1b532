// SPDX-License-Identifier: GPL-2.0
/* --trace: see times.h. */
#include <errno.h>
#include <string.h>

#include <kvm/log.h>
#include <kvm/loop.h>
#include <kvm/trace.h>

#include "times.h"

static int times_trace(void *obj, const char *arg, struct opt_err *err)
{
	struct run_times *own = obj;
	size_t len = strcspn(arg, "=");
	const char *path = arg + len + (arg[len] == '=');

	if (len == strlen("exits") && !strncmp(arg, "exits", len)) {
		own->exits.path = path;
	} else if (len == strlen("phases") && !strncmp(arg, "phases", len)) {
		own->phases.path = path;
	} else {
		snprintf(err->text, sizeof(err->text), "\"%s\" cannot be traced, exits and phases can", arg);
		return -EINVAL;
	}
	return 0;
}

const struct opt times_opts[] = {
	OPT_CALL(0, "trace", times_trace, "exits|phases[=FILE]",
		 "at the end print the VM exits by reason, or how long each phase took, to stderr or FILE"),
	OPT_END
};

static int times_open(struct times_file *t)
{
	if (!t->path)
		return 0;
	t->file = *t->path ? fopen(t->path, "we") : stderr;
	return t->file ? 0 : plan_err(-errno, "--trace %s: %s", t->path, strerror(errno));
}

static void times_close(struct times_file *t)
{
	if (t->file && t->file != stderr && fclose(t->file))
		pr_err("--trace %s: %s", t->path, strerror(errno));
	t->file = NULL;
}

int times_config(struct plan *plan, struct run_times *own)
{
	int ret = times_open(&own->exits);

	if (!ret)
		ret = times_open(&own->phases);
	if (ret || !own->exits.file)
		return ret;
	plan->cfg.trace = trace_new();
	return plan->cfg.trace ? 0 : plan_err(-ENOMEM, "--trace: out of memory");
}

static void times_phase(FILE *f, const char *name, u64 from, u64 to)
{
	if (from && to >= from)
		fprintf(f, "%10.1f ms  %s\n", (to - from) / 1e6, name);
}

/* Of the last start, if the guest has rebooted. */
static void times_phases(const struct run_times *own, const struct session *s, FILE *f)
{
	u64 now = loop_now(), in_init = s->ready_ns - s->init_ns;
	u64 init = s->ready_at > in_init ? s->ready_at - in_init : 0;

	times_phase(f, "lkvm, to the guest's first instruction", own->started, own->entered);
	times_phase(f, init ? "kernel, to PID 1" : "the guest", own->entered, init ? init : now);
	times_phase(f, "PID 1, to the command", init, s->ready_at);
	times_phase(f, "the command", s->ready_at, s->report_at);
	times_phase(f, "the end", s->report_at, now);
	times_phase(f, "all", own->started, now);
}

void times_print(const struct plan *plan, struct run_times *own)
{
	if (own->exits.file)
		trace_print(plan->cfg.trace, own->exits.file);
	if (own->phases.file)
		times_phases(own, &plan->session, own->phases.file);
	times_close(&own->exits);
	times_close(&own->phases);
}

void times_free(struct plan *plan, struct run_times *own)
{
	times_close(&own->exits);
	times_close(&own->phases);
	trace_free(plan->cfg.trace);
}
