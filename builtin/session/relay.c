// SPDX-License-Identifier: GPL-2.0
/* Relays: see relay.h. */
#include <errno.h>
#include <stdio.h>

#include <kvm/tty.h>

#include "relay.h"

/* Pieces that one callback moves before it is another's turn. */
#define RELAY_BATCH		16

/* False: the other side takes no more now. */
static bool relay_flush(struct relay *r)
{
	struct iovec iov = { .iov_base = r->buf + r->off, .iov_len = r->len };
	struct iov_iter i;
	ssize_t n;

	iov_iter_init(&i, &iov, 1);
	while (r->len && r->to) {
		n = tty_write(r->to, &i, r->len);
		if (n == -EAGAIN && !r->lossy)
			return false;
		if (n < 0)
			break;		/* there is no reader */
		r->off += n;
		r->len -= n;
	}
	r->len = 0;
	return true;
}

void relay_run(struct relay *r)
{
	unsigned int n;
	bool want = !r->paused;

	for (n = 0; n < RELAY_BATCH && !r->paused; n++) {
		struct iovec iov = { .iov_base = r->buf, .iov_len = sizeof(r->buf) };
		struct iov_iter i;
		ssize_t len;

		if (!relay_flush(r)) {
			want = false;	/* writable() comes */
			break;
		}
		iov_iter_init(&i, &iov, 1);
		len = tty_read(r->from, &i, sizeof(r->buf));
		if (len == -EAGAIN)
			break;
		if (!len) {
			want = false;
			if (r->eof)
				r->eof(r->obj);
			break;
		}
		r->moved += len;
		r->off = 0;
		r->len = r->filter ? r->filter(r->obj, r->buf, len) : (size_t)len;
	}
	tty_want_read(r->from, want);
}

static void relay_ready(void *obj)
{
	relay_run(obj);
}

static const struct tty_ops relay_from_ops = { .readable = relay_ready };
static const struct tty_ops relay_to_ops = { .writable = relay_ready };

int relay_open(struct relay *r, int from, int to)
{
	char spec[32];
	int ret;

	snprintf(spec, sizeof(spec), "fd:%d:", from);
	ret = tty_open(&r->from, spec, NULL, &relay_from_ops, r);
	if (ret || to < 0)
		return ret;
	snprintf(spec, sizeof(spec), "fd::%d", to);
	return tty_open(&r->to, spec, NULL, &relay_to_ops, r);
}

void relay_start(struct relay *r, struct loop *loop)
{
	if (r->from)
		tty_attach(r->from, loop);
	if (r->to)
		tty_attach(r->to, loop);
	if (r->from && !r->paused)
		tty_want_read(r->from, true);
}

void relay_pause(struct relay *r, bool paused)
{
	r->paused = paused;
	tty_want_read(r->from, !paused);
}

void relay_stop(struct relay *r)
{
	if (r->from)
		tty_detach(r->from);
	if (r->to)
		tty_detach(r->to);
}

void relay_end(struct relay *r)
{
	tty_close(r->to);
	r->to = NULL;
}

void relay_close(struct relay *r)
{
	if (r->from)
		tty_close(r->from);
	if (r->to)
		tty_close(r->to);
	r->from = r->to = NULL;
}
