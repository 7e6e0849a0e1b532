/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The descriptors 0, 1 and 2, and the ports by which the guest's command has them. Main
 * thread.
 */
#ifndef SESSION_STREAMS_H
#define SESSION_STREAMS_H

#include <kvm/session.h>

/* Is @fd /dev/null? */
bool stream_is_null(int fd);
/* No other file gets the numbers 0 to 2. 0 or -errno with the message printed. */
int streams_fill(bool no_stdin);
/* Fill in s->mode: as the descriptors are, or as those of @guest were. */
void streams_choose(struct session *s, const struct session_guest *guest);

struct streams {
	int keys;		/* what is typed, for the tty port; -1: there is none */
	int agent;		/* or -1 */
	int control;
	bool all;		/* each port is there, whether it is used or not */
};
/* The suboptions of virtio-console; control comes last (kvm/pid1.h). */
void streams_ports(const struct session *s, const struct streams *streams, char *buf, size_t size);

#endif
