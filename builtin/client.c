// SPDX-License-Identifier: GPL-2.0
/* The commands' side of the control socket: see client.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/control.h>
#include <kvm/log.h>

#include "client.h"

/* A guest is stopped within this time, or it is said what to do about it. */
#define CLIENT_PATIENCE_MS	10000

struct client_job {
	const char *line;
	bool gone, show, text;
	int status;
	/* Machines that have said that they will end. */
	struct client_wait {
		int fd;
		char *name;
	} *wait;
	unsigned int nr;
};

static void client_show(const char *name, const char *values, bool text)
{
	const char *end;

	printf("%s:\n", name);
	for (; *values; values = end + (*end == '\n')) {
		int key = strcspn(values, "=\n");

		end = values + strcspn(values, "\n");
		if (text) {
			printf("%.*s\n", (int)max(end - values - key - 1, (ptrdiff_t)0), values + key + 1);
			continue;
		}
		printf("%16.*s  %.*s\n", (int)max(end - values - key - 1, (ptrdiff_t)0), values + key + 1, key, values);
	}
}

/* False: there is no memory for it. */
static bool client_add(struct client_job *job, int fd, const char *name)
{
	struct client_wait *wait = reallocarray(job->wait, job->nr + 1, sizeof(*wait));
	char *copy = strdup(name);

	if (wait)
		job->wait = wait;
	if (!wait || !copy) {
		free(copy);
		return false;
	}
	wait[job->nr++] = (struct client_wait) { fd, copy };
	return true;
}

static void client_one(void *obj, const char *name)
{
	struct client_job *job = obj;
	char values[CONTROL_REPLY_MAX];
	struct opt_err err;
	int fd, ret;

	fd = control_connect(name, &err);
	if (fd < 0) {
		pr_err("%s", err.text);
		job->status = 1;
		return;
	}
	ret = control_request(fd, job->line, values, sizeof(values), &err);
	/* It may be gone before it could answer, which is what was wanted. */
	if (ret == -EPIPE && job->gone)
		ret = 0;
	else if (!ret && job->gone && client_add(job, fd, name))
		return;
	close(fd);
	if (ret) {
		pr_err("%s: %s", name, err.text);
		job->status = 1;
	} else if (job->show || job->text) {
		client_show(name, values, job->text);
	}
}

/* All have been asked: one that takes its time holds no other up. */
static void client_wait(struct client_job *job)
{
	unsigned int i;

	for (i = 0; i < job->nr; i++) {
		struct client_wait *w = &job->wait[i];

		if (!control_wait(w->fd, CLIENT_PATIENCE_MS)) {
			pr_warn("%s: waiting for the guest to end by itself; --force ends it", w->name);
			control_wait(w->fd, -1);
		}
		close(w->fd);
		free(w->name);
	}
	free(job->wait);
}

int client_main(const struct command *cmd, const struct client *client, char **names,
		const char *line, bool gone)
{
	struct client_job job = { .line = line, .gone = gone, .show = client->show,
				  .text = client->text };
	struct opt_err err;

	if (!client->all && !client->name && !*names)
		return command_usage(cmd, "which machine? Its name, or --all; 'lkvm list' shows them");
	if (client->all && (client->name || *names))
		return command_usage(cmd, "--all, or names, but not both");
	if (client->name)
		client_one(&job, client->name);
	for (; *names; names++)
		client_one(&job, *names);
	if (client->all && control_each(client_one, &job, &err)) {
		pr_err("%s", err.text);
		job.status = 1;
	}
	client_wait(&job);
	return job.status;
}

const struct opt client_opts[] = {
	OPT_STR('n', "name", struct client, name, "NAME", "of the machine, as an operand"),
	OPT_BOOL('a', "all", struct client, all, "all machines of yours"),
	OPT_END
};

int client_command(const struct command *cmd, int argc, char **argv)
{
	struct client client = { .name = NULL };
	int status, n = command_parse(cmd, &client, argc, argv, &status);

	return n < 0 ? status : client_main(cmd, &client, argv, cmd->name, false);
}

void client_value(const char *values, const char *key, char *buf, size_t size)
{
	size_t len = strlen(key);

	*buf = '\0';
	for (; values && *values; values = strchr(values, '\n'), values += values != NULL) {
		if (!strncmp(values, key, len) && values[len] == '=') {
			values += len + 1;
			snprintf(buf, size, "%.*s", (int)strcspn(values, "\n"), values);
			return;
		}
	}
}
