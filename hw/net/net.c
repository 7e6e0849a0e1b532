// SPDX-License-Identifier: GPL-2.0
/* Wires by their name: see kvm/net.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "net.h"

static const struct net_type *const net_types[] = { &net_user };

int net_bad(struct opt_err *err, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return ret;
}

static const struct net_type *net_find(const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(net_types); i++)
		if (strlen(net_types[i]->name) == len && !memcmp(net_types[i]->name, name, len))
			return net_types[i];
	return NULL;
}

static int net_unknown(const char *spec, size_t len, struct opt_err *err)
{
	char names[256] = "";
	size_t at = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(net_types); i++)
		at += snprintf(names + at, sizeof(names) - at, "%s%s", i ? ", " : "", net_types[i]->name);
	return net_bad(err, -EINVAL, "there is no network \"%.*s\": %s", (int)len, spec, names);
}

int net_open(struct net **out, const char *spec, struct net_card *card, const struct net_ops *ops, void *obj,
	     struct opt_err *err)
{
	size_t len = strcspn(spec, ",");
	const struct net_type *type = net_find(spec, len);
	struct net *n;
	int ret;

	if (!type)
		return net_unknown(spec, len, err);
	n = calloc(1, type->size);
	if (!n || !(n->text = strdup(spec[len] ? spec + len + 1 : ""))) {
		free(n);
		return net_bad(err, -ENOMEM, "out of memory");
	}
	n->type = type;
	n->ops = ops;
	n->obj = obj;
	ret = *n->text ? opt_parse_sub(type->opts, n, n->text, err) : 0;
	if (!ret)
		ret = type->open(n, card, err);
	if (ret)
		net_close(n);
	else
		*out = n;
	return ret;
}

void net_close(struct net *n)
{
	n->type->close(n);
	free(n->text);
	free(n);
}

int net_attach(struct net *n, struct loop *loop)
{
	return n->type->attach(n, loop);
}

void net_detach(struct net *n)
{
	n->type->detach(n);
}

u32 net_offloads(const struct net *n)
{
	return n->type->offloads_of ? n->type->offloads_of(n) : n->type->offloads;
}

void net_set_offloads(struct net *n, u32 offloads)
{
	n->type->set_offloads(n, offloads);
}

size_t net_pending(struct net *n)
{
	return n->type->pending(n);
}

ssize_t net_receive(struct net *n, struct iov_iter *in)
{
	return n->type->receive(n, in);
}

int net_send(struct net *n, struct iov_iter *out)
{
	return n->type->send(n, out);
}
