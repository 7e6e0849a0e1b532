// SPDX-License-Identifier: GPL-2.0
/* lkvm power-cut: end a machine as the end of its power would. */
#include <stdio.h>
#include <stdlib.h>

#include "client.h"

struct power_cut {
	struct client client;
	const char *seed;
};

static const struct opt power_cut_opts[] = {
	OPT_TABLE(client_opts, struct client, struct power_cut, client),
	OPT_STR('s', "seed", struct power_cut, seed, "N", "what is lost (at random); 0: all that was not flushed"),
	OPT_END
};

static int power_cut_main(const struct command *cmd, int argc, char **argv)
{
	struct power_cut cut = { .client.text = true };
	int status, n = command_parse(cmd, &cut, argc, argv, &status);
	char line[64] = "power-cut", *rest;

	if (n < 0)
		return status;
	if (cut.seed) {
		unsigned long seed = strtoul(cut.seed, &rest, 10);

		if (*rest || rest == cut.seed || seed > UINT32_MAX)
			return command_usage(cmd, "--seed %s: a number up to 4294967295", cut.seed);
		snprintf(line, sizeof(line), "power-cut %lu", seed);
	}
	return client_main(cmd, &cut.client, argv, line, true);
}

const struct command command_power_cut = {
	.name = "power-cut",
	.synopsis = "[--seed N] " CLIENT_OPERANDS,
	.summary = "end a machine as a power cut does",
	.about =
	"Disks with a volatile cache lose some of what was written since the last flush:\n"
	"each image is then in a state that a real disk could have left. The same seed\n"
	"loses the same of the same writes. Other disks keep all that was written.\n",
	.opts = power_cut_opts,
	.usage_status = STATUS_USAGE,
	.fn = power_cut_main,
};
