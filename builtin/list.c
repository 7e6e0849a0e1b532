// SPDX-License-Identifier: GPL-2.0
/* lkvm list: the user's machines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/control.h>
#include <kvm/log.h>

#include "client.h"

struct list_names {
	char **name;
	size_t nr;
};

static void list_add_name(void *obj, const char *name)
{
	struct list_names *l = obj;
	char **grown = realloc(l->name, (l->nr + 1) * sizeof(*grown));

	if (!grown)
		return;
	l->name = grown;
	l->name[l->nr] = strdup(name);
	l->nr += l->name[l->nr] != NULL;
}

static int list_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_print(const char *name, int width)
{
	char values[CONTROL_REPLY_MAX] = "", pid[24], state[24];
	struct opt_err err;
	int fd = control_connect(name, &err), ret;

	if (fd < 0)
		return;		/* it has ended meanwhile */
	ret = control_request(fd, "info", values, sizeof(values), &err);
	close(fd);
	client_value(values, "pid", pid, sizeof(pid));
	client_value(values, "state", state, sizeof(state));
	if (ret)
		pr_warn("%s: %s", name, err.text);
	printf("%-*s  %7s  %s\n", width, name, ret ? "-" : pid, ret ? "unknown" : state);
}

static int list_main(const struct command *cmd, int argc, char **argv)
{
	struct list_names l = { NULL, 0 };
	int status, n = command_parse(cmd, NULL, argc, argv, &status);
	struct opt_err err;
	size_t width = 4, i;

	if (n < 0)
		return status;
	if (n)
		return command_usage(cmd, "it lists all machines, '%s' is too much", argv[0]);
	if (control_each(list_add_name, &l, &err)) {
		pr_err("%s", err.text);
		return 1;
	}
	qsort(l.name, l.nr, sizeof(*l.name), list_compare);
	for (i = 0; i < l.nr; i++)
		width = max(width, strlen(l.name[i]));
	printf("%-*s  %7s  %s\n", (int)width, "NAME", "PID", "STATE");
	for (i = 0; i < l.nr; i++) {
		list_print(l.name[i], width);
		free(l.name[i]);
	}
	free(l.name);
	return 0;
}

const struct command command_list = {
	.name = "list",
	.synopsis = "",
	.summary = "list your running machines",
	.about = "The state is running, paused, asleep or ending; unknown if there is no answer.\n",
	.usage_status = STATUS_USAGE,
	.fn = list_main,
};
