// SPDX-License-Identifier: GPL-2.0
/*
 * The verbs of the control socket: see kvm/verbs.h. On the main loop, machine
 * lock held.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kvm/backtrace.h>
#include <kvm/button.h>
#include <kvm/config.h>
#include <kvm/control.h>
#include <kvm/device.h>
#include <kvm/dump.h>
#include <kvm/keep.h>
#include <kvm/life.h>
#include <kvm/log.h>
#include <kvm/look.h>
#include <kvm/serial.h>
#include <kvm/verbs.h>
#include <kvm/stats.h>
#include <kvm/session.h>
#include <kvm/snapshot.h>
#include <kvm/vm.h>
#include <kvm/vmgenid.h>

#include "balloon.h"
#include "nics.h"
#include "debugger.h"
#include "disks.h"

static int verbs_info(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;
	const struct vm_config *cfg = s->cfg;
	unsigned int held = s->vm ? vm_held(s->vm) : 0;

	control_value(reply, "name", "%s", cfg->name);
	control_value(reply, "pid", "%ld", (long)getpid());
	control_value(reply, "state", "%s", !s->vm || s->vm->end != VM_RUNNING ? "ending" :
		      held & HOLD_ROOM ? "no room" : held & HOLD_USER ? "paused" : held & HOLD_SLEEP ? "asleep" : "running");
	control_value(reply, "cpus", "%u", cfg->cpus);
	control_value(reply, "memory", "%llu", (unsigned long long)cfg->mem);
	control_value(reply, "kernel", "%s", cfg->kernel);
	control_value(reply, "starts", "%u", s->starts);
	nics_info(s->vm, reply);
	return 0;
}

static int verbs_link(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;

	return nics_link(s->vm, arg, reply);
}

static int verbs_balloon(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;

	return balloon_verb(s->vm, arg, reply);
}

static int verbs_forward(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;

	return nics_forward(s->vm, arg, reply);
}

static int verbs_pause(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;

	switch (vm_pause(s->vm, HOLD_USER)) {
	case 0:
		return 0;
	case -EALREADY:
		return control_refuse(reply, -EALREADY, "it is paused already");
	case -ESHUTDOWN:
		return control_refuse(reply, -ESHUTDOWN, "it is ending");
	default:
		return control_refuse(reply, -ETIMEDOUT,
			"one of its vCPUs waits for the host and cannot be paused: it runs on");
	}
}

static int verbs_resume(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;

	if (!(vm_held(s->vm) & (HOLD_USER | HOLD_ROOM)))
		return control_refuse(reply, -EALREADY, "it is not paused");
	vm_release(s->vm, HOLD_USER);
	vm_release(s->vm, HOLD_ROOM);
	disks_retry(s->vm);
	return 0;
}

static int verbs_reset(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;

	if (!s->reboot || !session_reboot(s->session))
		return control_refuse(reply, -ENOTSUP,
			"a reset would end this machine (it runs a command, or has --no-reboot or --max-reboots); use 'lkvm stop'");
	vm_end(s->vm, VM_RESET, 0);
	return 0;
}

static int verbs_stop(void *obj, const char *arg, struct control_reply *reply)
{
	struct verbs *s = obj;

	if (!strcmp(arg, "force")) {
		session_kill(s->session);
		return 0;
	}
	if (*arg)
		return control_refuse(reply, -EINVAL, "stop: \"force\" or nothing may follow");
	if (vm_held(s->vm) & (HOLD_USER | HOLD_ROOM))
		return control_refuse(reply, -EBUSY,
			"it is paused and cannot end by itself: resume it, or use --force");
	if (session_stop(s->session) && button_press(s->vm, BUTTON_POWER))
		return control_refuse(reply, -ENOTSUP, "it has no power button; --force ends it");
	return 0;
}

static int verbs_sleep(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;

	if (button_press(s->vm, BUTTON_SLEEP))
		return control_refuse(reply, -ENOTSUP, "it has no sleep button");
	return 0;
}

static int verbs_generation(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;

	if (vmgenid_renew(s->vm))
		return control_refuse(reply, -ENOTSUP, "it has no generation ID");
	return 0;
}

static int verbs_snapshot(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;
	int machine, ram, ret;
	char why[sizeof(reply->err.text)];

	if (drives_changed(s))
		return control_refuse(reply, -ENOTSUP, "disks were attached or detached: a snapshot knows those of the command line");
	machine = control_take(reply, 0);
	ram = control_take(reply, 1);
	log_capture(why, sizeof(why));
	ret = snapshot_write(s->vm, s->snapshot, machine, ram);
	log_capture(NULL, 0);
	close(machine);
	close(ram);
	return ret ? control_refuse(reply, ret, "%s", *why ? why : strerror(-ret)) : 0;
}

static int verbs_exec(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;
	int ret = session_exec(s->session, s->cfg->spawner, control_take(reply, 0));

	if (ret == -ENOTSUP)
		return control_refuse(reply, ret, "its guest has a PID 1 of its own, in which there is no agent");
	if (ret == -EBUSY)
		return control_refuse(reply, ret, "too many commands at a time");
	return ret ? control_refuse(reply, ret, "%s", strerror(-ret)) : 0;
}

static int verbs_console(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;
	bool once = !strcmp(arg, "print");
	int ret;

	if (*arg && !once)
		return control_refuse(reply, -EINVAL, "console: \"print\" or nothing may follow");
	ret = session_console(s->session, control_take(reply, 0), once);
	if (ret == -EBUSY)
		return control_refuse(reply, ret, "too many watch its console");
	return ret ? control_refuse(reply, ret, "%s", strerror(-ret)) : 0;
}

static void verbs_counter(void *obj, const char *name, u64 value)
{
	control_value(obj, name, "%llu", (unsigned long long)value);
}

/* @arg is a vCPU's number, or nothing: LOOK_ALL. */
static int verbs_vcpu(const struct verbs *s, const char *arg, int *vcpu, struct control_reply *reply)
{
	char rest;

	*vcpu = LOOK_ALL;
	if (*arg && (sscanf(arg, "%d%c", vcpu, &rest) != 1 || *vcpu < 0 || *vcpu >= (int)s->vm->nr_vcpus))
		return control_refuse(reply, -EINVAL, "it has vCPUs 0 to %u", s->vm->nr_vcpus - 1);
	return 0;
}

static int verbs_stat(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;
	int vcpu, ret = verbs_vcpu(s, arg, &vcpu, reply);

	if (ret)
		return ret;
	/* KVM answers for no vCPU that is in the guest. */
	ret = vm_pause(s->vm, HOLD_STATS);
	if (ret)
		return control_refuse(reply, ret, "it is ending, or a vCPU waits for the host");
	ret = stats_read(s->vm, vcpu == LOOK_ALL ? STATS_ALL : vcpu, verbs_counter, reply);
	vm_release(s->vm, HOLD_STATS);
	if (ret == -ENOTSUP)
		return control_refuse(reply, ret, "the host's KVM has no counters");
	return ret ? control_refuse(reply, ret, "KVM's counters: %s", strerror(-ret)) : 0;
}

static int verbs_looked(int ret, struct control_reply *reply)
{
	if (ret == -ENOTSUP)
		return control_refuse(reply, ret, "the host's KVM sends no NMIs");
	return ret ? control_refuse(reply, ret, "it is ending, or a vCPU waits for the host") : 0;
}

/* A value for each line of @text, which is cut up. */
static void verbs_lines(char *text, const char *key, struct control_reply *reply)
{
	for (char *line = text, *next; line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		control_value(reply, key, "%s", line);
	}
}

/* What @print prints of the vCPUs is the reply, a value for each line. */
static int verbs_print(const struct verbs *s, const char *arg, const char *key,
		       int (*print)(struct vm *vm, int vcpu, FILE *f), struct control_reply *reply)
{
	char *text = NULL;
	size_t len;
	int vcpu, ret = verbs_vcpu(s, arg, &vcpu, reply);
	FILE *f = ret ? NULL : open_memstream(&text, &len);

	if (!f)
		return ret ? ret : control_refuse(reply, -ENOMEM, "out of memory");
	ret = print(s->vm, vcpu, f);
	fclose(f);
	if (!ret)
		verbs_lines(text, key, reply);
	free(text);
	return ret;
}

static int verbs_registers(void *obj, const char *arg, struct control_reply *reply)
{
	int ret = verbs_print(obj, arg, "registers", look_registers, reply);

	return *reply->err.text ? ret : verbs_looked(ret, reply);
}

static int verbs_backtrace(void *obj, const char *arg, struct control_reply *reply)
{
	int ret = verbs_print(obj, arg, "backtrace", backtrace_print, reply);

	if (ret == -ENOENT) {
		control_value(reply, "backtrace", "no backtrace: there is no Linux kernel in its memory, or none yet");
		return 0;
	}
	return *reply->err.text ? ret : verbs_looked(ret, reply);
}

#define VERBS_KMSG_MAX	(48 * 1024)	/* bytes of the last messages: each line of them becomes a value */

/* As print() of verbs_print(): messages are the machine's, and no vCPU's. */
static int verbs_messages(struct vm *vm, int vcpu, FILE *f)
{
	return look_kmsg(vm, VERBS_KMSG_MAX, f);
}

static int verbs_kmsg(void *obj, const char *arg, struct control_reply *reply)
{
	int ret = verbs_print(obj, "", "m", verbs_messages, reply);

	if (ret == -ENOENT || ret == -EFAULT)
		return control_refuse(reply, ret, "its memory has no messages of a Linux kernel, 5.10 or later");
	return *reply->err.text ? ret : verbs_looked(ret, reply);
}

static int verbs_nmi(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;
	int vcpu, ret = verbs_vcpu(s, arg, &vcpu, reply);

	return ret ? ret : verbs_looked(look_nmi(s->vm, vcpu), reply);
}

static int verbs_sysrq(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;
	struct device *dev = device_find(s->vm, "serial");

	if (*arg && arg[1])
		return control_refuse(reply, -EINVAL, "one letter, as in 'sysrq t'");
	if (!dev)
		return control_refuse(reply, -ENOTSUP, "it has no serial console");
	return serial_break(dev, *arg) ?
		control_refuse(reply, -ENOTCONN, "it does not listen on its serial console") : 0;
}

static int verbs_dump(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;
	struct dump_report report;
	char text[DUMP_TEXT_MAX];
	struct opt_err err;
	int fd = control_take(reply, 0), ret = dump_write(s->vm, fd, &report, &err);

	close(fd);
	if (ret)
		return control_refuse(reply, ret, "%s", err.text);
	dump_text(&report, text, sizeof(text));
	control_value(reply, "dump", "%s", text);
	return 0;
}

/* "virtual|physical|walk VCPU BYTES ADDRESS" */
static int verbs_mem(void *obj, const char *arg, struct control_reply *reply)
{
	const struct verbs *s = obj;
	struct look_memory what = { .vcpu = 0 };
	char kind[16], *text = NULL;
	int at = 0, ret;
	size_t len;
	FILE *f;

	if (sscanf(arg, "%15s %d %llu %n", kind, &what.vcpu, (unsigned long long *)&what.len, &at) != 3 || !at)
		return control_refuse(reply, -EINVAL, "mem virtual|physical|walk VCPU BYTES ADDRESS");
	what.addr = arg + at;
	what.physical = !strcmp(kind, "physical");
	what.walk = !strcmp(kind, "walk");
	f = open_memstream(&text, &len);
	if (!f)
		return control_refuse(reply, -ENOMEM, "out of memory");
	ret = look_memory(s->vm, &what, f);
	fclose(f);
	if (!ret)
		verbs_lines(text, "mem", reply);
	free(text);
	if (ret == -EINVAL)
		return control_refuse(reply, ret, "%s: no address, or it has no vCPU %d", what.addr, what.vcpu);
	if (ret == -ENOENT)
		return control_refuse(reply, ret, "%s: there is no such symbol, or no Linux kernel", what.addr);
	return ret == -ENOTSUP ? control_refuse(reply, ret, "the vCPU is not in 64-bit mode") : verbs_looked(ret, reply);
}

static int verbs_gdb(void *obj, const char *arg, struct control_reply *reply)
{
	return debugger_verb(obj, reply);
}

static int verbs_qmp(void *obj, const char *arg, struct control_reply *reply)
{
	return debugger_qmp_verb(obj, reply);
}

static const struct control_verb verbs_table[] = {
	{ "info", "describe the machine: process, state, size, kernel", verbs_info },
	{ "stat", "print KVM's counters; 'stat N': those of vCPU N", verbs_stat },
	{ "registers", "print the vCPUs' registers; 'registers N': those of vCPU N", verbs_registers },
	{ "backtrace", "print what the vCPUs' tasks do; 'backtrace N': that of vCPU N", verbs_backtrace },
	{ "kmsg", "print the last messages of the guest's kernel, out of its memory", verbs_kmsg },
	{ "nmi", "send an NMI to all vCPUs; 'nmi N': to vCPU N", verbs_nmi },
	{ "sysrq", "'sysrq C': a BREAK and C to the serial console, a magic SysRq for Linux", verbs_sysrq },
	{ "mem", "'mem virtual|physical|walk VCPU BYTES ADDRESS': look at memory, or at page tables", verbs_mem },
	{ "gdb", "where gdb connects; with a socket that listens beside this one: serve it there", verbs_gdb,
	  .fd = { CONTROL_SOCKET } },
	{ "qmp", "the same for drgn --qemu", verbs_qmp, .fd = { CONTROL_SOCKET } },
	{ "dump", "write memory and registers to the file that comes with the request", verbs_dump,
	  .fd = { CONTROL_FILE | CONTROL_READ | CONTROL_WRITE }, .need = 1 },
	{ "pause", "hold the guest's processors", verbs_pause },
	{ "resume", "let them go on", verbs_resume },
	{ "reset", "start the guest again from its first instruction", verbs_reset },
	{ "snapshot", "write the machine to two empty files, 'machine' and 'ram'", verbs_snapshot,
	  { CONTROL_FILE | CONTROL_WRITE, CONTROL_FILE | CONTROL_WRITE }, 2 },
	{ "balloon", "the guest's memory; 'balloon N': ask it to give N bytes back", verbs_balloon },
	{ "link", "'link N up', 'link N down': plug network card N in, or pull it out", verbs_link },
	{ "forward", "'forward N add SPEC' with a socket, 'forward N remove SPEC': a port of the host", verbs_forward,
	  { CONTROL_SOCKET } },
	{ "exec", "pass a client's socket on to the agent in the guest: 'lkvm exec'", verbs_exec,
	  { CONTROL_SOCKET | CONTROL_READ | CONTROL_WRITE }, 1 },
	{ "console", "attach a client's socket to the guest's console: 'lkvm console'", verbs_console,
	  { CONTROL_SOCKET | CONTROL_READ | CONTROL_WRITE }, 1 },
	{ "stop", "have the guest end by itself; 'stop force': end it", verbs_stop },
	{ "sleep", "press the sleep button", verbs_sleep },
	{ "generation", "a new generation ID, as a clone of it would get", verbs_generation },
	{ "disk", "'disk list'; 'disk attach|detach|fault|mark|resize ...': see 'lkvm help disk'", disks_verb,
	  { DISKS_FD, DISKS_FD, DISKS_FD, DISKS_FD, DISKS_FD, DISKS_FD, DISKS_FD, DISKS_FD } },
	{ "power-cut", "end it as a power cut does; 'power-cut N': what volatile caches lose is of seed N", disks_power_cut },
	{ .verb = NULL }
};

/* The same for a machine that has ended, while its output waits for a reader. */

static int verbs_ended(void *obj, const char *arg, struct control_reply *reply)
{
	return control_refuse(reply, -ESHUTDOWN,
		"it has ended and waits for a reader of its output: 'lkvm stop --force' ends lkvm");
}

static int verbs_ended_stop(void *obj, const char *arg, struct control_reply *reply)
{
	return strcmp(arg, "force") ? verbs_ended(obj, arg, reply) : verbs_stop(obj, arg, reply);
}

static const struct control_verb verbs_ended_table[] = {
	{ "info", "describe the machine: process, state, size, kernel", verbs_info },
	{ "stop", "'stop force': end lkvm, the rest of the output is lost", verbs_ended_stop },
	{ "stat", "refused: the machine has ended", verbs_ended },
	{ "registers", "refused", verbs_ended },
	{ "backtrace", "refused", verbs_ended },
	{ "kmsg", "refused", verbs_ended },
	{ "nmi", "refused", verbs_ended },
	{ "sysrq", "refused", verbs_ended },
	{ "mem", "refused", verbs_ended },
	{ "gdb", "refused", verbs_ended, .fd = { CONTROL_KINDS } },
	{ "qmp", "refused", verbs_ended, .fd = { CONTROL_KINDS } },
	{ "dump", "refused", verbs_ended, .fd = { CONTROL_KINDS } },
	{ "pause", "refused", verbs_ended },
	{ "resume", "refused", verbs_ended },
	{ "reset", "refused", verbs_ended },
	{ "snapshot", "refused", verbs_ended, .fd = { CONTROL_KINDS, CONTROL_KINDS } },
	{ "balloon", "refused", verbs_ended },
	{ "exec", "refused", verbs_ended, .fd = { CONTROL_KINDS } },
	{ "console", "attach a client's socket to what is left of the guest's console", verbs_console,
	  { CONTROL_SOCKET | CONTROL_READ | CONTROL_WRITE }, 1 },
	{ "link", "refused", verbs_ended },
	{ "forward", "refused", verbs_ended, .fd = { CONTROL_KINDS } },
	{ "sleep", "refused", verbs_ended },
	{ "generation", "refused", verbs_ended },
	{ "disk", "refused", verbs_ended,
	  .fd = { CONTROL_KINDS, CONTROL_KINDS, CONTROL_KINDS, CONTROL_KINDS,
		  CONTROL_KINDS, CONTROL_KINDS, CONTROL_KINDS, CONTROL_KINDS } },
	{ "power-cut", "refused", verbs_ended },
	{ .verb = NULL }
};

int verbs_open(struct verbs *s, struct keep *keep, const char *name, bool chosen)
{
	struct opt_err err;
	int ret = control_open(&s->control, name, s, &err), fd;

	if (!ret) {
		/* For snapshots and dumps: which pages were used. Without it all are looked at. */
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			keep_add_fd(keep, SNAPSHOT_PAGEMAP, fd);
			close(fd);
		}
		pr_debug("control socket %s", control_path(s->control));
		return 0;
	}
	if (chosen) {
		pr_err("--name %s: %s", name, err.text);
		return ret;
	}
	pr_info("no control socket, 'lkvm list' will not show this machine: %s", err.text);
	return 0;
}

int verbs_start(struct verbs *s, struct vm *vm)
{
	int ret;

	s->vm = vm;
	s->cfg = vm->cfg;
	s->starts += vm->begin != BEGIN_WAKE;
	if (drives_start(s))
		return -ENOMEM;
	ret = s->control ? control_attach(s->control, vm->loop, verbs_table) : 0;
	if (ret)
		pr_err("control socket: %s", strerror(-ret));
	return ret ? ret : debugger_start(s);
}

void verbs_leave(struct verbs *s)
{
	debugger_leave(s);
	drives_leave(s);
	if (s->control)
		control_detach(s->control);
	s->vm = NULL;
}

void verbs_rest(void *verbs, struct loop *loop)
{
	struct verbs *s = verbs;

	if (!s->control)
		return;
	if (!loop)
		control_detach(s->control);
	else if (s->cfg)
		control_attach(s->control, loop, verbs_ended_table);
}

void verbs_close(struct verbs *s)
{
	debugger_close(s);
	drives_free(s);
	control_close(s->control);
	s->control = NULL;
}

const char *verbs_socket(const struct verbs *s)
{
	return s->control ? control_path(s->control) : NULL;
}
