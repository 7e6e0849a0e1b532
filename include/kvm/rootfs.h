/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Root file systems that the user keeps below ~/.lkvm, each by a name: directories that
 * guests change. A small one has no programs of its own. It has links into the host's
 * files, which its guest finds at ROOTFS_HOST. Main thread; messages are printed.
 */
#ifndef KVM_ROOTFS_H
#define KVM_ROOTFS_H

#include <stdbool.h>

/* In such a root, where the host's files are mounted read-only. */
#define ROOTFS_HOST	"/host"

/* May a root have that name: one component of a path, without a dot in front? */
bool rootfs_name_ok(const char *name);

/* The path of the root @name, malloc()ed; NULL, with the message printed: there is no HOME. It need not exist. */
char *rootfs_path(const char *name);

/*
 * Make the root @name. @from NULL: a small one with the host's programs; a directory or a tar
 * archive: a copy of that; "debootstrap:SUITE": by that program. Another one of that name is
 * never changed. 0, or -errno with the reason printed and nothing left.
 */
int rootfs_make(const char *name, const char *from);

/* Has the root @dir to have the host's files at ROOTFS_HOST? */
bool rootfs_wants_host(const char *dir);

#endif
