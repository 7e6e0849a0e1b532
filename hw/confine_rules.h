/* SPDX-License-Identifier: GPL-2.0 */
/* The system calls that each kind of thread may make. */
#ifndef HW_CONFINE_RULES_H
#define HW_CONFINE_RULES_H

#include <kvm/seccomp.h>
#include <kvm/threads.h>

/* At most so many tables, the architecture's with them. */
#define CONFINE_TABLES	16

/* Rules that only some machines need. */
enum {
	CONFINE_CONNECT	= 1 << 0,	/* a network makes connections and sends datagrams */
	CONFINE_FILES	= 1 << 1,	/* file servers are threads of this process */
	CONFINE_ALL	= CONFINE_CONNECT | CONFINE_FILES,
	CONFINE_SERVER	= 1 << 2,	/* this process is a file server and nothing else */
};

/* The tables of @kind in @tables, of a machine that needs @wants (CONFINE_*); returns how many. */
unsigned int confine_rules(enum thread_kind kind, unsigned int wants,
			   const struct seccomp_rule *tables[CONFINE_TABLES]);

#endif
