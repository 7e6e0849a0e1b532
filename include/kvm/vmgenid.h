/* SPDX-License-Identifier: GPL-2.0 */
/* The machine's generation ID. */
#ifndef KVM_VMGENID_H
#define KVM_VMGENID_H

struct vm;

/* Make a new one, and tell the guest. 0, -ENOTSUP: there is none, or -errno. Lock held. */
int vmgenid_renew(struct vm *vm);

#endif
