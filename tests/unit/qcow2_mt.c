// SPDX-License-Identifier: GPL-2.0
/*
 * A qcow2 image from eight threads, as from eight queues: they write, discard, zero,
 * flush and verify blocks that lie between each other's, in the same clusters and
 * tables. Clusters are freed, punched and allocated all the time.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "image.h"
#include "scratch.h"
#include "tap.h"

#define THREADS	8
#define SIZE	(8 * MIB)
#define BLOCKS	(SIZE / 512)
#define OWN	(BLOCKS / THREADS)

struct worker {
	pthread_t thread;
	struct disk *disk;
	u32 want[OWN];			/* the number of the write, 0: zeroes */
	unsigned int nr, rounds, seed;
	bool wide;			/* its blocks are next to each other */
};

static u64 place(const struct worker *w, unsigned int own)
{
	return (w->wide ? (u64)w->nr * OWN + own : (u64)own * THREADS + w->nr) * 512;
}

static void expect(const struct worker *w, unsigned int own, u8 *buf, unsigned int nr)
{
	u8 want[512];

	for (unsigned int i = 0; i < nr; i++) {
		u64 off = place(w, own + i);

		if (w->want[own + i])
			image_fill(want, off, 512, w->want[own + i]);
		else
			memset(want, 0, 512);
		CHECK_MEM(buf + i * 512, want, 512);
	}
}

static void step(struct worker *w, u32 n)
{
	unsigned int own = rand_r(&w->seed) % OWN, nr = w->wide ? 1 + rand_r(&w->seed) % min(OWN - own, 300ULL) : 1;
	u8 *buf = malloc(nr * 512);
	u64 off = place(w, own);

	switch (rand_r(&w->seed) % 8) {
	case 0: case 1: case 2:
		image_fill(buf, off, nr * 512, n);
		CHECK_EQ(image_io(w->disk, DISK_WRITE, off, buf, nr * 512), 0);
		for (unsigned int i = 0; i < nr; i++)
			w->want[own + i] = n;
		break;
	case 3:
		CHECK_EQ(image_io(w->disk, DISK_ZERO, off, NULL, nr * 512), 0);
		memset(w->want + own, 0, nr * sizeof(w->want[0]));
		break;
	case 4:
		CHECK_EQ(image_io(w->disk, DISK_DISCARD, off, NULL, nr * 512), 0);
		CHECK_EQ(image_io(w->disk, DISK_READ, off, buf, nr * 512), 0);
		for (unsigned int i = 0; i < nr; i++)
			if (!buf[i * 512])
				w->want[own + i] = 0;
		expect(w, own, buf, nr);
		break;
	case 5:
		if (n % 16 == 0)
			CHECK_EQ(image_io(w->disk, DISK_FLUSH, 0, NULL, 0), 0);
		break;
	default:
		CHECK_EQ(image_io(w->disk, DISK_READ, off, buf, nr * 512), 0);
		expect(w, own, buf, nr);
	}
	free(buf);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < w->rounds; i++)
		step(w, i + 1);
	return NULL;
}

static void is_sound(const char *name)
{
	struct image_check check = { .repair = false };
	struct opt_err err;

	if (image_check(scratch(name), DISK_FORMAT_QCOW2, &check, &err))
		tap_fail(__FILE__, __LINE__, "%s", err.text);
	CHECK_EQ(check.errors, 0);
	CHECK_EQ(check.leaks, 0);
}

static void all_threads(struct image_create c, bool wide, bool verify, unsigned int rounds)
{
	struct disk_options opts = { .format = DISK_FORMAT_QCOW2, .verify = verify };
	struct worker *w = calloc(THREADS, sizeof(*w));
	u8 *buf = malloc(512);

	if (getenv("LKVM_TEST_LONG"))
		rounds *= 20;
	image_in_memory();
	opts.file = scratch("a");
	unlink(opts.file);
	c.file = opts.file;
	c.format = DISK_FORMAT_QCOW2;
	c.size = SIZE;
	image_make(c);
	opts.file = scratch("a");
	for (int again = 0; again < 2; again++) {
		struct disk *d = image_open(opts);

		for (unsigned int i = 0; i < THREADS; i++) {
			w[i].disk = d;
			w[i].nr = i;
			w[i].rounds = rounds;
			w[i].seed = i + 1 + again * 100;
			w[i].wide = wide;
			CHECK_EQ(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
		}
		for (unsigned int i = 0; i < THREADS; i++)
			pthread_join(w[i].thread, NULL);
		for (unsigned int i = 0; i < THREADS; i++)
			for (unsigned int own = 0; own < OWN; own += 7) {
				CHECK_EQ(image_io(d, DISK_READ, place(&w[i], own), buf, 512), 0);
				expect(&w[i], own, buf, 1);
			}
		disk_close(d, NULL, "");
		is_sound("a");
	}
	free(buf);
	free(w);
}

TEST_TIMEOUT(in_each_others_clusters, 600)
{
	all_threads((struct image_create){ .cluster = 4096 }, false, false, 400);
}

/* Clusters that are filled from behind, while others write into them. */
TEST_TIMEOUT(in_clusters_that_are_copied, 600)
{
	image_in_memory();
	scratch_file("behind", "");
	CHECK_EQ(truncate(scratch("behind"), SIZE), 0);
	for (int i = 0; i < 2; i++)
		all_threads((struct image_create){ .cluster = 256 * KIB, .backing = "behind" }, false, false, 30);
	all_threads((struct image_create){ .cluster = 256 * KIB, .backing = "behind", .extended = true }, false, false, 100);
}

TEST_TIMEOUT(each_in_its_part, 600)
{
	all_threads((struct image_create){ .cluster = 16384 }, true, false, 100);
}

TEST_TIMEOUT(with_proof_of_each_allocation, 600)
{
	all_threads((struct image_create){ .cluster = 8192, .refcount_bits = 1 }, true, true, 60);
}

TEST_TIMEOUT(subclusters, 600)
{
	all_threads((struct image_create){ .cluster = 16384, .extended = true }, true, false, 100);
}
