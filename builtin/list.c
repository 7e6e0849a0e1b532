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

/* As JSON (RFC 8259): what lkvm prints of a machine has no control characters but the lines' ends. */
static void list_json_string(const char *text, size_t len)
{
	putchar('"');
	for (size_t i = 0; i < len; i++)
		printf(text[i] == '"' || text[i] == '\\' ? "\\%c" : "%c", text[i]);
	putchar('"');
}

/* A number as one, anything else as a string. */
static void list_json_value(const char *text, size_t len)
{
	if (len && len < 18 && strspn(text, "0123456789") >= len && (*text != '0' || len == 1))
		printf("%.*s", (int)len, text);
	else
		list_json_string(text, len);
}

/* "N word=value ..." as an object's members, or "N text" as one called "text". */
static void list_json_words(const char *p, const char *end)
{
	size_t n = strcspn(p, " \n");

	printf("{\"nic\": %.*s", (int)n, p);
	for (p += n; p < end; p += n) {
		p += *p == ' ';
		n = min(strcspn(p, " \n"), (size_t)(end - p));
		printf(", ");
		list_json_string(p, strcspn(p, "="));
		printf(": ");
		list_json_value(p + strcspn(p, "=") + 1, n - strcspn(p, "=") - 1);
	}
	printf("}");
}

/* "N HOST GUEST" */
static void list_json_forward(const char *p, const char *end)
{
	size_t n = strcspn(p, " \n");
	const char *host = p + n + 1, *guest = end;

	while (guest > host && guest[-1] != ' ')
		guest--;
	printf("{\"nic\": %.*s, \"host\": ", (int)n, p);
	list_json_string(host, max(guest - 1 - host, (ptrdiff_t)0));
	printf(", \"guest\": ");
	list_json_string(guest, end - guest);
	printf("}");
}

/* The values of @key of all lines as an array. */
static void list_json_array(const char *values, const char *key, const char *name,
			    void (*print)(const char *p, const char *end))
{
	size_t len = strlen(key);
	unsigned int n = 0;

	printf(", \"%s\": [", name);
	for (const char *p = values, *end; *p; p = end + (*end == '\n')) {
		end = p + strcspn(p, "\n");
		if (strncmp(p, key, len) || p[len] != '=')
			continue;
		printf("%s", n++ ? ", " : "");
		print(p + len + 1, end);
	}
	printf("]");
}

static void list_json(const struct list_machine *m, const char *values)
{
	printf("{\"name\": ");
	list_json_string(m->name, strlen(m->name));
	for (const char *p = values, *end; *p; p = end + (*end == '\n')) {
		size_t key = strcspn(p, "=\n");

		end = p + strcspn(p, "\n");
		if (!strncmp(p, "name=", 5) || !strncmp(p, "nic=", 4) || !strncmp(p, "forward=", 8))
			continue;
		printf(", ");
		list_json_string(p, key);
		printf(": ");
		list_json_value(p + key + 1, end - p - key - 1);
	}
	if (!*values)
		printf(", \"state\": \"unknown\"");
	list_json_array(values, "nic", "nics", list_json_words);
	list_json_array(values, "forward", "forwards", list_json_forward);
	printf("}");
}

static void list_print(struct list_machine *m, u64 deadline, int width, bool json)
{
	char values[CONTROL_REPLY_MAX] = "", pid[24], state[24];
	struct opt_err err;
	int ret;

	if (m->fd < 0)
		return;		/* it has ended meanwhile */
	ret = control_answer(m->fd, deadline, values, sizeof(values), &err);
	close(m->fd);
	if (ret)
		pr_warn("%s: %s", m->name, err.text);
	if (json) {
		list_json(m, ret ? "" : values);
		return;
	}
	client_value(values, "pid", pid, sizeof(pid));
	client_value(values, "state", state, sizeof(state));
	printf("%-*s  %7s  %s\n", width, m->name, ret ? "-" : pid, ret ? "unknown" : state);
}

struct list_options {
	bool json;
};

static const struct opt list_opts[] = {
	OPT_BOOL(0, "json", struct list_options, json, "all that is known of them, for programs"),
	OPT_END
};

static void list_all(struct list *l, bool json)
{
	size_t width = 4, shown = 0, i;
	u64 deadline;

	for (i = 0; i < l->nr; i++) {
		width = max(width, strlen(l->machine[i].name));
		list_ask(&l->machine[i]);
	}
	deadline = loop_now() + LIST_PATIENCE_NS;
	if (json)
		printf("[");
	else
		printf("%-*s  %7s  %s\n", (int)width, "NAME", "PID", "STATE");
	for (i = 0; i < l->nr; i++) {
		if (json && l->machine[i].fd >= 0)
			printf("%s", shown++ ? ",\n " : "");
		list_print(&l->machine[i], deadline, width, json);
		free(l->machine[i].name);
	}
	if (json)
		printf("]\n");
}

static int list_main(const struct command *cmd, int argc, char **argv)
{
	struct list_options options = { .json = false };
	struct list l = { NULL, 0 };
	int status, n = command_parse(cmd, &options, argc, argv, &status);
	struct opt_err err;

	if (n < 0)
		return status;
	if (n)
		return command_usage(cmd, "it takes no arguments: '%s'", argv[0]);
	if (control_each(list_machine_add, &l, &err)) {
		pr_err("%s", err.text);
		return 1;
	}
	qsort(l.machine, l.nr, sizeof(*l.machine), list_compare);
	list_all(&l, options.json);
	free(l.machine);
	return 0;
}

const struct command command_list = {
	.name = "list",
	.synopsis = "[--json]",
	.summary = "list your running machines",
	.about = "The state is running, paused, asleep or ending; unknown if there is no answer.\n",
	.opts = list_opts,
	.usage_status = STATUS_USAGE,
	.fn = list_main,
};
