// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's capabilities (Documentation/virt/kvm/api.rst, KVM_CHECK_EXTENSION): see
 * kvm/feature.h. A capability of a machine can differ from that of /dev/kvm, so
 * the machine's descriptor is asked. Main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/feature.h>
#include <kvm/log.h>
#include <kvm/vm.h>

const struct feature features[] = {
	FEATURE(KVM_CAP_USER_MEMORY, "the guest's memory", NULL),
	FEATURE(KVM_CAP_IMMEDIATE_EXIT, "interrupts KVM_RUN at once", NULL),
	FEATURE(KVM_CAP_IRQ_ROUTING, "message-signalled interrupts", NULL),
	FEATURE(KVM_CAP_IRQFD, "interrupts from the devices' threads", NULL),
	FEATURE(KVM_CAP_IOEVENTFD, "doorbells without an exit to lkvm",
		"each kick of a virtio queue is an exit to lkvm"),
	FEATURE(KVM_CAP_IOEVENTFD_ANY_LENGTH, "doorbells of any width",
		"each kick of a virtio queue is an exit to lkvm"),
	FEATURE(KVM_CAP_COALESCED_MMIO, "collected writes of registers in memory",
		"each write to a console is an exit to lkvm"),
	FEATURE(KVM_CAP_COALESCED_PIO, "the same for I/O ports",
		"each write to a serial port is an exit to lkvm"),
	FEATURE(KVM_CAP_READONLY_MEM, "memory that the guest cannot write",
		"there can be no ROM: none is needed yet"),
	FEATURE(KVM_CAP_MAX_VCPUS, "how many vCPUs a machine may have",
		"lkvm tries, and KVM may refuse"),
	FEATURE(KVM_CAP_USER_NMI, "NMIs from lkvm", "lkvm debug --nmi is refused"),
	FEATURE(KVM_CAP_BINARY_STATS_FD, "KVM's counters", "lkvm stat is refused"),
	{ .name = NULL }
};

static int feature_value(int vm_fd, const struct feature *f)
{
	return max(ioctl(vm_fd, KVM_CHECK_EXTENSION, f->cap), 0);
}

static int feature_check_table(int vm_fd, const struct feature *f)
{
	for (; f->name; f++) {
		/* Optional capabilities are only asked for if their lack would be reported. */
		if ((f->without && !log_enabled(LOG_INFO)) || feature_value(vm_fd, f))
			continue;
		if (!f->without) {
			pr_err("the host's KVM has no %s (%s): its kernel is too old for lkvm", f->name,
			       f->use);
			return -ENODEV;
		}
		pr_info("the host's KVM has no %s: %s", f->name, f->without);
	}
	return 0;
}

int feature_check(struct vm *vm)
{
	int ret = feature_check_table(vm->vm_fd, features);

	return ret ? ret : feature_check_table(vm->vm_fd, arch_features);
}

static void feature_print_table(int vm_fd, const struct feature *f, FILE *to)
{
	for (; f->name; f++) {
		int value = feature_value(vm_fd, f);

		fprintf(to, "%-32s %5d  %s\n", f->name, value, f->use);
		if (!value)
			fprintf(to, "%40s%s\n", "",
				f->without ? f->without : "lkvm cannot run without it");
	}
}

/* A machine to ask, or -errno. */
static int feature_vm(const char *path)
{
	int kvm_fd = open(path, O_RDWR | O_CLOEXEC), vm_fd = -1, ret;

	if (kvm_fd >= 0)
		vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, arch_vm_type(kvm_fd));
	ret = vm_fd < 0 ? -errno : vm_fd;
	if (kvm_fd >= 0)
		close(kvm_fd);
	return ret;
}

const struct feature *feature_lacking(const char *path)
{
	const struct feature *const tables[] = { features, arch_features };
	const struct feature *f = NULL, *lacking = NULL;
	int vm_fd = feature_vm(path);

	if (vm_fd < 0)
		return NULL;
	for (unsigned int i = 0; !lacking && i < ARRAY_SIZE(tables); i++)
		for (f = tables[i]; !lacking && f->name; f++)
			if (!f->without && !feature_value(vm_fd, f))
				lacking = f;
	close(vm_fd);
	return lacking;
}

int feature_print(const char *path, FILE *f)
{
	int vm_fd = feature_vm(path);

	if (vm_fd < 0) {
		pr_err("%s: %s", path, strerror(-vm_fd));
		return vm_fd;
	}
	feature_print_table(vm_fd, features, f);
	feature_print_table(vm_fd, arch_features, f);
	close(vm_fd);
	return 0;
}
