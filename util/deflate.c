// SPDX-License-Identifier: GPL-2.0
/*
 * Deflate (RFC 1951): blocks of stored bytes, or of symbols in Huffman codes that are
 * fixed or described at the block's head. The input may come from anywhere: every
 * length and distance is checked against what is there.
 */
#include <errno.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/deflate.h>
#include <kvm/types.h>

#define BITS_MAX	15		/* of a code */
#define BITS_FAST	9		/* codes up to that are found by one look */
#define LITERALS	288
#define DISTANCES	32
#define END_OF_BLOCK	256

struct huffman {
	u16 count[BITS_MAX + 1];	/* codes of each length */
	u16 symbol[LITERALS];		/* in the order of the codes */
	u16 fast[1 << BITS_FAST];	/* by the next bits: symbol * 16 + length, 0: longer */
};

struct deflate {
	const u8 *src, *end;
	u64 bits;			/* the next ones, the lowest first */
	unsigned int nr;
	unsigned int beyond;		/* zero bits that the input did not have */
	u8 *dst, *start, *limit;
	struct huffman literal, distance;
};

/* At least 32 bits, after the end of the input zeroes. */
static void deflate_fill(struct deflate *d)
{
	while (d->nr <= 56) {
		if (d->src < d->end)
			d->bits |= (u64)*d->src++ << d->nr;
		else
			d->beyond += 8;
		d->nr += 8;
	}
}

static void deflate_drop(struct deflate *d, unsigned int n)
{
	d->bits >>= n;
	d->nr -= n;
}

static u32 deflate_bits(struct deflate *d, unsigned int n)
{
	u32 val;

	if (d->nr < n)
		deflate_fill(d);
	val = d->bits & ((1ULL << n) - 1);
	deflate_drop(d, n);
	return val;
}

/* Were bits used that the input did not have? */
static bool deflate_is_short(const struct deflate *d)
{
	return d->nr < d->beyond;
}

/* RFC 1951, 3.2.2: codes by their lengths. An incomplete set is sound if it is one code; too many are not. */
static bool huffman_make(struct huffman *h, const u8 *lengths, unsigned int nr)
{
	u16 offs[BITS_MAX + 2] = { 0 };
	int left = 1;
	u32 code = 0, at = 0;

	memset(h->count, 0, sizeof(h->count));
	memset(h->fast, 0, sizeof(h->fast));
	for (unsigned int i = 0; i < nr; i++)
		h->count[lengths[i]]++;
	h->count[0] = 0;
	for (unsigned int len = 1; len <= BITS_MAX; len++) {
		left = left * 2 - h->count[len];
		if (left < 0)
			return false;
		offs[len + 1] = offs[len] + h->count[len];
	}
	for (unsigned int i = 0; i < nr; i++)
		if (lengths[i])
			h->symbol[offs[lengths[i]]++] = i;
	for (unsigned int len = 1; len <= BITS_FAST; len++, code <<= 1)
		for (unsigned int i = 0; i < h->count[len]; i++, code++) {
			u32 reversed = 0;

			for (unsigned int b = 0; b < len; b++)
				reversed |= (code >> b & 1) << (len - 1 - b);
			for (; reversed < 1 << BITS_FAST; reversed += 1U << len)
				h->fast[reversed] = h->symbol[at] << 4 | len;
			at++;
		}
	return true;
}

/* The next symbol, or -1. The highest bit of a code comes first. */
static int huffman_next(struct deflate *d, const struct huffman *h)
{
	u32 code = 0, first = 0, at = 0;
	u16 fast;

	if (d->nr < BITS_MAX)
		deflate_fill(d);
	fast = h->fast[d->bits & ((1 << BITS_FAST) - 1)];
	if (fast) {
		deflate_drop(d, fast & 15);
		return fast >> 4;
	}
	for (unsigned int len = 1; len <= BITS_MAX; len++) {
		code |= d->bits >> (len - 1) & 1;
		if (code - first < h->count[len]) {
			deflate_drop(d, len);
			return h->symbol[at + code - first];
		}
		at += h->count[len];
		first = (first + h->count[len]) << 1;
		code <<= 1;
	}
	return -1;
}

static bool deflate_stored(struct deflate *d)
{
	u32 len, not;

	deflate_drop(d, d->nr % 8);
	len = deflate_bits(d, 16);
	not = deflate_bits(d, 16);
	if ((len ^ not) != 0xffff || deflate_is_short(d))
		return false;
	while (len && d->dst < d->limit) {
		if (d->nr) {
			*d->dst++ = deflate_bits(d, 8);
			len--;
		} else {
			size_t n = min(min((size_t)len, (size_t)(d->end - d->src)), (size_t)(d->limit - d->dst));

			if (!n)
				return false;
			memcpy(d->dst, d->src, n);
			d->src += n;
			d->dst += n;
			len -= n;
		}
		if (deflate_is_short(d))
			return false;
	}
	return true;
}

/* RFC 1951, 3.2.5: what a length or distance symbol begins at, and how many bits more it has. */
static u32 deflate_length(struct deflate *d, unsigned int symbol)
{
	static const u16 base[] = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99,
				    115, 131, 163, 195, 227, 258 };
	static const u8 more[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };

	return symbol < ARRAY_SIZE(base) ? base[symbol] + deflate_bits(d, more[symbol]) : 0;
}

static u32 deflate_distance(struct deflate *d, int symbol)
{
	unsigned int more;

	if (symbol < 0 || symbol > 29)
		return 0;
	if (symbol < 4)
		return symbol + 1;
	more = symbol / 2 - 1;
	return ((2U + symbol % 2) << more) + 1 + deflate_bits(d, more);
}

static bool deflate_match(struct deflate *d, u32 len, u32 distance)
{
	if (!len || !distance || distance > d->dst - d->start)
		return false;
	len = min((size_t)len, (size_t)(d->limit - d->dst));
	/* One that overlaps itself repeats what it has just written, piece by piece. */
	while (len) {
		u32 n = min(len, distance);

		memcpy(d->dst, d->dst - distance, n);
		d->dst += n;
		len -= n;
		distance += n;
	}
	return true;
}

static bool deflate_symbols(struct deflate *d)
{
	while (d->dst < d->limit) {
		int symbol = huffman_next(d, &d->literal);
		u32 len;

		if (symbol < 0 || deflate_is_short(d))
			return false;
		if (symbol < END_OF_BLOCK) {
			*d->dst++ = symbol;
			continue;
		}
		if (symbol == END_OF_BLOCK)
			return true;
		len = deflate_length(d, symbol - END_OF_BLOCK - 1);
		if (!deflate_match(d, len, deflate_distance(d, huffman_next(d, &d->distance))) || deflate_is_short(d))
			return false;
	}
	return true;
}

static bool deflate_fixed(struct deflate *d)
{
	u8 lengths[LITERALS];

	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 112);
	memset(lengths + 256, 7, 24);
	memset(lengths + 280, 8, 8);
	if (!huffman_make(&d->literal, lengths, LITERALS))
		return false;
	memset(lengths, 5, DISTANCES);
	return huffman_make(&d->distance, lengths, DISTANCES) && deflate_symbols(d);
}

/* RFC 1951, 3.2.7: the lengths of both codes, in a code of their own. */
static bool deflate_dynamic(struct deflate *d)
{
	static const u8 order[] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
	u8 lengths[LITERALS + DISTANCES] = { 0 };
	unsigned int literals = 257 + deflate_bits(d, 5), distances = 1 + deflate_bits(d, 5), nr = 4 + deflate_bits(d, 4);
	unsigned int i = 0;

	for (unsigned int n = 0; n < nr; n++)
		lengths[order[n]] = deflate_bits(d, 3);
	if (literals > 286 || distances > 30 || !huffman_make(&d->literal, lengths, ARRAY_SIZE(order)))
		return false;
	memset(lengths, 0, sizeof(lengths));
	while (i < literals + distances) {
		int symbol = huffman_next(d, &d->literal);
		unsigned int repeat = 1;
		u8 val = symbol;

		if (symbol < 0 || symbol > 18 || (symbol == 16 && !i) || deflate_is_short(d))
			return false;
		if (symbol >= 16) {
			val = symbol == 16 ? lengths[i - 1] : 0;
			repeat = symbol == 16 ? 3 + deflate_bits(d, 2) : symbol == 17 ? 3 + deflate_bits(d, 3) : 11 + deflate_bits(d, 7);
		}
		if (repeat > literals + distances - i)
			return false;
		memset(lengths + i, val, repeat);
		i += repeat;
	}
	return huffman_make(&d->literal, lengths, literals) && huffman_make(&d->distance, lengths + literals, distances) &&
	       deflate_symbols(d);
}

long deflate_unpack(const void *src, size_t len, void *dst, size_t room)
{
	struct deflate d = {
		.src = src, .end = (const u8 *)src + len, .dst = dst, .start = dst, .limit = (u8 *)dst + room,
	};
	bool last = false, good = true;

	while (!last && good && d.dst < d.limit) {
		last = deflate_bits(&d, 1);
		switch (deflate_bits(&d, 2)) {
		case 0:
			good = deflate_stored(&d);
			break;
		case 1:
			good = deflate_fixed(&d);
			break;
		case 2:
			good = deflate_dynamic(&d);
			break;
		default:
			good = false;
		}
	}
	return good && !deflate_is_short(&d) ? d.dst - d.start : -EINVAL;
}
