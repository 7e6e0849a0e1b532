// SPDX-License-Identifier: GPL-2.0
/* lkvm balloon: how much memory a guest has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kvm/control.h>
#include <kvm/log.h>

#include "client.h"

#define BALLOON_LIMIT	(1ULL << 50)

struct balloon_cmd {
	const char *name;
	u64 inflate, deflate;
};

static const struct opt balloon_opts[] = {
	OPT_STR('n', "name", struct balloon_cmd, name, "NAME", "the machine, as kvmtool has it"),
	OPT_SIZE('i', "inflate", struct balloon_cmd, inflate, MIB, 1, BALLOON_LIMIT, "SIZE", "have the guest give back so much more"),
	OPT_SIZE('d', "deflate", struct balloon_cmd, deflate, MIB, 1, BALLOON_LIMIT, "SIZE", "let it have so much again"),
	OPT_END
};

/* A value of the verb's reply, or 0. */
static u64 balloon_value(const char *values, const char *key)
{
	char text[24];

	client_value(values, key, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

static int balloon_set(const char *name, const struct balloon_cmd *cmd, u64 size)
{
	char values[CONTROL_REPLY_MAX], line[48];
	u64 memory, target;
	struct opt_err err;
	int fd = client_connect(name), ret;

	if (fd < 0)
		return 1;
	ret = control_request(fd, "balloon", values, sizeof(values), &err);
	memory = balloon_value(values, "memory");
	target = balloon_value(values, "balloon-target");
	if (!ret && size > memory) {
		snprintf(err.text, sizeof(err.text), "its memory is %llu MiB", (unsigned long long)memory >> 20);
		ret = -ERANGE;
	} else if (!ret) {
		target = size ? memory - size : cmd->inflate ? target + cmd->inflate :
			 target > cmd->deflate ? target - cmd->deflate : 0;
		snprintf(line, sizeof(line), "balloon %llu", (unsigned long long)target);
		ret = control_request(fd, line, values, sizeof(values), &err);
	}
	close(fd);
	if (ret)
		pr_err("%s: %s", name, err.text);
	return ret ? 1 : 0;
}

static int balloon_main(const struct command *cmd, int argc, char **argv)
{
	struct balloon_cmd balloon = { NULL };
	int status, n = command_parse(cmd, &balloon, argc, argv, &status), at;
	u64 size = 0;

	if (n < 0)
		return status;
	at = balloon.name ? 0 : 1;
	if (!balloon.name && n)
		balloon.name = argv[0];
	if (!balloon.name || n > at + 1)
		return command_usage(cmd, "a machine, and the size of its memory, or --inflate or --deflate");
	if (n == at + 1 && (opt_size(argv[at], MIB, &size) || !size))
		return command_usage(cmd, "'%s' is no size, as 512M is", argv[at]);
	if (!!size + !!balloon.inflate + !!balloon.deflate != 1)
		return command_usage(cmd, "one of the size of its memory, --inflate and --deflate");
	return balloon_set(balloon.name, &balloon, size);
}

const struct command command_balloon = {
	.name = "balloon",
	.synopsis = "NAME SIZE | NAME --inflate SIZE | NAME --deflate SIZE",
	.summary = "have a guest give memory back, or let it have it again",
	.about =
	"SIZE, in MiB unless it has a suffix, is what the guest is to have left. The\n"
	"machine needs --balloon, and the guest a driver (CONFIG_VIRTIO_BALLOON). The\n"
	"guest gives back what it can spare, and takes it again rather than kill a\n"
	"process. 'lkvm stat --memory NAME' shows how far it is. Pages that are merely\n"
	"free it gives back by itself.\n",
	.opts = balloon_opts,
	.usage_status = STATUS_USAGE,
	.fn = balloon_main,
};
