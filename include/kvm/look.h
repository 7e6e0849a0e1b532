/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A look into a guest that says nothing: hw/debug/look.c. The vCPUs are held for it
 * (HOLD_LOOK) and go on afterwards. Main thread, lock held, and released meanwhile.
 */
#ifndef KVM_LOOK_H
#define KVM_LOOK_H

#include <stdio.h>

#include <kvm/types.h>

struct vm;

#define LOOK_ALL	-1

/*
 * Print the registers of vCPU @vcpu, or of LOOK_ALL, which is not more than 16 of them.
 * 0, -EINVAL: there is no such vCPU, or as vm_pause().
 */
int look_registers(struct vm *vm, int vcpu, FILE *f);
/* A non-maskable interrupt for vCPU @vcpu or LOOK_ALL. 0, -ENOTSUP: KVM has none, or as above. */
int look_nmi(struct vm *vm, int vcpu);

#endif
