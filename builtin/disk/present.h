/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A state of a disk as a file that any program opens (fuse(4)): in a mount namespace of
 * this process, and a user namespace where it is not root. One state at a time is there.
 * Single-threaded; only children may touch the file.
 */
#ifndef BUILTIN_DISK_PRESENT_H
#define BUILTIN_DISK_PRESENT_H

#include <kvm/replay.h>
#include <kvm/types.h>

struct present;

/* 0, or -errno with @err filled in. The process may have no other thread. */
int present_new(struct present **out, struct replay *r, struct opt_err *err);
void present_free(struct present *p);

/*
 * Run @argv with the state that @r has now, and {} in its words replaced by the file's
 * path. What it prints goes to @output, a file, or nowhere else than where ours goes if that
 * is -1. Its status as waitpid() has it, or -errno: -EINTR after SIGINT or SIGTERM.
 */
int present_run(struct present *p, char *const *argv, int output);

#endif
