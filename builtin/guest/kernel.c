// SPDX-License-Identifier: GPL-2.0
/*
 * Which kernel is booted: its image, the release that it will report as uname -r,
 * and its modules. The release is in the banner "Linux version ..." of an ELF
 * image; of other formats the architecture knows where it is. Main thread, before
 * the machine is made.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kvm/arch.h>
#include <kvm/elf.h>
#include <kvm/file.h>
#include <kvm/kernel.h>
#include <kvm/log.h>
#include <kvm/types.h>

#define BANNER		"Linux version "

/* A release at @p, which ends at a blank before @end; malloc()ed or NULL. */
static char *kernel_word(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && n < 128 && p[n] > ' ' && p[n] < 127)
		n++;
	/* It becomes part of a path. */
	if (!n || p + n == end || p[0] < '0' || p[0] > '9' || memchr(p, '/', n))
		return NULL;
	return strndup(p, n);
}

static char *kernel_banner(const char *p, const char *end)
{
	char *release = NULL;

	while (!release && p < end) {
		p = memmem(p, end - p, BANNER, strlen(BANNER));
		if (!p)
			break;
		p += strlen(BANNER);
		release = kernel_word(p, end);
	}
	return release;
}

/* .rodata holds the banner near its beginning; the rest is searched if it is not there. */
static char *kernel_elf_release(const struct elf *elf, const char *image, size_t len)
{
	u64 size;
	const char *rodata = elf->is_64 ? elf_find(elf, ".rodata", &size) : NULL;
	char *release = rodata ? kernel_banner(rodata, rodata + size) : NULL;

	return release ? release : kernel_banner(image, image + len);
}

char *kernel_release(const void *image, unsigned long len)
{
	const char *release;
	struct elf elf;

	if (len >= SELFMAG && !memcmp(image, ELFMAG, SELFMAG))
		return elf_open_mem(&elf, image, len) ? NULL : kernel_elf_release(&elf, image, len);
	release = arch_image_release(image, len);
	return release ? kernel_word(release, (const char *)image + len) : NULL;
}

/* Programs for Linux have an interpreter, or a release of no kernel's form in them. */
static bool kernel_is_elf_image(const struct elf *elf, const struct file_map *map)
{
	Elf64_Phdr ph;
	char *release;

	if (elf->foreign || !elf->is_64)
		return false;
	for (unsigned int i = 0; i < elf->phnum; i++)
		if (elf_segment(elf, i, &ph) || ph.p_type == PT_INTERP || ph.p_type == PT_DYNAMIC)
			return false;
	release = kernel_elf_release(elf, map->data, map->len);
	free(release);
	return release;
}

bool kernel_is_image(const char *path)
{
	struct file_map map;
	bool is_image;
	struct elf elf;

	if (file_map(&map, path))
		return false;
	is_image = !elf_open_mem(&elf, map.data, map.len) ? kernel_is_elf_image(&elf, &map) :
		   arch_image_is(map.data, map.len);
	file_unmap(&map);
	return is_image;
}

static int kernel_read_release(struct kernel *k)
{
	struct file_map map;
	int ret = file_map(&map, k->image);

	if (ret) {
		pr_err("kernel %s: %s%s", k->image, ret == -EINVAL ? "is no regular file" : strerror(-ret),
		       ret == -EACCES && !strncmp(k->image, "/boot/", 6) ?
		       " (some distributions let only root read it: copy it, or chmod +r)" : "");
		return ret;
	}
	k->release = kernel_release(map.data, map.len);
	file_unmap(&map);
	return 0;
}

/* Does @a/@b/@c hold installed modules? Takes it as the answer if so. */
static bool kernel_modules_at(struct kernel *k, const char *a, const char *b, const char *c)
{
	char *path;

	if (asprintf(&path, "%s%s%s/modules.dep", a, b, c) < 0)
		return false;
	if (access(path, F_OK)) {
		free(path);
		return false;
	}
	*strrchr(path, '/') = 0;
	k->modules = path;
	return true;
}

static bool kernel_modules_tree(struct kernel *k, const char *dir)
{
	static const char *const names[] = { "modules.order", "modules.builtin" };
	char *path;

	for (int i = 0; i < 2; i++) {
		int ret;

		if (asprintf(&path, "%s/%s", dir, names[i]) < 0)
			return false;
		ret = access(path, F_OK);
		free(path);
		if (ret)
			continue;
		k->modules = strdup(dir);
		k->tree = true;
		return k->modules;
	}
	return false;
}

/* The user has named a directory of modules. */
static int kernel_modules_given(struct kernel *k, const char *dir)
{
	const char *release = k->release ? k->release : "";

	if (kernel_modules_at(k, dir, "", "") ||
	    (*release && (kernel_modules_at(k, dir, "/", release) ||
			  kernel_modules_at(k, dir, "/lib/modules/", release))) ||
	    kernel_modules_tree(k, dir))
		return 0;
	pr_err("--modules %s: no modules%s%s there: it has no modules.dep, nor has %s or lib/modules/%s "
	       "in it, and it is no build tree (modules.order)", dir, *release ? " of " : "", release,
	       *release ? release : "RELEASE", *release ? release : "RELEASE");
	return -ENOENT;
}

/* Without a word from the user. None found is no error: all may be built in. */
static void kernel_modules_search(struct kernel *k, const char *root)
{
	char *real = realpath(k->image, NULL), *slash;
	const char *dir;

	if (!real)
		return;
	slash = strrchr(real, '/');
	*slash = 0;
	dir = *real ? real : "/";

	/*
	 * A build tree has the image at its top, or in arch/ARCH/boot. An installed
	 * directory may hold it, too, and that has a modules.order as well.
	 */
	if (kernel_modules_at(k, dir, "", "") || kernel_modules_tree(k, dir))
		goto out;
	if (strlen(real) > 5 && !strcmp(real + strlen(real) - 5, "/boot")) {
		char *arch = strstr(real, "/arch/"), *next;

		/* The last /arch/ with one component between it and /boot. */
		while (arch && (next = strstr(arch + 1, "/arch/")))
			arch = next;
		if (arch && strchr(arch + 6, '/') == real + strlen(real) - 5) {
			*arch = 0;
			if (kernel_modules_tree(k, *real ? real : "/"))
				goto out;
			*arch = '/';
		}
	}
	if (!k->release)
		goto out;
	if (kernel_modules_at(k, dir, "/../lib/modules/", k->release) ||
	    kernel_modules_at(k, root ? root : "", "/lib/modules/", k->release))
		goto out;
	kernel_modules_at(k, "", "/lib/modules/", k->release);
out:
	free(real);
}

int kernel_find(struct kernel *k, const char *image, const char *modules, const char *root)
{
	int ret;

	memset(k, 0, sizeof(*k));
	if (image) {
		k->image = strdup(image);
		ret = k->image ? 0 : -ENOMEM;
	} else {
		ret = kernel_search(&k->image, &k->host);
	}
	if (!ret)
		ret = kernel_read_release(k);
	if (ret)
		return ret;
	if (modules)
		return kernel_modules_given(k, modules);
	kernel_modules_search(k, root);
	return 0;
}

const char *kernel_describe(const struct kernel *k, char *buf, unsigned int size)
{
	snprintf(buf, size, "%s (%s), modules: %s", k->image,
		 k->release ? k->release : "release unknown", k->modules ? k->modules : "none");
	return buf;
}

void kernel_free(struct kernel *k)
{
	free(k->image);
	free(k->release);
	free(k->modules);
	memset(k, 0, sizeof(*k));
}
