// SPDX-License-Identifier: GPL-2.0
/* lkvm reset: the reset button. */
#include "client.h"

const struct command command_reset = {
	.name = "reset",
	.synopsis = CLIENT_OPERANDS,
	.summary = "start a machine again from its first instruction",
	.about =
	"The guest is not asked. It starts with the memory and devices of a new machine\n"
	"under the same name, and a paused one runs again. A machine that ends with its\n"
	"command, or has --no-reboot, cannot be reset.\n",
	.opts = client_opts,
	.usage_status = STATUS_USAGE,
	.fn = client_command,
};
