// SPDX-License-Identifier: GPL-2.0
/* See kvm/socket_fds.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kvm/socket_fds.h>

/* Ancillary data of a message. The kernel closes descriptors that do not fit, and says so. */
union socket_cmsg {
	struct cmsghdr head;
	char space[CMSG_SPACE(SOCKET_FDS_MAX * sizeof(int))];
};

ssize_t socket_send_fds(int sock, const void *buf, size_t len, int flags, const int *fd, unsigned int nr)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union socket_cmsg cmsg;
	ssize_t n;

	if (nr > SOCKET_FDS_MAX)
		return -E2BIG;
	if (nr) {
		memset(&cmsg, 0, sizeof(cmsg));
		cmsg.head.cmsg_level = SOL_SOCKET;
		cmsg.head.cmsg_type = SCM_RIGHTS;
		cmsg.head.cmsg_len = CMSG_LEN(nr * sizeof(*fd));
		memcpy(CMSG_DATA(&cmsg.head), fd, nr * sizeof(*fd));
		msg.msg_control = &cmsg;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(*fd));
	}
	n = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static void socket_take(struct socket_fds *fds, const struct cmsghdr *cmsg)
{
	size_t nr = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int), i;
	int fd;

	for (i = 0; i < nr; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		if (fds->nr < fds->max) {
			fds->fd[fds->nr++] = fd;
		} else {
			close(fd);
			fds->lost = true;
		}
	}
}

ssize_t socket_recv_fds(int sock, void *buf, size_t len, int flags, struct socket_fds *fds)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	union socket_cmsg cmsg;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = fds ? &cmsg : NULL, .msg_controllen = fds ? sizeof(cmsg) : 0,
	};
	ssize_t n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	if (n < 0)
		return -errno;
	if (!fds)
		return n;
	fds->lost |= msg.msg_flags & MSG_CTRUNC;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			socket_take(fds, c);
	return n;
}
