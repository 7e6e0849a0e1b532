// SPDX-License-Identifier: GPL-2.0
/* The image that a verb reads: see source.h. */
#include "source.h"

static const char *const source_backing[] = { "beside", "any", NULL };

const struct opt source_opts[] = {
	OPT_CHOICE('f', "format", struct source, format, disk_formats, "what FILE is (auto: by its name)"),
	OPT_CHOICE(0, "backing", struct source, backing, source_backing, "where files that a qcow2 image names may be"),
	OPT_STR('s', "snapshot", struct source, snapshot, "NAME", "the disk as it was in that snapshot"),
	OPT_END
};

int source_open(struct disk **d, const struct source *s, const char *file, struct opt_err *err)
{
	struct disk_options opts = {
		.file = file, .ro = true, .format = s->format, .block = DISK_BLOCK_MIN, .anywhere = s->backing,
		.snapshot = s->snapshot,
	};

	return disk_open(d, &opts, NULL, "", err);
}
