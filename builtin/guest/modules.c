// SPDX-License-Identifier: GPL-2.0
/*
 * Which files must be loaded, and in which order, so that a guest's kernel has
 * a module. An installed module directory tells by modules.dep and
 * modules.builtin (depmod.d(5), kmod); a kernel's build tree has modules.order
 * and modules.builtin, and each .ko names what it depends on in its section
 * .modinfo (Documentation/kbuild/modules.rst). Main thread, before the machine.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include <kvm/elf.h>
#include <kvm/file.h>
#include <kvm/log.h>

#include "modules.h"

char *modules_read(const char *dir, const char *name, size_t *len)
{
	char *path, *text = NULL;
	int ret;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return NULL;
	ret = file_read(path, &text, len);
	free(path);
	errno = -ret;
	return ret ? NULL : text;
}

struct modules *modules_open(const char *dir, bool tree)
{
	struct modules *m = calloc(1, sizeof(*m));

	if (!m || !dir)
		return m;
	m->dir = strdup(dir);
	m->tree = tree;
	if (m->dir)
		m->index = modules_read(dir, tree ? "modules.order" : "modules.dep", &m->index_len);
	if (!m->index && (!tree || errno != ENOENT)) {
		modules_close(m);
		return NULL;
	}
	m->builtin = modules_read(dir, "modules.builtin", &m->builtin_len);
	return m;
}

void modules_close(struct modules *m)
{
	if (!m)
		return;
	for (unsigned int i = 0; i < m->nr; i++)
		free(m->paths[i]);
	free(m->paths);
	free(m->index);
	free(m->builtin);
	free(m->dir);
	free(m);
}

const char *const *modules_paths(const struct modules *m, unsigned int *nr)
{
	*nr = m->nr;
	return (const char *const *)m->paths;
}

/* Is @path (up to @end) the file of the module @name? */
static bool module_is(const char *path, const char *end, const char *name)
{
	const char *p = end;

	while (p > path && p[-1] != '/')
		p--;
	for (; p < end && *name; p++, name++)
		if (*p != *name && !((*p == '-' || *p == '_') && (*name == '-' || *name == '_')))
			return false;
	/* .ko, .ko.xz; modules.order of Linux 6.3 and later has the objects, .o */
	return !*name && end - p >= 2 && p[0] == '.' && (p[1] == 'k' || p[1] == 'o');
}

/* The line of @text whose first word is the file of @name, or NULL. */
static const char *module_line(const char *text, size_t len, const char *name)
{
	const char *line, *end, *stop, *nl;

	for (line = text, stop = text + len; line && line < stop; line = nl + 1) {
		nl = memchr(line, '\n', stop - line);
		if (!nl)
			nl = stop;
		end = memchr(line, ':', nl - line);
		if (module_is(line, end ? end : nl, name))
			return line;
	}
	return NULL;
}

/* Takes @path over. Each path is kept once, where it came first. */
static int modules_keep(struct modules *m, char *path)
{
	char **more;

	if (!path)
		return -ENOMEM;
	for (unsigned int i = 0; i < m->nr; i++) {
		if (!strcmp(m->paths[i], path)) {
			free(path);
			return 0;
		}
	}
	if (m->nr == m->cap) {
		more = realloc(m->paths, (m->cap + 16) * sizeof(*more));
		if (!more) {
			free(path);
			return -ENOMEM;
		}
		m->paths = more;
		m->cap += 16;
	}
	m->paths[m->nr++] = path;
	return 0;
}

/* One word of modules.dep: a path below the directory, or an absolute one. */
static char *module_path(const struct modules *m, const char *word, size_t len)
{
	char *path;

	if (*word == '/')
		return strndup(word, len);
	return asprintf(&path, "%s/%.*s", m->dir, (int)len, word) < 0 ? NULL : path;
}

/*
 * "a.ko: b.ko c.ko" means that a needs b and c, all of them, and that the last
 * is to be loaded first.
 */
static int modules_add_dep(struct modules *m, const char *line)
{
	const char *end = strchrnul(line, '\n'), *word = end;
	int ret;

	while (word > line) {
		const char *stop = word;

		while (word > line && word[-1] != ' ')
			word--;
		if (stop > word && stop[-1] == ':')
			stop--;
		if (stop > word) {
			ret = modules_keep(m, module_path(m, word, stop - word));
			if (ret)
				return ret;
		}
		while (word > line && word[-1] == ' ')
			word--;
	}
	return 0;
}

const char *modules_info(const void *module, size_t len, const char **end)
{
	const char *info;
	struct elf elf;
	u64 size;

	info = elf_open_mem(&elf, module, len) ? NULL : elf_find(&elf, ".modinfo", &size);
	if (!info || !size || info[size - 1])
		return NULL;
	*end = info + size;
	return info;
}

/* The value of "depends=" in a mapped module, or NULL if this is none. */
static const char *module_depends(const void *module, size_t len)
{
	const char *end, *info = modules_info(module, len, &end);

	for (const char *s = info; s && s < end; s += strlen(s) + 1)
		if (!strncmp(s, "depends=", 8))
			return s + 8;
	return info ? "" : NULL;
}

char *modules_tree_path(const struct modules *m, const char *line)
{
	const char *end = strchrnul(line, '\n');
	char *path;

	/* Before Linux 5.3 the paths begin with "kernel/", as they will when installed. */
	if (!strncmp(line, "kernel/", 7)) {
		if (asprintf(&path, "%s/%.*s", m->dir, (int)(end - line), line) < 0)
			return NULL;
		if (access(path, F_OK))
			line += 7;
		free(path);
	}
	while (end > line && *end != '.')
		end--;
	return asprintf(&path, "%.*s.ko", (int)(end - line), line) < 0 ? NULL : path;
}

/* A module of a build tree: first what it depends on. @depth stops a circle. */
static int modules_add_tree(struct modules *m, const char *name, int depth)
{
	const char *line = module_line(m->index, m->index_len, name), *depends;
	char *path = NULL, *below, dep[64];
	struct file_map map;
	int ret;

	if (!line)
		return MODULE_ABSENT;
	if (depth > 16)
		return -ELOOP;
	below = modules_tree_path(m, line);
	if (!below || asprintf(&path, "%s/%s", m->dir, below) < 0)
		path = NULL;
	free(below);
	if (!path)
		return -ENOMEM;

	ret = file_map(&map, path);
	if (ret || !map.len) {
		if (!ret)
			ret = -ENOEXEC;
		pr_err("%s: %s: has 'make modules' been run?", path, strerror(-ret));
		goto out;
	}
	depends = module_depends(map.data, map.len);
	ret = depends ? 0 : -ENOEXEC;
	while (!ret && *depends) {
		size_t len = strcspn(depends, ",");

		if (len < sizeof(dep)) {
			memcpy(dep, depends, len);
			dep[len] = 0;
			ret = modules_add_tree(m, dep, depth + 1);
			if (ret == MODULE_ABSENT && *dep)
				ret = -ENOENT;
			else if (ret > 0)
				ret = 0;
		}
		depends += len + (depends[len] == ',');
	}
	file_unmap(&map);
	if (ret) {
		pr_err("%s: cannot read its dependencies: %s", path, strerror(-ret));
		goto out;
	}
	ret = modules_keep(m, path);
	path = NULL;
out:
	free(path);
	return ret ? ret : MODULE_FOUND;
}

int modules_add(struct modules *m, const char *name)
{
	const char *line;
	int ret;

	if (!m->dir)
		return MODULE_UNKNOWN;
	if (module_line(m->builtin, m->builtin_len, name))
		return MODULE_BUILTIN;
	if (m->tree) {
		ret = modules_add_tree(m, name, 0);
	} else {
		line = module_line(m->index, m->index_len, name);
		if (!line)
			ret = MODULE_ABSENT;
		else
			ret = modules_add_dep(m, line) ?: MODULE_FOUND;
	}
	/* Without the list of what is built in nothing can be said about the rest. */
	return ret == MODULE_ABSENT && !m->builtin ? MODULE_UNKNOWN : ret;
}
