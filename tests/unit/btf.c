// SPDX-License-Identifier: GPL-2.0
/* BTF: offsets of members, and types that lie. */
#include <errno.h>
#include <string.h>

#include "../../hw/debug/btf.h"
#include "tap.h"

#define STRINGS	"\0outer\0a\0inner\0b\0arr\0s"

enum { S_OUTER = 1, S_A = 7, S_INNER = 9, S_B = 15, S_ARR = 17, S_S = 21 };
#define STRUCT(n)	(4u << 24 | (n))

/* struct s { u8 x[8]; struct { u64 a; }; struct inner { u32 pad, b; } inner; struct inner arr[2]; } outer; */
static const u32 types[] = {
	0, 1u << 24, 8, 64,				/* 1: int */
	S_INNER, STRUCT(1), 8, S_B, 1, 32,		/* 2: struct inner */
	0, STRUCT(1), 8, S_A, 1, 0,			/* 3: a struct without a name */
	0, 3u << 24, 0, 2, 1, 2,			/* 4: struct inner[2] */
	0, 8u << 24, 4,					/* 5: a typedef of it */
	S_OUTER, STRUCT(3), 40, 0, 3, 64, S_INNER, 2, 128, S_ARR, 5, 192,	/* 6 */
};

static struct { u16 magic; u8 version, flags; u32 head, type_off, type_len, str_off, str_len; u8 data[65536]; } blob;
static struct btf b;

static size_t fill(const u32 *t, size_t len)
{
	blob.magic = 0xeb9f;
	blob.version = 1;
	blob.head = 24;
	blob.type_off = 0;
	blob.type_len = blob.str_off = len;
	blob.str_len = sizeof(STRINGS);
	memcpy(blob.data, t, len);
	memcpy(blob.data + len, STRINGS, sizeof(STRINGS));
	return 24 + len + sizeof(STRINGS);
}

TEST(members_are_found)
{
	u32 offset;

	CHECK_EQ(btf_open(&b, &blob, fill(types, sizeof(types))), 0);
	CHECK(btf_offset(&b, "outer", "a", &offset));
	CHECK_EQ(offset, 8);
	CHECK(btf_offset(&b, "outer", "inner.b", &offset));
	CHECK_EQ(offset, 20);
	CHECK(btf_offset(&b, "outer", "arr.b", &offset));
	CHECK_EQ(offset, 28);
	CHECK(!btf_offset(&b, "outer", "b", &offset) && !btf_offset(&b, "outer", "a.b", &offset));
	CHECK(!btf_offset(&b, "none", "a", &offset));
	btf_close(&b);
}

TEST(structures_within_themselves_end)
{
	static u32 t[3 + 3 * 1000];
	u32 offset;

	t[0] = S_OUTER;
	t[1] = STRUCT(1000);
	for (int i = 0; i < 1000; i++)
		t[3 + 3 * i + 1] = 1;		/* a member without a name: this structure */
	CHECK_EQ(btf_open(&b, &blob, fill(t, sizeof(t))), 0);
	CHECK(!btf_offset(&b, "outer", "a", &offset));
	btf_close(&b);
}

TEST(what_does_not_fit_is_none)
{
	size_t len = fill(types, sizeof(types));
	u32 offset;

	CHECK_EQ(btf_open(&b, &blob, 20), -ENOEXEC);
	CHECK_EQ(btf_open(&b, &blob, len - 1), -ENOEXEC);
	blob.type_len = ~0u;
	CHECK_EQ(btf_open(&b, &blob, len), -ENOEXEC);
	len = fill(types, sizeof(types));
	blob.data[sizeof(types) + sizeof(STRINGS) - 1] = 'x';
	CHECK_EQ(btf_open(&b, &blob, len), -ENOEXEC);
	/* Cut in the middle of a structure's members */
	len = fill(types, sizeof(types) - 4);
	CHECK_EQ(btf_open(&b, &blob, len), 0);
	CHECK(btf_offset(&b, "outer", "a", &offset) && !btf_offset(&b, "outer", "arr", &offset));
	btf_close(&b);
	/* A typedef of itself */
	len = fill((const u32[]){ S_S, STRUCT(1), 8, S_A, 2, 0, 0, 8u << 24, 2 }, 36);
	CHECK_EQ(btf_open(&b, &blob, len), 0);
	CHECK(!btf_offset(&b, "s", "a.b", &offset));
	btf_close(&b);
}
