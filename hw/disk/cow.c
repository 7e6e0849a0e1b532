// SPDX-License-Identifier: GPL-2.0
/*
 * Copy-on-write into a file that the user keeps: cow=FILE. Its name says what it is. A
 * FILE.qcow2 is a qcow2 image with the disk's image behind it. Any other name is a
 * clone: a raw copy that shares its blocks with the image until one of both is written
 * (FICLONE), where the file system can do that. A FILE that exists is used on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/image.h>
#include <kvm/log.h>

#include "disk.h"

static int cow_clone(const struct disk_options *opts, bool qcow2, struct opt_err *err)
{
	const char *file = opts->cow_file;
	int from, to, ret = 0;

	if (qcow2)
		return disk_bad(err, -EINVAL, "%s is qcow2: what is written over it goes to cow=%s.qcow2", opts->file, file);
	from = open(opts->file, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return disk_bad(err, -errno, "%s: %s", opts->file, strerror(errno));
	to = open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (to < 0)
		ret = disk_bad(err, -errno, "%s: %s", file, strerror(errno));
	else if (ioctl(to, FICLONE, from)) {
		ret = disk_bad(err, -errno, "%s: no clone of %s can be there (%s); cow=%s.qcow2 needs none", file, opts->file,
			       strerror(errno), file);
		unlink(file);
	}
	if (to >= 0)
		close(to);
	close(from);
	if (!ret)
		pr_info("%s is a new clone of %s: both share their blocks until one is written", file, opts->file);
	return ret;
}

static int cow_create(const struct disk_options *opts, bool qcow2, struct opt_err *err)
{
	struct image_create c = {
		.file = opts->cow_file, .format = DISK_FORMAT_QCOW2,
		.backing_format = qcow2 ? DISK_FORMAT_QCOW2 : DISK_FORMAT_RAW,
	};
	char *image;
	int ret;

	if (!disk_is_named_qcow2(opts->cow_file))
		return cow_clone(opts, qcow2, err);
	image = realpath(opts->file, NULL);
	if (!image)
		return disk_bad(err, -errno, "%s: %s", opts->file, strerror(errno));
	c.backing = image;
	ret = image_create(&c, err);
	if (!ret)
		pr_info("%s is a new qcow2 image on %s", opts->cow_file, opts->file);
	free(image);
	return ret;
}

/* One that exists has to be on this image. */
static int cow_is_on(const struct disk_options *opts, struct opt_err *err)
{
	struct image_info info;
	struct stat image, behind;
	const char *slash = strrchr(opts->cow_file, '/');
	char *path;
	int ret = image_info(&info, opts->cow_file, DISK_FORMAT_QCOW2, err);

	if (ret)
		return ret;
	free(info.snapshot);
	if (!*info.backing)
		return disk_bad(err, -EINVAL, "%s exists, and is on no other image", opts->cow_file);
	if (asprintf(&path, "%.*s%s", *info.backing != '/' && slash ? (int)(slash - opts->cow_file + 1) : 0, opts->cow_file,
		     info.backing) < 0)
		return disk_bad(err, -ENOMEM, "out of memory");
	if (stat(opts->file, &image) || stat(path, &behind) || image.st_dev != behind.st_dev || image.st_ino != behind.st_ino)
		ret = disk_bad(err, -EINVAL, "%s exists, and is on %s, not on %s", opts->cow_file, path, opts->file);
	free(path);
	return ret;
}

int disk_cow_open(struct disk **out, const struct disk_options *opts, bool qcow2, struct opt_err *err)
{
	struct disk_options own = *opts;
	bool named = disk_is_named_qcow2(opts->cow_file);
	int ret = 0;

	if (opts->opener)
		return disk_bad(err, -ENOTSUP, "cow=FILE is for disks that are there from the start; cow alone is not kept");
	if (access(opts->cow_file, F_OK))
		ret = cow_create(opts, qcow2, err);
	else if (named)
		ret = cow_is_on(opts, err);
	if (ret)
		return ret;
	own.file = opts->cow_file;
	own.anywhere = true;
	own.format = named ? DISK_FORMAT_QCOW2 : DISK_FORMAT_RAW;
	return named ? disk_qcow2_open(out, &own, err) : disk_raw_open(out, &own, err);
}
