/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is known of the Linux kernel in a machine that stands still or has ended. All of it is
 * read from guest memory, so it is the guest's word: bounded, and never trusted.
 */
#ifndef HW_DEBUG_LINUX_VIEW_H
#define HW_DEBUG_LINUX_VIEW_H

#include <kvm/arch.h>
#include <kvm/types.h>

struct vm;

#define VIEW_NOTE_MAX	(64 * 1024)	/* bytes of a vmcoreinfo that are read; Linux has a page */

struct linux_view {
	const struct mem *mem;
	int pagemap;			/* for mem_untouched() */
	bool found;			/* a Linux kernel's page tables */
	struct arch_linux map;
	char *note;			/* its vmcoreinfo as a whole ELF note, or NULL */
	u32 note_len;
	const char *text;		/* the note's text, "KEY=VALUE" lines, with a NUL behind it */
};

/* Find it. 0, or -ENOMEM; nothing found is no error. To be closed in both cases. */
int view_open(struct linux_view *v, struct vm *vm);
void view_close(struct linux_view *v);

/* Read by the kernel's virtual addresses: 0, or -EFAULT. */
int view_read(const struct linux_view *v, u64 addr, void *buf, size_t len);
/* The value of a line of vmcoreinfo, such as "SYMBOL(_stext)", in that base: false if there is none. */
bool view_number(const struct linux_view *v, const char *key, int base, u64 *val);

#endif
