/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A descriptor through which whole frames go: a socket that keeps packets apart, or a
 * tap. Embedded in the wire; the wire's loop.
 */
#ifndef HW_NET_PORT_H
#define HW_NET_PORT_H

#include <kvm/loop.h>

#include "inbox.h"

struct net_port;

/* Called on the loop. readable() may close its port, and is the last that is called. */
struct net_port_ops {
	void (*readable)(struct net_port *p);	/* there is a frame again, or the end */
	void (*writable)(struct net_port *p);	/* it takes frames again, after -EAGAIN */
};

struct net_port {
	int fd;				/* -1: none. Owned */
	bool plain;			/* frames have no net_hdr */
	bool file;			/* it is no socket */
	const struct net_port_ops *ops;
	struct loop *loop;		/* while attached */
	struct watch watch;
	struct timer patience, again;
	bool ready;			/* there may be something to read */
	bool full, stuck;		/* the peer takes no more; and has not for so long that frames are dropped */
};

/* Takes @fd, which does not block. Then the port is closed by net_port_close(), twice is once. */
void net_port_init(struct net_port *p, int fd, const struct net_port_ops *ops);
void net_port_close(struct net_port *p);

int net_port_attach(struct net_port *p, struct loop *loop);
void net_port_detach(struct net_port *p);

/*
 * Read the next frame into @in, which is empty: 0; -EAGAIN: there is none, readable() will be called;
 * -EPIPE: the peer is gone.
 */
int net_port_read(struct net_port *p, struct net_inbox *in);
/* Have readable() called in the loop's next round, for a caller that stops before -EAGAIN. */
void net_port_later(struct net_port *p);
/*
 * Send what @out has, a frame with its net_hdr: 0, sent or lost; -EAGAIN, nothing done,
 * writable() will be called. A peer that takes nothing for PORT_PATIENCE_NS loses frames
 * until it takes some again.
 */
int net_port_send(struct net_port *p, struct iov_iter *out);
#define PORT_PATIENCE_NS	(10 * 1000 * 1000ULL)

#endif
