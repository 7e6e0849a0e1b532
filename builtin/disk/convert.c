// SPDX-License-Identifier: GPL-2.0
/* lkvm disk convert: a copy of an image, of another format or shape, and sparse. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/image.h>

#include "disk.h"
#include "source.h"

#define CONVERT_STEP	MIB		/* bytes that are read at a time */
#define CONVERT_GRAIN	(4 * KIB)	/* zeroes of that many bytes become a hole */

struct convert {
	struct source source;
	int to;
	u64 cluster;
};

static const struct opt convert_opts[] = {
	OPT_TABLE(source_opts, struct source, struct convert, source),
	OPT_CHOICE('O', "to", struct convert, to, disk_formats, "what COPY becomes (auto: by its name)"),
	OPT_SIZE(0, "cluster", struct convert, cluster, 1, 512, 2 * MIB, "SIZE", "bytes of a cluster of a qcow2 COPY (64K)"),
	OPT_END
};

static int convert_io(struct disk *d, enum disk_op op, u64 off, void *buf, size_t len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct iov_iter data;
	struct disk_req req = { .op = op, .off = off, .len = len, .data = &data };

	iov_iter_init(&data, &iov, 1);
	return disk_serve(d, &req);
}

static bool convert_is_zero(const u8 *p, size_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

/* Write what is not zeroes. */
static int convert_write(struct disk *to, u64 off, u8 *buf, size_t len)
{
	size_t at = 0, end, next;
	int ret = 0;

	while (!ret && at < len) {
		for (end = at; end < len; end = next) {
			next = min(end + CONVERT_GRAIN, len);
			if (convert_is_zero(buf + end, next - end))
				break;
		}
		if (end > at)
			ret = convert_io(to, DISK_WRITE, off + at, buf + at, end - at);
		at = end < len ? min(end + CONVERT_GRAIN, len) : len;
	}
	return ret;
}

static int convert_all(struct disk *from, struct disk *to, u8 *buf)
{
	u64 size = disk_size(from), len;
	int ret = 0;

	for (u64 off = 0; !ret && off < size; off += len) {
		struct disk_extent e;

		ret = disk_map(from, off, size - off, &e);
		if (ret)
			break;
		len = e.len;
		if (e.zero)
			continue;
		len = min(len, CONVERT_STEP);
		ret = convert_io(from, DISK_READ, off, buf, len);
		if (!ret)
			ret = convert_write(to, off, buf, len);
	}
	return ret ? ret : convert_io(to, DISK_FLUSH, 0, NULL, 0);
}

static int convert_to(const struct command *cmd, const struct convert *c, struct disk *from, const char *copy)
{
	struct image_create make = { .file = copy, .format = c->to, .size = disk_size(from), .cluster = c->cluster };
	struct disk_options opts = { .file = copy, .format = c->to, .block = DISK_BLOCK_MIN };
	struct opt_err err;
	struct disk *to;
	void *buf = NULL;
	int ret;

	if (image_create(&make, &err))
		return command_usage(cmd, "%s", err.text);
	if (disk_open(&to, &opts, NULL, "", &err)) {
		unlink(copy);
		return command_usage(cmd, "%s", err.text);
	}
	ret = posix_memalign(&buf, 4096, CONVERT_STEP) ? -ENOMEM : convert_all(from, to, buf);
	free(buf);
	disk_close(to, NULL, "");
	if (!ret)
		return 0;
	unlink(copy);
	return command_usage(cmd, "%s: %s", copy, strerror(-ret));
}

static int convert_main(const struct command *cmd, int argc, char **argv)
{
	struct convert c = { .cluster = 0 };
	int status, n = command_parse(cmd, &c, argc, argv, &status);
	struct opt_err err;
	struct disk *from;

	if (n < 0)
		return status;
	if (n != 2)
		return command_usage(cmd, "an image and its copy, as in 'lkvm disk convert cloud.qcow2 disk.img'");
	if (source_open(&from, &c.source, argv[0], &err))
		return command_usage(cmd, "%s", err.text);
	status = convert_to(cmd, &c, from, argv[1]);
	disk_close(from, NULL, "");
	return status;
}

const struct command command_disk_convert = {
	.name = "disk convert",
	.synopsis = "[OPTIONS] FILE COPY",
	.summary = "copy an image to another format",
	.about =
	"COPY has all that FILE and the images behind it have, and stands alone. Zeroes\n"
	"take no room in it. A COPY that exists is an error, and is left as it is.\n",
	.opts = convert_opts,
	.usage_status = STATUS_USAGE,
	.fn = convert_main,
};
