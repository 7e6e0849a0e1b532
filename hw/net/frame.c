// SPDX-License-Identifier: GPL-2.0
/* Bytes of frames: see frame.h. */
#include <endian.h>
#include <string.h>

#include "frame.h"

u32 sum_add(u32 sum, const void *data, size_t len)
{
	const u8 *p = data;
	u64 wide = sum;

	for (; len >= 4; p += 4, len -= 4) {
		u32 word;

		memcpy(&word, p, 4);
		wide += be32toh(word);
	}
	/* 2^16 is 1 in this arithmetic, so halves of a wide word may be added. */
	if (len >= 2) {
		wide += get16(p);
		p += 2;
		len -= 2;
	}
	if (len)
		wide += (u32)*p << 8;
	while (wide >> 32)
		wide = (wide & 0xffffffff) + (wide >> 32);
	return (u32)((wide >> 16) + (wide & 0xffff));
}

u16 sum_fold(u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}
