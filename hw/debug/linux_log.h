/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The messages of a Linux kernel, out of its memory: also those that its console does not
 * print. The machine stands still.
 */
#ifndef HW_DEBUG_LINUX_LOG_H
#define HW_DEBUG_LINUX_LOG_H

#include <stdio.h>

#include "linux_view.h"

/*
 * Print them as dmesg(1) does, the last ones of those that the kernel has kept. Characters that
 * a terminal would obey are replaced. 0; -ENOENT: the kernel does not say where they are, as one
 * before Linux 5.10; -EFAULT: they are not there.
 */
int linux_log_print(const struct linux_view *v, FILE *f);

#endif
