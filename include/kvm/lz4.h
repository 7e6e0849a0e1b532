/* SPDX-License-Identifier: GPL-2.0 */
/* Unpacking what "lz4 -l" has packed, as the kernel's build does. */
#ifndef KVM_LZ4_H
#define KVM_LZ4_H

#include <stddef.h>

#define LZ4_LEGACY_MAGIC 0x184c2102	/* little-endian, at the start */

/*
 * Unpack @len bytes at @src (the magic included) to @dst, which has room for
 * @room. The number of bytes unpacked, or -EINVAL: damaged, or too much for
 * @room. Never reads or writes beyond either.
 */
long lz4_unpack(const void *src, size_t len, void *dst, size_t room);

#endif
