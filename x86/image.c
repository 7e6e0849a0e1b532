// SPDX-License-Identifier: GPL-2.0
/*
 * The header of a bzImage (Linux, Documentation/arch/x86/boot.rst, "The Real-Mode
 * Kernel Header"), for the loaders and for code that only inspects kernels.
 */
#include <stddef.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/arch.h>

#include "image.h"

#define IMAGE_HEADER	offsetof(struct boot_params, hdr)
#define IMAGE_SECTOR	512
#define IMAGE_BOOT_FLAG	0xaa55
#define IMAGE_MAGIC	0x53726448	/* "HdrS" */
#define IMAGE_PAYLOAD	0x208		/* from this version on the payload is told */

const char *const arch_image_path = "arch/x86/boot/bzImage";
const char *const arch_image_name = "bzImage";

/* The header ends where the jump in its front goes to ("Details of Header Fields"). */
bool image_header(const void *image, u64 len, struct setup_header *hdr)
{
	const u8 *p = image;
	u64 end;

	memset(hdr, 0, sizeof(*hdr));
	if (len < 0x202)
		return false;
	end = min(0x202ULL + p[0x201], (unsigned long long)len);
	memcpy(hdr, p + IMAGE_HEADER, min((size_t)(end - IMAGE_HEADER), sizeof(*hdr)));
	return hdr->boot_flag == IMAGE_BOOT_FLAG && hdr->header == IMAGE_MAGIC;
}

u64 image_setup_len(const struct setup_header *hdr)
{
	/* "For backwards compatibility, if the setup_sects field contains 0, the real value is 4." */
	return ((hdr->setup_sects ? hdr->setup_sects : 4) + 1) * IMAGE_SECTOR;
}

bool arch_image_is(const void *image, u64 len)
{
	struct setup_header hdr;

	return image_header(image, len, &hdr);
}

const char *arch_image_release(const void *image, u64 len)
{
	struct setup_header hdr;

	if (!image_header(image, len, &hdr) || !hdr.kernel_version || 0x200ULL + hdr.kernel_version >= len)
		return NULL;
	return (const char *)image + 0x200 + hdr.kernel_version;
}

const void *arch_image_payload(const void *image, u64 len, u64 *payload_len)
{
	struct setup_header hdr;
	u64 start;

	if (!image_header(image, len, &hdr) || hdr.version < IMAGE_PAYLOAD)
		return NULL;
	start = image_setup_len(&hdr) + hdr.payload_offset;
	*payload_len = hdr.payload_length;
	if (start > len || *payload_len > len - start)
		return NULL;
	return (const char *)image + start;
}
