/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files kept from one start of a machine to the next: all that were opened by name. A
 * reboot destroys the machine and creates it again from the same configuration. It
 * asks for the same files, and finds them here. So after the first start nothing is
 * opened by name. A configuration has one; main thread. A NULL keep keeps nothing: each
 * start opens its files, and closes them.
 */
#ifndef KVM_KEEP_H
#define KVM_KEEP_H

struct keep;

/* NULL: out of memory. keep_free() gives back what is kept, the newest first. */
struct keep *keep_new(void);
void keep_free(struct keep *k);

/*
 * A descriptor for @path, opened with @flags of open(2) (without O_CREAT), now or by an
 * earlier call. The caller closes it; it shares its file description with others.
 * -errno.
 */
int keep_open(struct keep *k, const char *path, int flags);

/* The same for files opened in other ways: a descriptor for @key, or -ENOENT. */
int keep_fd(struct keep *k, const char *key);
/* Keep a duplicate of @fd for keep_fd(@key); @fd stays the caller's. 0, or -errno and nothing is kept. */
int keep_add_fd(struct keep *k, const char *key, int fd);

/*
 * Objects with one owner at a time: @obj waits here for its next owner, or for keep_free()
 * to call fn(@obj). Several may have the same @key: the first put is the first taken.
 * 0, or -ENOMEM and it is still the caller's; keep_take(): NULL, there is none.
 */
int keep_put(struct keep *k, const char *key, void *obj, void (*fn)(void *obj));
void *keep_take(struct keep *k, const char *key);

#endif
