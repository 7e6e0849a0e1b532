/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a disk has kept of its unflushed writes when the power fails. A disk may write its
 * cache in any order, so each block of each write is kept or lost by itself; a block that
 * was written twice has the later of the contents that are kept. A seed chooses one of the
 * kinds of loss that file systems meet, and the writes and blocks.
 */
#ifndef HW_DISK_CUT_H
#define HW_DISK_CUT_H

#include <kvm/types.h>

struct cut {
	u64 seed;
	u64 first, end;		/* the numbers of the writes */
	u64 at;			/* the write that the kind is about */
	u32 share;		/* of 2^32, what is kept */
	int kind;
};

/* The next number of a sequence: splitmix64. */
u64 cut_random(u64 *state);
/* Of the writes @first to @end - 1. A seed of 0 loses all. */
void cut_init(struct cut *c, u64 seed, u64 first, u64 end);
/* Is physical block @block of write @write kept? The same answer for the same question. */
bool cut_keeps(const struct cut *c, u64 write, u64 block);

#endif
