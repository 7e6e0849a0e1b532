// SPDX-License-Identifier: GPL-2.0
/* The guest's console and its watchers: see screen.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/loop.h>
#include <kvm/session.h>

#include "screen.h"

/* Bytes of keys that one callback takes: a pipe takes so many whole, or none. */
#define SCREEN_KEYS	512

struct watcher {
	struct screen *screen;
	struct watch watch;		/* fd -1: free */
	u64 at, end;			/* the next byte of the guest's that it gets; the last */
	bool mute;			/* it sends no more keys */
	u64 lost;			/* bytes that it has not been told of */
	char note[96];			/* the rest of what it is being told */
	size_t note_len;
	char keys[SCREEN_KEYS];		/* that the pipe has not taken */
	size_t keys_len;
};

struct screen {
	struct loop *loop;		/* while attached */
	int pipe[2];			/* of keys: the guest's end, and ours */
	struct watch room;		/* of the pipe, while a watcher's keys wait */
	bool full;
	u64 total;			/* bytes that the guest has printed */
	struct watcher watcher[SCREEN_WATCHERS];
	char ring[SCREEN_ROOM];
};

static void watcher_watch(struct watcher *w)
{
	const struct screen *s = w->screen;
	u32 events = (w->mute || w->keys_len ? 0 : EPOLLIN) | (w->at != s->total || w->lost || w->note_len ? EPOLLOUT : 0);

	if (s->loop && w->watch.fd >= 0)
		loop_mod(s->loop, &w->watch, events);
}

static void watcher_free(struct watcher *w)
{
	if (w->screen->loop)
		loop_del(w->screen->loop, &w->watch);
	close(w->watch.fd);
	w->watch.fd = -1;
}

/* True: all of it has gone, or the watcher. */
static bool watcher_send(struct watcher *w, const char *data, size_t len, size_t *done)
{
	ssize_t n = send(w->watch.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	*done = max(n, (ssize_t)0);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		watcher_free(w);
	return w->watch.fd < 0 || *done == len;
}

/* The watcher has read too slowly for all of it. True: it has been told. */
static bool watcher_tell(struct watcher *w)
{
	size_t n;
	bool sent;

	if (!w->note_len)
		w->note_len = snprintf(w->note, sizeof(w->note), "\r\n[lkvm: %llu bytes of the console are lost here]\r\n",
				       (unsigned long long)w->lost);
	sent = watcher_send(w, w->note, w->note_len, &n);
	if (n)
		w->lost = 0;
	w->note_len = n ? w->note_len - n : 0;
	memmove(w->note, w->note + n, w->note_len);
	return sent;
}

static void watcher_write(struct watcher *w)
{
	struct screen *s = w->screen;

	while (w->watch.fd >= 0) {
		size_t from, len, n;
		bool sent;

		if (w->at >= w->end) {
			watcher_free(w);
			return;
		}
		if (s->total - w->at > SCREEN_ROOM) {
			w->lost += s->total - w->at - SCREEN_ROOM;
			w->at = s->total - SCREEN_ROOM;
		}
		if (w->lost || w->note_len) {
			if (!watcher_tell(w))
				break;
			continue;
		}
		from = w->at % SCREEN_ROOM;
		len = min(min(s->total, w->end) - w->at, (u64)SCREEN_ROOM - from);
		if (!len)
			break;
		sent = watcher_send(w, s->ring + from, len, &n);
		w->at += n;
		if (!sent)
			break;
	}
	watcher_watch(w);
}

/* Keys */

/* True: the pipe has taken them. Keys for a guest that nobody reads for wait, and so does who typed them. */
static bool watcher_press(struct watcher *w)
{
	struct screen *s = w->screen;

	if (w->keys_len && write(s->pipe[1], w->keys, w->keys_len) < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (!s->full && s->loop)
			s->full = !loop_add(s->loop, &s->room, EPOLLOUT);
		return false;
	}
	w->keys_len = 0;
	return true;
}

static void screen_has_room(struct watch *watch, u32 events)
{
	struct screen *s = container_of(watch, struct screen, room);
	struct watcher *w;
	bool more = false;

	for (w = s->watcher; w < s->watcher + SCREEN_WATCHERS; w++) {
		if (w->watch.fd < 0 || !w->keys_len)
			continue;
		more |= !watcher_press(w);
		watcher_watch(w);
	}
	if (!more) {
		loop_del(s->loop, &s->room);
		s->full = false;
	}
}

static void watcher_event(struct watch *watch, u32 events)
{
	struct watcher *w = container_of(watch, struct watcher, watch);
	ssize_t n;

	if (events & (EPOLLHUP | EPOLLERR)) {
		watcher_free(w);
		return;
	}
	if (events & EPOLLIN && !w->keys_len && !w->mute) {
		n = recv(watch->fd, w->keys, sizeof(w->keys), MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			watcher_free(w);
			return;
		}
		w->mute = !n;
		w->keys_len = max(n, (ssize_t)0);
		watcher_press(w);
	}
	watcher_write(w);
}

/* The session's side */

void screen_put(struct screen *s, const char *data, size_t len)
{
	struct watcher *w;

	while (len) {
		size_t to = s->total % SCREEN_ROOM, n = min(len, SCREEN_ROOM - to);

		memcpy(s->ring + to, data, n);
		s->total += n;
		data += n;
		len -= n;
	}
	for (w = s->watcher; w < s->watcher + SCREEN_WATCHERS; w++)
		if (w->watch.fd >= 0)
			watcher_write(w);
}

int screen_watch(struct screen *s, int fd, bool once)
{
	struct watcher *w = s->watcher, *end = s->watcher + SCREEN_WATCHERS;

	while (w < end && w->watch.fd >= 0)
		w++;
	if (w == end) {
		close(fd);
		return -EBUSY;
	}
	*w = (struct watcher) {
		.screen = s, .watch = { .fd = fd, .fn = watcher_event },
		.at = s->total > SCREEN_ROOM ? s->total - SCREEN_ROOM : 0, .end = once ? s->total : ~0ULL,
	};
	if (s->loop && loop_add(s->loop, &w->watch, EPOLLIN)) {
		close(fd);
		w->watch.fd = -1;
		return -ENOMEM;
	}
	watcher_write(w);
	return 0;
}

int session_console(struct session *s, int fd, bool once)
{
	return screen_watch(s->screen, fd, once);
}

void screen_attach(struct screen *s, struct loop *loop)
{
	struct watcher *w;

	if (!s)
		return;
	if (s->loop && s->full)
		loop_del(s->loop, &s->room);
	s->full = false;
	for (w = s->watcher; w < s->watcher + SCREEN_WATCHERS; w++) {
		if (w->watch.fd < 0)
			continue;
		if (s->loop)
			loop_del(s->loop, &w->watch);
		if (loop && loop_add(loop, &w->watch, EPOLLIN)) {
			close(w->watch.fd);
			w->watch.fd = -1;
		}
	}
	s->loop = loop;
	for (w = s->watcher; loop && w < s->watcher + SCREEN_WATCHERS; w++) {
		if (w->watch.fd < 0)
			continue;
		watcher_press(w);
		watcher_write(w);
	}
}

int screen_in(const struct screen *s)
{
	return s->pipe[0];
}

int screen_keys(const struct screen *s)
{
	return s->pipe[1];
}

int screen_new(struct screen **out)
{
	struct screen *s = calloc(1, sizeof(*s));
	struct watcher *w;
	int ret;

	if (!s)
		return -ENOMEM;
	/* The end that writes, as nobody waits for the guest; the other is not touched. */
	if (pipe2(s->pipe, O_CLOEXEC) < 0 || fcntl(s->pipe[1], F_SETFL, O_WRONLY | O_NONBLOCK) < 0) {
		ret = -errno;
		free(s);
		return ret;
	}
	s->room = (struct watch) { .fd = s->pipe[1], .fn = screen_has_room };
	for (w = s->watcher; w < s->watcher + SCREEN_WATCHERS; w++)
		w->watch.fd = -1;
	*out = s;
	return 0;
}

void screen_free(struct screen *s)
{
	struct watcher *w;

	if (!s)
		return;
	screen_attach(s, NULL);
	for (w = s->watcher; w < s->watcher + SCREEN_WATCHERS; w++)
		if (w->watch.fd >= 0)
			close(w->watch.fd);
	close(s->pipe[0]);
	close(s->pipe[1]);
	free(s);
}
