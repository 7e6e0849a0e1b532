/* SPDX-License-Identifier: GPL-2.0 */
/* The FUSE server behind the host's own /dev/fuse: no guest, native speed. */
#ifndef FUSE_MOUNT_H
#define FUSE_MOUNT_H

#include <kvm/fuse.h>

/*
 * Mount opts->dir on @mountpoint, by mount(2) if we are root, otherwise with the
 * help of fusermount3. Returns the descriptor of /dev/fuse, or -errno.
 */
int fuse_mount_open(const char *mountpoint);

/*
 * Serve what comes from @fd by @threads threads (at most 16), until it is unmounted.
 * 0 or -errno. Closes @fd.
 */
int fuse_mount_serve(const struct fuse_options *opts, int fd, unsigned int threads);

#endif
