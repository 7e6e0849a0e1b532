// SPDX-License-Identifier: GPL-2.0
/* The argument of --share: see share.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kvm/device.h>

#include "plan.h"
#include "share.h"

/* The suboptions may not name the folder or the tag: true if they do. */
static bool share_names(const char *opts)
{
	char *copy = strdup(opts), *text = copy, *item;
	bool names = !copy;

	while (copy && (item = opt_sub_next(&text)))
		names |= !strncmp(item, "dir=", 4) || !strncmp(item, "tag=", 4);
	free(copy);
	return names;
}

static int share_opts(struct share_spec *s, const char *arg, const char *opts)
{
	struct opt_err err;
	char *full;
	int ret;

	/* With a folder first, so that the first suboption is not taken for one. */
	if (asprintf(&full, "dir=.,%s", opts) < 0)
		return plan_err(-ENOMEM, "out of memory");
	ret = device_check("virtio-fs", full, &err);
	if (ret)
		plan_err(ret, "--share %s: %s", arg, err.text);
	else if (share_names(opts))
		ret = plan_err(-EINVAL, "--share %s: the folder comes first, and the tag is lkvm's own; see --9p",
			       arg);
	s->ro = !ret && device_flag("virtio-fs", full, "ro");
	free(full);
	return ret;
}

/*
 * The guest's directory in "DIR:GUESTDIR", cut off, or NULL. A path may have colons, so it
 * is the last one before a '/' that divides.
 */
static char *share_guest(char *dir)
{
	char *guest = NULL;

	for (char *s = dir; (s = strstr(s, ":/")); s++)
		guest = s;
	if (guest)
		*guest++ = '\0';
	return guest;
}

int share_parse(struct share_spec *s, const char *arg)
{
	char *rest, *dir;
	int ret = 0;

	*s = (struct share_spec) { .text = strdup(arg), .opts = "" };
	if (!s->text)
		return plan_err(-ENOMEM, "out of memory");
	rest = s->text;
	s->dir = dir = opt_sub_next(&rest);
	s->guest = share_guest(dir);
	if (!*s->dir)
		ret = plan_err(-EINVAL, "--share %s: names no folder", arg);
	else if (!s->guest && strchr(s->dir, ':') && access(s->dir, F_OK))
		ret = plan_err(-EINVAL, "--share %s: the guest's directory has to begin with /", arg);
	else if (rest)
		ret = share_opts(s, arg, rest);
	if (rest)
		s->opts = rest;
	if (ret)
		free(s->text);
	return ret;
}

void share_free(struct share_spec *s)
{
	free(s->text);
	s->text = NULL;
}
