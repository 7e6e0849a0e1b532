// SPDX-License-Identifier: GPL-2.0
/* See attach.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <kvm/control.h>
#include <kvm/log.h>

#include "attach.h"
#include "client.h"

static void attach_only(void *obj, const char *found)
{
	char *name = obj;

	/* A second one: which is meant? */
	snprintf(name, ATTACH_NAME_MAX, "%s", *name ? "/" : found);
}

int attach_choose(const struct command *cmd, const char *given, char name[ATTACH_NAME_MAX])
{
	struct opt_err err;

	snprintf(name, ATTACH_NAME_MAX, "%s", given ? given : "");
	if (given)
		return 0;
	if (control_each(attach_only, name, &err)) {
		pr_err("%s", err.text);
		return 1;
	}
	if (*name && *name != '/')
		return 0;
	return command_usage(cmd, *name ? "which machine? 'lkvm list' shows them" : "no machine is running");
}

/* A socket of the user's own that listens at @path. */
static int attach_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path)) {
		pr_err("%s: %s", path, strerror(fd < 0 ? errno : ENAMETOOLONG));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	strcpy(addr.sun_path, path);
	/* bind() makes the file with the mode of the socket. Nobody serves an old one. */
	if (fchmod(fd, 0600) < 0 || (unlink(path) < 0 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 4) < 0) {
		pr_err("%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static bool attach_ask(int control, const char *verb, const int *fd, char *values, size_t size)
{
	struct opt_err err;

	control_ask(control, verb, fd, fd ? 1 : 0);
	if (!control_answer(control, loop_now() + CONTROL_PATIENCE_NS, values, size, &err))
		return true;
	pr_err("%s", err.text);
	return false;
}

int attach_serve(const char *name, const char *verb, char *values, size_t size)
{
	char text[256];
	int control = client_connect(name), fd;
	bool ok;

	if (control < 0)
		return 1;
	*values = '\0';
	ok = attach_ask(control, verb, NULL, values, size);
	client_value(values, "address", text, sizeof(text));
	if (ok && !*text) {
		client_value(values, "beside", text, sizeof(text));
		fd = attach_socket(text);
		ok = fd >= 0 && attach_ask(control, verb, &fd, values, size);
		if (fd >= 0)
			close(fd);
	}
	close(control);
	return ok ? 0 : 1;
}

int attach_run(const char *const *args, bool print)
{
	if (!print) {
		execvp(args[0], (char **)args);
		pr_err("%s: %s", args[0], errno == ENOENT ? "it is not installed, or not in $PATH" : strerror(errno));
		return 1;
	}
	for (unsigned int i = 0; args[i]; i++)
		printf(strchr(args[i], ' ') ? "%s'%s'" : "%s%s", i ? " " : "", args[i]);
	printf("\n");
	return 0;
}
