// SPDX-License-Identifier: GPL-2.0
/* lkvm pause: the guest stands still until lkvm resume. */
#include <kvm/client.h>

struct pause {
	struct client client;
};

static const struct opt pause_opts[] = {
	CLIENT_OPTS(struct pause),
	OPT_END
};

static int pause_main(const struct command *cmd, int argc, char **argv)
{
	struct pause pause = { { NULL } };
	int status, n = command_parse(cmd, &pause, argc, argv, &status);

	return n < 0 ? status : client_main(cmd, &pause.client, argv, "pause", false);
}

const struct command command_pause = {
	.name = "pause",
	.synopsis = CLIENT_OPERANDS,
	.summary = "hold a machine's processors",
	.about = 
	"What the guest has asked of its devices is still completed. Time goes on: the\n"
	"guest's clock is right when it is resumed.\n",
	.opts = pause_opts,
	.usage_status = STATUS_USAGE,
	.fn = pause_main,
};
