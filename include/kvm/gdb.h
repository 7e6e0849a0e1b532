/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A server for gdb, in its remote protocol ("Debugging with GDB", appendix E). The
 * socket is there from before the machine is made until after its end, and a
 * connection outlives the guest's reboots. While nobody is connected nothing is
 * done: no vCPU is debugged. One connection at a time; whatever its other side
 * does, it can end no more than that connection, unless it asks for more by a
 * packet that says so: a debugger may write all of the guest's memory and end it.
 */
#ifndef KVM_GDB_H
#define KVM_GDB_H

#include <kvm/opt.h>
#include <kvm/types.h>

struct gdb;
struct vm;

/*
 * Listen at @where: "ADDRESS:PORT" (a numeric address; none: 127.0.0.1), or
 * "unix:PATH", which gets the mode 0600. With @wait the machine's first start stops before the first
 * instruction. @version, which stays the caller's, is what "monitor info version" says.
 * 0, or -errno with @err filled in.
 */
int gdb_open(struct gdb **out, const char *where, const char *version, bool wait, struct opt_err *err);
/* The same for one debugger, which is at the other end of the socket @fd already. @fd is the server's, also on failure. */
int gdb_connected(struct gdb **out, int fd, const char *version, bool wait);
/*
 * The same with @fd, a unix socket that listens at @path already: for a machine that runs.
 * @fd is the server's from now on, also if it is refused; @path is removed in the end.
 */
int gdb_adopt(struct gdb **out, int fd, const char *path, const char *version, struct opt_err *err);
/* Tell whoever is connected that the machine has ended, and remove the socket. NULL is nothing. */
void gdb_close(struct gdb *g);

/* As gdb's "target remote" wants it. */
const char *gdb_address(const struct gdb *g);

/*
 * Serve @vm, which does not run yet, or on its main loop: after gdb_open() and, for another machine,
 * after gdb_leave(). One that starts again while a debugger is connected stops before
 * its first instruction. 0 or -errno with the message printed.
 */
int gdb_start(struct gdb *g, struct vm *vm);
/* The machine has ended. */
void gdb_leave(struct gdb *g);

#endif
