// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes stable before what, so that a qcow2 image is sound whenever the power
 * fails. A commit takes what has changed so far, and writes it in this order, with a
 * flush of the host between two steps:
 *
 *	data and reference counts; the table of refcount blocks; L2 tables and L1 table
 *
 * A table never refers to what is not there or not counted. A new L2 table is in the
 * file as zeroes, or as a copy, since it was allocated. So the L1 table may refer to it
 * before its entries are there.
 *
 * At the end holes are punched where clusters are no longer referred to, and then these
 * are free: nobody gets one before its hole is punched. Requests go on meanwhile; what
 * they change is for the next commit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "qcow2.h"

/* Entries of a table that have changed, as they go into the file. */
struct commit_entries {
	u64 *be, off;			/* their place in the file */
	u32 first, nr;
};

struct commit {
	struct meta_batch ref, l2;
	struct commit_entries table, l1;
	struct qcow2_pending *pending;
	unsigned int nr_pending;
};

static int commit_take_entries(struct commit_entries *e, const u64 *table, u64 off, u32 *low, u32 *high, u32 none)
{
	if (*low >= *high)
		return 0;
	e->first = *low;
	e->nr = *high - *low;
	e->off = off + e->first * sizeof(u64);
	e->be = malloc(e->nr * sizeof(u64));
	if (!e->be)
		return -ENOMEM;
	for (u32 i = 0; i < e->nr; i++)
		e->be[i] = htobe64(table[e->first + i]);
	*low = none;
	*high = 0;
	return 0;
}

/* With lazy refcounts they are for the end, when the image is marked clean again. */
static bool commit_wants_refs(const struct qcow2 *q)
{
	return !(q->head.compatible & QCOW2_LAZY) || q->closing || meta_is_full(&q->meta);
}

static int commit_take(struct qcow2 *q, struct commit *c)
{
	int ret = commit_wants_refs(q) ? meta_take(&q->meta, META_REF, &c->ref) : 0;

	if (!ret)
		ret = meta_take(&q->meta, META_L2, &c->l2);
	if (!ret)
		ret = commit_take_entries(&c->table, q->table, q->head.table_off, &q->table_low, &q->table_high, q->table_len);
	if (!ret)
		ret = commit_take_entries(&c->l1, q->l1, q->head.l1_off, &q->l1_low, &q->l1_high, q->head.l1_size);
	c->pending = q->pending;
	c->nr_pending = q->nr_pending;
	q->pending = NULL;
	q->nr_pending = q->max_pending = 0;
	return ret;
}

static int commit_sync(struct qcow2 *q)
{
	int ret = fdatasync(q->fd) ? -errno : 0;

	/* The host may have dropped what it could not write, and would not say so twice. */
	if (ret)
		q->failed = ret;
	return ret;
}

static int commit_write_entries(const struct qcow2 *q, const struct commit_entries *e)
{
	return e->nr ? file_pwrite(q->fd, e->be, e->nr * sizeof(u64), e->off) : 0;
}

static int commit_write(struct qcow2 *q, struct commit *c)
{
	bool tables = c->l2.nr || c->l1.nr;
	int ret = q->failed;

	if (!ret)
		ret = meta_batch_write(&q->meta, &c->ref);
	if (!ret && q->data != q->file)
		ret = q->data->type->flush(q->data);
	if (!ret)
		ret = commit_sync(q);
	if (!ret && c->table.nr) {
		ret = commit_write_entries(q, &c->table);
		if (!ret && tables)
			ret = commit_sync(q);
	}
	if (!ret)
		ret = meta_batch_write(&q->meta, &c->l2);
	if (!ret)
		ret = commit_write_entries(q, &c->l1);
	return ret || !(tables || c->table.nr) ? ret : commit_sync(q);
}

/* Not written: for the next commit. */
static void commit_back(struct qcow2 *q, struct commit *c)
{
	if (c->table.nr) {
		q->table_low = min(q->table_low, c->table.first);
		q->table_high = max(q->table_high, c->table.first + c->table.nr);
	}
	if (c->l1.nr) {
		q->l1_low = min(q->l1_low, c->l1.first);
		q->l1_high = max(q->l1_high, c->l1.first + c->l1.nr);
	}
	for (unsigned int i = 0; i < c->nr_pending; i++)
		qcow2_free_later(q, c->pending[i].first, c->pending[i].nr);
}

/* From @first on: take one reference from each; how many of the next lose their last is in *@last. */
static int commit_release(struct qcow2 *q, u64 first, u64 nr, u64 *done, u64 *last)
{
	int ret = 0;

	for (*done = *last = 0; !ret && *done < nr; ++*done) {
		u64 val;

		ret = qcow2_ref_get(q, first + *done, &val);
		if (!ret && !val)
			ret = qcow2_is_corrupt(q, "cluster %#llx is in use and free", (unsigned long long)(first + *done));
		if (ret)
			break;
		if (val == 1)
			++*last;
		else if (*last)
			break;
		else
			ret = qcow2_ref_set(q, first + *done, val - 1);
	}
	return ret;
}

/* Punch, then publish. Nobody else touches what has one reference that is gone. */
static int commit_free(struct qcow2 *q, u64 first, u64 nr)
{
	int ret = 0;

	while (!ret && nr) {
		u64 done, last;

		pthread_mutex_lock(&q->lock);
		ret = commit_release(q, first, nr, &done, &last);
		pthread_mutex_unlock(&q->lock);
		if (last) {
			q->file->type->discard(q->file, (first + done - last) << q->bits, last << q->bits);
			pthread_mutex_lock(&q->lock);
			qcow2_unalloc(q, first + done - last, last);
			pthread_mutex_unlock(&q->lock);
		}
		first += done;
		nr -= done;
	}
	return ret;
}

static int commit_run(struct qcow2 *q)
{
	struct commit c = { 0 };
	int ret;

	pthread_mutex_lock(&q->lock);
	q->started++;
	ret = commit_take(q, &c);
	pthread_mutex_unlock(&q->lock);
	if (!ret)
		ret = commit_write(q, &c);
	pthread_mutex_lock(&q->lock);
	meta_batch_done(&q->meta, &c.ref, META_REF, ret);
	meta_batch_done(&q->meta, &c.l2, META_L2, ret);
	if (ret)
		commit_back(q, &c);
	else
		q->done = q->started;
	pthread_mutex_unlock(&q->lock);
	for (unsigned int i = 0; !ret && i < c.nr_pending; i++)
		ret = commit_free(q, c.pending[i].first, c.pending[i].nr);
	free(c.table.be);
	free(c.l1.be);
	free(c.pending);
	return ret;
}

int qcow2_commit(struct qcow2 *q)
{
	u64 mine;
	int ret = 0;

	pthread_mutex_lock(&q->lock);
	mine = q->started + 1;
	pthread_mutex_unlock(&q->lock);
	/* One that began after this call has done its work. */
	pthread_mutex_lock(&q->commit);
	if (q->done < mine)
		ret = commit_run(q);
	pthread_mutex_unlock(&q->commit);
	return ret;
}
