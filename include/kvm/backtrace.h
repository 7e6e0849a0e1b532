/* SPDX-License-Identifier: GPL-2.0 */
/* What a Linux guest does at the moment: hw/debug/backtrace.c. */
#ifndef KVM_BACKTRACE_H
#define KVM_BACKTRACE_H

#include <stdio.h>

struct vm;

/*
 * Print the task and the functions of vCPU @vcpu, or of the first 16 (LOOK_ALL), with names;
 * of all vCPUs also what PID 1 and other programs wait for. The vCPUs are held meanwhile, or have ended.
 * Main thread, lock held, and released meanwhile. 0; -ENOENT: the guest is no Linux kernel
 * that is found; -ENOMEM; -EINVAL: there is no such vCPU; or as vm_pause().
 */
int backtrace_print(struct vm *vm, int vcpu, FILE *f);

#endif
