// SPDX-License-Identifier: GPL-2.0
/*
 * LZ4 (the block format, and the legacy frame around it: lz4_Block_format.md
 * and lz4_Frame_format.md of the LZ4 project). A frame is the magic and blocks,
 * each with its packed length before it. A block is a row of sequences: a token
 * with two lengths, literals, and where in what has been unpacked a match lies.
 *
 * The input may come from anywhere: every length is checked against what is left.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/lz4.h>
#include <kvm/types.h>

#define LZ4_BLOCK_MAX	(8 * MIB)	/* unpacked */
#define LZ4_MIN_MATCH	4
#define LZ4_LONG	15		/* in the token: more bytes of length follow */

struct lz4 {
	const u8 *src, *end;
	u8 *dst, *dst_start, *dst_end;
};

static u32 lz4_u32(const u8 *p)
{
	u32 val;

	memcpy(&val, p, sizeof(val));
	return le32toh(val);
}

/* Add the bytes that continue @len; false: the input ends. */
static bool lz4_length(struct lz4 *z, size_t *len)
{
	u8 more;

	if (*len != LZ4_LONG)
		return true;
	do {
		if (z->src == z->end)
			return false;
		more = *z->src++;
		*len += more;
	} while (more == 0xff);
	return true;
}

static bool lz4_literals(struct lz4 *z, size_t len)
{
	if (len > (size_t)(z->end - z->src) || len > (size_t)(z->dst_end - z->dst))
		return false;
	memcpy(z->dst, z->src, len);
	z->src += len;
	z->dst += len;
	return true;
}

static bool lz4_match(struct lz4 *z, size_t offset, size_t len)
{
	if (!offset || offset > (size_t)(z->dst - z->dst_start) ||
	    len > (size_t)(z->dst_end - z->dst))
		return false;
	/* One that overlaps itself repeats what it has just written, piece by piece. */
	while (len) {
		size_t n = min(len, offset);

		memcpy(z->dst, z->dst - offset, n);
		z->dst += n;
		len -= n;
		offset += n;
	}
	return true;
}

static bool lz4_block(struct lz4 *z)
{
	while (z->src < z->end) {
		u8 token = *z->src++;
		size_t len = token >> 4, offset;

		if (!lz4_length(z, &len) || !lz4_literals(z, len))
			return false;
		if (z->src == z->end)
			return true;		/* the last sequence has no match */
		if (z->end - z->src < 2)
			return false;
		offset = z->src[0] | z->src[1] << 8;
		z->src += 2;
		len = token & LZ4_LONG;
		if (!lz4_length(z, &len) || !lz4_match(z, offset, len + LZ4_MIN_MATCH))
			return false;
	}
	return false;
}

long lz4_unpack(const void *src, size_t len, void *dst, size_t room)
{
	const u8 *p = src, *end = p + len;
	u8 *out = dst;

	if (len < 4 || lz4_u32(p) != LZ4_LEGACY_MAGIC)
		return -EINVAL;
	p += 4;
	while (end - p >= 4) {
		size_t packed = lz4_u32(p);
		struct lz4 z;

		if (packed == LZ4_LEGACY_MAGIC) {	/* frames may follow each other */
			p += 4;
			continue;
		}
		p += 4;
		if (!packed || packed > (size_t)(end - p))
			return -EINVAL;
		z = (struct lz4) {
			.src = p, .end = p + packed, .dst = out, .dst_start = out,
			.dst_end = out + min((u64)(room - (out - (u8 *)dst)), (u64)LZ4_BLOCK_MAX),
		};
		if (!lz4_block(&z))
			return -EINVAL;
		p += packed;
		out = z.dst;
	}
	return out - (u8 *)dst;
}
