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
	char name[ATTACH_NAME_MAX], address[256], kernel[PATH_MAX], release[80], build[2 * BUILD_ID_MAX + 1], moved[32], text[32];
	char found[PATH_MAX];		/* vmlinux, "" if there is none */
	char other[PATH_MAX];		/* one of another build that was found */
};

/* What a file says of its kernel. */
struct gdb_kernel {
	char build[2 * BUILD_ID_MAX + 1];	/* "" if it says none */
	u64 text;			/* where it was linked for, 0: it is no kernel of the upper half */
	bool percpu;			/* it has data that lies elsewhere than its own address, one for each CPU */
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
	client_value(values, "text", d->text, sizeof(d->text));
	return 0;
}

/* Its symbols */

/* The build ID of an ELF file's notes as hexadecimal digits. Notes of Linux are in one section, of which it may be any. */
static void gdb_build(const struct elf *e, char build[2 * BUILD_ID_MAX + 1])
{
	Elf64_Nhdr head;
	u64 len;
	const char *note = elf_find(e, ".notes", &len);

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
}

/* False: @path is no ELF file with debug information. */
static bool gdb_kernel(const char *path, struct gdb_kernel *k)
{
	struct file_map map;
	Elf64_Phdr ph;
	struct elf e;
	u64 len;
	bool ok;

	memset(k, 0, sizeof(*k));
	if (file_map(&map, path))
		return false;
	ok = !elf_open_mem(&e, map.data, map.len) && elf_find(&e, ".debug_info", &len);
	if (ok) {
		gdb_build(&e, k->build);
		k->percpu = elf_find(&e, ".data..percpu", &len);
		/* Its first segment begins with the code. */
		if (!elf_segment(&e, 0, &ph) && ph.p_type == PT_LOAD && ph.p_vaddr >> 63)
			k->text = ph.p_vaddr;
	}
	file_unmap(&map);
	return ok;
}

/* Is it the guest's kernel? Of the same build, if both say. */
static bool gdb_fits(const struct debugger *d, const struct gdb_kernel *k)
{
	return !*k->build || !*d->build || !strcmp(k->build, d->build);
}

static bool gdb_try(struct debugger *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool gdb_try(struct debugger *d, const char *fmt, ...)
{
	struct gdb_kernel k;
	va_list ap;
	bool is_one;

	va_start(ap, fmt);
	vsnprintf(d->found, sizeof(d->found), fmt, ap);
	va_end(ap);
	is_one = gdb_kernel(d->found, &k);
	if (is_one && gdb_fits(d, &k))
		return true;
	if (is_one && !*d->other)
		memcpy(d->other, d->found, sizeof(d->other));
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

/* Nothing is loaded that does not fit. */
static void gdb_none(const struct debugger *d)
{
	struct gdb_kernel k;

	if (*d->other && gdb_kernel(d->other, &k))
		pr_warn("%s is of another build: its build ID is %s, that of the guest's kernel %s", d->other, k.build, d->build);
	pr_warn("no vmlinux with debug information for %s: --vmlinux FILE names one",
		*d->release ? d->release : d->kernel);
}

static int gdb_symbols(struct debugger *d)
{
	struct gdb_kernel k;

	if (!d->vmlinux) {
		gdb_search(d);
		if (!*d->found)
			gdb_none(d);
		return 0;
	}
	snprintf(d->found, sizeof(d->found), "%s", d->vmlinux);
	if (!gdb_kernel(d->vmlinux, &k)) {
		pr_err("--vmlinux %s: no ELF file with debug information (CONFIG_DEBUG_INFO)", d->vmlinux);
		return 1;
	}
	if (gdb_fits(d, &k))
		return 0;
	pr_err("--vmlinux %s: of another build: its build ID is %s, that of the guest's kernel %s", d->vmlinux, k.build,
	       d->build);
	return 1;
}

/* gdb */

/*
 * gdb's command that loads the symbols. Data for each CPU is at addresses from 0 on, which
 * the kernel's scripts add to where a CPU has it: those do not move with the kernel.
 */
static void gdb_load(const struct debugger *d, char *line, size_t size)
{
	u64 text = strtoull(d->text, NULL, 16), moved = strtoull(d->moved, NULL, 16);
	struct gdb_kernel k;

	gdb_kernel(d->found, &k);
	if (text && k.text)
		moved = text - k.text;
	if (moved && k.percpu)
		snprintf(line, size, "with confirm off -- add-symbol-file %s -o 0x%llx -s .data..percpu 0", d->found,
			 (unsigned long long)moved);
	else
		snprintf(line, size, "symbol-file %s -o 0x%llx", d->found, (unsigned long long)moved);
}

static int gdb_run(struct debugger *d, char **more)
{
	static char symbols[PATH_MAX + 128], safe[PATH_MAX + 64], target[300];
	const char *args[GDB_ARGS_MAX] = { "gdb", "-q" }, *slash = strrchr(d->found, '/');
	unsigned int nr = 2;

	/* The kernel's own scripts lie beside vmlinux, and gdb loads them from places that are safe. */
	if (*d->found) {
		snprintf(safe, sizeof(safe), "add-auto-load-safe-path %.*s", slash ? (int)(slash - d->found) : 1,
			 slash ? d->found : ".");
		gdb_load(d, symbols, sizeof(symbols));
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
