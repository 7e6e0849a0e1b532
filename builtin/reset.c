// SPDX-License-Identifier: GPL-2.0
/* lkvm reset: the reset button. */
#include <kvm/client.h>

struct reset {
	struct client client;
};

static const struct opt reset_opts[] = {
	CLIENT_OPTS(struct reset),
	OPT_END
};

static int reset_main(const struct command *cmd, int argc, char **argv)
{
	struct reset reset = { { NULL } };
	int status, n = command_parse(cmd, &reset, argc, argv, &status);

	return n < 0 ? status : client_main(cmd, &reset.client, argv, "reset", false);
}

const struct command command_reset = {
	.name = "reset",
	.synopsis = CLIENT_OPERANDS,
	.summary = "start a machine again from its first instruction",
	.about = 
	"The guest is not asked. It starts with the memory and devices of a new machine\n"
	"under the same name; a paused one runs. A machine that ends with its command, or\n"
	"has --no-reboot, has no reset.\n",
	.opts = reset_opts,
	.usage_status = STATUS_USAGE,
	.fn = reset_main,
};
