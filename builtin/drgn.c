// SPDX-License-Identifier: GPL-2.0
/* lkvm drgn: the user's drgn on a machine that runs or hangs. */
#include <stdio.h>

#include <kvm/control.h>

#include "attach.h"
#include "client.h"

#define DRGN_ARGS_MAX	256

struct drgn {
	bool print;
};

static const struct opt drgn_opts[] = {
	OPT_BOOL(0, "print", struct drgn, print, "print drgn's command line, and do not run it"),
	OPT_END
};

static int drgn_main(const struct command *cmd, int argc, char **argv)
{
	struct drgn drgn = { .print = false };
	const char *args[DRGN_ARGS_MAX] = { "drgn", "--qemu" };
	char name[ATTACH_NAME_MAX], address[256], values[CONTROL_REPLY_MAX];
	int status, n = command_parse(cmd, &drgn, argc, argv, &status);
	unsigned int nr = 2;

	if (n < 0)
		return status;
	status = attach_choose(cmd, argv[0], name);
	if (!status)
		status = attach_serve(name, "qmp", values, sizeof(values));
	if (status)
		return status;
	client_value(values, "address", address, sizeof(address));
	args[nr++] = address;
	for (argv += n > 0; *argv && nr < DRGN_ARGS_MAX - 1; argv++)
		args[nr++] = *argv;
	return attach_run(args, drgn.print);
}

const struct command command_drgn = {
	.name = "drgn",
	.synopsis = "[--print] [NAME [DRGN-ARGUMENT...]]",
	.summary = "debug a running machine with drgn",
	.about =
	"drgn 0.2 or later is needed. It reads the memory of the guest, which may run or\n"
	"hang and need not know of it, through a socket of the machine. An older drgn\n"
	"reads what lkvm dump writes. Without NAME it is the only machine that runs.\n",
	.opts = drgn_opts,
	.flags = OPT_STOP,
	.usage_status = STATUS_USAGE,
	.fn = drgn_main,
};
