// SPDX-License-Identifier: GPL-2.0
/* Guest memory on its way into a file, straight from where it is: for dumps. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/memory.h>

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

	if (!p)
		return len ? -EFAULT : 0;
	while (len) {
		ssize_t n = pwrite(fd, p, len, off);

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

bool mem_is_zero(const struct mem *mem, gpa_t gpa, size_t len)
{
	const char *p = file_at(mem, gpa, len);

	return p && !*p && !memcmp(p, p + 1, len - 1);
}

u64 mem_untouched(const struct mem *mem, gpa_t gpa)
{
	const struct mem_region *r = mem_region(mem, gpa);
	u64 at = r ? gpa - r->gpa : 0, end;
	unsigned char there = 1;
	off_t data;

	if (r && r->fd >= 0 && !r->private) {
		data = lseek(r->fd, r->off + at, SEEK_DATA);
		end = data >= 0 ? data - r->off : errno == ENXIO ? r->len : at;
		return end > at ? min(end, r->len) - at : 0;
	}
	/* There is no page of zeroes to share that is as large as those of this backend. */
	if (!r || mem->page <= (u64)sysconf(_SC_PAGESIZE))
		return 0;
	at &= ~(mem->page - 1);
	if (mincore((char *)r->hva + at, sysconf(_SC_PAGESIZE), &there) < 0 || there & 1)
		return 0;
	return min(at + mem->page, r->len) - (gpa - r->gpa);
}
