/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A host whose file systems lie. A test with the line "// with: tests/lib/lies.o" has its
 * own of the system calls that the file servers make: they do what they always do unless
 * the test has set one of these.
 */
#ifndef LIES_H
#define LIES_H

#include <sys/types.h>

#include <kvm/types.h>

struct lies {
	/* The name to look up in place of @name (openat2, statx): a file system that has it. */
	const char *(*name)(const char *name);
	/* What @call ("statx") fails with, undone; 0: it is done. */
	int (*fail)(const char *call);
	/*
	 * Of calls that say something, after they have succeeded: @buf has @len bytes, of
	 * which it has filled @ret. What this returns is what the caller gets. Directory
	 * entries, a struct statx, stat or statfs, a link's target, an attribute's value, data;
	 * for a write @buf is NULL.
	 */
	ssize_t (*tell)(const char *call, void *buf, size_t len, ssize_t ret);
};
extern struct lies lies;

/* Put an entry of struct linux_dirent64 at @buf: its length, 0 if it does not fit in @len. */
size_t lies_dirent(void *buf, size_t len, u64 ino, u64 cookie, u8 type, const char *name);

/*
 * Lie as the bytes say that @next gives, 0 for ever in the end: about one call in eight. Files
 * "file" and "dir" have many long names as well. NULL: no more lies.
 */
void lies_by_bytes(u8 (*next)(void));

#endif
