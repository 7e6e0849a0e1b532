// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: host mappings and the one translation from guest-physical
 * addresses. Only this file, util/iov.c and kvm/access.h turn a guest pointer into a
 * plain one. Any thread may translate and copy; only the main thread publishes tables
 * (kvm/memory.h).
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/file.h>
#include <kvm/guard.h>
#include <kvm/iov.h>
#include <kvm/memory.h>

#define MEM_HUGE	(2 * MIB)

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

	guard_unmap(m->hva, m->len);
	free(m);
}

/* The table */

const struct mem_table *mem_table(const struct mem *mem)
{
	static const struct mem_table none;
	const struct mem_table *t = atomic_load_explicit(&mem->table, memory_order_acquire);

	return t ? t : &none;
}

static void mem_free_tables(void *arg)
{
	struct mem *mem = arg;

	mem_reclaim(mem);
	free(mem->table);
	mem->table = NULL;
}

void mem_reclaim(struct mem *mem)
{
	struct mem_table *t = mem->table, *old = t ? t->old : NULL;

	while (old) {
		struct mem_table *next = old->old;

		free(old);
		old = next;
	}
	if (t)
		t->old = NULL;
}

/* Publish a copy of the table with @r at @pos; NULL: without what is there. */
static int mem_publish(struct mem *mem, struct undo *undo, unsigned int pos, const struct mem_region *r)
{
	const struct mem_table *t = mem_table(mem);
	struct mem_table *new = calloc(1, sizeof(*new) + (t->nr + 1) * sizeof(new->region[0]));
	bool first = !mem->table;

	if (!new)
		return -ENOMEM;
	memcpy(new->region, t->region, pos * sizeof(*r));
	if (r) {
		new->nr = t->nr + 1;
		new->region[pos] = *r;
		memcpy(new->region + pos + 1, t->region + pos, (t->nr - pos) * sizeof(*r));
	} else {
		new->nr = t->nr - 1;
		memcpy(new->region + pos, t->region + pos + 1, (new->nr - pos) * sizeof(*r));
	}
	new->old = mem->table;
	atomic_store_explicit(&mem->table, new, memory_order_release);
	return first ? undo_add(undo, mem_free_tables, mem) : 0;
}

/* Mapping */

/* The index in the table for @len bytes at @gpa, or -EINVAL, -EBUSY, -ENOSPC. */
static int mem_position(const struct mem *mem, gpa_t gpa, u64 len)
{
	const struct mem_table *t = mem_table(mem);
	unsigned int pos;
	u64 end;

	if (!len || !IS_ALIGNED(gpa | len, 4096) || __builtin_add_overflow(gpa, len, &end))
		return -EINVAL;
	for (pos = 0; pos < t->nr && t->region[pos].gpa < gpa; pos++)
		;
	if (pos && t->region[pos - 1].gpa + t->region[pos - 1].len > gpa)
		return -EBUSY;
	if (pos < t->nr && end > t->region[pos].gpa)
		return -EBUSY;
	return t->nr == MEM_REGIONS_MAX ? -ENOSPC : (int)pos;
}

/* The lowest number that no region has. */
static u32 mem_slot(const struct mem *mem)
{
	const struct mem_table *t = mem_table(mem);
	unsigned int i;
	u32 slot = 0;

	for (i = 0; i < t->nr; i++) {
		if (t->region[i].slot == slot) {
			slot++;
			i = -1;
		}
	}
	return slot;
}

/*
 * Room of the process's own, congruent to @gpa modulo @align, so that host and guest huge pages
 * coincide. Around it are guard_size() bytes that nothing may touch.
 */
static void *mem_reserve(gpa_t gpa, u64 len, u64 align)
{
	u64 skip, guard = guard_size();
	char *room, *hva;

	/* Map too much, then cut both ends. */
	if (len > SIZE_MAX - align - 2 * guard)
		return NULL;
	room = mmap(NULL, len + align + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return NULL;
	skip = (gpa - (uintptr_t)(room + guard)) & (align - 1);
	hva = room + guard + skip;
	if (skip)
		munmap(room, skip);
	munmap(hva + len + guard, align - skip);
	if (mprotect(hva, len, PROT_READ | PROT_WRITE) < 0) {
		guard_unmap(hva, len);
		return NULL;
	}
	return hva;
}

/* Map @r, by @flags of mmap() if they are not 0, and publish it at @pos. */
static int mem_map_region(struct mem *mem, struct undo *undo, struct mem_region *r, u64 align, int flags,
			  unsigned int pos)
{
	struct mem_mapping *m = malloc(sizeof(*m));
	int ret;

	r->hva = m ? mem_reserve(r->gpa, r->len, align) : NULL;
	if (!r->hva) {
		free(m);
		return -ENOMEM;
	}
	*m = (struct mem_mapping) { r->hva, r->len };
	r->mapping = m;
	r->slot = mem_slot(mem);
	if (undo_add(undo, mem_unmap, m))
		return -ENOMEM;
	if (flags && mmap(r->hva, r->len, PROT_READ | PROT_WRITE, MAP_FIXED | flags, r->fd,
			  r->fd >= 0 ? r->off : 0) == MAP_FAILED) {
		ret = -errno;
		undo_now(undo, mem_unmap, m);
		return ret;
	}
	/* Both are advice: without huge pages the guest is slower, not wrong. */
	madvise(r->hva, r->len, MADV_HUGEPAGE);
	madvise(r->hva, r->len, MADV_DONTDUMP);
	ret = mem_publish(mem, undo, pos, r);
	if (ret)
		undo_now(undo, mem_unmap, m);
	return ret;
}

int mem_add(struct mem *mem, struct undo *undo, gpa_t gpa, u64 len)
{
	enum mem_kind kind = mem->cfg ? mem->cfg->kind : MEM_THP;
	struct mem_region r = { .gpa = gpa, .len = len, .use = MEM_RAM, .fd = -1 };
	u64 align = kind != MEM_THP ? max(mem->page, (u64)MEM_HUGE) : MEM_HUGE;
	int flags = 0, ret = mem_position(mem, gpa, len);
	unsigned int pos = ret;

	if (ret < 0)
		return ret;
	if (kind != MEM_THP && kind != MEM_HUGETLB) {
		r.fd = mem->fd;
		r.off = mem->used;
		r.private = kind == MEM_SNAPSHOT;
		flags = r.private ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED;
	}
	if (kind == MEM_HUGETLB)
		flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
			__builtin_ctzll(mem->page) << MAP_HUGE_SHIFT;
	ret = mem_map_region(mem, undo, &r, align, flags, pos);
	if (!ret)
		mem->used += len;
	return ret;
}

int mem_insert(struct mem *mem, struct undo *undo, struct mem_region *want)
{
	int ret = mem_position(mem, want->gpa, want->len), flags = 0;

	if (ret < 0)
		return ret;
	if (want->fd >= 0)
		flags = want->private ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED;
	return mem_map_region(mem, undo, want, MEM_HUGE, flags, ret);
}

int mem_remove(struct mem *mem, struct undo *undo, gpa_t gpa)
{
	const struct mem_table *t = mem_table(mem);
	struct mem_mapping *m;
	unsigned int pos;
	int ret;

	for (pos = 0; pos < t->nr && t->region[pos].gpa != gpa; pos++)
		;
	if (pos == t->nr)
		return -ENOENT;
	m = t->region[pos].mapping;
	ret = mem_publish(mem, undo, pos, NULL);
	if (!ret)
		undo_now(undo, mem_unmap, m);
	return ret;
}

/* Looking */

u64 mem_size(const struct mem *mem)
{
	const struct mem_table *t = mem_table(mem);
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < t->nr; i++)
		sum += t->region[i].use == MEM_RAM ? t->region[i].len : 0;
	return sum;
}

const struct mem_region *mem_region(const struct mem *mem, gpa_t gpa)
{
	const struct mem_table *t = mem_table(mem);
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (gpa - t->region[i].gpa < t->region[i].len)
			return &t->region[i];
	return NULL;
}

bool mem_overlaps(const struct mem *mem, gpa_t gpa, u64 len)
{
	const struct mem_table *t = mem_table(mem);
	unsigned int i;

	for (i = 0; len && i < t->nr; i++) {
		const struct mem_region *r = &t->region[i];

		if (gpa <= r->gpa + (r->len - 1) && r->gpa <= gpa + (len - 1))
			return true;
	}
	return false;
}

/* May devices read and write it? */
static bool mem_usable(const struct mem_region *r)
{
	return r->use == MEM_RAM || r->use == MEM_PLUGGABLE || r->use == MEM_FRAME;
}

int mem_each(const struct mem *mem, int (*fn)(void *obj, const struct mem_region *r), void *obj)
{
	const struct mem_table *t = mem_table(mem);
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < t->nr; i++)
		if (mem_usable(&t->region[i]))
			ret = fn(obj, &t->region[i]);
	return ret;
}

static void __guest *mem_in(const struct mem_region *r, gpa_t gpa, u64 len)
{
	if (!r || !len || len > r->len - (gpa - r->gpa))
		return NULL;
	return (__force void __guest *)((char *)r->hva + (gpa - r->gpa));
}

void __guest *mem_map(const struct mem *mem, gpa_t gpa, u64 len)
{
	const struct mem_region *r = mem_region(mem, gpa);

	return r && mem_usable(r) ? mem_in(r, gpa, len) : NULL;
}

/* Copying */

int mem_read(const struct mem *mem, gpa_t gpa, void *dst, size_t len)
{
	const struct mem_region *r = mem_region(mem, gpa);
	void __guest *p = r && r->use != MEM_WINDOW ? mem_in(r, gpa, len) : NULL;

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

int mem_write_rom(const struct mem *mem, gpa_t gpa, const void *src, size_t len)
{
	const struct mem_region *r = mem_region(mem, gpa);
	void __guest *p = r && r->use == MEM_ROM ? mem_in(r, gpa, len) : NULL;

	if (!p)
		return len ? -EFAULT : 0;
	guest_write(p, src, len);
	return 0;
}

int mem_read_file(const struct mem *mem, gpa_t gpa, int fd, size_t len, off_t off)
{
	char *p = (__force char *)mem_map(mem, gpa, len);

	return p ? file_pread(fd, p, len, off) : len ? -EFAULT : 0;
}

void mem_flush(const struct mem *mem, gpa_t gpa)
{
	long size = sysconf(_SC_PAGESIZE);
	void *page = (__force void *)mem_map(mem, gpa & ~(u64)(size - 1), size);

	/* A change of the protection makes KVM forget it. Processors can read what they can write. */
	if (page && !mprotect(page, size, PROT_WRITE))
		mprotect(page, size, PROT_READ | PROT_WRITE);
}
