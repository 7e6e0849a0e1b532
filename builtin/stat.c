// SPDX-License-Identifier: GPL-2.0
/* lkvm stat: what KVM has counted for a machine. */
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kvm/control.h>
#include <kvm/log.h>

#include "client.h"

#define STAT_PATIENCE_NS	(1000ULL * 1000 * 1000)
#define STAT_PAUSE_MS		10

struct stat_cmd {
	struct client client;
	int vcpu;
	bool memory;
};

static const struct opt stat_opts[] = {
	OPT_TABLE(client_opts, struct client, struct stat_cmd, client),
	OPT_INT(0, "vcpu", struct stat_cmd, vcpu, 0, INT_MAX, "N", "of this vCPU only"),
	OPT_BOOL('m', "memory", struct stat_cmd, memory,
		 "the guest's memory instead, as its balloon driver knows it (--balloon), in bytes"),
	OPT_END
};

/* Ask until the guest has answered the first question, for a second at most. */
static int stat_memory(const char *name)
{
	char values[CONTROL_REPLY_MAX], first[24] = "", answers[24];
	u64 deadline = loop_now() + STAT_PATIENCE_NS;
	struct opt_err err;
	int fd = control_connect(name, &err), ret;

	if (fd < 0) {
		pr_err("%s", err.text);
		return 1;
	}
	do {
		ret = control_request(fd, "balloon", values, sizeof(values), &err);
		client_value(values, "answers", answers, sizeof(answers));
		if (!*first)
			memcpy(first, answers, sizeof(first));
		if (ret || strcmp(first, answers))
			break;
		poll(NULL, 0, STAT_PAUSE_MS);
	} while (loop_now() < deadline);
	close(fd);
	if (ret) {
		pr_err("%s: %s", name, err.text);
		return 1;
	}
	if (!strcmp(first, answers))
		pr_warn("%s: the guest does not answer: the values are old, or none", name);
	client_print(name, strchr(values, '\n') ? strchr(values, '\n') + 1 : "");
	return command_flush(0);
}

static int stat_main(const struct command *cmd, int argc, char **argv)
{
	struct stat_cmd stat = { .client.show = true, .vcpu = -1 };
	int status, n = command_parse(cmd, &stat, argc, argv, &status);
	char line[32] = "stat";

	if (n < 0)
		return status;
	if (stat.memory)
		return stat.client.all || stat.vcpu >= 0 || n != 1 ?
			command_usage(cmd, "--memory: of one machine, and not of a vCPU") : stat_memory(argv[0]);
	if (stat.vcpu >= 0)
		snprintf(line, sizeof(line), "stat %d", stat.vcpu);
	return client_main(cmd, &stat.client, argv, line, false);
}

const struct command command_stat = {
	.name = "stat",
	.synopsis = "[--vcpu N] " CLIENT_OPERANDS " | --memory NAME",
	.summary = "print what KVM has counted for a machine",
	.about =
	"KVM's own counters under KVM's names, but those that are 0: of the machine,\n"
	"and of all its vCPUs added up, or of one vCPU.\n",
	.opts = stat_opts,
	.usage_status = STATUS_USAGE,
	.fn = stat_main,
};
