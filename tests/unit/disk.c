// SPDX-License-Identifier: GPL-2.0
/* Disks without a guest: raw images of every size, copy-on-write, locks, and what is refused. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kvm/disk.h>
#include <kvm/keep.h>
#include <kvm/opt.h>

#include "scratch.h"
#include "tap.h"

static struct opt_err why;

static struct disk *disk_new(struct disk_options opts)
{
	struct disk *d = NULL;
	int ret;

	setenv("TMPDIR", scratch_dir(), 1);
	opts.block = opts.block ? opts.block : 512;
	ret = disk_open(&d, &opts, NULL, "disk", &why);
	if (ret)
		tap_fail(__FILE__, __LINE__, "%s", why.text);
	return d;
}

static int disk_refused(struct disk_options opts, const char *text)
{
	struct disk *d = NULL;
	int ret;

	setenv("TMPDIR", scratch_dir(), 1);
	opts.block = opts.block ? opts.block : 512;
	ret = disk_open(&d, &opts, NULL, "disk", &why);
	if (!ret || !strstr(why.text, text))
		tap_fail(__FILE__, __LINE__, "%s: \"%s\" does not say \"%s\"", opts.file, ret ? why.text : "", text);
	return ret;
}

static void image(const char *name, size_t len, char fill)
{
	char *data = malloc(len);
	int fd = open(scratch(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	memset(data, fill, len);
	CHECK_EQ(write(fd, data, len), len);
	close(fd);
	free(data);
}

static int io(struct disk *d, enum disk_op op, u64 off, void *buf, size_t len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct iov_iter data;
	struct disk_req req = { .op = op, .off = off, .len = len, .data = &data };

	iov_iter_init(&data, &iov, 1);
	return disk_allows(d, &req) ? disk_serve(d, &req) : -EPERM;
}

static void check_fill(struct disk *d, u64 off, size_t len, char fill)
{
	char *buf = malloc(len), *want = malloc(len);

	memset(buf, 0x55, len);
	memset(want, fill, len);
	CHECK_EQ(io(d, DISK_READ, off, buf, len), 0);
	CHECK_MEM(buf, want, len);
	free(buf);
	free(want);
}

TEST(what_is_written_is_read)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M" });
	char buf[4096];

	CHECK_EQ(disk_size(d), 1 << 20);
	check_fill(d, 0, 1 << 20, 0);
	memset(buf, 'a', sizeof(buf));
	CHECK_EQ(io(d, DISK_WRITE, 512, buf, sizeof(buf)), 0);
	check_fill(d, 0, 512, 0);
	check_fill(d, 512, 4096, 'a');
	check_fill(d, 4608, 512, 0);
	CHECK_EQ(io(d, DISK_ZERO, 1024, buf, 512), 0);
	check_fill(d, 512, 512, 'a');
	check_fill(d, 1024, 512, 0);
	check_fill(d, 1536, 512, 'a');
	CHECK_EQ(io(d, DISK_FLUSH, 0, NULL, 0), 0);
	disk_close(d, NULL, "disk");
}

TEST(what_may_be_asked)
{
	struct disk *d = disk_new((struct disk_options){ .file = "new:1M", .block = 4096 });
	static const struct { u64 off, len; bool good; } cases[] = {
		{ 0, 4096, true }, { (1 << 20) - 4096, 4096, true }, { 0, 1 << 20, true },
		{ 0, 0, false }, { 512, 4096, false }, { 0, 512, false }, { 1 << 20, 4096, false },
		{ (1 << 20) - 4096, 8192, false }, { 0ULL - 4096, 4096, false }, { 4096, 0ULL - 4096, false },
		{ 0, 0ULL - 4096, false },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (enum disk_op op = DISK_READ; op <= DISK_ZERO; op++) {
			struct disk_req req = { .op = op, .off = cases[i].off, .len = cases[i].len };

			CHECK_EQ(disk_allows(d, &req), op == DISK_FLUSH || cases[i].good);
		}
	disk_close(d, NULL, "disk");
}

/* The image is neither longer nor other before its last block is written. */
TEST(a_size_that_is_no_multiple)
{
	struct disk_options opts = { .file = scratch("odd") };
	char buf[512];
	struct disk *d;
	struct stat st;

	image("odd", 1000, 'x');
	d = disk_new(opts);
	CHECK_EQ(disk_size(d), 1024);
	check_fill(d, 0, 512, 'x');
	CHECK_EQ(io(d, DISK_READ, 512, buf, 512), 0);
	CHECK(buf[487] == 'x' && !buf[488] && !buf[511]);
	CHECK_EQ(stat(opts.file, &st), 0);
	CHECK_EQ(st.st_size, 1000);
	CHECK_EQ(io(d, DISK_ZERO, 512, NULL, 512), 0);
	CHECK_EQ(stat(opts.file, &st), 0);
	CHECK_EQ(st.st_size, 1000);
	memset(buf, 'y', 512);
	CHECK_EQ(io(d, DISK_WRITE, 512, buf, 512), 0);
	CHECK_EQ(stat(opts.file, &st), 0);
	CHECK_EQ(st.st_size, 1024);
	check_fill(d, 512, 512, 'y');
	disk_close(d, NULL, "disk");
}

TEST(an_image_that_becomes_shorter)
{
	struct disk_options opts = { .file = scratch("short") };
	char buf[512];
	struct disk *d;

	image("short", 8192, 'x');
	d = disk_new(opts);
	CHECK_EQ(truncate(opts.file, 4096), 0);
	CHECK_EQ(io(d, DISK_READ, 0, buf, 512), 0);
	CHECK_EQ(io(d, DISK_READ, 4096, buf, 512), -EIO);
	disk_close(d, NULL, "disk");
}

TEST(discard_and_zeroes_leave_holes)
{
	struct disk_options opts = { .file = scratch("sparse") };
	struct stat before, after;
	struct disk *d;

	image("sparse", 1 << 20, 'x');
	CHECK_EQ(stat(opts.file, &before), 0);
	d = disk_new(opts);
	CHECK_EQ(io(d, DISK_ZERO, 65536, NULL, 262144), 0);
	check_fill(d, 65536, 262144, 0);
	CHECK_EQ(io(d, DISK_DISCARD, 524288, NULL, 262144), 0);
	check_fill(d, 0, 65536, 'x');
	CHECK_EQ(stat(opts.file, &after), 0);
	CHECK_EQ(after.st_size, 1 << 20);
	if (before.st_blocks * 512 < 1 << 20)
		SKIP("the file system packs what is written");
	CHECK(after.st_blocks * 512 <= (1 << 20) - 524288);
	disk_close(d, NULL, "disk");
}

TEST(copy_on_write)
{
	struct disk_options opts = { .file = scratch("base"), .cow = true };
	struct disk_options reads = { .file = opts.file, .ro = true };
	struct disk *d, *other;
	char buf[1536];

	image("base", 262144 + 100, 'x');
	CHECK_EQ(chmod(opts.file, 0444), 0);
	d = disk_new(opts);
	other = disk_new(opts);
	CHECK_EQ(disk_size(d), 262144 + 512);
	CHECK(!disk_readonly(d));
	memset(buf, 'a', sizeof(buf));
	CHECK_EQ(io(d, DISK_WRITE, 512, buf, sizeof(buf)), 0);
	CHECK_EQ(io(d, DISK_WRITE, 262144, buf, 512), 0);
	CHECK_EQ(io(d, DISK_DISCARD, 65536, NULL, 65536), 0);
	CHECK_EQ(io(d, DISK_ZERO, 131072 + 512, NULL, 512), 0);
	check_fill(d, 0, 512, 'x');
	check_fill(d, 512, 1536, 'a');
	check_fill(d, 2048, 65536 - 2048, 'x');
	check_fill(d, 65536, 65536, 0);
	check_fill(d, 131072, 512, 'x');
	check_fill(d, 131072 + 512, 512, 0);
	check_fill(d, 131072 + 1024, 131072 - 1024, 'x');
	check_fill(d, 262144, 512, 'a');
	/* Nobody else sees any of it. */
	check_fill(other, 0, 262144, 'x');
	disk_close(other, NULL, "disk");
	other = disk_new(reads);
	check_fill(other, 0, 262144, 'x');
	disk_close(other, NULL, "disk");
	disk_close(d, NULL, "disk");
}

/* Against a plain buffer: reads and writes of all lengths at random. */
TEST_TIMEOUT(copy_on_write_at_random, 60)
{
	enum { BLOCKS = 300, SIZE = BLOCKS * 512 };
	struct disk_options opts = { .file = scratch("base"), .cow = true };
	char *want = malloc(SIZE), *buf = malloc(SIZE);
	struct disk *d;

	srandom(1);
	image("base", SIZE, 'x');
	memset(want, 'x', SIZE);
	d = disk_new(opts);
	for (int i = 0; i < 3000; i++) {
		u32 block = random() % BLOCKS, nr = 1 + random() % (BLOCKS - block);
		u32 off = block * 512, len = nr * 512;

		nr = random() % 8;
		if (nr < 3) {
			memset(buf, i, len);
			memcpy(want + off, buf, len);
			CHECK_EQ(io(d, DISK_WRITE, off, buf, len), 0);
		} else if (nr == 3) {
			memset(want + off, 0, len);
			CHECK_EQ(io(d, DISK_ZERO, off, NULL, len), 0);
		} else {
			CHECK_EQ(io(d, DISK_READ, off, buf, len), 0);
			CHECK_MEM(buf, want + off, len);
		}
	}
	disk_close(d, NULL, "disk");
	free(want);
	free(buf);
}

/* Buffers that O_DIRECT does not take go through one that it takes. */
TEST(direct)
{
	struct disk_options opts = { .file = scratch("direct"), .direct = true, .block = 4096 };
	char *buf = malloc(3 << 20);
	int fd;
	struct disk *d;

	image("direct", 4 << 20, 'x');
	fd = open(opts.file, O_RDONLY | O_DIRECT);
	if (fd < 0) {
		disk_refused(opts, "direct");
		SKIP("no direct I/O here");
	}
	close(fd);
	d = disk_new(opts);
	memset(buf + 1, 'a', 2 << 20);
	CHECK_EQ(io(d, DISK_WRITE, 4096, buf + 1, 2 << 20), 0);
	check_fill(d, 0, 4096, 'x');
	check_fill(d, 4096, 2 << 20, 'a');
	check_fill(d, (2 << 20) + 4096, 4096, 'x');
	disk_close(d, NULL, "disk");
	free(buf);
}

/* A length that O_DIRECT does not take, in memory that it takes; and an image that ends within a block. */
TEST(direct_and_odd_lengths)
{
	struct disk_options opts = { .file = scratch("direct"), .direct = true, .block = 4096 };
	char *buf = aligned_alloc(4096, 32768);
	struct iovec iov[2] = { { buf, 1600 }, { buf + 16384, 8192 - 1600 } };
	struct iov_iter data;
	struct disk_req req = { .op = DISK_WRITE, .off = 4096, .len = 8192, .data = &data };
	struct disk *d;
	int fd;

	image("direct", 12288 + 1000, 'x');
	fd = open(opts.file, O_RDONLY | O_DIRECT);
	if (fd < 0)
		SKIP("no direct I/O here");
	close(fd);
	d = disk_new(opts);
	memset(buf, 'a', 32768);
	iov_iter_init(&data, iov, 2);
	CHECK_EQ(disk_serve(d, &req), 0);
	check_fill(d, 0, 4096, 'x');
	check_fill(d, 4096, 8192, 'a');
	req.op = DISK_READ;
	iov_iter_init(&data, iov, 2);
	CHECK_EQ(disk_serve(d, &req), 0);
	CHECK_EQ(io(d, DISK_READ, 8192, buf, 8192), 0);
	CHECK(buf[4095] == 'a' && buf[4096] == 'x' && buf[4096 + 999] == 'x' && !buf[4096 + 1000] && !buf[8191]);
	disk_close(d, NULL, "disk");
	free(buf);
}

/* A file system that makes no holes: a gibibyte is discarded at once, and zeroes are still written. */
static bool no_holes;

int fallocate(int fd, int mode, off_t off, off_t len)
{
	if (no_holes) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return syscall(SYS_fallocate, fd, mode, off, len);
}

TEST(discard_without_holes_writes_nothing)
{
	struct disk_options opts = { .file = scratch("base"), .cow = true };
	struct disk *d, *plain;

	image("base", 65536, 'x');
	CHECK_EQ(truncate(opts.file, 16ULL << 30), 0);
	d = disk_new(opts);
	plain = disk_new((struct disk_options){ .file = "new:1M" });
	no_holes = true;
	for (u64 off = 0; off < 16ULL << 30; off += 1 << 30)
		CHECK_EQ(io(d, DISK_DISCARD, off, NULL, 1 << 30), 0);
	check_fill(d, 0, 65536, 'x');
	CHECK_EQ(io(plain, DISK_DISCARD, 0, NULL, 1 << 20), 0);
	CHECK_EQ(io(d, DISK_ZERO, 4096, NULL, 4096), 0);
	check_fill(d, 0, 4096, 'x');
	check_fill(d, 4096, 4096, 0);
	no_holes = false;
	disk_close(plain, NULL, "disk");
	disk_close(d, NULL, "disk");
}

TEST(one_writer_or_many_readers)
{
	struct disk_options rw = { .file = scratch("image") };
	struct disk_options ro = { .file = rw.file, .ro = true };
	struct disk_options cow = { .file = rw.file, .cow = true };
	struct disk *d, *other;

	image("image", 4096, 'x');
	d = disk_new(rw);
	CHECK_EQ(disk_refused(rw, "uses it"), -EBUSY);
	CHECK_EQ(disk_refused(ro, "writes it"), -EBUSY);
	CHECK_EQ(disk_refused(cow, "writes it"), -EBUSY);
	disk_close(d, NULL, "disk");
	d = disk_new(ro);
	other = disk_new(cow);
	CHECK_EQ(disk_refused(rw, "uses it"), -EBUSY);
	CHECK_EQ(io(d, DISK_WRITE, 0, NULL, 512), -EPERM);
	CHECK_EQ(io(d, DISK_FLUSH, 0, NULL, 0), 0);
	disk_close(other, NULL, "disk");
	disk_close(d, NULL, "disk");
	disk_close(disk_new(rw), NULL, "disk");
}

/* A reboot opens nothing and loses nothing. */
TEST(it_waits_for_the_next_start)
{
	struct disk_options opts = { .file = scratch("image"), .cow = true, .block = 512 };
	struct keep *keep = keep_new();
	struct disk *d, *again;
	char buf[512];

	image("image", 4096, 'x');
	d = disk_new(opts);
	memset(buf, 'a', 512);
	CHECK_EQ(io(d, DISK_WRITE, 0, buf, 512), 0);
	disk_close(d, keep, "vda");
	CHECK_EQ(unlink(opts.file), 0);
	CHECK_EQ(disk_open(&again, &opts, keep, "vdb", &why), -ENOENT);
	CHECK_EQ(disk_open(&again, &opts, keep, "vda", &why), 0);
	check_fill(again, 0, 512, 'a');
	check_fill(again, 512, 512, 'x');
	disk_close(again, keep, "vda");
	keep_free(keep);
}

TEST(what_is_refused)
{
	static const char qcow2[] = "QFI\xfb\0\0\0\3 and so on";
	struct disk *d;
	int fd;

	CHECK_EQ(disk_refused((struct disk_options){ .file = scratch("none") }, "new:SIZE"), -ENOENT);
	CHECK_EQ(disk_refused((struct disk_options){ .file = scratch_dir() }, "--root"), -EISDIR);
	disk_refused((struct disk_options){ .file = "/dev/null" }, "neither a file nor a block device");
	CHECK_EQ(mkfifo(scratch("fifo"), 0600), 0);
	disk_refused((struct disk_options){ .file = scratch("fifo") }, "neither");
	scratch_file("empty", "");
	disk_refused((struct disk_options){ .file = scratch("empty") }, "is empty");
	disk_refused((struct disk_options){ .file = "new:0" }, "new:10G");
	disk_refused((struct disk_options){ .file = "new:" }, "new:10G");
	disk_refused((struct disk_options){ .file = "new:1000B" }, "multiple of the block");
	disk_refused((struct disk_options){ .file = "new:9999999P" }, "new:10G");
	disk_refused((struct disk_options){ .file = "new:1M", .ro = true }, "neither ro nor cow");
	disk_refused((struct disk_options){ .file = "new:1M", .block = 1000 }, "power of two");
	disk_refused((struct disk_options){ .file = scratch("empty"), .ro = true, .cow = true }, "not with ro");

	fd = open(scratch("q.img"), O_WRONLY | O_CREAT, 0600);
	CHECK_EQ(write(fd, qcow2, sizeof(qcow2)), sizeof(qcow2));
	close(fd);
	disk_refused((struct disk_options){ .file = scratch("q.img") }, "format=qcow2 takes it for one, format=raw");
	d = disk_new((struct disk_options){ .file = scratch("q.img"), .format = DISK_FORMAT_RAW });
	CHECK_EQ(disk_size(d), 512);
	disk_close(d, NULL, "disk");
	image("a.qcow2", 4096, 'x');
	disk_refused((struct disk_options){ .file = scratch("a.qcow2") }, "is no qcow2 image; format=raw");
	if (geteuid()) {
		image("locked", 4096, 'x');
		CHECK_EQ(chmod(scratch("locked"), 0444), 0);
		CHECK_EQ(disk_refused((struct disk_options){ .file = scratch("locked") }, "ro and cow"), -EACCES);
	}
}
