/* SPDX-License-Identifier: GPL-2.0 */
/* For commands that run a debugger on a machine: which one, and where the debugger connects. */
#ifndef BUILTIN_ATTACH_H
#define BUILTIN_ATTACH_H

#include <kvm/builtin.h>

#define ATTACH_NAME_MAX	256

/* @given, or without it the only machine that runs. 0, or the exit status with the message printed. */
int attach_choose(const struct command *cmd, const char *given, char name[ATTACH_NAME_MAX]);

/*
 * Have machine @name serve a debugger by @verb: if nothing serves yet, make the socket that the
 * machine names and hand it over. Its answer, with an "address", is in @values. 0, or 1 with
 * the message printed.
 */
int attach_serve(const char *name, const char *verb, char *values, size_t size);

/* Run @args, or print them as a command line. Returns the exit status, if at all. */
int attach_run(const char *const *args, bool print);

#endif
