// SPDX-License-Identifier: GPL-2.0
/* Registers and NMIs of a guest that does not respond: see kvm/look.h. */
#include <errno.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <kvm/arch.h>
#include <kvm/kvm.h>
#include <kvm/life.h>
#include <kvm/look.h>
#include <kvm/vcpu.h>
#include <kvm/vm.h>

#define LOOK_VCPUS_MAX	16	/* of LOOK_ALL: two screens of each are enough */

/* Call @fn for the vCPUs that are meant, while all of them stand still. */
static int look_each(struct vm *vm, int vcpu, unsigned int max, int (*fn)(struct vcpu *vcpu, FILE *f), FILE *f)
{
	unsigned int i = vcpu == LOOK_ALL ? 0 : vcpu, end = vcpu == LOOK_ALL ? vm->nr_vcpus : i + 1;
	int ret;

	if (i >= vm->nr_vcpus)
		return -EINVAL;
	ret = vm_pause(vm, HOLD_LOOK);
	if (ret)
		return ret;
	for (; !ret && i < end && (!max || i < max || vcpu != LOOK_ALL); i++)
		ret = fn(vm->vcpu[i], f);
	vm_release(vm, HOLD_LOOK);
	if (f && i < end)
		fprintf(f, "(and %u more vCPUs)\n", end - i);
	return ret;
}

static int look_dump(struct vcpu *vcpu, FILE *f)
{
	arch_vcpu_dump(vcpu, f);
	return 0;
}

int look_registers(struct vm *vm, int vcpu, FILE *f)
{
	return look_each(vm, vcpu, LOOK_VCPUS_MAX, look_dump, f);
}

/* Documentation/virt/kvm/api.rst, KVM_NMI: it waits for the vCPU to leave the guest. */
static int look_send(struct vcpu *vcpu, FILE *f)
{
	return ioctl(vcpu->fd, KVM_NMI) < 0 ? -errno : 0;
}

int look_nmi(struct vm *vm, int vcpu)
{
	return vm_cap(vm, KVM_CAP_USER_NMI) ? look_each(vm, vcpu, 0, look_send, NULL) : -ENOTSUP;
}
