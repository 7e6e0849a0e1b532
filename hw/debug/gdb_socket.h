/* SPDX-License-Identifier: GPL-2.0 */
/* Where a debugger connects. */
#ifndef HW_DEBUG_GDB_SOCKET_H
#define HW_DEBUG_GDB_SOCKET_H

#include <kvm/opt.h>

/* Listen at @where, as gdb_open() says: a descriptor that does not block, or -errno with @err filled in. */
int gdb_listen(const char *where, struct opt_err *err);
/* Close it, and remove what is in the file system. */
void gdb_unlisten(int fd, const char *where);

#endif
