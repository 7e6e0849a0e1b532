// SPDX-License-Identifier: GPL-2.0
/* Layers over a disk: the volatile cache and power cuts, faults on purpose, limits, resizing. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/disk.h>
#include <kvm/loop.h>
#include <kvm/opt.h>

#include "scratch.h"
#include "tap.h"

static struct opt_err why;

static struct disk *disk_new(struct disk_options opts)
{
	struct disk *d = NULL;

	setenv("TMPDIR", scratch_dir(), 1);
	opts.block = opts.block ? opts.block : 512;
	if (disk_open(&d, &opts, NULL, "disk", &why))
		tap_fail(__FILE__, __LINE__, "%s", why.text);
	return d;
}

static void image(const char *name, size_t len)
{
	int fd = open(scratch(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK_EQ(ftruncate(fd, len), 0);
	close(fd);
}

static int io(struct disk *d, enum disk_op op, u64 off, void *buf, size_t len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct iov_iter data;
	struct disk_req req = { .op = op, .off = off, .len = len, .data = &data };

	iov_iter_init(&data, &iov, 1);
	return disk_allows(d, &req) ? disk_serve(d, &req) : -EPERM;
}

static int fill(struct disk *d, u64 off, size_t len, char c)
{
	char *buf = malloc(len);
	int ret;

	memset(buf, c, len);
	ret = io(d, DISK_WRITE, off, buf, len);
	free(buf);
	return ret;
}

static int flush(struct disk *d)
{
	return io(d, DISK_FLUSH, 0, NULL, 0);
}

static void content(const char *name, char *buf, size_t len)
{
	int fd = open(scratch(name), O_RDONLY);

	CHECK_EQ(pread(fd, buf, len, 0), len);
	close(fd);
}

/* All of @len bytes are @c. */
static bool is(const char *buf, size_t len, char c)
{
	for (size_t i = 0; i < len; i++)
		if (buf[i] != c)
			return false;
	return true;
}

/* The volatile cache against a plain buffer. It is smaller than what is written. */
static void at_random(u32 physical, bool cow)
{
	enum { BLOCKS = 999, SIZE = BLOCKS * 512 };
	struct disk_options opts = { .file = scratch("base"), .cow = cow, .cache = 65536, .physical = physical };
	char *want = calloc(1, SIZE), *buf = malloc(SIZE);
	struct disk *d;

	srandom(physical);
	image("base", SIZE);
	d = disk_new(opts);
	for (int i = 0; i < 3000; i++) {
		u32 block = random() % BLOCKS, nr = 1 + random() % min(BLOCKS - block, 1 + (u32)random() % 300);
		u32 off = block * 512, len = nr * 512, what = random() % 16;

		if (what < 6) {
			for (u32 b = 0; b < nr; b++)
				memset(want + off + b * 512, i + b, 512);
			CHECK_EQ(io(d, DISK_WRITE, off, want + off, len), 0);
		} else if (what == 6) {
			memset(want + off, 0, len);
			CHECK_EQ(io(d, DISK_ZERO, off, NULL, len), 0);
		} else if (what == 7) {
			CHECK_EQ(flush(d), 0);
		} else if (what == 8) {
			struct iovec iov = { want + off, len };
			struct iov_iter data;
			struct disk_req req = { .op = DISK_WRITE, .off = off, .len = len, .data = &data, .durable = true };

			memset(want + off, i, len);
			iov_iter_init(&data, &iov, 1);
			CHECK_EQ(disk_serve(d, &req), 0);
		} else if (what == 9) {
			CHECK_EQ(io(d, DISK_DISCARD, off, NULL, len), 0);
			CHECK_EQ(io(d, DISK_READ, off, want + off, len), 0);
		} else {
			CHECK_EQ(io(d, DISK_READ, off, buf, len), 0);
			CHECK_MEM(buf, want + off, len);
		}
	}
	/* A machine that ends writes its caches back. */
	disk_close(d, NULL, "disk");
	content("base", buf, SIZE);
	if (!cow)
		CHECK_MEM(buf, want, SIZE);
	free(want);
	free(buf);
}

TEST_TIMEOUT(volatile_cache_at_random, 60)
{
	at_random(512, false);
	at_random(4096, false);
	at_random(65536, false);
	at_random(512, true);
}

/*
 * What may be there after a power cut, for each of 256 seeds: F is flushed. A, B and C are
 * not: C overwrites A. Blocks are of 512 bytes, and physical ones of 4096.
 */
#define LEN	(16 * 4096)
static void cut_once(u64 seed, u32 unit, unsigned int seen[3])
{
	struct disk_options opts = { .file = scratch("cut"), .cache = MIB, .physical = unit };
	char *buf = malloc(5 * LEN);
	struct disk_cut cut;
	struct disk *d;
	unsigned int b = 0, c = 0, i;

	image("cut", 5 * LEN);
	d = disk_new(opts);
	CHECK_EQ(fill(d, 0, LEN, 'F'), 0);
	CHECK_EQ(flush(d), 0);
	CHECK_EQ(fill(d, LEN, LEN, 'A'), 0);
	CHECK_EQ(fill(d, 2 * LEN, LEN, 'B'), 0);
	CHECK_EQ(fill(d, LEN, LEN, 'C'), 0);
	disk_freeze(d);
	CHECK_EQ(disk_cut(d, seed, &cut), 0);
	CHECK_EQ(cut.kept + cut.lost + cut.torn, 3);
	disk_close(d, NULL, "disk");
	content("cut", buf, 5 * LEN);
	CHECK(is(buf, LEN, 'F'));
	for (i = 0; i < LEN / unit; i++) {
		const char *p = buf + LEN + i * unit, *q = p + LEN;

		CHECK(is(p, unit, 0) || is(p, unit, 'A') || is(p, unit, 'C'));
		CHECK(is(q, unit, 0) || is(q, unit, 'B'));
		b += *q == 'B';
		c += *p == 'C';
	}
	CHECK(is(buf + 3 * LEN, 2 * LEN, 0));
	CHECK(seed || !(b + c));
	seen[0] += !b;				/* lost */
	seen[1] += c == LEN / unit && !b;	/* the later one is there, the earlier one is not */
	seen[2] += b && b < LEN / unit;		/* torn */
	free(buf);
}

TEST_TIMEOUT(power_cuts, 60)
{
	for (u32 unit = 512; unit <= 4096; unit *= 8) {
		unsigned int seen[3] = { 0 };

		for (u64 seed = 0; seed < 256; seed++)
			cut_once(seed, unit, seen);
		CHECK(seen[0] > 10 && seen[1] > 2 && seen[2] > 10);
	}
}

/* The same seed is the same state, and another cut of a disk that was cut changes nothing. */
TEST(a_cut_is_determined_by_its_seed)
{
	char *first = malloc(5 * LEN), *again = malloc(5 * LEN);
	unsigned int seen[3];

	for (u64 seed = 1; seed < 20; seed++) {
		cut_once(seed, 512, seen);
		content("cut", first, 5 * LEN);
		cut_once(seed, 512, seen);
		content("cut", again, 5 * LEN);
		CHECK_MEM(first, again, 5 * LEN);
	}
	free(first);
	free(again);
}

TEST(what_is_durable_is_never_lost)
{
	struct disk_options opts = { .file = scratch("cut"), .cache = MIB, .physical = 4096 };
	char buf[8192], back[8192];
	struct iovec iov = { buf, 512 };
	struct iov_iter data;
	struct disk_req req = { .op = DISK_WRITE, .off = 512, .len = 512, .data = &data, .durable = true };

	for (u64 seed = 0; seed < 100; seed++) {
		struct disk_cut cut;
		struct disk *d;

		image("cut", 8192);
		d = disk_new(opts);
		CHECK_EQ(fill(d, 0, 4096, 'A'), 0);
		memset(buf, 'D', 512);
		iov_iter_init(&data, &iov, 1);
		CHECK_EQ(disk_serve(d, &req), 0);
		CHECK_EQ(fill(d, 4096, 4096, 'B'), 0);
		disk_freeze(d);
		CHECK_EQ(disk_cut(d, seed, &cut), 0);
		disk_close(d, NULL, "disk");
		content("cut", back, sizeof(back));
		CHECK(is(back + 512, 512, 'D'));
	}
}

/* Without a cache there is nothing to lose. */
TEST(a_cut_of_a_plain_disk)
{
	struct disk_options opts = { .file = scratch("cut") };
	struct disk_cut cut;
	struct disk *d;
	char buf[4096];

	image("cut", 4096);
	d = disk_new(opts);
	CHECK_EQ(fill(d, 0, 4096, 'A'), 0);
	disk_freeze(d);
	CHECK_EQ(disk_cut(d, 0, &cut), 0);
	CHECK_EQ(cut.kept + cut.lost + cut.torn, 0);
	disk_close(d, NULL, "disk");
	content("cut", buf, sizeof(buf));
	CHECK(is(buf, 4096, 'A'));
}

/* Faults */

static void refused(struct disk *d, const char *spec, const char *text)
{
	CHECK(disk_fault(d, spec, &why) < 0);
	if (!strstr(why.text, text))
		tap_fail(__FILE__, __LINE__, "%s: \"%s\" does not say \"%s\"", spec, why.text, text);
}

static void listed(void *obj, const char *text)
{
	strncat(obj, text, 200);
	strcat(obj, "|");
}

TEST(faults_that_fail)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M", .faults = "eio,op=read,range=4K+4K" });
	char buf[8192], text[512] = "";

	CHECK_EQ(io(d, DISK_READ, 0, buf, 4096), 0);
	CHECK_EQ(io(d, DISK_READ, 0, buf, 4608), -EIO);
	CHECK_EQ(io(d, DISK_READ, 7680, buf, 4096), -EIO);
	CHECK_EQ(io(d, DISK_READ, 8192, buf, 4096), 0);
	CHECK_EQ(fill(d, 4096, 4096, 'x'), 0);
	CHECK_EQ(disk_fault(d, "eio,count=2,op=write+flush", &why), 0);
	CHECK_EQ(flush(d), -EIO);
	CHECK_EQ(io(d, DISK_ZERO, 0, NULL, 512), 0);
	CHECK_EQ(fill(d, 0, 512, 'x'), -EIO);
	CHECK_EQ(fill(d, 0, 512, 'x'), 0);
	disk_faults(d, listed, text);
	CHECK_STR(text, "eio op=read range=4096+4096 hits=2|eio op=write+flush left=0 hits=2|");
	CHECK_EQ(disk_fault(d, "clear", &why), 0);
	CHECK_EQ(io(d, DISK_READ, 4096, buf, 512), 0);
	disk_close(d, NULL, "disk");
}

/* A place that was bad is good when it was written, and the rest stays bad. */
TEST(a_bad_medium)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M", .faults = "medium,range=4K+8K" });
	char buf[8192];

	CHECK_EQ(io(d, DISK_READ, 4096, buf, 512), -EIO);
	CHECK_EQ(fill(d, 6144, 512, 'x'), 0);
	CHECK_EQ(io(d, DISK_READ, 6144, buf, 512), 0);
	CHECK_EQ(io(d, DISK_READ, 5632, buf, 512), -EIO);
	CHECK_EQ(io(d, DISK_READ, 6656, buf, 512), -EIO);
	CHECK_EQ(fill(d, 4096, 2048, 'x'), 0);
	CHECK_EQ(fill(d, 6656, 8192, 'x'), 0);
	CHECK_EQ(io(d, DISK_READ, 4096, buf, 8192), 0);
	disk_close(d, NULL, "disk");
}

TEST(a_share_of_the_requests)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M", .faults = "eio,share=25,seed=7" });
	unsigned int failed = 0;

	for (int i = 0; i < 1000; i++)
		failed += fill(d, 0, 512, 'x') == -EIO;
	CHECK(failed > 150 && failed < 350);
	disk_close(d, NULL, "disk");
}

TEST(torn_writes)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M", .faults = "torn,seed=3,count=40" });
	unsigned int kept[2] = { 0 };
	char buf[8192];

	for (int i = 0; i < 80; i++) {
		unsigned int n = 0;

		if (i == 40)
			CHECK_EQ(disk_fault(d, "torn,silent", &why), 0);
		CHECK_EQ(io(d, DISK_ZERO, 0, NULL, 8192), 0);
		CHECK_EQ(fill(d, 0, 8192, 'x'), i < 40 ? -EIO : 0);
		CHECK_EQ(io(d, DISK_READ, 0, buf, 8192), 0);
		while (n < 16 && is(buf + n * 512, 512, 'x'))
			n++;
		CHECK(is(buf + n * 512, 8192 - n * 512, 0));
		CHECK(n < 16);
		kept[!!n]++;
	}
	CHECK(kept[0] && kept[1]);
	disk_close(d, NULL, "disk");
}

struct asker {
	struct disk *d;
	pthread_t thread;
	int ret;
};

static void *ask(void *arg)
{
	struct asker *a = arg;

	a->ret = fill(a->d, 0, 512, 'x');
	return NULL;
}

static void has_hit(void *obj, const char *text)
{
	*(bool *)obj |= strstr(text, "hits=1") != NULL;
}

static void asked(struct asker *a, struct disk *d)
{
	bool hit = false;

	*a = (struct asker){ .d = d, .ret = 1 };
	CHECK_EQ(pthread_create(&a->thread, NULL, ask, a), 0);
	while (!hit)
		disk_faults(d, has_hit, &hit);
}

TEST(a_disk_that_hangs_until_told)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M", .faults = "hang,op=write" });
	struct asker a;
	char buf[512];

	asked(&a, d);
	CHECK_EQ(io(d, DISK_READ, 0, buf, 512), 0);
	CHECK(is(buf, 512, 0));
	CHECK_EQ(disk_fault(d, "clear", &why), 0);
	pthread_join(a.thread, NULL);
	CHECK_EQ(a.ret, 0);
	CHECK_EQ(io(d, DISK_READ, 0, buf, 512), 0);
	CHECK(is(buf, 512, 'x'));
	/* A reset gives requests back. */
	CHECK_EQ(disk_fault(d, "delay=3600000", &why), 0);
	asked(&a, d);
	disk_cancel(d);
	pthread_join(a.thread, NULL);
	CHECK_EQ(a.ret, -EINTR);
	disk_close(d, NULL, "disk");
}

TEST(a_slow_disk)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M", .faults = "delay=30" });
	u64 start = loop_now();

	CHECK_EQ(fill(d, 0, 512, 'x'), 0);
	CHECK_EQ(flush(d), 0);
	CHECK(loop_now() - start >= 60000000);
	disk_close(d, NULL, "disk");
}

/* No request of a frozen disk completes: it is as if the machine were off. */
TEST(a_frozen_disk)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M", .faults = "eio,op=write" });
	struct asker a;

	disk_freeze(d);
	asked(&a, d);
	disk_cancel(d);
	pthread_join(a.thread, NULL);
	CHECK_EQ(a.ret, -EINTR);
	disk_close(d, NULL, "disk");
}

TEST(faults_that_mean_nothing)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M" });

	refused(d, "", "one of eio");
	refused(d, "eio,hang", "one of eio");
	refused(d, "eoi", "did you mean");
	refused(d, "eio,op=", "needs");
	refused(d, "eio,op=rite", "read+write");
	refused(d, "eio,range=4K", "1M+4K");
	refused(d, "eio,range=+4K", "1M+4K");
	refused(d, "eio,range=0+0", "1M+4K");
	refused(d, "eio,range=99999999999999999999+1", "1M+4K");
	refused(d, "eio,range=18446744073709551615+2", "1M+4K");
	refused(d, "torn,op=read", "for writes");
	refused(d, "eio,silent", "silent is for torn");
	refused(d, "eio,share=0", "share");
	for (int i = 0; i < 32; i++)
		CHECK_EQ(disk_fault(d, "eio,op=discard", &why), 0);
	refused(d, "eio", "clear");
	disk_close(d, NULL, "disk");
}

/* Limits */

TEST(limits)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M", .iops = 200 });
	u64 start = loop_now();

	for (int i = 0; i < 50; i++)
		CHECK_EQ(fill(d, 0, 512, 'x'), 0);
	/* 20 at once, and 5 ms for each of the others. */
	CHECK(loop_now() - start >= 140000000);
	disk_close(d, NULL, "disk");
	d = disk_new((struct disk_options){ .file = "new:1M", .bps = 10 * MIB });
	start = loop_now();
	for (int i = 0; i < 3; i++)
		CHECK_EQ(fill(d, 0, MIB, 'x'), 0);
	CHECK(loop_now() - start >= 190000000);
	disk_close(d, NULL, "disk");
}

/* Another size */

TEST(resize)
{
	struct disk_options opts[] = {
		{ .file = scratch("image") }, { .file = scratch("image"), .cow = true },
		{ .file = scratch("image"), .cache = 65536, .physical = 4096 },
	};
	char *buf = malloc(MIB);

	for (unsigned int i = 0; i < ARRAY_SIZE(opts); i++) {
		struct disk *d;

		image("image", 65536);
		CHECK_EQ(truncate(scratch("image"), 65536), 0);
		d = disk_new((struct disk_options){ .file = scratch("image") });
		CHECK_EQ(fill(d, 0, 65536, 'x'), 0);
		disk_close(d, NULL, "disk");
		d = disk_new(opts[i]);
		CHECK_EQ(fill(d, 61440, 4096, 'y'), 0);
		CHECK_EQ(disk_resize(d, MIB, &why), 0);
		CHECK_EQ(disk_size(d), MIB);
		CHECK_EQ(fill(d, MIB - 512, 512, 'z'), 0);
		CHECK_EQ(disk_resize(d, 8192, &why), 0);
		CHECK_EQ(io(d, DISK_READ, 8192, buf, 512), -EPERM);
		CHECK_EQ(disk_resize(d, MIB, &why), 0);
		CHECK_EQ(io(d, DISK_READ, 0, buf, MIB), 0);
		CHECK(is(buf, 8192, 'x') && is(buf + 8192, MIB - 8192, 0));
		CHECK_EQ(disk_resize(d, 1000, &why), -EINVAL);
		CHECK_EQ(disk_resize(d, 0, &why), -EINVAL);
		CHECK_EQ(disk_size(d), MIB);
		disk_close(d, NULL, "disk");
	}
	free(buf);
}
