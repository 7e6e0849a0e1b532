/* SPDX-License-Identifier: GPL-2.0 */
/* The options of other programs that "lkvm run" knows the meaning of. */
#ifndef RUN_FOREIGN_H
#define RUN_FOREIGN_H

#include <kvm/opt.h>

extern const struct opt foreign_opts[];

#endif
