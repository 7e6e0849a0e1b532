/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Creating threads. At first a thread creates its own. Once the process is sealed, one
 * thread, the spawner, creates all of them: a filter of system calls is inherited and
 * only gets narrower, so a vCPU's thread could not create that of a file server.
 */
#ifndef KVM_THREADS_H
#define KVM_THREADS_H

#include <pthread.h>

/* The purpose of a thread, which decides what it may do (Documentation/confinement.rst). */
enum thread_kind {
	THREAD_DEVICE,		/* serves queues and touches no file: console, rng */
	THREAD_MAIN,
	THREAD_SPAWNER,		/* creates the others */
	THREAD_VCPU,
	THREAD_FILES,		/* a file server */
	THREAD_DISK,
	THREAD_NET,
	THREAD_DISPLAY,
	THREAD_KEEPER,		/* makes processes that serve files: virtio/remote_keeper.c */
	THREAD_SERVER,		/* the main thread of such a process */
	THREAD_KINDS
};

struct threads;

/*
 * Each thread calls begin(obj, kind) before anything else, NULL: nothing. 0 or
 * -ENOMEM. threads_free() ends the spawner; the others have ended.
 */
int threads_new(struct threads **out, void (*begin)(void *obj, enum thread_kind kind), void *obj);
void threads_free(struct threads *t);

/* Start the spawner: from now on it creates every thread. 0 or -errno. */
int threads_seal(struct threads *t);

/*
 * pthread_create() of a thread of @kind. NULL for @t creates it here and calls no
 * begin(). 0 or -errno. Any thread, also with locks held: nothing is called back.
 */
int thread_start(struct threads *t, enum thread_kind kind, const pthread_attr_t *attr,
		 pthread_t *out, void *(*fn)(void *arg), void *arg);

/* "vCPU", "file server": for messages. */
const char *thread_kind_name(enum thread_kind kind);

#endif
