// SPDX-License-Identifier: GPL-2.0
/* lkvm reset: the reset button. */
#include "client.h"

const struct command command_reset = {
	.name = "reset",
	.synopsis = CLIENT_OPERANDS,
	.summary = "start a machine again from its first instruction",
	.about =
	"The guest is not asked. It starts with the memory and devices of a new machine\n"
	"under the same name; a paused one runs. A machine that ends with its command, or\n"
	"has --no-reboot, has no reset.\n",
	.opts = client_opts,
	.usage_status = STATUS_USAGE,
	.fn = client_command,
};
