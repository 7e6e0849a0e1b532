// SPDX-License-Identifier: GPL-2.0
/*
 * Which kernel is booted: its image, the release that it will report as uname -r,
 * and its modules. The release is in a bzImage's setup header
 * (Documentation/arch/x86/boot.rst of Linux, kernel_version) and in the banner
 * "Linux version ..." of an ELF image. Main thread, before the machine is made.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* .rodata holds the banner near its beginning; other sections are searched if it is not there. */
static char *kernel_elf_release(const char *image, size_t len)
{
	const Elf64_Ehdr *eh = (const void *)image;
	const Elf64_Shdr *sh, *names;
	char *release = NULL;

	if (len >= sizeof(*eh) && eh->e_ident[EI_CLASS] == ELFCLASS64 &&
	    eh->e_shentsize == sizeof(*sh) && eh->e_shoff <= len && !(eh->e_shoff % 8) &&
	    (len - eh->e_shoff) / sizeof(*sh) >= eh->e_shnum && eh->e_shstrndx < eh->e_shnum) {
		sh = (const void *)(image + eh->e_shoff);
		names = &sh[eh->e_shstrndx];
		for (unsigned int i = 0; i < eh->e_shnum && !release; i++) {
			if (sh[i].sh_type != SHT_PROGBITS || sh[i].sh_offset > len ||
			    sh[i].sh_size > len - sh[i].sh_offset ||
			    names->sh_offset > len || sh[i].sh_name > len - names->sh_offset ||
			    len - names->sh_offset - sh[i].sh_name < sizeof(".rodata") ||
			    strcmp(image + names->sh_offset + sh[i].sh_name, ".rodata"))
				continue;
			release = kernel_banner(image + sh[i].sh_offset,
						image + sh[i].sh_offset + sh[i].sh_size);
		}
	}
	return release ? release : kernel_banner(image, image + len);
}

char *kernel_release(const void *image, unsigned long len)
{
	const char *p = image;
	u16 at;

	if (len >= SELFMAG && !memcmp(p, ELFMAG, SELFMAG))
		return kernel_elf_release(p, len);
	if (len < 0x210 || memcmp(p + 0x202, "HdrS", 4))
		return NULL;
	memcpy(&at, p + 0x20e, sizeof(at));
	if (!at || 0x200UL + at >= len)
		return NULL;
	return kernel_word(p + 0x200 + at, p + len);
}

/* Programs for Linux have an interpreter, or a release of no kernel's form in them. */
static bool kernel_is_elf_image(const char *image, size_t len)
{
	const Elf64_Ehdr *eh = (const void *)image;
	const Elf64_Phdr *ph;
	char *release;

	if (len < sizeof(*eh) || eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_phentsize != sizeof(*ph) ||
	    eh->e_phoff > len || eh->e_phoff % 8 || (len - eh->e_phoff) / sizeof(*ph) < eh->e_phnum)
		return false;
	ph = (const void *)(image + eh->e_phoff);
	for (unsigned int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_INTERP || ph[i].p_type == PT_DYNAMIC)
			return false;
	release = kernel_elf_release(image, len);
	free(release);
	return release;
}

bool kernel_is_image(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool is_image = false;
	struct stat st;
	char *map;

	if (fd < 0)
		return false;
	map = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size >= 0x210 ?
		mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	close(fd);
	if (map == MAP_FAILED)
		return false;
	if (!memcmp(map, ELFMAG, SELFMAG))
		is_image = kernel_is_elf_image(map, st.st_size);
	else
		is_image = !memcmp(map + 0x1fe, "\x55\xaa", 2) && !memcmp(map + 0x202, "HdrS", 4);
	munmap(map, st.st_size);
	return is_image;
}

static int kernel_read_release(struct kernel *k)
{
	struct stat st;
	void *map;
	/* O_NONBLOCK: to open a FIFO that nobody writes to would wait. */
	int fd = open(k->image, O_RDONLY | O_NONBLOCK | O_CLOEXEC), err;

	if (fd < 0 || fstat(fd, &st)) {
		err = errno;
		goto out;
	}
	err = S_ISREG(st.st_mode) ? 0 : S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	if (err || !st.st_size)
		goto out;
	map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED) {
		err = errno;
		goto out;
	}
	k->release = kernel_release(map, st.st_size);
	munmap(map, st.st_size);
out:
	if (fd >= 0)
		close(fd);
	if (err)
		pr_err("kernel %s: %s%s", k->image, err == EINVAL ? "is no regular file" : strerror(err),
		       err == EACCES && !strncmp(k->image, "/boot/", 6) ?
		       " (some distributions let only root read it: copy it, or chmod +r)" : "");
	return -err;
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

/* Where the user says that the modules are. */
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

static FILE *kernel_config_open(const struct kernel *k)
{
	const char *slash = strrchr(k->image, '/'), *base = slash ? slash + 1 : k->image;
	int len = base - k->image;
	char path[PATH_MAX];
	FILE *f = NULL;

	if (k->release && snprintf(path, sizeof(path), "%.*sconfig-%s", len, k->image,
				   k->release) < (int)sizeof(path))
		f = fopen(path, "re");
	if (!f && snprintf(path, sizeof(path), "%.*s%s.config", len, k->image,
			   strstr(base, "vmlinux") ? "" : "../../../") < (int)sizeof(path))
		f = fopen(path, "re");
	if (!f && k->release &&
	    snprintf(path, sizeof(path), "/boot/config-%s", k->release) < (int)sizeof(path))
		f = fopen(path, "re");
	return f;
}

bool kernel_enables(const struct kernel *k, const char *const *options)
{
	FILE *f = kernel_config_open(k);
	unsigned int i, wanted = 0, found = 0;
	char line[512];
	size_t len;

	while (options[wanted])
		wanted++;
	/* Each has one line. */
	while (f && found < wanted && fgets(line, sizeof(line), f)) {
		for (i = 0; i < wanted; i++) {
			len = strlen(options[i]);
			found += !strncmp(line, options[i], len) && !strcmp(line + len, "=y\n");
		}
	}
	if (f)
		fclose(f);
	return found == wanted;
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
