// SPDX-License-Identifier: GPL-2.0
/* The FUSE server behind /dev/fuse: see fuse_mount.h. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuse_mount.h"

#define FUSE_MOUNT_BUF	(FUSE_WRITE_MAX + (64 << 10))

/* fusermount3 opens and mounts for us, and sends the descriptor. */
static int fuse_mount_helper(const char *mountpoint)
{
	char byte, ctl[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *c;
	int sk[2], fd = -EPERM;
	char num[16];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sk))
		return -errno;
	snprintf(num, sizeof(num), "%d", sk[1]);
	pid = fork();
	if (!pid) {
		close(sk[0]);
		setenv("_FUSE_COMMFD", num, 1);
		execlp("fusermount3", "fusermount3", "-o", "default_permissions,fsname=lkvm,subtype=lkvm",
		       "--", mountpoint, NULL);
		_exit(127);
	}
	close(sk[1]);
	if (recvmsg(sk[0], &msg, 0) > 0) {
		c = CMSG_FIRSTHDR(&msg);
		if (c && c->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	}
	close(sk[0]);
	waitpid(pid, NULL, 0);
	return fd;
}

int fuse_mount_open(const char *mountpoint)
{
	char options[128];
	int fd, ret;

	if (geteuid())
		return fuse_mount_helper(mountpoint);
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other", fd);
	if (mount("lkvm", mountpoint, "fuse.lkvm", 0, options)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

struct fuse_mount {
	struct fuse *f;
	int fd;
};

static void *fuse_mount_thread(void *arg)
{
	struct fuse_mount *m = arg;
	char *in = malloc(FUSE_MOUNT_BUF), *out = malloc(FUSE_MOUNT_BUF);
	struct iov_iter ii, oi;
	struct iovec iv, ov;
	ssize_t n;

	for (;;) {
		n = read(m->fd, in, FUSE_MOUNT_BUF);
		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
			continue;
		if (n <= 0)
			break;		/* ENODEV: unmounted */
		iv = (struct iovec){ in, n };
		ov = (struct iovec){ out, FUSE_MOUNT_BUF };
		iov_iter_init(&ii, &iv, 1);
		iov_iter_init(&oi, &ov, 1);
		n = fuse_serve(m->f, &ii, &oi);
		/* Not for a request that is not waited for any more: ENOENT. */
		if (n > 0 && write(m->fd, out, n) < 0 && errno != ENOENT)
			perror("fuse reply");
	}
	free(in);
	free(out);
	return NULL;
}

int fuse_mount_serve(const struct fuse_options *opts, int fd, unsigned int threads)
{
	struct fuse_mount m = { .fd = fd };
	pthread_t thread[16];
	unsigned int i, n;
	int ret;

	ret = fuse_new(&m.f, opts, NULL);
	if (ret) {
		close(fd);
		return ret;
	}
	for (n = 0; n < threads && n < 16; n++) {
		if (pthread_create(&thread[n], NULL, fuse_mount_thread, &m))
			break;
	}
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	close(fd);
	fuse_free(m.f);
	return n ? 0 : -EAGAIN;
}
