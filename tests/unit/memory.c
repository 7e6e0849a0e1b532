// SPDX-License-Identifier: GPL-2.0
/* Guest memory: regions, translation with a length, and what is refused. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/memory.h>

#include "tap.h"

static struct mem mem;
static struct undo undo;

static void setup(void)
{
	undo_init(&undo);
	CHECK_EQ(mem_add(&mem, &undo, 4 * GIB, 16 * MIB), 0);
	CHECK_EQ(mem_add(&mem, &undo, 0, 64 * MIB), 0);
}

TEST(regions_are_sorted_disjoint_and_congruent)
{
	unsigned int i;

	setup();
	CHECK_EQ(mem_add(&mem, &undo, 64 * MIB - 4096, 4096), -EBUSY);
	CHECK_EQ(mem_add(&mem, &undo, 4 * GIB - 4096, 8192), -EBUSY);
	CHECK_EQ(mem_add(&mem, &undo, 100, 4096), -EINVAL);
	CHECK_EQ(mem_add(&mem, &undo, 0, 0), -EINVAL);
	CHECK_EQ(mem_add(&mem, &undo, ~4095ULL, 8192), -EINVAL);
	CHECK_EQ(mem_add(&mem, &undo, 64 * MIB + 4096, 3 * MIB), 0);
	CHECK_EQ(mem_table(&mem)->nr, 3);
	CHECK_EQ(mem_size(&mem), 83 * MIB);
	for (i = 0; i < mem_table(&mem)->nr; i++) {
		const struct mem_region *r = &mem_table(&mem)->region[i];

		CHECK(!i || r[-1].gpa < r->gpa);
		CHECK_EQ((uintptr_t)r->hva % (2 * MIB), r->gpa % (2 * MIB));
		CHECK(r->slot < 3 && (!i || r->slot != r[-1].slot));
	}
	undo_run(&undo);
}

TEST(a_range_lies_whole_in_one_region)
{
	setup();
	CHECK(mem_map(&mem, 0, 1));
	CHECK(mem_map(&mem, 0, 64 * MIB));
	CHECK(!mem_map(&mem, 0, 64 * MIB + 1));
	CHECK(!mem_map(&mem, 64 * MIB, 1));
	CHECK(!mem_map(&mem, 64 * MIB - 1, 2));
	CHECK(mem_map(&mem, 64 * MIB - 1, 1));
	CHECK(!mem_map(&mem, 1, 0));
	CHECK(!mem_map(&mem, 4 * GIB - 1, 2));
	CHECK(mem_map(&mem, 4 * GIB + 16 * MIB - 8, 8));
	CHECK(!mem_map(&mem, 4 * GIB + 16 * MIB - 8, ~0ULL));
	CHECK(!mem_map(&mem, ~0ULL, 1));
	CHECK(!mem_map(&mem, ~0ULL, ~0ULL));
	undo_run(&undo);
}

TEST(copies_all_or_nothing)
{
	char buf[8] = "abcdefg";
	int fd = memfd_create("test", 0);

	setup();
	CHECK_EQ(mem_write(&mem, 64 * MIB - 8, buf, 8), 0);
	CHECK_EQ(mem_write(&mem, 64 * MIB - 4, "XXXXXXXX", 8), -EFAULT);
	memset(buf, 0, 8);
	CHECK_EQ(mem_read(&mem, 64 * MIB - 8, buf, 8), 0);
	CHECK_STR(buf, "abcdefg");
	CHECK_EQ(mem_read(&mem, 1 * GIB, buf, 8), -EFAULT);
	CHECK_EQ(mem_read(&mem, 1 * GIB, buf, 0), 0);
	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_EQ(mem_read_file(&mem, 4 * GIB, fd, 4, 1), 0);
	CHECK_EQ(mem_read(&mem, 4 * GIB, buf, 4), 0);
	CHECK_MEM(buf, "ello", 4);
	CHECK_EQ(mem_read_file(&mem, 4 * GIB, fd, 6, 0), -EIO);
	CHECK_EQ(mem_read_file(&mem, 1 * GIB, fd, 1, 0), -EFAULT);
	undo_run(&undo);
}

TEST(memory_is_given_back)
{
	char before[8];
	void *hva;

	setup();
	hva = mem_table(&mem)->region[0].hva;
	guest_store16(mem_map(&mem, 0, 2), 0x1234);
	CHECK_EQ(guest_load16_acquire(mem_map(&mem, 0, 2)), 0x1234);
	undo_run(&undo);
	CHECK(mincore(hva, 4096, (void *)before) < 0);
	CHECK_EQ(errno, ENOMEM);
}

static struct mem_region region(gpa_t gpa, u64 len, enum mem_use use)
{
	return (struct mem_region) { .gpa = gpa, .len = len, .use = use, .fd = -1 };
}

TEST(regions_come_and_go)
{
	struct mem_region r = region(2 * GIB, 8 * MIB, MEM_RAM), same = r, on = region(0, 4096, MEM_RAM);
	const struct mem_table *before;
	void __guest *low;

	setup();
	before = mem_table(&mem);
	low = mem_map(&mem, 0, 4096);
	CHECK_EQ(mem_insert(&mem, &undo, &r), 0);
	CHECK_EQ(r.slot, 2);
	CHECK(mem_map(&mem, 2 * GIB, 8 * MIB));
	CHECK_EQ(mem_insert(&mem, &undo, &same), -EBUSY);
	CHECK_EQ(mem_insert(&mem, &undo, &on), -EBUSY);
	/* Who has looked before sees the table as it was. */
	CHECK_EQ(before->nr, 2);
	CHECK_EQ(mem_table(&mem)->nr, 3);
	CHECK(mem_map(&mem, 0, 4096) == low);
	mem_reclaim(&mem);

	CHECK(mem_overlaps(&mem, 2 * GIB - 4096, 8192));
	CHECK(mem_overlaps(&mem, 2 * GIB + 8 * MIB - 1, 1));
	CHECK(!mem_overlaps(&mem, 2 * GIB + 8 * MIB, GIB));
	CHECK(mem_overlaps(&mem, ~0ULL << 63, ~0ULL >> 1) == false);
	CHECK_EQ(mem_remove(&mem, &undo, 2 * GIB + 4096), -ENOENT);
	CHECK_EQ(mem_remove(&mem, &undo, 2 * GIB), 0);
	CHECK(!mem_map(&mem, 2 * GIB, 1));
	CHECK_EQ(mem_remove(&mem, &undo, 2 * GIB), -ENOENT);
	/* Its number is free for the next one. */
	r = region(3 * GIB, 4096, MEM_PLUGGABLE);
	CHECK_EQ(mem_insert(&mem, &undo, &r), 0);
	CHECK_EQ(r.slot, 2);
	mem_reclaim(&mem);
	undo_run(&undo);
	CHECK_EQ(mem_table(&mem)->nr, 0);
}

TEST(there_is_an_end_to_regions)
{
	struct mem_region r;
	unsigned int i;
	int ret = 0;

	setup();
	for (i = 0; !ret && i < 1000; i++) {
		r = region(GIB + i * 8192, 4096, MEM_RAM);
		ret = mem_insert(&mem, &undo, &r);
	}
	CHECK_EQ(ret, -ENOSPC);
	CHECK_EQ(mem_table(&mem)->nr, MEM_REGIONS_MAX);
	undo_run(&undo);
}

static int count(void *obj, const struct mem_region *r)
{
	*(u64 *)obj += r->len;
	return r->use == MEM_FRAME ? 7 : 0;
}

TEST(what_a_region_is_for)
{
	static const enum mem_use use[] = { MEM_RAM, MEM_PLUGGABLE, MEM_FRAME, MEM_ROM, MEM_WINDOW };
	char text[4] = "abc", back[4];
	u64 sum = 0, at;
	unsigned int i;

	setup();
	for (i = 0; i < ARRAY_SIZE(use); i++) {
		struct mem_region r = region(GIB + i * MIB, MIB, use[i]);
		bool devices = use[i] != MEM_ROM && use[i] != MEM_WINDOW;

		at = r.gpa;
		CHECK_EQ(mem_insert(&mem, &undo, &r), 0);
		CHECK_EQ(!!mem_map(&mem, at, 4096), devices);
		CHECK_EQ(mem_write(&mem, at, text, 4), devices ? 0 : -EFAULT);
		CHECK_EQ(mem_write_rom(&mem, at, text, 4), use[i] == MEM_ROM ? 0 : -EFAULT);
		CHECK_EQ(mem_read(&mem, at, back, 4), use[i] == MEM_WINDOW ? -EFAULT : 0);
		CHECK_EQ(mem_discard(&mem, at, 4096), i < 2 ? 0 : -EINVAL);
	}
	/* RAM alone is what the guest was promised. */
	CHECK_EQ(mem_size(&mem), 81 * MIB);
	/* A picture ends the walk, by count()'s word. */
	CHECK_EQ(mem_each(&mem, count, &sum), 7);
	CHECK_EQ(sum, 67 * MIB);
	undo_run(&undo);
}

static u64 resident(gpa_t gpa, u64 len)
{
	void *p = (__force void *)mem_map(&mem, gpa, len);
	static unsigned char vec[1024];
	u64 i, n = 0;

	CHECK_EQ(mincore(p, len, vec), 0);
	for (i = 0; i < len / 4096; i++)
		n += vec[i] & 1;
	return n;
}

/* RAM of a backend, all of it written. */
static void fill(const struct mem_config *cfg)
{
	char page[4096];
	u64 i;

	memset(page, 0x5a, sizeof(page));
	memset(&mem, 0, sizeof(mem));
	undo_init(&undo);
	CHECK_EQ(mem_open(&mem, &undo, cfg, 4 * MIB), 0);
	CHECK_EQ(mem_add(&mem, &undo, 0, 2 * MIB), 0);
	CHECK_EQ(mem_add(&mem, &undo, GIB, 2 * MIB), 0);
	for (i = 0; i < 512; i++) {
		CHECK_EQ(mem_write(&mem, i * 4096, page, 4096), 0);
		CHECK_EQ(mem_write(&mem, GIB + i * 4096, page, 4096), 0);
	}
}

static void check_byte(gpa_t gpa, u8 expected)
{
	u8 byte;

	CHECK_EQ(mem_read(&mem, gpa, &byte, 1), 0);
	CHECK_EQ(byte, expected);
}

TEST(what_is_discarded_is_zero_and_the_host_s)
{
	static const struct mem_config cfg[] = { { .kind = MEM_THP }, { .kind = MEM_MEMFD } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cfg); i++) {
		fill(&cfg[i]);
		/* In the second region, which is not where a file begins. Whole pages only. */
		CHECK_EQ(mem_discard(&mem, GIB + 100, 3 * 4096), 0);
		CHECK_EQ(mem_discard(&mem, GIB + 100, 200), 0);
		check_byte(GIB, 0x5a);
		check_byte(GIB + 4095, 0x5a);
		check_byte(GIB + 3 * 4096, 0x5a);
		CHECK(resident(GIB + 4096, 8192) == 0);
		check_byte(GIB + 4096, 0);
		check_byte(GIB + 3 * 4096 - 1, 0);
		check_byte(4096, 0x5a);
		CHECK_EQ(mem_discard(&mem, GIB, 4 * MIB), -EINVAL);
		CHECK_EQ(mem_discard(&mem, 3 * GIB, 4096), -EINVAL);
		CHECK_EQ(mem_discard(&mem, ~4095ULL, 4096), -EINVAL);
		undo_run(&undo);
	}
}

TEST(ram_of_a_snapshot_is_its_own)
{
	static const struct mem_config file = { .kind = MEM_FILE, .path = "ram" };
	static const struct mem_config snapshot = { .kind = MEM_SNAPSHOT, .path = "ram" };
	char dir[] = "/tmp/memory-XXXXXX";
	const struct mem_region *r;

	log_set_level(LOG_ERROR - 1);
	CHECK(mkdtemp(dir));
	CHECK_EQ(chdir(dir), 0);
	fill(&file);
	undo_run(&undo);
	/* Two machines of it. */
	memset(&mem, 0, sizeof(mem));
	CHECK_EQ(mem_open(&mem, &undo, &snapshot, 8 * MIB), -EINVAL);
	undo_run(&undo);
	CHECK_EQ(mem_open(&mem, &undo, &snapshot, 4 * MIB), 0);
	CHECK_EQ(mem_add(&mem, &undo, 0, 2 * MIB), 0);
	CHECK_EQ(mem_add(&mem, &undo, GIB, 2 * MIB), 0);
	r = mem_region(&mem, GIB);
	CHECK(r->private && r->off == 2 * MIB && r->fd >= 0);
	check_byte(GIB + 5, 0x5a);
	CHECK_EQ(mem_write(&mem, GIB + 5, "x", 1), 0);
	check_byte(GIB + 5, 'x');
	/* Discarding gives the changes back. */
	CHECK_EQ(mem_discard(&mem, GIB, 4096), 0);
	check_byte(GIB + 5, 0x5a);
	CHECK_EQ(mem_write(&mem, GIB + 4096, "x", 1), 0);
	undo_run(&undo);
	memset(&mem, 0, sizeof(mem));
	CHECK_EQ(mem_open(&mem, &undo, &snapshot, 4 * MIB), 0);
	CHECK_EQ(mem_add(&mem, &undo, 0, 2 * MIB), 0);
	CHECK_EQ(mem_add(&mem, &undo, GIB, 2 * MIB), 0);
	check_byte(GIB + 4096, 0x5a);
	undo_run(&undo);
	unlink("ram");
	CHECK_EQ(mem_open(&mem, &undo, &snapshot, 4 * MIB), -ENOENT);
	rmdir(dir);
}
