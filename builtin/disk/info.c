// SPDX-License-Identifier: GPL-2.0
/* lkvm disk info: what an image is. */
#include <stdio.h>

#include <kvm/image.h>

#include "disk.h"

struct info {
	int format;
};

static const struct opt info_opts[] = {
	OPT_CHOICE('f', "format", struct info, format, disk_formats, "what FILE is (auto: by its name)"),
	OPT_END
};

static int info_main(const struct command *cmd, int argc, char **argv)
{
	struct info info = { .format = DISK_FORMAT_AUTO };
	int status, n = command_parse(cmd, &info, argc, argv, &status);
	struct image_info image;
	struct opt_err err;

	if (n < 0)
		return status;
	if (n != 1)
		return command_usage(cmd, "one image, as in 'lkvm disk info disk.img'");
	if (image_info(&image, argv[0], info.format, &err))
		return command_usage(cmd, "%s", err.text);
	printf("format: %s\n", disk_formats[image.format]);
	printf("size:   %llu bytes\n", (unsigned long long)image.size);
	printf("used:   %llu bytes\n", (unsigned long long)image.used);
	return command_flush(0);
}

const struct command command_disk_info = {
	.name = "disk info",
	.synopsis = "[--format F] FILE",
	.summary = "say what an image is",
	.opts = info_opts,
	.usage_status = STATUS_USAGE,
	.fn = info_main,
};
