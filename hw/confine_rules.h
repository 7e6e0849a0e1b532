/* SPDX-License-Identifier: GPL-2.0 */
/* The system calls that each kind of thread may make. */
#ifndef HW_CONFINE_RULES_H
#define HW_CONFINE_RULES_H

#include <kvm/seccomp.h>
#include <kvm/threads.h>

/* At most so many tables, the architecture's with them. */
#define CONFINE_TABLES	12

/* The tables of @kind in @tables; returns how many. */
unsigned int confine_rules(enum thread_kind kind, const struct seccomp_rule *tables[CONFINE_TABLES]);

#endif
