// SPDX-License-Identifier: GPL-2.0
/*
 * lkvm run: what the user asks for becomes a struct vm_config, and the machine
 * is run until it ends. Two kinds of guests:
 *
 * - Linux with the host's files: our own PID 1 in an initramfs mounts a root,
 *   runs the command and reports its status.
 * - anything else (-i INITRD, a bare-metal program, --nodefaults): the machine
 *   and its serial console, nothing added.
 *
 * The options are in groups, a file each, which know of each other only what is in
 * struct plan. Main thread.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/builtin.h>
#include <kvm/confine.h>
#include <kvm/gdb.h>
#include <kvm/keep.h>
#include <kvm/log.h>
#include <kvm/verbs.h>

#include "as.h"
#include "boot.h"
#include "command.h"
#include "confine.h"
#include "console.h"
#include "cpus.h"
#include "devices.h"
#include "disks.h"
#include "dump.h"
#include "files.h"
#include "foreign.h"
#include "gdb.h"
#include "irqchip.h"
#include "machine.h"
#include "nets.h"
#include "plan.h"
#include "ram.h"
#include "rootfs.h"
#include "snapshot.h"
#include "template.h"
#include "times.h"
#include "watch.h"

struct run {
	struct plan plan;
	struct run_boot boot;
	struct run_cpus cpus;
	struct run_irqchip irqchip;
	struct run_ram ram;
	struct run_devices devices;
	struct run_console console;
	struct run_files files;
	struct run_disks disks;
	struct run_rootfs rootfs;
	struct run_nets nets;
	struct run_command command;
	struct run_watch watch;
	struct run_times times;
	struct run_confine confine;
	struct run_as as;
	struct run_gdb gdb;
	struct run_dump dump;
	struct run_template template;

	/* Of the machine as a whole */
	const char *name, *dev;
	char name_default[24], dir[PATH_MAX];
	bool reboot, nodefaults;
	int max_reboots;
	struct verbs verbs;
};

static const struct opt run_opts[] = {
	OPT_GROUP("Kernel"),
	OPT_TABLE(boot_opts, struct run_boot, struct run, boot),
	OPT_GROUP("Machine"),
	OPT_STR(0, "name", struct run, name, "NAME",
		"name of the machine (default: lkvm-PID) and host name of the guest (default: lkvm)"),
	OPT_TABLE(cpus_opts, struct run_cpus, struct run, cpus),
	OPT_TABLE(irqchip_opts, struct run_irqchip, struct run, irqchip),
	OPT_TABLE(ram_opts, struct run_ram, struct run, ram),
	OPT_TABLE(devices_opts, struct run_devices, struct run, devices),
	OPT_TABLE(console_opts, struct run_console, struct run, console),
	OPT_BOOL(0, "reboot", struct run, reboot,
		 "start again when the guest reboots (default without a COMMAND); --no-reboot: a reboot ends the machine"),
	OPT_INT(0, "max-reboots", struct run, max_reboots, 0, INT_MAX, "N",
		"start again at most N times; the next reboot ends the machine"),
	OPT_STR(0, "dev", struct run, dev, "FILE", "KVM's device (default: /dev/kvm)"),
	OPT_BOOL(0, "nodefaults", struct run, nodefaults,
		 "add nothing to the guest: no files of the host, no kernel parameters but those of -p"),
	OPT_GROUP("Files"),
	OPT_TABLE(files_opts, struct run_files, struct run, files),
	OPT_TABLE(confine_opts, struct run_confine, struct run, confine),
	OPT_TABLE(as_opts, struct run_as, struct run, as),
	OPT_GROUP("Disks"),
	OPT_TABLE(disks_opts, struct run_disks, struct run, disks),
	OPT_GROUP("Network"),
	OPT_TABLE(nets_opts, struct run_nets, struct run, nets),
	OPT_GROUP("Command"),
	OPT_TABLE(command_opts, struct run_command, struct run, command),
	OPT_TABLE(rootfs_opts, struct run_rootfs, struct run, rootfs),
	OPT_TABLE(watch_opts, struct run_watch, struct run, watch),
	OPT_TABLE(dump_opts, struct run_dump, struct run, dump),
	OPT_TABLE(times_opts, struct run_times, struct run, times),
	OPT_TABLE(debugger_opts, struct run_gdb, struct run, gdb),
	OPT_TABLE(template_opts, struct run_template, struct run, template),
	OPT_LATER(0, "vsock", NULL),
	OPT_LATER(0, "vnc", NULL),
	OPT_LATER(0, "gtk", NULL),
	OPT_LATER(0, "sdl", NULL),
	OPT_LATER('f', "firmware", NULL),
	OPT_LATER(0, "virtio-transport", "it is always modern PCI"),
	OPT_LATER(0, "vfio-pci", NULL),
	OPT_LATER(0, "debug", "-v and -vv say more"),
	OPT_TABLE_OF_NONE(foreign_opts),
	OPT_END
};

/* The plan, in this order: what is added to the machine first is first in it. */

static int run_name(struct run *run)
{
	struct vm_config *cfg = &run->plan.cfg;

	snprintf(run->name_default, sizeof(run->name_default), "lkvm-%ld", (long)getpid());
	run->plan.name = run->name;
	/* A directory that was removed has no name, and then nothing is relative to it. */
	run->plan.dir = getcwd(run->dir, sizeof(run->dir)) ? run->dir : "/";
	run->plan.nodefaults = run->nodefaults;
	run->plan.devices = &run->devices.device;
	cfg->name = run->name ? run->name : run->name_default;
	cfg->kvm_path = run->dev ? run->dev : "/dev/kvm";
	cfg->keep = keep_new();
	return cfg->keep ? 0 : plan_err(-ENOMEM, "out of memory");
}

static int run_rootfs(struct run *run)
{
	return rootfs_wanted(&run->plan, &run->rootfs, &run->disks, &run->files, run->boot.initrd.nr);
}

static int run_verbs(struct run *run)
{
	int ret;

	run->verbs.session = &run->plan.session;
	run->verbs.plug = &run->plan.cfg;
	run->plan.snapshot = (struct snapshot_session) { .state = snapshot_plan_state, .obj = &run->plan };
	run->verbs.snapshot = &run->plan.snapshot;
	ret = verbs_open(&run->verbs, run->plan.cfg.keep, run->plan.cfg.name, run->plan.name);
	run->plan.control = verbs_socket(&run->verbs);
	return ret;
}

static int run_files(struct run *run)
{
	return files_config(&run->plan, &run->files, run->command.user);
}

static int run_confine(struct run *run)
{
	return confine_config(&run->plan, &run->confine, verbs_socket(&run->verbs));
}

#define RUN_PART(name, fn, own) \
	static int name(struct run *run) { return fn(&run->plan, &run->own); }

RUN_PART(run_kernel, boot_operand, boot)
RUN_PART(run_cpus_count, cpus_count, cpus)
RUN_PART(run_ram, ram_config, ram)
RUN_PART(run_cpus, cpus_config, cpus)
RUN_PART(run_files_wanted, files_wanted, files)
RUN_PART(run_command_wanted, command_wanted, command)
RUN_PART(run_boot, boot_config, boot)
RUN_PART(run_template, template_config, template)
RUN_PART(run_irqchip, irqchip_config, irqchip)
RUN_PART(run_watch, watch_config, watch)
RUN_PART(run_as, as_config, as)
RUN_PART(run_times, times_config, times)
RUN_PART(run_gdb_streams, debugger_streams, gdb)
RUN_PART(run_gdb, debugger_config, gdb)
RUN_PART(run_dump, dump_config, dump)
RUN_PART(run_console, console_config, console)
RUN_PART(run_cmdline, boot_cmdline, boot)
RUN_PART(run_devices, devices_config, devices)
RUN_PART(run_command, command_config, command)
RUN_PART(run_ramdisk, boot_ramdisk, boot)
RUN_PART(run_files_plain, files_plain, files)
RUN_PART(run_disks, disks_config, disks)
RUN_PART(run_nets, nets_config, nets)
RUN_PART(run_devices_named, devices_named, devices)

static int (*const run_parts[])(struct run *run) = {
	run_gdb_streams, run_name, run_kernel, run_rootfs, run_cpus_count, run_ram, run_cpus, run_files_wanted,
	run_command_wanted, run_boot,
	run_template, run_irqchip, run_watch, run_as, run_verbs, run_gdb, run_dump, run_times, run_console, run_cmdline,
	run_devices,
	run_files, run_disks, run_nets, run_command, run_ramdisk, run_files_plain, run_devices_named,
	run_confine,
};

static int run_config(struct run *run)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < ARRAY_SIZE(run_parts); i++)
		ret = run_parts[i](run);
	return ret;
}

/* --template: RAM is there already, and the rest is written now. */
static int run_waits(void *obj, struct vm *vm)
{
	struct run *run = obj;

	return template_write(&run->template, &run->plan, vm);
}

static int run_machine(struct run *run)
{
	struct machine machine = {
		.plan = &run->plan, .verbs = &run->verbs, .gdb = run->gdb.gdb, .dump = &run->dump, .reboot = run->reboot,
		.max_reboots = run->max_reboots, .entered = &run->times.entered,
		.waits = run->template.where ? run_waits : NULL, .obj = run,
	};
	int status = machine_main(&machine);

	times_print(&run->plan, &run->times);
	return status;
}

static void run_free(struct run *run)
{
	debugger_free(&run->gdb);
	dump_free(&run->dump);
	template_close(&run->template);
	verbs_close(&run->verbs);
	confine_done(&run->plan);
	times_free(&run->plan, &run->times);
	boot_free(&run->boot);
	cpus_free(&run->cpus);
	ram_free(&run->ram);
	disks_free(&run->disks);
	rootfs_free(&run->rootfs);
	nets_free(&run->nets);
	plan_free(&run->plan);
	opt_free(run_opts, run);
}

static int run_main(const struct command *cmd, struct run *run, int argc, char **argv)
{
	int n, status;

	run->boot = (struct run_boot)RUN_BOOT_INIT;
	run->watch = (struct run_watch)RUN_WATCH_INIT;
	run->dump = (struct run_dump)RUN_DUMP_INIT;
	run->gdb = (struct run_gdb)RUN_GDB_INIT;
	run->times.started = loop_now();
	run->reboot = true;
	run->max_reboots = INT_MAX;
	n = command_parse(cmd, run, argc, argv, &status);
	if (n < 0)
		return status;
	run->plan.argv = argv;
	watch_log(&run->watch);
	status = run_config(run) ? STATUS_FAILED : run_machine(run);
	run_free(run);
	return status;
}

static int cmd_run(const struct command *cmd, int argc, char **argv)
{
	struct run run = { .nets.by_default = true };

	return run_main(cmd, &run, argc, argv);
}

static int cmd_sandbox(const struct command *cmd, int argc, char **argv)
{
	struct run run = { .nets.by_default = false, .files.no_secrets = true };

	return run_main(cmd, &run, argc, argv);
}

const struct command command_run = {
	.name = "run",
	.synopsis = "[OPTION...] [--] [COMMAND [ARG...]]",
	.summary = "boot a kernel and run a command in it",
	.about =
	"Without a command an interactive shell is run. The exit status is the\n"
	"command's; 123: the guest's kernel panicked or died, 124: the time ran out,\n"
	"125: lkvm could not start or run the machine.\n",
	.opts = run_opts,
	.flags = OPT_STOP,
	.usage_status = STATUS_FAILED,
	.fn = cmd_run,
};

const struct command command_sandbox = {
	.name = "sandbox",
	.synopsis = "[OPTION...] [--] [COMMAND [ARG...]]",
	.summary = "run a command in a machine that changes nothing of the host",
	.about =
	"As lkvm run, without a network unless -n asks for one. The guest reads the\n"
	"host's files but your keys and passwords, and its writes are lost at the end.\n"
	"Only a --share and a root of -d can be changed. The exit status is the\n"
	"command's, or as for lkvm run.\n",
	.opts = run_opts,
	.flags = OPT_STOP,
	.usage_status = STATUS_FAILED,
	.fn = cmd_sandbox,
};
