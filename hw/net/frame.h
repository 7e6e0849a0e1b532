/* SPDX-License-Identifier: GPL-2.0 */
/* Bytes of frames: Ethernet's header, numbers in network order, checksums. */
#ifndef HW_NET_FRAME_H
#define HW_NET_FRAME_H

#include <stddef.h>

#include <kvm/types.h>

#define ETH_HEADER	14

/* The Internet checksum (RFC 1071): a partial sum; @len is even but for the last piece. */
u32 sum_add(u32 sum, const void *data, size_t len);
u16 sum_fold(u32 sum);

static inline u16 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static inline u32 get32(const u8 *p)
{
	return (u32)get16(p) << 16 | get16(p + 2);
}

static inline void put16(u8 *p, u16 val)
{
	p[0] = val >> 8;
	p[1] = val;
}

static inline void put32(u8 *p, u32 val)
{
	put16(p, val >> 16);
	put16(p + 2, val);
}

#endif
