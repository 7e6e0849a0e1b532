// SPDX-License-Identifier: GPL-2.0
/* The commands' side of the control socket: see client.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>

#include "client.h"

/* If a guest has not stopped within this time, the message names --force. */
#define CLIENT_PATIENCE_MS	10000
/* A lot of RAM on a slow disk takes its time. */
#define CLIENT_COPY_NS		(1800ULL * 1000 * 1000 * 1000)

#define CLIENT_SLOW_NS		(24 * 3600 * 1000000000ULL)	/* a day; poll() takes 24 of them */

/* A machine that has been asked. */
struct client_machine {
	int fd;
	char *name;
};

struct client_job {
	const char *line;
	const struct client *client;
	bool gone;
	int status;
	struct client_machine *machine;
	unsigned int nr;
};

int client_connect(const char *name)
{
	struct opt_err err;
	int fd = control_connect(name, &err);

	if (fd < 0)
		pr_err("%s", err.text);
	return fd;
}

bool client_write(int fd, const void *data, size_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EAGAIN)
			poll(&p, 1, -1);
		else if (n < 0 && errno != EINTR)
			return false;
		else if (n > 0)
			at += n, len -= n;
	}
	return true;
}

void client_show(const char *name, const char *values, bool text)
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

static void client_failed(struct client_job *job, const char *name, const char *text)
{
	if (name)
		pr_err("%s: %s", name, text);
	else
		pr_err("%s", text);
	job->status = 1;
}

static void client_ask(void *obj, const char *name)
{
	struct client_job *job = obj;
	struct client_machine *grown = reallocarray(job->machine, job->nr + 1, sizeof(*grown));
	char *copy = strdup(name);
	struct opt_err err;
	int fd;

	if (grown)
		job->machine = grown;
	if (!grown || !copy) {
		client_failed(job, name, "out of memory");
		free(copy);
		return;
	}
	fd = control_connect(name, &err);
	if (fd < 0) {
		client_failed(job, NULL, err.text);
		free(copy);
		return;
	}
	control_ask(fd, job->line, job->client->fd, job->client->nr_fds);
	grown[job->nr++] = (struct client_machine) { fd, copy };
}

/* All have been asked: one that does not answer holds no other up. */
static void client_answer(struct client_job *job, struct client_machine *m, u64 deadline)
{
	char values[CONTROL_REPLY_MAX];
	struct opt_err err;
	int ret = control_answer(m->fd, deadline, values, sizeof(values), &err);
	bool over = ret == -EPIPE && job->gone;	/* before it could answer, which is what was wanted */

	if (ret && !over)
		client_failed(job, m->name, err.text);
	else if (!ret && (job->client->show || job->client->text))
		client_show(m->name, values, job->client->text);
	if (!job->gone || ret) {
		close(m->fd);
		m->fd = -1;
	}
}

static void client_wait(struct client_machine *m)
{
	if (m->fd >= 0 && !control_wait(m->fd, CLIENT_PATIENCE_MS)) {
		pr_warn("%s: waiting for the guest to end by itself; --force ends it", m->name);
		control_wait(m->fd, -1);
	}
	if (m->fd >= 0)
		close(m->fd);
	free(m->name);
}

int client_send(struct client *client, int fd)
{
	if (client->nr_fds == CONTROL_FDS_MAX) {
		pr_err("at most %d files go with a request", CONTROL_FDS_MAX);
		return -E2BIG;
	}
	client->fd[client->nr_fds++] = fd;
	return 0;
}

int client_open(struct client *client, const char *path, int flags, unsigned int mode)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode), ret;

	if (fd < 0) {
		ret = -errno;
		pr_err("%s: %s", path, strerror(-ret));
		return ret;
	}
	ret = client_send(client, fd);
	if (ret)
		close(fd);
	return ret;
}

int client_main(const struct command *cmd, const struct client *client, char **names,
		const char *line, bool gone)
{
	struct client_job job = { .line = line, .client = client, .gone = gone };
	struct opt_err err;
	u64 deadline;

	if (!client->all && !client->name && !*names)
		return command_usage(cmd, "which machine? Its name, or --all; 'lkvm list' shows them");
	if (client->all && (client->name || *names))
		return command_usage(cmd, "--all, or names, but not both");
	if (client->name)
		client_ask(&job, client->name);
	for (; *names; names++)
		client_ask(&job, *names);
	if (client->all && control_each(client_ask, &job, &err)) {
		pr_err("%s", err.text);
		job.status = 1;
	}
	deadline = loop_now() + (client->slow ? CLIENT_SLOW_NS : CONTROL_PATIENCE_NS);
	for (unsigned int i = 0; i < job.nr; i++)
		client_answer(&job, &job.machine[i], deadline);
	for (unsigned int i = 0; i < job.nr; i++)
		client_wait(&job.machine[i]);
	free(job.machine);
	return job.status;
}

const struct opt client_opts[] = {
	OPT_STR('n', "name", struct client, name, "NAME", "of the machine, as an operand"),
	OPT_BOOL('a', "all", struct client, all, "all machines of yours"),
	OPT_END
};

int client_snapshot(const char *name, int machine, int ram)
{
	const int fds[] = { machine, ram };
	char values[CONTROL_REPLY_MAX];
	struct opt_err err;
	int fd = client_connect(name), ret;

	if (fd < 0)
		return fd;
	control_ask(fd, "snapshot", fds, ARRAY_SIZE(fds));
	ret = control_answer(fd, loop_now() + CLIENT_COPY_NS, values, sizeof(values), &err);
	if (ret)
		pr_err("%s: %s", name, err.text);
	close(fd);
	return ret;
}

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
