/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual switch of one's own user, without a process of its own. Each card on it is
 * a member, which has a connection to each other member; frames go from member to
 * member. So one that ends, however it ends, takes only its own frames along.
 *
 * A member listens on the socket NAME.SLOT.switch in the user's directory of sockets.
 * Whoever joins holds the directory's lock, connects to all members, and takes the
 * lowest slot that is free: it says which addresses the guest has. Addresses, names and
 * the way out are no member's business but one's own: each has a user-mode network,
 * which is the gateway to its guest alone.
 *
 *	switch.c	frames, and who is where
 *	switch_join.c	members come
 */
#ifndef HW_NET_SWITCH_H
#define HW_NET_SWITCH_H

#include <sys/un.h>

#include "port.h"

#define SWITCH_MEMBERS	64	/* slots are 1 to 64 */
#define SWITCH_MACS	16	/* addresses that are learned of a member; the first is its card's */
#define SWITCH_NAME_MAX	64

struct switch_net;

struct switch_link {
	struct switch_net *sw;
	struct net_port port;		/* fd -1: free */
	bool known;			/* it has said who it is */
	u8 mac[SWITCH_MACS][NET_MAC];
	unsigned int nr_macs, next_mac;
	struct in_addr addr;
	u8 slot;
	char name[SWITCH_NAME_MAX + 1];	/* of its machine */
};

struct switch_net {
	struct net net;
	/* Options */
	const char *name, *host_ip_text;
	bool out;
	struct opt_list forwards;

	u8 slot, mac[NET_MAC];
	struct in_addr network, addr;	/* of the gateway; of the guest */
	int bits;
	char host_name[SWITCH_NAME_MAX + 1];

	struct sockaddr_un path;	/* of the own socket; "" before it is bound */
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	uid_t uid;
	struct watch listen;		/* fd -1: none */
	struct switch_link link[SWITCH_MEMBERS - 1];

	struct net *gateway;		/* the user-mode network; NULL: nothing is open */
	u8 gateway_mac[NET_MAC];
	struct in6_addr prefix6;
	struct loop *loop;		/* while attached */
	struct net_inbox inbox;
	unsigned int turn;		/* whose frame is next: 0 the gateway's, n + 1 link n's */
	bool from_gateway;		/* the pending frame is the gateway's */
};

/* switch_join.c */
/* The network of the switch @sw->name, from its name or host_ip=. 0 or -EINVAL with @err filled in. */
int switch_network(struct switch_net *sw, struct opt_err *err);
/*
 * Join: connect to the members, take a slot, listen. @card's address is made if it has
 * none of its own. 0 or -errno with @err filled in.
 */
int switch_join(struct switch_net *sw, struct net_card *card, struct opt_err *err);
void switch_leave(struct switch_net *sw);
/* A member that comes later connects. */
void switch_accept(struct watch *w, u32 events);
/* The first frame of a member says who it is; false: it does not. */
bool switch_hello(struct switch_link *l, const u8 *frame, size_t len);

/* switch.c */
int switch_link_open(struct switch_net *sw, int fd, struct switch_link **out);
void switch_link_close(struct switch_link *l);

#endif
