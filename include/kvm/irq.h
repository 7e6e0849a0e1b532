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

#define IRQ_WIRES	24	/* inputs of a board's interrupt controller, at most */

struct irqs;			/* the routing of one machine */
struct kvm_irq_routing_entry;
struct vm;

/* An interrupt controller in lkvm, for the wires. */
struct irq_chip {
	/* One more, or one fewer, device raises @pin. Any thread. */
	void (*set)(void *obj, u32 pin, bool level);
	/* KVM's route of @pin: fills in @e and returns true; false: @pin has none. Lock held. */
	bool (*route)(void *obj, u32 pin, struct kvm_irq_routing_entry *e);
};

struct irq {
	struct irqs *irqs;
	u32 gsi;		/* KVM's number of it; a wire: the controller's pin */
	int fd;			/* eventfd */
	bool wire;
	bool level;		/* wire: state as last set */
	bool attached;		/* message: unmasked, KVM listens to fd */
	bool routed;		/* message: KVM's table has it as it is */
	/* message */
	u32 devid;		/* the sender, for the interrupt controller: a PCI function's number */
	u64 addr;
	u32 data;
};

/*
 * Create the routing of @vm; only the architecture's functions use @vm. @vm_fd is its
 * descriptor; -1: there is no KVM (unit tests), and interrupts only arrive on their
 * eventfds. 0 or -errno.
 */
int irqs_new(struct irqs **out, struct undo *undo, const struct vm *vm, int vm_fd);

/*
 * Connect the wires to @chip, before the first wire exists. Without @compact input n is
 * pin n. With @compact each input in use gets the next pin, and the guest learns its
 * number from the tables. @first is the number of pin 0 in the tables.
 */
void irqs_set_chip(struct irqs *irqs, const struct irq_chip *chip, void *obj, u32 first, bool compact);
/* How many pins the controller has. */
u32 irqs_pins(const struct irqs *irqs);
/* The guest's number (global system interrupt) of @input < IRQ_WIRES, which gets a pin if it has none. */
u32 irqs_gsi(struct irqs *irqs, u32 input);
/* The chip's routes have changed: call route() again and give them to KVM. */
void irqs_update(struct irqs *irqs);

/* A wire to @input < IRQ_WIRES (of KVM's controller: the only one to it), given back through @undo. Active high. 0 or -errno. */
int irq_wire_init(struct irq *irq, struct irqs *irqs, struct undo *undo, u32 input);

/*
 * A message of @devid, masked and with no address yet, given back through @undo. 0,
 * -ENOSPC when KVM's routing table is full, or -errno. irq_msg_set() changes its
 * address and data; KVM is only called if they differ, and once it is unmasked. A
 * masked message that is raised stays pending; unmasking delivers it.
 */
int irq_msg_init(struct irq *irq, struct irqs *irqs, struct undo *undo, u32 devid);
void irq_msg_set(struct irq *irq, u64 addr, u32 data);
void irq_msg_mask(struct irq *irq, bool masked);
bool irq_msg_pending(const struct irq *irq);
void irq_msg_clear(struct irq *irq);	/* drop what is pending (reset) */

/* Raise once: an edge or a message. Any thread. */
void irq_pulse(struct irq *irq);
/* Set the level of a wire. Any thread, one at a time for one wire. */
void irq_set(struct irq *irq, bool level);
/* The eventfd whose write raises a message once (a wire has none); owned by @irq. */
int irq_fd(const struct irq *irq);

#endif
