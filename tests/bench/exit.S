/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that exits at once: entered by PVH, it writes 0 to the exit port. The row
 * "native" measures what starts and ends it, so it has nothing else to do.
 */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start32

	.text
	.code32
	.globl start32
start32:
	xor	%eax, %eax
	out	%al, $0xf4
	hlt
