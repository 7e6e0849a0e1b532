// SPDX-License-Identifier: GPL-2.0
/* lkvm snapshot: write a machine that runs to a directory. */
#include <kvm/snapshot.h>

#include "client.h"

static int snapshot_main(const struct command *cmd, int argc, char **argv)
{
	struct snapshot_files files;
	int status, n = command_parse(cmd, NULL, argc, argv, &status);

	if (n < 0)
		return status;
	if (n != 2)
		return command_usage(cmd, "the name of a machine and a directory; 'lkvm list' shows the names");
	if (snapshot_files_make(&files, argv[1]))
		return 1;
	status = client_snapshot(argv[0], files.machine, files.ram) ? 1 : 0;
	if (status)
		snapshot_files_remove(&files);
	snapshot_files_close(&files);
	return status;
}

const struct command command_snapshot = {
	.name = "snapshot",
	.synopsis = "NAME DIR",
	.summary = "write a machine's state to a directory",
	.about =
	"The machine stands still meanwhile, and goes on. DIR gets its RAM, without what\n"
	"was never used, and the state of its processors and devices; it is made if it\n"
	"does not exist. 'lkvm restore DIR' goes on from there. Disks and shared folders\n"
	"are not copied: see the manual.\n",
	.usage_status = STATUS_USAGE,
	.fn = snapshot_main,
};
