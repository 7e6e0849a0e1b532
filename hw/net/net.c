// SPDX-License-Identifier: GPL-2.0
/* Wires by their name: see kvm/net.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "capture.h"
#include "net.h"

static const struct net_type *const net_types[] = {
	&net_user, &net_switch, &net_loop, &net_tap, &net_stream, &net_dgram,
};

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

/* The options of all wires. */
static const struct opt net_opts[] = {
	OPT_INT(0, "queues", struct net, pairs, 1, NET_PAIRS_MAX, "N", "pairs of queues, each with a thread (1)"),
	OPT_END
};

/* Those of @type and those of all. */
#define NET_OPTS(type)	{ OPT_TABLE_OF_NONE((type)->opts), OPT_TABLE_OF_NONE(net_opts), OPT_END }

bool net_help(FILE *f, const char *spec)
{
	size_t len = strcspn(spec, ",=");
	const struct net_type *type = net_find(spec, len);
	unsigned int i;

	if (!strcmp(spec, "help")) {
		for (i = 0; i < ARRAY_SIZE(net_types); i++)
			fprintf(f, "  %-10s %s\n", net_types[i]->name, net_types[i]->help);
		return true;
	}
	if (!type || strcmp(spec + len, ",help"))
		return false;
	fprintf(f, "%s: %s\n", type->name, type->help);
	opt_print_sub(f, (struct opt[])NET_OPTS(type));
	return true;
}

static void net_free(struct net *n)
{
	opt_free((struct opt[])NET_OPTS(n->type), n);
	capture_free(n->capture);
	free(n->text);
	free(n);
}

/* The wire with its options parsed, or NULL with @err filled in and *ret. */
static struct net *net_new(const char *spec, int *ret, struct opt_err *err)
{
	size_t len = strcspn(spec, ",=");
	const struct net_type *type = net_find(spec, len);
	struct net *n;

	if (!type) {
		*ret = net_unknown(spec, len, err);
		return NULL;
	}
	n = calloc(1, type->size);
	if (!n || !(n->text = strdup(spec[len] ? spec + len + 1 : ""))) {
		free(n);
		*ret = net_bad(err, -ENOMEM, "out of memory");
		return NULL;
	}
	n->type = type;
	n->pairs = 1;
	*ret = *n->text ? opt_parse_sub((struct opt[])NET_OPTS(type), n, n->text, err) : 0;
	if (!*ret && n->pairs > (int)max(type->pairs, 1U))
		*ret = net_bad(err, -EINVAL, "queues=%d: %s has %s", n->pairs, type->name,
			       type->pairs ? "fewer" : "one pair of queues");
	if (!*ret)
		return n;
	net_free(n);
	return NULL;
}

int net_open(struct net **out, const char *spec, struct net_card *card, const struct net_ops *ops, void *obj,
	     struct opt_err *err)
{
	int ret;
	struct net *n = net_new(spec, &ret, err);

	if (!n)
		return ret;
	n->ops = ops;
	n->obj = obj;
	card->pairs = n->pairs;
	ret = n->type->open(n, card, err);
	if (ret)
		net_close(n);
	else
		*out = n;
	return ret;
}

int net_check(const char *spec, struct opt_err *err)
{
	struct net_guest guest = { .mac = { 2 } };
	int ret;
	struct net *n = net_new(spec, &ret, err);

	if (!n)
		return ret;
	if (n->type->describe)
		ret = n->type->describe(n, &guest, err);
	net_free(n);
	return ret;
}

int net_guest(struct net *n, const struct net_card *card, struct net_guest *out, struct opt_err *err)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->mac, card->mac, NET_MAC);
	return n->type->describe ? n->type->describe(n, out, err) : 0;
}

void net_reuse(struct net *n, struct net_card *card, const struct net_ops *ops, void *obj)
{
	n->ops = ops;
	n->obj = obj;
	card->pairs = n->pairs;
	n->type->reuse(n, card);
}

void net_close(struct net *n)
{
	n->type->close(n);
	net_free(n);
}

const char *net_reads(const struct net *n, unsigned int i)
{
	return n->type->reads ? n->type->reads(n, i) : NULL;
}

bool net_connects(const struct net *n)
{
	return n->type->connects && n->type->connects(n);
}

const char *net_removes(const struct net *n)
{
	return n->type->removes ? n->type->removes(n) : NULL;
}

int net_attach(struct net *n, unsigned int pair, struct loop *loop)
{
	return n->type->attach(n, pair, loop);
}

void net_detach(struct net *n, unsigned int pair)
{
	n->type->detach(n, pair);
}

void net_set_pairs(struct net *n, unsigned int nr)
{
	if (n->type->set_pairs)
		n->type->set_pairs(n, nr);
}

u32 net_offloads(const struct net *n)
{
	return n->type->offloads_of ? n->type->offloads_of(n) : n->type->offloads;
}

void net_set_offloads(struct net *n, u32 offloads)
{
	n->type->set_offloads(n, offloads);
}

size_t net_pending(struct net *n, unsigned int pair)
{
	return n->type->pending(n, pair);
}

ssize_t net_receive(struct net *n, unsigned int pair, struct iov_iter *in)
{
	struct iov_iter frame = *in;
	ssize_t len = n->type->receive(n, pair, in);

	if (n->capture && len > 0)
		capture_frame(n->capture, pair, frame, len, true);
	return len;
}

int net_send(struct net *n, unsigned int pair, struct iov_iter *out)
{
	struct iov_iter frame = *out;
	int ret = n->type->send(n, pair, out);

	if (n->capture && !ret)
		capture_frame(n->capture, pair, frame, iov_iter_count(&frame), false);
	return ret;
}

const char *net_mode(const struct net *n)
{
	return n->type->name;
}

int net_forward(struct net *n, const char *text, int fd, struct opt_err *err)
{
	if (n->type->forward)
		return n->type->forward(n, text, fd, err);
	close(fd);
	return net_bad(err, -ENOTSUP, "a network of kind %s has no forwards", n->type->name);
}

int net_unforward(struct net *n, const char *text, struct opt_err *err)
{
	return n->type->unforward ? n->type->unforward(n, text, err) :
	       net_bad(err, -ENOTSUP, "a network of kind %s has no forwards", n->type->name);
}

bool net_forward_text(struct net *n, unsigned int i, char *out, size_t size)
{
	return n->type->forward_text && n->type->forward_text(n, i, out, size);
}
