/* SPDX-License-Identifier: GPL-2.0 */
/* Whole files of the host. A FIFO is no file: nothing here waits. */
#ifndef KVM_FILE_H
#define KVM_FILE_H

#include <stddef.h>
#include <sys/types.h>

struct file_map {
	const void *data;
	size_t len;
};

/* A descriptor of the regular file @path for reading, and its bytes in @len: -EISDIR, -EINVAL (no regular file), -errno. */
int file_open(const char *path, size_t *len);

/* Map the regular file @path: 0, or as file_open(). An empty one has no bytes. */
int file_map(struct file_map *map, const char *path);
void file_unmap(struct file_map *map);

/* Its content with a NUL behind it, malloc()ed. The same results; -EIO: it became shorter. */
int file_read(const char *path, char **data, size_t *len);

/* All of @len bytes at @off of @fd, whatever signals come: 0, -EIO (the file ends before), -errno. */
int file_pread(int fd, void *buf, size_t len, off_t off);
int file_pwrite(int fd, const void *buf, size_t len, off_t off);

#endif
