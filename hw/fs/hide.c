// SPDX-License-Identifier: GPL-2.0
/* Hidden files: see hide.h. Does not change after hide_new(): any thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kvm/keep.h>
#include <kvm/opt.h>

#include "hide.h"

struct hide_entry {
	dev_t dir_dev, dev;
	ino_t dir_ino, ino;
	char *name;
};

struct hide {
	unsigned int nr;
	struct hide_entry entry[];
};

static int hide_stat(struct keep *keep, const char *path, dev_t *dev, ino_t *ino)
{
	int fd = keep_open(keep, path, O_PATH | O_NOFOLLOW), ret;
	struct stat st;

	if (fd < 0)
		return fd;
	ret = fstat(fd, &st) ? -errno : 0;
	close(fd);
	*dev = st.st_dev;
	*ino = st.st_ino;
	return ret;
}

static int hide_add(struct hide_entry *e, struct keep *keep, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int ret;

	if (*path != '/' || !slash[1])
		return -EINVAL;
	dir = strndup(path, slash == path ? 1 : slash - path);
	e->name = strdup(slash + 1);
	ret = dir && e->name ? hide_stat(keep, dir, &e->dir_dev, &e->dir_ino) : -ENOMEM;
	free(dir);
	return ret ? ret : hide_stat(keep, path, &e->dev, &e->ino);
}

int hide_new(struct hide **out, struct keep *keep, const struct opt_list *paths)
{
	struct hide *h;
	int ret = 0;

	*out = NULL;
	if (!paths || !paths->nr)
		return 0;
	h = calloc(1, sizeof(*h) + paths->nr * sizeof(*h->entry));
	if (!h)
		return -ENOMEM;
	while (!ret && h->nr < paths->nr) {
		ret = hide_add(&h->entry[h->nr], keep, paths->item[h->nr]);
		h->nr++;
	}
	if (ret)
		hide_free(h);
	else
		*out = h;
	return ret;
}

void hide_free(struct hide *h)
{
	unsigned int i;

	for (i = 0; h && i < h->nr; i++)
		free(h->entry[i].name);
	free(h);
}

bool hide_name(const struct hide *h, dev_t dev, ino_t ino, const char *name)
{
	unsigned int i;

	for (i = 0; h && i < h->nr; i++)
		if (h->entry[i].dir_ino == ino && h->entry[i].dir_dev == dev && !strcmp(h->entry[i].name, name))
			return true;
	return false;
}

bool hide_file(const struct hide *h, dev_t dev, ino_t ino)
{
	unsigned int i;

	for (i = 0; h && i < h->nr; i++)
		if (h->entry[i].ino == ino && h->entry[i].dev == dev)
			return true;
	return false;
}
