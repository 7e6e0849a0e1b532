// SPDX-License-Identifier: GPL-2.0
/* Where a debugger connects: see gdb_socket.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gdb_socket.h"

static const char gdb_unix[] = "unix:";

union gdb_addr {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static int gdb_refuse(struct opt_err *err, int ret, const char *where, const char *why)
{
	snprintf(err->text, sizeof(err->text), "%.300s: %s", where, why);
	return ret;
}

/* "1.2.3.4:PORT", "[::1]:PORT", ":PORT". Returns the address's length, 0: it is none. */
static socklen_t gdb_addr_tcp(union gdb_addr *addr, const char *where)
{
	const char *colon = strrchr(where, ':');
	char host[64], *end;
	unsigned long port;
	size_t len;

	if (!colon || colon[1] < '0' || colon[1] > '9')
		return 0;
	port = strtoul(colon + 1, &end, 10);
	len = colon - where;
	if (*end || port > 65535 || len >= sizeof(host))
		return 0;
	memcpy(host, where, len);
	host[len] = '\0';
	if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		addr->in6.sin6_family = AF_INET6;
		addr->in6.sin6_port = htons(port);
		return inet_pton(AF_INET6, host + 1, &addr->in6.sin6_addr) == 1 ? sizeof(addr->in6) : 0;
	}
	addr->in.sin_family = AF_INET;
	addr->in.sin_port = htons(port);
	return inet_pton(AF_INET, len && strcmp(host, "localhost") ? host : "127.0.0.1",
			 &addr->in.sin_addr) == 1 ? sizeof(addr->in) : 0;
}

static socklen_t gdb_addr(union gdb_addr *addr, const char *where)
{
	size_t len;

	memset(addr, 0, sizeof(*addr));
	if (strncmp(where, gdb_unix, strlen(gdb_unix)))
		return gdb_addr_tcp(addr, where);
	where += strlen(gdb_unix);
	len = strlen(where);
	if (!len || len >= sizeof(addr->un.sun_path))
		return 0;
	addr->un.sun_family = AF_UNIX;
	memcpy(addr->un.sun_path, where, len + 1);
	return sizeof(addr->un);
}

/* A socket that a process left behind by dying: nobody answers there any more. */
static bool gdb_ghost(const union gdb_addr *addr, socklen_t len)
{
	struct stat st;
	bool dead;
	int fd;

	if (lstat(addr->un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	dead = connect(fd, &addr->any, len) < 0 && errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static int gdb_bind(int fd, const union gdb_addr *addr, socklen_t len)
{
	int one = 1;

	if (addr->any.sa_family != AF_UNIX) {
		/* Connections have it from their listener. A reply is not to wait for the next one. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	} else {
		/* bind() makes the file with the mode of the socket. */
		if (fchmod(fd, 0600) < 0)
			return -errno;
		if (gdb_ghost(addr, len))
			unlink(addr->un.sun_path);
	}
	return bind(fd, &addr->any, len) < 0 || listen(fd, 4) < 0 ? -errno : 0;
}

/* Port 0 is any: the one that the system has chosen. */
static char *gdb_actual(int fd, const char *where)
{
	const char *colon = strrchr(where, ':');
	union gdb_addr addr;
	socklen_t len = sizeof(addr);
	char *text;

	if (!strncmp(where, gdb_unix, strlen(gdb_unix)) || getsockname(fd, &addr.any, &len) < 0)
		return strdup(where);
	/* Both kinds of addresses have the port at the same place. */
	return asprintf(&text, "%.*s:%u", (int)(colon - where), where, ntohs(addr.in.sin_port)) < 0 ? NULL : text;
}

int gdb_listens(int fd)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr), size = sizeof(int);
	int listens = 0, flags;

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0)
		return -errno;
	flags = fcntl(fd, F_GETFL);
	return addr.sun_family == AF_UNIX && listens && flags >= 0 && flags & O_NONBLOCK ? 0 : -EINVAL;
}

int gdb_listen(const char *where, char **actual, struct opt_err *err)
{
	union gdb_addr addr;
	socklen_t len = gdb_addr(&addr, where);
	int fd, ret;

	if (!len && !strncmp(where, gdb_unix, strlen(gdb_unix)))
		return gdb_refuse(err, -EINVAL, where, "a socket's path has 1 to 107 bytes");
	if (!len)
		return gdb_refuse(err, -EINVAL, where,
			"neither ADDRESS:PORT, as 127.0.0.1:1234, nor unix:PATH");
	fd = socket(addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gdb_refuse(err, -errno, where, strerror(errno));
	ret = gdb_bind(fd, &addr, len);
	if (!ret) {
		*actual = gdb_actual(fd, where);
		return fd;
	}
	close(fd);
	return gdb_refuse(err, ret, where, ret == -EADDRINUSE ? "somebody else listens there: choose another" :
			  strerror(-ret));
}

void gdb_unlisten(int fd, const char *where)
{
	if (!strncmp(where, gdb_unix, strlen(gdb_unix)))
		unlink(where + strlen(gdb_unix));
	close(fd);
}
