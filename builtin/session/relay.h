/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bytes from one descriptor of the host to another by way of lkvm, because it
 * has to see them: keys, the kernel's console. Main thread.
 */
#ifndef SESSION_RELAY_H
#define SESSION_RELAY_H

#include <kvm/types.h>

struct loop;
struct tty;

/* Zeroed at first. */
struct relay {
	/* Look at @len bytes and take some out; the length that is left. NULL: all pass. */
	size_t (*filter)(void *obj, char *buf, size_t len);
	void (*eof)(void *obj);		/* or NULL */
	void *obj;
	bool lossy;			/* what is not taken is dropped: keys */
	bool paused;
	/* private */
	struct tty *from, *to;		/* to NULL: they have been seen, and that is all */
	u64 moved;			/* bytes read so far */
	char buf[4096];
	size_t off, len;		/* still to be written */
};

/* The descriptors are duplicated; @to -1: nowhere. 0 or -errno with the message printed. */
int relay_open(struct relay *r, int from, int to);
/* On @loop from now on; nothing happens if it is not open. */
void relay_start(struct relay *r, struct loop *loop);
void relay_stop(struct relay *r);
/* Go on, or take nothing for the time being. While started. */
void relay_pause(struct relay *r, bool paused);
/* Move what there is now, without a loop. */
void relay_run(struct relay *r);
/* The writing side ends: its reader sees it. */
void relay_end(struct relay *r);
void relay_close(struct relay *r);

#endif
