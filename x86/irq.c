// SPDX-License-Identifier: GPL-2.0
/*
 * Routes in KVM: of wires to its interrupt controllers (the I/O APIC, and the two 8259s
 * for the first 16), and of messages to CPUs, also with APIC IDs beyond 8 bits.
 */
#include <string.h>

#include <linux/kvm.h>

#include <kvm/arch.h>
#include <kvm/irq.h>

#include "x86.h"

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

u32 arch_irq_line(u32 gsi)
{
	return gsi;
}

/*
 * With APIC IDs beyond 8 bits, by KVM_FEATURE_MSI_EXT_DEST_ID (Documentation/virt/
 * kvm/x86/cpuid.rst): bits 8 to 14 of the ID are bits 5 to 11 of the address. KVM
 * wants them in the upper half (api.rst, KVM_X2APIC_API_USE_32BIT_IDS). A local APIC
 * does not ask who sent a message.
 */
void arch_msi_route(const struct vm *vm, u32 devid, u64 addr, u32 data,
		    struct kvm_irq_routing_entry *e)
{
	e->type = KVM_IRQ_ROUTING_MSI;
	e->u.msi.address_lo = addr;
	e->u.msi.address_hi = addr >> 32;
	e->u.msi.data = data;
	if (!vm_x86(vm)->extended)
		return;
	e->u.msi.address_lo = addr & ~0xfe0ULL;
	e->u.msi.address_hi = addr >> 32 | (addr >> 5 & 0x7f) << 8;
}
