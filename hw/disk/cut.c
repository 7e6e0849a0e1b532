// SPDX-License-Identifier: GPL-2.0
/* Which of the unflushed writes survive a power cut: see cut.h. */
#include <linux/kernel.h>

#include "cut.h"

enum {
	CUT_NONE,	/* all are lost */
	CUT_ALL,	/* all are kept */
	CUT_PREFIX,	/* all before one are kept, that one in part */
	CUT_WRITES,	/* each is kept or lost as a whole: they are reordered */
	CUT_BLOCKS,	/* so is each block: writes are torn */
	CUT_BUT_ONE,	/* one is lost */
	CUT_ONLY_ONE,	/* one is kept */
	CUT_KINDS,
};

u64 cut_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

void cut_init(struct cut *c, u64 seed, u64 first, u64 end)
{
	u64 state = seed;

	*c = (struct cut){ .seed = cut_random(&state), .first = first, .end = end };
	c->kind = seed ? cut_random(&state) % CUT_KINDS : CUT_NONE;
	c->at = first + (end > first ? cut_random(&state) % (end - first) : 0);
	/* From an eighth to seven eighths. */
	c->share = (1 + cut_random(&state) % 7) << 29;
}

static bool cut_toss(const struct cut *c, u64 a, u64 b)
{
	u64 state = c->seed ^ a * 0xd1342543de82ef95ULL;

	state = cut_random(&state) ^ b;
	return (u32)cut_random(&state) < c->share;
}

bool cut_keeps(const struct cut *c, u64 write, u64 block)
{
	switch (c->kind) {
	case CUT_ALL:
		return true;
	case CUT_PREFIX:
		return write < c->at || (write == c->at && cut_toss(c, write, block));
	case CUT_WRITES:
		return cut_toss(c, write, 0);
	case CUT_BLOCKS:
		return cut_toss(c, write, block);
	case CUT_BUT_ONE:
		return write != c->at;
	case CUT_ONLY_ONE:
		return write == c->at;
	default:
		return false;
	}
}
