/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files of the host that a shared folder does not have: each by the name in its
 * directory, whatever has that name later, and by its inode, whatever name that has.
 */
#ifndef FS_HIDE_H
#define FS_HIDE_H

#include <sys/types.h>

#include <kvm/types.h>

struct hide;
struct keep;
struct opt_list;

/*
 * @paths are absolute and name what is there. 0 or -errno; no paths: *out is NULL, with which
 * all functions here hide nothing.
 */
int hide_new(struct hide **out, struct keep *keep, const struct opt_list *paths);
void hide_free(struct hide *h);

/* Is @name in the directory @dev, @ino hidden? */
bool hide_name(const struct hide *h, dev_t dev, ino_t ino, const char *name);
/* Is the file @dev, @ino, by any name? */
bool hide_file(const struct hide *h, dev_t dev, ino_t ino);

#endif
