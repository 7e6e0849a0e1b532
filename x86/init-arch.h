/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The system call instruction for the guest's PID 1 (builtin/init/), which has
 * no libc. x86-64: number in rax, arguments in rdi rsi rdx r10 r8 r9; rcx and
 * r11 are lost; the result is a value or a negative errno.
 */
#ifndef X86_INIT_ARCH_H
#define X86_INIT_ARCH_H

static inline long sys_call(long nr, long a, long b, long c, long d, long e,
			    long f)
{
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register long r9 asm("r9") = f;
	long ret;

	asm volatile("syscall" : "=a"(ret)
		     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return ret;
}

/* fork(): clone() with no flags but the signal for the parent. */
#define sys_fork()	sys_call(__NR_clone, SIGCHLD, 0, 0, 0, 0, 0)

#endif
