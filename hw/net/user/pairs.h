/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Several pairs of queues, each with a thread, in front of one network. Each pair has a
 * struct user of its own, with the TCP connections that began on it, so a connection
 * belongs to one thread. All else belongs to the first pair. A frame that comes by
 * another pair than that of its owner is copied to the owner's inbox: a guest seldom
 * moves a connection to another queue.
 */
#ifndef NET_USER_PAIRS_H
#define NET_USER_PAIRS_H

#include "tcp.h"

/* Make those of pairs 1 to @nr - 1 for @main, which is configured. 0 or -ENOMEM. */
int pairs_new(struct user *main, unsigned int nr);
void pairs_free(struct user *main);
/* What the guest before had is forgotten; no thread runs. */
void pairs_forget(struct user *main);
/* That of @pair. */
struct user *pairs_user(struct user *main, unsigned int pair);

/* The pair that owns @frame, which came by @pair. */
unsigned int pairs_owner(struct user *main, unsigned int pair, const struct iov_iter *frame);
/* Give @frame from @pair to @owner: 0, or -EAGAIN and writable() is called for @pair. */
int pairs_post(struct user *main, unsigned int owner, unsigned int pair, struct iov_iter *frame);

/* On the thread of @u's pair. */
void pairs_attach(struct user *u, struct loop *loop);
void pairs_detach(struct user *u);
/* Only the first @nr get frames: connections of others end. Any thread. */
void pairs_set(struct user *main, unsigned int nr);

/* A connection has begun, or ended. */
void pairs_add(struct tcp *c);
void pairs_del(struct tcp *c);

/* user.c: a frame of the guest. */
int user_input(struct user *u, struct iov_iter *out);

#endif
