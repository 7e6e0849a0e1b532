/* SPDX-License-Identifier: GPL-2.0 */
/* Network cards. */
#ifndef RUN_NETS_H
#define RUN_NETS_H

#include "plan.h"

struct run_nets {
	struct opt_list net;
	bool no_dhcp;			/* nothing follows from it */
	bool by_default;		/* a Linux with the host's files has a card unless told otherwise */
	struct nets_pcap {
		const char *file;
		int nic;		/* -1: all */
		/* private */
		char *text;
		int fd;
		unsigned int nr;	/* of cards that write it */
	} pcap;
};

extern const struct opt nets_opts[];

/* After files_config(), which says whether PID 1 is ours. */
int nets_config(struct plan *plan, struct run_nets *own);
void nets_free(struct run_nets *own);

#endif
