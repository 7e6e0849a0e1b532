/* SPDX-License-Identifier: GPL-2.0 */
/* Where a debugger connects. */
#ifndef HW_DEBUG_GDB_SOCKET_H
#define HW_DEBUG_GDB_SOCKET_H

#include <kvm/opt.h>

/*
 * Listen at @where, as gdb_open() says: a descriptor that does not block, or -errno with @err
 * filled in. *@actual is @where with the port that there is, malloc()ed, or NULL: out of memory.
 */
int gdb_listen(const char *where, char **actual, struct opt_err *err);
/* Is @fd a unix socket that listens, and does not block? 0 or -errno. */
int gdb_listens(int fd);
/* Close it, and remove what is in the file system. */
void gdb_unlisten(int fd, const char *where);

#endif
