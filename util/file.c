// SPDX-License-Identifier: GPL-2.0
/* Whole files: see kvm/file.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/file.h>

int file_open(const char *path, size_t *len)
{
	/* O_NONBLOCK: opening a FIFO without a writer would wait. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), ret = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		ret = -errno;
	else if (!S_ISREG(st.st_mode))
		ret = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (ret) {
		close(fd);
		return ret;
	}
	*len = st.st_size;
	return fd;
}

int file_map(struct file_map *map, const char *path)
{
	int fd = file_open(path, &map->len), ret = 0;
	void *p;

	map->data = "";
	if (fd < 0)
		return fd;
	if (map->len) {
		p = mmap(NULL, map->len, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			ret = -errno;
		else
			map->data = p;
	}
	close(fd);
	return ret;
}

void file_unmap(struct file_map *map)
{
	if (map->len)
		munmap((void *)map->data, map->len);
	map->data = NULL;
	map->len = 0;
}

int file_read(const char *path, char **data, size_t *len)
{
	int fd = file_open(path, len), ret = 0;
	size_t done = 0;
	char *buf;

	if (fd < 0)
		return fd;
	buf = malloc(*len + 1);
	if (!buf)
		ret = -ENOMEM;
	while (!ret && done < *len) {
		ssize_t n = read(fd, buf + done, *len - done);

		if (n > 0)
			done += n;
		else if (!n)
			ret = -EIO;
		else if (errno != EINTR)
			ret = -errno;
	}
	close(fd);
	if (ret) {
		free(buf);
		return ret;
	}
	buf[done] = '\0';
	*data = buf;
	return 0;
}

int file_pread(int fd, void *buf, size_t len, off_t off)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf = (char *)buf + n;
		off += n;
		len -= n;
	}
	return 0;
}

int file_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf = (const char *)buf + n;
		off += n;
		len -= n;
	}
	return 0;
}
