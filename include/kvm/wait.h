/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Timed waits on condition variables, by the monotonic clock: a step of the clock does not
 * change how long they last.
 */
#ifndef KVM_WAIT_H
#define KVM_WAIT_H

#include <pthread.h>
#include <time.h>

#include <kvm/types.h>

#define WAIT_MS(ms)	((ms) * 1000000ULL)
#define WAIT_S(s)	((s) * 1000000000ULL)

/* A condition variable for wait_until(); pthread_cond_destroy() is its end. */
void wait_init(pthread_cond_t *cond);

/* The time @ns nanoseconds from now. */
struct timespec wait_deadline(u64 ns);

/*
 * As pthread_cond_wait(), which may return for no reason: 0, or -ETIMEDOUT from @deadline on.
 * @lock is held.
 */
int wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *deadline);

#endif
