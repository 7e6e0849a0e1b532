/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is kept from one start of a machine to the next: whatever was opened by a
 * name. A reboot destroys the machine and creates it again from the same
 * configuration, so what is asked for once more is found here, and after the first
 * start nothing is opened by name. One for the machine's configuration; main thread.
 * A NULL keep keeps nothing: everything is opened each time, and closed for good.
 */
#ifndef KVM_KEEP_H
#define KVM_KEEP_H

struct keep;

/* NULL: out of memory. keep_free() gives back what is kept, the newest first. */
struct keep *keep_new(void);
void keep_free(struct keep *k);

/*
 * A descriptor for @path, opened with @flags of open(2) but O_CREAT, or what that
 * gave before. It is the caller's to close, one of several of the same file
 * description. -errno.
 */
int keep_open(struct keep *k, const char *path, int flags);

/* The same for what is opened in other ways: a descriptor for @key, or -ENOENT. */
int keep_fd(struct keep *k, const char *key);
/* @fd, which stays the caller's, is what keep_fd() is to give for @key. 0, or -errno and it is not kept. */
int keep_add_fd(struct keep *k, const char *key, int fd);

/*
 * Things that one owner has at a time: @obj waits here for the next one, or for
 * fn(@obj). There may be several of one @key: the first that was put is taken first.
 * 0, or -ENOMEM and it is still the caller's; keep_take(): NULL, there is none.
 */
int keep_put(struct keep *k, const char *key, void *obj, void (*fn)(void *obj));
void *keep_take(struct keep *k, const char *key);

#endif
