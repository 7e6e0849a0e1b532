/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which files a process may still open (Linux: landlock(7),
 * Documentation/userspace-api/landlock.rst). Everything that is not allowed is
 * refused with EACCES, as far as the host's kernel can: its ABI version says how far.
 */
#ifndef KVM_LANDLOCK_H
#define KVM_LANDLOCK_H

#include <kvm/types.h>

/* What may be done below a directory, or with a file. */
enum {
	LANDLOCK_READ	= 1 << 0,	/* files and directories are read */
	LANDLOCK_WRITE	= 1 << 1,	/* files are written, made, renamed and removed, of every kind */
	LANDLOCK_SOCKET	= 1 << 2,	/* sockets are made and removed, nothing else */
};

/* What the host's kernel can restrict: 1 to 7, 0: nothing, there is no Landlock. */
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
