// SPDX-License-Identifier: GPL-2.0
/* Guest memory: regions, translation with a length, and what is refused. */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

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
	CHECK_EQ(mem.nr, 3);
	CHECK_EQ(mem_size(&mem), 83 * MIB);
	for (i = 0; i < mem.nr; i++) {
		CHECK(!i || mem.region[i - 1].gpa < mem.region[i].gpa);
		CHECK_EQ((uintptr_t)mem.region[i].hva % (2 * MIB), mem.region[i].gpa % (2 * MIB));
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

	setup();
	guest_store16(mem_map(&mem, 0, 2), 0x1234);
	CHECK_EQ(guest_load16_acquire(mem_map(&mem, 0, 2)), 0x1234);
	undo_run(&undo);
	CHECK(mincore(mem.region[0].hva, 4096, (void *)before) < 0);
	CHECK_EQ(errno, ENOMEM);
}
