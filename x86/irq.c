// SPDX-License-Identifier: GPL-2.0
/*
 * How the wires reach KVM's interrupt controllers, the I/O APIC, and the two
 * 8259s for the first 16; and messages the CPUs of a machine with very many.
 */
#include <string.h>

#include <linux/kvm.h>

#include <kvm/arch.h>
#include <kvm/irq.h>

unsigned int arch_wire_routes(u32 gsi, struct kvm_irq_routing_entry *e)
{
	unsigned int n = 0;

	memset(e, 0, ARCH_WIRE_ROUTES * sizeof(*e));
	if (gsi < 16) {
		e[n].gsi = gsi;
		e[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		e[n].u.irqchip.irqchip = gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
		e[n++].u.irqchip.pin = gsi % 8;
	}
	if (gsi < IRQ_WIRES) {
		e[n].gsi = gsi;
		e[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		e[n].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		e[n++].u.irqchip.pin = gsi;
	}
	return n;
}

/*
 * KVM_FEATURE_MSI_EXT_DEST_ID (Documentation/virt/kvm/x86/cpuid.rst): bits 8 to 14
 * of the APIC ID are bits 5 to 11 of the address. KVM wants them in the upper half
 * (api.rst, KVM_X2APIC_API_USE_32BIT_IDS).
 */
void arch_message(u64 addr, u32 data, struct kvm_irq_routing_entry *e)
{
	e->u.msi.address_lo = addr & ~0xfe0ULL;
	e->u.msi.address_hi = addr >> 32 | (addr >> 5 & 0x7f) << 8;
	e->u.msi.data = data;
}
