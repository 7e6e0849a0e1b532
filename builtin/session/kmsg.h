/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The output of a kernel's console: it is cut into lines, the last of them are kept,
 * and each is checked for signs of trouble. Memory is bounded. One thread.
 */
#ifndef SESSION_KMSG_H
#define SESSION_KMSG_H

#include <kvm/types.h>

#include "splat.h"

#define KMSG_LINE	512	/* bytes of a line; a longer one counts as several */
#define KMSG_KEPT	16384	/* bytes of the last lines, a power of two */

struct kmsg {
	bool panic;		/* the kernel has given up */
	bool panic_over;	/* and has said all that it will: it hangs from now on */
	bool told;		/* it has begun to panic, or has said all of an oops */
	bool oops;		/* it had a fault that it survived, or not */
	struct splats splats;	/* what it reported */
	char cause[KMSG_LINE];	/* the line that said so first; a panic's wins */
	/* Every whole line, with a NUL for its end and with control characters replaced; may be NULL. */
	void (*line)(void *obj, const char *text, size_t len);
	void *obj;
	size_t from;		/* kmsg_last() shows nothing that is older: a value that total had */
	size_t total;		/* bytes that were kept, in all */
	/* private */
	char text[KMSG_LINE];
	size_t len;
	char kept[KMSG_KEPT];
};

enum kmsg_class { KMSG_PLAIN, KMSG_OOPS, KMSG_PANIC, KMSG_PANIC_OVER };

/* The class of a line (without its LF). */
enum kmsg_class kmsg_classify(const char *line);

/* Does it say that the kernel has stopped for good, as "halt -f" wants it (kernel/reboot.c)? */
bool kmsg_is_halt(const char *line);

/* More of what the console says. The structure starts zeroed. */
void kmsg_feed(struct kmsg *k, const char *buf, size_t len);
/* The line that has not ended yet counts as one: at the end of the machine. */
void kmsg_end(struct kmsg *k);

/* Call fn() for the last @max lines that are kept, oldest first. */
void kmsg_last(const struct kmsg *k, unsigned int max,
	       void (*fn)(void *obj, const char *text, size_t len), void *obj);

#endif
