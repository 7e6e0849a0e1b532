/* SPDX-License-Identifier: GPL-2.0 */
/* Roots that the guest changes: -d with a directory, and what boots or runs in them. */
#ifndef RUN_ROOTFS_H
#define RUN_ROOTFS_H

#include "disks.h"
#include "files.h"
#include "plan.h"

struct run_rootfs {
	const char *sandbox, *init;
	char *dir, *script, *argv[3];
};

extern const struct opt rootfs_opts[];

/*
 * Take the directory out of the disks, if one of them is a directory or the name of a
 * root below ~/.lkvm, and make it the root of @files. After the machine has its name,
 * which may be that of the root; before files_wanted(). @initrd: the guest has one of its own.
 */
int rootfs_wanted(struct plan *plan, struct run_rootfs *own, struct run_disks *disks,
		  struct run_files *files, bool initrd);
void rootfs_free(struct run_rootfs *own);

#endif
