/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Restricting the files that a process may open (Linux: landlock(7),
 * Documentation/userspace-api/landlock.rst). All other access is refused with EACCES, as
 * far as the ABI version of the host's kernel can.
 */
#ifndef KVM_LANDLOCK_H
#define KVM_LANDLOCK_H

#include <kvm/types.h>

/* Rights below a directory, or to a file. */
enum {
	LANDLOCK_READ	= 1 << 0,	/* files and directories are read */
	LANDLOCK_WRITE	= 1 << 1,	/* files are written, made, renamed and removed, of every kind */
	LANDLOCK_SOCKET	= 1 << 2,	/* sockets are made and removed, nothing else */
};

/* The ABI of the host's kernel: 1 to 7; 0: it has no Landlock. */
int landlock_abi(void);
/* One line each for what ABI @abi cannot do, from @n = 0 on; NULL behind the last. */
const char *landlock_missing(int abi, unsigned int n);

/*
 * Begin a set of rules for ABI @abi > 0, at most landlock_abi(): returns its
 * descriptor, which the caller closes, or -errno. With @connect TCP connections go
 * out, with @bind TCP ports are listened on; signals and abstract sockets of other
 * processes are out of reach where the ABI has that.
 */
int landlock_new(int abi, bool connect, bool bind);
/* Allow @what (LANDLOCK_*) below @fd, which may be an O_PATH descriptor. 0 or -errno. */
int landlock_allow(int set, int abi, int fd, unsigned int what);
/* Put the calling thread under @set for good, and threads that it creates. It has no_new_privs. 0 or -errno. */
int landlock_enter(int set);

#endif
