// SPDX-License-Identifier: GPL-2.0
/*
 * The files of the host that RAM can be in: huge pages, a file in memory or on a disk, and
 * the RAM of a snapshot. Main thread, before anything is mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include <linux/kernel.h>
#include <kvm/file.h>
#include <kvm/keep.h>
#include <kvm/log.h>
#include <kvm/memory.h>

/* A number in a file of sysfs or procfs, 0 if there is none; -1: there is no such file. */
static s64 mem_host_number(struct keep *keep, const char *path, const char *format)
{
	int fd = keep_open(keep, path, O_RDONLY);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned long long n = 0;
	char line[128];

	if (fd >= 0 && !f)
		close(fd);
	if (!f)
		return -1;
	/* The file offset is shared with earlier readers. */
	rewind(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, format, &n) == 1)
			break;
	fclose(f);
	return n;
}

static int mem_open_hugetlb(struct mem *mem, u64 size)
{
	struct keep *keep = mem->cfg->keep;
	u64 page = mem->cfg->page;
	char path[96];
	s64 have;

	if (!page)
		page = max(mem_host_number(keep, "/proc/meminfo", "Hugepagesize: %llu kB"), (s64)0) * KIB;
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
		 (unsigned long long)(page / KIB));
	have = page ? mem_host_number(keep, path, "%llu") : -1;
	if (have < 0) {
		pr_err("the host has no huge pages%s", mem->cfg->page ? " of that size" : "");
		return -EINVAL;
	}
	if ((u64)have < DIV_ROUND_UP(size, page)) {
		*strrchr(path, '/') = '\0';
		pr_err("%llu MiB of RAM need %llu huge pages of %llu MiB, the host has %llu free: write to %s/nr_hugepages",
		       (unsigned long long)(size / MIB), (unsigned long long)DIV_ROUND_UP(size, page),
		       (unsigned long long)(page / MIB), (unsigned long long)have, path);
		return -ENOSPC;
	}
	mem->page = page;
	return 0;
}

/* Its descriptor, or -errno with the message printed. @created: there was none. */
static int mem_open_file(const struct mem_config *cfg, bool *created)
{
	char name[PATH_MAX];
	struct statfs fs;
	struct stat st;
	int fd, ret;
	size_t len;

	if (cfg->kind == MEM_SNAPSHOT) {
		fd = file_open(cfg->path, &len);
		if (fd < 0)
			pr_err("RAM of the snapshot %s: %s", cfg->path, strerror(-fd));
		return fd;
	}
	if (cfg->hugetlbfs && (statfs(cfg->path, &fs) < 0 || fs.f_type != HUGETLBFS_MAGIC)) {
		pr_err("--hugetlbfs %s: there is no hugetlbfs", cfg->path);
		return -EINVAL;
	}
	if (stat(cfg->path, &st) < 0) {
		fd = open(cfg->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		*created = fd >= 0;
	} else if (!S_ISDIR(st.st_mode)) {
		fd = open(cfg->path, O_RDWR | O_CLOEXEC);
	} else if (snprintf(name, sizeof(name), "%s/lkvm-XXXXXX", cfg->path) >= (int)sizeof(name)) {
		fd = -1;
		errno = ENAMETOOLONG;
	} else {
		fd = mkostemp(name, O_CLOEXEC);
		if (fd >= 0)
			unlink(name);
	}
	if (fd < 0) {
		ret = -errno;
		pr_err("RAM from %s: %s", cfg->path, strerror(-ret));
		return ret;
	}
	return fd;
}

/* The same, the first time; then it is the file that it was. */
static int mem_keep_file(const struct mem_config *cfg, bool *created)
{
	char *key;
	int fd, ret;

	if (asprintf(&key, "RAM from %s", cfg->path) < 0)
		return -ENOMEM;
	fd = keep_fd(cfg->keep, key);
	if (fd == -ENOENT) {
		fd = mem_open_file(cfg, created);
		ret = fd < 0 ? 0 : keep_add_fd(cfg->keep, key, fd);
		if (ret) {
			pr_err("RAM from %s: %s", cfg->path, strerror(-ret));
			close(fd);
			fd = ret;
		}
	}
	free(key);
	return fd;
}

/* The file can be the RAM of this machine, and of no other. 0 or -EINVAL with the message printed. */
static int mem_check_file(struct mem *mem, u64 size)
{
	const char *path = mem->cfg->path;
	struct statvfs room;
	struct statfs fs;
	struct stat st;

	if (fstat(mem->fd, &st) < 0 || fstatfs(mem->fd, &fs) < 0 || fstatvfs(mem->fd, &room) < 0) {
		pr_err("RAM from %s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		pr_err("RAM from %s: neither a file nor a directory", path);
	} else if (flock(mem->fd, LOCK_EX | LOCK_NB) < 0) {
		pr_err("RAM from %s: it is in use by another machine", path);
	} else if (st.st_size && (u64)st.st_size != size) {
		pr_err("RAM from %s: the file has %llu bytes; it has to be empty or have %llu, as its content is lost",
		       path, (unsigned long long)st.st_size, (unsigned long long)size);
	} else if (fs.f_type == HUGETLBFS_MAGIC) {
		mem->page = fs.f_bsize;
		return 0;
	} else if (room.f_blocks && size > (u64)room.f_bavail * room.f_frsize + (u64)st.st_blocks * 512) {
		pr_err("RAM from %s: %llu MiB are needed, there is room for %llu", path,
		       (unsigned long long)(size / MIB),
		       (unsigned long long)room.f_bavail * room.f_frsize / MIB);
	} else {
		return 0;
	}
	return -EINVAL;
}

/* A snapshot has all of the RAM, and is only read. */
static int mem_check_snapshot(const struct mem *mem, u64 size)
{
	struct stat st;

	if (fstat(mem->fd, &st) < 0) {
		pr_err("RAM of the snapshot %s: %s", mem->cfg->path, strerror(errno));
		return -EINVAL;
	}
	if (S_ISREG(st.st_mode) && (u64)st.st_size == size)
		return 0;
	pr_err("RAM of the snapshot %s: a file of %llu bytes is needed, it has %llu", mem->cfg->path,
	       (unsigned long long)size, (unsigned long long)st.st_size);
	return -EINVAL;
}

static int mem_open_memfd(void)
{
	int fd = memfd_create("lkvm-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING), ret = -errno;

	if (fd >= 0)
		return fd;
	pr_err("a file in memory for the RAM: %s", strerror(-ret));
	return ret;
}

/* Make the backend's file as large as the RAM. 0 or -errno with the message printed. */
static int mem_grow(struct mem *mem, u64 size)
{
	int ret = mem->cfg->kind == MEM_FILE ? mem_check_file(mem, size) : 0;

	if (mem->cfg->kind == MEM_SNAPSHOT)
		return mem_check_snapshot(mem, size);
	if (ret)
		return ret;
	if (!IS_ALIGNED(size, mem->page)) {
		pr_err("%llu KiB of RAM are no whole number of huge pages of %llu MiB",
		       (unsigned long long)(size / KIB), (unsigned long long)(mem->page / MIB));
		return -EINVAL;
	}
	if (mem->fd >= 0 && (ftruncate(mem->fd, 0) < 0 || ftruncate(mem->fd, size) < 0)) {
		ret = -errno;
		pr_err("a file of %llu MiB for the RAM: %s", (unsigned long long)(size / MIB),
		       strerror(-ret));
		return ret == -ENOMEM ? -ENOSPC : ret;
	}
	/* Another process that has it cannot take pages away from under this one. */
	if (mem->cfg->kind == MEM_MEMFD)
		fcntl(mem->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	return 0;
}

int mem_open(struct mem *mem, struct undo *undo, const struct mem_config *cfg, u64 size)
{
	bool created = false;
	int ret = 0;

	mem->cfg = cfg;
	mem->page = sysconf(_SC_PAGESIZE);
	mem->fd = -1;
	mem->used = 0;
	if (cfg->kind == MEM_HUGETLB)
		ret = mem_open_hugetlb(mem, size);
	else if (cfg->kind == MEM_FILE || cfg->kind == MEM_SNAPSHOT)
		ret = mem->fd = mem_keep_file(cfg, &created);
	else if (cfg->kind == MEM_MEMFD)
		ret = mem->fd = mem_open_memfd();
	if (ret < 0)
		return ret;
	if (mem->fd >= 0 && undo_close(undo, mem->fd)) {
		pr_err("not enough memory for the machine");
		return -ENOSPC;
	}
	ret = mem_grow(mem, size);
	if (ret && created)
		unlink(cfg->path);
	return ret;
}
