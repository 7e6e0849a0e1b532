// SPDX-License-Identifier: GPL-2.0
/* Are the kernel's KVM headers there, and new enough? */
#include <linux/types.h>
#include <linux/kvm.h>

int main(void)
{
	return KVM_CAP_IMMEDIATE_EXIT + KVM_CAP_SPLIT_IRQCHIP + KVM_GET_API_VERSION == 0;
}
