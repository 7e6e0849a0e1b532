/* SPDX-License-Identifier: GPL-2.0 */
/* The header of a Multiboot kernel: multiboot.c. */
#ifndef X86_MULTIBOOT_H
#define X86_MULTIBOOT_H

#include <kvm/types.h>

struct image;

/* 3.1.2: flags of the header; of the lower 16 what is not known is a refusal */
#define HEADER_PAGE_ALIGN	(1u << 0)
#define HEADER_MEMORY		(1u << 1)
#define HEADER_VIDEO		(1u << 2)
#define HEADER_REQUIRED		0xffffu
#define HEADER_ADDRESSES	(1u << 16)

struct multiboot_header {
	u32 magic, flags, checksum;
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

/* Find the header of @img, which is at *@off. False: there is none. */
bool multiboot_find(const struct image *img, struct multiboot_header *hdr, size_t *off);

#endif
