/* SPDX-License-Identifier: GPL-2.0 */
/* For hw/vcpu.c: exits after which a vCPU cannot go on, hw/vcpu_fail.c. Machine lock. */
#ifndef HW_VCPU_H
#define HW_VCPU_H

#include <kvm/types.h>

struct vcpu;

/* A triple fault. */
void vcpu_exit_shutdown(struct vcpu *vcpu);
/* The processor refuses to enter the guest. */
void vcpu_exit_fail_entry(struct vcpu *vcpu);
/* KVM has met an error of its own. The debugger may know a breakpoint in it: then the guest goes on. */
void vcpu_exit_internal_error(struct vcpu *vcpu);
/* An exit that lkvm does not know: print everything that KVM reports about it. */
void vcpu_exit_unknown(struct vcpu *vcpu);
/* KVM cannot run this vCPU any more because of @what, with the number @detail. */
void vcpu_fail(struct vcpu *vcpu, const char *what, u64 detail);

#endif
