// SPDX-License-Identifier: GPL-2.0
/* The 9P server on sockets: see p9_sock.h. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p9_sock.h"
#include "../../hw/fs/p9_wire.h"

struct p9_sock {
	struct p9 *p9;
	int fd;
	pthread_mutex_t read_lock, write_lock;
};

static bool p9_sock_full(int fd, void *buf, size_t len, bool out)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = out ? send(fd, (char *)buf + done, len - done, MSG_NOSIGNAL) :
			  recv(fd, (char *)buf + done, len - done, 0);
		if (n <= 0 && errno != EINTR)
			return false;
		if (!n)
			return false;
		if (n > 0)
			done += n;
	}
	return true;
}

static void *p9_sock_thread(void *arg)
{
	struct p9_sock *s = arg;
	u8 *t = malloc(P9_MSIZE_MAX), *r = malloc(P9_MSIZE_MAX);
	struct p9_header head;
	struct iov_iter ti, ri;
	struct p9_req *req;
	struct iovec tv, rv;
	ssize_t n;
	u32 size;
	bool ok;

	for (;;) {
		pthread_mutex_lock(&s->read_lock);
		ok = p9_sock_full(s->fd, &head, sizeof(head), false);
		size = ok ? le32toh(head.size) : 0;
		ok = size >= sizeof(head) && size <= P9_MSIZE_MAX;
		if (ok) {
			memcpy(t, &head, sizeof(head));
			ok = p9_sock_full(s->fd, t + sizeof(head), size - sizeof(head), false);
		}
		pthread_mutex_unlock(&s->read_lock);
		if (!ok)
			break;
		tv = (struct iovec){ t, size };
		rv = (struct iovec){ r, P9_MSIZE_MAX };
		iov_iter_init(&ti, &tv, 1);
		iov_iter_init(&ri, &rv, 1);
		n = p9_serve(s->p9, &ti, &ri, &req);
		if (n < 0)
			break;
		pthread_mutex_lock(&s->write_lock);
		ok = p9_sock_full(s->fd, r, n, true);
		pthread_mutex_unlock(&s->write_lock);
		p9_delivered(req);
		if (!ok)
			break;
	}
	shutdown(s->fd, SHUT_RDWR);
	free(t);
	free(r);
	return NULL;
}

int p9_sock_serve(const struct p9_options *opts, int fd, unsigned int threads)
{
	struct p9_sock s = {
		.fd = fd,
		.read_lock = PTHREAD_MUTEX_INITIALIZER,
		.write_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	pthread_t thread[16];
	unsigned int i, n;
	int ret;

	ret = p9_new(&s.p9, opts, NULL);
	if (ret) {
		close(fd);
		return ret;
	}
	for (n = 0; n < threads && n < 16; n++) {
		if (pthread_create(&thread[n], NULL, p9_sock_thread, &s))
			break;
	}
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	close(fd);
	p9_free(s.p9);
	return n ? 0 : -EAGAIN;
}

struct p9_sock_conn {
	struct p9_options opts;
	int fd;
	unsigned int threads;
};

static void *p9_sock_conn(void *arg)
{
	struct p9_sock_conn *conn = arg;

	p9_sock_serve(&conn->opts, conn->fd, conn->threads);
	free(conn);
	return NULL;
}

void p9_sock_accept(const struct p9_options *opts, int fd, unsigned int threads)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (;;) {
		struct p9_sock_conn *conn;
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			continue;
		conn = malloc(sizeof(*conn));
		*conn = (struct p9_sock_conn){ *opts, c, threads };
		if (pthread_create(&thread, &attr, p9_sock_conn, conn)) {
			close(c);
			free(conn);
		}
	}
}
