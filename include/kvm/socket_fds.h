/* SPDX-License-Identifier: GPL-2.0 */
/* Messages with descriptors on a Unix socket: unix(7), SCM_RIGHTS. Any thread. */
#ifndef KVM_SOCKET_FDS_H
#define KVM_SOCKET_FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SOCKET_FDS_MAX	64	/* descriptors of one message */

/* Send @len bytes of @buf with @nr descriptors; @flags of sendmsg(), no SIGPIPE. Bytes, or -errno. */
ssize_t socket_send_fds(int sock, const void *buf, size_t len, int flags, const int *fd, unsigned int nr);

/* Where descriptors go that come. They are close-on-exec, and the caller's. */
struct socket_fds {
	int *fd;			/* room for @max */
	unsigned int max, nr;		/* there are @nr: those that come are added */
	bool lost;			/* some did not fit, here or into the process, and are closed */
};

/* Receive up to @len bytes; @flags of recvmsg(). @fds NULL: no descriptor is taken. Bytes, 0: the end, or -errno. */
ssize_t socket_recv_fds(int sock, void *buf, size_t len, int flags, struct socket_fds *fds);

#endif
