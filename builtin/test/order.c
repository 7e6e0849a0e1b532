// SPDX-License-Identifier: GPL-2.0
/* The order of tests, and shards of them for several hosts. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kvm/log.h>

#include "test.h"

/* xorshift64*, so that a seed means the same everywhere. */
static u64 order_random(u64 *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

void tests_shuffle(struct tests *t, u64 seed)
{
	u64 state = seed * 0x9e3779b97f4a7c15ULL + 1;

	for (unsigned int i = t->nr; i > 1; i--) {
		unsigned int j = (order_random(&state) >> 32) % i;
		struct test tmp = t->item[i - 1];

		t->item[i - 1] = t->item[j];
		t->item[j] = tmp;
	}
}

bool shard_has(const char *name, unsigned int index, unsigned int total)
{
	u64 hash = 0xcbf29ce484222325ULL;	/* FNV-1a: the same on every host */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
	/* The low bits of FNV are no better than the last letter. */
	return (hash ^ hash >> 32) % total == index - 1;
}

static bool shard_number(const char *name, long *n)
{
	const char *text = getenv(name);
	char *end;

	if (!text)
		return false;
	*n = strtol(text, &end, 10);
	return end != text && !*end;
}

/* Slurm's job arrays begin at any number, GitLab's and others' nodes at 1. */
static bool shard_environment(long *index, long *total)
{
	long first;

	if (shard_number("SLURM_ARRAY_TASK_ID", index) && shard_number("SLURM_ARRAY_TASK_COUNT", total)) {
		*index += 1 - (shard_number("SLURM_ARRAY_TASK_MIN", &first) ? first : 1);
		return true;
	}
	return shard_number("CI_NODE_INDEX", index) && shard_number("CI_NODE_TOTAL", total);
}

int shard_parse(const char *text, unsigned int *index, unsigned int *total)
{
	long i, n;
	char slash, more;

	if (!strcmp(text, "auto")) {
		if (!shard_environment(&i, &n)) {
			pr_err("--shard auto: neither SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT nor CI_NODE_INDEX and CI_NODE_TOTAL are set");
			return -EINVAL;
		}
	} else if (sscanf(text, "%ld%c%ld%c", &i, &slash, &n, &more) != 3 || slash != '/') {
		pr_err("--shard %s: I/N is needed, as in 1/4, or auto", text);
		return -EINVAL;
	}
	if (i < 1 || n < i || n > INT_MAX) {
		pr_err("--shard %s: shard %ld of %ld, it has to be 1 to %ld", text, i, n, n);
		return -EINVAL;
	}
	*index = i;
	*total = n;
	return 0;
}
