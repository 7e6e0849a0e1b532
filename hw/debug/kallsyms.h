/* SPDX-License-Identifier: GPL-2.0 */
/* The symbols that Linux carries with it, read from its memory. */
#ifndef HW_DEBUG_KALLSYMS_H
#define HW_DEBUG_KALLSYMS_H

#include "linux_view.h"
#include "symbols.h"

/*
 * Add the kernel's symbols to @s, which is sorted then: 0; -ENOENT: it has none
 * (CONFIG_KALLSYMS), or they are not understood; -ENOMEM.
 */
int kallsyms_read(const struct linux_view *v, struct symbols *s);

#endif
