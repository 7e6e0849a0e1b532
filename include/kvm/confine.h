/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Confinement: before the first instruction of the guest the process gives up files
 * that the user did not name, system calls that its threads do not need, and
 * privileges. Documentation/confinement.rst has the threats, and the gaps.
 */
#ifndef KVM_CONFINE_H
#define KVM_CONFINE_H

#include <stdio.h>

#include <kvm/landlock.h>
#include <kvm/threads.h>
#include <kvm/types.h>

enum confine_mode {
	CONFINE_ON,		/* a violation ends the process */
	CONFINE_LOG,		/* system calls are reported and made; files are not restricted */
	CONFINE_OFF,
};

struct confine_config {
	enum confine_mode mode;
	bool apart;		/* file servers are processes of their own: this one serves no files */
	int log_fd;		/* violations are written to it besides stderr; duplicated; -1: none */
	/* After a violation, in a signal handler of the main thread: end the process. Does not return. */
	void (*end)(void);
};

struct confine;

/*
 * Nothing is given up yet. 0 or -ENOMEM. One per process. confine_free() does not undo
 * the confinement; threads that were started by confine_threads() have ended.
 */
int confine_new(struct confine **out, const struct confine_config *cfg);
void confine_free(struct confine *c);

/* Starts the threads of the machine: each puts itself under the filter of its kind. */
struct threads *confine_threads(struct confine *c);

/*
 * @what (LANDLOCK_*) stays possible below @path, or with that file. Nothing happens once confine_enter()
 * has been called, as by a machine that starts again, nor if @c is NULL. 0; -errno: it is not there.
 */
int confine_allow(struct confine *c, const char *path, unsigned int what);
/* TCP connections to elsewhere, and ports to listen on, stay possible. */
void confine_allow_tcp(struct confine *c, bool connect, bool bind);

/*
 * Give up, for good: no_new_privs, files, capabilities that no file server needs,
 * system calls. On the main thread, which has no others yet. 0 or -errno with the
 * message printed; a feature that the host's kernel lacks is reported at LOG_INFO.
 */
int confine_enter(struct confine *c);

/*
 * A file server in a process of its own (virtio/remote_keeper.c). NULL, or a @c that gives up nothing:
 * neither do these. confine_forked(): this process was forked by the one that has @c, before
 * that has confined itself: nothing is allowed to it yet, and a violation calls @end.
 * confine_keeper() is for it what confine_enter() is for the machine, on its only thread; it may
 * make processes. confine_server() is for such a process, on its only thread.
 */
void confine_forked(struct confine *c, void (*end)(void));
int confine_keeper(struct confine *c);
int confine_server(struct confine *c);

/* Print the rules of each kind of thread, and the features of this host's kernel. */
void confine_show(FILE *f);

#endif
