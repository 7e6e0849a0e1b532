/* SPDX-License-Identifier: GPL-2.0 */
/* A directory for a test's files, in $TMPDIR or /tmp. Aborts if there can be none. */
#ifndef SCRATCH_H
#define SCRATCH_H

/* A new directory, which is removed when the process and its children have ended. */
const char *scratch_dir(void);

/* The path of @name in it, static, the last four are valid. */
const char *scratch(const char *name);

/* Make a file with that content there. */
void scratch_file(const char *name, const char *content);

#endif
