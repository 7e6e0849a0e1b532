/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mappings between pages that nothing may touch: whoever runs over an end gets a signal, not
 * the memory that happens to be next.
 */
#ifndef KVM_GUARD_H
#define KVM_GUARD_H

#include <stddef.h>

/* mmap() of @len > 0 bytes of @fd from its beginning, or MAP_FAILED and errno. Any thread. */
void *guard_map(size_t len, int prot, int flags, int fd);
/* Also unmaps the pages around it. @p NULL: nothing. */
void guard_unmap(void *p, size_t len);

/* The bytes on each side: a page. */
size_t guard_size(void);

#endif
