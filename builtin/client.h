/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands about machines that run: the names on their command line, and one
 * request to each of these machines.
 */
#ifndef BUILTIN_CLIENT_H
#define BUILTIN_CLIENT_H

#include <kvm/builtin.h>
#include <kvm/control.h>

struct client {
	const char *name;		/* -n, as an operand is */
	bool all;			/* every machine of the user's */
	bool show;			/* print the values that they answer, as a table of keys */
	bool text;			/* print them as lines */
	bool slow;			/* it may take as long as it takes */
	/* private: what goes with the request, see client_open() */
	int fd[CONTROL_FDS_MAX];
	unsigned int nr_fds;
};

/* Options of struct client: the table of a command, or a table within that. */
extern const struct opt client_opts[];
#define CLIENT_OPERANDS "NAME... | --all"

/*
 * Open @path with the rights of the user who types the command; @flags and @mode of open(2).
 * client_main() sends the descriptor with its request. Several are sent in the order
 * of these calls. 0, or -errno with the message printed.
 */
int client_open(struct client *client, const char *path, int flags, unsigned int mode);
/* The same for a descriptor that the command has, as a socket. It is closed at exit. */
int client_send(struct client *client, int fd);

/*
 * Send @line to every machine that is meant and say what went wrong. @gone: wait
 * until the machine has ended. Returns the exit status: 0, or 1 if one refused.
 */
int client_main(const struct command *cmd, const struct client *client, char **names,
		const char *line, bool gone);

/*
 * Have the machine @name write a snapshot of itself to @machine and @ram, two empty files
 * (kvm/snapshot.h): 0, or -errno with the message printed.
 */
int client_snapshot(const char *name, int machine, int ram);

/* For a command whose name is the request, with client_opts alone. */
int client_command(const struct command *cmd, int argc, char **argv);

/* A connection to the machine @name, which the caller closes; -errno with the message printed. */
int client_connect(const char *name);

/* Write all of @len bytes, though @fd has no room for a while. False: nobody reads them; errno. */
bool client_write(int fd, const void *data, size_t len);

/* Print a machine's "key=value" lines: as a table of keys, or (@text) the values as lines. */
void client_show(const char *name, const char *values, bool text);

/* A value of a reply to "info": of @key in "key=value" lines, copied to @buf; "" if there is none. */
void client_value(const char *values, const char *key, char *buf, size_t size);

#endif
