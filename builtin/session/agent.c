// SPDX-License-Identifier: GPL-2.0
/*
 * The way between clients and the agent in the guest: see agent.h. All but agent_new()
 * and agent_free() runs on the loop, or before its thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/agent.h>
#include <kvm/loop.h>
#include <kvm/session.h>

#include "agent.h"

#define HEADER		sizeof(struct agent_frame)
/* Frames for the guest that the port has not taken. A client's frame waits for half of it; the rest is for CLOSE. */
#define PORT_ROOM	(64 << 10)
/* For a client: two streams by their credit, and the little frames. */
#define CLIENT_ROOM	(2 * AGENT_WINDOW + 4096)
/* Rounds of reading before others of the loop have their turn. */
#define AGENT_BATCH	16

/* Bytes to be written, from @head on. */
struct queue {
	u8 *data;
	size_t head, len, size;
};

struct client {
	struct agent *agent;
	struct watch watch;		/* fd -1: free */
	u32 id;
	bool asked;			/* it has sent its first request */
	bool over;			/* its session has ended: it goes when it has read all */
	size_t in_len;
	u8 *in;				/* HEADER + AGENT_FRAME_MAX: a frame that is not whole */
	struct queue out;
};

struct agent {
	struct loop *loop;
	bool running;			/* the loop has its thread */
	int port[2];			/* ours, the guest's */
	struct watch watch;
	size_t in_len;
	u8 in[HEADER + AGENT_FRAME_MAX];
	struct queue out;
	u8 out_data[PORT_ROOM];
	bool starved;			/* a client waits for room in @out */
	u32 next;
	struct client client[AGENT_SESSIONS];
};

/* Queues */

static bool queue_fits(const struct queue *q, size_t len)
{
	return len <= q->size - q->len;
}

static void queue_put(struct queue *q, const void *data, size_t len)
{
	if (q->head + q->len + len > q->size) {
		memmove(q->data, q->data + q->head, q->len);
		q->head = 0;
	}
	memcpy(q->data + q->head + q->len, data, len);
	q->len += len;
}

/* False: nobody reads there. */
static bool queue_flush(struct queue *q, int fd)
{
	while (q->len) {
		ssize_t n = send(fd, q->data + q->head, q->len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		q->head += n;
		q->len -= n;
	}
	q->head = 0;
	return true;
}

/* Clients */

static bool agent_has_room(const struct agent *a)
{
	return a->out.len <= PORT_ROOM / 2 - HEADER - AGENT_FRAME_MAX;
}

/* What waits here without need would have nobody to wake it. */
static bool agent_make_room(struct agent *a)
{
	if (!agent_has_room(a))
		queue_flush(&a->out, a->port[0]);
	return agent_has_room(a);
}

static void client_watch(struct client *c)
{
	struct agent *a = c->agent;
	bool room = agent_has_room(a);

	a->starved |= !room;
	loop_mod(a->loop, &c->watch, (room && !c->over ? EPOLLIN : 0) | (c->out.len ? EPOLLOUT : 0));
}

static void agent_watch(struct agent *a)
{
	loop_mod(a->loop, &a->watch, EPOLLIN | (a->out.len || a->starved ? EPOLLOUT : 0));
}

static void client_free(struct client *c)
{
	loop_del(c->agent->loop, &c->watch);
	close(c->watch.fd);
	free(c->in);
	free(c->out.data);
	*c = (struct client) { .agent = c->agent, .watch = { .fd = -1 } };
}

/* A frame to the guest. It is left out if there is no room: the guest does not read, and has lost the session. */
static void agent_tell(struct agent *a, u32 id, u8 type)
{
	struct agent_frame f = { AGENT_MAGIC, type, 0, id, 0 };

	if (queue_fits(&a->out, HEADER))
		queue_put(&a->out, &f, HEADER);
	queue_flush(&a->out, a->port[0]);
	agent_watch(a);
}

/* The client has gone, or is to go. */
static void client_end(struct client *c)
{
	struct agent *a = c->agent;
	u32 id = c->id;
	bool close = c->asked && !c->over;

	client_free(c);
	if (close)
		agent_tell(a, id, AGENT_CLOSE);
}

static void client_write(struct client *c)
{
	if (!queue_flush(&c->out, c->watch.fd) || (c->over && !c->out.len))
		client_end(c);
	else
		client_watch(c);
}

static void client_error(struct client *c, const char *text)
{
	struct agent_frame f = { AGENT_MAGIC, AGENT_ERROR, 0, 0, strlen(text) };

	c->over = true;
	if (queue_fits(&c->out, HEADER + f.len)) {
		queue_put(&c->out, &f, HEADER);
		queue_put(&c->out, text, f.len);
	}
	client_write(c);
}

/* May a client send this frame? */
static bool client_may(const struct agent_frame *f)
{
	if (f->magic != AGENT_MAGIC || f->len > AGENT_FRAME_MAX)
		return false;
	switch (f->type) {
	case AGENT_REQUEST:
	case AGENT_DATA:
		return !f->stream;
	case AGENT_START:
	case AGENT_CLOSE:
	case AGENT_EOF:
		return !f->stream && !f->len;
	case AGENT_SIGNAL:
	case AGENT_WINSIZE:
		return f->len == 4;
	case AGENT_CREDIT:
		return f->len == 4 && (f->stream == 1 || f->stream == 2);
	}
	return false;
}

/* Pass whole frames on while the port has room. False: the client is no more. */
static bool client_pass(struct client *c)
{
	struct agent *a = c->agent;
	struct agent_frame f;
	size_t at = 0;

	while (c->in_len - at >= HEADER && agent_make_room(a)) {
		memcpy(&f, c->in + at, HEADER);
		if (!client_may(&f)) {
			client_end(c);
			return false;
		}
		if (c->in_len - at < HEADER + f.len)
			break;
		f.session = c->id;
		queue_put(&a->out, &f, HEADER);
		queue_put(&a->out, c->in + at + HEADER, f.len);
		at += HEADER + f.len;
		c->asked = true;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	return true;
}

static void client_read(struct client *c)
{
	struct agent *a = c->agent;
	unsigned int i;
	ssize_t n;

	for (i = 0; i < AGENT_BATCH; i++) {
		if (!client_pass(c))
			return;
		if (c->in_len == HEADER + AGENT_FRAME_MAX)
			break;		/* the port has no room */
		n = recv(c->watch.fd, c->in + c->in_len, HEADER + AGENT_FRAME_MAX - c->in_len, MSG_DONTWAIT);
		if (!n || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			client_end(c);
			return;
		}
		if (n < 0)
			break;
		c->in_len += n;
	}
	if (!client_pass(c))
		return;
	queue_flush(&a->out, a->port[0]);
	client_watch(c);
	agent_watch(a);
}

static void client_event(struct watch *w, u32 events)
{
	struct client *c = container_of(w, struct client, watch);

	if (events & (EPOLLHUP | EPOLLERR)) {
		client_end(c);
		return;
	}
	if (events & EPOLLOUT) {
		client_write(c);
		if (w->fd < 0)
			return;
	}
	if ((events & EPOLLIN) && !c->over)
		client_read(c);
}

/* The guest */

static struct client *agent_find(struct agent *a, u32 id)
{
	struct client *c;

	for (c = a->client; c < a->client + AGENT_SESSIONS; c++)
		if (c->watch.fd >= 0 && !c->over && c->id == id)
			return c;
	return NULL;
}

/* Is it a frame that an agent sends? */
static bool guest_may(const struct agent_frame *f)
{
	switch (f->type) {
	case AGENT_DATA:
	case AGENT_EOF:
		return f->stream == 1 || f->stream == 2;
	case AGENT_CREDIT:
		return !f->stream && f->len == 4;
	case AGENT_EXIT:
		return f->len == 4;
	case AGENT_ERROR:
		return true;
	}
	return false;
}

static void agent_frame_heard(struct agent *a, struct agent_frame *f, const u8 *data)
{
	struct client *c = agent_find(a, f->session);

	if (!c) {
		/* Its client is gone, and it may not know. */
		if (f->type == AGENT_DATA)
			agent_tell(a, f->session, AGENT_CLOSE);
		return;
	}
	if (!guest_may(f) || !queue_fits(&c->out, HEADER + f->len)) {
		agent_tell(a, f->session, AGENT_CLOSE);
		client_error(c, "the guest sends what it may not");
		return;
	}
	c->over = f->type == AGENT_EXIT || f->type == AGENT_ERROR;
	f->session = 0;
	queue_put(&c->out, f, HEADER);
	queue_put(&c->out, data, f->len);
	client_write(c);
}

static void agent_hear(struct agent *a)
{
	struct agent_frame f;
	unsigned int i;
	size_t at;
	ssize_t n;

	for (i = 0; i < AGENT_BATCH; i++) {
		n = recv(a->port[0], a->in + a->in_len, sizeof(a->in) - a->in_len, MSG_DONTWAIT);
		if (n <= 0)
			return;
		a->in_len += n;
		for (at = 0; a->in_len - at >= HEADER; ) {
			memcpy(&f, a->in + at, HEADER);
			if (f.magic != AGENT_MAGIC || f.len > AGENT_FRAME_MAX) {
				at++;		/* look for the next one */
				continue;
			}
			if (a->in_len - at < HEADER + f.len)
				break;
			agent_frame_heard(a, &f, a->in + at + HEADER);
			at += HEADER + f.len;
		}
		memmove(a->in, a->in + at, a->in_len - at);
		a->in_len -= at;
	}
}

static void agent_event(struct watch *w, u32 events)
{
	struct agent *a = container_of(w, struct agent, watch);
	struct client *c;

	if (events & EPOLLIN)
		agent_hear(a);
	queue_flush(&a->out, a->port[0]);
	if (a->starved && agent_has_room(a)) {
		a->starved = false;
		for (c = a->client; c < a->client + AGENT_SESSIONS; c++)
			if (c->watch.fd >= 0 && !c->over)
				client_read(c);
	}
	agent_watch(a);
}

/* From other threads */

struct agent_call {
	struct agent *agent;
	int fd, ret;
	const char *why;
};

static void agent_do_client(void *arg)
{
	struct agent_call *call = arg;
	struct agent *a = call->agent;
	struct client *c = a->client, *end = a->client + AGENT_SESSIONS;

	while (c < end && c->watch.fd >= 0)
		c++;
	call->ret = -EBUSY;
	if (c == end)
		return;
	call->ret = -ENOMEM;
	c->in = malloc(HEADER + AGENT_FRAME_MAX);
	c->out = (struct queue) { .data = malloc(CLIENT_ROOM), .size = CLIENT_ROOM };
	c->watch = (struct watch) { .fd = call->fd, .fn = client_event };
	c->id = a->next++;
	if (c->in && c->out.data)
		call->ret = loop_add(a->loop, &c->watch, EPOLLIN);
	if (!call->ret)
		return;
	free(c->in);
	free(c->out.data);
	*c = (struct client) { .agent = a, .watch = { .fd = -1 } };
}

int agent_client(struct agent *a, struct threads *threads, int fd)
{
	struct agent_call call = { .agent = a, .fd = fd };

	if (!a->running) {
		loop_set_threads(a->loop, threads, THREAD_DEVICE);
		call.ret = loop_thread_start(a->loop, "agent");
		a->running = !call.ret;
	}
	if (a->running)
		loop_call(a->loop, agent_do_client, &call);
	if (call.ret)
		close(fd);
	return call.ret;
}

int session_exec(struct session *s, struct threads *threads, int fd)
{
	if (s->agent)
		return agent_client(s->agent, threads, fd);
	close(fd);
	return -ENOTSUP;
}

static void agent_do_reset(void *arg)
{
	struct agent_call *call = arg;
	struct agent *a = call->agent;
	struct client *c;

	for (c = a->client; c < a->client + AGENT_SESSIONS; c++)
		if (c->watch.fd >= 0 && !c->over)
			client_error(c, call->why);
	a->out.head = a->out.len = a->in_len = 0;
	a->starved = false;
	while (recv(a->port[0], a->in, sizeof(a->in), MSG_DONTWAIT) > 0)
		;
	agent_watch(a);
}

void agent_leave(struct agent *a, const char *why)
{
	struct agent_call call = { .agent = a, .why = why };

	if (!a || !a->running)
		return;
	loop_call(a->loop, agent_do_reset, &call);
	loop_thread_stop(a->loop);
	a->running = false;
}

int agent_port(const struct agent *a)
{
	return a ? a->port[1] : -1;
}

int agent_new(struct agent **out)
{
	struct agent *a = calloc(1, sizeof(*a));
	unsigned int i;
	int ret;

	if (!a)
		return -ENOMEM;
	ret = loop_new(&a->loop, NULL);
	if (!ret && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a->port) < 0)
		ret = -errno;
	if (ret) {
		if (a->loop)
			loop_free(a->loop);
		free(a);
		return ret;
	}
	a->out = (struct queue) { .data = a->out_data, .size = sizeof(a->out_data) };
	/* A copy of this guest has this one's sessions, and they are not its clients'. */
	if (getrandom(&a->next, sizeof(a->next), 0) < 0)
		a->next = getpid();
	for (i = 0; i < AGENT_SESSIONS; i++)
		a->client[i] = (struct client) { .agent = a, .watch = { .fd = -1 } };
	a->watch = (struct watch) { .fd = a->port[0], .fn = agent_event };
	ret = loop_add(a->loop, &a->watch, EPOLLIN);
	*out = a;
	return ret;
}

void agent_free(struct agent *a)
{
	struct client *c;

	if (!a)
		return;
	agent_leave(a, "the machine has ended");
	for (c = a->client; c < a->client + AGENT_SESSIONS; c++)
		if (c->watch.fd >= 0)
			client_free(c);
	loop_del(a->loop, &a->watch);
	loop_free(a->loop);
	close(a->port[0]);
	close(a->port[1]);
	free(a);
}
