/* SPDX-License-Identifier: GPL-2.0 */
/* --confine: the rights that lkvm gives up before the guest runs. */
#ifndef RUN_CONFINE_H
#define RUN_CONFINE_H

#include "plan.h"

struct run_confine {
	int mode;			/* CONFINE_ON and so on */
	bool apart;			/* files=process */
};

extern const struct opt confine_opts[];

/* @socket: of the machine's control socket, which is removed at the end. After all others. */
int confine_config(struct plan *plan, struct run_confine *own, const char *socket);
void confine_done(struct plan *plan);

#endif
