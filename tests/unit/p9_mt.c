// SPDX-License-Identifier: GPL-2.0
/* The 9P server where threads meet: one session, one set of fids, many messages. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p9_client.h"
#include "scratch.h"
#include "tap.h"

#define THREADS	4
#define ROUNDS	1000

struct worker {
	struct p9_client c;
	pthread_t thread;
	unsigned int seed;
	u32 file;		/* a fid of its own */
};

static void *everything(void *arg)
{
	struct worker *w = arg;
	struct p9_client *c = &w->c;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		u32 fid, other;

		w->seed = w->seed * 1103515245 + 12345;
		fid = 10 + (w->seed >> 16) % 4;
		other = 10 + (w->seed >> 20) % 4;
		switch ((w->seed >> 24) % 16) {
		case 0:
			p9c_walk(c, 0, fid, "d/e");
			break;
		case 1:
			p9c_walk(c, 0, fid, "f");
			break;
		case 2:
			p9c_walk(c, fid, fid, "..");
			break;
		case 3:
			p9c_walk(c, fid, other, "");
			break;
		case 4:
			p9c_call(c, P9_TLOPEN, "dd", fid, O_RDONLY);
			break;
		case 5:
			p9c_call(c, P9_TREAD, "dqd", fid, 0ULL, 100U);
			break;
		case 6:
			p9c_call(c, P9_TREADDIR, "dqd", fid, 0ULL, 1000U);
			break;
		case 7:
			p9c_call(c, P9_TLCREATE, "dsddd", fid, "new", O_RDWR, 0600U, 0U);
			break;
		case 8:
			p9c_call(c, P9_TRENAME, "dds", fid, 0U, "moved");
			break;
		case 9:
			p9c_call(c, P9_TREMOVE, "d", fid);
			break;
		case 10:
			p9c_call(c, P9_TXATTRCREATE, "dsqd", fid, "user.x", 4ULL, 0U);
			p9c_call(c, P9_TWRITE, "dqdm", fid, 0ULL, 4U, "abcd", (size_t)4);
			break;
		case 11:
			p9c_call(c, P9_TLOCK, "dbdqqds", fid, P9_LOCK_RDLCK, 0U, 0ULL, 0ULL,
				 (u32)(i % 3), "g");
			p9c_call(c, P9_TLOCK, "dbdqqds", fid, P9_LOCK_UNLCK, 0U, 0ULL, 0ULL,
				 (u32)(i % 3), "g");
			break;
		case 12:
			p9c_call(c, P9_TFLUSH, "w", (int)(1 + w->seed % THREADS));
			break;
		case 13:
			p9c_call(c, P9_TMKDIR, "dsdd", 0U, "d", 0755U, 0U);
			p9c_call(c, P9_TMKDIR, "dsdd", fid, "e", 0755U, 0U);
			break;
		default:
			p9c_clunk(c, fid);
		}
	}
	return NULL;
}

/* Nothing to be compared but the sanitizers, and that the session lives. */
TEST_TIMEOUT(threads_share_fids, 120)
{
	struct p9_client c;
	struct worker w[THREADS];
	unsigned int i;

	CHECK(!mkdir(scratch("d"), 0755) && !mkdir(scratch("d/e"), 0755));
	scratch_file("f", "content");
	p9c_start(&c, scratch_dir(), false, 64 << 10);
	c.room = 8 << 10;
	for (i = 0; i < THREADS; i++) {
		p9c_share(&w[i].c, &c, i + 1);
		w[i].seed = i;
		CHECK(!pthread_create(&w[i].thread, NULL, everything, &w[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		p9c_free_shared(&w[i].c);
	}
	CHECK_EQ(p9c_walk(&c, 0, 99, ""), 0);
	p9c_free(&c);
}

static void *one_file(void *arg)
{
	struct worker *w = arg;
	u8 buf[512];
	unsigned int i;

	memset(buf, w->file, sizeof(buf));
	for (i = 0; i < ROUNDS; i++) {
		CHECK_EQ(p9c_call(&w->c, P9_TWRITE, "dqdm", 1U, (u64)w->file * 512, 512U, buf,
				  sizeof(buf)), 0);
		CHECK_EQ(p9c_call(&w->c, P9_TREAD, "dqd", 1U, (u64)w->file * 512, 512U), 0);
		CHECK_EQ(p9c_get(&w->c, 4), 512);
		CHECK_MEM(p9c_bytes(&w->c, 512), buf, 512);
	}
	return NULL;
}

TEST_TIMEOUT(threads_use_one_open_file, 120)
{
	struct p9_client c;
	struct worker w[THREADS];
	unsigned int i;

	p9c_start(&c, scratch_dir(), false, 64 << 10);
	c.room = 8 << 10;
	CHECK_EQ(p9c_walk(&c, 0, 1, ""), 0);
	CHECK_EQ(p9c_call(&c, P9_TLCREATE, "dsddd", 1U, "f", O_RDWR, 0600U, 0U), 0);
	for (i = 0; i < THREADS; i++) {
		p9c_share(&w[i].c, &c, i + 1);
		w[i].file = i;
		CHECK(!pthread_create(&w[i].thread, NULL, one_file, &w[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		p9c_free_shared(&w[i].c);
	}
	p9c_free(&c);
}

static int flushed;

static void *flush_other(void *arg)
{
	struct p9_client *c = arg;
	u64 one = 1;

	CHECK_EQ(p9c_call(c, P9_TFLUSH, "w", 5), 0);
	CHECK_EQ(write(flushed, &one, sizeof(one)), sizeof(one));
	return NULL;
}

/* The tag is the client's again when the flush is answered: nothing may come for it then. */
TEST(flush_waits_for_the_reply_to_be_delivered)
{
	struct pollfd pfd;
	struct p9_client c, slow, flush;
	pthread_t thread;

	p9c_start(&c, scratch_dir(), false, 64 << 10);
	p9c_share(&slow, &c, 5);
	p9c_share(&flush, &c, 6);
	flushed = eventfd(0, 0);
	pfd = (struct pollfd) { .fd = flushed, .events = POLLIN };
	slow.keep = true;
	CHECK_EQ(p9c_call(&slow, P9_TGETATTR, "dq", 0U, 0ULL), 0);
	CHECK(!pthread_create(&thread, NULL, flush_other, &flush));
	CHECK_EQ(poll(&pfd, 1, 100), 0);
	p9_delivered(slow.undelivered);
	CHECK_EQ(poll(&pfd, 1, -1), 1);
	pthread_join(thread, NULL);
	p9c_free_shared(&slow);
	p9c_free_shared(&flush);
	p9c_free(&c);
}
