// SPDX-License-Identifier: GPL-2.0
/* lkvm disk create: an empty image. */
#include <kvm/image.h>

#include "disk.h"

struct create {
	int format, backing_format, refcount_bits, version;
	u64 cluster;
	const char *backing, *data_file;
	bool lazy, extended;
};

static const struct opt create_opts[] = {
	OPT_CHOICE('f', "format", struct create, format, disk_formats, "what FILE becomes (auto: by its name)"),
	OPT_GROUP("qcow2"),
	OPT_STR('b', "backing", struct create, backing, "IMAGE", "what is read where FILE has nothing"),
	OPT_CHOICE('F', "backing-format", struct create, backing_format, disk_formats, "what IMAGE is (auto: by its name)"),
	OPT_SIZE(0, "cluster", struct create, cluster, 1, 512, 2 * MIB, "SIZE", "bytes that are allocated at a time (64K)"),
	OPT_INT(0, "refcount-bits", struct create, refcount_bits, 1, 64, "N", "width of a reference count (16)"),
	OPT_INT(0, "version", struct create, version, 2, 3, "N", "2 or 3 (3)"),
	OPT_BOOL(0, "lazy", struct create, lazy, "write reference counts when the image is closed"),
	OPT_BOOL(0, "extended", struct create, extended, "32 subclusters in each cluster"),
	OPT_STR(0, "data-file", struct create, data_file, "FILE", "keep all data in a raw image, which is made, too"),
	OPT_END
};

static int create_main(const struct command *cmd, int argc, char **argv)
{
	struct create create = { .format = DISK_FORMAT_AUTO };
	int status, n = command_parse(cmd, &create, argc, argv, &status);
	struct image_create image = {
		.file = argv[0], .format = create.format, .cluster = create.cluster, .refcount_bits = create.refcount_bits,
		.version = create.version, .lazy = create.lazy, .extended = create.extended, .backing = create.backing,
		.backing_format = create.backing_format, .data_file = create.data_file,
	};
	struct opt_err err;

	if (n < 0)
		return status;
	if (n != 2 && !(n == 1 && create.backing))
		return command_usage(cmd, "a file and its size, as in 'lkvm disk create disk.img 10G'");
	if (n == 2 && (opt_size(argv[1], MIB, &image.size) || !image.size))
		return command_usage(cmd, "%s: a size is a number with K, M, G or T behind it, as in 10G", argv[1]);
	if (image_create(&image, &err))
		return command_usage(cmd, "%s", err.text);
	return 0;
}

const struct command command_disk_create = {
	.name = "disk create",
	.synopsis = "[OPTIONS] FILE [SIZE]",
	.summary = "make an empty image",
	.about =
	"A SIZE without a suffix is in MiB; that of the backing image is the default.\n"
	"Names of other files that are not absolute are from the directory of FILE on.\n"
	"A FILE that exists is an error, and is left as it is.\n",
	.opts = create_opts,
	.usage_status = STATUS_USAGE,
	.fn = create_main,
};
