// SPDX-License-Identifier: GPL-2.0
/* Messages between the machine and a process that serves a device: see remote.h. Any thread. */
#include <stddef.h>
#include <string.h>

#include <kvm/socket_fds.h>

#include "remote.h"

int remote_send(int sock, const struct remote_msg *m, size_t len, const int *fd, unsigned int nr, int flags)
{
	ssize_t n = socket_send_fds(sock, m, len, flags, fd, nr);

	return n < 0 ? n : 0;
}

ssize_t remote_recv(int sock, struct remote_msg *m, int *fd, unsigned int *nr, int flags)
{
	struct socket_fds come = { .fd = fd, .max = REMOTE_FDS_MAX };
	ssize_t n;

	memset(m, 0, sizeof(*m));
	n = socket_recv_fds(sock, m, sizeof(*m), flags, fd ? &come : NULL);
	if (fd)
		*nr = come.nr;
	return n;
}
