// SPDX-License-Identifier: GPL-2.0
/* Root file systems below ~/.lkvm: see kvm/rootfs.h. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/rootfs.h>

#define DEBOOTSTRAP	"debootstrap:"
#define FTW_FDS		16

/* A small root: directories, links into the host's files, and the files that cannot be the host's. */
static const char *const rootfs_dirs[] = {
	"dev", "etc", "home", "host", "mnt", "proc", "root", "run", "sys", "tmp", "var", "var/lib",
	"var/log", "var/tmp", "virt", "virt/home",
};

static const char *const rootfs_links[] = {
	"bin", "lib", "lib32", "lib64", "libx32", "opt", "sbin", "usr", "etc/alternatives",
	"etc/ld.so.cache", "etc/ld.so.conf", "etc/ld.so.conf.d", "etc/nsswitch.conf", "etc/protocols",
	"etc/services", "etc/ssl",
};

static const struct {
	const char *path, *text;
} rootfs_files[] = {
	{ "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n" },
	{ "etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n" },
	{ "etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n" },
	{ "etc/resolv.conf", "" },
};

bool rootfs_name_ok(const char *name)
{
	return *name && *name != '.' && *name != '-' && !strchr(name, '/') && strlen(name) < 128;
}

char *rootfs_path(const char *name)
{
	const char *home = getenv("HOME");
	char *path;

	if (!home || *home != '/') {
		pr_err("HOME is not set: root file systems are kept in ~/.lkvm");
		return NULL;
	}
	if (asprintf(&path, "%s/.lkvm/%s", home, name) < 0) {
		pr_err("out of memory");
		return NULL;
	}
	return path;
}

bool rootfs_wants_host(const char *dir)
{
	struct stat st;
	char path[4352];

	snprintf(path, sizeof(path), "%s" ROOTFS_HOST, dir);
	return !lstat(path, &st) && S_ISDIR(st.st_mode);
}

static int rootfs_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

static void rootfs_remove(const char *dir)
{
	if (nftw(dir, rootfs_remove_one, FTW_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT))
		pr_err("%s: cannot be removed: %s", dir, strerror(errno));
}

static int rootfs_file(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (close(fd) || n < 0)
		return -errno;
	return (size_t)n == strlen(text) ? 0 : -ENOSPC;
}

/* The host's link of that name, if it is one, is followed in the guest: below ROOTFS_HOST it leads astray. */
static int rootfs_link(int dir, const char *path)
{
	char from[64], to[4352], *real;
	int ret = 0;

	snprintf(from, sizeof(from), "/%s", path);
	real = realpath(from, NULL);
	if (!real)
		return 0;
	if ((size_t)snprintf(to, sizeof(to), ROOTFS_HOST "%s", real) >= sizeof(to))
		ret = -ENAMETOOLONG;
	else if (symlinkat(to, dir, path))
		ret = -errno;
	free(real);
	return ret;
}

static int rootfs_small(const char *path)
{
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), ret = 0;

	if (dir < 0)
		return -errno;
	for (size_t i = 0; !ret && i < ARRAY_SIZE(rootfs_dirs); i++)
		ret = mkdirat(dir, rootfs_dirs[i], 0755) ? -errno : 0;
	for (size_t i = 0; !ret && i < ARRAY_SIZE(rootfs_links); i++)
		ret = rootfs_link(dir, rootfs_links[i]);
	for (size_t i = 0; !ret && i < ARRAY_SIZE(rootfs_files); i++)
		ret = rootfs_file(dir, rootfs_files[i].path, rootfs_files[i].text);
	if (!ret && (fchmodat(dir, "tmp", 01777, 0) || fchmodat(dir, "var/tmp", 01777, 0)))
		ret = -errno;
	close(dir);
	return ret;
}

/* Run a program of the host's and wait: 0, or -errno with the message printed. */
static int rootfs_program(const char *const argv[])
{
	int status, ret;
	pid_t pid;

	ret = posix_spawnp(&pid, argv[0], NULL, NULL, (char **)argv, environ);
	if (ret) {
		pr_err("%s: %s", argv[0], ret == ENOENT ? "is not installed" : strerror(ret));
		return -ret;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	pr_err("%s has failed", argv[0]);
	return -EIO;
}

static int rootfs_copy(const char *path, const char *from)
{
	const char *suite = strncmp(from, DEBOOTSTRAP, strlen(DEBOOTSTRAP)) ? NULL : from + strlen(DEBOOTSTRAP);
	struct stat st;
	char *all;
	int ret;

	if (suite && (!*suite || *suite == '-')) {
		pr_err("--from %s: has to name a suite, as in debootstrap:bookworm", from);
		return -EINVAL;
	}
	if (suite)
		return rootfs_program((const char *[]){ "debootstrap", "--", suite, path, NULL });
	if (stat(from, &st)) {
		ret = -errno;
		pr_err("--from %s: %s", from, strerror(errno));
		return ret;
	}
	if (!S_ISDIR(st.st_mode))
		return rootfs_program((const char *[]){ "tar", "--numeric-owner", "-C", path, "-xpf", from, NULL });
	if (asprintf(&all, "%s/.", from) < 0)
		return -ENOMEM;
	ret = rootfs_program((const char *[]){ "cp", "-a", "--reflink=auto", "--", all, path, NULL });
	free(all);
	return ret;
}

/* A directory beside @path, to be renamed when it is complete; ~/.lkvm is made too. malloc()ed. */
static char *rootfs_begin(const char *path)
{
	char *tmp, *slash;

	if (asprintf(&tmp, "%s", path) < 0)
		return NULL;
	slash = strrchr(tmp, '/');
	*slash = '\0';
	if (mkdir(tmp, 0755) && errno != EEXIST) {
		pr_err("%s: %s", tmp, strerror(errno));
		free(tmp);
		return NULL;
	}
	free(tmp);
	slash = strrchr(path, '/');
	if (asprintf(&tmp, "%.*s/.%s.XXXXXX", (int)(slash - path), path, slash + 1) < 0)
		return NULL;
	if (mkdtemp(tmp) && !chmod(tmp, 0755))
		return tmp;
	pr_err("%s: %s", tmp, strerror(errno));
	free(tmp);
	return NULL;
}

int rootfs_make(const char *name, const char *from)
{
	char *path = rootfs_path(name), *tmp = NULL;
	int ret = -EINVAL;

	if (!path)
		return ret;
	if (!access(path, F_OK)) {
		pr_err("%s is there already: remove it, or choose another name", path);
		ret = -EEXIST;
		goto out;
	}
	tmp = rootfs_begin(path);
	if (!tmp)
		goto out;
	ret = from ? rootfs_copy(tmp, from) : rootfs_small(tmp);
	if (ret && !from)
		pr_err("%s: %s", path, strerror(-ret));
	/* An empty directory of that name may have been made meanwhile: only that is replaced. */
	if (!ret && rename(tmp, path)) {
		ret = -errno;
		pr_err("%s: %s", path, strerror(errno));
	}
	if (ret)
		rootfs_remove(tmp);
out:
	free(tmp);
	free(path);
	return ret;
}
