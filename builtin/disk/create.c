// SPDX-License-Identifier: GPL-2.0
/* lkvm disk create: an empty image. */
#include <kvm/image.h>

#include "disk.h"

struct create {
	int format;
};

static const struct opt create_opts[] = {
	OPT_CHOICE('f', "format", struct create, format, disk_formats, "what FILE becomes (auto: by its name)"),
	OPT_END
};

static int create_main(const struct command *cmd, int argc, char **argv)
{
	struct create create = { .format = DISK_FORMAT_AUTO };
	int status, n = command_parse(cmd, &create, argc, argv, &status);
	struct image_create image = { .file = argv[0], .format = create.format };
	struct opt_err err;

	if (n < 0)
		return status;
	if (n != 2)
		return command_usage(cmd, "a file and its size, as in 'lkvm disk create disk.img 10G'");
	image.format = create.format;
	if (opt_size(argv[1], MIB, &image.size))
		return command_usage(cmd, "%s: a size is a number with K, M, G or T behind it, as in 10G", argv[1]);
	if (image_create(&image, &err))
		return command_usage(cmd, "%s", err.text);
	return 0;
}

const struct command command_disk_create = {
	.name = "disk create",
	.synopsis = "[OPTIONS] FILE SIZE",
	.summary = "make an empty image",
	.about =
	"A SIZE without a suffix is in MiB. A FILE that exists is an error, and is left\n"
	"as it is.\n",
	.opts = create_opts,
	.usage_status = STATUS_USAGE,
	.fn = create_main,
};
