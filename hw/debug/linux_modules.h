/* SPDX-License-Identifier: GPL-2.0 */
/* The modules that a Linux kernel has loaded. */
#ifndef HW_DEBUG_LINUX_MODULES_H
#define HW_DEBUG_LINUX_MODULES_H

struct linux_info;

/* Fill in @info's modules, and add their functions to its symbols. 0, or -ENOMEM. Unknown ones are left out. */
int linux_modules_read(struct linux_info *info);

#endif
