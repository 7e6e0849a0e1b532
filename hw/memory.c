// SPDX-License-Identifier: GPL-2.0
/*
 * Guest RAM: host mappings and the one translation from guest-physical
 * addresses. With util/iov.c the only place that turns a guest pointer into a
 * plain one. The regions are set up before the vCPUs run and then constant:
 * any thread may translate and copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>
#include <linux/mempolicy.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/memory.h>

#define MEM_HUGE	(2 * MIB)
#define MEM_HOST_NODES	1024

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

struct mem_mapping {
	void *hva;
	size_t len;
};

static void mem_unmap(void *arg)
{
	struct mem_mapping *m = arg;

	munmap(m->hva, m->len);
	free(m);
}

/* A number in a file of sysfs or procfs, 0 if there is none. */
static u64 mem_host_number(const char *path, const char *format)
{
	FILE *f = fopen(path, "re");
	unsigned long long n = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, format, &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

static u64 mem_huge_free(u64 page)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
		 (unsigned long long)(page / KIB));
	return mem_host_number(path, "%llu");
}

static int mem_open_hugetlb(struct mem *mem, u64 size)
{
	u64 page = mem->cfg->page, have;
	char path[96];

	if (!page)
		page = mem_host_number("/proc/meminfo", "Hugepagesize: %llu kB") * KIB;
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB",
		 (unsigned long long)(page / KIB));
	if (!page || access(path, F_OK) < 0) {
		pr_err("the host has no huge pages%s", mem->cfg->page ? " of that size" : "");
		return -EINVAL;
	}
	have = mem_huge_free(page);
	if (have < DIV_ROUND_UP(size, page)) {
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
	} else if (size > (u64)room.f_bavail * room.f_frsize + (u64)st.st_blocks * 512) {
		pr_err("RAM from %s: %llu MiB are needed, there is room for %llu", path,
		       (unsigned long long)(size / MIB),
		       (unsigned long long)room.f_bavail * room.f_frsize / MIB);
	} else {
		return 0;
	}
	return -EINVAL;
}

static int mem_open_memfd(void)
{
	int fd = memfd_create("lkvm-ram", MFD_CLOEXEC), ret = -errno;

	if (fd >= 0)
		return fd;
	pr_err("a file in memory for the RAM: %s", strerror(-ret));
	return ret;
}

/* What is open becomes as large as the RAM. 0 or -errno with the message printed. */
static int mem_grow(struct mem *mem, u64 size)
{
	int ret = mem->cfg->kind == MEM_FILE ? mem_check_file(mem, size) : 0;

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
	else if (cfg->kind == MEM_FILE)
		ret = mem->fd = mem_open_file(cfg, &created);
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

/* The backend's memory where the process's own is now. 0 or -errno. */
static int mem_map_backend(struct mem *mem, void *hva, u64 len)
{
	int flags = MAP_FIXED | (mem->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);

	if (mem->cfg->kind == MEM_HUGETLB)
		flags |= MAP_HUGETLB | __builtin_ctzll(mem->page) << MAP_HUGE_SHIFT;
	if (mmap(hva, len, PROT_READ | PROT_WRITE, flags, mem->fd, mem->fd >= 0 ? mem->used : 0) == MAP_FAILED)
		return -errno;
	mem->used += len;
	return 0;
}

int mem_add(struct mem *mem, struct undo *undo, gpa_t gpa, u64 len)
{
	bool backend = mem->cfg && mem->cfg->kind != MEM_THP;
	u64 end, skip, align = backend ? max(mem->page, (u64)MEM_HUGE) : MEM_HUGE;
	struct mem_mapping *m;
	unsigned int i, pos;
	char *hva;
	int ret;

	if (!len || !IS_ALIGNED(gpa | len, 4096) || __builtin_add_overflow(gpa, len, &end))
		return -EINVAL;
	if (mem->nr == MEM_REGIONS_MAX)
		return -ENOMEM;
	for (pos = 0; pos < mem->nr && mem->region[pos].gpa < gpa; pos++)
		;
	if (pos && mem->region[pos - 1].gpa + mem->region[pos - 1].len > gpa)
		return -EBUSY;
	if (pos < mem->nr && end > mem->region[pos].gpa)
		return -EBUSY;

	/* Map too much, then cut both ends so that host and guest huge pages coincide. */
	if (len > SIZE_MAX - align)
		return -ENOMEM;
	hva = mmap(NULL, len + align, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hva == MAP_FAILED)
		return -ENOMEM;
	skip = (gpa - (uintptr_t)hva) & (align - 1);
	if (skip)
		munmap(hva, skip);
	munmap(hva + skip + len, align - skip);
	hva += skip;

	m = malloc(sizeof(*m));
	if (!m) {
		munmap(hva, len);
		return -ENOMEM;
	}
	m->hva = hva;
	m->len = len;
	if (undo_add(undo, mem_unmap, m))
		return -ENOMEM;
	ret = backend ? mem_map_backend(mem, hva, len) : 0;
	if (ret)
		return ret;
	/* Both are advice: without huge pages the guest is slower, not wrong. */
	madvise(hva, len, MADV_HUGEPAGE);
	madvise(hva, len, MADV_DONTDUMP);

	for (i = mem->nr++; i > pos; i--)
		mem->region[i] = mem->region[i - 1];
	mem->region[pos] = (struct mem_region){ .gpa = gpa, .len = len, .hva = hva };
	return 0;
}

int mem_bind(const struct mem *mem, gpa_t gpa, u64 len, unsigned int node)
{
	unsigned long mask[MEM_HOST_NODES / (8 * sizeof(long))] = { 0 };
	void *p = (__force void *)mem_map(mem, gpa, len);
	int ret = -EINVAL;

	if (p && node < MEM_HOST_NODES) {
		mask[node / (8 * sizeof(long))] |= 1UL << node % (8 * sizeof(long));
		/* The kernel's count is one more than it takes. */
		ret = syscall(SYS_mbind, p, len, MPOL_BIND, mask, MEM_HOST_NODES + 1UL, 0) < 0 ? -errno : 0;
	}
	if (ret == -EINVAL)
		pr_err("the host has no memory in a node %u", node);
	else if (ret)
		pr_err("RAM from the host's node %u: %s", node, strerror(-ret));
	return ret == -ENOMEM ? -ENOSPC : ret;
}

static int mem_lock(const struct mem_region *r)
{
	struct rlimit limit = { 0 };
	int ret;

	if (!mlock(r->hva, r->len))
		return 0;
	ret = -errno;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur < r->len)
		pr_err("%llu MiB of RAM cannot be locked: the limit is %llu KiB, see ulimit -l",
		       (unsigned long long)(r->len / MIB), (unsigned long long)(limit.rlim_cur / KIB));
	else
		pr_err("%llu MiB of RAM cannot be locked: %s", (unsigned long long)(r->len / MIB),
		       strerror(-ret));
	return ret;
}

static int mem_prealloc(const struct mem_region *r, u64 page)
{
	volatile char *p = r->hva;
	u64 i;
	int ret;

	if (!madvise(r->hva, r->len, MADV_POPULATE_WRITE))
		return 0;
	ret = -errno;
	if (ret != -EINVAL) {
		pr_err("%llu MiB of RAM cannot be had in advance: %s",
		       (unsigned long long)(r->len / MIB), strerror(-ret));
		return ret;
	}
	/* Before Linux 5.14. It is all zeroes: nobody has written yet. */
	for (i = 0; i < r->len; i += page)
		p[i] = 0;
	return 0;
}

int mem_commit(const struct mem *mem)
{
	const struct mem_config *cfg = mem->cfg;
	unsigned int i;
	int ret = 0;

	for (i = 0; cfg && !ret && i < mem->nr; i++) {
		const struct mem_region *r = &mem->region[i];

		if (cfg->merge && madvise(r->hva, r->len, MADV_MERGEABLE) < 0 && !i)
			pr_warn("the host merges no pages that are alike: its kernel has no KSM");
		if (cfg->prealloc)
			ret = mem_prealloc(r, mem->page);
		if (!ret && cfg->lock)
			ret = mem_lock(r);
	}
	return ret == -ENOMEM ? -ENOSPC : ret;
}

u64 mem_size(const struct mem *mem)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < mem->nr; i++)
		sum += mem->region[i].len;
	return sum;
}

void __guest *mem_map(const struct mem *mem, gpa_t gpa, u64 len)
{
	unsigned int i;

	if (!len)
		return NULL;
	for (i = 0; i < mem->nr; i++) {
		const struct mem_region *r = &mem->region[i];

		if (gpa - r->gpa < r->len)
			return len <= r->len - (gpa - r->gpa) ?
				(__force void __guest *)((char *)r->hva + (gpa - r->gpa)) : NULL;
	}
	return NULL;
}

int mem_read(const struct mem *mem, gpa_t gpa, void *dst, size_t len)
{
	void __guest *p = mem_map(mem, gpa, len);

	if (!p)
		return len ? -EFAULT : 0;
	guest_read(dst, p, len);
	return 0;
}

int mem_write(const struct mem *mem, gpa_t gpa, const void *src, size_t len)
{
	void __guest *p = mem_map(mem, gpa, len);

	if (!p)
		return len ? -EFAULT : 0;
	guest_write(p, src, len);
	return 0;
}

int mem_read_file(const struct mem *mem, gpa_t gpa, int fd, size_t len, off_t off)
{
	char *p = (__force char *)mem_map(mem, gpa, len);

	if (!p)
		return len ? -EFAULT : 0;
	while (len) {
		ssize_t n = pread(fd, p, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

void mem_flush(const struct mem *mem, gpa_t gpa)
{
	long size = sysconf(_SC_PAGESIZE);
	void *page = (__force void *)mem_map(mem, gpa & ~(u64)(size - 1), size);

	/* A change of the protection makes KVM forget it. Processors can read what they can write. */
	if (page && !mprotect(page, size, PROT_WRITE))
		mprotect(page, size, PROT_READ | PROT_WRITE);
}

void guest_read(void *dst, const void __guest *src, size_t len)
{
	memcpy(dst, (__force const void *)src, len);
}

void guest_write(void __guest *dst, const void *src, size_t len)
{
	memcpy((__force void *)dst, src, len);
}

u16 guest_load16(const void __guest *p)
{
	return __atomic_load_n((__force const u16 *)p, __ATOMIC_RELAXED);
}

u16 guest_load16_acquire(const void __guest *p)
{
	return __atomic_load_n((__force const u16 *)p, __ATOMIC_ACQUIRE);
}

void guest_store16(void __guest *p, u16 val)
{
	__atomic_store_n((__force u16 *)p, val, __ATOMIC_RELAXED);
}

void guest_store16_release(void __guest *p, u16 val)
{
	__atomic_store_n((__force u16 *)p, val, __ATOMIC_RELEASE);
}
