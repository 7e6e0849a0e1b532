/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device whose queues are served by a process of its own: file servers with --confine
 * files=process. The machine keeps the registers (virtio/remote.c). The keeper, forked when the
 * device is made, holds what the device serves, and forks a server for each DRIVER_OK
 * (virtio/remote_keeper.c). Between them is a socket of whole messages (SOCK_SEQPACKET), which
 * the keeper shares with its server: the keeper reads while there is no server.
 */
#ifndef VIRTIO_REMOTE_H
#define VIRTIO_REMOTE_H

#include <sys/types.h>

#include <kvm/types.h>

struct virtio_dev;

#define REMOTE_QUEUES_MAX	16
#define REMOTE_REGIONS_MAX	128
#define REMOTE_CONFIG_MAX	512
#define REMOTE_FDS_MAX		(1 + 2 * REMOTE_QUEUES_MAX)

enum remote_type {
	/* To the keeper */
	REMOTE_START = 1,	/* descriptors: RAM; of each enabled queue kick, and call if it has one */
	/* To the server */
	REMOTE_STOP,		/* interrupt what is under way, and end */
	REMOTE_HOLD,		/* take no new requests */
	REMOTE_RELEASE,
	REMOTE_IRQ,		/* a queue's interrupts go elsewhere; descriptor: call, if has */
	/* To the machine */
	REMOTE_READY,		/* the keeper, once: it is confined */
	REMOTE_BROKEN,		/* the device needs a reset, and why has been said */
	REMOTE_HELD,		/* nothing is in flight any more */
	REMOTE_GONE,		/* the keeper: the server has ended */
	/* All other values: the message is text of stderr. */
	REMOTE_TYPES
};

struct remote_queue {
	u64 desc, avail, used;	/* guest-physical */
	u16 size;
	u8 enabled, call;
};

struct remote_region {
	u64 gpa, len, off;	/* bytes; where in the file that is RAM */
	u32 use;		/* enum mem_use */
};

struct remote_msg {
	u32 type;
	union {
		struct {
			u64 features;		/* the driver's */
			u32 nr_queues, nr_regions;
			struct remote_queue queue[REMOTE_QUEUES_MAX];
			struct remote_region region[REMOTE_REGIONS_MAX];
		} start;
		struct {
			u32 queue, has;
		} irq;
		struct {
			u64 features;		/* the device's */
			u32 nr_queues;
			u8 config[REMOTE_CONFIG_MAX];
		} ready;
		struct {
			s32 status;		/* waitpid()'s; -1: the host has no room for one more process */
		} gone;
	};
};

/* Bytes of a message with the member @m, or with none. */
#define REMOTE_LEN(m)	(offsetof(struct remote_msg, m) + sizeof(((struct remote_msg *)0)->m))
#define REMOTE_BARE	sizeof(u32)

/* Send @len bytes of @msg with @nr descriptors; @flags of sendmsg(). 0 or -errno. */
int remote_send(int sock, const struct remote_msg *msg, size_t len, const int *fd, unsigned int nr, int flags);
/*
 * Receive a message and up to REMOTE_FDS_MAX descriptors, which are the caller's; @fd NULL: none
 * is taken. Bytes, 0: the peer has gone; -errno. The rest of *@msg is zeroed.
 */
ssize_t remote_recv(int sock, struct remote_msg *msg, int *fd, unsigned int *nr, int flags);

/* For virtio/remote.c: the forked process. @kill is an eventfd: end the server at once. */
void keeper_main(struct virtio_dev *dev, int sock, int kill) __attribute__((noreturn));

#endif
