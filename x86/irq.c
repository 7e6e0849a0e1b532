// SPDX-License-Identifier: GPL-2.0
/* How the wires reach KVM's interrupt controllers: the I/O APIC, and the two 8259s for the first 16. */
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
