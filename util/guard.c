// SPDX-License-Identifier: GPL-2.0
/* Mappings with a page on each side that nothing may touch: see kvm/guard.h. */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kvm/guard.h>

size_t guard_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static size_t guard_whole(size_t len)
{
	size_t page = guard_size();

	return (len + page - 1) / page * page + 2 * page;
}

void *guard_map(size_t len, int prot, int flags, int fd)
{
	char *room, *p;
	int err;

	if (!len || len > SIZE_MAX - 4 * guard_size()) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	room = mmap(NULL, guard_whole(len), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return MAP_FAILED;
	p = mmap(room + guard_size(), len, prot, flags | MAP_FIXED, fd, 0);
	if (p == MAP_FAILED) {
		err = errno;
		munmap(room, guard_whole(len));
		errno = err;
	}
	return p;
}

void guard_unmap(void *p, size_t len)
{
	if (p)
		munmap((char *)p - guard_size(), guard_whole(len));
}
