// SPDX-License-Identifier: GPL-2.0
/* Guest memory that grows while other threads translate and copy. */
#include <pthread.h>
#include <stdatomic.h>

#include <kvm/memory.h>

#include "tap.h"

static struct mem mem;
static struct undo undo;
static atomic_bool stop;

static void *reader(void *arg)
{
	u64 val, n = 0;

	while (!stop) {
		CHECK_EQ(mem_read(&mem, 4096 - 8, &val, 8), 0);
		CHECK_EQ(val, 0x123456789);
		CHECK(mem_map(&mem, 0, 8 * MIB));
		n += mem_size(&mem) >= 8 * MIB;
		mem_map(&mem, GIB + n % (100 * MIB), 1);
	}
	return NULL;
}

TEST(readers_take_no_lock)
{
	u64 val = 0x123456789;
	pthread_t thread[2];
	unsigned int i;

	undo_init(&undo);
	CHECK_EQ(mem_add(&mem, &undo, 0, 8 * MIB), 0);
	CHECK_EQ(mem_write(&mem, 4096 - 8, &val, 8), 0);
	for (i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, reader, NULL), 0);
	for (i = 0; i < 100; i++) {
		struct mem_region r = {
			.gpa = GIB + (99 - i) * MIB, .len = 64 * KIB, .use = MEM_RAM, .fd = -1,
		};

		CHECK_EQ(mem_insert(&mem, &undo, &r), 0);
	}
	stop = true;
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	mem_reclaim(&mem);
	CHECK_EQ(mem_table(&mem)->nr, 101);
	undo_run(&undo);
}
