/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupts. A struct irq is a wire to the interrupt controller or a message
 * (MSI); the device that raises it cannot tell. Raising one is an eventfd
 * write or one ioctl: any thread may do it without a lock. Everything else is
 * called with the machine lock held.
 */
#ifndef KVM_IRQ_H
#define KVM_IRQ_H

#include <kvm/types.h>
#include <kvm/undo.h>

#define IRQ_WIRES	24	/* inputs of the one I/O APIC */

struct irqs;			/* the routing of one machine */

struct irq {
	struct irqs *irqs;
	u32 gsi;
	int fd;			/* eventfd */
	bool wire;
	bool level;		/* wire: state as last set */
	bool attached;		/* message: unmasked, KVM listens to fd */
	bool routed;		/* message: KVM's table has it as it is */
	/* message */
	u64 addr;
	u32 data;
};

/*
 * The routing of the machine behind @vm_fd; -1: there is no KVM (unit tests),
 * and interrupts are only seen on their eventfds. 0 or -errno.
 */
int irqs_new(struct irqs **out, struct undo *undo, int vm_fd);

/* A wire to I/O APIC input @gsi < IRQ_WIRES, given back through @undo. Active high. 0 or -errno. */
int irq_wire_init(struct irq *irq, struct irqs *irqs, struct undo *undo, u32 gsi);

/*
 * A message, masked and with no address yet, given back through @undo. 0,
 * -ENOSPC when KVM's routing table is full, or -errno. irq_msg_set() changes
 * where it goes: touches KVM only if the message changed, and only once it is
 * unmasked. While it is masked, raising it leaves it pending; unmasking
 * delivers what is pending.
 */
int irq_msg_init(struct irq *irq, struct irqs *irqs, struct undo *undo);
void irq_msg_set(struct irq *irq, u64 addr, u32 data);
void irq_msg_mask(struct irq *irq, bool masked);
bool irq_msg_pending(const struct irq *irq);
void irq_msg_clear(struct irq *irq);	/* drop what is pending (reset) */

/*
 * The interrupt controller is lkvm's, not KVM's: no wire is routed until
 * irq_wire_route() says by which message (@addr 0: none), and addresses are
 * arch_message()'s to translate. irq_wire_again() raises a wire that is high
 * once more.
 */
void irqs_extend(struct irqs *irqs);
void irq_wire_route(struct irqs *irqs, u32 gsi, u64 addr, u32 data);
void irq_wire_again(struct irqs *irqs, u32 gsi);

/* Raise once: an edge or a message. Any thread. */
void irq_pulse(struct irq *irq);
/* Set the level of a wire. Any thread, one at a time for one wire. */
void irq_set(struct irq *irq, bool level);
/* The eventfd whose write raises a message once (a wire has none); owned by @irq. */
int irq_fd(const struct irq *irq);

#endif
