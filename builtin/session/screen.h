/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's console, for those who attach to it with "lkvm console". It keeps the last
 * SCREEN_ROOM bytes that the guest has printed. A watcher gets these first, then what
 * comes; the watcher's bytes are keys of the guest. Nobody delays the guest: a watcher who
 * is more than SCREEN_ROOM behind is told how many bytes it has lost. Main thread.
 */
#ifndef SESSION_SCREEN_H
#define SESSION_SCREEN_H

#include <kvm/types.h>

#define SCREEN_ROOM	(256U << 10)	/* bytes, a power of two */
#define SCREEN_WATCHERS	32

struct loop;
struct screen;

/* 0 or -errno. screen_free(NULL) is nothing. */
int screen_new(struct screen **out);
void screen_free(struct screen *s);

/* The two ends of the pipe of keys: the guest's console reads @in. They stay the screen's. */
int screen_in(const struct screen *s);
int screen_keys(const struct screen *s);

/* Serve watchers on @loop from now on, or (NULL) nowhere for the time being. */
void screen_attach(struct screen *s, struct loop *loop);

/* The guest has printed that. */
void screen_put(struct screen *s, const char *data, size_t len);

/*
 * A watcher at the socket @fd, which is taken also if this fails. @once: it gets what was printed
 * until now, and then the end. 0; -EBUSY: there are SCREEN_WATCHERS.
 */
int screen_watch(struct screen *s, int fd, bool once);

#endif
