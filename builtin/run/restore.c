// SPDX-License-Identifier: GPL-2.0
/*
 * lkvm restore and lkvm clone: a machine that goes on, in a process of its own, where a
 * snapshot was taken. A clone's snapshot is taken now, from a machine that runs, into
 * files without names. Main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>
#include <kvm/keep.h>
#include <kvm/log.h>
#include <kvm/verbs.h>

#include "../client.h"
#include "command.h"
#include "as.h"
#include "confine.h"
#include "machine.h"
#include "plan.h"
#include "restore.h"
#include "snapshot.h"
#include "times.h"
#include "watch.h"

struct restore {
	struct plan plan;
	struct run_command command;
	struct run_watch watch;
	struct run_times times;
	struct run_confine confine;
	struct run_as as;
	const char *name, *dev;
	bool clone;			/* the machine of the snapshot goes on, too */
	char name_default[24];
	struct verbs verbs;
	struct snapshot_files files;
	struct snapshot snap;
	struct snapshot_guest guest;
	struct snapshot_session session;
};

static const struct opt restore_opts[] = {
	OPT_STR(0, "name", struct restore, name, "NAME", "name of the machine (default: lkvm-PID)"),
	OPT_STR(0, "dev", struct restore, dev, "FILE", "KVM's device (default: /dev/kvm)"),
	OPT_TABLE(confine_opts, struct run_confine, struct restore, confine),
	OPT_TABLE(as_opts, struct run_as, struct restore, as),
	OPT_GROUP("Command, of a guest that waits for one"),
	OPT_TABLE(command_opts, struct run_command, struct restore, command),
	OPT_TABLE(watch_opts, struct run_watch, struct restore, watch),
	OPT_TABLE(times_opts, struct run_times, struct restore, times),
	OPT_END
};

/* The files have been opened. */
static int restore_read(struct restore *r)
{
	struct vm_config *cfg = &r->plan.cfg;
	int ret = snapshot_read(&r->snap, r->files.machine, r->files.name);

	if (ret)
		return ret;
	snprintf(r->name_default, sizeof(r->name_default), "lkvm-%ld", (long)getpid());
	r->plan.name = r->name;
	cfg->name = r->name ? r->name : r->name_default;
	cfg->kvm_path = r->dev ? r->dev : "/dev/kvm";
	cfg->keep = keep_new();
	if (!cfg->keep)
		return plan_err(-ENOMEM, "out of memory");
	ret = snapshot_config(&r->snap, cfg);
	if (!ret && r->clone)
		ret = snapshot_shared(cfg);
	r->session = (struct snapshot_session) { .state = snapshot_guest_state, .obj = &r->guest };
	return ret ? ret : snapshot_session(&r->snap, &r->session);
}

/* RAM comes from the open file, by the key that mem_open() looks for. */
static int restore_ram(struct restore *r)
{
	struct mem_config *ram = &r->plan.cfg.ram;
	char *key;
	int ret;

	*ram = (struct mem_config) { .kind = MEM_SNAPSHOT, .keep = r->plan.cfg.keep, .path = r->files.ram_name };
	if (asprintf(&key, "RAM from %s", ram->path) < 0)
		return plan_err(-ENOMEM, "out of memory");
	ret = keep_add_fd(r->plan.cfg.keep, key, r->files.ram);
	free(key);
	return ret ? plan_err(ret, "%s: %s", ram->path, strerror(-ret)) : 0;
}

static int restore_wanted(struct restore *r)
{
	struct plan *plan = &r->plan;
	bool waits = r->guest.guest.waits;
	int ret = command_wanted(plan, &r->command);

	if (ret)
		return ret;
	if (!waits && (plan->argv[0] || plan->wants_root))
		return plan_err(-EINVAL, "%s: the guest does not wait for a command, so there is nothing to %s %s %s",
				r->files.name, plan->argv[0] ? "run" : "use",
				plan->argv[0] ? plan->argv[0] : plan->wants_root, plan->argv[0] ? "in" : "for");
	plan->host_root = waits;
	return 0;
}

/* The session, with the descriptors of this process. */
static int restore_session(struct restore *r)
{
	const struct session_guest *g = &r->guest.guest;
	struct plan *plan = &r->plan;
	bool command = g->waits ? plan->argv[0] != NULL : g->command;
	int ret = watch_oops(&r->watch);
	struct session_config cfg = {
		.fails = r->watch.fails,
		.console = g->console, .command = command,
		.oops_fail = r->watch.oops >= 0 ? r->watch.oops == OOPS_FAIL : g->waits ? command : g->oops_fail,
		.verbose = r->watch.verbose, .kmsg = r->watch.kmsg,
		.outcome = r->watch.outcome, .no_stdin = r->watch.no_stdin,
		.timeout = r->watch.timeout, .guest = g,
	};

	if (!ret)
		ret = session_open(&plan->session, &cfg);
	if (!ret)
		ret = command_config(plan, &r->command);
	if (ret || !g->waits)
		return ret;
	if (plan->conf.len > SESSION_CONF_MAX)
		return plan_err(-E2BIG, "the command and its environment have %zu bytes, a guest that waits takes %d",
				plan->conf.len, SESSION_CONF_MAX);
	session_conf(&plan->session, plan->conf.data, plan->conf.len);
	return 0;
}

static int restore_config(struct restore *r)
{
	int ret = restore_wanted(r);

	if (!ret)
		ret = restore_ram(r);
	if (!ret)
		ret = times_config(&r->plan, &r->times);
	if (!ret)
		ret = restore_session(r);
	if (!ret)
		ret = snapshot_streams(&r->plan);
	if (ret)
		return ret;
	r->verbs.session = &r->plan.session;
	r->plan.snapshot = (struct snapshot_session) { .state = snapshot_plan_state, .obj = &r->plan };
	r->verbs.snapshot = &r->plan.snapshot;
	r->plan.dir = r->guest.dir;
	if (chdir(r->guest.dir) < 0)
		return plan_err(-errno, "%s: the machine's directory: %s", r->guest.dir, strerror(errno));
	ret = as_config(&r->plan, &r->as);
	if (!ret)
		ret = verbs_open(&r->verbs, r->plan.cfg.keep, r->plan.cfg.name, r->name);
	return ret ? ret : confine_config(&r->plan, &r->confine, verbs_socket(&r->verbs));
}

static int restore_machine(struct restore *r)
{
	struct machine machine = {
		.plan = &r->plan, .verbs = &r->verbs, .snapshot = &r->snap, .entered = &r->times.entered,
	};
	int ret = restore_read(r), status = STATUS_FAILED;

	if (!ret)
		ret = restore_config(r);
	if (!ret) {
		status = machine_main(&machine);
		times_print(&r->plan, &r->times);
	}
	verbs_close(&r->verbs);
	confine_done(&r->plan);
	times_free(&r->plan, &r->times);
	plan_free(&r->plan);
	snapshot_free(&r->snap);
	snapshot_files_close(&r->files);
	return status;
}

/* Parse: the number of operands before the command; -1 and *@status. */
static int restore_parse(const struct command *cmd, struct restore *r, int argc, char **argv, int *status)
{
	int n = command_parse(cmd, r, argc, argv, status), verbose = r->watch.verbose;

	if (n >= 0)
		log_set_level(verbose > 1 ? LOG_DEBUG : verbose ? LOG_INFO : LOG_WARNING);
	return n;
}

#define RESTORE_INIT { .watch = RUN_WATCH_INIT, .times.started = loop_now(), .files = { .machine = -1, .ram = -1 } }

static int cmd_restore(const struct command *cmd, int argc, char **argv)
{
	struct restore r = RESTORE_INIT;
	int status, n = restore_parse(cmd, &r, argc, argv, &status);

	if (n < 0)
		return status;
	if (!n)
		return command_usage(cmd, "which snapshot? Its directory");
	if (n > 1 && argv[1][0] == '-' && strcmp(argv[1], "--"))
		return command_usage(cmd, "%s: options come before the directory, a command that begins with - after --", argv[1]);
	r.plan.argv = argv + 1;
	if (*r.plan.argv && !strcmp(*r.plan.argv, "--"))
		r.plan.argv++;
	return snapshot_files_open(&r.files, argv[0]) ? STATUS_FAILED : restore_machine(&r);
}

const struct command command_restore = {
	.name = "restore",
	.synopsis = "[OPTION...] DIR [[--] COMMAND [ARG...]]",
	.summary = "go on with a machine where its snapshot was taken",
	.about =
	"The snapshot stays as it is and can be restored any number of times. The guest\n"
	"finds the same shares and disks again; what it writes to a disk is lost at the\n"
	"end. A guest that 'lkvm run --template' made waits for a COMMAND: the default is\n"
	"a shell. The exit status is as of lkvm run.\n",
	.opts = restore_opts,
	.flags = OPT_STOP,
	.usage_status = STATUS_FAILED,
	.fn = cmd_restore,
};

/* Clones */

static int clone_files(struct restore *r)
{
	r->files.machine = memfd_create("lkvm-" SNAPSHOT_MACHINE, MFD_CLOEXEC);
	r->files.ram = memfd_create("lkvm-" SNAPSHOT_RAM, MFD_CLOEXEC);
	return r->files.machine < 0 || r->files.ram < 0 ? plan_err(-errno, "files for the clone: %s", strerror(errno)) : 0;
}

static int cmd_clone(const struct command *cmd, int argc, char **argv)
{
	struct restore r = RESTORE_INIT;
	int status, n = restore_parse(cmd, &r, argc, argv, &status);

	if (n < 0)
		return status;
	if (!n || n > 2)
		return command_usage(cmd, n ? "one machine at a time, and one name for its clone" :
				     "which machine? Its name; 'lkvm list' shows them");
	if (argv[1] && r.name)
		return command_usage(cmd, "--name, or a second operand, but not both");
	r.clone = true;
	if (argv[1])
		r.name = argv[1];
	r.plan.argv = argv + n;
	snprintf(r.files.name, sizeof(r.files.name), "%s", argv[0]);
	snprintf(r.files.ram_name, sizeof(r.files.ram_name), "%s", argv[0]);
	if (clone_files(&r) || client_snapshot(argv[0], r.files.machine, r.files.ram))
		return STATUS_FAILED;
	return restore_machine(&r);
}

const struct command command_clone = {
	.name = "clone",
	.synopsis = "[OPTION...] NAME [NEW]",
	.summary = "make a second machine of one that runs",
	.about =
	"Machine NAME stands still while it is copied, and goes on. Its clone goes on\n"
	"from there in this process, with this stdin and stdout, and is called NEW. What\n"
	"the clone writes to a disk is its own, and is lost at the end. Shared folders\n"
	"are shared by both.\n",
	.opts = restore_opts,
	.usage_status = STATUS_FAILED,
	.fn = cmd_clone,
};

/* Templates: see restore.h */

int restore_main(const struct restore_config *cfg)
{
	struct restore r = RESTORE_INIT;
	char *const *env;

	r.plan.argv = cfg->argv;
	r.name = cfg->name;
	r.watch.timeout = cfg->timeout;
	r.watch.kmsg = cfg->kmsg;
	r.watch.outcome = cfg->outcome;
	r.watch.faults = cfg->faults;
	r.command.user = cfg->user;
	r.command.cwd = cfg->cwd;
	/* It is only read, and stays the caller's. */
	r.command.env.item = (void *)cfg->env;
	for (env = cfg->env; env && *env; env++)
		r.command.env.nr++;
	r.files.machine = fcntl(cfg->machine, F_DUPFD_CLOEXEC, 0);
	r.files.ram = fcntl(cfg->ram, F_DUPFD_CLOEXEC, 0);
	snprintf(r.files.name, sizeof(r.files.name), "template");
	snprintf(r.files.ram_name, sizeof(r.files.ram_name), "template");
	return restore_machine(&r);
}
