// SPDX-License-Identifier: GPL-2.0
/* Page tables in guest memory: where addresses are, where Linux is, and tables that lie. */
#include <errno.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/memory.h>

#include "fake_linux.h"
#include "tap.h"

static struct vm vm;
static struct arch_walk walk;
static struct arch_linux found;
static const struct arch_space space = { FAKE_TABLES, 4 };

TEST(addresses_are_found)
{
	fake_linux(&vm);
	CHECK_EQ(arch_space_walk(&vm.mem, &space, FAKE_IMAGE + 0x212345, &walk), 0);
	CHECK_EQ(walk.gpa, FAKE_IMAGE_GPA + 0x212345);
	CHECK_EQ(walk.page, 2 * MIB);
	CHECK_EQ(walk.nr, 3);
	CHECK_EQ(walk.step[2].entry, (FAKE_IMAGE_GPA + 2 * MIB) | 0x81);
	CHECK_EQ(arch_space_walk(&vm.mem, &space, FAKE_IMAGE + FAKE_IMAGE_LEN, &walk), -EFAULT);
	CHECK_EQ(walk.page, 2 * MIB);
	CHECK_EQ(arch_space_walk(&vm.mem, &space, 0, &walk), -EFAULT);
	CHECK_EQ(walk.page, 512 * GIB);
	CHECK_EQ(walk.nr, 1);
	/* Not canonical */
	CHECK_EQ(arch_space_walk(&vm.mem, &space, FAKE_IMAGE & ~(1ULL << 60), &walk), -EFAULT);
	CHECK_EQ(walk.nr, 0);
	CHECK_EQ(arch_space_walk(&vm.mem, &(struct arch_space) { 0, 0 }, 0x1234, &walk), 0);
	CHECK_EQ(walk.gpa, 0x1234);
	fake_linux_free(&vm);
}

TEST(linux_is_found)
{
	fake_linux(&vm);
	CHECK_EQ(arch_linux_find(&vm.mem, &space, &found), 0);
	CHECK_EQ(found.image, FAKE_IMAGE);
	CHECK_EQ(found.image_len, FAKE_IMAGE_LEN);
	CHECK_EQ(found.image_gpa, FAKE_IMAGE_GPA);
	CHECK_EQ(found.direct, FAKE_DIRECT);
	/* A hole in the image, as freed memory of its initialization is */
	fake_entry(&vm, FAKE_TABLES + 0x2000, 146, 0);
	CHECK_EQ(arch_linux_find(&vm.mem, &space, &found), 0);
	CHECK_EQ(found.image_len, FAKE_IMAGE_LEN);
	fake_linux_free(&vm);
}

TEST(the_programs_half_leads_to_the_kernels)
{
	struct arch_space user = { FAKE_TABLES + 0x1000, 4 };

	fake_linux(&vm);
	CHECK_EQ(arch_linux_find(&vm.mem, &user, &found), 0);
	CHECK_EQ(found.space.root, FAKE_TABLES);
	fake_linux_free(&vm);
}

TEST(tables_that_lead_to_themselves_end)
{
	unsigned int i;

	fake_linux(&vm);
	for (i = 0; i < 512; i++)
		fake_entry(&vm, FAKE_TABLES, i, FAKE_TABLES | 1);
	CHECK_EQ(arch_space_walk(&vm.mem, &space, FAKE_IMAGE, &walk), 0);
	CHECK_EQ(arch_linux_find(&vm.mem, &space, &found), -ENOENT);
	/* No last level's entry is there: the search has an end nevertheless. */
	for (i = 0; i < 512; i++)
		fake_entry(&vm, FAKE_TABLES, i, (FAKE_TABLES + 0x1000) | 1);
	for (i = 0; i < 512; i++)
		fake_entry(&vm, FAKE_TABLES + 0x1000, i, (FAKE_TABLES + 0x2000) | 1);
	for (i = 0; i < 512; i++)
		fake_entry(&vm, FAKE_TABLES + 0x2000, i, (FAKE_TABLES + 0x8000) | 1);
	CHECK_EQ(arch_linux_find(&vm.mem, &space, &found), -ENOENT);
	fake_linux_free(&vm);
}

TEST(tables_out_of_memory_are_an_error)
{
	fake_linux(&vm);
	fake_entry(&vm, FAKE_TABLES, 511, 0x000ffffffffff001ULL);
	CHECK_EQ(arch_space_walk(&vm.mem, &space, FAKE_IMAGE, &walk), -EFAULT);
	CHECK_EQ(walk.nr, 1);
	CHECK_EQ(arch_linux_find(&vm.mem, &space, &found), -ENOENT);
	CHECK_EQ(arch_linux_find(&vm.mem, &(struct arch_space) { ~0ULL, 5 }, &found), -ENOENT);
	/* An image that goes on where there is no memory ends with it. */
	fake_linux_free(&vm);
	fake_linux(&vm);
	fake_entry(&vm, FAKE_TABLES + 0x2000, 147, (FAKE_RAM + 6 * MIB) | 0x81);
	CHECK_EQ(arch_linux_find(&vm.mem, &space, &found), 0);
	CHECK_EQ(found.image_len, FAKE_IMAGE_LEN - 2 * MIB);
	fake_linux_free(&vm);
}

TEST(entries_are_explained)
{
	char text[100], few[20];

	arch_entry_text(0x8000000001000083ULL, text, sizeof(text));
	CHECK(!strcmp(text, "0000000001000000 present write large nx"));
	arch_entry_text(~0ULL, few, sizeof(few));
	CHECK_EQ(strlen(few), sizeof(few) - 1);
}
