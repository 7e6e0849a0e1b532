// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's machine: opening it, and calls to it (Documentation/virt/kvm/api.rst). Its
 * memory is in hw/slots.c, the writes that it collects are in hw/coalesce.c. Machine
 * lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <kvm/arch.h>
#include <kvm/keep.h>
#include <kvm/kvm.h>
#include <kvm/log.h>
#include <kvm/vm.h>

int vm_cap(const struct vm *vm, unsigned int cap)
{
	int ret = ioctl(vm->vm_fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : ret;
}

int kvm_open(struct vm *vm)
{
	const char *path = vm->cfg->kvm_path;
	int version, ret;

	ret = vm->kvm_fd = keep_open(vm->cfg->keep, path, O_RDWR);
	if (vm->kvm_fd < 0) {
		if (ret == -ENOENT)
			pr_err("there is no %s: load the kvm-intel or kvm-amd module, or enable virtualization in the firmware",
			       path);
		else if (ret == -EACCES || ret == -EPERM)
			pr_err("%s: no permission: become a member of its group (often \"kvm\")",
			       path);
		else
			pr_err("%s: %s", path, strerror(-ret));
		return ret;
	}
	ret = undo_close(&vm->undo, vm->kvm_fd);
	if (ret)
		return ret;
	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		if (version < 0)
			pr_err("%s is not KVM: %s", path, strerror(errno));
		else
			pr_err("%s speaks version %d of the KVM interface; lkvm needs %d", path,
			       version, KVM_API_VERSION);
		return -ENODEV;
	}
	do
		vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, arch_vm_type(vm->kvm_fd));
	while (vm->vm_fd < 0 && errno == EINTR);
	if (vm->vm_fd < 0) {
		ret = -errno;
		pr_err("KVM cannot create a machine: %s", strerror(-ret));
		return ret;
	}
	return undo_close(&vm->undo, vm->vm_fd);
}

int vm_ioeventfd(struct vm *vm, bool pio, u64 addr, unsigned int len, int fd, bool add)
{
	struct kvm_ioeventfd io = {
		.addr = addr, .len = len, .fd = fd,
		.flags = (pio ? KVM_IOEVENTFD_FLAG_PIO : 0) |
			 (add ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	if (vm->vm_fd < 0)
		return -ENOTSUP;
	return ioctl(vm->vm_fd, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}
