// SPDX-License-Identifier: GPL-2.0
/*
 * Another architecture, as far as machines without vCPUs need one: a small board with
 * all registers in memory and none of a PC's numbers, whose interrupt controller knows
 * wires by numbers of its own and wants to know who sends a message. Unit tests run on
 * it; tests/doc/source.sh links all but x86/ with it, which shows that arch.h is all
 * that a second architecture has to provide.
 */
#include <errno.h>
#include <string.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/acpi.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/feature.h>
#include <kvm/pci.h>
#include <kvm/seccomp.h>
#include <kvm/transport.h>
#include <kvm/vm.h>

#include "arch_stub.h"

const struct feature arch_features[] = { { .name = NULL } };

unsigned int arch_wire_routes(u32 gsi, struct kvm_irq_routing_entry *e)
{
	return 0;
}

u32 arch_irq_line(u32 gsi)
{
	return STUB_LINE_TYPE | (STUB_LINE_FIRST + gsi);
}

void arch_msi_route(const struct vm *vm, u32 devid, u64 addr, u32 data,
		    struct kvm_irq_routing_entry *e)
{
	e->type = KVM_IRQ_ROUTING_MSI;
	e->flags = KVM_MSI_VALID_DEVID;
	e->u.msi.address_lo = addr;
	e->u.msi.address_hi = addr >> 32;
	e->u.msi.data = data;
	e->u.msi.devid = devid;
}

unsigned long arch_vm_type(int kvm_fd)
{
	return 0;
}

bool arch_place(const char *type, unsigned int nr, struct arch_place *place)
{
	if (strcmp(type, "serial") || nr > 1)
		return false;
	*place = (struct arch_place) { STUB_SERIAL + nr * STUB_STEP, STUB_GSI_SERIAL + nr };
	return true;
}

int arch_vcpus_created(struct vm *vm)
{
	return 0;
}

const char *const arch_image_path = "arch/stub/boot/Image";
const char *const arch_image_name = "Image";

bool arch_image_is(const void *image, u64 len)
{
	return false;
}

const char *arch_image_release(const void *image, u64 len)
{
	return NULL;
}

const void *arch_image_payload(const void *image, u64 len, u64 *payload_len)
{
	return NULL;
}

const char *arch_cmdline(unsigned int serials)
{
	return "";
}

int arch_probe(const char *path, struct kernel_info *info)
{
	return -ENOSYS;
}

int arch_memory(struct vm *vm)
{
	return mem_add(&vm->mem, &vm->undo, STUB_RAM, vm->cfg->mem);
}

int arch_irqchip(struct vm *vm)
{
	return 0;
}

int arch_board(struct vm *vm)
{
	static const struct pci_layout layout = {
		.ecam = STUB_ECAM, .ecam_len = MIB, .mem32 = STUB_MEM32, .mem32_len = 256 * MIB,
		.mem64 = STUB_MEM64, .mem64_len = 64 * GIB, .intx = { 8, 9, 10, 11 },
	};
	/* Registers from STUB_RTC on, STUB_STEP apart */
	static const struct {
		const char *type, *opts;
	} chip[] = {
		{ "rtc", "base=0x9020000,irq=6" }, { "ged", "base=0x9030000,irq=7" },
		{ "power-button", NULL }, { "fw-cfg", "base=0x9040000" }, { "pvpanic", "base=0x9050000" },
		{ "pm", "reset=0x9060000,sleep-control=0x9060001,sleep-status=0x9060002" },
	};
	unsigned int i;
	int ret;

	vm->regs = &vm->mmio;
	vm->virtio = &virtio_pci;
	ret = pci_host_new(vm, &layout);
	if (!ret && vm->cfg->console)
		ret = device_add(vm, "serial", NULL, NULL);
	for (i = 0; !ret && i < ARRAY_SIZE(chip); i++)
		ret = device_add(vm, chip[i].type, chip[i].opts, NULL);
	return ret;
}

int arch_load(struct vm *vm)
{
	return -ENOSYS;
}

/* The tables at the beginning of RAM. */
int arch_firmware(struct vm *vm)
{
	const struct device *serial = device_find(vm, "serial");
	struct acpi a, front;
	u8 buf[STUB_TABLES];
	unsigned int nr = 0;
	u64 table[4];
	size_t dsdt;

	acpi_init(&a, buf, sizeof(buf));
	acpi_zero(&a, 48);
	dsdt = acpi_table_begin(&a, "DSDT", 2);
	aml_scope(&a, "\\_SB");
	acpi_pci_host(&a, vm);
	acpi_devices(&a, vm);
	aml_end(&a);
	acpi_table_end(&a, dsdt);
	table[nr++] = STUB_RAM + dsdt;
	table[nr++] = STUB_RAM + acpi_mcfg(&a, pci_host_layout(vm));
	if (serial)
		table[nr++] = STUB_RAM + acpi_spcr(&a, serial, SPCR_GIC);
	acpi_init(&front, buf, 48);
	acpi_rsdp(&front, STUB_RAM + acpi_xsdt(&a, table, nr));
	if (acpi_failed(&a) || acpi_failed(&front))
		return -ENOSPC;
	return mem_write(&vm->mem, STUB_RAM, buf, a.len);
}

int arch_wake(struct vm *vm)
{
	return -ENOSYS;
}

u32 arch_vcpu_id(const struct vm *vm, unsigned int index)
{
	return index;
}

int arch_vcpu_init(struct vcpu *vcpu)
{
	return -ENOSYS;
}

bool arch_vcpu_exit(struct vcpu *vcpu)
{
	return false;
}

void arch_vcpu_resumed(struct vcpu *vcpu)
{
}

int arch_state(struct vm *vm, struct state *s)
{
	return -ENOSYS;
}

int arch_vcpu_state(struct vcpu *vcpu, struct state *s)
{
	return -ENOSYS;
}

void arch_vcpu_dump(struct vcpu *vcpu, FILE *f)
{
}

const struct arch_reg_set arch_reg_sets[] = { { .feature = NULL } };
const char *const arch_gdb_name = "stub";
const char *const arch_name = "stub";
const u8 arch_break_insn[] = { 0 };
const size_t arch_break_len = 1;

int arch_regs_read(struct vcpu *vcpu, u8 buf[ARCH_REGS_MAX])
{
	return -ENOSYS;
}

int arch_regs_write(struct vcpu *vcpu, const u8 buf[ARCH_REGS_MAX])
{
	return -ENOSYS;
}

int arch_vcpu_translate(struct vcpu *vcpu, u64 addr, gpa_t *gpa)
{
	return -EFAULT;
}

int arch_vcpu_space(struct vcpu *vcpu, struct arch_space *space)
{
	return -ENOTSUP;
}

int arch_space_walk(const struct mem *mem, const struct arch_space *space, u64 addr, struct arch_walk *walk)
{
	return -EFAULT;
}

void arch_entry_text(u64 entry, char *text, size_t size)
{
	*text = '\0';
}

int arch_linux_find(const struct mem *mem, const struct arch_space *space, struct arch_linux *found)
{
	return -ENOENT;
}

struct arch_space arch_linux_space(u64 init_top_pgt, u64 phys_base, bool five_levels)
{
	return (struct arch_space) { .levels = 0 };
}

int arch_vcpu_frame(struct vcpu *vcpu, struct arch_frame *frame)
{
	return -ENOSYS;
}

int arch_unwind(const struct arch_unwind *u, struct arch_frame *frame)
{
	return -ENOENT;
}

int arch_unwind_task(const struct arch_unwind *u, u64 sp, struct arch_frame *frame)
{
	return -EFAULT;
}

const u16 arch_elf_machine;

int arch_prstatus(struct vcpu *vcpu, u32 pid, u8 buf[ARCH_PRSTATUS_MAX], size_t *len)
{
	return -ENOSYS;
}

bool arch_point_valid(const struct arch_point *point)
{
	return false;
}

int arch_debug_set(struct vcpu *vcpu, const struct arch_debug *debug)
{
	return -ENOSYS;
}

enum arch_stop arch_debug_stop(struct vcpu *vcpu, const struct arch_debug *debug, u64 *addr,
			       unsigned int *nr)
{
	return ARCH_STOP_NONE;
}

int arch_debug_reflect(struct vcpu *vcpu, const struct arch_debug *debug)
{
	return -ENOSYS;
}

int arch_speed(const char *path, u64 *picoseconds)
{
	return -ENOSYS;
}

bool arch_is_die(const char *line)
{
	return false;
}

u32 arch_audit(void)
{
	return 0;
}

const struct seccomp_rule *arch_confine_rules(bool main)
{
	static const struct seccomp_rule none[] = { SECCOMP_END };

	return none;
}

void arch_syscall_args(const void *context, u64 args[6])
{
}
