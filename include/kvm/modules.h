/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Modules, by name; "-" and "_" are the same. A build tree is as good as an installed
 * directory: it has no modules.dep, but the modules contain their dependencies.
 */
#ifndef KVM_MODULES_H
#define KVM_MODULES_H

#include <kvm/types.h>

struct modules;

enum module_state {
	MODULE_ABSENT,		/* the kernel has it neither built in nor as a module */
	MODULE_BUILTIN,
	MODULE_FOUND,
	MODULE_UNKNOWN,		/* no directory to look in */
};

/* @dir NULL: everything is MODULE_UNKNOWN. Returns NULL with errno set. */
struct modules *modules_open(const char *dir, bool tree);
/*
 * Add the files of @name and of all that it depends on, those first, each once.
 * MODULE_FOUND if there are any. -errno if a module cannot be read.
 */
int modules_add(struct modules *m, const char *name);
/* The paths so far, in the order of loading. */
const char *const *modules_paths(const struct modules *m, unsigned int *nr);
void modules_close(struct modules *m);

/*
 * The files of depmod(8) for the modules of a build tree. A directory with these files,
 * and the tree as "kernel" beside them, is as good as an installed one.
 */
struct module_index {
	struct module_index_file {
		const char *name;	/* "modules.dep" and so on */
		char *data;
		size_t len;
	} file[12];
	unsigned int nr;
};

/* Modules that have not been built are left out. 0 or -ENOMEM; module_index_free() in either case. */
int module_index_make(struct module_index *x, const struct modules *m);
void module_index_free(struct module_index *x);
/* The text of modules.devname in @m's directory, or in @x, malloc()ed; NULL if there is none. */
char *modules_devname(const struct modules *m, const struct module_index *x);

/*
 * Take the debug information out of a module in memory, which in a build tree
 * is nine tenths of it. Returns what is left of @len; all of it if the module
 * is signed, compressed or not understood.
 */
size_t module_strip(void *module, size_t len);

#endif
