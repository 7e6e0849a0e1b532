/* SPDX-License-Identifier: GPL-2.0 */
/* Devices that the user adds by name, and those that every machine has. */
#ifndef RUN_DEVICES_H
#define RUN_DEVICES_H

#include "plan.h"

struct run_devices {
	struct opt_list device;
	const char *watchdog;		/* what it does, or NULL: there is none */
	bool rng, balloon;
};

extern const struct opt devices_opts[];

/* Devices that every machine has. After irqchip_config(). */
int devices_config(struct plan *plan, struct run_devices *own);
/* The user's: after all others. */
int devices_named(struct plan *plan, struct run_devices *own);

#endif
