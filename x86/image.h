/* SPDX-License-Identifier: GPL-2.0 */
/* The header of a bzImage. The file is not trusted. */
#ifndef X86_IMAGE_H
#define X86_IMAGE_H

#include <asm/bootparam.h>

#include <kvm/types.h>

/* Is the file of which @len bytes are at @image a bzImage? Its header, with zeroes where it ends. */
bool image_header(const void *image, u64 len, struct setup_header *hdr);
/* Bytes before the protected-mode kernel. */
u64 image_setup_len(const struct setup_header *hdr);

#endif
