// SPDX-License-Identifier: GPL-2.0
/*
 * The name server on the gateway's address (RFC 1035): questions that names.c has no answer
 * for go to the host's name servers, as its resolv.conf(5) says at the moment. One that
 * refuses, fails or is silent is followed by the next. Questions and answers go through
 * unchanged, so the guest has EDNS (RFC 6891) and whatever else that server can do. An
 * answer that is too long for a datagram here says so, and the guest asks by TCP, which
 * is a connection like others. The network's loop.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "user.h"

#define DNS_FILE_MAX	8192
#define DNS_DIR		"/etc"
#define DNS_SERVERS	3		/* resolv.conf(5): MAXNS */
#define DNS_QUERIES	64		/* at a time; the oldest one makes room */
#define DNS_QUERY_MAX	1232		/* bytes */
#define DNS_HEADER	12
#define DNS_WAIT_NS	(2ULL * 1000 * 1000 * 1000)	/* for one server, when there is another */
#define DNS_LAST_NS	(10ULL * 1000 * 1000 * 1000)	/* for the last one */

enum { DNS_QR = 0x80, DNS_TC = 0x02, DNS_RD = 0x01, DNS_RA = 0x80 };	/* bits of bytes 2, 2, 2, 3 */
enum { RCODE_SERVFAIL = 2, RCODE_NOTIMP = 4, RCODE_REFUSED = 5 };

/* A question that waits for an answer, with a socket of its own: its port is part of what a forger must guess. */
struct dns_query {
	struct user *user;
	struct watch watch;		/* fd -1: not in use */
	struct timer timer;
	struct flow flow;
	u64 asked;
	unsigned int server;
	u16 len;
	u8 data[DNS_QUERY_MAX];
};

struct dns {
	int dir;			/* of the file, which may be replaced */
	char *real;			/* the directory that it is in if it is a link, or NULL */
	struct timespec changed;
	ino_t ino;
	addr_t server[DNS_SERVERS];
	unsigned int nr;
	struct dns_query *query;	/* [DNS_QUERIES], or NULL: nobody has asked */
};

/* The host's configuration */

static void dns_line(struct dns *d, const char *line)
{
	char text[64];
	struct in_addr v4;
	addr_t v6;

	if (d->nr == DNS_SERVERS || sscanf(line, " nameserver %63s", text) != 1)
		return;
	text[strcspn(text, "%")] = '\0';	/* a link-local address with its interface */
	if (inet_pton(AF_INET, text, &v4) == 1)
		d->server[d->nr++] = addr_v4(v4);
	else if (inet_pton(AF_INET6, text, &v6) == 1)
		d->server[d->nr++] = v6;
}

static void dns_read(struct dns *d, int fd)
{
	char text[DNS_FILE_MAX + 1], *line, *rest = text;
	ssize_t len = read(fd, text, DNS_FILE_MAX);

	d->nr = 0;
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

bool dns_server(struct user *u, unsigned int n, addr_t *server)
{
	struct dns *d = u->dns;
	struct in_addr local = { .s_addr = htonl(INADDR_LOOPBACK) };

	/* Names are the first pair's. */
	if (!d)
		return false;
	if (!n)
		dns_look(d);
	/* resolv.conf(5): without an entry it is the server on this host. */
	if (!n && !d->nr)
		*server = addr_v4(local);
	else if (n < d->nr)
		*server = d->server[n];
	else
		return false;
	return true;
}

/* Messages */

/* The length of the header and the one question of @msg, whose type and class end there; 0: there is none. */
static size_t dns_question(const u8 *msg, size_t len)
{
	size_t at = DNS_HEADER;

	if (len < DNS_HEADER || get16(msg + 4) != 1)
		return 0;
	while (at < len && msg[at] && msg[at] < 64)
		at += 1 + msg[at];
	return at + 5 <= len && !msg[at] ? at + 5 : 0;
}

/* Cut @msg to its question, and say @rcode. Its new length. */
static size_t dns_cut(u8 *msg, size_t len, u8 rcode)
{
	size_t question = dns_question(msg, len);

	msg[2] |= DNS_QR;
	msg[3] = DNS_RA | rcode;
	memset(msg + 6, 0, 6);
	if (!question)
		put16(msg + 4, 0);
	return question ? question : DNS_HEADER;
}

static void dns_reply(struct user *u, const struct flow *f, const u8 *msg, size_t len)
{
	udp_reply(u, &f->host, f->host_port, &f->guest, f->guest_port, msg, len);
}

/* Questions to the host's servers */

static void dns_drop(struct dns_query *q)
{
	struct loop *loop = q->user->loop;

	if (q->watch.fd < 0)
		return;
	if (loop) {
		loop_del(loop, &q->watch);
		loop_timer_cancel(loop, &q->timer);
	}
	close(q->watch.fd);
	q->watch.fd = -1;
}

static int dns_send(struct dns_query *q, const addr_t *server)
{
	struct sockaddr_storage to;
	socklen_t len = addr_socket(server, 53, &to);
	int ret = 0;

	q->watch.fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->watch.fd < 0)
		return -errno;
	if (connect(q->watch.fd, (struct sockaddr *)&to, len) < 0 ||
	    send(q->watch.fd, q->data, q->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		ret = -errno;
	if (!ret)
		ret = loop_add(q->user->loop, &q->watch, EPOLLIN);
	if (ret) {
		close(q->watch.fd);
		q->watch.fd = -1;
	}
	return ret;
}

/* Ask the servers from q->server on until one takes the question; if none does the guest is told. */
static void dns_ask(struct dns_query *q)
{
	struct user *u = q->user;
	addr_t server, more;

	for (; dns_server(u, q->server, &server); q->server++) {
		if (dns_send(q, &server))
			continue;
		loop_timer(u->loop, &q->timer, loop_now() +
			   (dns_server(u, q->server + 1, &more) ? DNS_WAIT_NS : DNS_LAST_NS));
		return;
	}
	u->stats.refused++;
	q->len = dns_cut(q->data, q->len, RCODE_SERVFAIL);
	dns_reply(u, &q->flow, q->data, q->len);
}

static void dns_next(struct dns_query *q)
{
	dns_drop(q);
	q->server++;
	dns_ask(q);
}

/* Silence: the next one. When the last one is silent, too, the guest asks again by itself. */
static void dns_due(struct timer *t)
{
	struct dns_query *q = container_of(t, struct dns_query, timer);
	addr_t more;

	if (dns_server(q->user, q->server + 1, &more))
		dns_next(q);
	else
		dns_drop(q);
}

static bool dns_is_failure(u8 rcode)
{
	return rcode == RCODE_SERVFAIL || rcode == RCODE_NOTIMP || rcode == RCODE_REFUSED;
}

static void dns_readable(struct watch *w, u32 events)
{
	struct dns_query *q = container_of(w, struct dns_query, watch);
	size_t most = USER_FRAME_MAX - ip_header_len(&q->flow.guest) - 8;
	struct user *u = q->user;
	u8 msg[USER_FRAME_MAX];
	addr_t more;
	ssize_t n = recv(w->fd, msg, sizeof(msg), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			dns_next(q);
		return;
	}
	/* A forged one is no answer: the right one may still come. */
	if (n < DNS_HEADER || !(msg[2] & DNS_QR) || memcmp(msg, q->data, 2))
		return;
	if (dns_is_failure(msg[3] & 15) && dns_server(u, q->server + 1, &more)) {
		dns_next(q);
		return;
	}
	if ((size_t)n > most) {
		n = dns_cut(msg, sizeof(msg), msg[3] & 15);
		msg[2] |= DNS_TC;
	}
	dns_drop(q);
	dns_reply(u, &q->flow, msg, n);
}

static bool flow_is(const struct flow *a, const struct flow *b)
{
	return a->guest_port == b->guest_port && addr_eq(&a->guest, &b->guest) && addr_eq(&a->host, &b->host);
}

/* One for a question of @f with @id; NULL: it waits already. */
static struct dns_query *dns_query(struct user *u, const struct flow *f, const u8 *id)
{
	struct dns_query *q, *spare = NULL;

	for (q = u->dns->query; q < u->dns->query + DNS_QUERIES; q++) {
		if (q->watch.fd >= 0 && flow_is(&q->flow, f) && !memcmp(q->data, id, 2))
			return NULL;
		if (!spare || (spare->watch.fd >= 0 && (q->watch.fd < 0 || q->asked < spare->asked)))
			spare = q;
	}
	dns_drop(spare);
	return spare;
}

static bool dns_queries_new(struct user *u)
{
	struct dns *d = u->dns;

	if (d->query)
		return true;
	d->query = calloc(DNS_QUERIES, sizeof(*d->query));
	for (unsigned int i = 0; d->query && i < DNS_QUERIES; i++) {
		d->query[i].user = u;
		d->query[i].watch = (struct watch) { .fd = -1, .fn = dns_readable };
		d->query[i].timer.fn = dns_due;
	}
	return d->query != NULL;
}

void dns_input(struct user *u, struct packet *p, const struct flow *f)
{
	struct dns_query *q;
	u8 msg[DNS_QUERY_MAX];
	size_t len = iov_iter_count(&p->data);

	if (len < DNS_HEADER || len > DNS_QUERY_MAX || copy_from_iter(msg, len, &p->data) < len || msg[2] & DNS_QR) {
		u->stats.short_frames++;
		return;
	}
	if (u->restricted) {
		ip_failed(u, p, -EACCES, 0);
		return;
	}
	if (!u->loop || !dns_queries_new(u)) {
		u->stats.no_room++;
		return;
	}
	q = dns_query(u, f, msg);
	if (!q)
		return;
	q->flow = *f;
	q->asked = loop_now();
	q->server = 0;
	q->len = len;
	memcpy(q->data, msg, len);
	dns_ask(q);
}

/* Start and stop */

void dns_detach(struct user *u)
{
	for (unsigned int i = 0; u->dns->query && i < DNS_QUERIES; i++)
		dns_drop(&u->dns->query[i]);
}

const char *dns_reads(const struct user *u, unsigned int i)
{
	return !i ? DNS_DIR : i == 1 ? u->dns->real : NULL;
}

void dns_use(struct user *u, const char *dir)
{
	if (u->dns->dir >= 0)
		close(u->dns->dir);
	u->dns->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int dns_new(struct user *u)
{
	char *slash;

	u->dns = calloc(1, sizeof(*u->dns));
	if (!u->dns)
		return -ENOMEM;
	u->dns->dir = -1;
	dns_use(u, DNS_DIR);
	u->dns->real = realpath(DNS_DIR "/resolv.conf", NULL);
	slash = u->dns->real ? strrchr(u->dns->real, '/') : NULL;
	if (slash)
		slash[slash == u->dns->real] = '\0';
	return 0;
}

void dns_free(struct user *u)
{
	if (!u->dns)
		return;
	dns_detach(u);
	if (u->dns->dir >= 0)
		close(u->dns->dir);
	free(u->dns->query);
	free(u->dns->real);
	free(u->dns);
	u->dns = NULL;
}
