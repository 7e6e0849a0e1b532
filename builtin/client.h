/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands about machines that run: the names on their command line, and one
 * request to each of these machines.
 */
#ifndef BUILTIN_CLIENT_H
#define BUILTIN_CLIENT_H

#include <kvm/builtin.h>

struct client {
	const char *name;		/* -n, as an operand is */
	bool all;			/* every machine of the user's */
	bool show;			/* print the values that they answer */
};

/* For a command's options; @type has a struct client called "client". */
#define CLIENT_OPTS(type)								\
	OPT_STR('n', "name", type, client.name, "NAME", "of the machine, as an operand"),	\
	OPT_BOOL('a', "all", type, client.all, "all machines of yours")

#define CLIENT_OPERANDS "NAME... | --all"

/*
 * Send @line to every machine that is meant and say what went wrong. @gone: wait
 * until the machine has ended. Returns the exit status: 0, or 1 if one refused.
 */
int client_main(const struct command *cmd, const struct client *client, char **names,
		const char *line, bool gone);

/* For a command whose name is the request, with these options alone. */
extern const struct opt client_opts[];
int client_command(const struct command *cmd, int argc, char **argv);

/* A value of a reply to "info": of @key in "key=value" lines, copied to @buf; "" if there is none. */
void client_value(const char *values, const char *key, char *buf, size_t size);

#endif
