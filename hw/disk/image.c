// SPDX-License-Identifier: GPL-2.0
/* Image files: see kvm/image.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/image.h>

#include "disk.h"

int image_create(const struct image_create *c, struct opt_err *err)
{
	int fd, ret = 0;

	if (!c->size || c->size % DISK_BLOCK_MIN || c->size > INT64_MAX)
		return disk_bad(err, -EINVAL, "a disk has a multiple of %d bytes, as in 10G", DISK_BLOCK_MIN);
	fd = open(c->file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
	if (fd < 0)
		return disk_bad(err, -errno, "%s: %s", c->file, strerror(errno));
	if (ftruncate(fd, c->size))
		ret = disk_bad(err, -errno, "%s: %llu bytes: %s", c->file, (unsigned long long)c->size, strerror(errno));
	close(fd);
	if (ret)
		unlink(c->file);
	return ret;
}

int image_info(struct image_info *info, const char *file, enum disk_format format, struct opt_err *err)
{
	struct disk_options opts = { .file = file, .ro = true, .format = format, .block = DISK_BLOCK_MIN };
	struct disk *d;
	struct stat st;
	int ret = disk_open(&d, &opts, NULL, "", err);

	if (ret)
		return ret;
	*info = (struct image_info){ .format = DISK_FORMAT_RAW, .size = disk_size(d) };
	if (!stat(file, &st))
		info->used = st.st_blocks * 512;
	disk_close(d, NULL, "");
	return 0;
}
