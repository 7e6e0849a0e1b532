/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that are packed by gzip, xz or zstd, unpacked by the host's program of that name.
 * Several can be under way at once.
 */
#ifndef GUEST_PACKED_H
#define GUEST_PACKED_H

#include <sys/types.h>

struct packed {
	pid_t pid;
	int fd;			/* what is unpacked, without a name, or -1 */
	const char *program;
};

/* The length of the suffix (".xz") of a packed file's name, 0: it is not packed. */
int packed_suffix(const char *path);
/* Begin to unpack the file that is open as @fd. 0 or -errno. */
int packed_start(struct packed *p, const char *path, int fd);
/* The descriptor of what came out, the caller's; -ENOENT: the host lacks the program; or -errno. */
int packed_end(struct packed *p);
/* The same, without the result; nothing if nothing is under way. */
void packed_drop(struct packed *p);

#endif
