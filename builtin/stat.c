// SPDX-License-Identifier: GPL-2.0
/* lkvm stat: what KVM has counted for a machine. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kvm/control.h>
#include <kvm/log.h>

#include "client.h"

#define STAT_PATIENCE_NS	(1000ULL * 1000 * 1000)
#define STAT_PAUSE_MS		10

struct stat_cmd {
	struct client client;
	int vcpu, interval;
	bool memory, json;
};

static const struct opt stat_opts[] = {
	OPT_TABLE(client_opts, struct client, struct stat_cmd, client),
	OPT_INT(0, "vcpu", struct stat_cmd, vcpu, 0, INT_MAX, "N", "of this vCPU only"),
	OPT_BOOL(0, "json", struct stat_cmd, json, "as JSON: an object for each machine, a line each"),
	OPT_TIME('i', "interval", struct stat_cmd, interval, 1, INT_MAX / 1000, "SECONDS",
		 "again and again, what has been added since the last time, until the machine ends"),
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
	int fd = client_connect(name), ret;

	if (fd < 0)
		return 1;
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
	client_show(name, strchr(values, '\n') ? strchr(values, '\n') + 1 : "", false);
	return command_flush(0);
}

/* What @key of @values had before, "" at the first time. Counters of a machine that starts again begin anew. */
static unsigned long long stat_before(const char *values, const char *key, size_t len, unsigned long long now)
{
	unsigned long long before;
	char name[128], text[24];

	snprintf(name, sizeof(name), "%.*s", (int)len, key);
	client_value(values, name, text, sizeof(text));
	before = strtoull(text, NULL, 10);
	return before > now ? 0 : before;
}

/* The counters that have grown since @last. Names and values are KVM's: nothing needs an escape. */
static void stat_print(const char *name, const char *values, const char *last, bool json)
{
	const char *sep = "";

	printf(json ? "{\"name\": \"%s\", \"counters\": {" : "%s:\n", name);
	for (const char *p = values, *end; *p; p = end + (*end == '\n')) {
		size_t len = strcspn(p, "=\n");
		unsigned long long now;

		end = p + strcspn(p, "\n");
		if (p[len] != '=')
			continue;
		now = strtoull(p + len + 1, NULL, 10);
		now -= stat_before(last, p, len, now);
		if (!now)
			continue;
		if (json)
			printf("%s\"%.*s\": %llu", sep, (int)len, p, now);
		else
			printf("%16llu  %.*s\n", now, (int)len, p);
		sep = ", ";
	}
	printf(json ? "}}\n" : "");
	fflush(stdout);
}

/* One machine, once or until it ends. */
static int stat_machine(const char *name, const char *line, int interval, bool json)
{
	char values[CONTROL_REPLY_MAX], last[CONTROL_REPLY_MAX] = "";
	struct opt_err err;
	int fd = client_connect(name), ret;

	if (fd < 0)
		return 1;
	do {
		ret = control_request(fd, line, values, sizeof(values), &err);
		if (ret)
			break;
		stat_print(name, values, last, json);
		memcpy(last, values, sizeof(last));
	} while (interval && !control_wait(fd, interval * 1000) && !ferror(stdout));
	close(fd);
	if (!ret || (interval && *last && ret == -EPIPE))
		return command_flush(0);
	pr_err("%s: %s", name, err.text);
	return 1;
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
	if (!stat.json && !stat.interval)
		return client_main(cmd, &stat.client, argv, line, false);
	if (stat.client.all || !n || (n > 1 && stat.interval))
		return command_usage(cmd, stat.interval ? "--interval: of one machine" : "--json: machines by their names");
	for (status = 0; *argv; argv++)
		status |= stat_machine(*argv, line, stat.interval, stat.json);
	return status;
}

const struct command command_stat = {
	.name = "stat",
	.synopsis = "[OPTION...] " CLIENT_OPERANDS,
	.summary = "print what KVM has counted for a machine",
	.about =
	"KVM's own counters under KVM's names, but those that are 0: of the machine,\n"
	"and of all its vCPUs added up, or of one vCPU. The vCPUs are held for a moment.\n",
	.opts = stat_opts,
	.usage_status = STATUS_USAGE,
	.fn = stat_main,
};
