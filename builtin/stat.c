// SPDX-License-Identifier: GPL-2.0
/* lkvm stat: what KVM has counted for a machine. */
#include <limits.h>
#include <stdio.h>

#include "client.h"

struct stat_cmd {
	struct client client;
	int vcpu;
};

static const struct opt stat_opts[] = {
	OPT_TABLE(client_opts, struct client, struct stat_cmd, client),
	OPT_INT(0, "vcpu", struct stat_cmd, vcpu, 0, INT_MAX, "N", "of this vCPU only"),
	OPT_END
};

static int stat_main(const struct command *cmd, int argc, char **argv)
{
	struct stat_cmd stat = { .client.show = true, .vcpu = -1 };
	int status, n = command_parse(cmd, &stat, argc, argv, &status);
	char line[32] = "stat";

	if (n < 0)
		return status;
	if (stat.vcpu >= 0)
		snprintf(line, sizeof(line), "stat %d", stat.vcpu);
	return client_main(cmd, &stat.client, argv, line, false);
}

const struct command command_stat = {
	.name = "stat",
	.synopsis = "[--vcpu N] " CLIENT_OPERANDS,
	.summary = "print what KVM has counted for a machine",
	.about =
	"KVM's own counters under KVM's names, but those that are 0: of the machine,\n"
	"and of all its vCPUs added up, or of one vCPU.\n",
	.opts = stat_opts,
	.usage_status = STATUS_USAGE,
	.fn = stat_main,
};
