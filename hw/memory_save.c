// SPDX-License-Identifier: GPL-2.0
/*
 * RAM as a sparse file. Most of a guest's RAM was never used, and looking at it would
 * have the host allocate page tables for it. /proc/self/pagemap (Documentation/admin-
 * guide/mm/pagemap.rst) says which pages exist, and SEEK_DATA which a file has.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/file.h>
#include <kvm/memory.h>

#define SAVE_PAGE	4096
#define SAVE_BATCH	512		/* pages that are looked at at a time */
#define PAGEMAP_USED	(3ULL << 62)	/* present, or swapped out */

struct mem_save {
	int pagemap, fd;
	u64 off;			/* in the file: of the region */
	const struct mem_region *r;
	u64 data, hole;			/* the region's file has data from the one to the other */
};

static bool save_is_zero(const char *page)
{
	return !page[0] && !memcmp(page, page + 1, SAVE_PAGE - 1);
}

static int save_write(const struct mem_save *s, u64 at, u64 len)
{
	return file_pwrite(s->fd, (const char *)s->r->hva + at, len, s->off + at);
}

/* Has the region's own file anything at @at? */
static bool save_in_file(struct mem_save *s, u64 at)
{
	off_t off;

	if (s->r->fd < 0)
		return false;
	if (at >= s->hole) {
		off = lseek(s->r->fd, s->r->off + at, SEEK_DATA);
		if (off < 0 && errno != ENXIO)
			return true;	/* a file system that does not say */
		s->data = off < 0 ? s->r->len : (u64)off - s->r->off;
		off = off < 0 ? -1 : lseek(s->r->fd, off, SEEK_HOLE);
		s->hole = off < 0 ? s->r->len : (u64)off - s->r->off;
	}
	return at >= s->data;
}

/* The @n pages from @at on, where they are not all zeroes. */
static int save_batch(struct mem_save *s, u64 at, unsigned int n)
{
	u64 map[SAVE_BATCH], first = ((uintptr_t)s->r->hva + at) / SAVE_PAGE, run = 0;
	ssize_t want = n * sizeof(map[0]);
	unsigned int i;
	int ret = 0;

	if (s->pagemap < 0 || pread(s->pagemap, map, want, first * sizeof(map[0])) != want)
		memset(map, 0xff, sizeof(map));
	for (i = 0; !ret && i <= n; i++) {
		u64 here = at + (u64)i * SAVE_PAGE;

		if (i < n && (map[i] & PAGEMAP_USED || save_in_file(s, here)) &&
		    !save_is_zero((const char *)s->r->hva + here)) {
			run += SAVE_PAGE;
		} else if (run) {
			ret = save_write(s, here - run, run);
			run = 0;
		}
	}
	return ret;
}

static int save_region(struct mem_save *s)
{
	u64 at, step;
	int ret = 0;

	s->data = s->hole = 0;
	for (at = 0; !ret && at < s->r->len; at += step) {
		step = min(s->r->len - at, (u64)SAVE_BATCH * SAVE_PAGE);
		ret = save_batch(s, at, step / SAVE_PAGE);
	}
	return ret;
}

int mem_save(const struct mem *mem, int pagemap, int fd)
{
	struct mem_save s = { .pagemap = sysconf(_SC_PAGESIZE) == SAVE_PAGE ? pagemap : -1, .fd = fd };
	const struct mem_table *t = mem_table(mem);
	unsigned int i;
	int ret = 0;

	for (i = 0; i < t->nr; i++)
		if (t->region[i].use != MEM_RAM)
			return -ENOTSUP;
	if (ftruncate(fd, mem_size(mem)) < 0)
		return -errno;
	for (i = 0; !ret && i < t->nr; i++) {
		s.r = &t->region[i];
		ret = save_region(&s);
		s.off += s.r->len;
	}
	return ret;
}

int mem_detach(const struct mem *mem)
{
	const struct mem_table *t = mem_table(mem);
	unsigned int i;

	for (i = 0; i < t->nr; i++) {
		const struct mem_region *r = &t->region[i];

		if (r->fd >= 0 && !r->private &&
		    mmap(r->hva, r->len, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_NORESERVE,
			 r->fd, r->off) == MAP_FAILED)
			return -errno;
	}
	return 0;
}
