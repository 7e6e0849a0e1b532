/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a bare-metal guest starts: by PVH, or by Multiboot if the note is made
 * unknown, in 32-bit protected mode without paging, from there to 64 bits with the first 4 GiB mapped to themselves.
 * Other CPUs come from INIT and SIPI through real mode. Interrupts and
 * exceptions of all vectors end up in guest_interrupt() of guest.h.
 */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start32

#define CODE64	0x08
#define DATA	0x10
#define CODE32	0x18

	.text
	.balign 4			/* Multiboot header */
	.long 0x1badb002, 0, -0x1badb002
	.code32
	.globl start32
start32:
	mov	$boot_stack_end, %esp
	mov	%eax, guest_boot_magic
	mov	%ebx, guest_start_info
	lgdt	gdt_pointer
	call	long_mode
	ljmp	$CODE64, $start64

long_mode:
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	%cr4, %eax
	or	$0x20, %eax		/* PAE */
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx	/* EFER */
	rdmsr
	or	$0x100, %eax		/* LME */
	wrmsr
	mov	%cr0, %eax
	or	$0x80000001, %eax	/* PG, PE */
	mov	%eax, %cr0
	ret

ap32:
	mov	$DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$1, %eax
	lock xadd %eax, ap_count
	inc	%eax
	shl	$12, %eax
	lea	ap_stacks(%eax), %esp
	call	long_mode
	ljmp	$CODE64, $ap64

	.code64
start64:
	call	load_segments
	call	guest_main
	mov	%eax, %edi
	call	guest_exit

ap64:
	call	load_segments
	call	guest_ap_main
1:	cli
	hlt
	jmp	1b

load_segments:
	mov	$DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	ret

/* Copied to a page below 1 MiB, which the SIPI names. */
	.code16
	.globl guest_ap_boot, guest_ap_boot_end
guest_ap_boot:
	cli
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	gdt_pointer_16 - guest_ap_boot
	mov	%cr0, %eax
	or	$1, %eax
	mov	%eax, %cr0
	ljmpl	$CODE32, $ap32
	.balign 4
gdt_pointer_16:
	.word	gdt_end - gdt - 1
	.long	gdt
guest_ap_boot_end:

/* 256 entries of 16 bytes: the vector, and an error code where the CPU gives none. */
	.code64
	.balign 16
	.globl guest_vectors
guest_vectors:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
	push	$0
	.endif
	push	$vector
	jmp	interrupt
	.set	vector, vector + 1
	.endr

interrupt:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbx
	and	$-16, %rsp
	call	guest_interrupt
	mov	%rbx, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

	.data
	.balign 8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* CODE64 */
	.quad	0x00cf93000000ffff	/* DATA */
	.quad	0x00cf9b000000ffff	/* CODE32 */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
ap_count:
	.long	0

/* Guests may add to these: guest_map() in guest.h. */
	.balign 4096
	.globl pml4
pml4:
	.quad	pdpt + 3
	.fill	511, 8, 0
	.globl pdpt
pdpt:
	.quad	page_dir + 3, page_dir + 0x1003, page_dir + 0x2003, page_dir + 0x3003
	.fill	508, 8, 0
page_dir:
	.set	page, 0
	.rept	2048
	.quad	page + 0x83
	.set	page, page + 0x200000
	.endr

	.bss
	.balign 4096
boot_stack:
	.space	16384
boot_stack_end:
	.weak	ap_stacks		/* a test may have more */
ap_stacks:
	.space	16 * 4096

	.section .note.GNU-stack, "", @progbits
