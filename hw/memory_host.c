// SPDX-License-Identifier: GPL-2.0
/*
 * RAM as memory of the host: on which nodes, allocated in advance, locked, merged, and
 * given back when the guest does not need it. Main thread, but for mem_discard().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mempolicy.h>

#include <linux/kernel.h>
#include <kvm/iov.h>
#include <kvm/log.h>
#include <kvm/memory.h>

#define MEM_HOST_NODES	1024

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Is the range whole in @r, the region that holds @gpa or NULL? */
static bool mem_holds(const struct mem_region *r, gpa_t gpa, u64 len)
{
	return r && len && len <= r->len - (gpa - r->gpa);
}

int mem_bind(const struct mem *mem, gpa_t gpa, u64 len, unsigned int node)
{
	unsigned long mask[MEM_HOST_NODES / (8 * sizeof(long))] = { 0 };
	const struct mem_region *r = mem_region(mem, gpa);
	int ret = -EINVAL;

	if (mem_holds(r, gpa, len) && node < MEM_HOST_NODES) {
		mask[node / (8 * sizeof(long))] |= 1UL << node % (8 * sizeof(long));
		/* The kernel's count is one more than it takes. */
		ret = syscall(SYS_mbind, (char *)r->hva + (gpa - r->gpa), len, MPOL_BIND, mask,
			      MEM_HOST_NODES + 1UL, 0) < 0 ? -errno : 0;
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
		pr_err("%llu MiB of RAM cannot be allocated in advance: %s",
		       (unsigned long long)(r->len / MIB), strerror(-ret));
		return ret;
	}
	/* Before Linux 5.14. RAM is all zeroes yet, so writing zeroes is harmless. */
	for (i = 0; i < r->len; i += page)
		p[i] = 0;
	return 0;
}

int mem_commit(const struct mem *mem)
{
	const struct mem_table *t = mem_table(mem);
	const struct mem_config *cfg = mem->cfg;
	unsigned int i;
	int ret = 0;

	for (i = 0; cfg && !ret && i < t->nr; i++) {
		const struct mem_region *r = &t->region[i];

		if (cfg->merge && madvise(r->hva, r->len, MADV_MERGEABLE) < 0 && !i)
			pr_warn("the host cannot merge identical pages: its kernel has no KSM");
		if (cfg->prealloc)
			ret = mem_prealloc(r, mem->page);
		if (!ret && cfg->lock)
			ret = mem_lock(r);
	}
	return ret == -ENOMEM ? -ENOSPC : ret;
}

int mem_discard(const struct mem *mem, gpa_t gpa, u64 len)
{
	const struct mem_region *r = mem_region(mem, gpa);
	u64 page = mem->page ? mem->page : 4096, start, end;

	if (!mem_holds(r, gpa, len) || (r->use != MEM_RAM && r->use != MEM_PLUGGABLE))
		return -EINVAL;
	start = ALIGN(gpa - r->gpa, page);
	end = (gpa - r->gpa + len) & ~(page - 1);
	if (start >= end)
		return 0;
	if (r->fd >= 0 && !r->private)
		return fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, r->off + start,
				 end - start) < 0 ? -errno : 0;
	return madvise((char *)r->hva + start, end - start, MADV_DONTNEED) < 0 ? -errno : 0;
}

u64 mem_discard_iter(const struct mem *mem, const struct iov_iter *i)
{
	const struct mem_table *t = mem_table(mem);
	u64 done = 0;

	for (unsigned int n = 0; n < i->nr * t->nr; n++) {
		const struct mem_region *r = &t->region[n % t->nr];
		const struct iovec *v = &i->iov[n / t->nr];
		u64 at = (uintptr_t)v->iov_base - (uintptr_t)r->hva;

		if (r->hva && at < r->len && !mem_discard(mem, r->gpa + at, v->iov_len))
			done += v->iov_len;
	}
	return done;
}
