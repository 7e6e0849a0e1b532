// SPDX-License-Identifier: GPL-2.0
/* The wait for a reader of the guest's last output: see rest.h. */
#include <linux/kernel.h>

#include "rest.h"

static void rest_reader(struct watch *w, u32 events)
{
	struct rest *r = container_of(w, struct rest, reader);

	r->taken = true;
	loop_stop(r->loop);
}

static void rest_signal(struct watch *w, u32 events)
{
	loop_stop(container_of(w, struct rest, signals)->loop);
}

static void rest_timeout(struct timer *t)
{
	loop_stop(container_of(t, struct rest, timeout)->loop);
}

bool rest_wait(struct rest *r, int out, int signals, u64 ns)
{
	r->reader = (struct watch) { .fd = out, .fn = rest_reader };
	r->signals = (struct watch) { .fd = signals, .fn = rest_signal };
	r->timeout = (struct timer) { .fn = rest_timeout };
	r->taken = false;
	if (loop_new(&r->loop, NULL))
		return false;
	if (!loop_add(r->loop, &r->reader, EPOLLOUT) && !loop_add(r->loop, &r->signals, EPOLLIN)) {
		if (ns)
			loop_timer(r->loop, &r->timeout, loop_now() + ns);
		if (r->serve)
			r->serve(r->obj, r->loop);
		loop_run(r->loop);
		if (r->serve)
			r->serve(r->obj, NULL);
	}
	loop_free(r->loop);
	r->loop = NULL;
	return r->taken;
}
