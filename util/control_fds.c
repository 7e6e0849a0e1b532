// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors on a control socket: see control_fds.h. The kernel
 * delivers them with the bytes that they were sent with. It may deliver earlier bytes
 * in the same call, so descriptors belong to the first request that ends after they have come.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/socket_fds.h>

#include "control_fds.h"

void control_fds_close(struct control_fds *fds)
{
	while (fds->nr)
		close(fds->fd[--fds->nr]);
}

ssize_t control_fds_recv(int sock, void *buf, size_t len, struct control_fds *fds)
{
	struct socket_fds come = { .fd = fds->fd, .max = CONTROL_FDS_MAX, .nr = fds->nr };
	ssize_t n = socket_recv_fds(sock, buf, len, MSG_DONTWAIT, &come);

	fds->nr = come.nr;
	return n >= 0 && come.lost ? -E2BIG : n;
}

bool control_fds_send(int sock, const void *buf, size_t len, const int *fd, unsigned int nr)
{
	return nr <= CONTROL_FDS_MAX && socket_send_fds(sock, buf, len, MSG_DONTWAIT, fd, nr) == (ssize_t)len;
}

/* CONTROL_* of an open file; 0: it is nothing that a verb could take, or only a path (O_PATH). */
static unsigned int control_fd_kind(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	unsigned int kind;
	struct stat st;

	if (flags < 0 || flags & O_PATH || fstat(fd, &st) < 0)
		return 0;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		kind = CONTROL_FILE;
		break;
	case S_IFBLK:
		kind = CONTROL_BLOCK;
		break;
	case S_IFCHR:
		kind = CONTROL_CHAR;
		break;
	case S_IFDIR:
		kind = CONTROL_DIR;
		break;
	case S_IFIFO:
		kind = CONTROL_PIPE;
		break;
	case S_IFSOCK:
		kind = CONTROL_SOCKET;
		break;
	default:
		return 0;
	}
	flags &= O_ACCMODE;
	return kind | (flags == O_WRONLY ? 0 : CONTROL_READ) | (flags == O_RDONLY ? 0 : CONTROL_WRITE);
}

static int fds_refuse(struct opt_err *err, int ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fds_refuse(struct opt_err *err, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return ret;
}

static int control_fd_refuse(struct opt_err *err, const char *verb, unsigned int n, unsigned int want)
{
	static const char *const name[] = {
		"a regular file", "a block device", "a character device", "a directory", "a pipe", "a socket",
	};
	unsigned int access = want & (CONTROL_READ | CONTROL_WRITE), i;
	char text[160] = "";

	for (i = 0; i < sizeof(name) / sizeof(*name); i++)
		if (want & 1U << i)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " or " : "",
				 name[i]);
	return fds_refuse(err, -EBADF, "%s: descriptor %u has to be %s%s", verb, n + 1, text,
			      access == CONTROL_READ ? ", open for reading" :
			      access == CONTROL_WRITE ? ", open for writing" :
			      access ? ", open for reading and writing" : "");
}

int control_fds_check(const struct control_verb *verb, const struct control_fds *fds,
		      struct opt_err *err)
{
	unsigned int most = 0, n;

	while (most < CONTROL_FDS_MAX && verb->fd[most])
		most++;
	if (!most && fds->nr)
		return fds_refuse(err, -E2BIG, "%s takes no descriptor", verb->verb);
	if (fds->nr > most)
		return fds_refuse(err, -E2BIG, "%s takes at most %u descriptors, not %u", verb->verb,
				      most, fds->nr);
	if (fds->nr < verb->need)
		return fds_refuse(err, -EBADF, "%s needs %u descriptor%s with the request, not %u: use the command",
				      verb->verb, verb->need, verb->need > 1 ? "s" : "", fds->nr);
	for (n = 0; n < fds->nr; n++) {
		unsigned int want = verb->fd[n], access = want & (CONTROL_READ | CONTROL_WRITE);
		unsigned int kind = control_fd_kind(fds->fd[n]);

		if (!(kind & want & CONTROL_KINDS) || (kind & access) != access)
			return control_fd_refuse(err, verb->verb, n, want);
	}
	return 0;
}

int control_take(struct control_reply *reply, unsigned int n)
{
	int fd = n < reply->nr_fds ? reply->fd[n] : -1;

	if (fd >= 0)
		reply->fd[n] = -1;
	return fd;
}
