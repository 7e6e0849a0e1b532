// SPDX-License-Identifier: GPL-2.0
/* Timed waits on condition variables: see include/kvm/wait.h. */
#include <kvm/wait.h>

void wait_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

struct timespec wait_deadline(u64 ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns += now.tv_nsec;
	return (struct timespec){ .tv_sec = now.tv_sec + ns / WAIT_S(1), .tv_nsec = ns % WAIT_S(1) };
}

int wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *deadline)
{
	return -pthread_cond_timedwait(cond, lock, deadline);
}
