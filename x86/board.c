// SPDX-License-Identifier: GPL-2.0
/*
 * The board: RAM, interrupt controllers and chips of the machine, in the
 * order in which they are soldered on. Addresses are layout.h's. Runs while
 * the machine is built, on the main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/log.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

u64 board_low_end(const struct vm *vm)
{
	return vm->mem.region[0].len;
}

u64 board_ram_end(const struct vm *vm)
{
	const struct mem_region *last = &vm->mem.region[vm->mem.nr - 1];

	return last->gpa + last->len;
}

int arch_memory(struct vm *vm)
{
	struct x86 *x86 = calloc(1, sizeof(*x86));
	u64 mem, low, high, limit;
	int ret;

	if (!x86 || undo_free(&vm->undo, x86))
		return -ENOMEM;
	vm->arch = x86;
	ret = cpuid_init(vm);
	if (ret)
		return ret;

	mem = vm->cfg->mem & ~4095ULL;
	low = min(mem, (u64)LAYOUT_HOLE);
	high = mem - low;
	limit = 1ULL << x86->phys_bits;
	if (mem <= LAYOUT_KERNEL) {
		pr_err("%llu KiB of RAM are too little: a kernel starts at 1 MiB",
		       (unsigned long long)(mem / KIB));
		return -EINVAL;
	}
	if (high > limit - LAYOUT_HIGH) {
		pr_err("%llu MiB of RAM are too much: the CPU addresses %u bits, which leaves %llu MiB",
		       (unsigned long long)(mem / MIB), x86->phys_bits,
		       (unsigned long long)((limit - LAYOUT_HIGH + LAYOUT_HOLE) / MIB));
		return -EINVAL;
	}
	ret = mem_add(&vm->mem, &vm->undo, 0, low);
	if (!ret && high)
		ret = mem_add(&vm->mem, &vm->undo, LAYOUT_HIGH, high);
	if (ret)
		pr_err("cannot map %llu MiB of RAM: %s", (unsigned long long)(mem / MIB),
		       strerror(-ret));
	return ret;
}

/*
 * As firmware leaves the PICs: all inputs masked. Out of reset none is, and a
 * kernel on hardware-reduced ACPI believes that there are no PICs: nobody
 * would mask them, and every interrupt below 16 came twice.
 */
static void board_mask_pics(struct vm *vm)
{
	struct kvm_irqchip chip;
	u32 i;

	for (i = KVM_IRQCHIP_PIC_MASTER; i <= KVM_IRQCHIP_PIC_SLAVE; i++) {
		memset(&chip, 0, sizeof(chip));
		chip.chip_id = i;
		if (ioctl(vm->vm_fd, KVM_GET_IRQCHIP, &chip) < 0)
			continue;
		chip.chip.pic.imr = 0xff;
		if (ioctl(vm->vm_fd, KVM_SET_IRQCHIP, &chip) < 0)
			pr_debug("KVM_SET_IRQCHIP: %s", strerror(errno));
	}
}

/*
 * The full set in the kernel: PIC, I/O APIC, local APICs; no PIT, which no
 * kernel needs that finds kvmclock or a TSC deadline timer. The two addresses
 * are for CPUs that cannot run real mode in a guest; where KVM does not know
 * them it does not need them.
 */
int arch_irqchip(struct vm *vm)
{
	u64 identity = LAYOUT_KVM;
	unsigned int max = min(vm_cap(vm, KVM_CAP_MAX_VCPUS), (int)LAYOUT_CPUS_MAX);

	if (max && vm->cfg->cpus > max) {
		pr_err("%u vCPUs are too many: the machine has at most %u here", vm->cfg->cpus, max);
		return -EINVAL;
	}
	if (arch_vcpu_id(vm, vm->cfg->cpus - 1) >= LAYOUT_CPUS_MAX) {
		pr_err("%u sockets of %u cores of %u threads need APIC IDs up to %u; the machine has them up to %u",
		       vm->cfg->sockets, vm->cfg->cores, vm->cfg->threads,
		       arch_vcpu_id(vm, vm->cfg->cpus - 1), LAYOUT_CPUS_MAX - 1);
		return -EINVAL;
	}
	if (vm_cap(vm, KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0 &&
	    ioctl(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		pr_debug("KVM_SET_IDENTITY_MAP_ADDR: %s", strerror(errno));
	if (vm_cap(vm, KVM_CAP_SET_TSS_ADDR) > 0 &&
	    ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, LAYOUT_KVM_TSS) < 0)
		pr_debug("KVM_SET_TSS_ADDR: %s", strerror(errno));
	if (ioctl(vm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0) {
		int ret = -errno;

		pr_err("KVM cannot make interrupt controllers: %s", strerror(-ret));
		return ret;
	}
	board_mask_pics(vm);
	return 0;
}

static int board_pci(struct vm *vm)
{
	u64 base = max(board_ram_end(vm), (u64)LAYOUT_HIGH);
	u64 limit = 1ULL << vm_x86(vm)->phys_bits;
	struct pci_layout layout = {
		.ecam = LAYOUT_ECAM, .ecam_len = LAYOUT_ECAM_LEN,
		.mem32 = LAYOUT_MEM32, .mem32_len = LAYOUT_MEM32_LEN,
		.mem64 = ALIGN(base, LAYOUT_MEM64_ALIGN),
		.cf8 = true,
		.intx_gsi = { GSI_PCI, GSI_PCI + 1, GSI_PCI + 2, GSI_PCI + 3 },
	};

	if (layout.mem64 < limit)
		layout.mem64_len = min(limit - layout.mem64, (u64)LAYOUT_MEM64_MAX);
	return pci_host_new(vm, &layout);
}

/* Suboptions with @text as the value of the last one: a comma in it is written twice. */
static void board_quote(char *dst, size_t len, const char *head, const char *text)
{
	size_t n = snprintf(dst, len, "%s", head);

	for (; *text && n + 2 < len; text++) {
		if (*text == ',')
			dst[n++] = ',';
		dst[n++] = *text;
	}
	dst[n] = '\0';
}

int arch_board(struct vm *vm)
{
	char opts[8192];	/* a path has at most 4096 bytes, each may double */
	int ret;

	ret = board_pci(vm);
	if (ret)
		return ret;
	if (vm->cfg->console) {
		char head[64];

		snprintf(head, sizeof(head), "base=%#x,irq=%d,tty=", PORT_SERIAL, GSI_SERIAL);
		board_quote(opts, sizeof(opts), head, vm->cfg->console);
		ret = device_add(vm, "serial", opts, NULL);
		if (ret)
			return ret;
	}
	snprintf(opts, sizeof(opts), "base=%#x,irq=%d", PORT_RTC, GSI_RTC);
	ret = device_add(vm, "rtc", opts, NULL);
	if (ret)
		return ret;
	snprintf(opts, sizeof(opts), "base=%#x,irq=%d,aux-irq=%d", PORT_I8042, GSI_KEYBOARD,
		 GSI_MOUSE);
	ret = device_add(vm, "i8042", opts, NULL);
	if (ret)
		return ret;
	snprintf(opts, sizeof(opts), "reset=%#x,sleep-control=%#x,sleep-status=%#x", PORT_RESET,
		 PORT_SLEEP_CONTROL, PORT_SLEEP_STATUS);
	ret = device_add(vm, "pm", opts, NULL);
	if (ret)
		return ret;
	snprintf(opts, sizeof(opts), "base=%#x", PORT_DEBUG_EXIT);
	return device_add(vm, "debug-exit", opts, NULL);
}
