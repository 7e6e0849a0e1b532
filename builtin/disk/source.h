/* SPDX-License-Identifier: GPL-2.0 */
/* The image that a verb reads: options and how it is opened. */
#ifndef BUILTIN_DISK_SOURCE_H
#define BUILTIN_DISK_SOURCE_H

#include <kvm/disk.h>
#include <kvm/opt.h>

struct source {
	int format, backing;
	const char *snapshot;
};

extern const struct opt source_opts[];

/* Read-only, with all that is behind it: 0, or -errno with @err filled in. */
int source_open(struct disk **d, const struct source *s, const char *file, struct opt_err *err);

#endif
