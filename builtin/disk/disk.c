// SPDX-License-Identifier: GPL-2.0
/* lkvm disk: what can be done with image files, and with the disks of a running machine. */
#include "disk.h"

static const struct command *const disk_commands[] = {
	&command_disk_create,
	&command_disk_info,
	&command_disk_check,
	&command_disk_convert,
	&command_disk_map,
	&command_disk_list,
	&command_disk_attach,
	&command_disk_detach,
	&command_disk_resize,
	&command_disk_fault,
	&command_disk_mark,
	&command_disk_replay,
	NULL
};

const struct command command_disk = {
	.name = "disk",
	.synopsis = "COMMAND ...",
	.summary = "disk images, and the disks of a running machine",
	.usage_status = STATUS_USAGE,
	.sub = disk_commands,
};
