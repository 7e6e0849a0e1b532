/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Access to guest memory that mem_map() has checked. Inline, as a ring is read and
 * written word by word. Only this file, hw/memory.c and util/iov.c turn a guest pointer
 * into a plain one.
 */
#ifndef KVM_ACCESS_H
#define KVM_ACCESS_H

#include <string.h>

#include <kvm/types.h>

/* Plain copies, of bytes that may change meanwhile. */
static inline void guest_read(void *dst, const void __guest *src, size_t len)
{
	memcpy(dst, (__force const void *)src, len);
}

static inline void guest_write(void __guest *dst, const void *src, size_t len)
{
	memcpy((__force void *)dst, src, len);
}

/* Single values in memory shared with vCPUs: each is one access; relaxed, but for two. */
static inline u16 guest_load16(const void __guest *p)
{
	return __atomic_load_n((__force const u16 *)p, __ATOMIC_RELAXED);
}

static inline u16 guest_load16_acquire(const void __guest *p)
{
	return __atomic_load_n((__force const u16 *)p, __ATOMIC_ACQUIRE);
}

static inline void guest_store16(void __guest *p, u16 val)
{
	__atomic_store_n((__force u16 *)p, val, __ATOMIC_RELAXED);
}

static inline void guest_store16_release(void __guest *p, u16 val)
{
	__atomic_store_n((__force u16 *)p, val, __ATOMIC_RELEASE);
}

#endif
