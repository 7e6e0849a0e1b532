/* SPDX-License-Identifier: GPL-2.0 */
/* Names that every part uses: integers, guest addresses, guest pointers. */
#ifndef KVM_TYPES_H
#define KVM_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

/* A guest-physical address, in bytes. */
typedef u64 gpa_t;

/*
 * A host pointer into guest memory. What it points at can change under us at
 * any moment, so it is never dereferenced: a checking compile with clang
 * (make C=1) rejects that, and rejects handing it to memcpy(). Only
 * hw/memory.c and util/iov.c turn it into a plain pointer.
 */
#if defined(__clang__) && defined(CHECK_GUEST)
#define __guest __attribute__((noderef, address_space(1)))
#else
#define __guest
#endif

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

#endif
