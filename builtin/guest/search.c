// SPDX-License-Identifier: GPL-2.0
/*
 * The default kernel. Inside of a kernel tree, however deep, it is the kernel of that
 * tree and no other; a tree without one is an error. Outside of a tree it is the host's.
 * Main thread, before the machine is made.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/kernel.h>
#include <kvm/log.h>

#define VMLINUX	"vmlinux"

static bool search_has(const char *dir, const char *name)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !access(path, F_OK);
}

/* Kbuild's source tree, or what it writes to by O= or KBUILD_OUTPUT. */
static bool search_is_source(const char *dir)
{
	return search_has(dir, "Kbuild") && search_has(dir, "MAINTAINERS") && search_has(dir, "arch");
}

static bool search_is_output(const char *dir)
{
	return search_has(dir, ".config") &&
		(search_has(dir, "source") || search_has(dir, "include/config/auto.conf"));
}

/* Cut @dir, an absolute path, down to the top of the tree that it is in. */
static bool search_top(char *dir)
{
	char *slash;

	while (*dir) {
		if (search_is_output(dir) || search_is_source(dir))
			return true;
		slash = strrchr(dir, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	return false;
}

static int search_take(char **image, const char *dir, const char *name)
{
	return asprintf(image, "%s/%s", dir, name) < 0 ? -ENOMEM : 0;
}

/* The kernel of the tree at @top; KBUILD_OUTPUT is relative to @top, as for make. */
static int search_tree(char **image, const char *top)
{
	/* The images that a build leaves in its tree, the fastest to boot first. */
	const char *const built[] = { VMLINUX, arch_image_path };
	const char *output = search_is_source(top) ? getenv("KBUILD_OUTPUT") : NULL;
	char dir[PATH_MAX];

	if (!output || !*output)
		snprintf(dir, sizeof(dir), "%s", top);
	else if (*output == '/')
		snprintf(dir, sizeof(dir), "%s", output);
	else if (snprintf(dir, sizeof(dir), "%s/%s", top, output) >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	for (unsigned int i = 0; i < ARRAY_SIZE(built); i++)
		if (search_has(dir, built[i]))
			return search_take(image, dir, built[i]);
	pr_err("the kernel tree %s has no kernel built: neither %s nor %s is in %s%s; build one, or give one with -k FILE",
	       top, built[0], built[1], strcmp(dir, top) ? "KBUILD_OUTPUT, " : "it",
	       strcmp(dir, top) ? dir : " (a build with O=DIR is found by KBUILD_OUTPUT=DIR)");
	return -ENOENT;
}

int kernel_search(char **image, bool *is_host)
{
	const char *const here[] = { VMLINUX, arch_image_name, arch_image_path };
	struct utsname uts;
	char dir[PATH_MAX];

	*is_host = false;
	if (getcwd(dir, sizeof(dir)) && *dir == '/' && search_top(dir))
		return search_tree(image, dir);
	for (unsigned int i = 0; i < ARRAY_SIZE(here); i++) {
		if (!access(here[i], F_OK)) {
			*image = strdup(here[i]);
			return *image ? 0 : -ENOMEM;
		}
	}
	uname(&uts);
	if (asprintf(image, "/boot/vmlinuz-%s", uts.release) < 0)
		return -ENOMEM;
	*is_host = true;
	if (!access(*image, F_OK))
		return 0;
	pr_err("no kernel found: this is no kernel tree, it has no %s, %s or %s in it, and there is no %s; give one with -k FILE",
	       here[0], here[1], here[2], *image);
	free(*image);
	*image = NULL;
	return -ENOENT;
}
