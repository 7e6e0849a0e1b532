/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reports of a kernel's trouble, told apart by their text, and each as a line that is the
 * same whenever the same happens: what, where, and the functions that led there. Without
 * addresses, times, processors and tasks. One thread.
 */
#ifndef SESSION_SPLAT_H
#define SESSION_SPLAT_H

#include <kvm/session.h>
#include <kvm/types.h>

#define SPLAT_FUNCTIONS	4
#define SPLAT_TEXT_MAX	512

struct splat {
	unsigned int count;		/* of its class */
	/* The first of them */
	char what[128], where[64];
	char function[SPLAT_FUNCTIONS][64];
	unsigned int nr;
};

struct splats {
	struct splat of[FAULT_CLASSES];
	/* private */
	struct splat *open;		/* lines belong to it */
	bool trace;			/* its call trace has begun */
};

/* The next line of the console, without LF. The structure starts zeroed. */
void splats_line(struct splats *s, const char *line);
/* "what in where: f < g < h", or "" if there was none. */
void splat_text(const struct splat *splat, char text[SPLAT_TEXT_MAX]);

#endif
