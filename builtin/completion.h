/* SPDX-License-Identifier: GPL-2.0 */
/* The words that may stand at the cursor of a user's shell. */
#ifndef BUILTIN_COMPLETION_H
#define BUILTIN_COMPLETION_H

struct command;

/* Print the script for @shell: 0, or -ENOENT. */
int completion_script(const char *shell);

/*
 * Print the words, one a line. @argv: the @n words of the command line behind "lkvm", the
 * last of which is being typed; there is at least one.
 */
void completion_words(const struct command *const *table, int n, char **argv);

#endif
