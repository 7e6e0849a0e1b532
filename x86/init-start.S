/* SPDX-License-Identifier: GPL-2.0 */
/* Where the kernel enters the guest's PID 1: no frame above, an aligned stack. */
	.text
	.globl	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	call	init_main
	ud2
	.size	_start, . - _start
	.section .note.GNU-stack, "", @progbits
