/* SPDX-License-Identifier: GPL-2.0 */
/* The guest kernel's release, as reported through the firmware configuration device. */
#ifndef KVM_FW_CFG_H
#define KVM_FW_CFG_H

#include <kvm/types.h>

struct vm;

#define FW_CFG_RELEASE_MAX	72

/*
 * The release of the guest's kernel ("6.1.0-18-amd64"), if its driver has reported the
 * address of a vmcoreinfo that contains it; else "". Printable characters only. Lock
 * held, or no vCPU runs.
 */
void fw_cfg_release(const struct vm *vm, char release[FW_CFG_RELEASE_MAX]);

/* Where its driver says that the kernel's vmcoreinfo is, an ELF note: false if it has not said. The same. */
bool fw_cfg_vmcoreinfo(const struct vm *vm, gpa_t *gpa, u32 *len);

#endif
