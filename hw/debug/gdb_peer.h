/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection to a debugger: its bytes become packets, one after the other, and
 * each waits until the reply to the one before is sent. Never waits for the other
 * side, and holds a bounded number of bytes. Main thread.
 */
#ifndef HW_DEBUG_GDB_PEER_H
#define HW_DEBUG_GDB_PEER_H

#include <kvm/loop.h>

#include "gdb_packet.h"

struct gdb_peer_ops {
	/* @data has a NUL behind its @len bytes. */
	void (*packet)(void *obj, const char *data, size_t len);
	void (*interrupt)(void *obj);
	/* The other side has gone, or speaks something else: the owner closes the peer. */
	void (*lost)(void *obj);
};

struct gdb_peer {
	const struct gdb_peer_ops *ops;
	void *obj;
	struct loop *loop;		/* while attached to one */
	struct watch watch;		/* fd -1: nobody is connected */
	bool no_ack;			/* neither side acknowledges packets */
	struct gdb_decoder decoder;
	size_t in_at, in_len;
	u8 in[4096];
	size_t out_at, out_len, last;	/* last: where the last packet begins */
	char out[2 * GDB_WIRE_MAX];
};

/* @fd is the peer's from now on. */
void gdb_peer_open(struct gdb_peer *p, int fd);
/* Nothing is called back any more. One that is closed already is nothing. */
void gdb_peer_close(struct gdb_peer *p);

static inline bool gdb_peer_is_open(const struct gdb_peer *p)
{
	return p->watch.fd >= 0;
}

/* 0 or -errno. Without a connection: nothing. */
int gdb_peer_attach(struct gdb_peer *p, struct loop *loop);
void gdb_peer_detach(struct gdb_peer *p);

/* Send a packet of at most GDB_PACKET_MAX bytes. */
void gdb_peer_send(struct gdb_peer *p, const void *data, size_t len);

#endif
