/* SPDX-License-Identifier: GPL-2.0 */
/* Unpacking a deflate stream (RFC 1951) without the headers of zlib or gzip. */
#ifndef KVM_DEFLATE_H
#define KVM_DEFLATE_H

#include <stddef.h>

/*
 * Unpack @src to @dst until the stream ends or @room bytes are there. The number of
 * bytes unpacked, or -EINVAL: damaged, or cut short. Never reads or writes beyond
 * either.
 */
long deflate_unpack(const void *src, size_t len, void *dst, size_t room);

#endif
