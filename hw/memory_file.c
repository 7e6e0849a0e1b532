// SPDX-License-Identifier: GPL-2.0
/* Guest memory on its way into a file, straight from where it is: for dumps. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/file.h>
#include <kvm/memory.h>

#define FILE_PAGE	4096
#define FILE_BATCH	512			/* pages that are looked at at a time */
#define PAGEMAP_USED	(3ULL << 62)		/* present, or swapped out: Documentation/admin-guide/mm/pagemap.rst */

/* The range, if it lies whole in one region of RAM. */
static const char *file_at(const struct mem *mem, gpa_t gpa, u64 len)
{
	const struct mem_region *r = mem_region(mem, gpa);

	if (!r || !len || (r->use != MEM_RAM && r->use != MEM_PLUGGABLE) || len > r->len - (gpa - r->gpa))
		return NULL;
	return (const char *)r->hva + (gpa - r->gpa);
}

int mem_write_file(const struct mem *mem, gpa_t gpa, int fd, size_t len, off_t off)
{
	const char *p = file_at(mem, gpa, len);

	return p ? file_pwrite(fd, p, len, off) : len ? -EFAULT : 0;
}

bool mem_is_zero(const struct mem *mem, gpa_t gpa, size_t len)
{
	const char *p = file_at(mem, gpa, len);

	return p && !*p && !memcmp(p, p + 1, len - 1);
}

/* Pages from @at on that the process has never had: bytes, up to @most. */
static u64 file_unused(const struct mem_region *r, u64 at, u64 most, int pagemap)
{
	u64 map[FILE_BATCH], first = ((uintptr_t)r->hva + at) / FILE_PAGE, done = 0;
	ssize_t got;

	while (done < most) {
		u64 want = min((most - done) / FILE_PAGE, (u64)FILE_BATCH);

		got = want ? pread(pagemap, map, want * sizeof(*map), (first + done / FILE_PAGE) * sizeof(*map)) : 0;
		for (u64 i = 0; i < want; i++)
			if (got != (ssize_t)(want * sizeof(*map)) || map[i] & PAGEMAP_USED)
				return done + i * FILE_PAGE;
		if (!want)
			break;
		done += want * FILE_PAGE;
	}
	return done;
}

u64 mem_untouched(const struct mem *mem, gpa_t gpa, int pagemap)
{
	const struct mem_region *r = mem_region(mem, gpa);
	u64 at = r ? gpa - r->gpa : 0, end;
	unsigned char there = 1;
	off_t data;

	if (r && r->fd >= 0) {
		data = r->private ? (off_t)(r->off + at) : lseek(r->fd, r->off + at, SEEK_DATA);
		end = data >= 0 ? data - r->off : errno == ENXIO ? r->len : at;
		return end > at ? min(end, r->len) - at : 0;
	}
	if (r && pagemap >= 0 && sysconf(_SC_PAGESIZE) == FILE_PAGE)
		return file_unused(r, at, r->len - at, pagemap);
	/* There is no page of zeroes to share that is as large as those of this backend. */
	if (!r || mem->page <= (u64)sysconf(_SC_PAGESIZE))
		return 0;
	at &= ~(mem->page - 1);
	if (mincore((char *)r->hva + at, sysconf(_SC_PAGESIZE), &there) < 0 || there & 1)
		return 0;
	return min(at + mem->page, r->len) - (gpa - r->gpa);
}
