// SPDX-License-Identifier: GPL-2.0
/*
 * Which files must be loaded, and in which order, so that a guest's kernel has
 * a module. An installed module directory tells by modules.dep and
 * modules.builtin (depmod.d(5), kmod); a kernel's build tree has modules.order
 * and modules.builtin, and each .ko names what it depends on in its section
 * .modinfo (Documentation/kbuild/modules.rst). Main thread, before the machine.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include <kvm/log.h>

#include "modules.h"

char *modules_read(const char *dir, const char *name, size_t *len)
{
	char *path, *text = NULL;
	struct stat st;
	ssize_t n = -1;
	int fd, err;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st))
		text = malloc(st.st_size + 1);
	if (text)
		n = read(fd, text, st.st_size);
	err = errno;
	close(fd);
	if (n < 0) {
		free(text);
		errno = err;
		return NULL;
	}
	text[n] = 0;
	*len = n;
	return text;
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

/*
 * The section headers of an ELF file of which all sections lie in it, and of
 * which the names end in it; NULL if it is none.
 */
static Elf64_Shdr *module_sections(char *p, size_t len, const char **names)
{
	Elf64_Ehdr *eh = (void *)p;
	Elf64_Shdr *sh;

	if (len < sizeof(*eh) || memcmp(p, ELFMAG, SELFMAG) || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_shentsize != sizeof(*sh) || eh->e_shoff > len || eh->e_shoff % 8 ||
	    (len - eh->e_shoff) / sizeof(*sh) < eh->e_shnum || eh->e_shstrndx >= eh->e_shnum)
		return NULL;
	sh = (void *)(p + eh->e_shoff);
	for (unsigned int i = 0; i < eh->e_shnum; i++)
		if (sh[i].sh_type != SHT_NOBITS && sh[i].sh_type != SHT_NULL &&
		    (sh[i].sh_offset > len || sh[i].sh_size > len - sh[i].sh_offset))
			return NULL;
	*names = p + sh[eh->e_shstrndx].sh_offset;
	len = sh[eh->e_shstrndx].sh_size;
	if (sh[eh->e_shstrndx].sh_type != SHT_STRTAB || !len || (*names)[len - 1])
		return NULL;
	for (unsigned int i = 0; i < eh->e_shnum; i++)
		if (sh[i].sh_name >= len)
			return NULL;
	return sh;
}

const char *modules_info(char *p, size_t len, const char **end)
{
	const char *info, *names;
	const Elf64_Shdr *sh = module_sections(p, len, &names);
	const Elf64_Ehdr *eh = (void *)p;

	for (unsigned int i = 0; sh && i < eh->e_shnum; i++) {
		if (sh[i].sh_type != SHT_PROGBITS || strcmp(names + sh[i].sh_name, ".modinfo"))
			continue;
		info = p + sh[i].sh_offset;
		*end = info + sh[i].sh_size;
		return info == *end || (*end)[-1] ? NULL : info;
	}
	return NULL;
}

/* The value of "depends=" in a mapped module, or NULL if this is none. */
static const char *module_depends(char *p, size_t len)
{
	const char *end, *info = modules_info(p, len, &end);

	for (const char *s = info; s && s < end; s += strlen(s) + 1)
		if (!strncmp(s, "depends=", 8))
			return s + 8;
	return info ? "" : NULL;
}

/* Sections by where they are in the file. */
static int section_order(const void *a, const void *b)
{
	const Elf64_Shdr *const *x = a, *const *y = b;

	return (*x)->sh_offset < (*y)->sh_offset ? -1 : (*x)->sh_offset > (*y)->sh_offset;
}

static bool section_is_debug(const Elf64_Shdr *sh, const char *names)
{
	const char *name = names + sh->sh_name;

	return !(sh->sh_flags & SHF_ALLOC) && (sh->sh_type == SHT_PROGBITS || sh->sh_type == SHT_RELA) &&
	       (!strncmp(name, ".debug", 6) || !strncmp(name, ".rela.debug", 11));
}

size_t module_strip(void *module, size_t len)
{
	static const char signature[] = "~Module signature appended~\n";
	char *p = module;
	const char *names;
	Elf64_Shdr *sh = module_sections(p, len, &names), **order = NULL, *table = NULL;
	Elf64_Ehdr *eh = module;
	size_t at = sizeof(*eh), debug = 0;
	unsigned int n = 0;

	if (!sh || (len > sizeof(signature) &&
		    !memcmp(p + len - (sizeof(signature) - 1), signature, sizeof(signature) - 1)))
		return len;
	table = malloc(eh->e_shnum * sizeof(*table));
	order = malloc(eh->e_shnum * sizeof(*order));
	if (!table || !order)
		goto out;
	memcpy(table, sh, eh->e_shnum * sizeof(*table));
	for (unsigned int i = 0; i < eh->e_shnum; i++) {
		Elf64_Shdr *s = &table[i];

		if (s->sh_type == SHT_NULL || s->sh_type == SHT_NOBITS)
			continue;
		if (section_is_debug(s, names)) {
			debug += s->sh_size;
			/* Its place in the table stays: symbols and links count sections. */
			*s = (Elf64_Shdr){ .sh_name = s->sh_name, .sh_type = SHT_NULL };
		} else if (s->sh_size) {
			order[n++] = s;
		}
	}
	qsort(order, n, sizeof(*order), section_order);

	/* Nothing to win, or not laid out as linkers do it. */
	if (debug < 64 * KIB)
		goto out;
	for (unsigned int i = 0; i < n; i++) {
		u64 align = order[i]->sh_addralign ?: 1;

		if (order[i]->sh_offset < at || (align & (align - 1)) || order[i]->sh_offset % align ||
		    order[i]->sh_offset + order[i]->sh_size > eh->e_shoff)
			goto out;
		at = order[i]->sh_offset + order[i]->sh_size;
	}

	at = sizeof(*eh);
	for (unsigned int i = 0; i < n; i++) {
		at = ALIGN(at, order[i]->sh_addralign ?: 1);
		memmove(p + at, p + order[i]->sh_offset, order[i]->sh_size);
		order[i]->sh_offset = at;
		at += order[i]->sh_size;
	}
	at = ALIGN(at, 8);
	eh->e_shoff = at;
	memcpy(p + at, table, eh->e_shnum * sizeof(*table));
	len = at + eh->e_shnum * sizeof(*table);
out:
	free(order);
	free(table);
	return len;
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
	struct stat st;
	void *map;
	int fd, ret;

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

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || !st.st_size) {
		ret = fd < 0 ? -errno : -ENOEXEC;
		pr_err("%s: %s: has 'make modules' been run?", path, strerror(-ret));
		goto out;
	}
	map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED) {
		ret = -errno;
		goto out;
	}
	depends = module_depends(map, st.st_size);
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
	munmap(map, st.st_size);
	if (ret) {
		pr_err("%s: cannot tell what it depends on: %s", path, strerror(-ret));
		goto out;
	}
	ret = modules_keep(m, path);
	path = NULL;
out:
	if (fd >= 0)
		close(fd);
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
