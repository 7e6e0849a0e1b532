/* SPDX-License-Identifier: GPL-2.0 */
/* For util/iov_io.c: what system calls need of an iterator. */
#ifndef UTIL_IOV_H
#define UTIL_IOV_H

#include <kvm/iov.h>

/*
 * The segments of the first @len bytes of the iterator, which is a copy, at most @max of
 * them, to @iov. How many.
 */
int iov_iter_batch(struct iov_iter i, size_t len, struct iovec *iov, int max);

#endif
