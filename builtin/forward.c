// SPDX-License-Identifier: GPL-2.0
/* lkvm forward: ports of the host that lead to a guest that runs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kvm/log.h>
#include <kvm/net.h>

#include "client.h"

struct forward {
	struct client client;
	int nic;
};

static const struct opt forward_opts[] = {
	OPT_INT(0, "nic", struct forward, nic, 0, 99, "N", "of this network card (default: the first)"),
	OPT_END
};

/* Of the values of "info" those of the card. */
static int forward_list(const struct forward *f)
{
	char values[CONTROL_REPLY_MAX], *line, *rest = values;
	struct opt_err err;
	unsigned int nic;
	int fd = control_connect(f->client.name, &err), text;
	int ret = fd < 0 ? fd : control_request(fd, "info", values, sizeof(values), &err);

	if (fd >= 0)
		close(fd);
	if (ret) {
		pr_err("%s", err.text);
		return 1;
	}
	while ((line = strsep(&rest, "\n")))
		if (sscanf(line, "forward=%u %n", &nic, &text) == 1 && (f->nic < 0 || nic == (unsigned int)f->nic))
			printf("%s\n", line + text);
	return 0;
}

/* The socket is opened with the rights of the user who types the command, and sent. */
static int forward_add(const struct command *cmd, struct forward *f, const char *spec, const char *line)
{
	char where[192], *none[] = { NULL };
	struct opt_err err;
	int fd = net_forward_socket(spec, where, sizeof(where), &err), status;

	if (fd < 0) {
		pr_err("%s", err.text);
		return 1;
	}
	if (client_send(&f->client, fd))
		return 1;
	status = client_main(cmd, &f->client, none, line, false);
	if (!status)
		printf("%s\n", where);
	return status;
}

static int forward_main(const struct command *cmd, int argc, char **argv)
{
	struct forward f = { .nic = -1 };
	int status, n = command_parse(cmd, &f, argc, argv, &status);
	char line[512], nic[16] = "-", *none[] = { NULL };
	bool add;

	if (n < 0)
		return status;
	if (n == 2 && !strcmp(argv[1], "list")) {
		f.client.name = argv[0];
		return forward_list(&f);
	}
	add = n == 3 && !strcmp(argv[1], "add");
	if (!add && (n != 3 || strcmp(argv[1], "remove")))
		return command_usage(cmd, "a machine, and: add FORWARD, remove FORWARD, or list");
	f.client.name = argv[0];
	if (f.nic >= 0)
		snprintf(nic, sizeof(nic), "%d", f.nic);
	if (snprintf(line, sizeof(line), "forward %s %s %s", nic, argv[1], argv[2]) >= (int)sizeof(line))
		return command_usage(cmd, "%s: that is too long", argv[2]);
	return add ? forward_add(cmd, &f, argv[2], line) : client_main(cmd, &f.client, none, line, false);
}

const struct command command_forward = {
	.name = "forward",
	.synopsis = "[--nic N] NAME add FORWARD | remove FORWARD | list",
	.summary = "have ports of the host lead to a guest",
	.about =
	"FORWARD is tcp|udp:[HOSTADDR:]PORT:[GUEST:]PORT or unix:PATH:[GUEST:]PORT, as\n"
	"with lkvm run -n user,forward=. HOSTADDR is 127.0.0.1 if it is not said, and\n"
	"port 0 any free one. add prints where the host listens, and list what leads\n"
	"where. remove takes what list or add say, or what was added; connections stay.\n",
	.opts = forward_opts,
	.usage_status = STATUS_USAGE,
	.fn = forward_main,
};
