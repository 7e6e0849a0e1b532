// SPDX-License-Identifier: GPL-2.0
/* What gdb's command "monitor" can be told: one function for each line. The machine stands still. */
#include <stdio.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/life.h>
#include <kvm/look.h>
#include <kvm/vcpu.h>

#include "gdb_stub.h"

#define MONITOR_KMSG_MAX	(GDB_PACKET_MAX / 2 - 256)	/* bytes: it is one packet, in hexadecimal */

static void monitor_version(struct gdb *g, FILE *f)
{
	fprintf(f, "lkvm %s\n", g->version);
}

static void monitor_info(struct gdb *g, FILE *f)
{
	const struct vm_config *cfg = g->vm->cfg;
	struct look_linux l;

	fprintf(f, "machine %s: vCPUs %u, %llu MiB, kernel %s\n", cfg->name, g->vm->nr_vcpus,
		(unsigned long long)(cfg->mem / MIB), cfg->kernel);
	if (look_linux(g->vm, &l) || !l.found) {
		fprintf(f, "no Linux kernel in its memory, or none yet\n");
		return;
	}
	fprintf(f, "Linux %s, build ID %s\n", l.release, *l.build_id ? l.build_id : "unknown");
	if (l.moved)
		fprintf(f, "moved by 0x%llx: \"symbol-file vmlinux -o 0x%llx\", or start gdb by \"lkvm gdb %s\"\n",
			(unsigned long long)l.moved, (unsigned long long)l.moved, cfg->name);
}

static void monitor_registers(struct gdb *g, FILE *f)
{
	arch_vcpu_dump(g->vm->vcpu[g->current], f);
}

static void monitor_kmsg(struct gdb *g, FILE *f)
{
	if (look_kmsg(g->vm, MONITOR_KMSG_MAX, f))
		fprintf(f, "its memory has no messages of a Linux kernel, 5.10 or later\n");
}

/* No file is opened by name here: the command does that, and hands it over. */
static void monitor_dump(struct gdb *g, FILE *f)
{
	fprintf(f, "\"shell lkvm dump %s FILE\" writes one now, while the machine stands still\n", g->vm->cfg->name);
}

static void monitor_reset(struct gdb *g, FILE *f)
{
	fprintf(f, "the machine starts again and stops before its first instruction: \"maintenance flush register-cache\"\n");
	vm_end(g->vm, VM_RESET, 0);
}

static void monitor_physical(struct gdb *g, FILE *f)
{
	g->points.physical = true;
}

static void monitor_virtual(struct gdb *g, FILE *f)
{
	g->points.physical = false;
}

static void monitor_help(struct gdb *g, FILE *f);

static const struct monitor {
	const char *name, *help;
	void (*fn)(struct gdb *g, FILE *f);
} monitors[] = {
	{ "help", "this list", monitor_help },
	{ "info", "the machine, and the Linux kernel in it: its build, and where it lies", monitor_info },
	{ "info version", "what serves gdb", monitor_version },
	{ "info registers", "registers of the current vCPU, with segments and the code at RIP", monitor_registers },
	{ "regs", "the same", monitor_registers },
	{ "kmsg", "the last messages of the guest's kernel, out of its memory", monitor_kmsg },
	{ "dump", "how to write a dump for crash, drgn and gdb", monitor_dump },
	{ "reset", "start the machine again", monitor_reset },
	{ "physical", "addresses of memory are physical ones", monitor_physical },
	{ "virtual", "they are virtual again, by the current vCPU's page tables", monitor_virtual },
};

static void monitor_help(struct gdb *g, FILE *f)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(monitors); i++)
		fprintf(f, "%-16s%s\n", monitors[i].name, monitors[i].help);
}

void gdb_monitor_line(struct gdb *g, const char *line, FILE *f)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(monitors) && strcmp(monitors[i].name, line); i++)
		;
	if (i < ARRAY_SIZE(monitors))
		monitors[i].fn(g, f);
	else
		fprintf(f, "there is no such command, \"monitor help\" lists them\n");
}
