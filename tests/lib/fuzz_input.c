// SPDX-License-Identifier: GPL-2.0
/* See fuzz_input.h. tap_fail() is for those of tests/lib that check something. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz_input.h"
#include "tap.h"

u64 take(struct input *in, unsigned int len)
{
	u64 val = 0;

	for (; len; len--) {
		val = val << 8 | (in->left ? *in->p : 0);
		if (in->left)
			in->p++, in->left--;
	}
	return val;
}

void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

void tap_fail(const char *file, int line, const char *fmt, ...)
{
	fprintf(stderr, "%s:%d: failed\n", file, line);
	abort();
}
