// SPDX-License-Identifier: GPL-2.0
/*
 * Forwards: what their text means, and the socket on the host. "lkvm run" opens it for
 * its own options, and "lkvm forward" for a machine that runs and opens nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>

#include "forward.h"
#include "net.h"

#define FORWARD_BACKLOG	128
#define FORWARD_ITEMS	4

/* A piece of the text. */
struct item {
	const char *p, *end;
};

static bool item_port(const struct item *i, bool zero, u16 *port)
{
	unsigned long n;
	char *rest;

	if (i->p == i->end || *i->p < '0' || *i->p > '9')
		return false;
	n = strtoul(i->p, &rest, 10);
	*port = n;
	return rest == i->end && n <= 65535 && (n || zero);
}

static bool item_address(const struct item *i, struct in6_addr *a)
{
	size_t len = i->end - i->p;
	struct in_addr v4;
	char copy[64];

	if (!len || len >= sizeof(copy))
		return false;
	memcpy(copy, i->p, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, &v4) == 1) {
		*a = (struct in6_addr) { .s6_addr[10] = 0xff, .s6_addr[11] = 0xff };
		memcpy(a->s6_addr + 12, &v4, 4);
		return true;
	}
	if (*copy != '[' || copy[len - 1] != ']')
		return false;
	copy[len - 1] = '\0';
	return inet_pton(AF_INET6, copy + 1, a) == 1 && !IN6_IS_ADDR_V4MAPPED(a);
}

static void forward_host(struct forward *f, const struct in6_addr *a, u16 port)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&f->host;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&f->host;

	if (IN6_IS_ADDR_V4MAPPED(a)) {
		*v4 = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port) };
		memcpy(&v4->sin_addr, a->s6_addr + 12, 4);
		f->host_len = sizeof(*v4);
	} else {
		*v6 = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *a };
		f->host_len = sizeof(*v6);
	}
}

/* Cut @text at its colons, those in brackets left out; 0: there are too many. */
static unsigned int forward_items(const char *text, struct item item[FORWARD_ITEMS])
{
	for (unsigned int nr = 0; nr < FORWARD_ITEMS; text++) {
		item[nr].p = text;
		if (*text == '[')
			text += strcspn(text, "]");
		text += strcspn(text, ":");
		item[nr++].end = text;
		if (!*text)
			return nr;
	}
	return 0;
}

/* "[GUEST:]PORT" are the last of @nr items: how many; 0: they are not. */
static unsigned int forward_guest(struct forward *f, const struct item *item, unsigned int nr)
{
	if (!nr || !item_port(&item[nr - 1], false, &f->guest_port))
		return 0;
	f->has_guest = nr > 1 && item_address(&item[nr - 2], &f->guest);
	return 1 + f->has_guest;
}

/* "PATH:[GUEST:]PORT": the path may have colons, so from the end. */
static bool forward_unix(struct forward *f, const char *text)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&f->host;
	const char *end = strrchr(text, ':'), *at;
	struct item port = { end ? end + 1 : text, text + strlen(text) }, guest;

	if (!end || end == text || !item_port(&port, false, &f->guest_port))
		return false;
	at = memrchr(text, end[-1] == ']' ? '[' : ':', end - text);
	guest = (struct item) { at && *at == ':' ? at + 1 : at ? at : text, end };
	if (guest.p > text && guest.p[-1] == ':' && item_address(&guest, &f->guest)) {
		f->has_guest = true;
		end = guest.p - 1;
	}
	if (end == text || (size_t)(end - text) >= sizeof(un->sun_path))
		return false;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, text, end - text);
	f->host_len = sizeof(*un);
	return true;
}

static bool forward_inet(struct forward *f, const char *text)
{
	struct in6_addr host = { .s6_addr[10] = 0xff, .s6_addr[11] = 0xff, .s6_addr[12] = 127, .s6_addr[15] = 1 };
	struct item item[FORWARD_ITEMS];
	unsigned int nr = forward_items(text, item), left, guest;
	u16 port;

	/* Of two that could be both, the one in front of a port for the host is its address. */
	guest = forward_guest(f, item, nr);
	left = nr - guest;
	if (!guest || !left || left > 2 || !item_port(&item[left - 1], true, &port))
		return false;
	if (left == 2 && !item_address(&item[0], &host))
		return false;
	forward_host(f, &host, port);
	return true;
}

int forward_parse(const char *text, struct forward *f, struct opt_err *err)
{
	bool ok = false;

	*f = (struct forward) { .type = SOCK_STREAM };
	if (!strncmp(text, "unix:", 5)) {
		ok = forward_unix(f, text + 5);
	} else if (!strncmp(text, "tcp:", 4)) {
		ok = forward_inet(f, text + 4);
	} else if (!strncmp(text, "udp:", 4)) {
		f->type = SOCK_DGRAM;
		ok = forward_inet(f, text + 4);
	}
	return ok ? 0 : net_bad(err, -EINVAL, "forward=%s: it is " FORWARD_FORM, text);
}

void forward_address(const struct sockaddr_storage *a, socklen_t len, char *out, size_t size)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_un *un = (const struct sockaddr_un *)a;
	char text[INET6_ADDRSTRLEN];

	if (a->ss_family == AF_UNIX)
		snprintf(out, size, "%.*s", (int)sizeof(un->sun_path), len > sizeof(sa_family_t) ? un->sun_path : "");
	else if (a->ss_family == AF_INET)
		snprintf(out, size, "%s:%u", inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)), ntohs(v4->sin_port));
	else
		snprintf(out, size, "[%s]:%u", inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)), ntohs(v6->sin6_port));
}

/* A socket that is left from one who is dead has nobody behind it. */
static bool forward_is_stale(const struct forward *f)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&f->host;
	struct stat st;
	bool stale;
	int fd;

	if (un->sun_family != AF_UNIX || lstat(un->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	stale = fd >= 0 && connect(fd, (const struct sockaddr *)un, f->host_len) < 0 && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return stale && !unlink(un->sun_path);
}

static int forward_bind(int fd, const struct forward *f)
{
	mode_t old = umask(f->host.ss_family == AF_UNIX ? 0077 : 0);
	int ret = bind(fd, (const struct sockaddr *)&f->host, f->host_len) < 0 ? -errno : 0;

	if (ret == -EADDRINUSE && forward_is_stale(f))
		ret = bind(fd, (const struct sockaddr *)&f->host, f->host_len) < 0 ? -errno : 0;
	umask(old);
	if (!ret && f->type == SOCK_STREAM && listen(fd, FORWARD_BACKLOG) < 0)
		ret = -errno;
	return ret;
}

static int forward_refused(const char *text, const struct forward *f, int ret, struct opt_err *err)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&f->host;
	bool inet = f->host.ss_family != AF_UNIX;
	char where[128], holder[96] = "";

	forward_address(&f->host, f->host_len, where, sizeof(where));
	switch (-ret) {
	case EADDRINUSE:
		if (inet)
			forward_holder(f->type, ntohs(v4->sin_port), holder, sizeof(holder));
		return net_bad(err, ret, "forward=%s: %s is in use%s%s", text, where, holder,
			       inet ? ": another port, or 0 for any" : "");
	case EACCES:
		return net_bad(err, ret, "forward=%s: %s is not for you%s", text, where, inet ? ": a port from 1024 on" : "");
	default:
		return net_bad(err, ret, "forward=%s: %s cannot be had: %s", text, where, log_reason(ret));
	}
}

int forward_socket(const char *text, const struct forward *f, struct opt_err *err)
{
	int fd = socket(f->host.ss_family, f->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, ret;

	if (fd < 0)
		return net_bad(err, -errno, "forward=%s: %s", text, log_reason(errno));
	if (f->type == SOCK_STREAM && f->host.ss_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ret = forward_bind(fd, f);
	if (!ret)
		return fd;
	close(fd);
	return forward_refused(text, f, ret, err);
}

void forward_where(const struct forward *f, int fd, char *out, size_t size)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);
	char text[160];

	getsockname(fd, (struct sockaddr *)&addr, &len);
	forward_address(&addr, len, text, sizeof(text));
	snprintf(out, size, "%s:%s", addr.ss_family == AF_UNIX ? "unix" : f->type == SOCK_DGRAM ? "udp" : "tcp", text);
}

int net_forward_socket(const char *text, char *where, size_t size, struct opt_err *err)
{
	struct forward f;
	int ret = forward_parse(text, &f, err);

	if (!ret)
		ret = forward_socket(text, &f, err);
	if (ret >= 0)
		forward_where(&f, ret, where, size);
	return ret;
}
