// SPDX-License-Identifier: GPL-2.0
/* Files and terminals kept from one start of a machine to the next: see kvm/keep.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/list.h>
#include <kvm/keep.h>

struct kept {
	struct list_head node;		/* in the order of keep_put() */
	char *key;
	void *obj;			/* or */
	int fd;				/* -1: it is an object */
	void (*fn)(void *obj);
};

struct keep {
	struct list_head kept;
};

struct keep *keep_new(void)
{
	struct keep *k = malloc(sizeof(*k));

	if (k)
		INIT_LIST_HEAD(&k->kept);
	return k;
}

static void kept_free(struct kept *e)
{
	list_del(&e->node);
	free(e->key);
	free(e);
}

void keep_free(struct keep *k)
{
	if (!k)
		return;
	while (!list_empty(&k->kept)) {
		struct kept *e = list_entry(k->kept.prev, struct kept, node);

		if (e->fd >= 0)
			close(e->fd);
		else
			e->fn(e->obj);
		kept_free(e);
	}
	free(k);
}

static struct kept *keep_find(struct keep *k, const char *key, bool fd)
{
	struct kept *e;

	if (!k)
		return NULL;
	list_for_each_entry(e, &k->kept, node)
		if (!strcmp(e->key, key) && (e->fd >= 0) == fd)
			return e;
	return NULL;
}

static struct kept *keep_add(struct keep *k, const char *key)
{
	struct kept *e = k ? calloc(1, sizeof(*e)) : NULL;

	if (e)
		e->key = strdup(key);
	if (!e || !e->key) {
		free(e);
		return NULL;
	}
	e->fd = -1;
	list_add_tail(&e->node, &k->kept);
	return e;
}

int keep_put(struct keep *k, const char *key, void *obj, void (*fn)(void *obj))
{
	struct kept *e = keep_add(k, key);

	if (!e)
		return -ENOMEM;
	e->obj = obj;
	e->fn = fn;
	return 0;
}

void *keep_take(struct keep *k, const char *key)
{
	struct kept *e = keep_find(k, key, false);
	void *obj = e ? e->obj : NULL;

	if (e)
		kept_free(e);
	return obj;
}

int keep_fd(struct keep *k, const char *key)
{
	struct kept *e = keep_find(k, key, true);
	int fd = e ? fcntl(e->fd, F_DUPFD_CLOEXEC, 3) : -1;

	return !e ? -ENOENT : fd < 0 ? -errno : fd;
}

int keep_add_fd(struct keep *k, const char *key, int fd)
{
	struct kept *e;
	int copy;

	if (!k)
		return 0;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -errno;
	e = keep_add(k, key);
	if (!e) {
		close(copy);
		return -ENOMEM;
	}
	e->fd = copy;
	return 0;
}

int keep_open(struct keep *k, const char *path, int flags)
{
	char *key;
	int fd, ret;

	if (asprintf(&key, "%o %s", flags, path) < 0)
		return -ENOMEM;
	fd = keep_fd(k, key);
	if (fd == -ENOENT) {
		fd = open(path, flags | O_CLOEXEC);
		ret = fd < 0 ? -errno : keep_add_fd(k, key, fd);
		if (fd >= 0 && ret)
			close(fd);
		fd = ret ? ret : fd;
	}
	free(key);
	return fd;
}
