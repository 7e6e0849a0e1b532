/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user-mode network: a router that is a state machine on one loop. Towards the
 * guest it speaks Ethernet, towards the host it has a socket for each flow.
 *
 *	user.c		frames in and out, addresses, options
 *	ip.c		IPv4 and IPv6 headers, checksums, ICMP errors
 *	arp.c		ARP, neighbour discovery, router advertisements
 *	icmp.c		echo, by ping sockets
 *	udp.c		UDP flows
 *	forward.c	ports of the host that lead to the guest
 *	pairs.c		several pairs of queues
 *	tcp.c		TCP: the guest's segments; tcp_out.c: those for it; tcp_host.c: the sockets
 *	dhcp.c dns.c	the services on the gateway's address; names.c: of a switch
 */
#ifndef NET_USER_H
#define NET_USER_H

#include <netinet/in.h>

#include <linux/list.h>
#include <kvm/iov.h>
#include <kvm/loop.h>
#include <kvm/opt.h>
#include <kvm/types.h>

#include "../frame.h"
#include "../net.h"

#define USER_NEIGHBOURS	32
#define USER_FRAMES	64		/* small frames that wait for the guest */
#define USER_FRAME_MAX	1600		/* bytes of one, without net_hdr */
#define USER_UDP_MAX	512		/* flows */
#define USER_PING_MAX	64
#define USER_FORWARDS	64

enum { IP_HOPS = 64 };

/* All addresses are IPv6; those of IPv4 are mapped (RFC 4291, 2.5.5.2). */
typedef struct in6_addr addr_t;

/* Both ends of a flow, the guest's and the other. Ports in host order. */
struct flow {
	addr_t guest, host;
	u16 guest_port, host_port;
};

/* Counters of frames, and of dropped ones by reason. */
struct user_stats {
	u64 in, out, short_frames, not_ours, bad_checksum, fragments, no_room, no_files, refused;
};

struct user_frame {
	u16 len;
	u8 data[USER_FRAME_MAX];
};

#define USER_LEASES	32

struct lease {
	u8 mac[NET_MAC];
	struct in_addr addr;
	char name[64];			/* of the guest, or "" */
};

struct neighbour {
	addr_t addr;
	u8 mac[NET_MAC];
	bool known;
};

struct user_forward {
	struct user *user;
	int fd;				/* of the listening or bound socket; -1: not in use */
	bool udp, local;		/* local: a unix socket */
	struct watch watch;		/* of TCP */
	struct timer rest;		/* it does not accept until then */
	addr_t guest;
	u16 guest_port, host_port;
	char text[192], host[160];	/* as it was asked for; the host's end, as it is */
};

struct user {
	struct net net;			/* of the first pair's: the others have none */
	struct user *main;		/* that of the first pair: itself but for several pairs, see pairs.h */
	struct pairs *pairs;		/* NULL: there is one */
	unsigned int index;		/* of the pair */
	/* Options */
	const char *host_ip_text, *guest_ip_text, *host_mac_text, *guest_mac_text, *host_text;
	struct opt_list forwards;
	int mtu_option;

	/* Configuration */
	struct in_addr host_ip, guest_ip, mask;
	addr_t host4, guest4, host6, link6, prefix6;
	u8 host_mac[NET_MAC], guest_mac[NET_MAC];
	u16 mtu;
	bool restricted;		/* nothing goes out but what comes in by a forward */
	bool loopback;			/* the gateway's address stands for the host's loopback */
	bool route6;			/* the host has a way out by IPv6 */
	const char *host_name;

	struct loop *loop;		/* while attached */
	bool empty;			/* the guest was told that there is nothing */
	struct work wake;		/* tells it that there is something again */
	atomic_uint offloads;		/* NET_OFF_* that the guest takes */
	u16 forward_port;

	/* Small frames for the guest, a ring. */
	struct user_frame *frame;	/* [USER_FRAMES] */
	unsigned int frame_head, frame_nr;
	u8 frame_proto;			/* of the one that is being written */
	addr_t frame_src, frame_dst;
	u16 ip_id;

	struct neighbour neighbour[USER_NEIGHBOURS];
	unsigned int neighbour_next;
	struct lease lease[USER_LEASES];
	unsigned int nr_leases, max_leases;
	/* Names of machines on the same switch, or NULL: see user_share(). */
	bool (*find)(void *obj, const char *name, struct in_addr *v4, struct in6_addr *v6);
	void *find_obj;
	struct tcp_table *tcp;
	struct udp_table *udp;
	struct ping_table *ping;	/* or NULL: nobody has pinged */
	struct dns *dns;
	struct user_forward forward[USER_FORWARDS];
	struct user_stats stats;
};

/* A packet from the guest, its headers taken off; the iterator is at the payload of layer 4. */
struct packet {
	addr_t src, dst;
	u8 src_mac[NET_MAC];
	u8 proto, hops;
	bool v6, to_host;		/* to one of the router's own addresses, or to all */
	bool checked;			/* the checksum needs no look: it never left this machine */
	u16 gso_size;
	size_t len;			/* of layer 4, with its header */
	struct iov_iter data;
	u8 head[48];			/* of the packet from its IP header on, for ICMP errors */
	unsigned int head_len;
};

/* user.c */
bool user_is_host(const struct user *u, const addr_t *a);
/* Where a flow of the guest to @port of @dst goes on the host; false: nowhere (refused by configuration). */
bool user_route(struct user *u, const addr_t *dst, u16 port, addr_t *to);
/* The MAC address of @a, or that of the guest. */
const u8 *user_mac_of(const struct user *u, const addr_t *a);
void user_learn(struct user *u, const addr_t *a, const u8 *mac);
/* There is something for the guest now: it is told when this round of the loop ends. */
void user_wake(struct user *u);
/* Is @a an address of the guests' network? */
bool user_is_local(const struct user *u, const addr_t *a);

/*
 * A small frame for the guest: room for @len bytes of layer 4 behind headers from @src
 * to @dst of @proto; NULL: no room, it is dropped. The caller fills it in, then user_frame_send()
 * computes the checksum at @sum_at (offset of the 16-bit field, -1: none).
 */
u8 *user_frame_new(struct user *u, const addr_t *src, const addr_t *dst, u8 proto, size_t len, u8 hops);
void user_frame_send(struct user *u, int sum_at);
/* The same for a frame that is no IP. */
u8 *user_frame_raw(struct user *u, const u8 *dst_mac, u16 ethertype, size_t len);
void user_frame_raw_send(struct user *u);

/* ip.c */
addr_t addr_v4(struct in_addr a);
bool addr_is_v4(const addr_t *a);
struct in_addr addr_to_v4(const addr_t *a);
bool addr_eq(const addr_t *a, const addr_t *b);
/* A socket address of @a and @port in the family of @a; returns its length. */
socklen_t addr_socket(const addr_t *a, u16 port, struct sockaddr_storage *out);
void addr_from_socket(const struct sockaddr_storage *in, addr_t *a, u16 *port);

u32 sum_pseudo(const addr_t *src, const addr_t *dst, u8 proto, size_t len);
/* The sum over what @i still has, which is not advanced. */
u32 sum_iter(u32 sum, const struct iov_iter *i);

/* Bytes of an Ethernet and IP header to @dst. */
size_t ip_header_len(const addr_t *dst);
/* Write both into @p for @len bytes of layer 4. */
void ip_header(struct user *u, u8 *p, const addr_t *src, const addr_t *dst, u8 proto, size_t len, u8 hops);
void ip_input(struct user *u, struct iov_iter *frame, const u8 *src_mac, const struct net_hdr *hdr, bool v6);
/* Tell the sender of @p that it did not arrive (RFC 792, 4443); @v4 and @v6 are type << 8 | code. */
void ip_unreachable(struct user *u, const struct packet *p, u16 v4, u16 v6, u32 info);

/*
 * The same for the host's -errno @err; @mtu for -EMSGSIZE. False: there is no such message. A refusal is
 * none: of UDP it is a port that is not reached, of TCP a RST.
 */
bool ip_failed(struct user *u, const struct packet *p, int err, u32 mtu);
/* Make @p a packet of @f for those two, of which only headers are left; @word: bytes 4 to 7 of layer 4. */
void ip_quote(struct user *u, struct packet *p, const struct flow *f, u8 proto, u32 word);

enum {
	UNREACH4_NET = 3 << 8, UNREACH4_HOST = 3 << 8 | 1, UNREACH4_PORT = 3 << 8 | 3, UNREACH4_TOO_BIG = 3 << 8 | 4,
	UNREACH4_ADMIN = 3 << 8 | 13, TIME4_EXCEEDED = 11 << 8,
	UNREACH6_ROUTE = 1 << 8, UNREACH6_ADMIN = 1 << 8 | 1, UNREACH6_ADDR = 1 << 8 | 3, UNREACH6_PORT = 1 << 8 | 4,
	TOO_BIG6 = 2 << 8, TIME6_EXCEEDED = 3 << 8,
};

/* arp.c */
void arp_input(struct user *u, struct iov_iter *frame);
void nd_input(struct user *u, struct packet *p);
void nd_advertise(struct user *u);

/* icmp.c */
void icmp_input(struct user *u, struct packet *p);
void icmp_free(struct user *u);
void icmp_attach(struct user *u, struct loop *loop);
void icmp_detach(struct user *u);

/* udp.c */
int udp_new(struct user *u);
void udp_free(struct user *u);
void udp_forget(struct user *u);
void udp_input(struct user *u, struct packet *p);
/* Put one datagram of a flow that has some into @in: bytes, or 0: there is none. */
ssize_t udp_output(struct user *u, struct iov_iter *in);
bool udp_pending(const struct user *u);
void udp_attach(struct user *u, struct loop *loop);
void udp_detach(struct user *u);
void udp_forward_add(struct user *u, struct user_forward *fw, unsigned int n);
void udp_forward_remove(struct user *u, struct user_forward *fw, unsigned int n);
/* A datagram from a service to the guest. */
void udp_reply(struct user *u, const addr_t *src, u16 sport, const addr_t *dst, u16 dport,
	       const void *data, size_t len);

/* forward.c */
/* @text is FORWARD_FORM; @fd its socket, which is taken, or -1: it is made. 0, or -errno with @err filled in. */
int forward_add(struct user *u, const char *text, int fd, struct opt_err *err);
int forward_remove(struct user *u, const char *text, struct opt_err *err);
/* Forward @n as text; false: there are not so many. */
bool forward_text(struct user *u, unsigned int n, char *out, size_t size);
/* When the network is attached, and detached. */
void forward_start(struct user_forward *fw);
void forward_stop(struct user_forward *fw);

/* tcp.c */
int tcp_new(struct user *u);
void tcp_free(struct user *u);
/* Its connections are no more. */
void tcp_forget(struct user *u);
void tcp_input(struct user *u, struct packet *p);
/* Put a segment of a connection that has something to say into @in: bytes, or 0: none has. */
ssize_t tcp_output(struct user *u, struct iov_iter *in);
bool tcp_pending(const struct user *u);
/* A hash of @f that nobody else can compute (RFC 6528). */
u64 tcp_hash(const struct tcp_table *t, const struct flow *f);
void tcp_attach(struct user *u, struct loop *loop);
void tcp_detach(struct user *u);
/* A connection that came in by a forward. Takes @fd. */
void tcp_accepted(struct user *u, int fd, const struct flow *flow);

/* dhcp.c */
void dhcp_input(struct user *u, struct packet *p);
void dhcp6_input(struct user *u, struct packet *p, u16 sport);

/* names.c */
/* Answer a question about a name that user_share() has a function for; false: it is for the name server. */
bool names_input(struct user *u, struct packet *p, u16 sport);

/* dns.c */
int dns_new(struct user *u);
void dns_free(struct user *u);
/* Look for resolv.conf in @dir instead of /etc: for tests. */
void dns_use(struct user *u, const char *dir);
/* Questions that wait for an answer are forgotten. */
void dns_detach(struct user *u);
/* A question to the gateway's address. */
void dns_input(struct user *u, struct packet *p, const struct flow *f);
/* The directories of the host's resolv.conf. */
const char *dns_reads(const struct user *u, unsigned int i);
/* The host's name server @n, 0 is the first; false: it has not so many. There always is one. */
bool dns_server(struct user *u, unsigned int n, addr_t *server);

#endif
