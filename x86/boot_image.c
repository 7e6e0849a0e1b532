// SPDX-License-Identifier: GPL-2.0
/*
 * The file of a kernel: its bytes, and the messages about it. See boot.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <kvm/log.h>
#include <kvm/memory.h>
#include <kvm/vm.h>

#include "boot.h"
#include "layout.h"
#include "x86.h"

int image_refuse(const struct image *img, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_prefixed(LOG_ERROR, img->path, 0, fmt, ap);
	va_end(ap);
	return -ENOEXEC;
}

int image_read(const struct image *img, void *dst, size_t len, u64 off)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(img->fd, (char *)dst + done, len - done, off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int ret = n ? -errno : -EIO;

			pr_err("%s: read: %s", img->path, n ? strerror(-ret) : "the file ends early");
			return ret;
		}
		done += n;
	}
	return 0;
}

int image_load(struct vm *vm, const struct image *img, u64 gpa, u64 len, u64 off)
{
	int ret = mem_read_file(&vm->mem, gpa, img->fd, len, off);

	return ret ? image_refuse(img, "read: %s", strerror(-ret)) : 0;
}

int image_too_big(const struct vm *vm, const struct image *img, u64 end)
{
	unsigned long long need = DIV_ROUND_UP(end, MIB), have = board_low_end(vm) / MIB;

	if (need > LAYOUT_HOLE / MIB)
		return image_refuse(img, "the kernel reaches %llu MiB, beyond the %llu MiB below the PCI hole",
				    need, (unsigned long long)(LAYOUT_HOLE / MIB));
	return image_refuse(img, "the kernel needs at least %llu MiB of RAM, the guest has %llu (see --mem)",
			    need, have);
}
