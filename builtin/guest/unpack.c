// SPDX-License-Identifier: GPL-2.0
/*
 * The vmlinux inside of a bzImage (Linux, Documentation/x86/boot.rst, fields
 * payload_offset and payload_length). A kernel that unpacks itself does it in
 * the guest, on one vCPU, faulting its memory in page by page, and again at
 * every boot; here it is done with plain memory. Only LZ4, which takes some
 * tens of milliseconds; other formats are left to the kernel. Main thread.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/kernel.h>
#include <kvm/lz4.h>
#include <kvm/types.h>

#define SETUP_SECTS	0x1f1
#define SETUP_MAGIC	0x202		/* "HdrS", then the version */
#define SETUP_VERSION	0x206
#define SETUP_PAYLOAD	0x248		/* offset and length */
#define SETUP_END	0x250
#define PAYLOAD_VERSION	0x208
#define UNPACKED_MAX	(512 * MIB)

static u32 unpack_u32(const u8 *p)
{
	u32 val;

	memcpy(&val, p, sizeof(val));
	return le32toh(val);
}

/* The payload of the bzImage of @len bytes at @image; NULL: it is none. */
static const u8 *unpack_payload(const u8 *image, size_t len, size_t *payload_len)
{
	u64 start, sects;

	if (len < SETUP_END || memcmp(image + SETUP_MAGIC, "HdrS", 4) ||
	    (image[SETUP_VERSION] | image[SETUP_VERSION + 1] << 8) < PAYLOAD_VERSION)
		return NULL;
	sects = image[SETUP_SECTS] ? image[SETUP_SECTS] : 4;
	start = (sects + 1) * 512 + unpack_u32(image + SETUP_PAYLOAD);
	*payload_len = unpack_u32(image + SETUP_PAYLOAD + 4);
	if (start > len || *payload_len > len - start || *payload_len < 8)
		return NULL;
	return image + start;
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
	int fd = open(image, O_RDONLY | O_NONBLOCK | O_CLOEXEC), ret = -ENOENT;
	const u8 *p, *payload;
	struct stat st;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size) {
		if (fd >= 0)
			close(fd);
		return -ENOENT;
	}
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return -ENOENT;
	payload = unpack_payload(p, st.st_size, &len);
	if (payload && unpack_u32(payload) == LZ4_LEGACY_MAGIC)
		ret = unpack_lz4(payload, len);
	munmap((void *)p, st.st_size);
	return ret;
}
