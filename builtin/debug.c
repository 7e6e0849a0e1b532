// SPDX-License-Identifier: GPL-2.0
/* lkvm debug: a look into a guest that says nothing, and what makes it say something. */
#include <limits.h>
#include <stdio.h>

#include "client.h"

struct debug {
	struct client client;
	bool dump, backtrace, kmsg;
	int nmi, vcpu;
	const char *sysrq;
};

static const struct opt debug_opts[] = {
	OPT_TABLE(client_opts, struct client, struct debug, client),
	OPT_BOOL('d', "dump", struct debug, dump, "print the vCPUs' registers (default)"),
	OPT_BOOL('b', "backtrace", struct debug, backtrace,
		 "print the task and the functions of each vCPU (default), and what programs wait for"),
	OPT_BOOL('k', "kmsg", struct debug, kmsg,
		 "print the last messages of its kernel, out of its memory: the console need not show them"),
	OPT_INT('m', "nmi", struct debug, nmi, 0, INT_MAX, "N", "send a non-maskable interrupt to vCPU N"),
	OPT_STR('s', "sysrq", struct debug, sysrq, "C",
		"send a BREAK and C to the serial console: Linux takes it for a magic SysRq"),
	OPT_INT(0, "vcpu", struct debug, vcpu, 0, INT_MAX, "N", "only of this vCPU"),
	OPT_END
};

/* The lines that @verb prints, of all vCPUs or of one. */
static int debug_text(const struct command *cmd, struct debug *debug, char **argv, const char *verb)
{
	char line[32];
	int status;

	snprintf(line, sizeof(line), debug->vcpu < 0 ? "%s" : "%s %d", verb, debug->vcpu);
	debug->client.text = true;
	status = client_main(cmd, &debug->client, argv, line, false);
	debug->client.text = false;
	return status;
}

static int debug_main(const struct command *cmd, int argc, char **argv)
{
	struct debug debug = { .nmi = -1, .vcpu = -1 };
	int status = 0, n = command_parse(cmd, &debug, argc, argv, &status);
	char line[32];

	if (n < 0)
		return status;
	if (debug.sysrq && (debug.sysrq[0] <= ' ' || debug.sysrq[1]))
		return command_usage(cmd, "--sysrq %s: one letter, as in --sysrq t", debug.sysrq);
	if (!debug.dump && !debug.backtrace && !debug.kmsg && debug.nmi < 0 && !debug.sysrq)
		debug.dump = debug.backtrace = true;
	if (debug.dump)
		status = debug_text(cmd, &debug, argv, "registers");
	if (!status && debug.backtrace)
		status = debug_text(cmd, &debug, argv, "backtrace");
	if (!status && debug.kmsg) {
		debug.vcpu = -1;
		status = debug_text(cmd, &debug, argv, "kmsg");
	}
	if (!status && debug.nmi >= 0) {
		snprintf(line, sizeof(line), "nmi %d", debug.nmi);
		status = client_main(cmd, &debug.client, argv, line, false);
	}
	if (!status && debug.sysrq) {
		snprintf(line, sizeof(line), "sysrq %c", *debug.sysrq);
		status = client_main(cmd, &debug.client, argv, line, false);
	}
	return status;
}

const struct command command_debug = {
	.name = "debug",
	.synopsis = "[OPTION...] " CLIENT_OPERANDS,
	.summary = "look into a machine that does not respond",
	.about =
	"The vCPUs are held for a moment while their registers are read. Functions have\n"
	"names by what a Linux kernel has in its memory: no vmlinux is needed. The guest\n"
	"answers an NMI or a SysRq on its console: see --verbose and --kmsg of lkvm run.\n",
	.opts = debug_opts,
	.usage_status = STATUS_USAGE,
	.fn = debug_main,
};
