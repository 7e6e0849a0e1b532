/* SPDX-License-Identifier: GPL-2.0 */
/* Looking into a guest's root as the guest will. */
#ifndef GUEST_ROOT_H
#define GUEST_ROOT_H

#include <kvm/root.h>

/*
 * Open @path below the directory @dir, read-only; links lead to where they will lead in
 * the guest. A descriptor, the caller's, or -errno.
 */
int root_open(int dir, const char *path);

#endif
