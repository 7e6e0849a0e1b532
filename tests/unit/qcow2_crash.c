// SPDX-License-Identifier: GPL-2.0
/*
 * A qcow2 image after a crash. lkvm is killed: the host has all that was written. Or the
 * power fails: of what was written since the last fdatasync() each sector may be there
 * or not. In both cases no table refers to what is not counted, and what the guest
 * flushed is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "image.h"
#include "scratch.h"
#include "tap.h"

#define SIZE		MIB
#define BLOCKS		(SIZE / 512)
#define MAYBE		12		/* what a block may be at most before there has to be a flush */

/* What each block may be: numbers of writes, 0 for zeroes, the last one last. */
struct model {
	u32 maybe[BLOCKS][MAYBE];
	u8 nr[BLOCKS];
	bool full;
};

static void model_begin(struct model *m)
{
	memset(m, 0, sizeof(*m));
	memset(m->nr, 1, sizeof(m->nr));
}

static void model_op(struct model *m, u64 block, u64 nr, u32 n)
{
	for (u64 i = block; i < block + nr; i++) {
		m->maybe[i][m->nr[i]] = n;
		__atomic_store_n(&m->nr[i], m->nr[i] + 1, __ATOMIC_RELEASE);
		m->full |= m->nr[i] == MAYBE;
	}
}

static void model_flushed(struct model *m)
{
	for (u64 i = 0; i < BLOCKS; i++) {
		/* One store, at any time of which the model is right. */
		m->maybe[i][0] = m->maybe[i][m->nr[i] - 1];
		__atomic_store_n(&m->nr[i], 1, __ATOMIC_RELEASE);
	}
	m->full = false;
}

static bool block_is(const u8 *buf, u64 block, u32 n)
{
	u8 want[512] = { 0 };

	if (n)
		image_fill(want, block * 512, 512, n);
	return !memcmp(buf, want, 512);
}

static void model_check(const struct model *m, const char *name)
{
	struct image_check check = { .repair = false };
	struct image_info info;
	u8 *buf = malloc(SIZE);
	struct opt_err err;
	struct disk *d;

	if (image_check(scratch(name), DISK_FORMAT_QCOW2, &check, &err))
		tap_fail(__FILE__, __LINE__, "%s", err.text);
	CHECK_EQ(image_info(&info, scratch(name), DISK_FORMAT_QCOW2, &err), 0);
	/* Counts that are lazy are made anew by whoever opens the image. */
	CHECK(!check.errors || info.dirty);
	free(info.snapshot);
	if (check.leaks && !info.dirty) {
		check.repair = true;
		CHECK_EQ(image_check(scratch(name), DISK_FORMAT_QCOW2, &check, &err), 0);
		CHECK_EQ(check.fixed, check.leaks);
	}
	d = image_open((struct disk_options){ .file = scratch(name), .format = DISK_FORMAT_QCOW2, .verify = true });
	CHECK_EQ(image_io(d, DISK_READ, 0, buf, SIZE), 0);
	for (u64 i = 0; i < BLOCKS; i++) {
		u8 k;

		for (k = 0; k < m->nr[i] && !block_is(buf + i * 512, i, m->maybe[i][k]); k++)
			;
		if (k == m->nr[i])
			tap_fail(__FILE__, __LINE__, "block %llu is none of what it may be: %d writes, the last is %u",
				 (unsigned long long)i, m->nr[i], m->maybe[i][m->nr[i] - 1]);
	}
	/* It goes on. */
	CHECK_EQ(image_io(d, DISK_WRITE, 0, buf, 65536), 0);
	disk_close(d, NULL, "");
	free(buf);
}

/* One request of a load; @note is called before it begins, or after it was a flush. */
static void load_step(struct disk *d, unsigned int *seed, u32 n, struct model *m, void (*note)(struct model *, u64, u64, u32))
{
	u64 at = rand_r(seed) % BLOCKS, nr = 1 + rand_r(seed) % min(BLOCKS - at, rand_r(seed) % 3 ? 8ULL : 300ULL);
	u8 *buf = malloc(nr * 512);

	switch (m->full ? 0 : rand_r(seed) % 12) {
	case 0:
		CHECK_EQ(image_io(d, DISK_FLUSH, 0, NULL, 0), 0);
		note(m, 0, 0, 0);
		break;
	case 1: case 2:
		note(m, at, nr, 0);
		CHECK_EQ(image_io(d, DISK_ZERO, at * 512, NULL, nr * 512), 0);
		break;
	case 3:
		note(m, at, nr, 0);
		CHECK_EQ(image_io(d, DISK_DISCARD, at * 512, NULL, nr * 512), 0);
		/* Only whole clusters go; the rest is as it was. */
		CHECK_EQ(image_io(d, DISK_ZERO, at * 512, NULL, nr * 512), 0);
		break;
	default:
		note(m, at, nr, n);
		image_fill(buf, at * 512, nr * 512, n);
		CHECK_EQ(image_io(d, DISK_WRITE, at * 512, buf, nr * 512), 0);
	}
	free(buf);
}

static void model_note(struct model *m, u64 block, u64 nr, u32 n)
{
	if (nr)
		model_op(m, block, nr, n);
	else
		model_flushed(m);
}

static void killed(struct image_create c, unsigned int seed)
{
	struct model *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int begun[2];
	pid_t pid;
	char byte;

	unlink(scratch("a"));
	c.file = scratch("a");
	c.format = DISK_FORMAT_QCOW2;
	c.size = SIZE;
	image_make(c);
	model_begin(m);
	CHECK_EQ(pipe(begun), 0);
	pid = fork();
	if (!pid) {
		struct disk *d = image_open((struct disk_options){ .file = scratch("a"), .format = DISK_FORMAT_QCOW2 });

		for (u32 n = 1; ; n++) {
			load_step(d, &seed, n, m, model_note);
			if (n % 8 == 0 && write(begun[1], "", 1) != 1)
				_exit(1);
		}
	}
	close(begun[1]);
	for (unsigned int i = rand_r(&seed) % 40; i; i--)
		CHECK_EQ(read(begun[0], &byte, 1), 1);
	/* Somewhere between two reports. */
	for (volatile unsigned int i = rand_r(&seed) % 100000; i; i--)
		;
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	close(begun[0]);
	model_check(m, "a");
	munmap(m, sizeof(*m));
}

TEST_TIMEOUT(killed, 400)
{
	int rounds = getenv("LKVM_TEST_LONG") ? 200 : 20;

	image_in_memory();
	for (int i = 0; i < rounds; i++)
		killed((struct image_create){ .cluster = 512 << i % 8, .lazy = i % 5 == 4, .extended = i % 8 >= 5 && i % 3 }, i);
}

/* The host, with its log: what is written, punched, and when it is stable. */

enum what { WRITE, PUNCH, LENGTH, SYNC, OP, FLUSHED };

struct event {
	enum what what;
	u64 off, len;
	u32 n;
	u8 *data;
};

static struct {
	bool on;
	ino_t ino;
	struct event *event;
	unsigned int nr;
} host;

static bool host_sees(int fd)
{
	struct stat st;

	return host.on && !fstat(fd, &st) && st.st_ino == host.ino;
}

static void host_log(enum what what, u64 off, u64 len, const void *data, u32 n)
{
	struct event *e;

	host.event = reallocarray(host.event, host.nr + 1, sizeof(*e));
	e = &host.event[host.nr++];
	*e = (struct event){ .what = what, .off = off, .len = len, .n = n };
	if (data) {
		e->data = malloc(len);
		memcpy(e->data, data, len);
	}
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t off);
ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t off)
{
	if (host_sees(fd))
		host_log(WRITE, off, len, buf, 0);
	return syscall(SYS_pwrite64, fd, buf, len, off);
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int nr, off64_t off, int flags)
{
	bool sees = host_sees(fd);
	u64 at = off;

	for (int i = 0; sees && i < nr; i++) {
		host_log(WRITE, at, iov[i].iov_len, iov[i].iov_base, 0);
		at += iov[i].iov_len;
	}
	return syscall(SYS_pwritev2, fd, iov, nr, (unsigned long)off, 0, flags);
}

int fdatasync(int fd)
{
	if (host_sees(fd))
		host_log(SYNC, 0, 0, NULL, 0);
	return syscall(SYS_fdatasync, fd);
}

int fallocate64(int fd, int mode, off64_t off, off64_t len)
{
	if (host_sees(fd))
		host_log(PUNCH, off, len, NULL, 0);
	return syscall(SYS_fallocate, fd, mode, off, len);
}

int ftruncate64(int fd, off64_t len)
{
	if (host_sees(fd))
		host_log(LENGTH, len, 0, NULL, 0);
	return syscall(SYS_ftruncate, fd, len);
}

static void host_note(struct model *m, u64 block, u64 nr, u32 n)
{
	host_log(nr ? OP : FLUSHED, block, nr, NULL, n);
	model_note(m, block, nr, n);
}

static void host_apply(int fd, const struct event *e, unsigned int *seed)
{
	static const u8 zeroes[512];

	for (u64 at = 0; at < e->len; ) {
		u64 n = min(e->len - at, 512 - (e->off + at) % 512);

		/* Sectors, some of them, where a seed says so. */
		if (!seed || rand_r(seed) % 2)
			CHECK_EQ(syscall(SYS_pwrite64, fd, e->what == PUNCH ? zeroes : e->data + at, n, e->off + at), n);
		at += n;
	}
	if (e->what == LENGTH && (!seed || rand_r(seed) % 2))
		CHECK_EQ(syscall(SYS_ftruncate, fd, e->off), 0);
}

/* The image as the power left it before event @end. */
static void cut(unsigned int end, unsigned int seed, const u8 *before, size_t len)
{
	struct model *m = malloc(sizeof(*m));
	unsigned int stable = 0;
	int fd = open(scratch("cut"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK_EQ(write(fd, before, len), len);
	model_begin(m);
	for (unsigned int i = 0; i < end; i++) {
		const struct event *e = &host.event[i];

		if (e->what == SYNC)
			stable = i;
		else if (e->what == OP)
			model_op(m, e->off, e->len, e->n);
		else if (e->what == FLUSHED)
			model_flushed(m);
	}
	for (unsigned int i = 0; i < end; i++)
		if (host.event[i].what <= LENGTH)
			host_apply(fd, &host.event[i], i < stable ? NULL : &seed);
	close(fd);
	tap_note("cut before event %u of %u, stable to %u", end, host.nr, stable);
	model_check(m, "cut");
	free(m);
}

static void power_fails(struct image_create c, unsigned int seed, unsigned int steps, unsigned int cuts)
{
	struct model *m = malloc(sizeof(*m));
	struct stat st;
	struct disk *d;
	u8 *before;
	int fd;

	image_in_memory();
	unlink(scratch("a"));
	c.file = scratch("a");
	c.format = DISK_FORMAT_QCOW2;
	c.size = SIZE;
	image_make(c);
	fd = open(scratch("a"), O_RDONLY);
	CHECK_EQ(fstat(fd, &st), 0);
	before = malloc(st.st_size);
	CHECK_EQ(read(fd, before, st.st_size), st.st_size);
	close(fd);
	host.nr = 0;
	host.ino = st.st_ino;
	host.on = true;
	model_begin(m);
	d = image_open((struct disk_options){ .file = scratch("a"), .format = DISK_FORMAT_QCOW2 });
	for (u32 n = 1; n <= steps; n++)
		load_step(d, &seed, n, m, host_note);
	disk_close(d, NULL, "");
	host.on = false;
	for (unsigned int i = 0; i < cuts; i++) {
		unsigned int end = rand_r(&seed) % host.nr;

		/* Mostly when much is not stable: before the host is asked for that. */
		while (i % 4 && end < host.nr && host.event[end].what != SYNC)
			end++;
		cut(end, seed, before, st.st_size);
	}
	cut(host.nr, seed, before, st.st_size);
	for (unsigned int i = 0; i < host.nr; i++)
		free(host.event[i].data);
	free(before);
	free(m);
}

TEST_TIMEOUT(the_power_fails, 120)
{
	power_fails((struct image_create){ .cluster = 4096 }, 1, 200, 40);
}

TEST_TIMEOUT(the_power_fails_with_small_clusters, 120)
{
	power_fails((struct image_create){ .cluster = 512, .refcount_bits = 64 }, 2, 100, 30);
}

TEST_TIMEOUT(the_power_fails_with_subclusters, 120)
{
	power_fails((struct image_create){ .cluster = 16384, .extended = true }, 3, 200, 30);
}
