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

/* Ask all machines before reading the first answer: a stopped lkvm does not delay the others. */
#define LIST_PATIENCE_NS	(2ULL * 1000 * 1000 * 1000)

struct list_machine {
	char *name;
	int fd;			/* the connection, which has been asked, or -1 */
};

struct list {
	struct list_machine *machine;
	size_t nr;
};

static void list_machine_add(void *obj, const char *name)
{
	struct list *l = obj;
	struct list_machine *grown = reallocarray(l->machine, l->nr + 1, sizeof(*grown));
	char *copy = strdup(name);

	if (grown)
		l->machine = grown;
	if (!grown || !copy) {
		free(copy);
		return;
	}
	grown[l->nr++] = (struct list_machine) { copy, -1 };
}

static int list_compare(const void *a, const void *b)
{
	const struct list_machine *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void list_ask(struct list_machine *m)
{
	struct opt_err err;

	m->fd = control_connect(m->name, &err);
	if (m->fd >= 0)
		control_ask(m->fd, "info", NULL, 0);
}

static void list_print(struct list_machine *m, u64 deadline, int width)
{
	char values[CONTROL_REPLY_MAX] = "", pid[24], state[24];
	struct opt_err err;
	int ret;

	if (m->fd < 0)
		return;		/* it has ended meanwhile */
	ret = control_answer(m->fd, deadline, values, sizeof(values), &err);
	close(m->fd);
	client_value(values, "pid", pid, sizeof(pid));
	client_value(values, "state", state, sizeof(state));
	if (ret)
		pr_warn("%s: %s", m->name, err.text);
	printf("%-*s  %7s  %s\n", width, m->name, ret ? "-" : pid, ret ? "unknown" : state);
}

static int list_main(const struct command *cmd, int argc, char **argv)
{
	struct list l = { NULL, 0 };
	int status, n = command_parse(cmd, NULL, argc, argv, &status);
	struct opt_err err;
	size_t width = 4, i;
	u64 deadline;

	if (n < 0)
		return status;
	if (n)
		return command_usage(cmd, "it takes no arguments: '%s'", argv[0]);
	if (control_each(list_machine_add, &l, &err)) {
		pr_err("%s", err.text);
		return 1;
	}
	qsort(l.machine, l.nr, sizeof(*l.machine), list_compare);
	for (i = 0; i < l.nr; i++) {
		width = max(width, strlen(l.machine[i].name));
		list_ask(&l.machine[i]);
	}
	deadline = loop_now() + LIST_PATIENCE_NS;
	printf("%-*s  %7s  %s\n", (int)width, "NAME", "PID", "STATE");
	for (i = 0; i < l.nr; i++) {
		list_print(&l.machine[i], deadline, width);
		free(l.machine[i].name);
	}
	free(l.machine);
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
