/* SPDX-License-Identifier: GPL-2.0 */
/* Where the interrupt controllers are emulated. */
#ifndef RUN_IRQCHIP_H
#define RUN_IRQCHIP_H

#include "plan.h"

struct run_irqchip {
	int kind;
};

extern const struct opt irqchip_opts[];

/* After boot_config(). */
int irqchip_config(struct plan *plan, struct run_irqchip *own);

#endif
