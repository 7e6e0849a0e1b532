// SPDX-License-Identifier: GPL-2.0
/* Messages between the machine and a process that serves a device: see remote.h. Any thread. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "remote.h"

union remote_cmsg {
	struct cmsghdr head;
	char space[CMSG_SPACE(REMOTE_FDS_MAX * sizeof(int))];
};

int remote_send(int sock, const struct remote_msg *m, size_t len, const int *fd, unsigned int nr, int flags)
{
	struct iovec iov = { .iov_base = (void *)m, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union remote_cmsg cmsg;

	if (nr) {
		memset(&cmsg, 0, sizeof(cmsg));
		cmsg.head.cmsg_level = SOL_SOCKET;
		cmsg.head.cmsg_type = SCM_RIGHTS;
		cmsg.head.cmsg_len = CMSG_LEN(nr * sizeof(*fd));
		memcpy(CMSG_DATA(&cmsg.head), fd, nr * sizeof(*fd));
		msg.msg_control = &cmsg;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(*fd));
	}
	return sendmsg(sock, &msg, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t remote_recv(int sock, struct remote_msg *m, int *fd, unsigned int *nr, int flags)
{
	struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
	union remote_cmsg cmsg;
	/* Without room for them the kernel drops descriptors that come. */
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = fd ? &cmsg : NULL, .msg_controllen = fd ? sizeof(cmsg) : 0,
	};
	struct cmsghdr *c;
	ssize_t n;

	memset(m, 0, sizeof(*m));
	n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	if (!fd || n < 0)
		return n < 0 ? -errno : n;
	*nr = 0;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*nr = (c->cmsg_len - CMSG_LEN(0)) / sizeof(*fd);
		memcpy(fd, CMSG_DATA(c), *nr * sizeof(*fd));
	}
	return n;
}
