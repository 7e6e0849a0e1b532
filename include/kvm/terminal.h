/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The terminal that lkvm was started on: raw mode, and the way back from it
 * whatever happens; the escape key. There is one for the process.
 */
#ifndef KVM_TERMINAL_H
#define KVM_TERMINAL_H

#include <kvm/types.h>

/*
 * Put the terminal @fd in raw mode: 0 or -errno. From then on it is restored by
 * terminal_restore(), at exit() and by the signals that kill (those that can be
 * caught). Calling it again while it is raw makes it raw again, for one that
 * others have changed; the mode to restore stays the first.
 */
int terminal_raw(int fd);
/* Back to what it was; nothing if it is not raw. Any thread, also in a signal handler. */
void terminal_restore(void);

/* False: another job has the terminal, and to read or change it would stop us. */
bool terminal_is_foreground(int fd);
/* Rows and columns: 0 or -ENOTTY. */
int terminal_size(int fd, u16 *rows, u16 *cols);

/* Ctrl-a, then x, b, z, or a for itself; any other key asks for help. Zeroed at first. */
struct escape {
	bool pressed;
};
enum escape_action {
	ESCAPE_PASS, ESCAPE_DROP, ESCAPE_EXIT, ESCAPE_HELP, ESCAPE_BREAK, ESCAPE_SUSPEND,
};
#define ESCAPE_KEY 0x01
/* The action for the key @c. */
enum escape_action escape_key(struct escape *e, char c);

#endif
