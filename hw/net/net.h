/* SPDX-License-Identifier: GPL-2.0 */
/* A kind of wire, for hw/net/net.c: see kvm/net.h. */
#ifndef HW_NET_NET_H
#define HW_NET_NET_H

#include <netinet/in.h>
#include <stdatomic.h>

#include <kvm/net.h>
#include <kvm/opt.h>

struct capture;
struct net_type;

/* At the head of each kind's own structure. */
struct net {
	const struct net_type *type;
	const struct net_ops *ops;
	void *obj;
	char *text;			/* what the options point into */
	int pairs;			/* of queues: the option, then as many as there are */
	/* Both for net_link(). */
	atomic_bool cut;		/* by the wire: see net_link_set() */
	atomic_bool pulled;		/* by the user */
	struct capture *capture;	/* or NULL */
};

struct net_type {
	const char *name, *help;
	const struct opt *opts;
	size_t size;
	u32 offloads;			/* NET_OFF_*, or open() says */
	unsigned int pairs;		/* of queues, at most; 0 is 1 */

	/* The options are parsed. -errno with @err filled in; close() is called then, too. */
	int (*open)(struct net *n, struct net_card *card, struct opt_err *err);
	void (*close)(struct net *n);
	void (*reuse)(struct net *n, struct net_card *card);
	/* Before open() for net_check(), and after it for net_guest(). NULL: there is nothing to say. */
	int (*describe)(struct net *n, struct net_guest *out, struct opt_err *err);
	const char *(*reads)(const struct net *n, unsigned int i);	/* NULL: nothing */
	bool (*connects)(const struct net *n);				/* NULL: no */
	const char *(*removes)(const struct net *n);			/* NULL: nothing */
	int (*attach)(struct net *n, unsigned int pair, struct loop *loop);
	void (*detach)(struct net *n, unsigned int pair);
	void (*set_pairs)(struct net *n, unsigned int nr);	/* NULL: it has one */
	u32 (*offloads_of)(const struct net *n);	/* NULL: offloads */
	void (*set_offloads)(struct net *n, u32 offloads);
	size_t (*pending)(struct net *n, unsigned int pair);
	ssize_t (*receive)(struct net *n, unsigned int pair, struct iov_iter *in);
	int (*send)(struct net *n, unsigned int pair, struct iov_iter *out);
	/* All or none; NULL: there are no forwards. */
	int (*forward)(struct net *n, const char *text, int fd, struct opt_err *err);
	int (*unforward)(struct net *n, const char *text, struct opt_err *err);
	bool (*forward_text)(struct net *n, unsigned int i, char *out, size_t size);
};

/* The wire's own end has come or gone: the card is told. Any thread. */
void net_link_set(struct net *n, bool up);

/* Fill in @err; returns @ret. */
int net_bad(struct opt_err *err, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * The user-mode network @n is a member's on a switch: it has one lease, and find(obj, name)
 * has the names that it serves. Those of the domain NET_DOMAIN are the switch's alone.
 * Its address on the wire is in @mac then, its IPv6 prefix in @prefix6.
 */
#define NET_DOMAIN	"lkvm"
void user_share(struct net *n, bool (*find)(void *obj, const char *name, struct in_addr *v4, struct in6_addr *v6),
		void *obj, u8 mac[NET_MAC], struct in6_addr *prefix6);

extern const struct net_type net_dgram, net_loop, net_stream, net_switch, net_tap, net_user;

#endif
