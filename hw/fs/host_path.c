// SPDX-License-Identifier: GPL-2.0
/*
 * Paths below the root of a tree, for its state: a node is found by its path again. The
 * kernel says where a descriptor is: proc(5), /proc/PID/fd. Nothing is opened by such a
 * path; each of its names is looked up.
 */
#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kvm/host.h>

static int host_link_read(int proc_fd, int fd, char *path)
{
	char name[16];
	ssize_t n;

	snprintf(name, sizeof(name), "%d", fd);
	n = readlinkat(proc_fd, name, path, PATH_MAX);
	if (n < 0)
		return -errno;
	if (n == PATH_MAX)
		return -ENAMETOOLONG;
	path[n] = '\0';
	return 0;
}

int host_path(struct host_node *node, char *path)
{
	struct host_node *root = host_root(node->host), *found;
	int proc = host_proc(node->host), ret;
	char top[PATH_MAX];
	size_t len;

	ret = host_link_read(proc, root->fd, top);
	if (!ret)
		ret = host_link_read(proc, node->fd, path);
	host_node_put(root);
	if (ret)
		return ret;
	len = strcmp(top, "/") ? strlen(top) : 0;
	if (strncmp(path, top, len) || (path[len] && path[len] != '/'))
		return -ESTALE;
	memmove(path, path + len + (path[len] == '/'), strlen(path + len) + 1 - (path[len] == '/'));
	/* "(deleted)" may be a part of the name or not: it is what is there. */
	ret = host_walk(node->host, path, &found);
	if (ret)
		return -ESTALE;
	ret = found->dev == node->dev && found->ino == node->ino ? 0 : -ESTALE;
	host_node_put(found);
	return ret;
}

int host_walk_from(struct host_node *from, const char *path, struct host_node **out)
{
	struct host_node *node = host_node_get(from), *next;
	char name[HOST_NAME_BYTES + 1];
	size_t len;
	int ret = 0;

	while (!ret && *path) {
		len = strcspn(path, "/");
		ret = len > HOST_NAME_BYTES ? -ENAMETOOLONG : host_name_error(path, len);
		if (ret)
			break;
		memcpy(name, path, len);
		name[len] = '\0';
		ret = host_lookup(node, name, 0, &next, NULL);
		if (ret)
			break;
		host_node_put(node);
		node = next;
		path += len + (path[len] == '/');
	}
	if (ret)
		host_node_put(node);
	else
		*out = node;
	return ret;
}

int host_walk(struct host *h, const char *path, struct host_node **out)
{
	struct host_node *root = host_root(h);
	int ret = host_walk_from(root, path, out);

	host_node_put(root);
	return ret;
}
