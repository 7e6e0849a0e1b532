/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The wait for a reader of the guest's last output. The machine's loop has ended, so it
 * is on a loop of its own, which serves requests of users meanwhile.
 */
#ifndef SESSION_REST_H
#define SESSION_REST_H

#include <kvm/loop.h>

struct rest {
	/* session.rest, or NULL */
	void (*serve)(void *obj, struct loop *loop);
	void *obj;
	struct loop *loop;		/* during rest_wait(); loop_stop() ends the wait */
	/* private */
	struct watch reader, signals;
	struct timer timeout;
	bool taken;
};

/*
 * Wait @ns (0: for ever) until the descriptor @out takes more: true. False: the time is
 * over, @signals can be read, or another has ended the wait. Main thread.
 */
bool rest_wait(struct rest *r, int out, int signals, u64 ns);

#endif
