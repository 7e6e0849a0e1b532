/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files that lkvm carries: the guest's PID 1 as an ELF program, and the
 * kernel configuration fragment. The Makefile gives their paths. Data only, so
 * this is for every architecture.
 */
	.section .rodata
	.balign	16
	.globl	guest_init, guest_init_end
guest_init:
	.incbin	INIT_PATH
guest_init_end:
	.globl	guest_kconfig, guest_kconfig_end
guest_kconfig:
	.incbin	KCONFIG_PATH
guest_kconfig_end:
	.byte	0
	.section .note.GNU-stack, "", %progbits
