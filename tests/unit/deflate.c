// SPDX-License-Identifier: GPL-2.0
/* Deflate streams of zlib, of each kind of block, whole and cut; and what is none. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <kvm/deflate.h>
#include <kvm/file.h>

#include "image.h"
#include "scratch.h"
#include "tap.h"

static void unpacks(int level, const char *strategy)
{
	size_t len, packed_len;
	char *data, *packed, *out;

	if (image_shell(false, "python3 -c 'import random, zlib\n"
			"random.seed(%d)\n"
			"d = bytes(1000) + bytes(random.choices(range(256), k=70000)) + b\"again \" * 9000 + bytes(random.choices(b\"abcd\", k=50000))\n"
			"z = zlib.compressobj(%d, zlib.DEFLATED, -15, 9, zlib.%s)\n"
			"open(\"plain\", \"wb\").write(d)\n"
			"open(\"packed\", \"wb\").write(z.compress(d) + z.flush())'", level, level, strategy))
		tap_fail(__FILE__, __LINE__, "no stream");
	CHECK_EQ(file_read(scratch("plain"), &data, &len), 0);
	CHECK_EQ(file_read(scratch("packed"), &packed, &packed_len), 0);
	out = malloc(len);
	CHECK_EQ(deflate_unpack(packed, packed_len, out, len), len);
	CHECK_MEM(out, data, len);
	/* As much as there is room for; and never more than was there. */
	free(out);
	out = malloc(4096);
	CHECK_EQ(deflate_unpack(packed, packed_len, out, 4096), 4096);
	CHECK_MEM(out, data, 4096);
	free(out);
	out = malloc(len);
	for (size_t cut = 0; cut < packed_len; cut += packed_len / 50 + 1) {
		char *part = malloc(cut);

		memcpy(part, packed, cut);
		CHECK_EQ(deflate_unpack(part, cut, out, len), -EINVAL);
		free(part);
	}
	free(out);
	free(data);
	free(packed);
}

TEST(what_zlib_packs)
{
	if (image_shell(true, "command -v python3"))
		SKIP("there is no python3");
	unpacks(0, "Z_DEFAULT_STRATEGY");
	unpacks(1, "Z_DEFAULT_STRATEGY");
	unpacks(9, "Z_DEFAULT_STRATEGY");
	unpacks(6, "Z_FIXED");
	unpacks(6, "Z_HUFFMAN_ONLY");
	unpacks(6, "Z_RLE");
}

TEST(what_is_no_stream)
{
	static const struct { u8 data[8]; size_t len; } cases[] = {
		{ { 0 }, 0 }, { { 7 }, 1 },			/* nothing; the fourth kind of block */
		{ { 1, 1, 0, 0, 0 }, 5 },			/* a length and its complement */
		{ { 3, 2, 0, 0 }, 4 },				/* a match before the beginning */
		{ { 5, 0xff, 0xff, 0xff, 0xff, 0xff }, 6 },	/* too many codes */
		{ { 4, 0, 0, 0, 0, 0, 0, 0 }, 8 },		/* none */
	};
	u8 out[64];

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_EQ(deflate_unpack(cases[i].data, cases[i].len, out, sizeof(out)), -EINVAL);
}
