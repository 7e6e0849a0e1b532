// SPDX-License-Identifier: GPL-2.0
/* The undo log: see include/kvm/undo.h. Not locked: one thread builds a machine. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <kvm/undo.h>

struct undo_entry {
	struct list_head node;
	void (*fn)(void *arg);
	void *arg;
};

void undo_init(struct undo *u)
{
	INIT_LIST_HEAD(&u->entries);
}

int undo_add(struct undo *u, void (*fn)(void *arg), void *arg)
{
	struct undo_entry *e = malloc(sizeof(*e));

	if (!e) {
		fn(arg);
		return -ENOMEM;
	}
	e->fn = fn;
	e->arg = arg;
	list_add(&e->node, &u->entries);
	return 0;
}

void undo_run(struct undo *u)
{
	while (!list_empty(&u->entries)) {
		struct undo_entry *e = list_first_entry(&u->entries, struct undo_entry, node);

		/* Off the list first: fn may read the log of something else. */
		list_del(&e->node);
		e->fn(e->arg);
		free(e);
	}
}

void undo_now(struct undo *u, void (*fn)(void *arg), void *arg)
{
	struct undo_entry *e;

	list_for_each_entry(e, &u->entries, node) {
		if (e->fn != fn || e->arg != arg)
			continue;
		list_del(&e->node);
		free(e);
		break;
	}
	fn(arg);
}

static void undo_run_inner(void *arg)
{
	undo_run(arg);
}

int undo_nest(struct undo *u, struct undo *inner)
{
	return undo_add(u, undo_run_inner, inner);
}

int undo_free(struct undo *u, void *ptr)
{
	return undo_add(u, free, ptr);
}

static void undo_close_fd(void *arg)
{
	close((int)(intptr_t)arg);
}

int undo_close(struct undo *u, int fd)
{
	return undo_add(u, undo_close_fd, (void *)(intptr_t)fd);
}
