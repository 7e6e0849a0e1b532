/* SPDX-License-Identifier: GPL-2.0 */
/* What the guest's kernel has told of itself by the firmware configuration device. */
#ifndef KVM_FW_CFG_H
#define KVM_FW_CFG_H

#include <kvm/types.h>

struct vm;

#define FW_CFG_RELEASE_MAX	72

/*
 * The release of the guest's kernel ("6.1.0-18-amd64"), if it has a driver that
 * says where its vmcoreinfo is, and if that says it; else "". Printable characters
 * only. Lock held, or no vCPU runs.
 */
void fw_cfg_release(const struct vm *vm, char release[FW_CFG_RELEASE_MAX]);

#endif
