// SPDX-License-Identifier: GPL-2.0
/*
 * Several pairs of queues in front of one network: see pairs.h. The threads share a table
 * that says who owns a connection, and each pair's inbox, under locks that are leaves.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "pairs.h"

#define INBOX_FRAMES	16

struct inbox {
	struct user *user;
	pthread_mutex_t lock;		/* of the rest */
	struct loop *loop;		/* while attached */
	struct work input, room, retire;
	struct iovec frame[INBOX_FRAMES];	/* NET_FRAME_MAX each, allocated when it is used first */
	unsigned int head, nr;
	u32 waiting;			/* pairs that could not put a frame in */
};

struct pairs {
	unsigned int nr;
	struct user *user[NET_PAIRS_MAX];
	struct inbox inbox[NET_PAIRS_MAX];
	pthread_mutex_t lock;		/* of the table */
	struct list_head bucket[TCP_BUCKETS];
};

struct user *pairs_user(struct user *main, unsigned int pair)
{
	return main->pairs ? main->pairs->user[pair] : main;
}

/* Who owns a connection */

static struct list_head *pairs_bucket(struct pairs *p, const struct flow *f)
{
	return &p->bucket[(tcp_hash(p->user[0]->tcp, f) >> 32) % TCP_BUCKETS];
}

void pairs_add(struct tcp *c)
{
	struct pairs *p = c->table->user->pairs;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	list_add(&c->pair, pairs_bucket(p, &c->flow));
	pthread_mutex_unlock(&p->lock);
}

void pairs_del(struct tcp *c)
{
	struct pairs *p = c->table->user->pairs;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	list_del(&c->pair);
	pthread_mutex_unlock(&p->lock);
}

/* Is it a segment of TCP? Then its flow. What has options or extensions in front is owned by the first pair. */
static bool pairs_flow(struct iov_iter frame, struct flow *f)
{
	u8 h[ETH_HEADER + 40 + 4] = { 0 }, *ip = h + ETH_HEADER, *ports;
	struct in_addr v4;

	iov_iter_advance(&frame, sizeof(struct net_hdr));
	copy_from_iter(h, sizeof(h), &frame);
	memset(f, 0, sizeof(*f));
	if (get16(h + 12) == 0x0800 && ip[0] == 0x45 && ip[9] == IPPROTO_TCP && !(get16(ip + 6) & 0x3fff)) {
		memcpy(&v4, ip + 12, 4);
		f->guest = addr_v4(v4);
		memcpy(&v4, ip + 16, 4);
		f->host = addr_v4(v4);
		ports = ip + 20;
	} else if (get16(h + 12) == 0x86dd && ip[0] >> 4 == 6 && ip[6] == IPPROTO_TCP) {
		memcpy(&f->guest, ip + 8, 16);
		memcpy(&f->host, ip + 24, 16);
		ports = ip + 40;
	} else {
		return false;
	}
	f->guest_port = get16(ports);
	f->host_port = get16(ports + 2);
	return true;
}

unsigned int pairs_owner(struct user *main, unsigned int pair, const struct iov_iter *frame)
{
	struct pairs *p = main->pairs;
	struct flow f;
	struct tcp *c;

	/* Names are the first pair's. */
	if (!pairs_flow(*frame, &f) || f.host_port == 53)
		return 0;
	pthread_mutex_lock(&p->lock);
	list_for_each_entry(c, pairs_bucket(p, &f), pair) {
		if (c->flow.guest_port == f.guest_port && c->flow.host_port == f.host_port &&
		    addr_eq(&c->flow.guest, &f.guest) && addr_eq(&c->flow.host, &f.host)) {
			pair = c->table->user->index;
			break;
		}
	}
	pthread_mutex_unlock(&p->lock);
	return pair;
}

/* Inboxes */

static bool inbox_put(struct inbox *in, struct iov_iter *frame)
{
	struct iovec *slot = &in->frame[(in->head + in->nr) % INBOX_FRAMES];

	if (!slot->iov_base)
		slot->iov_base = malloc(NET_FRAME_MAX);
	if (!slot->iov_base)
		return false;
	slot->iov_len = copy_from_iter(slot->iov_base, NET_FRAME_MAX, frame);
	in->nr++;
	return true;
}

int pairs_post(struct user *main, unsigned int owner, unsigned int pair, struct iov_iter *frame)
{
	struct inbox *in = &main->pairs->inbox[owner];
	int ret = 0;

	pthread_mutex_lock(&in->lock);
	if (!in->loop) {
		ret = -ENETDOWN;
	} else if (in->nr == INBOX_FRAMES) {
		in->waiting |= 1U << pair;
		ret = -EAGAIN;
	} else if (!inbox_put(in, frame)) {
		ret = -ENOMEM;
	} else {
		loop_post(in->loop, &in->input);
	}
	pthread_mutex_unlock(&in->lock);
	return ret;
}

/* The next frame; false: there is none, and *waiting has the pairs that waited for room. */
static bool inbox_next(struct inbox *in, struct iovec *iov, u32 *waiting)
{
	bool some;

	pthread_mutex_lock(&in->lock);
	some = in->nr;
	if (some) {
		*iov = in->frame[in->head];
	} else {
		*waiting = in->waiting;
		in->waiting = 0;
	}
	pthread_mutex_unlock(&in->lock);
	return some;
}

static void inbox_taken(struct inbox *in)
{
	pthread_mutex_lock(&in->lock);
	in->head = (in->head + 1) % INBOX_FRAMES;
	in->nr--;
	pthread_mutex_unlock(&in->lock);
}

static void inbox_input(struct work *w)
{
	struct inbox *in = container_of(w, struct inbox, input), *other;
	struct pairs *p = in->user->pairs;
	struct iov_iter i;
	struct iovec iov;
	u32 waiting;

	while (inbox_next(in, &iov, &waiting)) {
		iov_iter_init(&i, &iov, 1);
		user_input(in->user, &i);
		inbox_taken(in);
	}
	for (unsigned int q = 0; q < p->nr; q++) {
		other = &p->inbox[q];
		if (!(waiting & 1U << q))
			continue;
		pthread_mutex_lock(&other->lock);
		if (other->loop)
			loop_post(other->loop, &other->room);
		pthread_mutex_unlock(&other->lock);
	}
}

static void inbox_room(struct work *w)
{
	struct inbox *in = container_of(w, struct inbox, room);
	struct net *n = &in->user->main->net;

	if (n->ops->writable)
		n->ops->writable(n->obj, in->user->index);
}

static void inbox_retire(struct work *w)
{
	tcp_forget(container_of(w, struct inbox, retire)->user);
}

void pairs_attach(struct user *u, struct loop *loop)
{
	struct inbox *in = u->pairs ? &u->pairs->inbox[u->index] : NULL;

	if (!in)
		return;
	pthread_mutex_lock(&in->lock);
	in->loop = loop;
	pthread_mutex_unlock(&in->lock);
}

void pairs_detach(struct user *u)
{
	struct inbox *in = u->pairs ? &u->pairs->inbox[u->index] : NULL;

	if (!in)
		return;
	pthread_mutex_lock(&in->lock);
	in->loop = NULL;
	in->nr = 0;
	in->waiting = 0;
	pthread_mutex_unlock(&in->lock);
	loop_unpost(u->loop, &in->input);
	loop_unpost(u->loop, &in->room);
	loop_unpost(u->loop, &in->retire);
}

void pairs_set(struct user *main, unsigned int nr)
{
	struct pairs *p = main->pairs;

	for (unsigned int q = nr; p && q < p->nr; q++) {
		struct inbox *in = &p->inbox[q];
		bool runs;

		pthread_mutex_lock(&in->lock);
		runs = in->loop;
		if (runs)
			loop_post(in->loop, &in->retire);
		pthread_mutex_unlock(&in->lock);
		if (!runs)
			tcp_forget(in->user);
	}
}

/* Creation */

void pairs_forget(struct user *main)
{
	for (unsigned int q = 1; main->pairs && q < main->pairs->nr; q++) {
		struct user *u = main->pairs->user[q];

		tcp_forget(u);
		u->frame_nr = 0;
		memset(u->neighbour, 0, sizeof(u->neighbour));
	}
}

/* One that has the configuration of @main, and nothing else of it. */
static struct user *pairs_one(struct user *main, unsigned int q)
{
	struct user *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->main = main;
	u->pairs = main->pairs;
	u->index = q;
	u->host_ip = main->host_ip;
	u->guest_ip = main->guest_ip;
	u->mask = main->mask;
	u->host4 = main->host4;
	u->guest4 = main->guest4;
	u->host6 = main->host6;
	u->link6 = main->link6;
	u->prefix6 = main->prefix6;
	memcpy(u->host_mac, main->host_mac, NET_MAC);
	memcpy(u->guest_mac, main->guest_mac, NET_MAC);
	u->mtu = main->mtu;
	u->restricted = main->restricted;
	u->loopback = main->loopback;
	u->frame = calloc(USER_FRAMES, sizeof(*u->frame));
	if (u->frame && !tcp_new(u))
		return u;
	free(u->frame);
	free(u);
	return NULL;
}

int pairs_new(struct user *main, unsigned int nr)
{
	struct pairs *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	main->pairs = p;
	pthread_mutex_init(&p->lock, NULL);
	for (unsigned int i = 0; i < TCP_BUCKETS; i++)
		INIT_LIST_HEAD(&p->bucket[i]);
	for (unsigned int q = 0; q < nr; q++) {
		struct inbox *in = &p->inbox[q];

		p->user[q] = in->user = q ? pairs_one(main, q) : main;
		if (!in->user)
			return -ENOMEM;
		pthread_mutex_init(&in->lock, NULL);
		in->input.fn = inbox_input;
		in->room.fn = inbox_room;
		in->retire.fn = inbox_retire;
		p->nr++;
	}
	return 0;
}

void pairs_free(struct user *main)
{
	struct pairs *p = main->pairs;

	if (!p)
		return;
	for (unsigned int q = 0; q < p->nr; q++) {
		for (unsigned int i = 0; i < INBOX_FRAMES; i++)
			free(p->inbox[q].frame[i].iov_base);
		pthread_mutex_destroy(&p->inbox[q].lock);
		if (!q)
			continue;
		tcp_free(p->user[q]);
		free(p->user[q]->frame);
		free(p->user[q]);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
	main->pairs = NULL;
}
