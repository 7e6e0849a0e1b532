// SPDX-License-Identifier: GPL-2.0
/* Unpacking LZ4, against the lz4 program and against damage. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <kvm/lz4.h>
#include <kvm/types.h>

#include "scratch.h"
#include "tap.h"

#define LEN	(9 * MIB + 12345)	/* more than a block */

static u8 plain[LEN], packed[2 * LEN], out[LEN + 1];
static size_t packed_len;

static void pack(void)
{
	char command[512];
	u32 seed = 1;
	size_t i;
	FILE *f;

	if (system("command -v lz4 >/dev/null"))
		SKIP("no lz4 here");
	for (i = 0; i < LEN; i++) {
		seed = seed * 1103515245 + 12345;
		/* Runs, words that come back, and noise. */
		plain[i] = i % 4096 < 512 ? 0 : i % 4096 < 3000 ? (u8)"the quick brown fox "[i % 20] :
			   (u8)(seed >> 16);
	}
	f = fopen(scratch("plain"), "w");
	CHECK(f && fwrite(plain, LEN, 1, f) == 1 && !fclose(f));
	snprintf(command, sizeof(command), "cd %s && lz4 -l -9 -q -f plain packed", scratch_dir());
	CHECK_EQ(system(command), 0);
	f = fopen(scratch("packed"), "r");
	CHECK(f);
	packed_len = fread(packed, 1, sizeof(packed), f);
	fclose(f);
	CHECK(packed_len > 4);
}

TEST(unpacks_what_lz4_packs)
{
	pack();
	CHECK_EQ(lz4_unpack(packed, packed_len, out, sizeof(out)), LEN);
	CHECK(!memcmp(out, plain, LEN));
	/* Exactly enough room, and a byte less. */
	CHECK_EQ(lz4_unpack(packed, packed_len, out, LEN), LEN);
	CHECK_EQ(lz4_unpack(packed, packed_len, out, LEN - 1), -EINVAL);
}

TEST(refuses_what_is_cut_off)
{
	size_t len;

	pack();
	for (len = 0; len < 3000; len++) {
		u8 *part = malloc(len + !len);	/* so that reading on is noticed */

		memcpy(part, packed, len);
		/* Between blocks it may end; nowhere else here. */
		CHECK_EQ(lz4_unpack(part, len, out, sizeof(out)), len >= 4 && len < 8 ? 0 : -EINVAL);
		free(part);
	}
}

TEST(damage_stays_inside)
{
	u32 seed = 7, i;
	u8 *copy, *small = malloc(100000);

	pack();
	packed_len = packed_len < 70000 ? packed_len : 70000;
	copy = malloc(packed_len);
	for (i = 0; i < 400; i++) {
		u32 n;

		memcpy(copy, packed, packed_len);
		/* The length of the block says that all of it is here. */
		n = packed_len - 8;
		memcpy(copy + 4, &n, 4);
		for (n = 0; n < 20; n++) {
			seed = seed * 1103515245 + 12345;
			copy[8 + (seed >> 8) % (packed_len - 8)] = seed >> 16;
		}
		lz4_unpack(copy, packed_len, small, 100000);
	}
	free(copy);
	free(small);
}

TEST(refuses_other_things)
{
	static const u8 other[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0 };
	static const u8 before_start[] = { 0x02, 0x21, 0x4c, 0x18, 4, 0, 0, 0, 0x10, 'a', 2, 0 };
	static const u8 offset_0[] = { 0x02, 0x21, 0x4c, 0x18, 4, 0, 0, 0, 0x10, 'a', 0, 0 };

	CHECK_EQ(lz4_unpack(other, sizeof(other), out, sizeof(out)), -EINVAL);
	CHECK_EQ(lz4_unpack(before_start, sizeof(before_start), out, sizeof(out)), -EINVAL);
	CHECK_EQ(lz4_unpack(offset_0, sizeof(offset_0), out, sizeof(out)), -EINVAL);
}
