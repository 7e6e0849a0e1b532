// SPDX-License-Identifier: GPL-2.0
/* What all kinds of wire have: messages, and the state of the link. */
#include <stdarg.h>
#include <stdio.h>

#include "net.h"

int net_bad(struct opt_err *err, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return ret;
}

bool net_link(const struct net *n)
{
	return !atomic_load(&n->cut) && !atomic_load(&n->pulled);
}

static void net_link_tell(struct net *n)
{
	if (n->ops && n->ops->link)
		n->ops->link(n->obj);
}

void net_link_set(struct net *n, bool up)
{
	atomic_store(&n->cut, !up);
	net_link_tell(n);
}

void net_plug(struct net *n, bool in)
{
	atomic_store(&n->pulled, !in);
	net_link_tell(n);
}
