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
	"A guest that lkvm has given a root and a command (or a shell) is asked to end\n"
	"it: SIGTERM, five seconds later SIGKILL, then it syncs its file systems and\n"
	"switches off. Of other guests the power button is pressed, which they may heed\n"
	"or not; --force ends any guest at once. The command returns when the machine\n"
	"has ended.\n",
	.opts = stop_opts,
	.usage_status = STATUS_USAGE,
	.fn = stop_main,
};
