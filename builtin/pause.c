// SPDX-License-Identifier: GPL-2.0
/* lkvm pause: the guest stands still until lkvm resume. */
#include "client.h"

const struct command command_pause = {
	.name = "pause",
	.synopsis = CLIENT_OPERANDS,
	.summary = "hold a machine's processors",
	.about =
	"What the guest has asked of its devices is still completed. Time goes on: the\n"
	"guest's clock is right when it is resumed.\n",
	.opts = client_opts,
	.usage_status = STATUS_USAGE,
	.fn = client_command,
};
