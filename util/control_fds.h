/* SPDX-License-Identifier: GPL-2.0 */
/* Descriptors on a control socket: one side sends them, the other checks them before a verb runs. */
#ifndef UTIL_CONTROL_FDS_H
#define UTIL_CONTROL_FDS_H

#include <kvm/control.h>

/* Descriptors that have come and belong to no request yet. */
struct control_fds {
	int fd[CONTROL_FDS_MAX];
	unsigned int nr;
};

void control_fds_close(struct control_fds *fds);

/*
 * recv() without waiting that also adds to @fds what has come. Bytes, 0 at the end, or -errno:
 * -E2BIG: more descriptors than fit, here or into the process; the surplus is closed.
 */
ssize_t control_fds_recv(int sock, void *buf, size_t len, struct control_fds *fds);

/* Send all of @len bytes with @nr descriptors, without waiting. False: the peer does not take it. */
bool control_fds_send(int sock, const void *buf, size_t len, const int *fd, unsigned int nr);

/* Whether @fds are what @verb declares. 0, or -errno with @err filled in. */
int control_fds_check(const struct control_verb *verb, const struct control_fds *fds,
		      struct opt_err *err);

#endif
