/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A wire: the host end of a network card. It knows no guest and no queue. A frame is a
 * struct net_hdr and then Ethernet without a frame check sequence. Only whole frames
 * move. Nothing here blocks.
 */
#ifndef KVM_NET_H
#define KVM_NET_H

#include <stdio.h>

#include <kvm/iov.h>
#include <kvm/loop.h>
#include <kvm/types.h>

struct opt;
struct opt_err;

/* Work that the sender left undone (virtio 1.2, 5.1.6); little-endian. */
struct net_hdr {
	u8 flags;		/* NET_CSUM: the checksum from csum_start on is to be stored at csum_offset */
	u8 gso_type;		/* NET_GSO_*: the frame is to be cut into segments of gso_size bytes of payload */
	__le16 hdr_len;		/* bytes of all headers */
	__le16 gso_size;
	__le16 csum_start, csum_offset;
	__le16 num_buffers;	/* the network card's alone */
};

enum { NET_CSUM = 1, NET_CSUM_VALID = 2 };
enum { NET_GSO_NONE = 0, NET_GSO_TCP4 = 1, NET_GSO_TCP6 = 4, NET_GSO_UDP = 5, NET_GSO_ECN = 0x80 };

/* Offloads: work that a wire leaves undone when it sends, and accepts undone when it receives. */
enum { NET_OFF_CSUM = 1, NET_OFF_TSO4 = 2, NET_OFF_TSO6 = 4, NET_OFF_USO = 8 };

#define NET_MAC		6
#define NET_MTU_MIN	68
#define NET_MTU_MAX	65520
/* The longest frame with its net_hdr, whether or not it is to be cut. */
#define NET_FRAME_MAX	(sizeof(struct net_hdr) + 18 + 65536)

struct net;

/*
 * A card has one or more pairs of queues, each with a loop and a thread of its own. Each
 * may be NULL.
 */
struct net_ops {
	/* net_receive() has a frame again for this pair, after it had none. On the pair's loop. */
	void (*readable)(void *obj, unsigned int pair);
	/* net_send() takes frames of this pair again, after -EAGAIN. On the pair's loop. */
	void (*writable)(void *obj, unsigned int pair);
	/* net_link() has changed. Any thread. */
	void (*link)(void *obj);
};

#define NET_PAIRS_MAX	16

/* The card, before the wire is opened. The wire may fill in some of it. */
struct net_card {
	u8 mac[NET_MAC];	/* of the guest; all zeroes: the wire may choose it */
	u16 mtu;		/* 0: the wire chooses it */
	u16 pairs;		/* of queues: filled in by the wire, as its option queues= says */
	const char *host_name;	/* of the guest, or NULL */
};

/* How a guest behind the wire configures its card; texts, "" where there is nothing to configure. */
struct net_guest {
	u8 mac[NET_MAC];
	char addr[24], gateway[16];	/* "192.168.33.15/24" */
	char addr6[48], gateway6[48];
	char dns[48];
};

/* "help", or "MODE,help": print the wires there are, or one's options; false: @spec is neither. */
bool net_help(FILE *f, const char *spec);

/* Are the options of the wire @spec good ones? Nothing is opened. 0 or -errno with @err filled in. */
int net_check(const char *spec, struct opt_err *err);

/*
 * Open the wire "MODE[,OPTION...]" or "MODE=OPTION..." for @card, which is filled in.
 * Callbacks begin with net_attach(). 0 or -errno with @err filled in.
 */
int net_open(struct net **out, const char *spec, struct net_card *card, const struct net_ops *ops,
	     void *obj, struct opt_err *err);
void net_close(struct net *n);
/* The configuration that @n expects of the guest with @card. 0 or -errno with @err filled in. */
int net_guest(struct net *n, const struct net_card *card, struct net_guest *out, struct opt_err *err);
/*
 * A machine that starts again takes the wire of the one before: its sockets stay, its
 * connections do not. It is detached; as net_open() otherwise.
 */
void net_reuse(struct net *n, struct net_card *card, const struct net_ops *ops, void *obj);

/* Directories that it reads while it is in use: i = 0, 1, ... until NULL. Does it make TCP connections? */
const char *net_reads(const struct net *n, unsigned int i);
bool net_connects(const struct net *n);
/* The directory that has a socket which net_close() removes; NULL: there is none. */
const char *net_removes(const struct net *n);

/*
 * Frames of @pair go this way from now on, and its callbacks come on @loop; after
 * net_detach() there are none. On the thread of that loop. The pairs come and go in any
 * order, and not all of them need to come.
 */
int net_attach(struct net *n, unsigned int pair, struct loop *loop);
void net_detach(struct net *n, unsigned int pair);

/* Frames for the guest go to the first @nr pairs only; 1 after net_open(). Any thread, of one card one at a time. */
void net_set_pairs(struct net *n, unsigned int nr);

/* NET_OFF_* that it can do; and those that the guest's driver wants to receive undone (as net_set_pairs()). */
u32 net_offloads(const struct net *n);
void net_set_offloads(struct net *n, u32 offloads);

/*
 * Is it plugged in at both ends? The user may pull it out of the card; it stays so over
 * net_reuse(). Any thread.
 */
bool net_link(const struct net *n);
void net_plug(struct net *n, bool in);

/* Its kind: the first word of its specification. */
const char *net_mode(const struct net *n);

/*
 * Forwards: ports of the host that lead to the guest. On the loop of pair 0, or while no
 * thread runs it. net_forward() takes @fd, a socket as net_forward_socket() makes it,
 * also when it fails. net_forward_text(): the @i'th as text, "tcp:127.0.0.1:2222
 * 192.168.33.15:22"; false: there are not so many. 0, or -errno with @err filled in.
 */
int net_forward(struct net *n, const char *text, int fd, struct opt_err *err);
int net_unforward(struct net *n, const char *text, struct opt_err *err);
bool net_forward_text(struct net *n, unsigned int i, char *out, size_t size);
/*
 * The socket for a forward, bound and listening, and its address as text in @where: a
 * descriptor or -errno with @err filled in. Of no wire.
 */
int net_forward_socket(const char *text, char *where, size_t size, struct opt_err *err);

/*
 * A file for frames: a descriptor, or -errno with @err filled in. net_capture() writes
 * those of @n to it from now on, as interface @id called @name; ids count from 0. @fd stays
 * the caller's. Before net_attach(). 0 or -errno.
 */
int net_capture_open(const char *path, struct opt_err *err);
int net_capture(struct net *n, int fd, unsigned int id, const char *name);

/* The rest on the loop of @pair. */

/* Upper bound of the next frame's bytes; 0: there is none, and readable() will be called. */
size_t net_pending(struct net *n, unsigned int pair);
/*
 * Move the next frame into @in: its bytes, -EAGAIN: there is none; -EMSGSIZE: it did not
 * fit and is lost.
 */
ssize_t net_receive(struct net *n, unsigned int pair, struct iov_iter *in);
/* Take a frame of the guest: 0; -EAGAIN, nothing taken; -EINVAL: it is none, or another -errno: it is lost. */
int net_send(struct net *n, unsigned int pair, struct iov_iter *out);

#endif
