/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The requests that a running machine accepts on its control socket. The socket
 * belongs to "lkvm run", not to one start of the machine, so it outlives the guest's
 * reboots.
 */
#ifndef KVM_VERBS_H
#define KVM_VERBS_H

#include <kvm/types.h>

struct control;
struct gdb;
struct disks;
struct keep;
struct loop;
struct qmp;
struct session;
struct snapshot_session;
struct vm;
struct vm_config;

struct verbs {
	struct control *control;	/* NULL: there is none */
	struct session *session;
	const struct snapshot_session *snapshot;	/* the session's part of a snapshot; NULL: there are none */
	const struct vm_config *cfg;
	struct vm_config *plug;		/* where disks come and go for later starts; NULL: none do */
	struct disks *disks;		/* requests about them that wait; private */
	struct vm *vm;			/* while started */
	struct gdb *gdb;		/* the server of --gdb, or NULL; set before each start */
	struct gdb *late;		/* one that was asked for later, or NULL */
	struct qmp *qmp;		/* for drgn, when it was asked for, or NULL */
	bool reboot;			/* a reset starts this one again: set before each start */
	unsigned int starts;
};

/*
 * Make the socket of the machine @name. If that fails and the user has not chosen the
 * name (@chosen false), the machine runs without a socket. @keep gets what the verbs need. 0, or -errno with the message
 * printed.
 */
int verbs_open(struct verbs *s, struct keep *keep, const char *name, bool chosen);
/* After session_start(). 0 or -errno with the message printed. */
int verbs_start(struct verbs *s, struct vm *vm);
/* The machine has ended, or starts again. */
void verbs_leave(struct verbs *s);

/*
 * session.rest: the machine has ended, but its output waits for a reader. Serve requests
 * on @loop until it is NULL. Of the verbs only info and "stop force" are left.
 */
void verbs_rest(void *verbs, struct loop *loop);
void verbs_close(struct verbs *s);

/* The path of the socket, or NULL: there is none. */
const char *verbs_socket(const struct verbs *s);

#endif
