/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A wire that is a descriptor for each pair of queues, through which whole frames go:
 * what loop, dgram and tap have in common. At the head of each kind's own structure.
 */
#ifndef HW_NET_PACKET_H
#define HW_NET_PACKET_H

#include "port.h"

#define PACKET_MTU	1500		/* IEEE 802.3; unless mtu= says another */

/* Addresses that the user says, as nobody at the other end can be asked before the guest runs. */
struct packet_guest {
	const char *guest_ip, *gateway, *dns;
};

struct packet_pair {
	struct packet *packet;
	struct net_port port;
	struct net_inbox inbox;
	bool down;			/* the other end is gone */
};

struct packet {
	struct net net;
	struct packet_guest guest;
	int mtu;			/* suboption; 0: the default */
	struct packet_pair pair[NET_PAIRS_MAX];
	unsigned int nr_pairs;		/* that are open */
};

/* Suboptions of struct packet_guest, and whether they are good. */
extern const struct opt packet_guest_opts[];
int packet_guest_describe(const struct packet_guest *g, struct net_guest *out, struct opt_err *err);

/* For open(): @fd is the next pair, and taken also if this fails. 0 or -errno with @err filled in. */
int packet_open(struct packet *p, int fd, struct opt_err *err);

/* Members of struct net_type; open() calls packet_reuse() for the card's MTU. */
void packet_close(struct net *n);
void packet_reuse(struct net *n, struct net_card *card);
int packet_describe(struct net *n, struct net_guest *out, struct opt_err *err);
int packet_attach(struct net *n, unsigned int pair, struct loop *loop);
void packet_detach(struct net *n, unsigned int pair);
void packet_set_offloads(struct net *n, u32 offloads);
size_t packet_pending(struct net *n, unsigned int pair);
ssize_t packet_receive(struct net *n, unsigned int pair, struct iov_iter *in);
int packet_send(struct net *n, unsigned int pair, struct iov_iter *out);

#endif
