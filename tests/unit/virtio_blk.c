// SPDX-License-Identifier: GPL-2.0
/* virtio-blk against a driver: the configuration, every request, good and evil. */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include <linux/kernel.h>
#include <kvm/device.h>
#include <kvm/opt.h>

#include "driver.h"
#include "scratch.h"
#include "tap.h"

#define NUM	64
#define HEAD	(32 * MIB)
#define DATA	(33 * MIB)
#define STATUS	(48 * MIB)
#define ALL	(~0ULL)

struct test {
	struct machine m;
	struct virtio_dev *dev;
	struct driver d;
	u32 len;		/* used length of the last request */
};

/* The next descriptors are taken from the ring as they come; one request at a time. */
static u8 request(struct test *t, unsigned int q, u32 type, u64 sector, u32 out, u32 in)
{
	struct virtio_blk_outhdr head = { .type = htole32(type), .sector = htole64(sector) };
	const struct mem *mem = &t->m.vm.mem;
	struct ring *r = &t->d.ring[q];
	u8 status = 0xaa;
	u16 i = 0;
	u32 id;

	CHECK_EQ(mem_write(mem, HEAD, &head, sizeof(head)), 0);
	CHECK_EQ(mem_write(mem, STATUS, &status, 1), 0);
	ring_desc(r, 0, HEAD, sizeof(head), VRING_DESC_F_NEXT, 1);
	i = 1;
	if (out) {
		ring_desc(r, i, DATA, out, VRING_DESC_F_NEXT, i + 1);
		i++;
	}
	if (in) {
		ring_desc(r, i, DATA, in, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, i + 1);
		i++;
	}
	ring_desc(r, i, STATUS, 1, VRING_DESC_F_WRITE, 0);
	ring_offer(r, 0);
	driver_kick(&t->d, q);
	CHECK(driver_wait(&t->d, q, &id, &t->len));
	CHECK_EQ(id, 0);
	CHECK_EQ(mem_read(mem, STATUS, &status, 1), 0);
	return status;
}

static void data_fill(struct test *t, u32 len, char fill)
{
	char *buf = malloc(len);

	memset(buf, fill, len);
	CHECK_EQ(mem_write(&t->m.vm.mem, DATA, buf, len), 0);
	free(buf);
}

static void data_check(struct test *t, u32 len, char fill)
{
	char *buf = malloc(len), *want = malloc(len);

	memset(want, fill, len);
	CHECK_EQ(mem_read(&t->m.vm.mem, DATA, buf, len), 0);
	CHECK_MEM(buf, want, len);
	free(buf);
	free(want);
}

static void test_add(struct test *t, const char *opts)
{
	setenv("TMPDIR", scratch_dir(), 1);
	memset(t, 0, sizeof(*t));
	machine_pci(&t->m);
	t->dev = machine_add(&t->m, "virtio-blk", opts);
	machine_run(&t->m);
	driver_probe(&t->d, &t->m, t->dev);
}

static void test_new(struct test *t, const char *opts, u64 features)
{
	unsigned int q;

	test_add(t, opts);
	driver_features(&t->d, features);
	for (q = 0; q < t->dev->nr_vqs; q++)
		driver_queue(&t->d, q, NUM);
	driver_ok(&t->d);
}

static u64 config(struct test *t, u32 off, unsigned int len)
{
	return driver_read(&t->d, t->d.config + off, len);
}
#define CONFIG(t, field) \
	config(t, offsetof(struct virtio_blk_config, field), sizeof(((struct virtio_blk_config *)0)->field))

TEST(configuration)
{
	struct test t;

	test_new(&t, "new:1G,queues=3,block=1K,physical=4K,optimal=1M", ALL);
	CHECK_EQ(config(&t, 0, 4), (1 << 30) / 512);
	CHECK_EQ(config(&t, 4, 4), 0);
	CHECK_EQ(CONFIG(&t, blk_size), 1024);
	CHECK_EQ(CONFIG(&t, physical_block_exp), 2);
	CHECK_EQ(CONFIG(&t, min_io_size), 4);
	CHECK_EQ(CONFIG(&t, opt_io_size), 1024);
	CHECK_EQ(CONFIG(&t, num_queues), 3);
	CHECK_EQ(CONFIG(&t, wce), 1);
	CHECK(CONFIG(&t, seg_max) && CONFIG(&t, size_max) && CONFIG(&t, max_discard_sectors));
	CHECK(t.d.features & 1ULL << VIRTIO_BLK_F_MQ);
	CHECK(!(t.d.features & 1ULL << VIRTIO_BLK_F_RO));
	/* The driver's is the write cache, and nothing else. */
	driver_write(&t.d, t.d.config, 4, 77);
	driver_write(&t.d, t.d.config + offsetof(struct virtio_blk_config, wce), 1, 7);
	CHECK_EQ(config(&t, 0, 4), (1 << 30) / 512);
	CHECK_EQ(CONFIG(&t, wce), 1);
	driver_write(&t.d, t.d.config + offsetof(struct virtio_blk_config, wce), 1, 0);
	CHECK_EQ(CONFIG(&t, wce), 0);
	driver_set_status(&t.d, 0);
	CHECK_EQ(CONFIG(&t, wce), 1);
	machine_free(&t.m);
}

TEST(read_write_flush)
{
	struct test t;
	unsigned int q;

	test_new(&t, "new:1M,queues=2", ALL);
	for (q = 0; q < 2; q++) {
		data_fill(&t, 8192, 'a' + q);
		CHECK_EQ(request(&t, q, VIRTIO_BLK_T_OUT, 8 + 16 * q, 8192, 0), VIRTIO_BLK_S_OK);
		CHECK_EQ(t.len, 1);
		CHECK_EQ(request(&t, q, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
		CHECK_EQ(t.len, 1);
	}
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, 8, 0, 8192), VIRTIO_BLK_S_OK);
	CHECK_EQ(t.len, 8193);
	data_check(&t, 8192, 'a');
	CHECK_EQ(request(&t, 1, VIRTIO_BLK_T_IN, 24, 0, 8192), VIRTIO_BLK_S_OK);
	data_check(&t, 8192, 'b');
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, 2047, 0, 512), VIRTIO_BLK_S_OK);
	data_check(&t, 512, 0);
	machine_free(&t.m);
}

/* Without the flush feature, and with the cache off, each write is followed by one. */
TEST(write_through)
{
	struct test t;

	scratch_file("image", "x");
	CHECK_EQ(truncate(scratch("image"), MIB), 0);
	test_new(&t, scratch("image"), ALL & ~(1ULL << VIRTIO_BLK_F_FLUSH));
	data_fill(&t, 512, 'a');
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_OK);
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, 0, 0, 512), VIRTIO_BLK_S_OK);
	data_check(&t, 512, 'a');
	machine_free(&t.m);
}

TEST(the_place_of_a_request)
{
	static const struct { u64 sector; u32 len; bool good; } cases[] = {
		{ 0, 4096, true }, { 2040, 4096, true }, { 0, 0, false }, { 2041, 4096, false }, { 2048, 4096, false },
		{ 1, 4096, false }, { 0, 512, false }, { 0, 4095, false }, { 0, 4097, false },
		{ ~0ULL, 4096, false }, { ~0ULL - 7, 4096, false }, { 1ULL << 55, 4096, false },
		{ 1ULL << 63, 4096, false }, { (1ULL << 55) - 8, 4096, false },
	};
	struct test t;

	test_new(&t, "new:1M,block=4096", ALL);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 want = cases[i].good ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;

		data_fill(&t, 8192, 'x');
		CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, cases[i].sector, 0, cases[i].len), want);
		CHECK_EQ(t.len, cases[i].len + 1);
		data_check(&t, cases[i].len, 0);	/* also of one that failed */
		CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_OUT, cases[i].sector, cases[i].len, 0), want);
		CHECK_EQ(t.len, 1);
	}
	machine_free(&t.m);
}

TEST(serial)
{
	struct test t;
	char id[20];

	test_new(&t, "new:1M,serial=12345678901234567890", ALL);
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_GET_ID, 0, 0, 20), VIRTIO_BLK_S_OK);
	CHECK_EQ(t.len, 21);
	CHECK_EQ(mem_read(&t.m.vm.mem, DATA, id, 20), 0);
	CHECK_MEM(id, "12345678901234567890", 20);
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_GET_ID, 0, 0, 19), VIRTIO_BLK_S_IOERR);
	machine_free(&t.m);
	test_new(&t, "new:1M", ALL);
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_GET_ID, 0, 0, 20), VIRTIO_BLK_S_OK);
	CHECK_EQ(mem_read(&t.m.vm.mem, DATA, id, 20), 0);
	CHECK_STR(id, "disk0");
	machine_free(&t.m);
}

static u8 ranges(struct test *t, u32 type, const struct virtio_blk_discard_write_zeroes *r, unsigned int n, u32 extra)
{
	CHECK_EQ(mem_write(&t->m.vm.mem, DATA, r, n * sizeof(*r)), 0);
	return request(t, 0, type, 0, n * sizeof(*r) + extra, 0);
}

#define RANGE(s, n, f)	{ .sector = htole64(s), .num_sectors = htole32(n), .flags = htole32(f) }

TEST(discard_and_write_zeroes)
{
	const struct virtio_blk_discard_write_zeroes good[17] = { RANGE(8, 8, 0), RANGE(24, 8, 0) },
		unmap = RANGE(8, 8, 1), unknown = RANGE(8, 8, 2), empty = RANGE(8, 0, 0), end = RANGE(2040, 16, 0),
		wraps = RANGE(1ULL << 55, 8, 0), late[2] = { RANGE(0, 8, 0), RANGE(2048, 8, 0) };
	struct test t;

	test_new(&t, "new:1M", ALL);
	data_fill(&t, 32 * 512, 'x');
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_OUT, 0, 32 * 512, 0), VIRTIO_BLK_S_OK);
	for (u32 type = VIRTIO_BLK_T_DISCARD; type <= VIRTIO_BLK_T_WRITE_ZEROES; type += 2) {
		bool zero = type == VIRTIO_BLK_T_WRITE_ZEROES;

		CHECK_EQ(ranges(&t, type, &unknown, 1, 0), VIRTIO_BLK_S_UNSUPP);
		CHECK_EQ(ranges(&t, type, &empty, 1, 0), VIRTIO_BLK_S_IOERR);
		CHECK_EQ(ranges(&t, type, &end, 1, 0), VIRTIO_BLK_S_IOERR);
		CHECK_EQ(ranges(&t, type, &wraps, 1, 0), VIRTIO_BLK_S_IOERR);
		CHECK_EQ(ranges(&t, type, late, 2, 0), VIRTIO_BLK_S_IOERR);
		CHECK_EQ(ranges(&t, type, good, 0, 0), VIRTIO_BLK_S_IOERR);
		CHECK_EQ(ranges(&t, type, good, 1, 1), VIRTIO_BLK_S_IOERR);
		CHECK_EQ(ranges(&t, type, good, 17, 0), VIRTIO_BLK_S_IOERR);
		CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, 0, 0, 32 * 512), VIRTIO_BLK_S_OK);
		if (!zero)
			data_check(&t, 32 * 512, 'x');
		CHECK_EQ(ranges(&t, type, &unmap, 1, 0), zero ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_UNSUPP);
		CHECK_EQ(ranges(&t, type, good, zero ? 1 : 2, 0), VIRTIO_BLK_S_OK);
		CHECK_EQ(t.len, 1);
		CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, 0, 0, 8 * 512), VIRTIO_BLK_S_OK);
		data_check(&t, 8 * 512, 'x');
		CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, 8, 0, 8 * 512), VIRTIO_BLK_S_OK);
		if (zero)
			data_check(&t, 8 * 512, 0);
		CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, 16, 0, 8 * 512), VIRTIO_BLK_S_OK);
		data_check(&t, 8 * 512, 'x');
	}
	machine_free(&t.m);
}

TEST(read_only)
{
	const struct virtio_blk_discard_write_zeroes range = RANGE(0, 8, 0);
	char opts[256], byte;
	struct test t;
	int fd;

	scratch_file("image", "x");
	CHECK_EQ(truncate(scratch("image"), MIB), 0);
	snprintf(opts, sizeof(opts), "%s,ro", scratch("image"));
	test_new(&t, opts, ALL);
	CHECK(t.d.features & 1ULL << VIRTIO_BLK_F_RO);
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, 0, 0, 512), VIRTIO_BLK_S_OK);
	data_fill(&t, 512, 'y');
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ranges(&t, VIRTIO_BLK_T_DISCARD, &range, 1, 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ranges(&t, VIRTIO_BLK_T_WRITE_ZEROES, &range, 1, 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	fd = open(scratch("image"), O_RDONLY);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 'x');
	machine_free(&t.m);
}

TEST(what_there_is_not)
{
	static const u32 types[] = { 2, 3, 5, 6, 7, 9, 12, 14, 15, 16, 17, 25, 26, 0x80000000, ~0U };
	struct test t;

	test_new(&t, "new:1M", ALL);
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		data_fill(&t, 512, 'x');
		CHECK_EQ(request(&t, 0, types[i], 0, 0, 512), VIRTIO_BLK_S_UNSUPP);
		CHECK_EQ(t.len, 513);
		CHECK_EQ(request(&t, 0, types[i], 0, 512, 0), VIRTIO_BLK_S_UNSUPP);
		CHECK_EQ(t.len, 1);
	}
	machine_free(&t.m);
}

/* A chain of @out readable and @in writable bytes; its used length. */
static u32 chain(struct test *t, u32 out, u32 in)
{
	u32 id, len;
	u16 head = ring_add(&t->d.ring[0], HEAD, out, DATA, in);

	driver_kick(&t->d, 0);
	CHECK(driver_wait(&t->d, 0, &id, &len));
	CHECK_EQ(id, head);
	return len;
}

TEST(chains_that_are_no_requests)
{
	struct virtio_blk_outhdr head = { .type = htole32(VIRTIO_BLK_T_IN) };
	struct test t;
	u8 status;

	test_new(&t, "new:64M", ALL);
	CHECK_EQ(mem_write(&t.m.vm.mem, HEAD, &head, sizeof(head)), 0);
	CHECK_EQ(chain(&t, 16, 0), 0);		/* no room for a status */
	CHECK_EQ(chain(&t, 15, 1), 1);		/* no whole header */
	CHECK_EQ(mem_read(&t.m.vm.mem, DATA, &status, 1), 0);
	CHECK_EQ(status, VIRTIO_BLK_S_IOERR);
	CHECK_EQ(chain(&t, 0, 1), 1);		/* none at all */
	CHECK_EQ(chain(&t, 16, 513), 513);	/* data and status in one buffer */
	CHECK_EQ(mem_read(&t.m.vm.mem, DATA + 512, &status, 1), 0);
	CHECK_EQ(status, VIRTIO_BLK_S_OK);
	CHECK_EQ(chain(&t, 16, 514), 514);
	CHECK_EQ(mem_read(&t.m.vm.mem, DATA + 513, &status, 1), 0);
	CHECK_EQ(status, VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	machine_free(&t.m);
}

/* More data than a request may have: neither moved nor zeroed, and it says so. */
TEST(a_request_that_is_too_long)
{
	struct virtio_blk_outhdr head = { .type = htole32(VIRTIO_BLK_T_IN) };
	u32 each = 15 * MIB, n = 20, id, len, i;
	u8 status = 0xaa, byte = 'x';
	struct test t;

	test_new(&t, "new:1G", ALL);
	CHECK_EQ(mem_write(&t.m.vm.mem, HEAD, &head, sizeof(head)), 0);
	CHECK_EQ(mem_write(&t.m.vm.mem, DATA, &byte, 1), 0);
	ring_desc(&t.d.ring[0], 0, HEAD, sizeof(head), VRING_DESC_F_NEXT, 1);
	for (i = 1; i <= n; i++)
		ring_desc(&t.d.ring[0], i, DATA, each, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, i + 1);
	ring_desc(&t.d.ring[0], i, STATUS, 1, VRING_DESC_F_WRITE, 0);
	ring_offer(&t.d.ring[0], 0);
	driver_kick(&t.d, 0);
	CHECK(driver_wait(&t.d, 0, &id, &len));
	CHECK_EQ(len, 0);
	CHECK_EQ(mem_read(&t.m.vm.mem, STATUS, &status, 1), 0);
	CHECK_EQ(status, VIRTIO_BLK_S_IOERR);
	CHECK_EQ(mem_read(&t.m.vm.mem, DATA, &byte, 1), 0);
	CHECK_EQ(byte, 'x');
	machine_free(&t.m);
}

/* What the host cannot do is an error of the request, not the end of the disk. */
TEST(an_error_of_the_host)
{
	struct test t;

	scratch_file("image", "x");
	CHECK_EQ(truncate(scratch("image"), MIB), 0);
	test_new(&t, scratch("image"), ALL);
	CHECK_EQ(truncate(scratch("image"), 4096), 0);
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, 16, 0, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(t.len, 513);
	CHECK_EQ(request(&t, 0, VIRTIO_BLK_T_IN, 0, 0, 512), VIRTIO_BLK_S_OK);
	CHECK(!virtio_is_broken(t.dev));
	machine_free(&t.m);
}

TEST(suboptions_that_may_have_a_value)
{
	static const char *const good[] = {
		"new:1M,volatile", "new:1M,volatile=1M", "new:1M,volatile,queues=2", "image,cow", "image,cow,volatile",
	};
	struct opt_err err;

	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++)
		CHECK_EQ(device_check("virtio-blk", good[i], &err), 0);
}

TEST(suboptions)
{
	static const char *const bad[] = {
		"", "new:1M,serial=", "new:1M,serial=123456789012345678901", "new:1M,serial=a/b", "new:1M,block=1000",
		"new:1M,block=128K", "new:1M,physical=1536", "new:1M,block=4K,physical=512", "new:1M,optimal=1000",
		"new:1M,queues=0", "new:1M,queues=33", "new:1M,format=vmdk", "new:1M,ro", "/nowhere/at/all",
	};
	struct machine m;

	setenv("TMPDIR", scratch_dir(), 1);
	machine_pci(&m);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		if (!device_add(&m.vm, "virtio-blk", bad[i], NULL))
			tap_fail(__FILE__, __LINE__, "\"%s\" was taken", bad[i]);
	machine_run(&m);
	machine_free(&m);
}
