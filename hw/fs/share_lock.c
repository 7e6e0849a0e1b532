// SPDX-License-Identifier: GPL-2.0
/*
 * Owners of locks, for both file servers: see share.h.
 *
 * The host's kernel sees one process, us, and locks of open files, among which it detects
 * no deadlocks. So a list here records what each owner holds and waits for. A lock is added
 * after it was taken, and removed before it is released: every lock on the list is held. If
 * two owners come to wait for each other, the second one finds the first. Deadlocks with
 * other machines, or with locks that had no room on the list, are not detected.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "share.h"

struct share_wait {
	struct list_head link;		/* share->waits */
	struct list_head todo;
	struct share_owner *owner;
	struct share_range range;
};

/* The locks */

static void share_range_del(struct share *s, struct share_range *r)
{
	list_del(&r->link);
	free(r);
	s->nranges--;
}

static void share_range_add(struct share *s, struct share_owner *o, short type, s64 start, s64 end)
{
	struct share_range *r = s->nranges < SHARE_RANGES_MAX ? malloc(sizeof(*r)) : NULL, *next;

	if (r) {
		*r = (struct share_range){ .type = type, .start = start, .end = end };
		list_add(&r->link, &o->ranges);
		s->nranges++;
		return;
	}
	o->untracked = true;
	list_for_each_entry_safe(r, next, &o->ranges, link)
		share_range_del(s, r);
}

/* From now on @o holds a lock of @type there (F_UNLCK: none), whatever it held. */
static void share_range_set(struct share *s, struct share_owner *o, short type, s64 start, s64 end)
{
	struct share_range *r, *next;
	s64 last;

	list_for_each_entry_safe(r, next, &o->ranges, link) {
		if (r->end < start || r->start > end)
			continue;
		last = r->end;
		if (r->start < start && last > end)
			share_range_add(s, o, r->type, end + 1, last);
		if (o->untracked)
			return;
		if (r->start < start)
			r->end = start - 1;
		else if (last > end)
			r->start = end + 1;
		else
			share_range_del(s, r);
	}
	/* One that goes on where others of its type are is one with them. */
	list_for_each_entry_safe(r, next, &o->ranges, link) {
		if (r->type != type || (r->end != start - 1 && (end == INT64_MAX || r->start != end + 1)))
			continue;
		start = min(start, r->start);
		end = max(end, r->end);
		share_range_del(s, r);
	}
	if (type != F_UNLCK && !o->untracked)
		share_range_add(s, o, type, start, end);
}

static bool share_owner_is(const struct share_owner *o, const struct host_node *node)
{
	return o->file->node->ino == node->ino && o->file->node->dev == node->dev;
}

/* Is @o, another process, in the way of @w? */
static bool share_blocks(const struct share_owner *o, const struct share_wait *w)
{
	const struct share_range *r;

	if (o->id == w->owner->id || !share_owner_is(o, w->owner->file->node))
		return false;
	list_for_each_entry(r, &o->ranges, link) {
		if (r->start <= w->range.end && r->end >= w->range.start &&
		    (r->type == F_WRLCK || w->range.type == F_WRLCK))
			return true;
	}
	return false;
}

/*
 * Does anybody whom @w would wait for wait for the process of @w, through however many
 * others? All waits that are met go on the list of those to be looked at, once.
 */
static bool share_deadlock(struct share *s, struct share_wait *w)
{
	struct share_wait *at, *other;
	const struct share_owner *o;
	bool found = false;
	LIST_HEAD(todo);

	list_for_each_entry(other, &s->waits, link)
		INIT_LIST_HEAD(&other->todo);
	list_add(&w->todo, &todo);
	list_for_each_entry(at, &todo, todo) {
		list_for_each_entry(o, &s->owners, node) {
			if (!share_blocks(o, at))
				continue;
			found = found || o->id == w->owner->id;
			list_for_each_entry(other, &s->waits, link)
				if (other->owner->id == o->id && list_empty(&other->todo))
					list_add_tail(&other->todo, &todo);
		}
	}
	return found;
}

static int share_lock_wait(struct share *s, struct share_owner *o, struct flock *lock,
			   const struct share_range *range)
{
	struct share_wait w = { .owner = o, .range = *range };
	int ret = 0;

	pthread_mutex_lock(&s->lock);
	if (share_deadlock(s, &w))
		ret = -EDEADLK;
	else
		list_add(&w.link, &s->waits);
	pthread_mutex_unlock(&s->lock);
	if (ret)
		return ret;
	ret = host_lock_wait(o->file, lock);
	pthread_mutex_lock(&s->lock);
	list_del(&w.link);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

int share_lock(struct share *s, struct share_owner *o, struct flock *lock, bool wait)
{
	const struct share_range r = {
		.type = lock->l_type, .start = lock->l_start,
		.end = lock->l_len ? lock->l_start + lock->l_len - 1 : INT64_MAX,
	};
	int ret;

	if (r.type == F_UNLCK) {
		pthread_mutex_lock(&s->lock);
		share_range_set(s, o, r.type, r.start, r.end);
		pthread_mutex_unlock(&s->lock);
		return host_lock(o->file, lock);
	}
	ret = host_lock(o->file, lock);
	if (ret == -EAGAIN && wait)
		ret = share_lock_wait(s, o, lock, &r);
	if (ret)
		return ret;
	pthread_mutex_lock(&s->lock);
	share_range_set(s, o, r.type, r.start, r.end);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* Their owners */

static struct share_owner *share_owner_find(struct share *s, const struct host_node *node, u64 id,
					    const char *client)
{
	struct share_owner *o;

	list_for_each_entry(o, &s->owners, node) {
		if (o->id == id && share_owner_is(o, node) && !strcmp(o->client, client))
			return o;
	}
	return NULL;
}

static int share_open(struct share *s, struct host_node *node, int flags, struct host_file **out)
{
	int ret;

	do {
		ret = host_open(node, flags | O_NONBLOCK, out);
	} while (ret == -EMFILE && s->make_room && s->make_room(s));
	return ret;
}

static struct share_owner *share_owner_new(const struct share_owner_key *key)
{
	struct share_owner *o = calloc(1, sizeof(*o) + strlen(key->client) + 1);

	if (!o)
		return NULL;
	INIT_LIST_HEAD(&o->node);
	INIT_LIST_HEAD(&o->ranges);
	o->refs = 1;
	o->id = key->id;
	o->whole = F_UNLCK;
	o->by = key->by;
	strcpy(o->client, key->client);
	return o;
}

int share_owner_get(struct share *s, const struct share_owner_key *key, bool make,
		    struct share_owner **out)
{
	struct share_owner *o, *have;
	int ret;

	pthread_mutex_lock(&s->lock);
	*out = share_owner_find(s, key->node, key->id, key->client);
	if (*out)
		(*out)->refs++;
	pthread_mutex_unlock(&s->lock);
	if (*out || !make)
		return 0;
	o = share_owner_new(key);
	if (!o)
		return -ENOMEM;
	ret = share_open(s, key->node, O_RDWR, &o->file);
	if (ret)
		ret = share_open(s, key->node, key->file->flags, &o->file);
	if (ret) {
		free(o);
		return ret;
	}
	pthread_mutex_lock(&s->lock);
	have = share_owner_find(s, key->node, key->id, key->client);
	if (have) {
		have->refs++;
	} else if (*key->gone || s->nowners == SHARE_OWNERS_MAX) {
		ret = *key->gone ? -EBADF : -ENOLCK;
	} else {
		list_add(&o->node, &s->owners);
		s->nowners++;
		o->refs++;
		have = o;
	}
	pthread_mutex_unlock(&s->lock);
	if (have != o)
		share_owner_put(s, o, false, 0);
	*out = have;
	return ret;
}

/* Off the list, whose reference is the caller's then. */
static void share_owner_unlink(struct share *s, struct share_owner *o)
{
	list_del_init(&o->node);
	s->nowners--;
}

void share_owner_put(struct share *s, struct share_owner *o, bool idle, u32 changes)
{
	struct share_range *r, *next;
	bool last;

	pthread_mutex_lock(&s->lock);
	if (idle && o->refs == 2 && o->changes == changes && !list_empty(&o->node)) {
		share_owner_unlink(s, o);
		o->refs--;
	}
	last = !--o->refs;
	if (last)
		list_for_each_entry_safe(r, next, &o->ranges, link)
			share_range_del(s, r);
	pthread_mutex_unlock(&s->lock);
	if (last) {
		host_file_close(o->file);
		free(o);
	}
}

void share_owners_take(struct share *s, const void *by, struct list_head *list)
{
	struct share_owner *o, *next;

	list_for_each_entry_safe(o, next, &s->owners, node) {
		if (o->by != by)
			continue;
		list_move(&o->node, list);
		s->nowners--;
	}
}

void share_owners_put(struct share *s, struct list_head *list)
{
	struct share_owner *o, *next;

	list_for_each_entry_safe(o, next, list, node) {
		INIT_LIST_HEAD(&o->node);
		share_owner_put(s, o, false, 0);
	}
}

void share_owner_drop(struct share *s, struct host_node *node, u64 id)
{
	struct share_owner *o;

	pthread_mutex_lock(&s->lock);
	o = share_owner_find(s, node, id, "");
	if (o)
		share_owner_unlink(s, o);
	pthread_mutex_unlock(&s->lock);
	if (o)
		share_owner_put(s, o, false, 0);
}

u32 share_owner_other(struct share *s, struct host_node *node, const struct share_owner *owner)
{
	const struct share_owner *o;
	u32 pid = 0, n = 0;

	pthread_mutex_lock(&s->lock);
	list_for_each_entry(o, &s->owners, node) {
		if (o != owner && share_owner_is(o, node)) {
			pid = __atomic_load_n(&o->pid, __ATOMIC_RELAXED);
			n++;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return n == 1 ? pid : 0;
}
