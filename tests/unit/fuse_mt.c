// SPDX-License-Identifier: GPL-2.0
/* The FUSE server on several threads at once, for TSan: nothing is lost or left over. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "../../hw/fs/fuse_session.h"
#include "fuse_client.h"
#include "scratch.h"
#include "tap.h"

#define THREADS	4
#define ROUNDS	1500

struct worker {
	struct fuse_client *c;
	u32 seed;
};

static u32 worker_random(struct worker *w, u32 n)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 16) % n;
}

/* All that it looks up it forgets, all that it opens it closes. */
static void worker_step(struct worker *w, u64 dir)
{
	struct fuse_client *c = w->c;
	struct fuse_rename_in ren = { dir };
	struct fuse_read_in rd = { .size = 4096 };
	struct fuse_entry_out e;
	struct fuse_open_out o;
	struct fuse_attr a;
	char name[2][4];
	char both[8];
	u64 fh;

	snprintf(name[0], 4, "n%u", worker_random(w, 6));
	snprintf(name[1], 4, "n%u", worker_random(w, 6));
	switch (worker_random(w, 8)) {
	case 0:
		if (!fc_create(c, dir, name[0], O_RDWR, 0644, &e, &o)) {
			fc_write(c, o.fh, 0, "x", 0, 0);
			fc_lock(c, FUSE_SETLK, o.fh, w->seed, F_WRLCK, 0, 10, 0);
			CHECK_EQ(fc_release(c, e.nodeid, o.fh), 0);
			fc_forget(c, e.nodeid, 1);
		}
		break;
	case 1:
	case 2:
		if (!fc_lookup(c, dir, name[0], &e) && e.nodeid) {
			fc_getattr(c, e.nodeid, &a);
			if (!fc_open(c, e.nodeid, O_RDONLY, &o)) {
				CHECK(fc_read(c, o.fh, 0, 10) >= 0);
				CHECK_EQ(fc_release(c, e.nodeid, o.fh), 0);
			}
			fc_forget(c, e.nodeid, 1);
		}
		break;
	case 3:
		fc_name(c, FUSE_UNLINK, dir, name[0]);
		break;
	case 4:
		memcpy(both, name[0], 3);
		memcpy(both + 3, name[1], 3);
		fc_call(c, FUSE_RENAME, dir, &ren, sizeof(ren), both, 6);
		break;
	case 5:
		if (!fc_opendir(c, dir, &fh)) {
			rd.fh = fh;
			CHECK_EQ(fc_call(c, FUSE_READDIR, dir, &rd, sizeof(rd), NULL, 0), 0);
			CHECK_EQ(fc_release(c, dir, fh), 0);
		}
		break;
	case 6:
		fuse_evict(c->f);
		break;
	case 7:
		fuse_interrupt(c->f);
		break;
	}
}

static void *worker_thread(void *arg)
{
	struct worker *w = arg;
	struct fuse_entry_out e;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		if (fc_lookup(w->c, FUSE_ROOT_ID, i & 1 ? "d" : "e", &e) || !e.nodeid)
			continue;
		worker_step(w, e.nodeid);
		fc_forget(w->c, e.nodeid, 1);
	}
	return NULL;
}

TEST_TIMEOUT(many_threads_one_tree, 60)
{
	struct fuse_options opts = { .locks = true };
	struct fuse_client *c = fc_new(&opts);
	struct worker w[THREADS];
	pthread_t thread[THREADS];
	unsigned int i;

	c->f->held_max = 4;
	mkdir(scratch("d"), 0755);
	mkdir(scratch("e"), 0755);
	for (i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ fc_share(c), i };
		CHECK(!pthread_create(&thread[i], NULL, worker_thread, &w[i]));
	}
	for (i = 0; i < THREADS; i++) {
		CHECK(!pthread_join(thread[i], NULL));
		free(w[i].c);
	}
	CHECK_EQ(c->f->nnodes, 1);
	CHECK_EQ(c->f->share.nowners, 0);
	CHECK(list_empty(&c->f->share.reqs));
	fc_free(c);
}

/* The same without opening: two read, one forgets, one makes room. */
static void *reader_thread(void *arg)
{
	struct worker *w = arg;
	struct fuse_read_in in = { .size = 16 };
	struct fuse_entry_out e;
	unsigned int i;
	char name[4];
	int ret;

	for (i = 0; i < ROUNDS; i++) {
		snprintf(name, sizeof(name), "n%u", worker_random(w, 6));
		if (w->seed >> 20 & 1)
			fuse_evict(w->c->f);
		CHECK_EQ(fc_lookup(w->c, FUSE_ROOT_ID, name, &e), 0);
		ret = fc_call(w->c, FUSE_READ, e.nodeid, &in, sizeof(in), NULL, 0);
		CHECK_EQ(ret, 0);
		CHECK_EQ(w->c->len, 2);
		CHECK_EQ(fc_call(w->c, FUSE_READDIR, FUSE_ROOT_ID, &in, sizeof(in), NULL, 0), -EINVAL);
		fc_forget(w->c, e.nodeid, 1);
	}
	return NULL;
}

TEST_TIMEOUT(many_threads_without_opening, 60)
{
	struct fuse_options opts = { .cache = FUSE_CACHE_ALWAYS, .readonly = true };
	struct fuse_client *c;
	struct worker w[THREADS];
	pthread_t thread[THREADS];
	unsigned int i;
	char name[4];

	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		scratch_file(name, name);
	}
	c = fc_new(&opts);
	c->f->kept_max = 3;
	for (i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ fc_share(c), i };
		CHECK(!pthread_create(&thread[i], NULL, reader_thread, &w[i]));
	}
	for (i = 0; i < THREADS; i++) {
		CHECK(!pthread_join(thread[i], NULL));
		free(w[i].c);
	}
	fuse_reset(c->f);
	CHECK_EQ(c->f->nnodes, 1);
	CHECK_EQ(c->f->nkept, 0);
	fc_free(c);
}
