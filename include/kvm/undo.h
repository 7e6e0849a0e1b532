/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The undo log: what was acquired, in order, and how to give it back. Teardown is
 * the log read backwards. A device needs no exit function.
 */
#ifndef KVM_UNDO_H
#define KVM_UNDO_H

#include <linux/list.h>

struct undo {
	struct list_head entries;	/* newest first */
};

void undo_init(struct undo *u);

/*
 * Have fn(arg) called when the log is read. On -ENOMEM fn(arg) has been called
 * at once, so that a caller may return the error and nothing else.
 */
int undo_add(struct undo *u, void (*fn)(void *arg), void *arg);

/* Call all entries, newest first, and forget them. */
void undo_run(struct undo *u);

/* Call fn(arg) now instead of later, and remove the newest such entry, which has to exist. */
void undo_now(struct undo *u, void (*fn)(void *arg), void *arg);

/* Reading @u reads @inner, which may be empty by then. Same return as undo_add(). */
int undo_nest(struct undo *u, struct undo *inner);

/* The common entries: free(ptr), close(fd). Same return as undo_add(). */
int undo_free(struct undo *u, void *ptr);
int undo_close(struct undo *u, int fd);

#endif
