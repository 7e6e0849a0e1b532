/* SPDX-License-Identifier: GPL-2.0 */
/* A directory of modules, for those who read it: modules.c and depmod.c. */
#ifndef GUEST_MODULES_H
#define GUEST_MODULES_H

#include <kvm/modules.h>

struct modules {
	char *dir;
	bool tree;
	char *index, *builtin;	/* the two files' text, lines cut; NULL: not there */
	size_t index_len, builtin_len;
	char **paths;
	unsigned int nr, cap;
};

/* A file's text with a NUL behind it, malloc()ed; NULL and errno. */
char *modules_read(const char *dir, const char *name, size_t *len);
/*
 * The module that a line of modules.order in a build tree stands for, as a path below
 * the tree, malloc()ed; NULL: out of memory.
 */
char *modules_tree_path(const struct modules *m, const char *line);
/*
 * The strings "key=value" of a mapped module, each ended by NUL, up to @end: NULL if it
 * is no module.
 */
const char *modules_info(const void *module, size_t len, const char **end);

#endif
