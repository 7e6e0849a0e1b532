// SPDX-License-Identifier: GPL-2.0
/* lkvm stop: the machine ends, by itself if it can. */
#include "client.h"

struct stop {
	struct client client;
	bool force;
};

static const struct opt stop_opts[] = {
	OPT_TABLE(client_opts, struct client, struct stop, client),
	OPT_BOOL('f', "force", struct stop, force, "do not ask the guest"),
	OPT_END
};

static int stop_main(const struct command *cmd, int argc, char **argv)
{
	struct stop stop = { .force = false };
	int status, n = command_parse(cmd, &stop, argc, argv, &status);

	if (n < 0)
		return status;
	return client_main(cmd, &stop.client, argv, stop.force ? "stop force" : "stop", true);
}

const struct command command_stop = {
	.name = "stop",
	.synopsis = "[--force] " CLIENT_OPERANDS,
	.summary = "end a machine",
	.about =
	"If lkvm has given the guest a root and a command (or a shell), PID 1 ends the\n"
	"command: SIGTERM, five seconds later SIGKILL. Then it syncs the file systems and\n"
	"switches off. For other guests lkvm presses the power button, which they may\n"
	"ignore; --force ends any guest at once. The command returns when the machine\n"
	"has ended.\n",
	.opts = stop_opts,
	.usage_status = STATUS_USAGE,
	.fn = stop_main,
};
