// SPDX-License-Identifier: GPL-2.0
/*
 * lkvm gdb: the user's gdb on a machine, with the symbols of its kernel where the kernel lies.
 * If nothing serves gdb in the machine yet, this makes the socket and hands it over.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/control.h>
#include <kvm/elf.h>
#include <kvm/file.h>
#include <kvm/log.h>

#include "attach.h"
#include "client.h"

#define GDB_ARGS_MAX	256
#define BUILD_ID_MAX	64		/* bytes */

struct debugger {
	const char *vmlinux;
	bool print;
	/* What the machine says */
	char name[ATTACH_NAME_MAX], address[256], kernel[PATH_MAX], release[80], build[2 * BUILD_ID_MAX + 1], moved[32];
	char found[PATH_MAX];		/* vmlinux, "" if there is none */
};

static const struct opt gdb_opts[] = {
	OPT_STR(0, "vmlinux", struct debugger, vmlinux, "FILE",
		"the kernel with its symbols (default: looked for in the kernel's tree and where distributions have it)"),
	OPT_BOOL(0, "print", struct debugger, print, "print gdb's command line, and do not run it"),
	OPT_END
};

/* Have the machine serve gdb, and hear about its kernel. */
static int gdb_machine(struct debugger *d)
{
	char values[CONTROL_REPLY_MAX];
	int ret = attach_serve(d->name, "gdb", values, sizeof(values));

	if (ret)
		return ret;
	client_value(values, "address", d->address, sizeof(d->address));
	client_value(values, "kernel", d->kernel, sizeof(d->kernel));
	client_value(values, "release", d->release, sizeof(d->release));
	/* The guest says it, and gdb runs scripts that lie beside what is found by it. */
	if (strchr(d->release, '/'))
		*d->release = '\0';
	client_value(values, "build", d->build, sizeof(d->build));
	client_value(values, "moved", d->moved, sizeof(d->moved));
	return 0;
}

/* Its symbols */

/* The build ID of an ELF file's notes as hexadecimal digits: false if it is no ELF file with symbols. */
static bool gdb_build(const char *path, char build[2 * BUILD_ID_MAX + 1])
{
	struct file_map map;
	const char *note, *symbols;
	Elf64_Nhdr head;
	struct elf e;
	u64 len;

	build[0] = '\0';
	if (file_map(&map, path))
		return false;
	symbols = elf_open_mem(&e, map.data, map.len) ? NULL : elf_find(&e, ".debug_info", &len);
	note = symbols ? elf_find(&e, ".notes", &len) : NULL;
	/* Notes of Linux are in one section, of which the build ID may be any. */
	for (u64 at = 0; note && at + sizeof(head) <= len; ) {
		u64 desc;

		memcpy(&head, note + at, sizeof(head));
		desc = at + sizeof(head) + ALIGN((u64)head.n_namesz, 4);
		if (desc > len || head.n_descsz > len - desc)
			break;
		if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && head.n_descsz <= BUILD_ID_MAX &&
		    !memcmp(note + at + sizeof(head), "GNU", 4))
			for (u32 i = 0; i < head.n_descsz; i++)
				snprintf(build + 2 * i, 3, "%02x", (u8)note[desc + i]);
		at = desc + ALIGN((u64)head.n_descsz, 4);
	}
	file_unmap(&map);
	return symbols;
}

/* Is @path the guest's kernel? Of the same build, if both say. */
static bool gdb_fits(const struct debugger *d, const char *path)
{
	char build[2 * BUILD_ID_MAX + 1];

	return gdb_build(path, build) && (!*build || !*d->build || !strcmp(build, d->build));
}

static bool gdb_try(struct debugger *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool gdb_try(struct debugger *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->found, sizeof(d->found), fmt, ap);
	va_end(ap);
	if (gdb_fits(d, d->found))
		return true;
	*d->found = '\0';
	return false;
}

static void gdb_search(struct debugger *d)
{
	static const char *const images[] = { "/arch/x86/boot/bzImage", "/arch/x86_64/boot/bzImage" };
	const char *slash = strrchr(d->kernel, '/');
	int dir = slash ? slash - d->kernel : 0;

	if (gdb_try(d, "%s", d->kernel))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(images); i++) {
		size_t len = strlen(d->kernel), end = strlen(images[i]);

		if (len == end - 1 && !strcmp(d->kernel, images[i] + 1) && gdb_try(d, "vmlinux"))
			return;
		if (len >= end && !strcmp(d->kernel + len - end, images[i]) &&
		    gdb_try(d, "%.*s/vmlinux", (int)(len - end), d->kernel))
			return;
	}
	if (slash && gdb_try(d, "%.*s/vmlinux", dir, d->kernel))
		return;
	if (!*d->release)
		return;
	if (slash && gdb_try(d, "%.*s/vmlinux-%s", dir, d->kernel, d->release))
		return;
	if (!gdb_try(d, "/usr/lib/debug/boot/vmlinux-%s", d->release) &&
	    !gdb_try(d, "/usr/lib/debug/lib/modules/%s/vmlinux", d->release))
		gdb_try(d, "/lib/modules/%s/build/vmlinux", d->release);
}

static int gdb_symbols(struct debugger *d)
{
	char build[2 * BUILD_ID_MAX + 1];

	if (!d->vmlinux) {
		gdb_search(d);
		if (!*d->found)
			pr_warn("no vmlinux with debug information for %s: --vmlinux FILE names one",
				*d->release ? d->release : d->kernel);
		return 0;
	}
	snprintf(d->found, sizeof(d->found), "%s", d->vmlinux);
	if (!gdb_build(d->vmlinux, build)) {
		pr_err("--vmlinux %s: no ELF file with debug information (CONFIG_DEBUG_INFO)", d->vmlinux);
		return 1;
	}
	if (gdb_fits(d, d->vmlinux))
		return 0;
	pr_err("--vmlinux %s: of another build: its build ID is %s, that of the guest's kernel %s", d->vmlinux, build,
	       d->build);
	return 1;
}

/* gdb */

static int gdb_run(struct debugger *d, char **more)
{
	static char symbols[PATH_MAX + 64], safe[PATH_MAX + 64], target[300];
	const char *args[GDB_ARGS_MAX] = { "gdb", "-q" }, *slash = strrchr(d->found, '/');
	unsigned int nr = 2;

	/* The kernel's own scripts lie beside vmlinux, and gdb loads them from places that are safe. */
	if (*d->found) {
		snprintf(safe, sizeof(safe), "add-auto-load-safe-path %.*s", slash ? (int)(slash - d->found) : 1,
			 slash ? d->found : ".");
		snprintf(symbols, sizeof(symbols), "symbol-file %s -o %s", d->found, *d->moved ? d->moved : "0");
		args[nr++] = "-iex";
		args[nr++] = safe;
		args[nr++] = "-ex";
		args[nr++] = symbols;
	}
	snprintf(target, sizeof(target), "target remote %s", d->address);
	args[nr++] = "-ex";
	args[nr++] = target;
	for (; *more && nr < GDB_ARGS_MAX - 1; more++)
		args[nr++] = *more;
	args[nr] = NULL;
	return attach_run(args, d->print);
}

static int gdb_main(const struct command *cmd, int argc, char **argv)
{
	struct debugger *d = calloc(1, sizeof(*d));
	int status = 1, n = d ? command_parse(cmd, d, argc, argv, &status) : -1;

	if (n >= 0)
		status = attach_choose(cmd, argv[0], d->name);
	if (n >= 0 && !status)
		status = gdb_machine(d);
	if (n >= 0 && !status)
		status = gdb_symbols(d);
	if (n >= 0 && !status)
		status = gdb_run(d, n ? argv + 1 : argv);
	free(d);
	return status;
}

const struct command command_gdb = {
	.name = "gdb",
	.synopsis = "[OPTION...] [NAME [GDB-ARGUMENT...]]",
	.summary = "debug a running machine with gdb",
	.about =
	"gdb gets the kernel's symbols, moved to where a randomized kernel lies, and\n"
	"its scripts (lx-dmesg, lx-ps). The machine need not have been started with\n"
	"--gdb. It stands still until gdb lets it go on; 'detach' does, and so does the\n"
	"end of gdb. Without NAME it is the only machine that runs.\n",
	.opts = gdb_opts,
	.flags = OPT_STOP,
	.usage_status = STATUS_USAGE,
	.fn = gdb_main,
};
