// SPDX-License-Identifier: GPL-2.0
/*
 * The files of depmod(8) (modules.dep(5), depmod.d(5)) for the modules of a kernel's
 * build tree. With them modprobe and the kernel's requests for modules work in a guest
 * without "make modules_install". The modules' .modinfo has depends=, alias= and softdep=;
 * the tree has modules.builtin.modinfo and Module.symvers. Main thread, before the machine
 * is made.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include <kvm/file.h>

#include "modules.h"
#include "trie.h"

#define NAME_SIZE	64	/* MODULE_NAME_LEN of Linux, about */

struct mod {
	char *path;			/* "fs/9p/9p.ko" below the tree */
	char name[NAME_SIZE];		/* "nine_p": with "_" for "-" */
	char *info;			/* its strings, up to info_len */
	size_t info_len;
	unsigned int order, seen;	/* seen: of the walk with that number */
};

struct depmod {
	struct mod *mod;		/* by name */
	unsigned int nr;
	FILE *dep, *alias, *softdep, *devname;
	struct trie dep_bin, alias_bin, symbols_bin, builtin_bin, builtin_alias_bin;
	int err;
};

/* The name of the module that the file at @path is, up to its first dot. */
static void mod_name(char name[NAME_SIZE], const char *path, const char *end)
{
	size_t n = 0;

	for (const char *s = path; s < end; s++)
		if (*s == '/')
			path = s + 1;
	for (; path < end && *path != '.' && n < NAME_SIZE - 1; path++)
		name[n++] = *path == '-' ? '_' : *path;
	name[n] = '\0';
}

static int mod_order(const void *a, const void *b)
{
	return strcmp(((const struct mod *)a)->name, ((const struct mod *)b)->name);
}

static struct mod *mod_find(struct depmod *d, const char *name, size_t len)
{
	struct mod key;

	mod_name(key.name, name, name + len);
	return d->nr ? bsearch(&key, d->mod, d->nr, sizeof(key), mod_order) : NULL;
}

/* Read the strings of a module; false if it has not been built, or is none. */
static bool mod_read(struct mod *mod, const char *dir)
{
	const char *info, *end;
	struct file_map map;
	char *path;
	int ret;

	if (asprintf(&path, "%s/%s", dir, mod->path) < 0)
		return false;
	ret = file_map(&map, path);
	free(path);
	if (ret)
		return false;
	info = modules_info(map.data, map.len, &end);
	if (info) {
		mod->info_len = end - info;
		mod->info = malloc(mod->info_len);
		if (mod->info)
			memcpy(mod->info, info, mod->info_len);
	}
	file_unmap(&map);
	return mod->info;
}

/* The next value of @key behind @prev (NULL: the first), or NULL. */
static const char *mod_value(const struct mod *mod, const char *key, const char *prev)
{
	const char *s = prev ? prev + strlen(prev) + 1 : mod->info, *end = mod->info + mod->info_len;
	size_t len = strlen(key);

	for (; s < end; s += strlen(s) + 1)
		if (!strncmp(s, key, len) && s[len] == '=')
			return s + len + 1;
	return NULL;
}

static void mods_read(struct depmod *d, const struct modules *m)
{
	const char *line, *stop = m->index + m->index_len, *nl;
	unsigned int lines = 0;

	for (line = m->index; line && line < stop; line++)
		lines += *line == '\n';
	d->mod = calloc(lines + 1, sizeof(*d->mod));
	if (!d->mod) {
		d->err = -ENOMEM;
		return;
	}
	for (line = m->index; line && line < stop && d->nr <= lines; line = nl + 1) {
		struct mod *mod = &d->mod[d->nr];

		nl = strchrnul(line, '\n');
		if (nl == line)
			continue;
		*mod = (struct mod){ .path = modules_tree_path(m, line), .order = d->nr };
		if (mod->path && mod_read(mod, m->dir)) {
			mod_name(mod->name, mod->path, mod->path + strlen(mod->path));
			d->nr++;
		} else {
			free(mod->path);
			mod->path = NULL;
		}
	}
	qsort(d->mod, d->nr, sizeof(*d->mod), mod_order);
}

/*
 * Collect the modules that @mod needs in @list, in the order of loading. @walk marks those
 * already met, so this ends. @depth bounds the stack; no kernel comes near the bound.
 */
static void mod_needs(struct depmod *d, struct mod *mod, struct mod **list, unsigned int *nr,
		      unsigned int walk, int depth)
{
	const char *word = depth < 64 ? mod_value(mod, "depends", NULL) : NULL;
	size_t len;

	for (; word && *word; word += len + (word[len] == ',')) {
		struct mod *need;

		len = strcspn(word, ",");
		need = mod_find(d, word, len);
		if (!need || need->seen == walk)
			continue;
		need->seen = walk;
		mod_needs(d, need, list, nr, walk, depth + 1);
		list[(*nr)++] = need;
	}
}

static void depmod_add(struct depmod *d, struct trie *t, const char *key, const char *value,
		       unsigned int priority)
{
	if (trie_add(t, key, value, priority))
		d->err = -ENOMEM;
}

static void depmod_dep(struct depmod *d)
{
	struct mod **list = calloc(d->nr + 1, sizeof(*list));

	if (!list)
		d->err = -ENOMEM;
	for (unsigned int i = 0; list && i < d->nr; i++) {
		struct mod *mod = &d->mod[i];
		unsigned int n = 0;
		char *line = NULL;
		size_t len;
		FILE *f = open_memstream(&line, &len);

		if (!f) {
			d->err = -ENOMEM;
			break;
		}
		mod->seen = i + 1;
		mod_needs(d, mod, list, &n, i + 1, 0);
		fprintf(f, "kernel/%s:", mod->path);
		/* The last is loaded first. */
		while (n)
			fprintf(f, " kernel/%s", list[--n]->path);
		fclose(f);
		if (line) {
			fprintf(d->dep, "%s\n", line);
			depmod_add(d, &d->dep_bin, mod->name, line, mod->order);
		}
		free(line);
	}
	free(list);
}

/* "-" is "_" in an alias, but in a range like [0-9]. */
static char *alias_key(const char *alias)
{
	char *key = strdup(alias);
	bool range = false;

	for (char *s = key; s && *s; s++) {
		if (*s == '[' || *s == ']')
			range = *s == '[';
		else if (*s == '-' && !range)
			*s = '_';
	}
	return key;
}

static void depmod_alias(struct depmod *d, struct trie *t, const char *alias, const char *name,
			 unsigned int priority)
{
	char *key = alias_key(alias);

	if (key)
		depmod_add(d, t, key, name, priority);
	else
		d->err = -ENOMEM;
	free(key);
}

static void depmod_aliases(struct depmod *d, const struct mod *mod)
{
	const char *alias = NULL, *node = NULL, *text = NULL;
	unsigned int major, minor;
	char dev[32] = "";

	while ((alias = mod_value(mod, "alias", alias))) {
		fprintf(d->alias, "alias %s %s\n", alias, mod->name);
		depmod_alias(d, &d->alias_bin, alias, mod->name, mod->order);
		if (!strncmp(alias, "devname:", 8))
			node = alias + 8;
		else if (sscanf(alias, "char-major-%u-%u", &major, &minor) == 2)
			snprintf(dev, sizeof(dev), "c%u:%u", major, minor);
		else if (sscanf(alias, "block-major-%u-%u", &major, &minor) == 2)
			snprintf(dev, sizeof(dev), "b%u:%u", major, minor);
	}
	if (node && *dev)
		fprintf(d->devname, "%s %s %s\n", mod->name, node, dev);
	while ((text = mod_value(mod, "softdep", text)))
		fprintf(d->softdep, "softdep %s %s\n", mod->name, text);
}

/* A line for each built-in module: its path. */
static void depmod_builtin(struct depmod *d, const struct modules *m)
{
	const char *line, *nl, *stop = m->builtin + m->builtin_len;
	char name[NAME_SIZE];

	for (line = m->builtin; line && line < stop; line = nl + 1) {
		nl = strchrnul(line, '\n');
		mod_name(name, line, nl);
		if (*name)
			depmod_add(d, &d->builtin_bin, name, "", 0);
	}
}

/* modules.builtin.modinfo: "NAME.key=value", each ended by NUL. */
static void depmod_builtin_alias(struct depmod *d, const struct modules *m)
{
	char *text, name[NAME_SIZE];
	const char *s, *dot;
	size_t len;

	text = modules_read(m->dir, "modules.builtin.modinfo", &len);
	for (s = text; s && s < text + len; s += strlen(s) + 1) {
		dot = strchr(s, '.');
		if (!dot || strncmp(dot, ".alias=", 7))
			continue;
		mod_name(name, s, dot);
		depmod_alias(d, &d->builtin_alias_bin, dot + 7, name, 0);
	}
	free(text);
}

/* Module.symvers: checksum, symbol, the module's path, ..., with tabs between. */
static void depmod_symbols(struct depmod *d, const struct modules *m)
{
	char *text, *line, *next, symbol[160], path[512], name[NAME_SIZE], key[176];
	size_t len;

	text = modules_read(m->dir, "Module.symvers", &len);
	for (line = text; line && *line; line = next) {
		next = strchrnul(line, '\n');
		if (*next)
			*next++ = '\0';
		if (sscanf(line, "%*s %159s %511s", symbol, path) != 2)
			continue;
		mod_name(name, path, path + strlen(path));
		if (!mod_find(d, name, strlen(name)))
			continue;
		snprintf(key, sizeof(key), "symbol:%s", symbol);
		depmod_add(d, &d->symbols_bin, key, name, 0);
	}
	free(text);
}

static void index_take(struct module_index *x, const char *name, char *data, size_t len)
{
	x->file[x->nr++] = (struct module_index_file){ name, data, len };
}

static void depmod_trie(struct depmod *d, struct module_index *x, const char *name, struct trie *t)
{
	if (trie_make(t))
		d->err = -ENOMEM;
	else
		index_take(x, name, (char *)t->data, t->len);
	t->data = NULL;
	trie_free(t);
}

/* Close a text that was opened by open_memstream(). */
static void depmod_text(struct depmod *d, FILE *f)
{
	if (!f || fclose(f))
		d->err = -ENOMEM;
}

int module_index_make(struct module_index *x, const struct modules *m)
{
	struct depmod d = { 0 };
	struct { FILE **f; const char *name; } texts[] = {
		{ &d.dep, "modules.dep" }, { &d.alias, "modules.alias" },
		{ &d.softdep, "modules.softdep" }, { &d.devname, "modules.devname" },
	};

	memset(x, 0, sizeof(*x));
	mods_read(&d, m);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct module_index_file *file = &x->file[x->nr++];

		file->name = texts[i].name;
		*texts[i].f = open_memstream(&file->data, &file->len);
		if (!*texts[i].f)
			d.err = -ENOMEM;
	}
	if (!d.err) {
		depmod_dep(&d);
		for (unsigned int i = 0; i < d.nr; i++)
			depmod_aliases(&d, &d.mod[i]);
		depmod_builtin(&d, m);
		depmod_builtin_alias(&d, m);
		depmod_symbols(&d, m);
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		depmod_text(&d, *texts[i].f);
	depmod_trie(&d, x, "modules.dep.bin", &d.dep_bin);
	depmod_trie(&d, x, "modules.alias.bin", &d.alias_bin);
	depmod_trie(&d, x, "modules.symbols.bin", &d.symbols_bin);
	depmod_trie(&d, x, "modules.builtin.bin", &d.builtin_bin);
	depmod_trie(&d, x, "modules.builtin.alias.bin", &d.builtin_alias_bin);
	for (unsigned int i = 0; i < d.nr; i++) {
		free(d.mod[i].path);
		free(d.mod[i].info);
	}
	free(d.mod);
	return d.err;
}

void module_index_free(struct module_index *x)
{
	for (unsigned int i = 0; i < x->nr; i++)
		free(x->file[i].data);
	x->nr = 0;
}

char *modules_devname(const struct modules *m, const struct module_index *x)
{
	size_t len;

	for (unsigned int i = 0; i < x->nr; i++)
		if (!strcmp(x->file[i].name, "modules.devname") && x->file[i].data)
			return strdup(x->file[i].data);
	return m->dir ? modules_read(m->dir, "modules.devname", &len) : NULL;
}
