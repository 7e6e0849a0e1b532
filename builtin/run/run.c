// SPDX-License-Identifier: GPL-2.0
/*
 * lkvm run: what the user asks for becomes a struct vm_config, and the machine
 * is run until it ends. Two kinds of guests:
 *
 * - Linux with the host's files: our own PID 1 in an initramfs mounts a root
 *   by 9p, runs the command and reports its status.
 * - anything else (-i INITRD, a bare-metal program, --nodefaults): the machine
 *   and its serial console, nothing added.
 *
 * Main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/builtin.h>
#include <kvm/console.h>
#include <kvm/device.h>
#include <kvm/fw_cfg.h>
#include <kvm/guest_conf.h>
#include <kvm/initramfs.h>
#include <kvm/kernel.h>
#include <kvm/log.h>
#include <kvm/modules.h>
#include <kvm/opt.h>
#include <kvm/pid1.h>
#include <kvm/root.h>
#include <kvm/session.h>
#include <kvm/trace.h>
#include <kvm/verbs.h>
#include <kvm/vm.h>

#include "cpus.h"
#include "foreign.h"
#include "ram.h"

#define RUN_MEM_DEFAULT	(1 * GIB)
#define RUN_CPUS_DEFAULT 4		/* at most, of the host's */

#define RUN_TTYS	4		/* serial ports of a PC */

enum { CONSOLE_SERIAL, CONSOLE_VIRTIO };
static const char *const run_consoles[] = { "serial", "virtio", NULL };
enum { FS_AUTO, FS_VIRTIOFS, FS_9P };
static const char *const run_filesystems[] = { "auto", "virtiofs", "9p", NULL };
enum { RUN_IRQCHIP_AUTO, RUN_IRQCHIP_KERNEL, RUN_IRQCHIP_SPLIT };
static const char *const run_irqchips[] = { "auto", "kernel", "split", NULL };
enum { OOPS_FAIL, OOPS_REPORT };
static const char *const run_watchdogs[] = { "reset", "poweroff", "pause", "none", NULL };
static const char *const run_oopses[] = { "fail", "report", NULL };

struct run {
	/* Options */
	const char *name, *kernel, *flat, *initrd, *modules, *params, *root, *user, *cwd, *kmsg, *dev;
	struct run_trace {
		const char *path;	/* the file, "": stderr, NULL: none */
		FILE *file;
	} exits, phases;
	const char *cpu, *pin;
	struct cpus cpus;
	int console, fs, irqchip, oops, timeout, verbose, max_reboots, watchdog;
	const char *tty[RUN_TTYS];	/* of ttySN, NULL: there is none, or ttyS0 is the console */
	u64 mem;
	struct mem_config ram;
	bool rw, nodefaults, rng, reboot;
	struct opt_list share, p9, device, env, numa;

	/* What they come to */
	struct kernel image;
	bool host_root;
	bool is_pc;			/* the guest is a program for a PC of old */
	char **argv;			/* the command, NULL: a shell */
	struct session session;
	struct verbs verbs;
	u64 started;			/* loop_now() when lkvm was, and its guest */
	u64 entered;
	char name_default[24];
	struct vm_config cfg;
	struct guest_conf conf;
	int vmlinux;			/* unpacked from the image, or -1 */
	char vmlinux_path[32];
	char *cmdline, *flat_file;
	unsigned short *pinned;
	struct numa *nodes;
	void *initrd_data;		/* the mapped or made ramdisk */
	char *text[VM_DEVICES_MAX];	/* suboptions that are ours */
	unsigned int nr_text;
};

static int run_device_help(void *obj, const char *arg, struct opt_err *err);
static int run_cpus(void *obj, const char *arg, struct opt_err *err);
static int run_trace(void *obj, const char *arg, struct opt_err *err);
static int run_tty(void *obj, const char *arg, struct opt_err *err);
static int run_mem_backend(void *obj, const char *arg, struct opt_err *err);
static int run_hugetlbfs(void *obj, const char *arg, struct opt_err *err);

static const struct opt run_opts[] = {
	OPT_GROUP("Kernel"),
	OPT_STR('k', "kernel", struct run, kernel, "FILE",
		"bzImage, ELF or Multiboot kernel to boot (default: that of the kernel tree around the current directory; outside of one the host's own, from /boot)"),
	OPT_STR(0, "flat", struct run, flat, "FILE@ADDR",
		"instead of a kernel a raw binary, started in real mode at ADDR"),
	OPT_STR('i', "initrd", struct run, initrd, "FILE",
		"initial ramdisk; the guest is then on its own, without the host's files"),
	OPT_STR('p', "params", struct run, params, "TEXT", "more kernel parameters, after ours"),
	OPT_STR(0, "modules", struct run, modules, "DIR",
		"where the kernel's modules are: a build tree, lib/modules/VERSION or what is above it"),
	OPT_GROUP("Machine"),
	OPT_STR(0, "name", struct run, name, "NAME",
		"of the machine (default: lkvm-PID), and the guest's host name (default: lkvm)"),
	OPT_CALL('c', "cpus", run_cpus, "N|sockets=S,cores=C,threads=T",
		 "vCPUs, and what they belong to (default: as many as the host has, at most 4)"),
	OPT_STR(0, "cpu", struct run, cpu, "host[,+FEATURE|,-FEATURE]...",
		"what the vCPUs can do: what KVM offers, less what is taken away"),
	OPT_STR(0, "pin", struct run, pin, "LIST",
		"the host's CPUs that the vCPUs run on, in their order, as in 0-3,6"),
	OPT_CHOICE(0, "irqchip", struct run, irqchip, run_irqchips,
		   "whose the I/O APIC is: KVM's, with a PC's PICs, or lkvm's (default: what suits the kernel)"),
	OPT_SIZE('m', "mem", struct run, mem, MIB, 2 * MIB, 1ULL << 46, "SIZE",
		 "RAM, in MiB or with a suffix (default: 1G)"),
	OPT_CALL(0, "mem-backend", run_mem_backend, "thp|hugetlb[=SIZE]|memfd|file=PATH",
		 "where it comes from: process memory (default), the host's huge pages, a memfd, a file or directory"),
	OPT_CALL(0, "hugetlbfs", run_hugetlbfs, "DIR", "it comes from the hugetlbfs that is mounted there"),
	OPT_BOOL(0, "mem-prealloc", struct run, ram.prealloc, "have all of it before the guest starts"),
	OPT_BOOL(0, "mem-lock", struct run, ram.lock, "the same, and it is never swapped out"),
	OPT_BOOL(0, "mem-merge", struct run, ram.merge,
		 "the host may merge its pages with others that are alike (KSM)"),
	OPT_LIST(0, "numa", struct run, numa, "mem=SIZE,cpus=A-B[,node=N][,distance=N:D][,host=N]",
		 "a NUMA node of the guest; one for each"),
	OPT_CALL(0, "device", run_device_help, "TYPE[,OPTION...]",
		 "one more device; --device help lists them, --device TYPE,help its options"),
	OPT_CHOICE(0, "console", struct run, console, run_consoles,
		   "where the kernel's console is: ttyS0 (default) or hvc0"),
	OPT_CALL(0, "tty", run_tty, "N[,TTY]",
		 "serial port ttySN (0 to 3) on pty (default), unix:PATH, file:PATH, fd:N, stdio or null"),
	OPT_CHOICE(0, "watchdog", struct run, watchdog, run_watchdogs,
		   "a watchdog, and what is done when the guest does not come to it in time"),
	OPT_BOOL(0, "rng", struct run, rng, "a virtio-rng; there always is one"),
	OPT_BOOL(0, "reboot", struct run, reboot,
		 "start again when the guest reboots: the default, --no-reboot ends it; so does a command"),
	OPT_INT(0, "max-reboots", struct run, max_reboots, 0, INT_MAX, "N",
		"start again N times, then a reboot ends it"),
	OPT_STR(0, "dev", struct run, dev, "FILE", "KVM's device (default: /dev/kvm)"),
	OPT_BOOL(0, "nodefaults", struct run, nodefaults,
		 "add nothing: no host files, no kernel parameters but -p"),
	OPT_GROUP("Files"),
	OPT_STR(0, "root", struct run, root, "DIR", "the guest's root (default: /)"),
	OPT_BOOL(0, "rw", struct run, rw, "what the guest writes to its root changes DIR itself"),
	OPT_LIST(0, "share", struct run, share, "DIR[:GUESTDIR][,ro][,cache=auto|always|none]",
		 "a folder of the host, writable, under the same or another name; by virtio-fs with a cache"),
	OPT_CHOICE(0, "fs", struct run, fs, run_filesystems,
		   "how the guest gets at them (default: virtiofs if its kernel is known to have that)"),
	OPT_LIST(0, "9p", struct run, p9, "DIR,TAG",
		 "a folder of the host for the guest to mount by a tag of its own"),
	OPT_GROUP("Command"),
	OPT_STR('u', "user", struct run, user, "NAME", "who runs it in the guest (default: root)"),
	OPT_STR(0, "cwd", struct run, cwd, "DIR", "where it runs (default: here)"),
	OPT_LIST(0, "env", struct run, env, "NAME=VALUE", "one more environment variable"),
	OPT_TIME(0, "timeout", struct run, timeout, 1, INT_MAX / 1000, "SECONDS[s|m|h|d]",
		"end the guest after that time, with status 124"),
	OPT_CHOICE(0, "oops", struct run, oops, run_oopses,
		   "an oops of the guest's kernel makes the status 123 (default with a command), or is only said"),
	OPT_GROUP("Messages"),
	OPT_COUNT('v', "verbose", struct run, verbose,
		  "kernel messages to stderr; -vv: also what lkvm does"),
	OPT_STR(0, "kmsg", struct run, kmsg, "FILE", "kernel messages to FILE"),
	OPT_CALL(0, "trace", run_trace, "exits|phases[=FILE]",
		 "count what makes the guest leave to lkvm, or say where the time went; printed at the end, to stderr or FILE"),
	OPT_LATER('d', "disk", "--root DIR takes a directory as the root"),
	OPT_LATER('n', "network", NULL),
	OPT_LATER(0, "balloon", NULL),
	OPT_LATER(0, "vsock", NULL),
	OPT_LATER(0, "vnc", NULL),
	OPT_LATER(0, "gtk", NULL),
	OPT_LATER(0, "sdl", NULL),
	OPT_LATER('f', "firmware", NULL),
	OPT_LATER(0, "sandbox", "lkvm run -- COMMAND runs a command"),
	OPT_LATER(0, "virtio-transport", "it is always modern PCI"),
	OPT_LATER(0, "vfio-pci", NULL),
	OPT_LATER(0, "debug", "-v and -vv say more"),
	OPT_LATER(0, "loglevel", "-v and -vv say more"),
	OPT_TABLE_OF_NONE(foreign_opts),
	OPT_END
};

/* --device: "help" is answered at once, everything else is kept. */
static int run_device_help(void *obj, const char *arg, struct opt_err *err)
{
	struct run *run = obj;
	const struct device_type *type;
	size_t len = strcspn(arg, ",");
	unsigned int i;
	char name[64];

	if (!strcmp(arg, "help")) {
		for (i = 0; (type = device_type_get(i)); i++)
			if (!type->internal)
				printf("  %-20s %s\n", type->name, type->help);
		exit(0);
	}
	snprintf(name, sizeof(name), "%.*s", (int)len, arg);
	type = device_type_find(name);
	if (type && !type->internal && !strcmp(arg + len, ",help")) {
		printf("%s: %s\n", type->name, type->help);
		if (type->opts)
			opt_print_sub(stdout, type->opts);
		exit(0);
	}
	if (!type || type->internal) {
		struct opt_near near = { 0 };

		for (i = 0; (type = device_type_get(i)); i++)
			if (!type->internal)
				opt_near(&near, name, type->name);
		snprintf(err->text, sizeof(err->text), "there is no device \"%s\"%s%s%s", name,
			 near.word ? ", did you mean \"" : "; --device help lists them",
			 near.word ? near.word : "", near.word ? "\"?" : "");
		return -EINVAL;
	}
	run->device.item = realloc(run->device.item, (run->device.nr + 1) * sizeof(*run->device.item));
	if (!run->device.item)
		return -ENOMEM;
	run->device.item[run->device.nr++] = arg;
	return 0;
}

static int run_trace(void *obj, const char *arg, struct opt_err *err)
{
	struct run *run = obj;
	size_t len = strcspn(arg, "=");
	const char *path = arg + len + (arg[len] == '=');

	if (len == strlen("exits") && !strncmp(arg, "exits", len)) {
		run->exits.path = path;
	} else if (len == strlen("phases") && !strncmp(arg, "phases", len)) {
		run->phases.path = path;
	} else {
		snprintf(err->text, sizeof(err->text), "\"%s\" cannot be traced, exits and phases can", arg);
		return -EINVAL;
	}
	return 0;
}

static int run_tty(void *obj, const char *arg, struct opt_err *err)
{
	struct run *run = obj;
	unsigned int n = *arg - '0';

	if (n >= RUN_TTYS || (arg[1] && (arg[1] != ',' || !arg[2]))) {
		snprintf(err->text, sizeof(err->text), "\"%s\" has to be N or N,TTY with N from 0 to %d, as in 1,unix:PATH",
			 arg, RUN_TTYS - 1);
		return -EINVAL;
	}
	if (run->tty[n]) {
		snprintf(err->text, sizeof(err->text), "ttyS%u is given twice", n);
		return -EINVAL;
	}
	run->tty[n] = arg[1] ? arg + 2 : "pty";
	return 0;
}

static int run_cpus(void *obj, const char *arg, struct opt_err *err)
{
	struct run *run = obj;

	return cpus_parse(&run->cpus, arg, err);
}

static int run_mem_backend(void *obj, const char *arg, struct opt_err *err)
{
	struct run *run = obj;

	return ram_backend(&run->ram, arg, err);
}

/* kvmtool's spelling */
static int run_hugetlbfs(void *obj, const char *arg, struct opt_err *err)
{
	struct run *run = obj;

	run->ram.kind = MEM_FILE;
	run->ram.path = arg;
	run->ram.hugetlbfs = true;
	return 0;
}

static int run_err(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int run_err(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(LOG_ERROR, fmt, ap);
	va_end(ap);
	return err;
}

/* The devices */

static int run_add_device(struct run *run, const char *type, char *opts)
{
	struct vm_config *cfg = &run->cfg;

	if (opts)
		run->text[run->nr_text++] = opts;
	if (cfg->nr_devices == VM_DEVICES_MAX - 1)
		return run_err(-EINVAL, "more than %d devices", VM_DEVICES_MAX - 1);
	cfg->device[cfg->nr_devices++] = (struct device_config) { type, opts };
	return 0;
}

/* A value among suboptions: its commas are doubled. malloc()ed. */
static char *run_quote(const char *text)
{
	char *quoted = malloc(2 * strlen(text) + 1), *p = quoted;

	for (; quoted && *text; text++) {
		if (*text == ',')
			*p++ = ',';
		*p++ = *text;
	}
	if (quoted)
		*p = '\0';
	return quoted;
}

/* @more: further suboptions, each with a comma before it. */
static int run_add_folder(struct run *run, const char *type, const char *dir, const char *tag,
			  const char *more)
{
	char *quoted_dir = run_quote(dir), *quoted_tag = run_quote(tag), *opts = NULL;
	int ret = -ENOMEM;

	if (quoted_dir && quoted_tag &&
	    asprintf(&opts, "dir=%s,tag=%s%s", quoted_dir, quoted_tag, more) >= 0)
		ret = run_add_device(run, type, opts);
	free(quoted_dir);
	free(quoted_tag);
	return ret;
}

/* Virtio-fs is faster; but of a kernel that does not tell, it is 9p that it is more likely to have. */
static void run_choose_fs(struct run *run)
{
	struct modules *m;
	int state;

	if (run->fs != FS_AUTO)
		return;
	run->fs = FS_9P;
	m = modules_open(run->image.modules, run->image.tree);
	if (!m)
		return;
	state = modules_add(m, "virtiofs");
	if ((state != MODULE_UNKNOWN && state != MODULE_ABSENT) || modules_add(m, "9p") == MODULE_ABSENT)
		run->fs = FS_VIRTIOFS;
	modules_close(m);
}

static const char *run_fs_device(const struct run *run)
{
	return run->fs == FS_VIRTIOFS ? "virtio-fs" : "virtio-9p";
}

/* The root below an overlay does not change, as far as the overlay is concerned. */
static const char *run_root_options(const struct run *run)
{
	if (run->rw)
		return "";
	return run->fs == FS_VIRTIOFS ? ",ro,flat,cache=always" : ",ro";
}

struct run_share {
	const char *dir;
	bool ro;
	int cache;
};

static const char *const run_caches[] = { "auto", "always", "none", NULL };

static const struct opt run_share_opts[] = {
	OPT_STR_FIRST("dir", struct run_share, dir, "DIR[:GUESTDIR]", "the folder"),
	OPT_BOOL(0, "ro", struct run_share, ro, "read-only"),
	OPT_CHOICE(0, "cache", struct run_share, cache, run_caches,
		   "what the guest believes without asking, by virtio-fs: a second's worth, all, nothing"),
	OPT_END
};

/* A folder that the user names: its real path (malloc()ed), or NULL with the message printed. */
static char *run_folder(const char *option, const char *dir)
{
	struct stat st;
	char *path = realpath(dir, NULL);

	if (!path) {
		pr_err("--%s %s: %s", option, dir, strerror(errno));
		return NULL;
	}
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		pr_err("--%s %s: not a directory", option, dir);
		free(path);
		return NULL;
	}
	return path;
}

static int run_add_share(struct run *run, const char *arg, unsigned int n)
{
	struct run_share share = { 0 };
	struct opt_err err;
	char tag[32], more[32], *text = strdup(arg), *guest, *dir;
	int ret;

	if (!text)
		return -ENOMEM;
	ret = opt_parse_sub(run_share_opts, &share, text, &err);
	if (ret)
		run_err(ret, "--share %s: %s", arg, err.text);
	else if (!share.dir)
		ret = run_err(-EINVAL, "--share %s: names no folder", arg);
	if (ret)
		goto out;
	guest = strchr(share.dir, ':');
	if (guest)
		*guest++ = '\0';
	if (guest && *guest != '/') {
		ret = run_err(-EINVAL, "--share %s: the guest's directory has to begin with /", arg);
		goto out;
	}
	ret = -EINVAL;
	dir = run_folder("share", share.dir);
	if (!dir)
		goto out;
	snprintf(tag, sizeof(tag), GUEST_TAG_SHARE "%u", n);
	/* By 9p the guest keeps nothing in any case. */
	snprintf(more, sizeof(more), "%s%s%s", share.ro ? ",ro" : "",
		 run->fs == FS_VIRTIOFS ? ",cache=" : "",
		 run->fs == FS_VIRTIOFS ? run_caches[share.cache] : "");
	ret = run_add_folder(run, run_fs_device(run), dir, tag, more);
	if (!ret)
		ret = guest_conf_addf(&run->conf, "share", "%s,%s,%s", tag, share.ro ? "ro" : "rw",
				      guest ? guest : dir);
	free(dir);
out:
	free(text);
	return ret;
}

/* --9p DIR,TAG: the last comma divides, as a tag has none. */
static int run_add_plain_9p(struct run *run, const char *arg)
{
	char *dir = strdup(arg), *comma;
	int ret;

	if (!dir)
		return -ENOMEM;
	comma = strrchr(dir, ',');
	if (comma)
		*comma++ = '\0';
	ret = run_add_folder(run, "virtio-9p", dir, comma && *comma ? comma : "kvm_9p", "");
	free(dir);
	return ret;
}

static int run_user_devices(struct run *run)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < run->p9.nr; i++)
		ret = run_add_plain_9p(run, run->p9.item[i]);
	for (i = 0; !ret && i < run->device.nr; i++) {
		char *type = strdup(run->device.item[i]), *opts = type ? strchr(type, ',') : NULL;

		if (!type)
			return -ENOMEM;
		if (opts)
			*opts++ = '\0';
		run->text[run->nr_text++] = type;
		opts = opts ? strdup(opts) : NULL;
		ret = run_add_device(run, type, opts);
	}
	return ret;
}

/* Has the user asked for one? */
static bool run_has_device(const struct run *run, const char *type)
{
	size_t len = strlen(type);
	unsigned int i;

	for (i = 0; i < run->device.nr; i++)
		if (!strncmp(run->device.item[i], type, len) && strchr(",", run->device.item[i][len]))
			return true;
	return false;
}

/*
 * What programs for a PC look for, unless the user has said how they want it. Not
 * for everybody: KVM takes its time to give a PIT back.
 */
static int run_pc_devices(struct run *run)
{
	static const char *const pc[] = { "pit", "pc-testdev", "acpi-pm" };
	unsigned int i;
	int ret = 0;

	/* The PIT's interrupt goes to KVM's PICs. */
	for (i = run->cfg.irqchip == IRQCHIP_KERNEL ? 0 : 1; !ret && i < ARRAY_SIZE(pc); i++)
		if (!run_has_device(run, pc[i]) && device_type_find(pc[i]))
			ret = run_add_device(run, pc[i], NULL);
	return ret;
}

static int run_watchdog(struct run *run)
{
	char *opts = NULL;

	if (asprintf(&opts, "action=%s", run_watchdogs[run->watchdog]) < 0)
		return -ENOMEM;
	return run_add_device(run, "i6300esb", opts);
}

/* The console: a serial port, or port 0 of a virtio-console that may have others too. */
static int run_console(struct run *run)
{
	const char *ports = run->session.device;
	char *opts = NULL, *quoted;
	int ret;

	if (run->console == CONSOLE_SERIAL) {
		run->cfg.console = run->session.console;
		if (!ports)
			return 0;
		opts = strdup(ports);
		return opts ? run_add_device(run, "virtio-console", opts) : -ENOMEM;
	}
	run->cfg.console = NULL;
	quoted = run_quote(run->session.console);
	ret = quoted && asprintf(&opts, "console=%s%s%s", quoted, ports ? "," : "",
				 ports ? ports : "") >= 0 ? 0 : -ENOMEM;
	free(quoted);
	return ret ? ret : run_add_device(run, "virtio-console", opts);
}

/* The serial ports that --tty names. One of them may be what the console would be else: stdio. */
static int run_ttys(struct run *run)
{
	bool taken = run->host_root || run->console != CONSOLE_SERIAL || !run->tty[0];
	unsigned int n;
	int ret = 0;

	for (n = 0; !ret && n < RUN_TTYS; n++) {
		const char *spec = run->tty[n];
		char *quoted, *opts = NULL;

		if (!spec)
			continue;
		if (!strcmp(spec, "stdio")) {
			if (taken)
				return run_err(-EINVAL, "--tty %u,stdio: stdin and stdout are %s", n,
					       run->host_root ? "the command's" :
					       run->console != CONSOLE_SERIAL || run->tty[0] ? "taken" :
					       "the console's, ttyS0: --tty 0 moves that elsewhere");
			taken = true;
			spec = run->session.console;
		}
		if (!n) {
			run->cfg.console = spec;
			continue;
		}
		quoted = run_quote(spec);
		ret = quoted && asprintf(&opts, "nr=%u,tty=%s", n, quoted) >= 0 ? 0 : -ENOMEM;
		free(quoted);
		if (!ret)
			ret = run_add_device(run, "serial", opts);
	}
	return ret;
}

/* The guest with the host's files */

/* What of lkvm's environment means something in the guest, whose root may be another. */
static const char *const run_env[] = {
	"TERM", "COLORTERM", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES",
	"LC_NUMERIC", "LC_TIME", "TZ", NULL
};

static int run_conf_env(struct run *run)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && run_env[i]; i++) {
		const char *value = getenv(run_env[i]);

		if (value)
			ret = guest_conf_addf(&run->conf, "env", "%s=%s", run_env[i], value);
	}
	for (i = 0; !ret && i < run->env.nr; i++) {
		if (!strchr(run->env.item[i], '=') || run->env.item[i][0] == '=')
			return run_err(-EINVAL, "--env %s: has to be NAME=VALUE", run->env.item[i]);
		ret = guest_conf_add(&run->conf, "env", run->env.item[i]);
	}
	return ret;
}

static int run_conf_command(struct run *run)
{
	static const char *const key[] = { "stdin", "stdout", "stderr" };
	char cwd[PATH_MAX];
	unsigned int i;
	int ret;

	ret = guest_conf_add(&run->conf, "hostname", run->name ? run->name : "lkvm");
	if (!ret && (run->cwd || getcwd(cwd, sizeof(cwd))))
		ret = guest_conf_add(&run->conf, "cwd", run->cwd ? run->cwd : cwd);
	if (!ret && run->user)
		ret = guest_conf_add(&run->conf, "user", run->user);
	if (!ret)
		ret = run_conf_env(run);
	for (i = 0; !ret && run->argv[i]; i++)
		ret = guest_conf_add(&run->conf, "arg", run->argv[i]);
	for (i = 0; !ret && i < 3; i++)
		ret = guest_conf_add(&run->conf, key[i], run->session.mode[i]);
	if (!ret && run->session.rows)
		ret = guest_conf_addf(&run->conf, "winsize", "%u %u", run->session.rows,
				      run->session.cols);
	return ret;
}

/*
 * Where the guest's modprobe looks for modules there may be none, or those of the
 * host's kernel. Ours can be bound there if they are in the guest's root.
 */
static int run_conf_modules(struct run *run, const char *root)
{
	size_t len = strcmp(root, "/") ? strlen(root) : 0;
	const struct kernel *k = &run->image;
	char *path = k->modules && k->release && !k->tree ? realpath(k->modules, NULL) : NULL;
	int ret = 0;

	if (path && !strncmp(path, root, len) && path[len] == '/')
		ret = guest_conf_addf(&run->conf, "modules", "%s,%s", k->release, path + len);
	free(path);
	return ret;
}

static int run_host_root(struct run *run)
{
	char *root = run_folder("root", run->root ? run->root : "/");
	unsigned int i;
	int ret;

	if (!root)
		return -EINVAL;
	run_choose_fs(run);
	ret = root_check(root, run->argv[0] ? run->argv : NULL, run->user);
	if (!ret)
		ret = run_add_folder(run, run_fs_device(run), root, GUEST_TAG_ROOT,
				     run_root_options(run));
	if (!ret)
		ret = run_conf_modules(run, root);
	free(root);
	if (!ret)
		ret = guest_conf_add(&run->conf, "fs", run_filesystems[run->fs]);
	if (!ret)
		ret = guest_conf_add(&run->conf, "root", run->rw ? "rw" : "overlay");
	for (i = 0; !ret && i < run->share.nr; i++)
		ret = run_add_share(run, run->share.item[i], i);
	if (!ret)
		ret = run_conf_command(run);
	if (ret)
		return ret;
	ret = initramfs_build(&run->image, INITRAMFS_RNG |
			      (run->fs == FS_9P ? INITRAMFS_9P : INITRAMFS_VIRTIOFS) |
			      (run->rw ? 0 : INITRAMFS_OVERLAY), &run->conf,
			      &run->initrd_data, &run->cfg.initrd_len);
	run->cfg.initrd = run->initrd_data;
	return ret;
}

/* The kernel and its parameters */

static int run_read_initrd(struct run *run)
{
	int fd = open(run->initrd, O_RDONLY | O_NONBLOCK | O_CLOEXEC), ret = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		ret = run_err(-errno, "initrd %s: %s", run->initrd, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || !st.st_size) {
		ret = run_err(-EINVAL, "initrd %s: %s", run->initrd,
			      S_ISREG(st.st_mode) ? "is empty" : "is no regular file");
	} else {
		size_t len = st.st_size, done = 0;

		run->initrd_data = malloc(len);
		if (!run->initrd_data)
			ret = run_err(-ENOMEM, "initrd %s: %zu bytes of memory", run->initrd, len);
		while (!ret && done < len) {
			ssize_t n = read(fd, (char *)run->initrd_data + done, len - done);

			if (n <= 0)
				ret = run_err(n ? -errno : -EIO, "initrd %s: %s", run->initrd,
					      n ? strerror(errno) : "became shorter");
			else
				done += n;
		}
		run->cfg.initrd = run->initrd_data;
		run->cfg.initrd_len = len;
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * Ours come first, so that -p can override them. A panic ends the machine at
 * once; the kernel's messages stay in its buffer unless somebody wants to read
 * them, because a serial console costs an exit for every character.
 */
static int run_cmdline(struct run *run, bool is_linux)
{
	unsigned int serials = RUN_TTYS;
	bool wanted = run->verbose || run->kmsg || (!run->host_root && !run->argv[0]);
	const char *params = run->params ? run->params : "";
	int n;

	while (serials > 1 && !run->tty[serials - 1])
		serials--;
	if (run->nodefaults || !is_linux)
		n = asprintf(&run->cmdline, "%s", params);
	else
		n = asprintf(&run->cmdline, "console=%s panic=-1 %s%s%s%s%s",
			     run->console == CONSOLE_SERIAL ? "ttyS0" : "hvc0", arch_cmdline(serials),
			     wanted ? "" : " quiet",
			     run->host_root ? " rdinit=/init" : "",
			     *params ? " " : "", params);
	if (n < 0)
		return -ENOMEM;
	run->cfg.kernel_cmdline = run->cmdline;
	return 0;
}

/*
 * Boot the vmlinux inside of the image if it can be had. It is not relocated at
 * random then; who asks for that gets it from the image itself.
 */
static void run_unpack(struct run *run)
{
	if (run->nodefaults || (run->params && strstr(run->params, "kaslr")))
		return;
	run->vmlinux = kernel_unpack(run->image.image);
	if (run->vmlinux < 0)
		return;
	snprintf(run->vmlinux_path, sizeof(run->vmlinux_path), "/proc/self/fd/%d", run->vmlinux);
	run->cfg.kernel = run->vmlinux_path;
	run->cfg.kernel_name = run->image.image;
}

/*
 * Programs for a PC get all that KVM has of one. Linux is not asked to look after
 * more pins than there are devices for, if it is known to read its tables.
 */
static void run_irqchip(struct run *run, bool is_linux)
{
	static const char *const reads_tables[] = { "CONFIG_ACPI", "CONFIG_PCI_MSI", "CONFIG_DMI", NULL };

	if (run->irqchip == RUN_IRQCHIP_SPLIT)
		run->cfg.irqchip = IRQCHIP_SPLIT;
	else if (run->irqchip == RUN_IRQCHIP_KERNEL || run->is_pc || run_has_device(run, "pit"))
		run->cfg.irqchip = IRQCHIP_KERNEL;
	else if (!is_linux)
		run->cfg.irqchip = IRQCHIP_SPLIT;
	else if (kernel_enables(&run->image, reads_tables))
		run->cfg.irqchip = IRQCHIP_COMPACT;
}

/* --flat: no file format, so the machine starts with nothing but that. */
static int run_flat(struct run *run)
{
	char *at, *end;

	if (run->kernel || run->initrd || run->params || run->modules || run->argv[0] || run->root ||
	    run->share.nr || run->user)
		return run_err(-EINVAL, "--flat %s: a raw binary is all that there is: no kernel, no initrd, no parameters, no command",
			       run->flat);
	run->flat_file = strdup(run->flat);
	if (!run->flat_file)
		return -ENOMEM;
	at = strrchr(run->flat_file, '@');
	if (at) {
		errno = 0;
		run->cfg.flat_addr = strtoull(at + 1, &end, 0);
	}
	if (!at || at == run->flat_file || end == at + 1 || *end || errno || at[1] == '-')
		return run_err(-EINVAL, "--flat %s: has to be FILE@ADDRESS, as in boot.bin@0x7c00",
			       run->flat);
	*at = '\0';
	run->cfg.flat = true;
	run->is_pc = true;
	run_irqchip(run, false);
	run->cfg.kernel = run->flat_file;
	return 0;
}

static int run_kernel(struct run *run)
{
	struct kernel_info info;
	char text[512];
	int ret;

	if (run->flat)
		return run_flat(run);
	ret = kernel_find(&run->image, run->kernel, run->modules, run->root);
	if (ret)
		return ret;
	ret = arch_probe(run->image.image, &info);
	if (ret)
		return ret;
	run->cfg.kernel = run->image.image;
	/* The host's own kernel is hardly ever the one to be tested. */
	if (!run->kernel && (run->image.host || log_enabled(LOG_INFO) || isatty(STDERR_FILENO)))
		fprintf(stderr, "lkvm: booting %s%s\n", run->image.host ? "the host's kernel, " : "",
			kernel_describe(&run->image, text, sizeof(text)));
	run->is_pc = info.is_pc && !info.is_linux;
	run->host_root = info.is_linux && !run->nodefaults && (!run->initrd || run->root);
	if (!run->host_root && (run->argv[0] || run->share.nr || run->root || run->user))
		return run_err(-EINVAL, "%s: %s, so there is nothing to run %s in",
			       run->image.image,
			       !info.is_linux ? "is not Linux" : run->initrd ?
			       "boots with your own initrd and no --root" : "boots with --nodefaults",
			       run->argv[0] ? run->argv[0] : "a command");
	run_irqchip(run, info.is_linux);
	if (info.is_linux)
		run_unpack(run);
	return run_cmdline(run, info.is_linux);
}

static int run_memory(struct run *run)
{
	u64 host = (u64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), mem = run->mem;
	struct vm_config *cfg = &run->cfg;
	int ret;

	cfg->ram = run->ram;
	if (run->ram.merge && run->ram.kind != MEM_THP)
		return run_err(-EINVAL, "--mem-merge: the host merges no pages of files and no huge pages, only those of --mem-backend thp");
	if (run->numa.nr) {
		ret = ram_numa(&run->nodes, &run->numa, run->cpus.nr, &mem);
		if (ret)
			return ret;
		cfg->numa = run->nodes;
		cpus_nodes(&run->cpus, run->nodes->cpu);
	}
	cfg->mem = mem ? mem : min((u64)RUN_MEM_DEFAULT, (u64)(host / 5 * 4 / MIB * MIB));
	if (cfg->mem > host && (run->ram.prealloc || run->ram.lock))
		return run_err(-EINVAL, "--mem-%s: the guest wants %llu MiB of RAM, the host has %llu",
			       run->ram.lock ? "lock" : "prealloc", (unsigned long long)(cfg->mem / MIB),
			       (unsigned long long)(host / MIB));
	if (cfg->mem > host)
		pr_warn("the guest gets %llu MiB of RAM, the host has %llu",
			(unsigned long long)(cfg->mem / MIB), (unsigned long long)(host / MIB));
	return 0;
}

/* Of those that this process may use; sysconf() reads /sys, for most of a millisecond. */
static unsigned int run_cpus_default(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return RUN_CPUS_DEFAULT;	/* the host has more than 1024 */
	return min(CPU_COUNT(&set), RUN_CPUS_DEFAULT);
}

static void run_defaults(struct run *run)
{
	struct vm_config *cfg = &run->cfg;

	if (!run->cpus.nr)
		cpus_set(&run->cpus, run_cpus_default());
	cfg->cpu = run->cpu;
	cfg->kvm_path = run->dev ? run->dev : "/dev/kvm";
	snprintf(run->name_default, sizeof(run->name_default), "lkvm-%ld", (long)getpid());
	cfg->name = run->name ? run->name : run->name_default;
}

static int run_trace_open(struct run_trace *t)
{
	if (!t->path)
		return 0;
	t->file = *t->path ? fopen(t->path, "we") : stderr;
	return t->file ? 0 : run_err(-errno, "--trace %s: %s", t->path, strerror(errno));
}

static void run_trace_close(struct run_trace *t)
{
	if (t->file && t->file != stderr && fclose(t->file))
		pr_err("--trace %s: %s", t->path, strerror(errno));
}

static int run_trace_start(struct run *run)
{
	int ret = run_trace_open(&run->exits);

	if (!ret)
		ret = run_trace_open(&run->phases);
	if (ret || !run->exits.file)
		return ret;
	run->cfg.trace = trace_new();
	return run->cfg.trace ? 0 : run_err(-ENOMEM, "--trace: out of memory");
}

static void run_phase(FILE *f, const char *name, u64 from, u64 to)
{
	if (from && to >= from)
		fprintf(f, "%10.1f ms  %s\n", (to - from) / 1e6, name);
}

/* Of the last start, if the guest has rebooted. */
static void run_phases(const struct run *run, FILE *f)
{
	const struct session *s = &run->session;
	u64 now = loop_now(), in_init = s->ready_ns - s->init_ns;
	u64 init = s->ready_at > in_init ? s->ready_at - in_init : 0;

	run_phase(f, "lkvm, to the guest's first instruction", run->started, run->entered);
	run_phase(f, init ? "kernel, to PID 1" : "the guest", run->entered, init ? init : now);
	run_phase(f, "PID 1, to the command", init, s->ready_at);
	run_phase(f, "the command", s->ready_at, s->report_at);
	run_phase(f, "the end", s->report_at, now);
	run_phase(f, "all", run->started, now);
}

static void run_trace_end(struct run *run)
{
	if (run->exits.file)
		trace_print(run->cfg.trace, run->exits.file);
	if (run->phases.file)
		run_phases(run, run->phases.file);
	run_trace_close(&run->exits);
	run_trace_close(&run->phases);
}

/* Where there are nodes they have had a say in what the sockets are. */
static int run_cpus_config(struct run *run)
{
	struct vm_config *cfg = &run->cfg;
	struct rlimit files;
	int ret = run->pin ? cpus_pin(run->pin, run->cpus.nr, &run->pinned) : 0;

	/* Each vCPU is a descriptor. */
	if (run->cpus.nr > 256 && !getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	cfg->pin = run->pinned;
	cfg->cpus = run->cpus.nr;
	cfg->sockets = run->cpus.sockets;
	cfg->cores = run->cpus.cores;
	cfg->threads = run->cpus.threads;
	return ret;
}

static int run_config(struct run *run)
{
	struct session_config session = {
		.oops_fail = run->oops < 0 ? run->argv[0] != NULL : run->oops == OOPS_FAIL, .verbose = run->verbose, .kmsg = run->kmsg,
		.timeout = run->timeout, .command = run->argv[0],
	};
	int ret;

	run_defaults(run);
	ret = run_memory(run);
	if (!ret)
		ret = run_cpus_config(run);
	if (!ret)
		ret = run_kernel(run);
	if (ret)
		return ret;
	session.console = !run->host_root;
	ret = session_open(&run->session, &session);
	if (!ret)
		ret = verbs_open(&run->verbs, run->cfg.name, run->name);
	if (!ret)
		ret = run_trace_start(run);
	if (!ret)
		ret = run_console(run);
	if (!ret)
		ret = run_ttys(run);
	if (!ret)
		ret = run_add_device(run, "virtio-rng", NULL);
	if (!ret && run->watchdog >= 0)
		ret = run_watchdog(run);
	if (!ret && run->is_pc && !run->nodefaults)
		ret = run_pc_devices(run);
	if (!ret && run->initrd && !run->host_root)
		ret = run_read_initrd(run);
	if (!ret && run->host_root)
		ret = run_host_root(run);
	if (!ret)
		ret = run_user_devices(run);
	return ret;
}

/* The machine */

static void run_end(void *obj)
{
	vm_end(obj, VM_EXIT, 0);
}

static void run_resize(void *obj, u16 rows, u16 cols)
{
	struct device *dev = device_find(obj, "virtio-console");

	if (dev)
		console_resize(dev, rows, cols);
}

static void run_drain(void *obj, struct work *done)
{
	struct vm *vm = obj;
	struct device *dev = device_find(vm, "virtio-console");

	if (dev)
		console_drain(dev, vm->loop, done);
	else
		loop_post(vm->loop, done);
}

static const struct session_ops run_session_ops = {
	.end = run_end, .resize = run_resize, .drain = run_drain,
};

/*
 * The machine, from its first start to its end; a guest that reboots gets a new one, one
 * that wakes up from S3 a new one around its RAM.
 */
static int run_machine(struct run *run)
{
	int status, left = run->max_reboots;
	enum vm_end end = VM_RESET;
	struct vm vm;

	do {
		run->verbs.reboot = run->reboot && left;
		if (end == VM_WAKE ? vm_rebuild(&vm) : vm_create(&vm, &run->cfg))
			return STATUS_FAILED;
		end = VM_FAILED;
		if (!session_start(&run->session, vm.loop, &run_session_ops, &vm) &&
		    !verbs_start(&run->verbs, &vm)) {
			run->entered = loop_now();
			end = vm_run(&vm);
		}
		fw_cfg_release(&vm, run->session.release);
		status = vm.status;
		verbs_leave(&run->verbs);
		session_leave(&run->session);
		if (end != VM_WAKE)
			vm_destroy(&vm);
	} while (end == VM_WAKE ||
		 (end == VM_RESET && run->reboot && left-- && session_reboot(&run->session)));
	status = session_status(&run->session, end, status);
	run_trace_end(run);
	return status;
}

static void run_free(struct run *run)
{
	unsigned int i;

	verbs_close(&run->verbs);
	session_close(&run->session);
	trace_free(run->cfg.trace);
	kernel_free(&run->image);
	if (run->vmlinux >= 0)
		close(run->vmlinux);
	guest_conf_free(&run->conf);
	free(run->cmdline);
	free(run->flat_file);
	free(run->pinned);
	ram_numa_free(run->nodes);
	free(run->initrd_data);
	for (i = 0; i < run->nr_text; i++)
		free(run->text[i]);
	opt_list_free(&run->share);
	opt_list_free(&run->p9);
	opt_list_free(&run->device);
	opt_list_free(&run->env);
	opt_list_free(&run->numa);
}

static int cmd_run(const struct command *cmd, int argc, char **argv)
{
	struct run run = { .reboot = true, .verbs.session = &run.session, .oops = -1, .watchdog = -1, .vmlinux = -1,
			   .max_reboots = INT_MAX, .started = loop_now() };
	int n, status;

	n = command_parse(cmd, &run, argc, argv, &status);
	if (n < 0)
		return status;
	run.argv = argv;
	log_set_level(run.verbose > 1 ? LOG_DEBUG : run.verbose ? LOG_INFO : LOG_WARNING);
	status = run_config(&run) ? STATUS_FAILED : run_machine(&run);
	run_free(&run);
	return status;
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
