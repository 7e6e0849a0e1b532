// SPDX-License-Identifier: GPL-2.0
/*
 * Unpacking the vmlinux inside of a bzImage. The kernel would do it in the guest, on one
 * vCPU, with a page fault for each page, at every boot; lkvm does it in plain memory.
 * Only LZ4, which takes some tens of milliseconds; other formats are left to the kernel.
 * Main thread.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/file.h>
#include <kvm/kernel.h>
#include <kvm/lz4.h>
#include <kvm/types.h>

#define UNPACKED_MAX	(512 * MIB)

static u32 unpack_u32(const u8 *p)
{
	u32 val;

	memcpy(&val, p, sizeof(val));
	return le32toh(val);
}

/* Into a file without a name; its descriptor, or -errno. */
static int unpack_lz4(const u8 *payload, size_t len)
{
	/* The build puts the unpacked size behind the frame. */
	u32 size = unpack_u32(payload + len - 4);
	int fd, ret = 0;
	void *p;

	if (!size || size > UNPACKED_MAX)
		return -EINVAL;
	fd = memfd_create("vmlinux", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	p = ftruncate(fd, size) < 0 ? MAP_FAILED :
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED) {
		ret = -errno;
	} else {
		if (lz4_unpack(payload, len - 4, p, size) != (long)size)
			ret = -EINVAL;
		munmap(p, size);
	}
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

int kernel_unpack(const char *image)
{
	struct file_map map;
	const u8 *payload;
	int ret = -ENOENT;
	u64 len;

	if (file_map(&map, image))
		return -ENOENT;
	payload = arch_image_payload(map.data, map.len, &len);
	if (payload && len >= 8 && unpack_u32(payload) == LZ4_LEGACY_MAGIC)
		ret = unpack_lz4(payload, len);
	file_unmap(&map);
	return ret;
}
