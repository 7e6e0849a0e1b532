// SPDX-License-Identifier: GPL-2.0
/*
 * Guest RAM: host mappings and the one translation from guest-physical
 * addresses. With util/iov.c the only place that turns a guest pointer into a
 * plain one. The regions are set up before the vCPUs run and then constant:
 * any thread may translate and copy.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/memory.h>

#define MEM_HUGE	(2 * MIB)

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

int mem_add(struct mem *mem, struct undo *undo, gpa_t gpa, u64 len)
{
	struct mem_mapping *m;
	unsigned int i, pos;
	u64 end, skip;
	char *hva;

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
	if (len > SIZE_MAX - MEM_HUGE)
		return -ENOMEM;
	hva = mmap(NULL, len + MEM_HUGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hva == MAP_FAILED)
		return -ENOMEM;
	skip = (gpa - (uintptr_t)hva) & (MEM_HUGE - 1);
	if (skip)
		munmap(hva, skip);
	munmap(hva + skip + len, MEM_HUGE - skip);
	hva += skip;

	m = malloc(sizeof(*m));
	if (!m) {
		munmap(hva, len);
		return -ENOMEM;
	}
	m->hva = hva;
	m->len = len;
	/* Both are advice: without huge pages the guest is slower, not wrong. */
	madvise(hva, len, MADV_HUGEPAGE);
	madvise(hva, len, MADV_DONTDUMP);
	if (undo_add(undo, mem_unmap, m))
		return -ENOMEM;

	for (i = mem->nr++; i > pos; i--)
		mem->region[i] = mem->region[i - 1];
	mem->region[pos] = (struct mem_region){ .gpa = gpa, .len = len, .hva = hva };
	return 0;
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

	/* A change of what is allowed goes to KVM; at no time is anything that others do here forbidden. */
	if (page && !mprotect(page, size, PROT_READ | PROT_WRITE | PROT_EXEC))
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
