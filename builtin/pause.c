// SPDX-License-Identifier: GPL-2.0
/* lkvm pause: the guest stands still until lkvm resume. */
#include "client.h"

const struct command command_pause = {
	.name = "pause",
	.synopsis = CLIENT_OPERANDS,
	.summary = "hold a machine's processors",
	.about =
	"Devices still complete the guest's requests. Time goes on: the guest's clock is\n"
	"right when it is resumed.\n",
	.opts = client_opts,
	.usage_status = STATUS_USAGE,
	.fn = client_command,
};
