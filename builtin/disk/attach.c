// SPDX-License-Identifier: GPL-2.0
/*
 * lkvm disk attach, detach. The machine opens nothing by name. So this process opens the
 * disk as the machine would, which finds all that is wrong with it, and sends the
 * descriptors of its files in the order in which they were opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/disk.h>
#include <kvm/log.h>

#include "../client.h"
#include "disk.h"

#define ATTACH_KEY	"attach"

struct attach {
	struct disk_opener opener;
	struct client *client;
};

/* A duplicate goes to the machine: it has the same lock. */
static int attach_open(const struct disk_opener *o, const char *path, int flags)
{
	const struct attach *a = container_of(o, const struct attach, opener);
	int fd = disk_open_path(path, flags), copy;

	if (fd < 0)
		return fd;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy >= 0 && !client_send(a->client, copy))
		return fd;
	close(fd);
	errno = ENFILE;
	return -1;
}

/* The disk has to stay open until the machine has it: then the lock is never free. */
static int attach_send(const struct command *cmd, char **argv, const struct disk_choice *choice)
{
	struct client client = { .name = argv[0] };
	struct attach a = { .opener.open = attach_open, .client = &client };
	char line[CONTROL_LINE_MAX], *none[] = { NULL };
	struct disk *disk;
	struct opt_err err;
	int status;

	if (strpbrk(argv[1], "\n\r") ||
	    snprintf(line, sizeof(line), "disk attach %s", argv[1]) >= (int)sizeof(line) - 1)
		return command_usage(cmd, "%s is too long, or has a line break", argv[1]);
	if (disk_open_choice(&disk, choice, &a.opener, NULL, ATTACH_KEY, &err))
		return command_usage(cmd, "%s", err.text);
	status = client_main(cmd, &client, none, line, false);
	disk_close(disk, NULL, ATTACH_KEY);
	return status;
}

static int attach_main(const struct command *cmd, int argc, char **argv)
{
	struct disk_choice choice = { .file = NULL };
	int status, n = command_parse(cmd, NULL, argc, argv, &status);
	struct opt_err err;
	char *text;

	if (n < 0)
		return status;
	if (n != 2)
		return command_usage(cmd, "a machine and a disk as -d has it, as in 'lkvm disk attach vm image,cow'");
	text = strdup(argv[1]);
	if (!text || opt_parse_sub(disk_choice_opts, &choice, text, &err))
		status = command_usage(cmd, "%s", text ? err.text : "out of memory");
	else
		status = attach_send(cmd, argv, &choice);
	free(text);
	return status;
}

const struct command command_disk_attach = {
	.name = "disk attach",
	.synopsis = "NAME FILE[,OPTION...]",
	.summary = "plug another disk into a machine",
	.about =
	"FILE and its options are those of 'lkvm run -d'. The guest has the disk until it\n"
	"is detached, over reboots too. The machine needs slots for disks: it has them if\n"
	"it was started with -d or --hotplug.\n",
	.usage_status = STATUS_USAGE,
	.fn = attach_main,
};

struct detach {
	bool surprise;
};

static const struct opt detach_opts[] = {
	OPT_BOOL(0, "surprise", struct detach, surprise, "pull it out: reads are all ones at once"),
	OPT_END
};

static int detach_main(const struct command *cmd, int argc, char **argv)
{
	struct detach detach = { .surprise = false };
	int status, n = command_parse(cmd, &detach, argc, argv, &status);
	struct client client = { .name = NULL };
	char line[CONTROL_LINE_MAX], *names[] = { argv[0], NULL };

	if (n < 0)
		return status;
	if (n != 2)
		return command_usage(cmd, "a machine and a disk, as in 'lkvm disk detach vm disk1'");
	if (strpbrk(argv[1], " \n\r") || snprintf(line, sizeof(line), "disk detach %s%s", argv[1],
						  detach.surprise ? " surprise" : "") >= (int)sizeof(line) - 1)
		return command_usage(cmd, "%s is no disk", argv[1]);
	return client_main(cmd, &client, names, line, false);
}

const struct command command_disk_detach = {
	.name = "disk detach",
	.synopsis = "[--surprise] NAME DISK",
	.summary = "unplug a disk from a machine",
	.about =
	"The guest is asked to let go of the disk, and the command returns when it has.\n"
	"The image is closed then.\n",
	.opts = detach_opts,
	.usage_status = STATUS_USAGE,
	.fn = detach_main,
};
