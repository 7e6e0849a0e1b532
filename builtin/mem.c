// SPDX-License-Identifier: GPL-2.0
/* lkvm mem: a look at a machine's memory. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "client.h"

#define MEM_DEFAULT	256		/* bytes */
#define MEM_MAX		8192

struct mem_command {
	bool physical, walk;
	int vcpu;
};

static const struct opt mem_opts[] = {
	OPT_BOOL('p', "physical", struct mem_command, physical, "ADDRESS is physical (default: virtual)"),
	OPT_BOOL('w', "walk", struct mem_command, walk, "print the page tables' entries that map ADDRESS"),
	OPT_INT(0, "vcpu", struct mem_command, vcpu, 0, INT_MAX, "N", "by the page tables of this vCPU (default: 0)"),
	OPT_END
};

static int mem_main(const struct command *cmd, int argc, char **argv)
{
	struct mem_command mem = { .vcpu = 0 };
	struct client client = { .text = true };
	int status = 0, n = command_parse(cmd, &mem, argc, argv, &status), len = MEM_DEFAULT;
	char line[512], rest, *none = NULL;

	if (n < 0)
		return status;
	if (n < 2 || n > 3)
		return command_usage(cmd, "a machine, an address, and perhaps a number of bytes: 'lkvm mem vm jiffies 8'");
	if (n == 3 && (sscanf(argv[2], "%i%c", &len, &rest) != 1 || len < 1 || len > MEM_MAX))
		return command_usage(cmd, "%s: bytes are 1 to %d", argv[2], MEM_MAX);
	if (mem.physical && mem.walk)
		return command_usage(cmd, "--walk is about a virtual address");
	if (strlen(argv[1]) > 400 || strchr(argv[1], ' '))
		return command_usage(cmd, "%.20s: an address is a number, a symbol, or SYMBOL+NUMBER", argv[1]);
	client.name = argv[0];
	snprintf(line, sizeof(line), "mem %s %d %d %s", mem.physical ? "physical" : mem.walk ? "walk" : "virtual",
		 mem.vcpu, len, argv[1]);
	return client_main(cmd, &client, &none, line, false);
}

const struct command command_mem = {
	.name = "mem",
	.synopsis = "[OPTION...] NAME ADDRESS [BYTES]",
	.summary = "look at a machine's memory",
	.about =
	"ADDRESS is a number, a symbol of the guest's Linux kernel, or SYMBOL+NUMBER.\n"
	"Memory that is not mapped, and devices, are shown as --.\n",
	.opts = mem_opts,
	.usage_status = STATUS_USAGE,
	.fn = mem_main,
};
