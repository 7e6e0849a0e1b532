// SPDX-License-Identifier: GPL-2.0
/*
 * The board: RAM, interrupt controllers and chips of the machine, in the order of
 * their creation. layout.h has the addresses. Runs while the machine is built, on the
 * main thread.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/kvm.h>
#include <kvm/log.h>
#include <kvm/opt.h>
#include <kvm/pci.h>
#include <kvm/transport.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

#define PIC_ALL_BUT(n)	(0xff & ~(1 << (n)))
#define PIC_LEVEL(n)	(1 << ((n) & 7))

u64 board_low_end(const struct vm *vm)
{
	return mem_table(&vm->mem)->region[0].len;
}

u64 board_ram_end(const struct vm *vm)
{
	const struct mem_table *t = mem_table(&vm->mem);
	u64 end = 0;
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (t->region[i].use == MEM_RAM)
			end = t->region[i].gpa + t->region[i].len;
	return end;
}

unsigned int board_node_ram(const struct vm *vm, unsigned int node, struct board_ram ram[2])
{
	const struct numa *numa = vm->cfg->numa;
	u64 from = 0, to, low = board_low_end(vm);
	unsigned int i, n = 0;

	for (i = 0; i < node; i++)
		from += numa->node[i].mem;
	to = from + numa->node[node].mem;
	if (from < min(to, low))
		ram[n++] = (struct board_ram) { from, min(to, low) - from };
	if (to > low && to > from)
		ram[n++] = (struct board_ram) { max(from, low) - low + LAYOUT_HIGH, to - max(from, low) };
	return n;
}

/* The memory of each node comes from where on the host it is wanted from. */
static int board_bind(struct vm *vm)
{
	const struct numa *numa = vm->cfg->numa;
	unsigned int i, j, n;
	struct board_ram ram[2];
	int ret = 0;

	for (i = 0; numa && i < numa->nr; i++) {
		n = numa->node[i].host < 0 ? 0 : board_node_ram(vm, i, ram);
		for (j = 0; !ret && j < n; j++)
			ret = mem_bind(&vm->mem, ram[j].gpa, ram[j].len, numa->node[i].host);
	}
	return ret;
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
	ret = undo_nest(&vm->undo, &vm->ram);
	if (ret || vm->begin == BEGIN_WAKE)
		return ret;
	ret = mem_open(&vm->mem, &vm->ram, &vm->cfg->ram, low + high);
	if (ret)
		return ret;
	ret = mem_add(&vm->mem, &vm->ram, 0, low);
	if (!ret && high)
		ret = mem_add(&vm->mem, &vm->ram, LAYOUT_HIGH, high);
	if (ret) {
		pr_err("cannot map %llu MiB of RAM: %s", (unsigned long long)(mem / MIB),
		       strerror(-ret));
		return -ENOSPC;
	}
	ret = board_bind(vm);
	return ret ? ret : mem_commit(&vm->mem);
}

/*
 * The PICs as a PC's firmware leaves them: at the vectors of real mode, and masked. A
 * reset leaves their inputs unmasked. A kernel on hardware-reduced ACPI assumes that
 * there are no PICs and would not mask them, so every interrupt below 16 would come
 * twice. Input 11, which firmware gives to PCI, stays open: it is no device's here, and
 * programs that raise it by pc-testdev expect to get it. The inputs of PCI and of the SCI
 * are level-triggered, as programs without ACPI expect.
 */
static void board_set_up_pics(struct vm *vm)
{
	struct kvm_irqchip chip;
	u32 i;

	for (i = KVM_IRQCHIP_PIC_MASTER; i <= KVM_IRQCHIP_PIC_SLAVE; i++) {
		memset(&chip, 0, sizeof(chip));
		chip.chip_id = i;
		if (ioctl(vm->vm_fd, KVM_GET_IRQCHIP, &chip) < 0)
			continue;
		chip.chip.pic.irq_base = i == KVM_IRQCHIP_PIC_MASTER ? 0x08 : 0x70;
		chip.chip.pic.imr = i == KVM_IRQCHIP_PIC_MASTER ? PIC_ALL_BUT(GSI_CASCADE) :
				    PIC_ALL_BUT(GSI_NOBODY - 8);
		if (i == KVM_IRQCHIP_PIC_SLAVE && vm_x86(vm)->pc)
			chip.chip.pic.elcr = PIC_LEVEL(GSI_SCI) | PIC_LEVEL(GSI_PC_PCI_AC) |
					     PIC_LEVEL(GSI_PC_PCI_BD) | PIC_LEVEL(GSI_PC_EVENTS);
		if (ioctl(vm->vm_fd, KVM_SET_IRQCHIP, &chip) < 0)
			pr_debug("KVM_SET_IRQCHIP: %s", strerror(errno));
	}
}

unsigned long arch_vm_type(int kvm_fd)
{
	return 0;
}

int arch_vcpus_created(struct vm *vm)
{
	return 0;
}

/* How many vCPUs, and APIC IDs, there can be. 0, or -EINVAL with the message printed. */
static int board_limits(const struct vm *vm)
{
	const struct vm_config *cfg = vm->cfg;
	unsigned int cpus = vm_cap(vm, KVM_CAP_MAX_VCPUS), ids = vm_cap(vm, KVM_CAP_MAX_VCPU_ID);
	u32 last = arch_vcpu_id(vm, cfg->cpus - 1);

	if (!vm_cap(vm, KVM_CAP_X2APIC_API) || !vm_cap(vm, KVM_CAP_SPLIT_IRQCHIP))
		ids = LAYOUT_XAPIC_IDS;
	if (cpus && cfg->cpus > cpus) {
		pr_err("%u vCPUs are too many: KVM has at most %u here", cfg->cpus, cpus);
		return -EINVAL;
	}
	if (ids && last >= ids) {
		pr_err("%u sockets of %u cores of %u threads need APIC IDs up to %u; KVM has them up to %u here",
		       cfg->sockets, cfg->cores, cfg->threads, last, ids - 1);
		return -EINVAL;
	}
	return 0;
}

static int board_irqchip_kernel(struct vm *vm)
{
	if (ioctl(vm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0) {
		int ret = -errno;

		pr_err("KVM cannot make interrupt controllers: %s", strerror(-ret));
		return ret;
	}
	board_set_up_pics(vm);
	return 0;
}

static int board_cap(const struct vm *vm, u32 cap, u64 arg)
{
	struct kvm_enable_cap enable = { .cap = cap, .args = { arg } };

	return ioctl(vm->vm_fd, KVM_ENABLE_CAP, &enable) < 0 ? -errno : 0;
}

static int board_irqchip_split(struct vm *vm)
{
	int ret = board_cap(vm, KVM_CAP_SPLIT_IRQCHIP, IRQ_WIRES);

	if (ret) {
		pr_err("KVM cannot leave the I/O APIC to lkvm: %s", strerror(-ret));
		return ret;
	}
	if (vm_x86(vm)->extended)
		ret = board_cap(vm, KVM_CAP_X2APIC_API, KVM_X2APIC_API_USE_32BIT_IDS |
				KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
	if (ret)
		pr_err("KVM cannot make interrupt controllers for so many vCPUs: %s", strerror(-ret));
	return ret;
}

/* Parameters by which Linux does without the I/O APIC: interrupts come by the PICs. */
static const char *const board_pic_words[] = {
	"noapic", "nolapic", "disableapic", "nosmp", "maxcpus=0", NULL
};

/* Without ACPI the guest has no driver for events. */
static const char *const board_no_acpi_words[] = { "acpi=off", "acpi=ht", NULL };

/* Without ACPI, or without the local APIC's timer and KVM's clock, a kernel looks for what a PC has. */
static const char *const board_pc_words[] = {
	"acpi=off", "acpi=ht", "acpi=noirq", "pci=noacpi", "no-kvmclock", "nopv", "nolapic_timer",
	"noapictimer", "clocksource=acpi_pm", NULL
};

/* Without messages a kernel wants inputs of an I/O APIC. */
static const char *const board_wire_words[] = { "pci=nomsi", NULL };

/*
 * Only the local APICs are always in KVM. KVM's two PICs and I/O APIC are for guests that
 * expect a PC. They cost a kernel the setup of 24 pins, and a machine that lives only a
 * moment waits for a grace period at its end.
 */
static int board_irqchip(struct vm *vm)
{
	const char *pic = cmdline_word(vm, board_pic_words), *pc = cmdline_word(vm, board_pc_words);
	enum irqchip irqchip = vm->cfg->irqchip;
	struct x86 *x86 = vm_x86(vm);

	x86->pc = vm->cfg->pc || pic || pc;
	if (irqchip == IRQCHIP_COMPACT && (x86->pc || cmdline_word(vm, board_wire_words) ||
					   vm_cap(vm, KVM_CAP_SPLIT_IRQCHIP) <= 0))
		irqchip = IRQCHIP_KERNEL;
	/* KVM's own knows APIC IDs of 8 bits. */
	if (irqchip == IRQCHIP_KERNEL && x86->extended)
		irqchip = IRQCHIP_SPLIT;
	if (pic && irqchip != IRQCHIP_KERNEL) {
		pr_err("kernel parameter %s: without an I/O APIC Linux needs PICs, which there are none of %s",
		       pic, x86->extended ? "for so many vCPUs" : "with --irqchip split");
		return -EINVAL;
	}
	x86->irqchip = irqchip;
	return irqchip == IRQCHIP_KERNEL ? board_irqchip_kernel(vm) : board_irqchip_split(vm);
}

/*
 * The two addresses are for CPUs that cannot run real mode in a guest. A KVM without
 * these capabilities does not need the pages.
 */
int arch_irqchip(struct vm *vm)
{
	u64 identity = LAYOUT_KVM;
	int ret = board_limits(vm);

	if (ret)
		return ret;
	if (vm_cap(vm, KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0 &&
	    ioctl(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		pr_debug("KVM_SET_IDENTITY_MAP_ADDR: %s", strerror(errno));
	if (vm_cap(vm, KVM_CAP_SET_TSS_ADDR) > 0 &&
	    ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, LAYOUT_KVM_TSS) < 0)
		pr_debug("KVM_SET_TSS_ADDR: %s", strerror(errno));
	return board_irqchip(vm);
}

static void board_show_range(u64 base, u64 len, const char *what)
{
	pr_info("0x%010llx..0x%010llx %s", (unsigned long long)base,
		(unsigned long long)(base + len - 1), what);
}

/* The address map, for -v. */
static void board_show(const struct vm *vm, const struct pci_layout *pci)
{
	const struct mem_table *ram_table = mem_table(&vm->mem);
	const struct numa *numa = vm->cfg->numa;
	struct board_ram ram[2];
	unsigned int i, j, n;
	char what[32];

	if (!log_enabled(LOG_INFO))
		return;
	for (i = 0; i < ram_table->nr; i++)
		board_show_range(ram_table->region[i].gpa, ram_table->region[i].len, "RAM");
	for (i = 0; numa && i < numa->nr; i++) {
		n = board_node_ram(vm, i, ram);
		for (j = 0; j < n; j++) {
			snprintf(what, sizeof(what), "RAM of node %u", i);
			board_show_range(ram[j].gpa, ram[j].len, what);
		}
	}
	board_show_range(LAYOUT_FIRMWARE, LAYOUT_FIRMWARE_LEN, "ACPI and SMBIOS tables, reset vector");
	board_show_range(pci->mem32, pci->mem32_len, "PCI, 32 bits");
	board_show_range(pci->ecam, pci->ecam_len, "PCI configuration space");
	board_show_range(LAYOUT_IOAPIC, LAYOUT_IOAPIC_LEN, "I/O APIC");
	board_show_range(LAYOUT_LAPIC, 4096, "local APICs");
	board_show_range(LAYOUT_KVM, LAYOUT_KVM_LEN, "what KVM needs");
	if (pci->mem64_len)
		board_show_range(pci->mem64, pci->mem64_len, "PCI, 64 bits");
}

static int board_pci(struct vm *vm)
{
	u64 base = max(board_ram_end(vm), (u64)LAYOUT_HIGH);
	const struct x86 *x86 = vm_x86(vm);
	u64 limit = 1ULL << x86->phys_bits;
	struct pci_layout layout = {
		.ecam = LAYOUT_ECAM, .ecam_len = LAYOUT_ECAM_LEN,
		.mem32 = LAYOUT_MEM32, .mem32_len = LAYOUT_MEM32_LEN,
		.mem64 = ALIGN(base, LAYOUT_MEM64_ALIGN),
		.ports = PORT_PCI,
		.intx = { GSI_PCI, GSI_PCI + 1, GSI_PCI + 2, GSI_PCI + 3 },
		.plain = x86->irqchip == IRQCHIP_COMPACT,
	};

	if (x86->pc) {
		layout.intx[0] = layout.intx[2] = GSI_PC_PCI_AC;
		layout.intx[1] = layout.intx[3] = GSI_PC_PCI_BD;
	}
	if (layout.mem64 < limit)
		layout.mem64_len = min(limit - layout.mem64, (u64)LAYOUT_MEM64_MAX);
	board_show(vm, &layout);
	return pci_host_new(vm, &layout);
}

static int board_add(struct vm *vm, const char *type, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int board_add(struct vm *vm, const char *type, const char *fmt, ...)
{
	char opts[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(opts, sizeof(opts), fmt, ap);
	va_end(ap);
	return device_add(vm, type, opts, NULL);
}

static int board_console(struct vm *vm)
{
	char *tty, *opts;
	int ret = -ENOMEM;

	if (!vm->cfg->console)
		return 0;
	tty = opt_quote(vm->cfg->console);
	if (tty && asprintf(&opts, "base=%#x,irq=%d,tty=%s", PORT_SERIAL, GSI_SERIAL, tty) >= 0) {
		ret = device_add(vm, "serial", opts, NULL);
		free(opts);
	}
	free(tty);
	return ret;
}

bool arch_place(const char *type, unsigned int nr, struct arch_place *place)
{
	static const struct {
		const char *type;
		unsigned int nr;
		struct arch_place place;
	} places[] = {
		{ "serial", 0, { PORT_SERIAL, GSI_SERIAL } },
		{ "serial", 1, { PORT_SERIAL1, GSI_SERIAL1 } },
		{ "serial", 2, { PORT_SERIAL2, GSI_SERIAL2 } },
		{ "serial", 3, { PORT_SERIAL3, GSI_SERIAL3 } },
		{ "acpi-pm", 0, { PORT_ACPI_PM, GSI_SCI } },
		{ "debug-exit", 0, { PORT_DEBUG_EXIT, 0 } },
		{ "debugcon", 0, { PORT_DEBUGCON, 0 } },
		{ "pc-testdev", 0, { PORT_TEST_DATA, 0 } },
		{ "pc-testdev", 1, { PORT_TEST_FLUSH, 0 } },
		{ "pc-testdev", 2, { PORT_TEST_LINES, 0 } },
		{ "pc-testdev", 3, { LAYOUT_TEST, 0 } },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (places[i].nr != nr || strcmp(places[i].type, type))
			continue;
		*place = places[i].place;
		return true;
	}
	return false;
}

/* No keyboard is attached. A guest with tables uses it only to reset: it needs no interrupt. */
static int board_i8042(struct vm *vm)
{
	if (vm_x86(vm)->irqchip == IRQCHIP_COMPACT)
		return board_add(vm, "i8042", "base=%#x", PORT_I8042);
	return board_add(vm, "i8042", "base=%#x,irq=%d,aux-irq=%d", PORT_I8042, GSI_KEYBOARD,
			 GSI_MOUSE);
}

/* Has the user asked for one? It is created with the user's other devices then. */
static bool board_is_given(const struct vm *vm, const char *type)
{
	unsigned int i;

	for (i = 0; i < vm->cfg->nr_devices; i++)
		if (!strcmp(vm->cfg->device[i].type, type))
			return true;
	return false;
}

/* Not for everybody: KVM takes its time to give a PIT back, and the PM timer is read where it is. */
static int board_pc(struct vm *vm)
{
	const struct x86 *x86 = vm_x86(vm);
	int ret = 0;

	if (!x86->pc)
		return 0;
	/* The PIT's interrupt goes to KVM's PICs. */
	if (x86->irqchip == IRQCHIP_KERNEL && !board_is_given(vm, "pit"))
		ret = device_add(vm, "pit", NULL, NULL);
	if (!ret && !cmdline_word(vm, board_no_acpi_words) && !board_is_given(vm, "acpi-pm"))
		ret = device_add(vm, "acpi-pm", NULL, NULL);
	return ret;
}

/* The generic event device, and the devices that have events. */
static int board_events(struct vm *vm)
{
	int ret = board_add(vm, "ged", "base=%#x,irq=%d", PORT_EVENTS,
			    vm_x86(vm)->pc ? GSI_PC_EVENTS : GSI_EVENTS);

	if (!ret)
		ret = device_add(vm, "power-button", NULL, NULL);
	if (!ret)
		ret = device_add(vm, "sleep-button", NULL, NULL);
	if (!ret)
		ret = board_add(vm, "vmgenid", "addr=%llu", LAYOUT_VMGENID);
	if (ret || !vm->cfg->hotplug)
		return ret;
	return board_add(vm, "pci-hotplug", "base=%#x", PORT_HOTPLUG);
}

int arch_board(struct vm *vm)
{
	int ret = 0;

	vm->regs = &vm->pio;
	vm->virtio = &virtio_pci;
	if (vm_x86(vm)->irqchip != IRQCHIP_KERNEL)
		ret = device_add(vm, "ioapic", NULL, NULL);
	if (!ret)
		ret = board_pci(vm);
	if (!ret)
		ret = board_console(vm);
	if (!ret)
		ret = board_add(vm, "rtc", "base=%#x,irq=%d", PORT_RTC, GSI_RTC);
	if (!ret)
		ret = board_i8042(vm);
	if (!ret)
		ret = board_add(vm, "pm", "reset=%#x,sleep-control=%#x,sleep-status=%#x", PORT_RESET,
				PORT_SLEEP_CONTROL, PORT_SLEEP_STATUS);
	if (!ret)
		ret = device_add(vm, "debug-exit", NULL, NULL);
	if (!ret && !cmdline_word(vm, board_no_acpi_words))
		ret = board_events(vm);
	if (!ret)
		ret = board_add(vm, "pvpanic", "base=%#x", PORT_PVPANIC);
	if (!ret)
		ret = board_add(vm, "fw-cfg", "base=%#x,cpus=%u,mem=%llu", PORT_FW_CFG,
				vm->cfg->cpus, (unsigned long long)vm->cfg->mem);
	if (!ret)
		ret = board_pc(vm);
	return ret;
}
