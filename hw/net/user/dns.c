// SPDX-License-Identifier: GPL-2.0
/*
 * The name server behind the gateway's port 53: the host's, as its resolv.conf(5) says
 * at the moment. Questions and answers go through unchanged, by UDP and TCP, so the
 * guest has EDNS and whatever else that server can do. The network's loop.
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

#include "user.h"

#define DNS_FILE_MAX	8192
#define DNS_DIR		"/etc"

struct dns {
	int dir;			/* of the file, which may be replaced */
	char *real;			/* the directory that it is in if it is a link, or NULL */
	struct timespec changed;
	ino_t ino;
	addr_t server;			/* the first */
	bool known;			/* there is one */
};

static void dns_line(struct dns *d, const char *line)
{
	char text[64];
	struct in_addr v4;
	addr_t v6;

	if (d->known || sscanf(line, " nameserver %63s", text) != 1)
		return;
	text[strcspn(text, "%")] = '\0';	/* a link-local address with its interface */
	d->known = true;
	if (inet_pton(AF_INET, text, &v4) == 1)
		d->server = addr_v4(v4);
	else if (inet_pton(AF_INET6, text, &v6) == 1)
		d->server = v6;
	else
		d->known = false;
}

static void dns_read(struct dns *d, int fd)
{
	char text[DNS_FILE_MAX + 1], *line, *rest = text;
	ssize_t len = read(fd, text, DNS_FILE_MAX);

	d->known = false;
	text[max(len, (ssize_t)0)] = '\0';
	while ((line = strsep(&rest, "\n")))
		dns_line(d, line);
}

/* Has the file changed since it was read? Then it is read again. */
static void dns_look(struct dns *d)
{
	struct stat st;
	int fd = openat(d->dir, "resolv.conf", O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    (st.st_ino != d->ino || memcmp(&st.st_mtim, &d->changed, sizeof(d->changed)))) {
		d->ino = st.st_ino;
		d->changed = st.st_mtim;
		dns_read(d, fd);
	}
	close(fd);
}

addr_t dns_server(struct user *u)
{
	struct dns *d = u->dns;
	struct in_addr local = { .s_addr = htonl(INADDR_LOOPBACK) };

	dns_look(d);
	/* resolv.conf(5): without an entry it is the server on this host. */
	return d->known ? d->server : addr_v4(local);
}

const char *dns_reads(const struct user *u, unsigned int i)
{
	return !i ? DNS_DIR : i == 1 ? u->dns->real : NULL;
}

int dns_new(struct user *u)
{
	char *slash;

	u->dns = calloc(1, sizeof(*u->dns));
	if (!u->dns)
		return -ENOMEM;
	u->dns->dir = open(DNS_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	u->dns->real = realpath(DNS_DIR "/resolv.conf", NULL);
	slash = u->dns->real ? strrchr(u->dns->real, '/') : NULL;
	if (slash)
		slash[slash == u->dns->real] = '\0';
	return 0;
}

void dns_free(struct user *u)
{
	if (u->dns && u->dns->dir >= 0)
		close(u->dns->dir);
	if (u->dns)
		free(u->dns->real);
	free(u->dns);
	u->dns = NULL;
}
