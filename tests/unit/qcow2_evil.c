// SPDX-License-Identifier: GPL-2.0
/*
 * qcow2 images that are not what they should be, by accident or on purpose: refused with
 * the reason, or repaired, or an error for the guest; and never written where something
 * else is.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "image.h"
#include "scratch.h"
#include "tap.h"

#define CLUSTER	4096

static struct disk_options image(const char *name)
{
	return (struct disk_options){ .file = scratch(name), .format = DISK_FORMAT_QCOW2 };
}

static struct disk_options image_ro(const char *name)
{
	return (struct disk_options){ .file = scratch(name), .format = DISK_FORMAT_QCOW2, .ro = true };
}

static void make(struct image_create c)
{
	unlink(scratch("a"));
	c.file = scratch("a");
	c.format = DISK_FORMAT_QCOW2;
	c.size = c.size ? c.size : MIB;
	c.cluster = c.cluster ? c.cluster : CLUSTER;
	image_make(c);
}

static void poke(const char *name, u64 off, const void *data, size_t len)
{
	int fd = open(scratch(name), O_WRONLY);

	CHECK_EQ(pwrite(fd, data, len, off), len);
	close(fd);
}

static void poke32(const char *name, u64 off, u32 val)
{
	u32 be = htobe32(val);

	poke(name, off, &be, sizeof(be));
}

static void poke64(const char *name, u64 off, u64 val)
{
	u64 be = htobe64(val);

	poke(name, off, &be, sizeof(be));
}

static u64 peek64(const char *name, u64 off)
{
	int fd = open(scratch(name), O_RDONLY);
	u64 be = 0;

	CHECK_EQ(pread(fd, &be, sizeof(be), off), sizeof(be));
	close(fd);
	return be64toh(be);
}

static int put(struct disk *d, u64 off, size_t len)
{
	u8 *buf = malloc(len);
	int ret;

	memset(buf, 'x', len);
	ret = image_io(d, DISK_WRITE, off, buf, len);
	free(buf);
	return ret;
}

/* The image has a few clusters of data. */
static void make_filled(struct image_create c)
{
	struct disk *d;

	make(c);
	d = image_open(image("a"));
	CHECK_EQ(put(d, 0, 16 * CLUSTER), 0);
	disk_close(d, NULL, "");
}

/* Where the table of the first L2 entries is. */
static u64 first_l2(void)
{
	return peek64("a", peek64("a", 40)) & 0xfffffffffffe00ULL;
}

TEST(headers_that_are_refused)
{
	static const struct { unsigned int at, len; u64 val; const char *text; } cases[] = {
		{ 0, 4, 0x51464900, "is no qcow2 image" }, { 4, 4, 4, "version 4" }, { 4, 4, 1, "version 1" },
		{ 20, 4, 8, "2^8 bytes" }, { 20, 4, 22, "2^22" }, { 20, 4, ~0U, "2^4294967295" },
		{ 24, 8, 0, "0 bytes" }, { 24, 8, 513, "513 bytes" }, { 24, 8, ~0ULL << 9, "multiple of 512" },
		{ 24, 8, 1ULL << 40, "too small for" }, { 32, 4, 2, "encrypted" },
		{ 36, 4, ~0U, "L1 table" }, { 40, 8, 512, "L1 table" }, { 40, 8, 0, "L1 table" }, { 40, 8, 1ULL << 62, "cannot be read" },
		{ 40, 8, ~0ULL << 12, "L1 table" }, { 48, 8, 1, "refcount table" }, { 48, 8, 1ULL << 61, "cannot be read" },
		{ 56, 4, 0, "refcount table" }, { 56, 4, ~0U, "refcount table" }, { 60, 4, ~0U, "snapshots" },
		{ 8, 8, 104, "backing file" }, { 8, 8, ~0ULL, "backing file" },
		{ 72, 8, 1ULL << 5, "\"without a name\" (incompatible bit 5)" }, { 72, 8, 1ULL << 63, "bit 63" },
		{ 72, 8, 8, "is compressed by" }, { 72, 8, 16, "extended L2 entries" }, { 72, 8, 4, "does not name it" },
		{ 88, 8, 2, "raw data file" }, { 96, 4, 7, "2^7 bits" }, { 100, 4, 96, "header of 96" }, { 100, 4, 105, "header of 105" },
		{ 100, 4, 8192, "header of 8192" }, { 112, 8, 0x12345678ffffffffULL, "header extension" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		make((struct image_create){ 0 });
		if (cases[i].len == 4)
			poke32("a", cases[i].at, cases[i].val);
		else
			poke64("a", cases[i].at, cases[i].val);
		image_refused(image("a"), cases[i].text);
	}
}

TEST(an_unknown_feature_has_its_name)
{
	u8 table[8 + 48 + 8] = { 0x68, 0x03, 0xf8, 0x57, 0, 0, 0, 48, 0, 7, 'w', 'a', 'r', 'p' };

	make((struct image_create){ 0 });
	poke("a", 112, table, sizeof(table));
	poke64("a", 72, 1ULL << 7);
	image_refused(image_ro("a"), "\"warp\" (incompatible bit 7)");
}

TEST(files_that_are_cut_short)
{
	for (u64 len = 0; len < 5 * CLUSTER; len += 509) {
		struct opt_err err;
		struct disk_options opts = image("a");
		struct disk *d;

		make_filled((struct image_create){ 0 });
		CHECK_EQ(truncate(scratch("a"), len), 0);
		opts.block = 512;
		opts.file = scratch("a");
		if (disk_open(&d, &opts, NULL, "", &err))
			continue;
		put(d, 0, CLUSTER);
		put(d, 64 * CLUSTER, CLUSTER);
		image_io(d, DISK_FLUSH, 0, NULL, 0);
		disk_close(d, NULL, "");
	}
}

/* A table is no longer all there: the check says so, and goes on. */
TEST(tables_that_are_cut_short)
{
	struct image_check check = { .repair = false };
	struct opt_err err;

	make_filled((struct image_create){ 0 });
	CHECK_EQ(image_check(scratch("a"), DISK_FORMAT_QCOW2, &check, &err), 0);
	CHECK_EQ(check.errors, 0);
	CHECK_EQ(truncate(scratch("a"), first_l2() + 512), 0);
	CHECK_EQ(image_check(scratch("a"), DISK_FORMAT_QCOW2, &check, &err), 0);
	CHECK(check.errors);
	make_filled((struct image_create){ 0 });
	CHECK_EQ(truncate(scratch("a"), 100 * CLUSTER + 512), 0);
	poke64("a", peek64("a", 48), 100 * CLUSTER);	/* the block of counts */
	CHECK_EQ(image_check(scratch("a"), DISK_FORMAT_QCOW2, &check, &err), 0);
	CHECK(check.errors);
}

/* What the header says about places holds, whatever an entry says. */
TEST(nothing_is_written_below_the_tables)
{
	/* The header, the refcount table, the L1 table; what is not aligned, what is beyond the end. */
	static const u64 places[] = { 0, CLUSTER, 3 * CLUSTER, 5 * CLUSTER + 512, 1ULL << 40, 0xfffffffffff000ULL };

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		u8 before[4 * CLUSTER], after[4 * CLUSTER];
		struct disk *d;
		int fd;

		make_filled((struct image_create){ 0 });
		poke64("a", first_l2() + 3 * 8, places[i] | 1ULL << 63);
		fd = open(scratch("a"), O_RDONLY);
		CHECK_EQ(pread(fd, before, sizeof(before), 0), sizeof(before));
		d = image_open(image("a"));
		CHECK_EQ(put(d, 3 * CLUSTER, CLUSTER), -EIO);
		/* It is marked, and nothing else is written any more. */
		CHECK_EQ(put(d, 5 * CLUSTER, CLUSTER), -EIO);
		CHECK_EQ(image_io(d, DISK_DISCARD, 0, NULL, CLUSTER), -EIO);
		disk_close(d, NULL, "");
		CHECK_EQ(pread(fd, after, sizeof(after), 0), sizeof(after));
		close(fd);
		CHECK_EQ(peek64("a", 72), 2);
		after[79] = before[79];
		CHECK_MEM(after, before, sizeof(before));
		image_refused(image("a"), "marked as corrupt");
		d = image_open(image_ro("a"));
		CHECK_EQ(image_io(d, DISK_READ, 0, after, CLUSTER), 0);
		CHECK_EQ(image_io(d, DISK_READ, 3 * CLUSTER, after, CLUSTER), places[i] ? -EIO : 0);
		disk_close(d, NULL, "");
	}
}

/* Counts say that live clusters are free: an allocator that believes them would give tables away. */
static void counts_lie(struct disk_options opts, u64 cluster, int want)
{
	struct disk *d;
	u16 zero = 0;

	make_filled((struct image_create){ 0 });
	poke("a", 2 * CLUSTER + cluster * 2, &zero, sizeof(zero));
	opts.file = scratch("a");
	d = image_open(opts);
	CHECK_EQ(put(d, 32 * CLUSTER, CLUSTER), want);
	disk_close(d, NULL, "");
	CHECK_EQ(peek64("a", 72), 2);
}

TEST(live_clusters_are_not_given_away)
{
	struct disk_options verify = image("a");

	verify.verify = true;
	make_filled((struct image_create){ 0 });
	/* An L2 table and a block of counts are seen always, data by a proof. */
	counts_lie(image("a"), first_l2() / CLUSTER, -EIO);
	counts_lie(image("a"), 2, -EIO);
	counts_lie(image("a"), 3, -EIO);
	counts_lie(image("a"), 0, -EIO);
	counts_lie(verify, first_l2() / CLUSTER + 3, -EIO);
}

static void repaired(u64 errors, u64 leaks)
{
	struct image_check check = { .repair = false };
	struct opt_err err;

	CHECK_EQ(image_check(scratch("a"), DISK_FORMAT_QCOW2, &check, &err), 0);
	CHECK_EQ(check.errors, errors);
	CHECK_EQ(check.leaks, leaks);
	check.repair = true;
	if (image_check(scratch("a"), DISK_FORMAT_QCOW2, &check, &err))
		tap_fail(__FILE__, __LINE__, "%s", err.text);
	check.repair = false;
	CHECK_EQ(image_check(scratch("a"), DISK_FORMAT_QCOW2, &check, &err), 0);
	CHECK_EQ(check.errors, 0);
	CHECK_EQ(check.leaks, 0);
	if (!image_shell(true, "command -v qemu-img"))
		CHECK_EQ(image_shell(false, "qemu-img check -f qcow2 a"), 0);
}

TEST(checks_and_repairs)
{
	u16 one = htobe16(1), three = htobe16(3), zero = 0;
	struct image_check check = { .repair = true };
	u8 buf[16 * CLUSTER];
	struct opt_err err;
	struct disk *d;

	make_filled((struct image_create){ 0 });
	repaired(0, 0);
	poke("a", 2 * CLUSTER + 100 * 2, &one, 2);	/* beyond the file: nobody has it */
	repaired(0, 0);
	make_filled((struct image_create){ 0 });
	poke("a", 2 * CLUSTER + 10 * 2, &three, 2);
	poke("a", 2 * CLUSTER + 11 * 2, &zero, 2);
	repaired(1, 1);
	/* Bit 63 where the count is one, and only there. */
	poke64("a", first_l2() + 8, peek64("a", first_l2() + 8) & ~(1ULL << 63));
	poke64("a", peek64("a", 40), peek64("a", peek64("a", 40)) & ~(1ULL << 63));
	repaired(2, 0);
	/* The block of counts is gone. */
	poke64("a", CLUSTER, 0);
	repaired(3 + 1 + 16, 0);
	/* It is nowhere. */
	poke64("a", peek64("a", 48), 513);
	repaired(1 + 3 + 1 + 16, 0);
	poke64("a", peek64("a", 48), 1ULL << 40);
	repaired(1 + 3 + 1 + 16, 0);
	make_filled((struct image_create){ 0 });
	poke64("a", CLUSTER, 7 * CLUSTER);	/* it is where data is */
	CHECK_EQ(image_check(scratch("a"), DISK_FORMAT_QCOW2, &check, &err), 0);
	CHECK(check.errors);
	repaired(0, 0);
	/* The guest's data is as it was. */
	d = image_open(image_ro("a"));
	CHECK_EQ(image_io(d, DISK_READ, 0, buf, sizeof(buf)), 0);
	for (unsigned int i = 0; i < sizeof(buf); i++)
		CHECK_EQ(buf[i], 'x');
	disk_close(d, NULL, "");
}

TEST(dirty_images_are_repaired_when_they_are_opened)
{
	u16 zero = 0;
	struct disk *d;

	make_filled((struct image_create){ .lazy = true });
	poke("a", 2 * CLUSTER + 10 * 2, &zero, 2);
	poke64("a", 72, 1);
	disk_close(image_open(image_ro("a")), NULL, "");
	CHECK_EQ(peek64("a", 72), 1);
	d = image_open(image("a"));
	CHECK_EQ(peek64("a", 72), 0);
	CHECK_EQ(put(d, 0, CLUSTER), 0);
	CHECK_EQ(peek64("a", 72), 1);
	disk_close(d, NULL, "");
	CHECK_EQ(peek64("a", 72), 0);
	CHECK_EQ(peek64("a", 80), 1);
	repaired(0, 0);
}

/* What is not known is kept; what is not up to date any more is said not to be. */
TEST(the_header_stays_as_it_is)
{
	u8 before[CLUSTER], after[CLUSTER], unknown[] = { 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0 };
	struct disk *d;
	int fd;

	make((struct image_create){ 0 });
	poke("a", 112, unknown, sizeof(unknown));
	poke64("a", 80, 1ULL << 40);
	poke64("a", 88, 1ULL << 50);
	fd = open(scratch("a"), O_RDONLY);
	CHECK_EQ(pread(fd, before, sizeof(before), 0), sizeof(before));
	d = image_open(image("a"));
	CHECK_EQ(image_io(d, DISK_READ, 0, after, sizeof(after)), 0);
	disk_close(d, NULL, "");
	CHECK_EQ(pread(fd, after, sizeof(after), 0), sizeof(after));
	CHECK_MEM(after, before, sizeof(before));
	d = image_open(image("a"));
	CHECK_EQ(put(d, 0, 100 * CLUSTER), 0);
	disk_close(d, NULL, "");
	CHECK_EQ(peek64("a", 88), 0);
	CHECK_EQ(pread(fd, after, sizeof(after), 0), sizeof(after));
	memcpy(after + 88, before + 88, 8);
	CHECK_MEM(after, before, sizeof(before));
	close(fd);
}

static void back(const char *name, const char *backing, const char *format)
{
	u8 ext[16] = { 0xe2, 0x79, 0x2a, 0xca, 0, 0, 0, strlen(format) };
	u64 none = 0;

	image_make((struct image_create){ .file = scratch(name), .format = DISK_FORMAT_QCOW2, .size = MIB, .cluster = CLUSTER });
	memcpy(ext + 8, format, strlen(format));
	poke(name, 112, ext, *format ? 16 : 0);
	poke(name, *format ? 128 : 112, &none, 8);
	poke(name, 200, backing, strlen(backing));
	poke64(name, 8, 200);
	poke32(name, 16, strlen(backing));
}

TEST(images_behind_images)
{
	struct disk_options any;
	char name[16], behind[16];
	struct disk *d;

	back("a", "a", "qcow2");
	image_refused(image_ro("a"), "behind itself");
	back("b", "c", "qcow2");
	back("c", "b", "qcow2");
	image_refused(image("b"), "behind itself");
	back("d0", "none", "raw");
	image_refused(image("d0"), "No such file");
	for (int i = 1; i < 30; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		snprintf(behind, sizeof(behind), "d%d", i - 1);
		back(name, behind, "qcow2");
	}
	image_refused(image("d29"), "more than 16 images");
	back("e", "/etc/passwd", "raw");
	image_refused(image("e"), "outside of its directory; backing=any");
	any = image("e");
	any.anywhere = true;
	d = image_open(any);
	disk_close(d, NULL, "");
	back("f", "json:{}", "raw");
	image_refused(image("f"), "is no file");
	back("g", "e", "vmdk");
	image_refused(image("g"), "format \"vmdk\"");
	back("h", "e", "");
	image_refused(image("h"), "does not say that its backing file");
	CHECK_EQ(symlink("/etc/passwd", scratch("link")), 0);
	back("i", "link", "raw");
	image_refused(image("i"), "outside");
	back("j", ".", "raw");
	image_refused(image("j"), "outside");
}

/* A data file is written, so not every file beside the image can be one. */
TEST(data_files_of_other_names)
{
	static const char *const own[] = { "a.raw", "a.data.1" }, *const other[] = { "b.raw", "aa.raw", "./a.raw" };
	struct disk_options any = image("a");

	for (unsigned int i = 0; i < ARRAY_SIZE(own); i++) {
		make((struct image_create){ .data_file = own[i] });
		disk_close(image_open(image("a")), NULL, "");
		unlink(scratch(own[i]));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(other); i++) {
		make((struct image_create){ .data_file = other[i] });
		image_refused(image("a"), "has another name; backing=any");
		disk_close(image_open(image_ro("a")), NULL, "");
		any.anywhere = true;
		disk_close(image_open(any), NULL, "");
		unlink(scratch(other[i]));
	}
}

TEST(what_others_compress)
{
	image_needs_qemu();
	CHECK_EQ(image_shell(false, "qemu-img create -q -f qcow2 -o compression_type=zstd a 1M"), 0);
	image_refused(image_ro("a"), "zstd");
	/* A cluster that does not unpack is an error for the guest. */
	CHECK_EQ(image_shell(false, "rm a; head -c 1000 /dev/zero | tr '\\0' x > r; truncate -s 1M r; qemu-img convert -c -O qcow2 r a"), 0);
	u64 entry = first_l2(), at;
	u8 buf[4096], junk[64];
	struct disk *d = image_open(image_ro("a"));

	CHECK_EQ(image_io(d, DISK_READ, 0, buf, sizeof(buf)), 0);
	CHECK_EQ(buf[999], 'x');
	CHECK_EQ(buf[1000], 0);
	disk_close(d, NULL, "");
	at = peek64("a", entry) & ((1ULL << 54) - 1);
	memset(junk, 0xff, sizeof(junk));
	poke("a", at, junk, sizeof(junk));
	d = image_open(image("a"));
	CHECK_EQ(image_io(d, DISK_READ, 0, buf, sizeof(buf)), -EIO);
	CHECK_EQ(image_io(d, DISK_READ, 65536, buf, sizeof(buf)), 0);
	disk_close(d, NULL, "");
	CHECK_EQ(peek64("a", 72), 2);
}

TEST(what_cannot_be_made)
{
	static const struct { struct image_create c; const char *text; } cases[] = {
		{ { .size = 0 }, "multiple of 512" }, { { .size = 1000 }, "multiple of 512" }, { { .size = MIB, .cluster = 1000 }, "power of two" },
		{ { .size = MIB, .cluster = 4 * MIB }, "from 512 to 2M" }, { { .size = MIB, .refcount_bits = 3 }, "from 1 to 64" },
		{ { .size = MIB, .version = 2, .lazy = true }, "version 2" }, { { .size = MIB, .version = 2, .refcount_bits = 8 }, "version 2" },
		{ { .size = MIB, .extended = true, .cluster = 4096 }, "16K" }, { { .size = 1ULL << 50, .cluster = 512 }, "larger clusters" },
		{ { .size = MIB, .backing = "none", .backing_format = DISK_FORMAT_RAW }, "No such file" },
		{ { .size = MIB, .format = DISK_FORMAT_RAW, .cluster = 4096 }, "--format qcow2" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct image_create c = cases[i].c;
		struct opt_err err = { "" };

		c.file = scratch("new");
		c.format = c.format ? c.format : DISK_FORMAT_QCOW2;
		if (!image_create(&c, &err) || !strstr(err.text, cases[i].text))
			tap_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, cases[i].text);
		CHECK(access(scratch("new"), F_OK));
	}
	make((struct image_create){ 0 });
	image_refused((struct disk_options){ .file = scratch("a") }, "begins as a qcow2 image: format=qcow2");
}
