/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What can be asked of a running machine through its control socket, and the
 * socket's life: it belongs to "lkvm run", not to one start of the machine, so
 * it outlives the guest's reboots.
 */
#ifndef KVM_SERVE_H
#define KVM_SERVE_H

#include <kvm/types.h>

struct control;
struct streams;
struct vm;

struct serve {
	struct control *control;	/* NULL: there is none */
	struct streams *streams;
	struct vm *vm;			/* while started */
	bool reboot;			/* a reset starts this one again: set before each start */
	unsigned int starts;
};

/*
 * Make the socket of the machine @name. Without a name that the user has chosen
 * (@chosen) a machine that can have no socket runs without one. 0, or -errno with
 * the message printed.
 */
int serve_open(struct serve *s, const char *name, bool chosen);
/* After streams_start(). 0 or -errno with the message printed. */
int serve_start(struct serve *s, struct vm *vm);
/* The machine has ended, or starts again. */
void serve_leave(struct serve *s);
void serve_close(struct serve *s);

#endif
