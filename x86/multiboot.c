// SPDX-License-Identifier: GPL-2.0
/* The header of a Multiboot kernel (Multiboot 0.6.96, 3.1). The file is not trusted. */
#include <string.h>

#include <linux/kernel.h>

#include "boot.h"
#include "multiboot.h"

#define MULTIBOOT_SEARCH	8192		/* bytes, 3.1.1 */
#define MULTIBOOT_HEADER_MAGIC	0x1badb002

/* 3.1: 32-bit aligned, all of it within the first 8192 bytes. */
bool multiboot_find(const struct image *img, struct multiboot_header *hdr, size_t *off)
{
	size_t end = min(img->head_len, (size_t)MULTIBOOT_SEARCH), pos;

	for (pos = 0; pos + 12 <= end; pos += 4) {
		memset(hdr, 0, sizeof(*hdr));
		memcpy(hdr, img->head + pos, 12);
		if (hdr->magic != MULTIBOOT_HEADER_MAGIC ||
		    hdr->magic + hdr->flags + hdr->checksum != 0)
			continue;
		if (hdr->flags & HEADER_ADDRESSES) {
			if (pos + sizeof(*hdr) > end)
				continue;
			memcpy(hdr, img->head + pos, sizeof(*hdr));
		}
		*off = pos;
		return true;
	}
	return false;
}

bool image_is_multiboot(const struct image *img)
{
	struct multiboot_header hdr;
	size_t off;

	return multiboot_find(img, &hdr, &off);
}
