// SPDX-License-Identifier: GPL-2.0
/* lkvm disk info: what an image is. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <kvm/image.h>

#include "disk.h"

struct info {
	int format;
};

static const struct opt info_opts[] = {
	OPT_CHOICE('f', "format", struct info, format, disk_formats, "what FILE is (auto: by its name)"),
	OPT_END
};

static void info_qcow2(const struct image_info *image)
{
	printf("version: %u, clusters of %u bytes, reference counts of %u bits%s%s%s%s\n", image->version, image->cluster,
	       image->refcount_bits, image->lazy ? ", lazy" : "", image->extended ? ", subclusters" : "",
	       image->dirty ? ", not closed" : "", image->corrupt ? ", CORRUPT" : "");
	if (*image->backing)
		printf("backing: %s (%s)\n", image->backing, *image->backing_format ? image->backing_format : "format not said");
	if (*image->data_file)
		printf("data:    %s\n", image->data_file);
	for (unsigned int i = 0; i < image->nr_snapshots; i++) {
		const struct image_snapshot *s = &image->snapshot[i];
		time_t seconds = s->seconds;
		char when[32] = "?";
		struct tm tm;

		if (localtime_r(&seconds, &tm))
			strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		printf("snapshot %s: \"%s\" of %s, %llu bytes\n", s->id, s->name, when, (unsigned long long)s->size);
	}
}

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
	if (image.format == DISK_FORMAT_QCOW2)
		info_qcow2(&image);
	free(image.snapshot);
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
