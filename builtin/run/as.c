// SPDX-License-Identifier: GPL-2.0
/* --as: see as.h. The host's /etc/passwd is read here, not the name services of the C library. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kvm/keep.h>

#include "as.h"

const struct opt as_opts[] = {
	OPT_STR(0, "as", struct run_as, user, "USER[:GROUP]",
		"started by root: become this user of the host, by name or number, before files, disks and sockets are opened"),
	OPT_END
};

/* A whole number that is an ID; the last one means "none". */
static bool as_number(const char *text, unsigned int *id)
{
	unsigned long long n;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	*id = n;
	return !*end && !errno && n < (unsigned int)-1;
}

/* Of the line of @name in @file, "name:x:1:2:...", the @nr numbers behind the second colon. */
static bool as_find(const char *file, const char *name, unsigned int *id, unsigned int nr)
{
	FILE *f = fopen(file, "re");
	size_t size = 0, len = strlen(name);
	char *line = NULL, *field, *rest;
	bool found = false;
	unsigned int i;

	while (f && !found && getline(&line, &size, f) > 0) {
		if (strncmp(line, name, len) || line[len] != ':')
			continue;
		rest = line + len + 1;
		field = strsep(&rest, ":");
		for (i = 0; i < nr && rest; i++) {
			field = strsep(&rest, ":\n");
			if (!as_number(field, &id[i]))
				break;
		}
		found = i == nr;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/* @id[0] the user's, @id[1] the group's. */
static int as_parse(const char *arg, unsigned int id[2])
{
	char *user = strdup(arg), *group = user ? strchr(user, ':') : NULL;
	int ret = user ? 0 : plan_err(-ENOMEM, "out of memory");

	if (group)
		*group++ = '\0';
	if (!ret && !as_find("/etc/passwd", user, id, 2)) {
		if (!as_number(user, &id[0]))
			ret = plan_err(-ENOENT, "--as %s: there is no such user in /etc/passwd", arg);
		else if (!group)
			ret = plan_err(-EINVAL, "--as %s: a number needs a group, as in --as %s:%s", arg, user, user);
	}
	if (!ret && group && !as_number(group, &id[1]) && !as_find("/etc/group", group, &id[1], 1))
		ret = plan_err(-ENOENT, "--as %s: there is no such group in /etc/group", arg);
	if (!ret && !id[0])
		ret = plan_err(-EINVAL, "--as %s: that is root", arg);
	free(user);
	return ret;
}

/* @path stays open for the machine, which opens it by the same call. A failure is reported there. */
static void as_open(struct plan *plan, const char *path, int flags)
{
	int fd = path ? keep_open(plan->cfg.keep, path, flags) : -1;

	if (fd >= 0)
		close(fd);
}

int as_config(struct plan *plan, struct run_as *own)
{
	unsigned int id[2];
	int ret;

	if (!own->user)
		return 0;
	if (geteuid())
		return plan_err(-EPERM, "--as %s: only root can become somebody else", own->user);
	ret = as_parse(own->user, id);
	if (ret)
		return ret;
	as_open(plan, plan->cfg.kvm_path, O_RDWR);
	as_open(plan, plan->cfg.kernel, O_RDONLY | O_NONBLOCK);
	if (setgroups(0, NULL) < 0 || setresgid(id[1], id[1], id[1]) < 0 || setresuid(id[0], id[0], id[0]) < 0)
		return plan_err(-errno, "--as %s: %s", own->user, strerror(errno));
	return 0;
}
