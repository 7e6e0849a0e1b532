// SPDX-License-Identifier: GPL-2.0
/* lkvm link: a network card's cable. */
#include <stdio.h>
#include <string.h>

#include "client.h"

static int link_main(const struct command *cmd, int argc, char **argv)
{
	struct client client = { .name = NULL };
	int status, n = command_parse(cmd, NULL, argc, argv, &status);
	char line[64], *none[] = { NULL };

	if (n < 0)
		return status;
	if (n != 3 || (strcmp(argv[2], "up") && strcmp(argv[2], "down")) || strlen(argv[1]) > 8 ||
	    argv[1][strspn(argv[1], "0123456789")])
		return command_usage(cmd, "a machine, the number of its network card (the first is 0), and up or down");
	client.name = argv[0];
	snprintf(line, sizeof(line), "link %s %s", argv[1], argv[2]);
	return client_main(cmd, &client, none, line, false);
}

const struct command command_link = {
	.name = "link",
	.synopsis = "NAME NIC up|down",
	.summary = "plug a network card's cable in, or pull it out",
	.about =
	"The guest sees the carrier come and go. While it is down, what the guest\n"
	"sends is lost. NIC is the number of the card in the order of the command\n"
	"line, from 0. The cable stays where it is when the guest reboots.\n",
	.usage_status = STATUS_USAGE,
	.fn = link_main,
};
