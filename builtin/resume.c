// SPDX-License-Identifier: GPL-2.0
/* lkvm resume: the other half of lkvm pause. */
#include "client.h"

const struct command command_resume = {
	.name = "resume",
	.synopsis = CLIENT_OPERANDS,
	.summary = "let a paused machine go on",
	.about = NULL,
	.opts = client_opts,
	.usage_status = STATUS_USAGE,
	.fn = client_command,
};
