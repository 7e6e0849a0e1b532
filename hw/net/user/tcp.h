/* SPDX-License-Identifier: GPL-2.0 */
/* For tcp.c (the guest's side) and tcp_host.c (the sockets' side). */
#ifndef NET_USER_TCP_H
#define NET_USER_TCP_H

#include "user.h"

#define TCP_MAX		4096		/* connections */
#define TCP_OPENING_MAX	1024		/* of them not established */
#define TCP_BUCKETS	1024
#define TCP_RING	(256 * 1024)	/* bytes each way, a power of two */
#define TCP_SCALE	3		/* of our window (RFC 7323, 2.2): a ring in 16 bits */

#define TCP_HEADER	20
#define TCP_OPT_STAMPS	12		/* two NOPs and the option */
#define SECOND		(1000ULL * 1000 * 1000)
#define MS		(1000ULL * 1000)

enum {
	TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32,
};

enum tcp_state {
	CONN_FREE,
	CONN_CONNECTING,		/* the guest's SYN waits for the host's connect() */
	CONN_SYN_SENT,		/* a forward: our SYN waits for the guest */
	CONN_SYN_RECEIVED,	/* our SYN and ACK wait for the guest */
	CONN_OPEN,		/* and half closed, see the flags */
	CONN_TIME_WAIT,
};

/* Bytes in a piece of memory whose end is followed by its beginning. */
struct ring {
	u8 *data;		/* [TCP_RING] */
	u32 head, len;
};

struct tcp {
	struct list_head node;		/* of its bucket, or of the free ones */
	struct list_head pair;		/* of who owns it, if there are several pairs */
	struct list_head age;		/* in table->used, the one that was used longest ago first */
	struct list_head ready;		/* in table->ready when it has something to say, else empty */
	struct tcp_table *table;
	struct flow flow;
	enum tcp_state state;
	u64 used;

	struct watch watch;		/* of the host's socket; fd -1: there is none */
	bool added;			/* to the loop */
	struct ring to_guest, to_host;
	u8 server;			/* of names: which one it is connected to */
	bool host_eof, host_shut;	/* its FIN has come; ours has gone */

	/* Sequence numbers as in RFC 9293, 3.3.1 */
	u32 iss, snd_una, snd_nxt, snd_max, snd_wnd, snd_wl1, snd_wl2;
	u32 irs, rcv_nxt, rcv_adv;	/* rcv_adv: the right edge that the guest knows */
	u8 snd_scale, rcv_scale;
	u16 mss;			/* of segments to the guest */
	bool stamps;			/* RFC 7323, 3 */
	u32 ts_recent;
	bool fin_sent, fin_acked, fin_received;
	bool ack;			/* one is owed */
	bool again;			/* the segment at snd_una goes out once more */
	bool keep;			/* the guest is asked whether it is there */
	bool probe;			/* one byte, whatever the window says */
	u8 duplicates;			/* ACKs in a row */
	u32 recover;			/* RFC 6582: snd_nxt when the loss was seen; 0: there is none */

	struct timer timer;		/* RFC 6298; or of the state */
	bool keeping;			/* or for an idle connection */
	u64 srtt, rttvar, rto;		/* ns */
	u64 timed_at;			/* when the byte before @timed was sent; 0: none is timed */
	u32 timed;
	u8 retries;
};

struct tcp_table {
	struct user *user;
	struct list_head bucket[TCP_BUCKETS], used, free, ready;
	unsigned int opening, touched;	/* of tcp[]: those behind have never been used */
	u64 secret[2];
	u8 *arena;			/* two rings for each connection; pages are had when they are used */
	struct tcp tcp[TCP_MAX];
};

/* tcp.c */
void tcp_ready(struct tcp *c);
void tcp_drop(struct tcp *c);		/* nothing is said to anybody */
void tcp_reset(struct tcp *c);		/* the guest is told, and it is dropped */
/* The host's -errno is the answer to the guest's SYN; the connection is dropped. */
void tcp_failed(struct tcp *c, int err);
/* Has all been said in both directions? Then nothing but TIME-WAIT is left. */
void tcp_done(struct tcp *c);
void tcp_state_set(struct tcp *c, enum tcp_state state);
u32 tcp_window(const struct tcp *c);
/* Set the timer for what is out, or waits, or idles. */
void tcp_arm(struct tcp *c);

/* tcp_host.c */
/* Connect to @to: 0 when that has begun, or -errno. */
int tcp_host_connect(struct tcp *c, const addr_t *to, u16 port);
void tcp_host_options(int fd);
int tcp_host_watch(struct tcp *c);
void tcp_host_close(struct tcp *c);
/* Data of the guest: bytes taken, at most what tcp_window() says; -errno: the connection is no more. */
ssize_t tcp_host_write(struct tcp *c, struct iov_iter *data, size_t len);
/* The guest will send no more. */
void tcp_host_fin(struct tcp *c);
/* The guest has taken @n bytes. */
void tcp_host_taken(struct tcp *c, u32 n);

/* Two pieces at most of @len bytes at @off of what is in @r. */
unsigned int ring_pieces(const struct ring *r, u32 off, u32 len, struct iovec iov[2]);
/* An empty ring begins at its beginning again, so that it touches few pages. */
void ring_rewind(struct ring *r);

/* Sequence numbers wrap: RFC 9293, 3.4. */
static inline bool seq_lt(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}

static inline bool seq_le(u32 a, u32 b)
{
	return (s32)(a - b) <= 0;
}

static inline u32 tcp_stamp(void)
{
	return loop_now() / MS;
}

static inline u32 ring_room(const struct ring *r)
{
	return TCP_RING - r->len;
}

#endif
