/* SPDX-License-Identifier: GPL-2.0 */
/* The limit of open files of this process. */
#ifndef FS_NOFILE_H
#define FS_NOFILE_H

#include <kvm/types.h>

/* Raise it as far as a tree has use for it; the number that the tree may use. Main thread. */
u32 nofile_raise(void);

#endif
