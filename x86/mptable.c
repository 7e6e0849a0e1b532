// SPDX-License-Identifier: GPL-2.0
/*
 * The MP table: processors and interrupts, for kernels without ACPI (Intel's
 * MultiProcessor Specification, version 1.4, chapter 4). It is a floating pointer and
 * the configuration table behind it. It has no room for APIC IDs beyond 8 bits. Runs
 * while the machine is built, on the main thread.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/device.h>
#include <kvm/memory.h>
#include <kvm/pci.h>
#include <kvm/vm.h>

#include "layout.h"
#include "x86.h"

#define MP_POINTER_LEN		16
#define MP_VERSION		4		/* 1.4 */
#define MP_LAPIC_VERSION	0x14
#define MP_IOAPIC_VERSION	0x11
#define MP_CPU_ENABLED		(1U << 0)
#define MP_CPU_BOOT		(1U << 1)
#define MP_APIC_ENABLED		(1U << 0)
#define MP_ALL_APICS		0xff

enum { MP_CPU, MP_BUS, MP_IOAPIC, MP_IRQ, MP_LINT };
enum { MP_INT, MP_NMI, MP_SMI, MP_EXTINT };
enum { MP_BUS_PCI, MP_BUS_ISA };		/* PCI buses come first, by their numbers (D.1) */
/* Table 4-10: polarity and trigger as the bus has them, or said */
#define MP_AS_BUS		0
#define MP_LEVEL_HIGH		(3U << 2 | 1U)
#define MP_LEVEL_LOW		(3U << 2 | 3U)

struct mp_header {
	char signature[4];
	__le16 len;
	u8 version, sum;
	char oem[8], product[12];
	__le32 oem_table;
	__le16 oem_len, entries;
	__le32 lapic;
	__le16 ext_len;
	u8 ext_sum, reserved;
};

struct mp {
	u8 buf[LAYOUT_MP_LEN - MP_POINTER_LEN];
	size_t len;
	unsigned int entries;
	bool full;
};

static void mp_add(struct mp *mp, const void *entry, size_t len)
{
	if (mp->full || len > sizeof(mp->buf) - mp->len) {
		mp->full = true;
		return;
	}
	memcpy(mp->buf + mp->len, entry, len);
	mp->len += len;
	mp->entries++;
}

static u8 mp_sum(const u8 *p, size_t len)
{
	u8 sum = 0;

	while (len--)
		sum += *p++;
	return -sum;
}

/* 4.3.1, of the processors that have an ID of 8 bits. */
static void mp_cpus(struct mp *mp, const struct vm *vm)
{
	u32 signature, features;
	unsigned int i;

	cpuid_signature(vm, &signature, &features);
	for (i = 0; i < vm->cfg->cpus && arch_vcpu_id(vm, i) < LAYOUT_XAPIC_IDS; i++) {
		u8 e[20] = {
			MP_CPU, arch_vcpu_id(vm, i), MP_LAPIC_VERSION,
			MP_CPU_ENABLED | (i ? 0 : MP_CPU_BOOT),
			signature, signature >> 8, signature >> 16, signature >> 24,
			features, features >> 8, features >> 16, features >> 24,
		};

		mp_add(mp, e, sizeof(e));
	}
}

static void mp_bus(struct mp *mp, u8 id, const char *type)
{
	u8 e[8] = { MP_BUS, id };

	memcpy(e + 2, type, 6);
	mp_add(mp, e, sizeof(e));
}

/* 4.3.4 and 4.3.5: @source of @bus comes in at @pin of @apic. */
static void mp_irq(struct mp *mp, u8 entry, u8 type, u8 flags, u8 bus, u8 source, u8 apic, u8 pin)
{
	u8 e[8] = { entry, type, flags, 0, bus, source, apic, pin };

	mp_add(mp, e, sizeof(e));
}

/* ISA's interrupts come in where they have their numbers, but for those that PCI and the SCI have. */
static void mp_isa(struct mp *mp, const struct vm *vm, u8 ioapic)
{
	const struct device *pm = device_find(vm, "acpi-pm");
	const u8 *intx = pci_host_layout(vm)->intx;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		if (i == GSI_CASCADE || memchr(intx, i, 4))
			continue;
		mp_irq(mp, MP_IRQ, MP_INT, pm && device_resource(pm, RES_IRQ_LEVEL) == i ? MP_LEVEL_HIGH :
		       MP_AS_BUS, MP_BUS_ISA, i, ioapic, i);
	}
}

/* D.3: a slot's pins are told apart by two bits. */
static void mp_pci(struct mp *mp, const struct vm *vm, u8 ioapic)
{
	const u8 *intx = pci_host_layout(vm)->intx;
	unsigned int slot, pin;

	for (slot = 0; slot < 32; slot++)
		for (pin = 0; pin < 4; pin++)
			mp_irq(mp, MP_IRQ, MP_INT, MP_LEVEL_LOW, MP_BUS_PCI, slot << 2 | pin, ioapic,
			       intx[(slot + pin) % 4]);
}

static void mp_entries(struct mp *mp, const struct vm *vm)
{
	/* An ID that no processor has; there are some left, as those of 8 bits are not all in use. */
	u8 ioapic = min(arch_vcpu_id(vm, vm->cfg->cpus - 1) + 1, LAYOUT_XAPIC_IDS - 1U);
	u32 addr = LAYOUT_IOAPIC;
	u8 e[8] = {
		MP_IOAPIC, ioapic, MP_IOAPIC_VERSION, MP_APIC_ENABLED,
		addr & 0xff, addr >> 8 & 0xff, addr >> 16 & 0xff, addr >> 24,
	};

	mp_cpus(mp, vm);
	mp_bus(mp, MP_BUS_PCI, "PCI   ");
	mp_bus(mp, MP_BUS_ISA, "ISA   ");
	mp_add(mp, e, sizeof(e));
	mp_isa(mp, vm, ioapic);
	mp_pci(mp, vm, ioapic);
	mp_irq(mp, MP_LINT, MP_EXTINT, MP_AS_BUS, MP_BUS_ISA, 0, MP_ALL_APICS, 0);
	mp_irq(mp, MP_LINT, MP_NMI, MP_AS_BUS, MP_BUS_ISA, 0, MP_ALL_APICS, 1);
}

int mptable_write(struct vm *vm)
{
	struct mp mp = { .len = sizeof(struct mp_header) };
	struct mp_header head = {
		.signature = "PCMP", .version = MP_VERSION, .oem = "LKVM    ",
		.product = "MACHINE     ", .lapic = htole32(LAYOUT_LAPIC),
	};
	u32 addr = LAYOUT_MP + MP_POINTER_LEN;
	/* 4.1; the last five bytes: a table follows, virtual wire mode */
	u8 pointer[MP_POINTER_LEN] = {
		'_', 'M', 'P', '_', addr & 0xff, addr >> 8 & 0xff, addr >> 16 & 0xff, addr >> 24,
		MP_POINTER_LEN / 16, MP_VERSION,
	};
	int ret;

	mp_entries(&mp, vm);
	if (mp.full)
		return -ENOSPC;
	head.len = htole16(mp.len);
	head.entries = htole16(mp.entries);
	memcpy(mp.buf, &head, sizeof(head));
	mp.buf[offsetof(struct mp_header, sum)] = mp_sum(mp.buf, mp.len);
	pointer[10] = mp_sum(pointer, sizeof(pointer));
	ret = mem_write(&vm->mem, LAYOUT_MP, pointer, sizeof(pointer));
	return ret ? ret : mem_write(&vm->mem, addr, mp.buf, mp.len);
}
