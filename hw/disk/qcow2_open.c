// SPDX-License-Identifier: GPL-2.0
/*
 * Opening a qcow2 image and all that it names: the files behind it, and the one with its
 * data. An image may come from anywhere. So the files that it names are in its own
 * directory or below, unless the user says otherwise, and their number is bounded. A data
 * file is written. So it also has the image's own name with another ending: an image in
 * somebody's home cannot name what else is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/image.h>

#include "qcow2.h"

/* The images in front of one, for loops. */
struct chain {
	const struct chain *front;
	dev_t dev;
	ino_t ino;
	unsigned int depth;
};

/* The image itself */

/* A descriptor for tables: what is aligned for them is not what O_DIRECT wants. */
static int open_tables(const struct disk_options *opts, int fd, bool ro)
{
	char path[40];

	if (!opts->direct)
		return fcntl(fd, F_DUPFD_CLOEXEC, 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_CLOEXEC | (ro ? O_RDONLY : O_RDWR));
}

static void open_shape(struct qcow2 *q)
{
	const struct qcow2_head *h = &q->head;

	q->bits = h->bits;
	q->cluster = 1U << h->bits;
	q->extended = h->incompatible & QCOW2_EXTENDED;
	q->raw_data = h->autoclear & QCOW2_RAW_DATA;
	q->sub = q->extended ? q->cluster / QCOW2_SUBCLUSTERS : q->cluster;
	q->entry = q->extended ? 16 : 8;
	q->l2_bits = q->bits - (q->extended ? 4 : 3);
	q->disk.size = h->size;
	q->disk.grain = q->cluster;
}

static int open_head(struct qcow2 *q, const struct disk_options *opts, struct opt_err *err)
{
	off_t end;
	int fd = disk_raw_fd(q->file, &q->device), ret;

	q->fd = open_tables(opts, fd, q->disk.ro);
	q->name = strdup(opts->file);
	if (q->fd < 0 || !q->name)
		return disk_bad(err, q->name ? -errno : -ENOMEM, "%s: %s", opts->file, strerror(q->name ? errno : ENOMEM));
	ret = qcow2_head_read(&q->head, q->fd, opts->file, err);
	if (ret)
		return ret;
	open_shape(q);
	end = lseek(q->fd, 0, SEEK_END);
	q->length = max(end, (off_t)0);
	q->end = q->device ? q->length >> q->bits : DIV_ROUND_UP(q->length, q->cluster);
	if (meta_open(&q->meta, q->fd, min(q->cluster, 4096U)))
		return disk_bad(err, -ENOMEM, "out of memory");
	return qcow2_l1_open(q, q->head.l1_off, q->head.l1_size, err);
}

int qcow2_open_image(struct qcow2 **out, const struct disk_options *opts, struct opt_err *err)
{
	struct qcow2 *q = calloc(1, sizeof(*q));
	struct disk_options raw = *opts;
	int ret;

	if (!q)
		return disk_bad(err, -ENOMEM, "out of memory");
	raw.format = DISK_FORMAT_RAW;
	q->fd = -1;
	q->disk = (struct disk){ .type = &qcow2_type, .block = opts->block, .ro = opts->ro || opts->cow };
	pthread_mutex_init(&q->lock, NULL);
	pthread_mutex_init(&q->commit, NULL);
	pthread_mutex_init(&q->unpacked_lock, NULL);
	pthread_cond_init(&q->idle, NULL);
	INIT_LIST_HEAD(&q->ranges);
	ret = disk_raw_open(&q->file, &raw, err);
	q->data = q->file;
	if (!ret)
		ret = open_head(q, opts, err);
	if (!ret && !q->disk.ro)
		ret = qcow2_ref_open(q, err);
	if (ret)
		qcow2_free(&q->disk);
	else
		*out = q;
	return ret;
}

/* What it names */

/* By the names alone, where files are opened by somebody else. */
static bool name_is_below(const char *image, const char *path)
{
	const char *slash = strrchr(image, '/');
	size_t dir = slash ? slash - image + 1 : 0;

	if (strncmp(image, path, dir) || path[dir] == '/' || (!dir && *path == '/'))
		return false;
	for (const char *p = path + dir; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/'))
			return false;
	}
	return true;
}

static int name_is_beside(const struct disk_options *opts, const char *path, bool *beside)
{
	char *real, *dir, *other;
	size_t len;
	int ret;

	*beside = name_is_below(opts->file, path);
	if (opts->opener && opts->opener->sent)
		return 0;
	real = realpath(opts->file, NULL);
	dir = real ? dirname(real) : NULL;
	other = realpath(path, NULL);
	len = dir ? strlen(dir) : 0;
	ret = dir && other ? 0 : -errno;
	if (!ret)
		*beside = len == 1 || (!strncmp(other, dir, len) && other[len] == '/');
	free(real);
	free(other);
	return ret;
}

/* The path of what @image calls @name, malloc()ed: from its own directory on. */
static int name_path(char **out, const struct disk_options *opts, const char *name, const char *what, struct opt_err *err)
{
	const char *slash = strrchr(opts->file, '/'), *colon = strchr(name, ':'), *first = strchr(name, '/');
	int dir = *name != '/' && slash ? slash - opts->file + 1 : 0, ret;
	bool beside;

	if (colon && (!first || colon < first))
		return disk_bad(err, -ENOTSUP, "%s: its %s \"%s\" is no file", opts->file, what, name);
	if (asprintf(out, "%.*s%s", dir, opts->file, name) < 0)
		return disk_bad(err, -ENOMEM, "out of memory");
	ret = name_is_beside(opts, *out, &beside);
	if (ret)
		ret = disk_bad(err, ret, "%s: its %s %s: %s", opts->file, what, *out, strerror(-ret));
	else if (!beside && !opts->anywhere)
		ret = disk_bad(err, -EPERM, "%s: its %s %s is outside of its directory; backing=any takes it all the same",
			       opts->file, what, *out);
	if (ret)
		free(*out);
	return ret;
}

static int open_chain(struct disk **out, const struct disk_options *opts, const struct chain *front, struct opt_err *err);

static bool path_begins_as_qcow2(const struct disk_options *opts, const char *path)
{
	int fd = disk_open_file(opts, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool begins = fd >= 0 && disk_begins_as_qcow2(fd);

	if (fd >= 0)
		close(fd);
	return begins;
}

static int backing_format(const struct qcow2 *q, const struct disk_options *opts, const char *path, enum disk_format *format,
			  struct opt_err *err)
{
	const char *said = q->head.backing_format;

	if (!strcmp(said, "qcow2") || (!*said && disk_is_named_qcow2(path)))
		*format = DISK_FORMAT_QCOW2;
	else if (!strcmp(said, "raw"))
		*format = DISK_FORMAT_RAW;
	else if (*said)
		return disk_bad(err, -ENOTSUP, "%s: its backing file %s has the format \"%s\", lkvm knows raw and qcow2", q->name, path, said);
	else if (path_begins_as_qcow2(opts, path))
		return disk_bad(err, -EINVAL, "%s does not say that its backing file %s is qcow2: \"qemu-img rebase -u -F qcow2 -b %s %s\" does",
				q->name, path, q->head.backing, q->name);
	else
		*format = DISK_FORMAT_RAW;
	return 0;
}

static int open_backing(struct qcow2 *q, const struct disk_options *opts, const struct chain *chain, struct opt_err *err)
{
	struct disk_options back = {
		.ro = true, .direct = opts->direct, .block = opts->block, .anywhere = opts->anywhere, .opener = opts->opener,
	};
	char *path;
	int ret;

	if (!*q->head.backing)
		return 0;
	if (chain->depth == QCOW2_DEPTH_MAX)
		return disk_bad(err, -ELOOP, "%s: more than %d images are behind each other", opts->file, QCOW2_DEPTH_MAX);
	ret = name_path(&path, opts, q->head.backing, "backing file", err);
	if (ret)
		return ret;
	back.file = path;
	ret = backing_format(q, opts, path, &back.format, err);
	if (!ret)
		ret = back.format == DISK_FORMAT_QCOW2 ? open_chain(&q->backing, &back, chain, err) :
							 disk_raw_open(&q->backing, &back, err);
	free(path);
	return ret;
}

/* "disk.raw" and "disk.qcow2.data" are those of "disk.qcow2". */
static bool name_is_own(const char *image, const char *path)
{
	const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image, *dot = strrchr(name, '.');
	size_t stem = (dot && dot != name ? dot : image + strlen(image)) - image;

	return !strncmp(image, path, stem) && path[stem] == '.' && !strchr(path + stem, '/');
}

static int open_data(struct qcow2 *q, const struct disk_options *opts, struct opt_err *err)
{
	struct disk_options data = *opts;
	struct disk *d;
	char *path;
	int ret;

	if (!(q->head.incompatible & QCOW2_DATA_FILE))
		return 0;
	if (!*q->head.data_file)
		return disk_bad(err, -EINVAL, "%s has a data file and does not name it", opts->file);
	ret = name_path(&path, opts, q->head.data_file, "data file", err);
	if (ret)
		return ret;
	data.file = path;
	data.format = DISK_FORMAT_RAW;
	if (!q->disk.ro && !opts->anywhere && !name_is_own(opts->file, path))
		ret = disk_bad(err, -EPERM, "%s: its data file %s, which would be written, has another name; backing=any takes it all the same",
			       opts->file, path);
	else
		ret = disk_raw_open(&d, &data, err);
	if (!ret)
		q->data = d;
	free(path);
	return ret;
}

/* What a crash has left is put in order, before anything is written. */
static int open_sound(struct qcow2 *q, struct opt_err *err)
{
	struct image_check check = { .repair = true };
	int ret;

	if (q->disk.ro)
		return 0;
	if (q->head.incompatible & QCOW2_CORRUPT)
		return disk_bad(err, -EUCLEAN, "%s is marked as corrupt: 'lkvm disk check --repair' looks into it, and ro or cow read it",
				q->name);
	if (!(q->head.incompatible & QCOW2_DIRTY))
		return 0;
	pr_info("%s was not closed: its reference counts are made anew", q->name);
	ret = qcow2_check(q, &check);
	/* What was made anew as a whole counts as one repair: look again. */
	if (!ret && check.errors + check.leaks > check.fixed) {
		check = (struct image_check) { .repair = false };
		ret = qcow2_check(q, &check);
	}
	if (!ret && check.errors + check.leaks > check.fixed)
		ret = -EUCLEAN;
	if (ret)
		return disk_bad(err, ret, "%s was not closed, and cannot be repaired: 'lkvm disk check' says more", q->name);
	ret = qcow2_head_set(q->fd, QCOW2_AT_INCOMPATIBLE, q->head.incompatible &= ~QCOW2_DIRTY);
	return ret ? disk_bad(err, ret, "%s: %s", q->name, strerror(-ret)) : 0;
}

static int open_chain(struct disk **out, const struct disk_options *opts, const struct chain *front, struct opt_err *err)
{
	struct chain chain = { .front = front, .depth = front ? front->depth + 1 : 1 };
	const struct chain *c;
	struct qcow2 *q;
	struct stat st;
	int ret;

	if (!stat(opts->file, &st)) {
		chain.dev = st.st_dev;
		chain.ino = st.st_ino;
		for (c = front; c; c = c->front)
			if (c->dev == st.st_dev && c->ino == st.st_ino)
				return disk_bad(err, -ELOOP, "%s is behind itself: a loop of backing files", opts->file);
	}
	ret = qcow2_open_image(&q, opts, err);
	if (ret)
		return ret;
	if (!front && q->disk.size % opts->block)
		ret = disk_bad(err, -EINVAL, "%s: its %llu bytes are no multiple of the block of %u bytes", opts->file,
			       (unsigned long long)q->disk.size, opts->block);
	if (!ret)
		ret = open_data(q, opts, err);
	if (!ret)
		ret = open_backing(q, opts, &chain, err);
	if (!ret)
		ret = open_sound(q, err);
	if (!ret && opts->snapshot && !front)
		ret = qcow2_snapshot_use(q, opts->snapshot, err);
	if (ret)
		qcow2_free(&q->disk);
	else
		*out = &q->disk;
	if (!ret && opts->verify)
		q->prove = qcow2_prove;
	return ret;
}

int disk_qcow2_open(struct disk **out, const struct disk_options *opts, struct opt_err *err)
{
	return open_chain(out, opts, NULL, err);
}
