// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts: wires are KVM_IRQ_LINE, or go to an interrupt controller of our
 * own; messages are irqfds over KVM's routing table
 * (Documentation/virt/kvm/api.rst, 4.25, 4.52, 4.75). Setting that table makes the
 * host wait for a grace period. So it is only set when a message that has changed is
 * about to be unmasked.
 *
 * Setting up is done under the machine lock; raising takes none.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/kernel.h>
#include <kvm/arch.h>
#include <kvm/irq.h>
#include <kvm/log.h>

#define IRQ_ROUTES_MAX	4096	/* of KVM: KVM_MAX_IRQ_ROUTES, and the limit of its numbers */
#define IRQ_WIRES_MAX	(IRQ_WIRES * ARCH_WIRE_ROUTES)
#define IRQ_MESSAGES_MAX (IRQ_ROUTES_MAX - IRQ_WIRES_MAX)
#define IRQ_MESSAGES	128	/* at first: ten devices */

struct irqs {
	const struct vm *vm;			/* for the architecture to know its own by */
	int vm_fd;
	const struct irq_chip *chip;		/* NULL: KVM's */
	void *chip_obj;
	u32 first;				/* the guest's number of pin 0 */
	bool compact;
	u32 nr_pins;
	u8 pin[IRQ_WIRES];			/* of an input, plus 1; compact only */
	struct irq **message;			/* [nr_messages], by gsi - IRQ_WIRES; grows */
	unsigned int nr_messages;
	unsigned int low;			/* no free one below */
	struct kvm_irq_routing *table;		/* room for all of them and the wires */
	struct log_limit limit;			/* messages are the guest's to write */
};

static void irqs_free(void *arg)
{
	struct irqs *irqs = arg;

	free(irqs->message);
	free(irqs->table);
	free(irqs);
}

/* Room for @nr messages. */
static int irqs_grow(struct irqs *irqs, unsigned int nr)
{
	struct kvm_irq_routing *table;
	struct irq **message;

	message = realloc(irqs->message, nr * sizeof(*message));
	if (!message)
		return -ENOMEM;
	memset(message + irqs->nr_messages, 0, (nr - irqs->nr_messages) * sizeof(*message));
	irqs->message = message;
	table = realloc(irqs->table, sizeof(*table) + (IRQ_WIRES_MAX + nr) * sizeof(table->entries[0]));
	if (!table)
		return -ENOMEM;
	table->flags = 0;
	irqs->table = table;
	irqs->nr_messages = nr;
	return 0;
}

int irqs_new(struct irqs **out, struct undo *undo, const struct vm *vm, int vm_fd)
{
	struct irqs *irqs = calloc(1, sizeof(*irqs));

	if (!irqs || undo_add(undo, irqs_free, irqs))
		return -ENOMEM;
	irqs->vm = vm;
	irqs->vm_fd = vm_fd;
	irqs->nr_pins = IRQ_WIRES;
	*out = irqs;
	return irqs_grow(irqs, IRQ_MESSAGES);
}

void irqs_set_chip(struct irqs *irqs, const struct irq_chip *chip, void *obj, u32 first, bool compact)
{
	irqs->chip = chip;
	irqs->chip_obj = obj;
	irqs->first = first;
	irqs->compact = compact;
	irqs->nr_pins = compact ? 0 : IRQ_WIRES;
}

u32 irqs_pins(const struct irqs *irqs)
{
	return irqs->nr_pins;
}

static u32 irqs_pin(struct irqs *irqs, u32 input)
{
	if (!irqs->compact)
		return input;
	if (!irqs->pin[input])
		irqs->pin[input] = ++irqs->nr_pins;
	return irqs->pin[input] - 1;
}

u32 irqs_gsi(struct irqs *irqs, u32 input)
{
	return irqs->first + irqs_pin(irqs, input);
}

/* 0 or -errno: KVM keeps the table that it had. */
static int irqs_route(struct irqs *irqs)
{
	struct kvm_irq_routing *table = irqs->table;
	unsigned int i;

	table->nr = 0;
	for (i = 0; i < irqs->nr_pins; i++) {
		if (!irqs->chip)
			table->nr += arch_wire_routes(i, table->entries + table->nr);
		else if (irqs->chip->route(irqs->chip_obj, i, table->entries + table->nr))
			table->nr++;
	}
	for (i = 0; i < irqs->nr_messages; i++) {
		struct irq *irq = irqs->message[i];
		struct kvm_irq_routing_entry *e = &table->entries[table->nr];

		if (!irq || !irq->routed)
			continue;
		*e = (struct kvm_irq_routing_entry) { .gsi = irq->gsi };
		arch_msi_route(irqs->vm, irq->devid, irq->addr, irq->data, e);
		table->nr++;
	}
	if (irqs->vm_fd >= 0 && ioctl(irqs->vm_fd, KVM_SET_GSI_ROUTING, table) < 0)
		return -errno;
	return 0;
}

void irqs_update(struct irqs *irqs)
{
	int ret = irqs_route(irqs);

	if (ret)
		log_limited(&irqs->limit, LOG_WARNING,
			    "KVM refuses the routing of interrupts: error %d", -ret);
}

static int irq_eventfd(struct irq *irq)
{
	irq->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return irq->fd < 0 ? -errno : 0;
}

int irq_wire_init(struct irq *irq, struct irqs *irqs, struct undo *undo, u32 input)
{
	int ret;

	if (input >= IRQ_WIRES)
		return -EINVAL;
	*irq = (struct irq) { .irqs = irqs, .gsi = irqs_pin(irqs, input), .wire = true, .fd = -1 };
	if (irqs->vm_fd >= 0)
		return 0;
	/* Without KVM the tests see each rise on the eventfd. */
	ret = irq_eventfd(irq);
	return ret ? ret : undo_close(undo, irq->fd);
}

static void irq_msg_free(void *arg)
{
	struct irq *irq = arg;

	irq_msg_mask(irq, true);
	irq->irqs->message[irq->gsi - IRQ_WIRES] = NULL;
	irq->irqs->low = min(irq->irqs->low, irq->gsi - IRQ_WIRES);
	close(irq->fd);
}

int irq_msg_init(struct irq *irq, struct irqs *irqs, struct undo *undo, u32 devid)
{
	unsigned int i;
	int ret;

	for (i = irqs->low; i < irqs->nr_messages && irqs->message[i]; i++)
		;
	if (i == IRQ_MESSAGES_MAX)
		return -ENOSPC;
	if (i == irqs->nr_messages) {
		ret = irqs_grow(irqs, min(2 * i, (unsigned int)IRQ_MESSAGES_MAX));
		if (ret)
			return ret;
	}
	*irq = (struct irq) { .irqs = irqs, .gsi = IRQ_WIRES + i, .devid = devid };
	ret = irq_eventfd(irq);
	if (ret)
		return ret;
	irqs->message[i] = irq;
	irqs->low = i + 1;
	return undo_add(undo, irq_msg_free, irq);
}

static void irq_msg_attach(struct irq *irq, bool attach)
{
	struct kvm_irqfd irqfd = {
		.fd = irq->fd, .gsi = irq->gsi,
		.flags = attach ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	irq->attached = attach;
	if (irq->irqs->vm_fd >= 0 && ioctl(irq->irqs->vm_fd, KVM_IRQFD, &irqfd) < 0)
		log_limited(&irq->irqs->limit, LOG_ERROR, "KVM refuses an interrupt eventfd: error %d",
			    errno);
}

/*
 * The guest may write an address that KVM does not take, and KVM takes a table
 * whole or not at all: then this message goes nowhere, and the others as before.
 */
static void irq_msg_route(struct irq *irq)
{
	int ret;

	if (irq->routed)
		return;
	irq->routed = true;
	ret = irqs_route(irq->irqs);
	if (!ret)
		return;
	irq->routed = false;
	log_limited(&irq->irqs->limit, LOG_WARNING,
		    "KVM refuses an interrupt message to 0x%llx: error %d",
		    (unsigned long long)irq->addr, -ret);
	irqs_route(irq->irqs);
}

void irq_msg_set(struct irq *irq, u64 addr, u32 data)
{
	if (irq->addr == addr && irq->data == data)
		return;
	irq->addr = addr;
	irq->data = data;
	irq->routed = false;
	if (irq->attached)
		irq_msg_route(irq);
}

void irq_msg_mask(struct irq *irq, bool masked)
{
	if (irq->attached == !masked)
		return;
	if (!masked)
		irq_msg_route(irq);
	/* A message raised while it was masked is in the eventfd's counter, which KVM now reads. */
	irq_msg_attach(irq, !masked);
}

bool irq_msg_pending(const struct irq *irq)
{
	struct pollfd pfd = { .fd = irq->fd, .events = POLLIN };

	return !irq->attached && poll(&pfd, 1, 0) == 1;
}

void irq_msg_clear(struct irq *irq)
{
	u64 count;

	if (irq->attached || read(irq->fd, &count, sizeof(count)) < 0)
		return;
}

static void irq_signal(struct irq *irq)
{
	u64 one = 1;

	/* A full counter is an interrupt that is pending already. */
	if (write(irq->fd, &one, sizeof(one)) < 0)
		return;
}

void irq_set(struct irq *irq, bool level)
{
	struct kvm_irq_level line = { .irq = arch_irq_line(irq->gsi), .level = level };

	if (irq->level == level)
		return;
	irq->level = level;
	if (irq->irqs->chip)
		irq->irqs->chip->set(irq->irqs->chip_obj, irq->gsi, level);
	else if (irq->irqs->vm_fd >= 0)
		ioctl(irq->irqs->vm_fd, KVM_IRQ_LINE, &line);
	else if (level)
		irq_signal(irq);
}

void irq_pulse(struct irq *irq)
{
	if (!irq->wire) {
		irq_signal(irq);
		return;
	}
	irq_set(irq, true);
	irq_set(irq, false);
}

int irq_fd(const struct irq *irq)
{
	return irq->fd;
}
