// SPDX-License-Identifier: GPL-2.0
/* lkvm resume: the other half of lkvm pause. */
#include <kvm/client.h>

struct resume {
	struct client client;
};

static const struct opt resume_opts[] = {
	CLIENT_OPTS(struct resume),
	OPT_END
};

static int resume_main(const struct command *cmd, int argc, char **argv)
{
	struct resume resume = { { NULL } };
	int status, n = command_parse(cmd, &resume, argc, argv, &status);

	return n < 0 ? status : client_main(cmd, &resume.client, argv, "resume", false);
}

const struct command command_resume = {
	.name = "resume",
	.synopsis = CLIENT_OPERANDS,
	.summary = "let a paused machine go on",
	.about = NULL,
	.opts = resume_opts,
	.usage_status = STATUS_USAGE,
	.fn = resume_main,
};
